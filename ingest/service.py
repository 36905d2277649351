"""Everything that one ingest process runs: source, bridge, registry, states and the lock for ticks."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from city.clock import Clock
from city.integration import ORDERED_FORMATS
from city.registry import IngestRegistry
from ingest.births import BirthStore
from ingest.bridge import Bridge, BridgeOptions
from ingest.deaths import LifeKeeper
from ingest.division import Division, Split, settle
from ingest.drops import DropKeeper
from ingest.intake import Source
from ingest.links import LinkWatch
from ingest.message import OWN_FILTERS
from ingest.metrics import IngestMetrics
from ingest.outside import OutsideWatch
from ingest.presence import Presence
from ingest.registry import RegistryFollower
from ingest.shares import Shares, SharingSource
from ingest.state import StateStore
from ingest.tasks import pause, together
from ingest.ticker import TickLease
from storage.pool import Pool
from stream.log import EventLog

_LEASE_LOOK_S = 0.5
_LEAVE_S = 5.0
"""What was dealt to a process that stops is taken within this, or by the others later."""
_EMPTY_S = 600.0


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How ingest runs.

    Attributes
    ----------
    database_url : str
        For the lock that decides which process ticks; it gets a connection of its own.
    registry_poll_s : float
        How soon a new device becomes known.
    split : Split, optional
        Which gateways are ours, where processes divide them by name.
    gone_s : float
        A process that shares and has not listened for so long is gone: another takes what waits for it.
    """

    database_url: str
    registry_poll_s: float = 1.0
    bridge: BridgeOptions = field(default_factory=BridgeOptions)
    split: Split | None = None
    gone_s: float = 30.0


class Ingest:
    """The door of the city. `source` is a `MqttSource` or an `EmbeddedBroker`."""

    def __init__(
        self,
        source: Source,
        log: EventLog,
        pool: Pool,
        clock: Clock,
        options: IngestOptions,
        metrics: IngestMetrics | None = None,
    ) -> None:
        self._source = source
        self._pool = pool
        self._split = options.split
        self._division: Division | None = None
        self._metrics = metrics or IngestMetrics()
        self._registry = RegistryFollower(pool, poll_s=options.registry_poll_s, changed=self._listen)
        self._lease = TickLease(options.database_url)
        self._outside = OutsideWatch(pool, clock, self._lease.held)
        self._links = LinkWatch(pool, clock, self._lease.held)
        self._bridge = Bridge(
            source,
            log,
            self._registry.current,
            clock,
            options.bridge,
            self._metrics,
            may_tick=self._lease.held,
            outside_c=self._outside.now_c,
            links=self._links.due,
            states=StateStore(pool),
            births=BirthStore(pool),
        )
        self._log = log
        self._clock = clock
        self._options = options
        self._shares: Shares | None = None
        self._drops: DropKeeper | None = None
        if isinstance(source, SharingSource):
            self._drops = DropKeeper(pool, clock, source.broker, self._metrics, self._lease.held)
            held, gone_s = self._lease.held, options.gone_s
            self._shares = Shares(pool, source, self._metrics, self._empty, held, tell_s=gone_s / 10, patience_s=gone_s)
        self._life = LifeKeeper(pool, clock, source.life, self._lease.held)
        self._leads = False
        self._alone = options.split is None and not source.shares
        self.ready = asyncio.Event()
        """Set once the registry is read and messages are taken."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; the source goes last, so that what was appended is still acknowledged.

        Raises
        ------
        CityNerveError
            Not retriable: settings, a log without its topics, nothing imported yet.
        """
        presence: list[Coroutine[None, None, None]] = []
        if self._split is not None:
            self._division = await settle(self._pool, self._split)
            self._bridge.hears(self._division)
            others = Presence(self._pool, self._division, self._source, self._metrics)
            await others.look()
            presence.append(others.run(stop))
        if self._shares is not None:
            await self._shares.begin()
            presence.append(self._shares.run(stop))
        if self._drops is not None:
            presence.append(self._drops.run(stop))
        await self._registry.start()
        await self._life.start()
        drained = asyncio.Event()
        await together(
            self._source.run(drained),
            self._registry.run(stop),
            self._lease.run(stop),
            self._life.run(stop),
            self._outside.run(stop),
            self._links.run(stop),
            self._follow_lease(stop),
            self._bridge_then(stop, drained),
            *presence,
        )

    def _listen(self, known: IngestRegistry) -> None:
        """Listen to our own topics and to those of the city's integrations."""
        several, ordered = _foreign(known)
        filters, unwanted = [*OWN_FILTERS, *several], list[str]()
        if self._division is not None:
            filters, unwanted = self._division.filters(known.gateways, several)
        (filters if self._leads or self._alone else unwanted).extend(ordered)
        self._source.listen(filters, unwanted, ordered)

    async def _follow_lease(self, stop: asyncio.Event) -> None:
        """Let one process alone, the one that ticks, hear topics whose order matters."""
        while not stop.is_set():
            leads = await self._lease.held()
            if not leads and self._lease.away:
                # Whoever stopped listening now would leave these topics to nobody.
                leads = self._leads
            if leads != self._leads:
                self._leads = leads
                if not leads and not self._alone:
                    await self._bridge.forget_nodes()
                self._listen(self._registry.current())
            await pause(stop, _LEASE_LOOK_S)

    async def _bridge_then(self, stop: asyncio.Event, drained: asyncio.Event) -> None:
        self.ready.set()
        left = asyncio.Event()
        try:
            await together(self._bridge.run(left), self._leave(stop, left))
            if self._shares is not None:
                await self._shares.depart()
        finally:
            drained.set()

    async def _leave(self, stop: asyncio.Event, left: asyncio.Event) -> None:
        """Leave what is shared to the others before the bridge stops: what was dealt to us it still takes."""
        await stop.wait()
        if self._shares is not None:
            with _after(_LEAVE_S) as enough:
                await self._shares.leave(enough)
        left.set()

    async def _empty(self, gone: SharingSource, stop: asyncio.Event) -> bool:
        """Take what the broker holds for a process that is gone; return whether the log has all of it."""
        several, ordered = _foreign(self._registry.current())
        gone.listen([*OWN_FILTERS, *several, *ordered], [], ordered)
        states, births = StateStore(self._pool), BirthStore(self._pool)
        bridge = Bridge(
            gone, self._log, self._registry.current, self._clock, self._options.bridge, states=states, births=births
        )
        left, drained = asyncio.Event(), asyncio.Event()
        done = False

        async def take() -> None:
            nonlocal done
            try:
                await bridge.run(left)
                # A connection that was let go has left to the broker what the log did not take.
                done = done and gone.listening
            finally:
                drained.set()

        async def leave() -> None:
            nonlocal done
            with _after(_EMPTY_S) as enough:
                ended = asyncio.ensure_future(_then(stop, enough))
                done = await gone.withdraw(enough)
                ended.cancel()
            left.set()

        await together(gone.run(drained), take(), leave())
        return done


def _foreign(known: IngestRegistry) -> tuple[list[str], list[str]]:
    """Return the topics of integrations: those that may be divided, and those that tell nothing but in their order."""
    foreign: dict[str, None] = {}
    ordered: dict[str, None] = {}
    for integration in known.routes.integrations:
        kept = ordered if integration.format in ORDERED_FORMATS else foreign
        kept.update(dict.fromkeys(integration.filters))
    return [name for name in foreign if name not in ordered], list(ordered)


@contextmanager
def _after(seconds: float) -> Iterator[asyncio.Event]:
    """Give an event that is set after some time."""
    event = asyncio.Event()
    timer = asyncio.get_running_loop().call_later(seconds, event.set)
    try:
        yield event
    finally:
        timer.cancel()


async def _then(first: asyncio.Event, second: asyncio.Event) -> None:
    await first.wait()
    second.set()
