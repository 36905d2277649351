"""A broker's death is told from its age, over restarts of ingest too, and a lost connection alone is none."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

import psycopg

from city.clock import SystemClock
from ingest.broker_life import BrokerLife, Death
from ingest.deaths import LifeKeeper
from ingest.metrics import IngestMetrics
from ingest.mqtt_session import MqttOptions
from ingest.source import MqttSource
from storage.pool import open_pool
from tests.ingest.conftest import listening
from tests.ingest.world import running
from tests.support.fix_mosquitto import Mosquitto


def lost_at(age: int, started: float = 0.0) -> BrokerLife:
    """A broker that told that age on a connection that then was lost."""
    life = BrokerLife()
    assert not life.lived(age, started + age)
    life.lost()
    return life


def test_a_broker_that_is_younger_than_it_was_has_died_and_its_next_word_says_since_when() -> None:
    life = lost_at(100)
    assert life.lived(2, 104.0)
    assert life.unsure
    assert life.deaths() == []
    assert not life.lived(4, 105.1), "what came first had waited on its way"
    assert not life.lived(5, 106.1)
    assert life.deaths() == [Death(100.0, 101.1)]
    assert not life.lived(6, 107.1), "its age is told again"
    life.written(1)
    assert life.deaths() == []


def test_a_broker_that_dies_again_before_its_next_word_has_died_twice() -> None:
    life = lost_at(100)
    assert life.lived(2, 104.0)
    life.lost()
    assert life.lived(0, 106.0)
    life.lost()
    assert life.deaths() == [Death(100.0, 102.0), Death(104.0, 106.0)]


def test_a_death_of_less_than_a_second_is_seen() -> None:
    life = lost_at(2)
    assert [life.lived(2, 4.25), life.lived(4, 6.25)] == [False, True]
    assert life.deaths() == [Death(2.0, 2.25)]


def test_a_connection_that_was_lost_alone_is_no_death_however_late_the_brokers_word_comes() -> None:
    life = lost_at(5)
    for age, now in ((6, 20.0), (8, 20.0), (10, 20.01), (20, 20.1)):
        assert not life.lived(age, now)
    assert life.started_s == 0.0
    old = lost_at(5_000)
    for age in range(5_002, 5_100, 2):
        assert not old.lived(age, age + 30.0), "half a minute late, all the time"
    assert not old.lived(5_100, 5_190.0), "and later still, without another connection"
    assert old.deaths() == []
    assert not BrokerLife().lived(1, 104.0), "before the first connection nothing is known"


def test_two_deaths_without_a_word_in_between_are_told_as_one() -> None:
    life = lost_at(100)
    life.lost()
    assert life.alive_s == 100.0
    assert life.lived(1, 107.0)
    life.lost()
    assert life.deaths() == [Death(100.0, 106.0)]


def test_what_an_earlier_process_knew_goes_on() -> None:
    life = BrokerLife()
    life.resume(100.0, 50.0)
    assert not life.lived(60, 110.0)
    assert life.deaths() == []
    again = BrokerLife()
    again.resume(100.0, 50.0)
    assert [again.lived(2, 110.0), again.lived(4, 112.0)] == [True, False]
    assert again.deaths() == [Death(100.0, 108.0)]


async def hear(source: MqttSource, seconds: float) -> None:
    until = monotonic() + seconds
    while monotonic() < until:
        await source.take(max_messages=10, wait_s=0.1, gather_s=0.0)


def test_the_death_of_a_real_broker_is_seen_and_a_reconnection_is_not(make_mosquitto: Callable[[], Mosquitto]) -> None:
    async def main() -> None:
        broker = make_mosquitto()
        source = MqttSource(MqttOptions(broker.url, backoff_s_max=0.5), IngestMetrics())
        async with running(source):
            await listening(source)
            await hear(source, 3.0)
            await source.reconnect()
            await hear(source, 3.0)
            assert source.life.deaths() == []
            broker.kill()
            await hear(source, 0.5)
            broker.start()
            await hear(source, 6.0)
            (death,) = source.life.deaths()
            assert death.alive_s <= death.started_s < monotonic()

    asyncio.run(main())


async def yes() -> bool:
    return True


def test_a_death_while_ingest_is_away_is_published_once_and_its_own_restart_is_none(
    make_mosquitto: Callable[[], Mosquitto], database_url: str
) -> None:
    broker = make_mosquitto()

    def published() -> list[tuple[bool, bool]]:
        with psycopg.connect(database_url) as connection:
            return connection.execute("SELECT last_heard_at <= back_at, back_at < now() FROM broker_deaths").fetchall()

    @asynccontextmanager
    async def ingest(name: str = "citynerve-ingest") -> AsyncIterator[MqttSource]:
        pool = await open_pool(database_url)
        source = MqttSource(MqttOptions(broker.url, name, backoff_s_max=0.5), IngestMetrics())
        keeper = LifeKeeper(pool, SystemClock(), source.life, yes)
        await keeper.start()
        async with running(source):
            await listening(source)
            yield source
            await keeper.look()
            await keeper.look()
        await pool.close()

    async def main() -> None:
        async with ingest() as source:
            await hear(source, 5.0)
        async with ingest() as source:
            await hear(source, 5.0)
        assert published() == [], "ingest alone was started anew"
        broker.kill()
        broker.start()
        async with ingest() as first, ingest("citynerve-ingest-2") as second:
            await asyncio.gather(hear(first, 6.0), hear(second, 6.0))
        assert published() == [(True, True)]

    asyncio.run(main())
