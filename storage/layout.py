"""Lays out readings and rollups: on TimescaleDB where its community edition is there, else on native partitions."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg
from psycopg import sql

from city.errors import SettingsError
from storage import queries
from storage.pool import Connection

logger = logging.getLogger(__name__)

_SHARED = queries.load(Path(__file__).with_name("layout.sql"))
_PLAIN = queries.load(Path(__file__).with_name("plain.sql"))
_TIMESCALE = queries.load(Path(__file__).with_name("timescale.sql"))


class LayoutEngine(StrEnum):
    """What holds the readings."""

    PLAIN = "plain"
    TIMESCALE = "timescale"


@dataclass(frozen=True, slots=True)
class Layout:
    """How the readings of this database are laid out.

    Attributes
    ----------
    timezone : str
        IANA name; days of the rollups begin at its midnight.
    hour_offset : timedelta
        Of the city's full hours to UTC's; 30 minutes in Kolkata.
    raw_since : datetime or None
        Retention has dropped the raw rows before; None if it never did.
    days_since : datetime or None
        From then on a partition holds a day, not a month, and retention drops nothing older: the city's days pass in
        minutes, and what was observed before it began is history that someone played. None: months, for ever.
    """

    engine: LayoutEngine
    timezone: str
    hour_offset: timedelta
    raw_since: datetime | None
    days_since: datetime | None = None


async def apply_layout(connection: Connection, timezone: str, days_since: datetime | None = None) -> Layout:
    """Create what is missing and return what stands; call it after the migrations, again has no effect.

    Parameters
    ----------
    days_since : datetime or None
        Midnight UTC, for the first call; what stands keeps its own.

    Raises
    ------
    SettingsError
        The time zone is unknown or another one than the rollups were cut by, or the readings lie in TimescaleDB and
        its community edition is no longer there.
    """
    hour_offset = _hour_offset(timezone)
    engine = await _detect(connection)
    async with connection.transaction():
        await connection.execute(_SHARED.lock)
        standing = await read_layout(connection)
        if standing is not None:
            _check(standing, engine, timezone)
            return standing
        if engine is LayoutEngine.TIMESCALE and hour_offset:
            logger.warning("time zone off the full hour, TimescaleDB is not used", extra={"timezone": timezone})
            engine = LayoutEngine.PLAIN
        await _create(connection, engine, timezone, by_day=days_since is not None)
        parameters = {
            "engine": engine.value,
            "timezone": timezone,
            "hour_offset": hour_offset,
            "days_since": days_since,
        }
        await connection.execute(_SHARED.save, parameters)
    return Layout(engine, timezone, hour_offset, None, days_since)


async def read_layout(connection: Connection) -> Layout | None:
    """Return the layout that stands, None if there is none yet."""
    row = await (await connection.execute(_SHARED.read)).fetchone()
    return None if row is None else Layout(LayoutEngine(row[0]), row[1], row[2], row[3], row[4])


def _hour_offset(timezone: str) -> timedelta:
    """Return by how much the zone's full hours are off UTC's; the same all year, or hours would overlap."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise SettingsError(f"{timezone!r} is no time zone: write an IANA name such as Europe/Madrid") from exc
    offsets = {
        (zone.utcoffset(datetime(2026, month, 1, tzinfo=UTC).astimezone(zone)) or timedelta()) % timedelta(hours=1)
        for month in range(1, 13)
    }
    if len(offsets) > 1:
        raise SettingsError(f"{timezone} shifts its clocks by parts of an hour: choose a zone that shifts full hours")
    # A full hour of the city begins this long after one of UTC.
    return -offsets.pop() % timedelta(hours=1)


async def _detect(connection: Connection) -> LayoutEngine:
    row = await (await connection.execute(_SHARED.extension)).fetchone()
    assert row is not None
    installed, installable = row
    if not installed:
        if not installable:
            return LayoutEngine.PLAIN
        try:
            async with connection.transaction():
                await connection.execute(_SHARED.lock)
                await connection.execute(_SHARED.create_extension)
        except psycopg.errors.InsufficientPrivilege:
            logger.warning("TimescaleDB is on the server but this role may not create it: ask for CREATE EXTENSION")
            return LayoutEngine.PLAIN
    licensed = await (await connection.execute(_SHARED.licence)).fetchone()
    if licensed is None or not licensed[0]:
        logger.warning("TimescaleDB without its community licence counts as absent")
        return LayoutEngine.PLAIN
    return LayoutEngine.TIMESCALE


def _check(standing: Layout, found: LayoutEngine, timezone: str) -> None:
    if standing.timezone != timezone:
        raise SettingsError(
            f"the days of the rollups were cut in {standing.timezone}, the city pack says {timezone}: set it back, or"
            " restore the readings into a new database"
        )
    if standing.engine is LayoutEngine.TIMESCALE and found is LayoutEngine.PLAIN:
        raise SettingsError(
            "the readings lie in TimescaleDB, but the server lacks it or its community licence: install timescaledb and"
            " set timescaledb.license = 'timescale'"
        )


async def _create(connection: Connection, engine: LayoutEngine, timezone: str, *, by_day: bool) -> None:
    if engine is LayoutEngine.TIMESCALE:
        statements = [
            _TIMESCALE.readings,
            _TIMESCALE.readings_hypertable,
            _TIMESCALE.readings_columnstore,
            _TIMESCALE.minute_rollup,
            _TIMESCALE.minute_hypertable,
            _TIMESCALE.hour_rollup,
            _TIMESCALE.day_rollup,
        ]
    else:
        hours = "hour_rollup_by_day" if by_day else "hour_rollup"
        names = ("readings", "minute_rollup", hours, "day_rollup", "partition_function")
        statements = [getattr(_PLAIN, name) for name in names]
    statements += [_SHARED.minutely, _SHARED.hourly, _SHARED.daily]
    for statement in statements:
        if "{timezone}" in statement:
            await connection.execute(sql.SQL(statement).format(timezone=sql.Literal(timezone)))
        else:
            await connection.execute(statement)
