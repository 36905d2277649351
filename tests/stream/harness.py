"""What the tests of the sinks share: records made by hand, and stages driven without a log."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from city.clock import HOUR_US, MINUTE_US, from_datetime, hour_of
from city.reading import Quality, Reading, ReadingBatch
from city.topics import READINGS
from storage.pool import Connection, Pool, open_pool, transaction
from stream import codec
from stream.codec import GatewayCount, NumberRange, RecordMeta, Replayed
from stream.log import Record, TopicPartition
from stream.worker import Stage

TIMEZONE = "Europe/Madrid"
NOON = 1_795_435_200_000_000
"""2026-11-23T12:00:00Z, a full hour."""
GATEWAYS = {1: "G-1", 2: "G-2", 3: "G-3"}

_SEED = """
INSERT INTO gateways (gateway_id) VALUES ('G-1'), ('G-2'), ('G-3');
INSERT INTO shards VALUES (0, 0);
INSERT INTO metrics VALUES ('active_power_w', 'W', -5, 5000);
INSERT INTO assets (asset_id, kind, name, root_id, correlation_group)
SELECT 'A-' || i, 'lamp', 'lamp', 'C-1', 'S-1' FROM generate_series(1, 8) AS i;
INSERT INTO devices (device_id, asset_id, gateway_id, profile_id, shard, report_interval_s, silence_intervals)
SELECT 'D-' || i, 'A-' || i, 'G-1', 'p', 0, CASE WHEN i <= 2 THEN 60 ELSE 900 END, 3 FROM generate_series(1, 8) AS i;
INSERT INTO series (device_id, metric) SELECT 'D-' || i, 'active_power_w' FROM generate_series(1, 8) AS i ORDER BY i;
"""


async def seed(connection: Connection) -> None:
    await connection.execute(_SEED)


@asynccontextmanager
async def opened(url: str, size: int = 4) -> AsyncIterator[Pool]:
    pool = await open_pool(url, size=size)
    try:
        yield pool
    finally:
        await pool.close()


def reading(
    series: int, minute: float, value: float, *, gateway: int = 1, received: float | None = None, base: int = NOON
) -> Reading:
    """One reading, observed `minute` minutes after `base` and received then too unless said otherwise."""
    observed = base + int(minute * MINUTE_US)
    received_at = observed if received is None else base + int(received * MINUTE_US)
    return Reading(series, gateway, observed, received_at, value, Quality.GOOD)


def batch_record(
    offset: int,
    readings: Sequence[Reading],
    *,
    partition: int = 0,
    replayed: Replayed | None = None,
    numbers: tuple[NumberRange, ...] = (),
) -> Record:
    counts: dict[tuple[str, int], int] = {}
    for r in readings:
        key = (GATEWAYS[r.gateway_id], hour_of(r.received_at))
        counts[key] = counts.get(key, 0) + 1
    meta = RecordMeta(tuple(GatewayCount(g, h, n) for (g, h), n in counts.items()), numbers, replayed)
    value = codec.encode_batch(ReadingBatch.of(list(readings)))
    return Record(READINGS, partition, offset, codec.BATCH, value, NOON, codec.encode(meta))


def tick_record(offset: int, *, partition: int = 0) -> Record:
    value = codec.encode(codec.Tick(NOON, 10_000_000))
    return Record(READINGS, partition, offset, codec.TICK, value, NOON)


async def drive(pool: Pool, stage: Stage[Any], *records: Record) -> None:
    """Write records as one poll of a worker would, in one transaction."""
    async with transaction(pool) as connection:
        await drive_within(connection, stage, *records)


async def drive_within(connection: Connection, stage: Stage[Any], *records: Record) -> None:
    by_source: dict[TopicPartition, list[Record]] = {}
    for record in records:
        by_source.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
    effects = {source: stage.step(None, some).effects for source, some in by_source.items()}
    await stage.write(connection, effects)


async def rows(pool: Pool, statement: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        return await (await connection.execute(statement, parameters)).fetchall()  # type: ignore[arg-type]


async def stored(pool: Pool) -> dict[tuple[int, int], float]:
    """All rows of `readings`: (series, observed_at µs) → value."""
    found = await rows(pool, "SELECT series_id, observed_at, value FROM readings")
    return {(series, from_datetime(at)): value for series, at, value in found}


HOUR = HOUR_US
