"""A broker's death is told from its age, and a lost connection alone is none."""

import asyncio
from collections.abc import Callable

from ingest.broker_life import BrokerLife, Death
from ingest.metrics import IngestMetrics
from ingest.source import MqttOptions, MqttSource
from tests.ingest.conftest import listening
from tests.ingest.world import running
from tests.support.fix_mosquitto import Mosquitto


def lost_at(*moments: float) -> BrokerLife:
    life = BrokerLife()
    for moment in moments:
        life.heard(moment)
        life.lost()
    return life


def test_a_broker_that_started_after_it_was_last_heard_has_died() -> None:
    life = lost_at(100.0)
    life.heard(103.0)
    assert life.lived(2, 104.0)
    assert life.deaths(110.0) == [Death(10.0, 8.0)]
    assert life.deaths(110.0) == []
    assert not life.lived(3, 105.0), "its age is told again"


def test_a_connection_that_was_lost_alone_is_no_death() -> None:
    life = lost_at(100.0)
    assert not life.lived(5_000, 104.0)
    assert not BrokerLife().lived(1, 104.0), "before the first connection nothing is known"


def test_of_connections_lost_in_a_row_the_first_counts() -> None:
    assert lost_at(100.0, 102.0).lived(3, 104.5)


def test_the_death_of_a_real_broker_is_seen_and_a_reconnection_is_not(make_mosquitto: Callable[[], Mosquitto]) -> None:
    async def main() -> None:
        broker = make_mosquitto()
        source = MqttSource(MqttOptions(broker.url, backoff_s_max=0.5), IngestMetrics())

        async def hear(seconds: float) -> None:
            until = asyncio.get_running_loop().time() + seconds
            while asyncio.get_running_loop().time() < until:
                await source.take(max_messages=10, wait_s=0.1, gather_s=0.0)

        async with running(source):
            await listening(source)
            await hear(3.0)
            await source.reconnect()
            await hear(3.0)
            assert source.deaths() == []
            broker.kill()
            await hear(0.5)
            broker.start()
            await hear(4.0)
            (death,) = source.deaths()
            assert death.heard_ago_s > death.back_ago_s > 0

    asyncio.run(main())
