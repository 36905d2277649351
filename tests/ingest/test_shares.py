"""Several processes share a subscription: who stops takes nothing along, and what waits for who is gone is taken."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import psycopg
import pytest

from city.clock import SystemClock
from ingest.metrics import IngestMetrics
from ingest.mqtt_session import MqttOptions
from ingest.service import Ingest, IngestOptions
from ingest.shares import Shares
from ingest.source import MqttSource
from ingest.warm import warm
from storage.pool import Pool
from stream.log import EventLog
from stream.logs.postgres import open_postgres_log
from tests.ingest.test_bridge import always
from tests.ingest.test_service import CITY, DEVICE, pool_of, run_sql
from tests.ingest.world import Publisher, eventually, make_topics, numbers_on, reading, readings_reach, running
from tests.support.fix_mosquitto import Mosquitto

GONE_S = 1.0


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """Nobody counts as gone because kernels are being compiled."""
    warm()


class City:
    """A city's broker, log and database, and processes that share its messages."""

    def __init__(self, broker: Mosquitto, url: str, pool: Pool, log: EventLog, version: str) -> None:
        self.broker, self.url, self.pool, self.log, self.version = broker, url, pool, log, version
        self.metrics = IngestMetrics()

    def process(self, name: str, share: str = "a-share") -> tuple[Ingest, MqttSource]:
        source = MqttSource(MqttOptions(self.broker.url, name, share, version=self.version, backoff_s_max=0.3))
        options = IngestOptions(self.url, 0.1, gone_s=GONE_S)
        return Ingest(source, self.log, self.pool, SystemClock(), options, self.metrics), source

    def sessions(self) -> list[tuple[str, str, bool]]:
        """Return client id, share and whether it was emptied of every session that is written down."""
        with psycopg.connect(self.url) as connection:
            query = "SELECT client_id, share, emptied FROM share_sessions ORDER BY 1, 2"
            return [(str(client), str(share), bool(emptied)) for client, share, emptied in connection.execute(query)]


@asynccontextmanager
async def city(broker: Mosquitto, url: str, version: str) -> AsyncIterator[City]:
    run_sql(url, CITY + DEVICE)
    async with pool_of(url) as pool:
        log = await open_postgres_log(pool)
        await make_topics(log)
        yield City(broker, url, pool, log, version)
        await log.close()


def publish(gateway: Publisher, numbers: range, qos: int = 1) -> None:
    for number in numbers:
        gateway.publish(number, reading(number), qos)


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_a_process_that_stops_leaves_its_part_to_the_others(
    version: str, mosquitto: Mosquitto, database_url: str
) -> None:
    async def main() -> None:
        async with city(mosquitto, database_url, version) as world, Publisher(mosquitto.port) as gateway:
            one, stays = world.process("ingest-1")
            two, goes = world.process("ingest-2")
            async with running(one):
                async with running(two):
                    await eventually(lambda: stays.listening and goes.listening)
                    publish(gateway, range(500))
                    await asyncio.sleep(0.05)
                # What comes from now on, at QoS 0 as well, is the other's; what it was dealt it has taken.
                publish(gateway, range(500, 600))
                publish(gateway, range(600, 700), qos=0)
                found = await readings_reach(world.log, set(range(700)), 15)
                assert len(found) == 700
                assert world.sessions() == [("ingest-1", "a-share", False)]
                assert world.metrics.missing_processes._value.get() == 0
            assert world.sessions() == []

    asyncio.run(main())


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_what_waits_for_a_process_that_was_killed_is_taken_and_it_counts_as_missing(
    version: str, mosquitto: Mosquitto, database_url: str
) -> None:
    async def main() -> None:
        async with city(mosquitto, database_url, version) as world, Publisher(mosquitto.port) as gateway:
            one, stays = world.process("ingest-1")
            two, goes = world.process("ingest-2")
            missing = world.metrics.missing_processes._value.get
            async with running(one):
                await eventually(lambda: stays.listening)
                killed = asyncio.create_task(two.run(asyncio.Event()))
                await eventually(lambda: goes.listening)
                goes._client.close_socket()
                killed.cancel()
                await asyncio.gather(killed, return_exceptions=True)
                publish(gateway, range(200))
                found = await readings_reach(world.log, set(range(200)), 20)
                assert len(found) == 200
                await eventually(lambda: world.sessions()[-1] == ("ingest-2", "a-share", True))
                await eventually(lambda: missing() == 1)
                # Nothing is dealt to it any more.
                publish(gateway, range(200, 300), qos=0)
                await readings_reach(world.log, set(range(300)), 5)
                again, back = world.process("ingest-2")
                async with running(again):
                    await eventually(lambda: back.listening and missing() == 0)
                    publish(gateway, range(300, 400))
                    assert len(await readings_reach(world.log, set(range(400)), 15)) == 400

    asyncio.run(main())


def test_a_session_that_its_owner_takes_back_is_not_fought_for(database_url: str) -> None:
    entered = []

    async def empty(session: MqttSource, _: asyncio.Event) -> bool:
        entered.append(session.session)
        return False

    async def main() -> None:
        async with pool_of(database_url) as pool:
            run_sql(database_url, "INSERT INTO share_sessions VALUES ('ingest-2', 'a', now() - interval '1 min')")
            source = MqttSource(MqttOptions("mqtt://127.0.0.1:1", "ingest-1", "a"))
            shares = Shares(pool, source, IngestMetrics(), empty, always, patience_s=10)
            await shares.begin()
            await shares.look()
            await shares.empty(asyncio.Event())
            assert entered == [], "we do not listen ourselves"
            shares._since = monotonic() - 11
            for _ in range(3):
                await shares.empty(asyncio.Event())
            assert entered == [("ingest-2", "a")]

    asyncio.run(main())


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_who_shares_under_another_name_or_no_more_hears_each_message_once(
    version: str, mosquitto: Mosquitto, database_url: str
) -> None:
    async def main() -> None:
        async with city(mosquitto, database_url, version) as world, Publisher(mosquitto.port) as gateway:
            for turn, share in enumerate(("old", "new", "")):
                ingest, source = world.process("ingest-1", share)
                task = asyncio.create_task(ingest.run(asyncio.Event()))
                await eventually(lambda: source.listening)  # noqa: B023
                publish(gateway, range(turn * 10, turn * 10 + 10))
                await readings_reach(world.log, set(range(turn * 10 + 10)))
                await asyncio.sleep(0.5)
                assert await numbers_on(world.log) == list(range(turn * 10 + 10))
                # It dies without leaving anything.
                source._client.close_socket()
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            assert world.sessions() == []

    asyncio.run(main())
