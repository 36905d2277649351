"""One ingest process whole: registry followed, states written, and only one of several ticks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from city.clock import ManualClock, SystemClock
from city.registry import IngestRegistry
from city.topics import READINGS, readings_topic, state_topic
from ingest.bridge import Bridge, BridgeOptions
from ingest.formats.state import read_state
from ingest.intake import Intake
from ingest.marks import MarkOptions
from ingest.message import Message
from ingest.registry import RegistryFollower
from ingest.service import Ingest, IngestOptions
from ingest.state import StateStore
from ingest.ticker import TickLease
from storage.pool import Pool, open_pool
from stream import codec
from stream.logs.postgres import open_postgres_log
from tests.ingest.conftest import OpenSource
from tests.ingest.test_fairness import Fed
from tests.ingest.world import (
    Publisher,
    eventually,
    make_topics,
    reading,
    readings_reach,
    records_of,
    registry,
    running,
)
from tests.support.fix_postgres import with_database

CITY = """
INSERT INTO installation (city, timezone, registry_version) VALUES ('test', 'Europe/Madrid', 1);
INSERT INTO assets (asset_id, kind, name, root_id, correlation_group) VALUES ('G-1', 'gateway', '', 'G-1', 'S'),
    ('L-0', 'lamp', '', 'L-0', 'S');
INSERT INTO gateways (gateway_id) VALUES ('G-1');
INSERT INTO shards (shard, partition) SELECT s, s * 12 / 1024 FROM generate_series(0, 1023) AS s;
INSERT INTO metrics VALUES ('active_power_w', 'W', -5, 5000);
"""
DEVICE = """
INSERT INTO devices (device_id, asset_id, gateway_id, profile_id, shard, report_interval_s, silence_intervals)
    VALUES ('D-0', 'L-0', 'G-1', 'p', 300, 60, 3);
INSERT INTO series (device_id, metric) VALUES ('D-0', 'active_power_w');
UPDATE installation SET registry_version = registry_version + 1;
"""


def run_sql(url: str, statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statements)


def states(url: str) -> dict[str, str]:
    with psycopg.connect(url) as connection:
        return dict(connection.execute("SELECT gateway_id, state FROM gateways").fetchall())


async def one_of(*leases: TickLease) -> list[bool]:
    """Wait until somebody ticks; return who."""
    async with asyncio.timeout(10):
        while True:
            holders = [await lease.held() for lease in leases]
            if any(holders):
                return holders
            await asyncio.sleep(0.02)


@asynccontextmanager
async def pool_of(url: str) -> AsyncIterator[Pool]:
    pool = await open_pool(url)
    try:
        yield pool
    finally:
        await pool.close()


def test_an_ingest_process_learns_new_devices_writes_states_and_ticks(
    open_source: OpenSource, database_url: str
) -> None:
    async def main() -> None:
        run_sql(database_url, CITY)
        async with open_source() as (source, port), pool_of(database_url) as pool:
            log = await open_postgres_log(pool)
            await make_topics(log)
            pace = BridgeOptions(marks=MarkOptions(0.2, 0.2))
            ingest = Ingest(source, log, pool, SystemClock(), IngestOptions(database_url, 0.1, pace))
            async with running(ingest):
                await eventually(lambda: source.listening)
                async with Publisher(port, will="offline") as gateway:
                    gateway.publish(0, b"online", topic=state_topic("G-1"))
                    gateway.publish(1, reading(1))
                    await eventually(lambda: len(gateway.acknowledged) == 2)
                    await eventually(lambda: states(database_url) == {"G-1": "online"})
                    await asyncio.to_thread(run_sql, database_url, DEVICE)
                    await asyncio.sleep(0.6)
                    gateway.publish(2, reading(2))
                    found = await readings_reach(log, {2})
                    gateway.break_connection()
                    await eventually(lambda: states(database_url) == {"G-1": "offline"})
                await asyncio.sleep(0.5)
            assert found == [2], "the first came before its device was known"
            kinds = [r.kind for r in await records_of(log, READINGS)]
            assert kinds.count(codec.TICK) >= 12
            await log.close()

    asyncio.run(main())


def test_only_one_of_several_processes_ticks_and_another_takes_over(database_url: str) -> None:
    async def main() -> None:
        one, two = TickLease(database_url, retry_s=0.05), TickLease(database_url, retry_s=0.05)
        async with running(one):
            assert await one_of(one) == [True]
            async with running(two):
                await asyncio.sleep(0.3)
                assert await one.held()
                assert not await two.held()
                with psycopg.connect(with_database(database_url, "postgres"), autocommit=True) as admin:
                    admin.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"
                        " AND datname = %s",
                        ("citynerve ingest ticks", database_url.rsplit("/", 1)[-1].split("?")[0]),
                    )
                assert not await one.held(), "a lost connection is lost leadership"
                assert sum(await one_of(one, two)) == 1

    asyncio.run(main())


def test_the_last_registry_holds_while_the_database_is_away(database_url: str) -> None:
    async def main() -> None:
        run_sql(database_url, CITY + DEVICE)
        pool = await open_pool(database_url, timeout_s=0.3)
        follower = RegistryFollower(pool, poll_s=0.05)
        assert follower.current() == IngestRegistry({}, {}, -1)
        await follower.start()
        known = follower.current()
        assert known.devices["D-0"].gateway_id == "G-1"
        async with running(follower):
            with psycopg.connect(with_database(database_url, "postgres"), autocommit=True) as admin:
                name = database_url.rsplit("/", 1)[-1].split("?")[0]
                admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
                admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
                await asyncio.sleep(0.7)
                assert follower.current() == known
                admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
            await asyncio.to_thread(run_sql, database_url, "UPDATE installation SET registry_version = 9")
            await eventually(lambda: follower.current().version == 9)
        await pool.close()

    asyncio.run(main())


def test_a_lease_that_is_lost_with_the_database_says_that_nobody_else_has_it(database_url: str) -> None:
    async def main() -> None:
        lease = TickLease(database_url, retry_s=0.05)
        async with running(lease):
            while not await lease.held():  # noqa: ASYNC110 - the lock is taken in the background
                await asyncio.sleep(0.02)
            assert not lease.away
            with psycopg.connect(with_database(database_url, "postgres"), autocommit=True) as admin:
                name = database_url.rsplit("/", 1)[-1].split("?")[0]
                admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
                admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
                assert not await lease.held()
                assert lease.away
                admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
            async with asyncio.timeout(10):
                while not await lease.held():  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            assert not lease.away

    asyncio.run(main())


def test_a_state_is_of_when_it_was_received_however_long_the_log_takes() -> None:
    """A gateway's will and its next birth may pass through two processes, of which the first is the slower."""
    clock, told = ManualClock(1_000_000), list[tuple[dict[str, str], int]]()

    class SlowLog:
        max_record_bytes = 1 << 20

        async def partitions(self, topic: str) -> int:
            return 3

        async def append(self, records: Any) -> list[int]:
            clock.advance(60)
            return []

    class States:
        waiting = False

        async def write(self, states: dict[str, str], at_us: int) -> None:
            told.append((states, at_us))

    async def main() -> None:
        messages = [
            Message(state_topic("G-1"), b"offline", 1, 1, 1),
            Message(readings_topic("G-1"), b"{", 1, 2, 1),
            Message(state_topic("G-1"), b"online", 1, 3, 1),
        ]
        source: Any = Fed([Intake.of(messages)])
        made = Bridge(source, SlowLog(), registry, clock, states=States())  # type: ignore[arg-type]
        async with running(made):
            await eventually(lambda: source.acknowledged == 3)
        assert told == [({"G-1": "online"}, 1_000_000)]

    asyncio.run(main())


def test_an_older_word_never_replaces_a_newer_state(database_url: str) -> None:
    async def main() -> None:
        run_sql(database_url, CITY)
        async with pool_of(database_url) as pool:
            store = StateStore(pool)
            await store.write({"G-1": "online", "G-404": "online"}, 2_000_000)
            await store.write({"G-1": "offline"}, 1_000_000)
            assert states(database_url) == {"G-1": "online"}

    asyncio.run(main())


def test_a_database_that_is_away_holds_acknowledgements_up_once_and_gets_the_states_later(database_url: str) -> None:
    async def main() -> None:
        run_sql(database_url, CITY)
        name = database_url.rsplit("/", 1)[-1].split("?")[0]
        async with pool_of(database_url) as pool:
            store = StateStore(pool, answer_s=0.3, retry_s=0.5)
            with psycopg.connect(with_database(database_url, "postgres"), autocommit=True) as admin:
                admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
                admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
                async with asyncio.timeout(2):
                    for moment in range(50):
                        await store.write({"G-1": "online"}, 1_000_000 + moment)
                assert not store.waiting
                admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
            await eventually(lambda: store.waiting)

            async def written() -> None:
                while states(database_url) != {"G-1": "online"}:
                    await store.write({}, 0)
                    await asyncio.sleep(0.05)

            await asyncio.wait_for(written(), 20)
            assert not store.waiting

    asyncio.run(main())


def test_states_are_plain_text_or_json() -> None:
    assert [read_state(p) for p in (b"online", b" offline\n", b'{"state":"online"}')] == ["online", "offline", "online"]
    for payload in (b"", b"on", b"{", b"[]", b'{"state":1}', b"{}", b"\xff", b"online" * 1000):
        assert read_state(payload) is None
