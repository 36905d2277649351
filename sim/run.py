"""Runs the simulated city: reads its devices as city time passes, and lets its gateways publish."""

import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from city.clock import HOUR_US, MINUTE_US, SECOND_US, Clock
from city.pack import CityPack
from sim.faults import PlantedFault
from sim.metrics import SimMetrics
from sim.outbox import Outbox
from sim.publish import Fleet, FleetOptions, Numbering
from sim.realism import PERFECT, Realism
from sim.repairs import Repairs
from sim.world import World

logger = logging.getLogger(__name__)

_ROUND_S_MAX = 0.25
_ROUND_S_MIN = 0.01
_MOMENTS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How the simulation runs.

    Attributes
    ----------
    fleet : FleetOptions
    seed : int
        Decides every value.
    outbox : Path or None
        The gateways' memory on disk, which outlives a kill; None: in memory.
    catch_up_us : int
        City time over which gateways read their devices although this process was not there; older is skipped.
    drain_s : float
        How long a clean stop waits for acknowledgements.
    realism : Realism
        How far the city departs from its inventory, and devices and gateways from perfection.
    """

    fleet: FleetOptions
    seed: int = 1
    outbox: Path | None = None
    catch_up_us: int = 72 * HOUR_US
    drain_s: float = 10.0
    realism: Realism = PERFECT


def run_simulation(
    pack: CityPack,
    clock: Clock,
    options: RunOptions,
    faults: Sequence[PlantedFault],
    stop: threading.Event,
    ready: Callable[[], None] | None = None,
    repairs: Repairs | None = None,
    metrics: SimMetrics | None = None,
) -> bool:
    """Run until `stop` is set, then drain; return whether everything was acknowledged.

    The devices' readings depend on pack, seed, faults and city time alone. Killed and started again with the same
    outbox, gateways go on where they were read last, and nothing that they said is lost.

    Parameters
    ----------
    ready : function or None
        Called once, when every gateway is connected for the first time.
    repairs : Repairs or None
        Where crews note what they mend; `faults` are its faults then.

    Raises
    ------
    SettingsError
        The MQTT URL makes no sense.
    EngineError
        The outbox cannot be written.
    """
    world = World(pack, options.seed, faults, options.realism)
    numbering = Numbering(secrets.token_hex(6))
    with Outbox(options.outbox) as outbox:
        fleet = Fleet(world.gateways, outbox, clock, options.fleet, metrics)
        done = _begin(world, outbox, clock.now_us(), options.catch_up_us)
        fleet.start()
        begun = False
        try:
            while not stop.is_set():
                for asset_id, at_us in repairs.fresh() if repairs else ():
                    world.mend(asset_id, at_us)
                _read_devices(world, fleet, outbox, numbering, clock, done)
                fleet.pump(_pause_s(world, clock, done))
                if not begun and fleet.connected == len(world.gateways):
                    begun = True
                    logger.info("every gateway is connected", extra={"gateways": len(world.gateways)})
                    if ready is not None:
                        ready()
            _read_devices(world, fleet, outbox, numbering, clock, done)
            drained = fleet.drain(options.drain_s)
            if not drained:
                logger.warning(
                    "stopped before the broker had everything; the rest is kept", extra={"messages": fleet.pending()}
                )
            return drained
        finally:
            fleet.stop()


def _begin(world: World, outbox: Outbox, now_us: int, catch_up_us: int) -> dict[str, int]:
    """Return up to when each gateway has been read; new ones begin a quarter of an hour ago, so that all are heard.

    Where a new one begins is kept at once: one that speaks seldom may be killed before its first word.
    """
    known = outbox.progress()
    fresh = {gateway: now_us - 15 * MINUTE_US for gateway in world.gateways if gateway not in known}
    outbox.put((), fresh)
    done = {gateway: known[gateway] if gateway in known else fresh[gateway] for gateway in world.gateways}
    for gateway, at_us in done.items():
        if at_us < now_us - catch_up_us:
            logger.warning("a gateway was off for long, it goes on from now", extra={"gateway": gateway})
            done[gateway] = now_us - catch_up_us
    return done


def _read_devices(
    world: World, fleet: Fleet, outbox: Outbox, numbering: Numbering, clock: Clock, done: dict[str, int]
) -> None:
    """Put what devices said since the last round into the outbox, with the progress, in one transaction."""
    now_us = clock.now_us()
    messages: list[tuple[str, bytes]] = []
    progress: dict[str, int] = {}
    for gateway, done_us in done.items():
        # What a gateway hears while its uplink is out stays with it, and goes out afterwards in order.
        silent_us = world.silent_since(gateway, now_us)
        until_us = now_us if silent_us is None else silent_us - 1
        fleet.say(gateway, online=not world.is_out(gateway, now_us))
        if done_us >= until_us:
            continue
        moments = world.moments(gateway, done_us, until_us)
        for at_us in moments[:_MOMENTS_AT_ONCE]:
            heard = world.observe(gateway, at_us)
            built = numbering.messages(gateway, heard, now_us + world.skew_us(gateway))
            messages += [(gateway, payload) for payload in _on_the_way(world, gateway, at_us, built)]
        if moments:
            done[gateway] = progress[gateway] = moments[:_MOMENTS_AT_ONCE][-1]
    if progress:
        outbox.put(messages, progress)
        fleet.told({gateway for gateway, _ in messages})


def _on_the_way(world: World, gateway: str, at_us: int, messages: list[bytes]) -> list[bytes]:
    """Return messages as they leave the gateway: seldom twice, or in the wrong order."""
    if world.truth_of.sent_twice(gateway, at_us):
        messages = [*messages, *messages[-1:]]
    return messages[::-1] if world.truth_of.out_of_order(gateway, at_us) else messages


def _pause_s(world: World, clock: Clock, done: dict[str, int]) -> float:
    """Return how long nothing is due, by the machine's clock."""
    now_us = clock.now_us()
    awake = (g for g in done if world.silent_since(g, now_us) is None)
    due_us = min((world.next_moment(gateway, done[gateway]) for gateway in awake), default=now_us + MINUTE_US)
    return min(max((due_us - now_us) / SECOND_US / clock.speed, _ROUND_S_MIN), _ROUND_S_MAX)
