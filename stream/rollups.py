"""Keeps the rollups true to the raw rows, drops what is past retention and compresses what no back-log will reach."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString, NamedTuple
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql

from city.clock import DAY_US, Clock, to_datetime
from city.errors import EngineError, SettingsError
from storage import queries
from storage.layout import Layout, LayoutEngine, read_layout
from storage.pool import Connection, Pool, engine_errors
from stream.metrics import StoreMetrics
from stream.waiting import WaitingMarks

logger = logging.getLogger(__name__)

_SQL = queries.load(Path(__file__).with_name("rollups.sql"))
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_HOURS_OUTLIVE_RAW = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class RollupOptions:
    """How often rollups follow, and how long raw rows stay as they are.

    Attributes
    ----------
    raw_retention_days : int or None
        Raw rows observed longer ago are dropped once their rollups are done; None keeps them for ever.
    hour_retention_days : int or None
        Hours, and minutes, observed longer ago are dropped where partitions hold days; None keeps them for ever. They
        stay two days longer than the raw rows in any case: days are made of hours.
    backlog_horizon_days : int
        Back-logs are expected to reach back so far; nothing younger is compressed.
    marks_max : int
        Marks of touched buckets taken in one transaction.
    """

    refresh_every_s: float = 5.0
    maintain_every_s: float = 600.0
    raw_retention_days: int | None = None
    hour_retention_days: int | None = None
    backlog_horizon_days: int = 30
    marks_max: int = 20_000

    def __post_init__(self) -> None:
        if self.raw_retention_days is not None and self.raw_retention_days < max(1, self.backlog_horizon_days):
            raise SettingsError(
                f"raw rows kept for {self.raw_retention_days} days would be dropped before back-logs of"
                f" {self.backlog_horizon_days} days have come: keep them longer, or expect shorter back-logs"
            )


class Mark(NamedTuple):
    """A touched bucket: a block of series and the start of an hour."""

    block: int
    hour: datetime


class Span(NamedTuple):
    """Touched time of one block of series, [since, until)."""

    block: int
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Maintenance:
    """What one round of maintenance did, by the names of partitions or chunks."""

    dropped: tuple[str, ...] = ()
    compressed: tuple[str, ...] = ()


def hour_spans(marks: Iterable[Mark]) -> list[Span]:
    """Join hours of one block that follow each other."""
    return _joined((Span(mark.block, mark.hour, mark.hour + _HOUR) for mark in marks), timedelta())


def day_spans(spans: Iterable[Span], timezone: str) -> list[Span]:
    """Widen spans to whole days of the city and join them."""
    zone = ZoneInfo(timezone)
    widened = (
        Span(
            span.block,
            _midnight(span.since, zone, 0),
            _midnight(span.until - timedelta(microseconds=1), zone, 1),
        )
        for span in spans
    )
    return _joined(widened, timedelta())


def windows(spans: Iterable[Span]) -> list[Span]:
    """Join the spans of all blocks, and what lies less than a day apart: nothing is recomputed between them."""
    return _joined((Span(0, span.since, span.until) for span in spans), _DAY)


def _midnight(at: datetime, zone: ZoneInfo, days: int) -> datetime:
    local = at.astimezone(zone).date() + timedelta(days=days)
    return datetime(local.year, local.month, local.day, tzinfo=zone).astimezone(UTC)


def _joined(spans: Iterable[Span], gap: timedelta) -> list[Span]:
    joined: list[Span] = []
    for span in sorted(spans):
        last = joined[-1] if joined else None
        if last is not None and last.block == span.block and span.since <= last.until + gap:
            joined[-1] = last._replace(until=max(last.until, span.until))
        else:
            joined.append(span)
    return joined


async def refresh(pool: Pool, options: RollupOptions | None = None) -> int:
    """Recompute every touched bucket, hours before days; return how many buckets there were.

    0 also when another process is at it.
    """
    limit = (options or RollupOptions()).marks_max
    done = 0
    with engine_errors():
        async with _alone(pool) as connection:
            if connection is None:
                return 0
            layout = await _layout(connection)
            one_round = _refresh_plain if layout.engine is LayoutEngine.PLAIN else _refresh_timescale
            while count := await one_round(connection, layout, limit):
                done += count
    return done


async def _refresh_plain(connection: Connection, layout: Layout, limit: int) -> int:
    async with connection.transaction():
        marks = [Mark(*row) for row in await _rows(connection, _SQL.take_marks, {"limit": limit})]
        if marks:
            hours = hour_spans(marks)
            by_day = layout.days_since is not None
            parents = ["readings_minute_rollup", *(["readings_hour_rollup"] if by_day else [])]
            parts = {**_columns(hours), "parents": parents, "unit": "day" if by_day else "month"}
            await connection.execute(_SQL.ensure_rollup_partitions, parts)
            await connection.execute(_SQL.refresh_minutes, _columns(hours), prepare=False)
            parameters = {**_columns(hours), "hour_offset": layout.hour_offset}
            await connection.execute(_SQL.refresh_hours, parameters, prepare=False)
            days = {**_columns(day_spans(hours, layout.timezone)), "timezone": layout.timezone}
            await connection.execute(_SQL.refresh_days, days, prepare=False)
            await connection.execute(_SQL.mark_refreshed, {"hours": sorted({mark.hour for mark in marks})})
    return len(marks)


async def _refresh_timescale(connection: Connection, layout: Layout, limit: int) -> int:
    rows = await _rows(connection, _SQL.read_marks, {"limit": limit})
    if rows:
        hours = hour_spans({Mark(block, hour) for _, block, hour in rows})
        await connection.execute(_SQL.refresh_minutes, _columns(hours), prepare=False)
        for span in windows(hours):
            await connection.execute(_SQL.refresh_hour_aggregate, {"since": span.since, "until": span.until})
        for span in windows(day_spans(hours, layout.timezone)):
            await connection.execute(_SQL.refresh_day_aggregate, {"since": span.since, "until": span.until})
        async with connection.transaction():
            await connection.execute(_SQL.mark_refreshed, {"hours": sorted({hour for _, _, hour in rows})})
            await connection.execute(_SQL.delete_marks, {"mark_ids": [mark_id for mark_id, _, _ in rows]})
    return len(rows)


async def maintain(pool: Pool, options: RollupOptions, now_us: int) -> Maintenance:
    """Drop raw rows past retention whose rollups are done, and compress what lies behind the horizon of back-logs.

    Parameters
    ----------
    now_us : int
        City time, µs UTC.
    """
    with engine_errors():
        async with _alone(pool) as connection:
            if connection is None:
                return Maintenance()
            layout = await _layout(connection)
            dropped: tuple[str, ...] = ()
            compressed: tuple[str, ...] = ()
            if options.raw_retention_days is not None:
                dropped = await _drop(connection, to_datetime(now_us - options.raw_retention_days * DAY_US))
            if options.hour_retention_days is not None and layout.days_since is not None:
                dropped += await _drop_rollups(connection, to_datetime(now_us - options.hour_retention_days * DAY_US))
            await connection.execute(_SQL.join_marks_beyond_retention)
            if layout.engine is LayoutEngine.TIMESCALE:
                compressed = await _compress(connection, to_datetime(now_us - options.backlog_horizon_days * DAY_US))
    if dropped or compressed:
        logger.info("maintained readings", extra={"dropped": len(dropped), "compressed": len(compressed)})
    return Maintenance(dropped, compressed)


async def _drop(connection: Connection, horizon: datetime) -> tuple[str, ...]:
    """Drop from the oldest on, and stop where rollups are still to be done: nothing may refresh behind what went."""
    dropped: list[str] = []
    try:
        while name := await _drop_oldest(connection, horizon):
            dropped.append(name)
    except psycopg.errors.LockNotAvailable:
        logger.info("readers are in the way of retention, trying again later", extra={"dropped": len(dropped)})
    return tuple(dropped)


async def _drop_oldest(connection: Connection, horizon: datetime) -> str | None:
    """Drop one partition or chunk in a transaction of its own, which holds as few locks as can be."""
    async with connection.transaction():
        await connection.execute(_SQL.stop_sinks)
        await connection.execute(_SQL.wait_briefly)
        layout = await _layout(connection)
        plain = layout.engine is LayoutEngine.PLAIN
        parameters = {"horizon": horizon, "parent": "readings"}
        old = await _rows(connection, _SQL.plain_old if plain else _SQL.timescale_old, parameters)
        for name, start, end, pending in old:
            if pending and layout.raw_since is not None and end <= layout.raw_since:
                continue  # came after its bucket was closed: no rollup holds it, so it stays
            if pending:
                return None
            if plain:
                await connection.execute(sql.SQL(_SQL.drop_partition).format(partition=sql.SQL(name)))
            else:
                await connection.execute(_SQL.drop_chunks, {"range_start": start, "range_end": end})
            await connection.execute(_SQL.raise_raw_since, {"raw_since": end})
            return str(name)
    return None


async def _drop_rollups(connection: Connection, horizon: datetime) -> tuple[str, ...]:
    """Drop days of hours and minutes that no refresh will touch again: whatever it recomputes is younger."""
    layout = await _layout(connection)
    if layout.engine is not LayoutEngine.PLAIN or layout.raw_since is None:
        return ()
    dropped: list[str] = []
    for parent in ("readings_hour_rollup", "readings_minute_rollup"):
        parameters = {"horizon": min(horizon, layout.raw_since - _HOURS_OUTLIVE_RAW), "parent": parent}
        for name, *_ in await _rows(connection, _SQL.plain_old, parameters):
            try:
                async with connection.transaction():
                    await connection.execute(_SQL.wait_briefly)
                    await connection.execute(sql.SQL(_SQL.drop_partition).format(partition=sql.SQL(name)))
            except psycopg.errors.LockNotAvailable:
                logger.info("readers are in the way of retention, trying again later", extra={"partition": name})
            else:
                dropped.append(name)
    return tuple(dropped)


async def _compress(connection: Connection, horizon: datetime) -> tuple[str, ...]:
    compressed: list[str] = []
    for (chunk,) in await _rows(connection, _SQL.compressible, {"horizon": horizon, "limit": 100}):
        try:
            async with connection.transaction():
                await connection.execute(_SQL.wait_briefly)
                await connection.execute(_SQL.compress, {"chunk": chunk})
        except psycopg.errors.LockNotAvailable:
            logger.info("readers are in the way of compression, trying again later", extra={"chunk": chunk})
        else:
            compressed.append(chunk)
    return tuple(compressed)


class RollupKeeper:
    """The loop of the store process that keeps rollups, retention and compression."""

    def __init__(
        self, pool: Pool, clock: Clock, options: RollupOptions | None = None, metrics: StoreMetrics | None = None
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._options = options or RollupOptions()
        self._metrics = metrics or StoreMetrics()
        self._waiting = WaitingMarks(pool, clock, self._metrics)

    async def run(self, stop: asyncio.Event) -> None:
        """Refresh and maintain until `stop` is set; a database that is away is waited for."""
        loop = asyncio.get_running_loop()
        next_maintenance = loop.time()
        while not stop.is_set():
            started = loop.time()
            try:
                await self._waiting.look()
                await refresh(self._pool, self._options)
                if loop.time() >= next_maintenance:
                    await maintain(self._pool, self._options, self._clock.now_us())
                    next_maintenance = loop.time() + self._options.maintain_every_s
            except EngineError as exc:
                self._metrics.refresh_failures.inc()
                logger.warning("rollups wait for the database", extra={"reason": str(exc)})
            # A large city's refresh takes its time: leave the database to others for most of it.
            pause = max(self._options.refresh_every_s, 4 * (loop.time() - started))
            try:
                await asyncio.wait_for(stop.wait(), pause)
            except TimeoutError:
                continue


@asynccontextmanager
async def _alone(pool: Pool) -> AsyncIterator[Connection | None]:
    """Give a connection that alone refreshes and maintains; None while another one does."""
    async with pool.connection() as connection:
        row = await (await connection.execute(_SQL.refresh_alone)).fetchone()
        if row is None or not row[0]:
            yield None
            return
        try:
            yield connection
        finally:
            if not connection.closed:
                await connection.execute(_SQL.refresh_done)


async def _layout(connection: Connection) -> Layout:
    layout = await read_layout(connection)
    if layout is None:
        raise SettingsError("the readings have no table yet: run `citynerve up` or `citynerve migrate` first")
    return layout


async def _rows(connection: Connection, statement: LiteralString, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    return await (await connection.execute(statement, parameters, prepare=False)).fetchall()


def _columns(spans: Sequence[Span]) -> dict[str, Any]:
    return {
        "blocks": [span.block for span in spans],
        "since": [span.since for span in spans],
        "until": [span.until for span in spans],
        "earliest": min(span.since for span in spans),
        "latest": max(span.until for span in spans),
    }
