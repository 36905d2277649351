"""Retention: old records go, but never the last word of the registry."""

import asyncio

from anomaly.detector import DetectStage
from city.clock import HOUR_US, ManualClock
from city.profile import parse_pack
from city.topics import PARTITIONS, READINGS
from stream import codec
from stream.codec import Tick
from stream.log import Append, TopicPartition
from stream.logs.postgres import open_postgres_log
from stream.publication import publish
from stream.registry import import_pack, load_roots
from stream.retention import keep_log, trim_all
from tests.city.packs import SMALL
from tests.stream.harness import opened

NOW = 1_795_435_200_000_000
KEEP = 24 * HOUR_US


def test_a_group_that_starts_after_retention_still_learns_the_whole_registry(database_url: str) -> None:
    async def main() -> None:
        async with opened(database_url) as pool:
            log = await open_postgres_log(pool)
            await log.create_topics(PARTITIONS)
            async with pool.connection() as connection:
                await import_pack(connection, parse_pack(SMALL), PARTITIONS[READINGS])
                roots = await load_roots(connection)
            await publish(pool, log, NOW)
            at = NOW
            for _ in range(12):
                at += 6 * HOUR_US
                ticks = [
                    Append(READINGS, p, codec.TICK, codec.encode(Tick(at, HOUR_US)), at)
                    for p in range(PARTITIONS[READINGS])
                ]
                await log.append(ticks)
                await trim_all(pool, log, at, KEEP)
            bounds = await log.bounds(READINGS)
            assert min(b.begin for b in bounds.values()) > 0
            devices: set[str] = set()
            for partition, (begin, _) in bounds.items():
                source = TopicPartition(READINGS, partition)
                stage = DetectStage(2)
                state = stage.open(source, None)
                stage.step(state, await log.read(source, begin))
                state.settle()
                devices |= set(state.device_ids)
            assert devices == {device.device_id for root in roots for device in root.devices}

    asyncio.run(main())


def test_the_registry_is_renewed_at_half_time_and_not_before(database_url: str) -> None:
    async def main() -> None:
        async with opened(database_url) as pool:
            log = await open_postgres_log(pool)
            await log.create_topics(PARTITIONS)
            async with pool.connection() as connection:
                await import_pack(connection, parse_pack(SMALL), PARTITIONS[READINGS])
            assert await publish(pool, log, NOW) == 2

            async def records() -> int:
                return sum(end for _, end in (await log.bounds(READINGS)).values())

            await trim_all(pool, log, NOW + 11 * HOUR_US, KEEP)
            assert await records() == 2
            await trim_all(pool, log, NOW + 13 * HOUR_US, KEEP)
            assert await records() == 4
            await trim_all(pool, log, NOW + 14 * HOUR_US, KEEP)
            assert await records() == 4

    asyncio.run(main())


def test_the_loop_trims_until_told_to_stop(database_url: str) -> None:
    async def main() -> None:
        async with opened(database_url) as pool:
            log = await open_postgres_log(pool)
            await log.create_topics(PARTITIONS)
            async with pool.connection() as connection:
                await import_pack(connection, parse_pack(SMALL), PARTITIONS[READINGS])
            await log.append([Append("alarms", 0, "alarm", b"old", NOW - 2 * KEEP)])
            stop = asyncio.Event()
            keeping = asyncio.create_task(keep_log(pool, log, ManualClock(NOW), 24, stop, every_s=0.01))
            async with asyncio.timeout(20):
                while (await log.bounds("alarms"))[0].begin == 0:  # noqa: ASYNC110 - the condition is in the database
                    await asyncio.sleep(0.01)
            stop.set()
            await keeping

    asyncio.run(main())
