"""Rows a second into `readings` through the sink, on one connection, beside what one would write first.

`new` are rows never seen before, `repeats` the same rows again. Both layouts where there is a TimescaleDB server.
"""

import asyncio
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import psycopg
from psycopg import sql

from bench.result import Result
from city.clock import HOUR_US, MINUTE_US, to_datetime
from city.reading import ReadingBatch
from storage.embedded import EmbeddedPostgres
from storage.layout import apply_layout
from storage.migrate import migrate
from storage.pool import Pool, open_pool, transaction
from stream import codec
from stream.codec import GatewayCount, RecordMeta
from stream.log import Record, TopicPartition
from stream.store import StoreStage

PARTITIONS = 12
ROWS_A_RECORD = 200
RECORDS_A_POLL = 480
POLLS = 8
SERIES = 24_000
START_US = 1_795_435_200_000_000

NAIVE = "INSERT INTO readings VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"


def _poll(number: int) -> list[Record]:
    """One poll as a city makes it: each partition holds a stretch of the series, in their order of reporting."""
    a_partition = SERIES // PARTITIONS
    records = []
    for index in range(RECORDS_A_POLL):
        partition, turn = index % PARTITIONS, index // PARTITIONS
        step = (number * (RECORDS_A_POLL // PARTITIONS) + turn) * ROWS_A_RECORD + np.arange(ROWS_A_RECORD)
        at = START_US + (step // a_partition) * 15 * MINUTE_US + (step % a_partition) * 450_000
        batch = ReadingBatch(
            (partition * a_partition + step % a_partition).astype(np.int32) + 1,
            np.full(ROWS_A_RECORD, partition + 1, np.int32),
            at.astype(np.int64),
            (at + 1_000_000).astype(np.int64),
            (step % 997).astype(np.float64),
            np.zeros(ROWS_A_RECORD, np.uint8),
        )
        hours, counts = np.unique(batch.received_at // HOUR_US * HOUR_US, return_counts=True)
        meta = RecordMeta(
            tuple(GatewayCount(f"G-{partition}", int(h), int(n)) for h, n in zip(hours, counts, strict=True))
        )
        offset = number * (RECORDS_A_POLL // PARTITIONS) + turn
        records.append(
            Record("readings", partition, offset, "batch", codec.encode_batch(batch), START_US, codec.encode(meta))
        )
    return records


async def _sink(pool: Pool, stage: StoreStage, records: list[Record]) -> None:
    by_source: dict[TopicPartition, list[Record]] = {}
    for record in records:
        by_source.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
    async with transaction(pool) as connection:
        await stage.write(connection, {source: stage.step(None, some).effects for source, some in by_source.items()})


async def _naive(pool: Pool, _: StoreStage, records: list[Record]) -> None:
    rows = []
    for record in records:
        batch = codec.decode_batch(record.value)
        rows += [
            (r.series_id, to_datetime(r.observed_at), to_datetime(r.received_at), r.value, int(r.quality))
            for r in batch.rows()
        ]
    async with transaction(pool) as connection, connection.cursor() as cursor:
        await cursor.executemany(NAIVE, rows)


Write = Callable[[Pool, StoreStage, list[Record]], Awaitable[None]]


async def _measure(url: str, write: Write, polls: int) -> tuple[float, float]:
    """Return rows a second, new and repeated, as medians over polls."""
    pool = await open_pool(url, size=1)
    try:
        async with transaction(pool) as connection:
            await apply_layout(connection, "Europe/Madrid")
            await connection.execute("INSERT INTO gateways (gateway_id) SELECT 'G-' || g FROM generate_series(0, 11) g")
            if write is _naive:
                await connection.execute(
                    "DO $$ BEGIN PERFORM ensure_readings_partition('readings', '2026-11-23');"
                    " EXCEPTION WHEN undefined_function THEN NULL; END $$"
                )
        stage = StoreStage()
        work = [_poll(number) for number in range(polls)]
        seconds: list[float] = []
        for records in [*work, *(_later(records, polls) for records in work)]:
            started = time.perf_counter()
            await write(pool, stage, records)
            seconds.append(time.perf_counter() - started)
    finally:
        await pool.close()
    rows = RECORDS_A_POLL * ROWS_A_RECORD
    return rows / statistics.median(seconds[:polls]), rows / statistics.median(seconds[polls:])


def _later(records: list[Record], polls: int) -> list[Record]:
    """Return the same readings under the offsets that follow."""
    shift = polls * RECORDS_A_POLL // PARTITIONS
    return [Record(r.topic, r.partition, r.offset + shift, r.kind, r.value, r.at_us, r.meta) for r in records]


@asynccontextmanager
async def _database(server: str) -> AsyncIterator[str]:
    name = f"bench_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        migrate(url)
        yield url
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


async def _compare(server: str, layout: str) -> list[dict[str, Any]]:
    async with _database(server) as url:
        new, repeats = await _measure(url, _sink, POLLS)
    async with _database(server) as url:
        naive_new, naive_repeats = await _measure(url, _naive, 1)
    peer = "executemany of INSERT … ON CONFLICT, pipelined"
    return [
        Result(f"store.rows_per_s.{kind}.{layout}", ours, "rows/s", peer, theirs).plain()
        for kind, ours, theirs in (("new", new, naive_new), ("repeats", repeats, naive_repeats))
    ]


def run() -> list[dict[str, Any]]:
    """Measure here; TimescaleDB only where CITYNERVE_TEST_TIMESCALE_URL names a server."""
    with (
        tempfile.TemporaryDirectory(prefix="citynerve-bench-") as folder,
        EmbeddedPostgres(Path(folder) / "postgres") as server,
    ):
        results = asyncio.run(_compare(server.url, "plain"))
    timescale = os.environ.get("CITYNERVE_TEST_TIMESCALE_URL")
    if timescale:
        results += asyncio.run(_compare(timescale, "timescale"))
    return results
