import asyncio

import psycopg
import pytest

from city.errors import EngineError, LogFullError
from storage.pool import open_pool
from stream.log import Append, Bounds, TopicPartition
from stream.logs.postgres import open_postgres_log
from stream.logs.postgres_rows import PostgresLogOptions

ONE = TopicPartition("readings", 0)


def some(count: int, size: int = 1, partition: int = 0) -> list[Append]:
    return [Append("readings", partition, "batch", bytes(size), number) for number in range(count)]


def test_full_log_refuses_loudly_appends_nothing_and_takes_again_once_trimmed(database_url: str) -> None:
    async def main() -> None:
        log = await open_postgres_log(database_url, PostgresLogOptions(max_bytes=10_000))
        await log.create_topics({"readings": 2})
        await log.append(some(9, 1000))
        for _ in range(2):
            with pytest.raises(LogFullError, match="size limit"):
                await log.append(some(1, 1000) + some(1, 1000, 1))
        assert await log.bounds("readings") == {0: Bounds(0, 9), 1: Bounds(0, 0)}
        await log.trim("readings", 5)
        assert await log.append(some(1, 1000) + some(1, 1000, 1)) == [9, 0]
        await log.trim("readings", 1 << 60)
        with psycopg.connect(database_url) as connection:
            assert connection.execute("SELECT sum(bytes) FROM log_heads").fetchone() == (0,)
            assert connection.execute("SELECT count(*) FROM log_records").fetchone() == (0,)
        await log.close()

    asyncio.run(main())


def test_a_log_full_of_readings_still_takes_what_stages_make_of_them(database_url: str) -> None:
    """Else the stage that cannot append never commits, nothing is ever trimmed, and the log stays full for good."""

    async def main() -> None:
        log = await open_postgres_log(database_url, PostgresLogOptions(max_bytes=10_000))
        await log.create_topics({"readings": 1, "candidates": 1})
        await log.append(some(9, 1000))
        with pytest.raises(LogFullError):
            await log.append(some(1, 500))
        assert await log.append([Append("candidates", 0, "candidates", bytes(500), 0)]) == [0]
        with pytest.raises(LogFullError):
            await log.append([Append("candidates", 0, "candidates", bytes(1000), 0)])
        await log.close()

    asyncio.run(main())


def test_trim_goes_on_over_many_short_transactions(database_url: str) -> None:
    async def main() -> None:
        log = await open_postgres_log(database_url)
        await log.create_topics({"readings": 1})
        await log.append(some(2500))
        assert await log.trim("readings", 2400) == {0: 2400}
        await log.close()

    asyncio.run(main())


def test_poll_is_bounded_in_bytes_and_no_partition_starves(database_url: str) -> None:
    async def main() -> None:
        log = await open_postgres_log(database_url, PostgresLogOptions(fetch_bytes_max=5000))
        await log.create_topics({"readings": 3})
        await log.append([record for partition in range(3) for record in some(40, 1000, partition)])
        consumer = await log.consumer("g", ["readings"])
        await consumer.poll()
        seen: set[TopicPartition] = set()
        for _ in range(3):
            records = (await consumer.poll()).records
            assert 1 <= sum(len(found) for found in records.values()) <= 6
            seen |= records.keys()
        assert len(seen) == 3
        await consumer.close()
        await log.close()

    asyncio.run(main())


def test_record_larger_than_a_poll_may_bring_comes_alone(database_url: str) -> None:
    async def main() -> None:
        log = await open_postgres_log(database_url, PostgresLogOptions(fetch_bytes_max=100))
        await log.create_topics({"readings": 1})
        await log.append(some(2, 1000))
        assert [len(record.value) for record in await log.read(ONE, 0)] == [1000]
        await log.close()

    asyncio.run(main())


def test_two_logs_have_two_identities_and_a_given_pool_stays_open(database_url: str, make_database: object) -> None:
    async def main() -> None:
        assert callable(make_database)
        pool = await open_pool(database_url)
        log = await open_postgres_log(pool)
        other = await open_postgres_log(make_database())
        assert log.identity != other.identity
        await log.close()
        await log.ping()
        await other.close()
        await pool.close()

    asyncio.run(main())


def test_member_that_lives_but_no_longer_polls_loses_its_partitions(database_url: str) -> None:
    async def main() -> None:
        options = PostgresLogOptions(session_timeout_s=0.6, poll_gap_s_max=0.2)
        log = await open_postgres_log(database_url, options)
        await log.create_topics({"readings": 1})
        stuck = await log.consumer("g", ["readings"])
        assert (await stuck.poll()).assignment == {ONE}
        other = await log.consumer("g", ["readings"])
        async with asyncio.timeout(20):
            while (await other.poll()).assignment != {ONE}:
                pass
        again = await stuck.poll()
        assert again.generation > 1
        await stuck.close()
        await other.close()
        await log.close()

    asyncio.run(main())


def test_connection_that_the_server_cuts_fails_the_call_and_not_the_next_one(database_url: str) -> None:
    async def main() -> None:
        log = await open_postgres_log(database_url, PostgresLogOptions(pool_size=1))
        await log.create_topics({"readings": 1})
        await log.append(some(1))
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("BEGIN; SELECT FROM log_heads FOR UPDATE")
            waiting = asyncio.create_task(log.append(some(1)))
            await asyncio.sleep(0.2)
            with psycopg.connect(database_url, autocommit=True) as killer:
                killer.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                    " AND datname = current_database()"
                )
            with pytest.raises(EngineError):
                await waiting
        assert await log.append(some(1)) == [1]
        await log.close()

    asyncio.run(main())
