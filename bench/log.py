"""Records a second into and out of each engine of the log, 24 kB each, twelve a call, beside one record a call.

Both run on this machine, one broker or server each; PostgreSQL flushes every commit to disk, Kafka leaves that to
the replicas that a cluster would have.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.result import Result
from storage.embedded import EmbeddedPostgres
from storage.migrate import migrate
from stream.log import Append, EventLog
from stream.logs.kafka import open_kafka_log
from stream.logs.postgres import open_postgres_log
from tests.support.fix_kafka import make_kafka

PARTITIONS = 12
CALLS = 120
ROUNDS = 3
VALUE = os.urandom(24_000)


async def _rate(log: EventLog, calls: int, each: int) -> float:
    """Append `calls` times a record for each of `each` partitions; return records a second."""
    began = time.perf_counter()
    for call in range(calls):
        await log.append([Append("readings", (call + one) % PARTITIONS, "batch", VALUE, call) for one in range(each)])
    return calls * each / (time.perf_counter() - began)


async def _read_rate(log: EventLog, group: str) -> float:
    """Read everything as a new group; return records a second."""
    end = sum(bounds.end for bounds in (await log.bounds("readings")).values())
    consumer = await log.consumer(group, ["readings"])
    await consumer.poll()
    began = time.perf_counter()
    count = 0
    while count < end:
        count += sum(len(found) for found in (await consumer.poll()).records.values())
    rate = count / (time.perf_counter() - began)
    await consumer.close()
    return rate


async def _measure(name: str, log: EventLog) -> list[Result]:
    await log.create_topics({"readings": PARTITIONS})
    await _rate(log, 20, PARTITIONS)
    flushes, singles, latencies = [], [], []
    for _ in range(ROUNDS):
        flushes.append(await _rate(log, CALLS, PARTITIONS))
        singles.append(await _rate(log, CALLS, 1))
    for _ in range(100):
        began = time.perf_counter()
        await _rate(log, 1, PARTITIONS)
        latencies.append((time.perf_counter() - began) * 1000)
    reads = [await _read_rate(log, f"bench-{number}") for number in range(ROUNDS)]
    single = statistics.median(singles)
    return [
        Result(f"log.{name}.append", statistics.median(flushes), "records/s", "one record a call", single),
        Result(f"log.{name}.append_ms", statistics.median(latencies), "ms"),
        Result(f"log.{name}.read", statistics.median(reads), "records/s"),
    ]


@asynccontextmanager
async def _opened(opening: Awaitable[EventLog]) -> AsyncIterator[EventLog]:
    log = await opening
    try:
        yield log
    finally:
        await log.close()


def _run(name: str, opening: Callable[[], Awaitable[EventLog]]) -> list[Result]:
    async def main() -> list[Result]:
        async with _opened(opening()) as log:
            return await _measure(name, log)

    return asyncio.run(main())


def run() -> list[dict[str, Any]]:
    """Measure both engines on this machine."""
    with tempfile.TemporaryDirectory() as folder:
        with EmbeddedPostgres(Path(folder, "postgres")) as server:
            url = server.url
            migrate(url)
            results = _run("postgres", lambda: open_postgres_log(url))
        home = Path(folder, "kafka")
        home.mkdir()
        broker = make_kafka(home)
        broker.start()
        try:
            results += _run("kafka", lambda: open_kafka_log(broker.bootstrap))
        finally:
            broker.stop()
    return [result.plain() for result in results]
