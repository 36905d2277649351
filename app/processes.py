"""One process of an installation: `citynerve run ROLE`, and the simulated city."""

import asyncio
import ctypes
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from app import kernels, wiring
from app.doors import check_broker
from app.metrics import registry_of, serve_metrics, watch_clock
from app.settings import Settings
from city import topics
from city.clock import DAY_US, Clock
from city.errors import SettingsError
from storage.pool import Pool
from stream.lag import LagWatch
from stream.log import EventLog
from stream.metrics import WorkerMetrics
from stream.worker import Stage, Worker, WorkerOptions

if TYPE_CHECKING:
    from incidents.store import Desk

logger = logging.getLogger(__name__)

FAULTS_AHEAD_US = 3 * 366 * DAY_US
"""The simulated city breaks down by itself for so long."""
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Parts:
    """What every role is built from."""

    settings: Settings
    pool: Pool
    log: EventLog
    clock: Clock
    metrics: CollectorRegistry
    worker_metrics: WorkerMetrics


async def ingest(parts: Parts, stop: asyncio.Event) -> None:
    """Take messages from the broker, embedded or not, into the log."""
    from app.access import open_access
    from ingest.division import Split
    from ingest.metrics import IngestMetrics
    from ingest.service import Ingest, IngestOptions

    settings = parts.settings
    metrics = IngestMetrics(parts.metrics)
    source, keepers = open_access(settings, parts.pool, parts.metrics, metrics)
    for keeper in keepers:
        # Who has a credential must not be turned away because we only just began; a broker elsewhere may be late.
        await keeper.begin()
    split = Split(settings.mqtt_split) if settings.mqtt_split and settings.mqtt_url else None
    options = IngestOptions(wiring.database_url(settings), split=split)
    service = Ingest(source, parts.log, parts.pool, parts.clock, options, metrics)
    await _together(stop, service.run, *(keeper.run for keeper in keepers))


async def store(parts: Parts, stop: asyncio.Event) -> None:
    """Write readings, rollups, ledger and dead letters, and keep the tables and the log in their limits."""
    from app.keeping import keeping_of
    from ingest.latecomers import Latecomers
    from observatory.keep import FigureKeeper
    from stream.clocks import ClockKeeper
    from stream.deadletter import DeadLetterStage
    from stream.ledger import LedgerStage
    from stream.metrics import StoreMetrics
    from stream.planned import keep_sending
    from stream.retention import keep_log
    from stream.rollups import RollupKeeper
    from stream.store import StoreStage

    keeping = keeping_of(parts.settings, parts.clock.speed)
    metrics = StoreMetrics(parts.metrics)
    readings = StoreStage(metrics)
    stages: list[Stage[Any]] = [readings, DeadLetterStage(parts.log.identity), LedgerStage()]
    await _together(
        stop,
        *_workers(parts, stages),
        RollupKeeper(parts.pool, parts.clock, keeping.rollups, metrics).run,
        FigureKeeper(parts.pool, parts.clock).run,
        ClockKeeper(parts.pool, parts.clock, readings.timing, metrics).run,
        lambda stop: keep_sending(parts.pool, parts.log, stop),
        Latecomers(parts.pool, parts.log, parts.clock).run,
        lambda stop: keep_log(parts.pool, parts.log, parts.clock, keeping.log_h, stop, letters_h=keeping.letters_h),
    )


async def detect(parts: Parts, stop: asyncio.Event) -> None:
    """Turn readings into candidates and candidates into alarms."""
    from anomaly.correlate import CorrelateStage
    from anomaly.detector import DetectStage
    from anomaly.metrics import CorrelateMetrics, DetectMetrics

    readings = await parts.log.partitions(topics.READINGS)
    candidates = await parts.log.partitions(topics.CANDIDATES)
    alarms = await parts.log.partitions(topics.ALARMS)
    stages: list[Stage[Any]] = [
        DetectStage(candidates, DetectMetrics(parts.metrics)),
        CorrelateStage(readings, alarms, CorrelateMetrics(parts.metrics), candidate_partitions=candidates),
    ]
    await _together(stop, *_workers(parts, stages))


async def desk(parts: Parts, stop: asyncio.Event) -> None:
    """Turn alarms into tickets, and tell of every change on the log."""
    from incidents import outbox
    from incidents.metrics import DeskMetrics
    from incidents.stage import DeskStage
    from incidents.watch import DeskWatch

    service = await _desk(parts)
    metrics = DeskMetrics(parts.metrics)
    await _together(
        stop,
        *_workers(parts, [DeskStage(service, metrics)]),
        DeskWatch(parts.pool, metrics).run,
        lambda stop: outbox.publish(parts.pool, parts.log, stop, metrics=metrics),
        lambda stop: outbox.verify(parts.pool, service, stop),
    )


async def api(parts: Parts, stop: asyncio.Event) -> None:
    """Serve the API and the pages, and take messages over HTTPS."""
    from app.web import serve
    from app.webhook import open_webhook
    from portals_api.meter import ApiMetrics

    partitions = await parts.log.partitions(topics.TICKETS)
    webhook, beside = open_webhook(parts.pool, parts.log, parts.clock, parts.metrics)
    metrics = ApiMetrics(parts.metrics)

    async def pages(stop: asyncio.Event) -> None:
        await serve(parts.settings, parts.pool, parts.log, parts.clock, partitions, stop, metrics, webhook)
        stop.set()

    await _together(stop, pages, *beside)


ROLES: dict[str, Callable[[Parts, asyncio.Event], Coroutine[Any, Any, None]]] = {
    "ingest": ingest,
    "store": store,
    "detect": detect,
    "desk": desk,
    "api": api,
}


def run_role(role: str, settings: Settings) -> None:
    """Run one role until SIGTERM or SIGINT.

    Raises
    ------
    SettingsError
        No such role, or it cannot run as it is configured.
    """
    if role not in ROLES:
        raise SettingsError(f"there is no process {role!r}: say one of {', '.join(ROLES)}")
    _die_with_supervisor()
    if role == "ingest" and settings.mqtt_url is None:
        check_broker(settings)
    if role == "ingest":
        kernels.warm(settings.data, "ingest")
    if role == "detect":
        kernels.warm(settings.data, "anomaly")
    asyncio.run(_run(role, settings))


def run_sim(settings: Settings, labels: Path | None = None) -> None:
    """Play the simulated city until SIGTERM or SIGINT; without an installation on a clock of its own, and no people.

    Parameters
    ----------
    labels : Path or None
        Where to write the planted faults before anything is played, for who judges detection by them.

    Raises
    ------
    SettingsError
        The city is a real one, or there is nowhere to write to.
    """
    from app.keeping import resend_s_of
    from app.life import simulated_life
    from app.setup import free_clock
    from sim.demonstration import demonstration_faults
    from sim.faults import read_labels, write_labels
    from sim.metrics import SimMetrics
    from sim.publish import FleetOptions
    from sim.realism import REALISMS
    from sim.run import RunOptions, run_simulation
    from stream.packs import read_pack

    _die_with_supervisor()
    pack = read_pack(settings.city)
    if not pack.simulated:
        raise SettingsError(f"{pack.name} is a real city: its lamps speak for themselves")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    metrics = registry_of("sim")
    serve_metrics(settings, metrics)
    clock = asyncio.run(_read_clock(settings)) if settings.database_url else free_clock(pack, settings.speed)
    watch_clock(metrics, clock)
    url = settings.mqtt_url or settings.house_broker_url
    folder = Path(settings.data).expanduser().absolute() / "sim"
    folder.mkdir(parents=True, exist_ok=True)
    fleet = FleetOptions(
        url, resend_s=resend_s_of(settings, clock.speed), keep=settings.sim_keep, ca_file=str(settings.mqtt_ca or "")
    )
    realism = REALISMS[settings.sim_realism]
    options = RunOptions(fleet, settings.seed, folder / "outbox.sqlite", realism=realism)
    if settings.faults is None:
        now_us = clock.now_us()
        faults = demonstration_faults(pack, settings.seed, now_us, now_us + FAULTS_AHEAD_US)
    else:
        faults = read_labels(settings.faults, pack)
    if labels is not None:
        try:
            write_labels(labels, faults)
        except OSError as exc:
            raise SettingsError(
                f"{labels} cannot be written ({exc.strerror}): name a file in a folder of yours"
            ) from exc
    if settings.database_url is None:
        settings = settings.model_copy(update={"sim_people": False})
    with simulated_life(settings, folder, pack, clock, faults, stop) as repairs:
        run_simulation(pack, clock, options, repairs.faults(), stop, repairs=repairs, metrics=SimMetrics(metrics))


async def _run(role: str, settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    metrics = registry_of(role)
    serve_metrics(settings, metrics)
    url, patience_s = wiring.database_url(settings), wiring.START_PATIENCE_S
    async with wiring.pool(url, 8, patience_s) as pool, wiring.log(settings, pool, patience_s) as log:
        clock = await wiring.clock(pool)
        logger.info("started", extra={"log": type(log).__name__, "clock_speed": clock.speed})
        watch_clock(metrics, clock)
        await ROLES[role](Parts(settings, pool, log, clock, metrics, WorkerMetrics(metrics)), stop)
    logger.info("stopped")


async def _read_clock(settings: Settings) -> Clock:
    async with wiring.pool(wiring.database_url(settings), 1, wiring.START_PATIENCE_S) as pool:
        return await wiring.clock(pool)


def _workers(parts: Parts, stages: Sequence[Stage[Any]]) -> list[Callable[[asyncio.Event], Awaitable[None]]]:
    """Return what runs a worker for each stage, and what watches how far they are behind."""
    options = WorkerOptions(checkpoint_every_s=parts.settings.checkpoint_s)
    workers = [Worker(stage, parts.log, parts.pool, options, parts.worker_metrics) for stage in stages]
    watch = LagWatch(workers, parts.log, parts.clock, parts.worker_metrics)
    return [*(worker.run for worker in workers), watch.run]


async def _desk(parts: Parts) -> "Desk":
    from incidents.categories import Catalogue
    from incidents.evidence import DeskOptions
    from incidents.store import Desk
    from stream.registry import load_categories

    async with parts.pool.connection() as connection:
        catalogue = Catalogue.of(await load_categories(connection))
    partitions = await parts.log.partitions(topics.TICKETS)
    return Desk(parts.clock, DeskOptions(catalogue=catalogue), ticket_partitions=partitions)


async def _together(stop: asyncio.Event, *tasks: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run tasks side by side; when one fails, stop the others and raise its error as it is."""
    running = [asyncio.ensure_future(task(stop)) for task in tasks]
    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
    stop.set()
    await asyncio.gather(*running, return_exceptions=True)
    for task in done:
        task.result()


def _die_with_supervisor() -> None:
    """Ask the kernel to end us when `up` dies, however it dies: a process without it would hold ports and leases.

    SIGKILL, because the database dies with `up` too and there is nobody left to say farewell to.
    """
    supervisor = os.environ.get("CITYNERVE_SUPERVISOR")
    if supervisor is None:
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(supervisor):
        raise SettingsError("the process that started this one is gone")
