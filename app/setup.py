"""What happens once before the processes of an installation start: schema, registry, clock, topics."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from app import wiring
from app.settings import Settings
from city import topics
from city.clock import DAY_US, MINUTE_US, Clock, ScaledClock, SystemClock, isoformat, to_datetime
from city.errors import SettingsError
from city.lighting import LightingSchedule
from city.pack import CityPack
from ingest.credentials import store
from ingest.credentials.store import Change
from storage.layout import apply_layout
from storage.migrate import migrate
from storage.pool import Connection, Pool, transaction
from stream import installation, publication, registry
from stream.log import EventLog, TopicPartition
from stream.packs import read_pack

logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
_STEPS = 6
BEFORE_DUSK_US = 10 * MINUTE_US
"""A scaled city starts this long before its clocks switch, and the first streets come on: someone is watching."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What `up` tells about the installation."""

    city: str
    simulated: bool
    lamps: int
    facilities: int
    clock_told: str


async def prepare(
    settings: Settings, database_url: str, progress: Progress = lambda told, done, total: None
) -> Prepared:
    """Bring database, log, registry and clock into a state in which every process may start. May be repeated.

    Parameters
    ----------
    progress : function of str, int, int
        Told before each step: what it is, how many are done, of how many.

    Raises
    ------
    SettingsError
        Mistakes in the city pack, or a database of another city.
    EngineError
        A server does not answer.
    """
    progress("reading the city pack", 0, _STEPS)
    pack = read_pack(settings.city)
    progress("waiting for the database", 1, _STEPS)
    async with wiring.pool(database_url, patience_s=wiring.START_PATIENCE_S) as pool:
        progress("laying out tables", 2, _STEPS)
        migrate(database_url)
        progress("waiting for the log", 3, _STEPS)
        async with wiring.log(settings, pool, wiring.START_PATIENCE_S) as log:
            partitions = {**topics.PARTITIONS, topics.READINGS: settings.reading_partitions}
            await log.create_topics(partitions)
            clock = await _set_clock(settings, pool, pack, log)
            async with pool.connection() as connection:
                began_us = clock.now_us()
                days_since = to_datetime(began_us - began_us % DAY_US) if clock.speed > 1 else None
                await apply_layout(connection, pack.timezone, days_since)
            progress("importing lamps and devices", 4, _STEPS)
            async with transaction(pool) as connection:
                partitions_of_readings = await log.partitions(topics.READINGS)
                await registry.import_pack(connection, pack, partitions_of_readings, at_us=began_us)
                await _end_access(connection)
            progress("telling the log of them", 5, _STEPS)
            await publication.publish(pool, log, began_us)
            # A large city takes its time until here, which at a thousand times the clock's speed would be its evening.
            async with transaction(pool) as connection:
                clock = await installation.resume_clock(
                    connection, last_city_us=await _last_known(log), real_us=SystemClock().now_us()
                )
    progress("prepared", _STEPS, _STEPS)
    told = f"city time {isoformat(clock.now_us())[:16].replace('T', ' ')} UTC"
    if clock.speed != 1:
        told += f", {clock.speed:g} times as fast as the clock"
    return Prepared(pack.name, pack.simulated, len(pack.lamps), len(pack.facilities), told)


async def _end_access(connection: Connection) -> None:
    """Let no gateway that the pack has left out keep its credentials, in the transaction that retires it."""
    change = Change("pack", SystemClock().now_us())
    ended = await store.revoke_retired(connection, change, "the city pack no longer names the gateway")
    if ended:
        logger.warning("credentials of gateways that the city pack no longer names are revoked", extra={"count": ended})


def free_clock(pack: CityPack, speed: float) -> Clock:
    """Return a clock that no installation shares: the machine's, or a faster one that begins before the first dusk."""
    real_us = SystemClock().now_us()
    return SystemClock() if speed == 1 else ScaledClock(_first_dusk(pack, real_us), real_us, speed)


async def _set_clock(settings: Settings, pool: Pool, pack: CityPack, log: EventLog) -> Clock:
    """Start the city clock at its first dusk, or let it go on from the last moment that the log knows."""
    real_us = SystemClock().now_us()
    scaled = pack.simulated and settings.speed != 1
    async with transaction(pool) as connection:
        await installation.ensure_installation(
            connection,
            city=pack.name,
            timezone=pack.timezone,
            simulated=pack.simulated,
            speed=settings.speed if scaled else 1.0,
            city_us=_first_dusk(pack, real_us) if scaled else None,
            real_us=real_us if scaled else None,
        )
        clock = await installation.resume_clock(
            connection,
            last_city_us=await _last_known(log),
            real_us=real_us,
            speed=settings.speed if pack.simulated else None,
        )
    if scaled and not isinstance(clock, ScaledClock):
        raise SettingsError(
            "this installation runs on the machine's clock: start it with SPEED=1, or choose a new folder with DATA=…"
        )
    return clock


def _first_dusk(pack: CityPack, real_us: int) -> int:
    schedule: LightingSchedule | None = next(iter(pack.schedules.values()), None)
    noon = datetime.fromtimestamp(real_us / 1e6, UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    noon_us = int(noon.timestamp()) * 1_000_000
    dusk = schedule.next_on(noon_us) if schedule else None
    return (dusk or noon_us) - BEFORE_DUSK_US


async def _last_known(log: EventLog) -> int | None:
    """Return the latest city time on the log."""
    latest: list[int] = []
    for partition, (begin, end) in (await log.bounds(topics.READINGS)).items():
        if end > begin:
            (record,) = await log.read(TopicPartition(topics.READINGS, partition), end - 1, max_records=1)
            latest.append(record.at_us)
    return max(latest, default=None)
