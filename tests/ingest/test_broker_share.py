"""One client that floods the embedded broker starves nobody."""

import asyncio
import threading
from time import monotonic

import pytest

from ingest.broker import BrokerOptions, EmbeddedBroker
from ingest.broker_share import Bucket
from ingest.credentials.engines.embedded import EmbeddedAccess
from ingest.credentials.hashing import hash_password
from ingest.credentials.model import Grant, default_topics
from tests.ingest.world import RawClient, publish_frame

OTHERS = 50
ROUNDS = 8


class Flood:
    """A client that sends as fast as its connection takes it, and says how much that was."""

    def __init__(self, port: int, qos: int) -> None:
        self._client = RawClient(port, user=("flood", "word"))
        self._stop = threading.Event()
        topic = "citynerve/v1/flood/readings"
        self._frames = b"".join(publish_frame(topic, b"x" * 100, qos, number) for number in range(1, 101))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._reader = threading.Thread(target=self._client.closed, daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._reader.start()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._client.send(self._frames)
        except OSError:
            return

    def end(self) -> None:
        self._stop.set()
        self._client.close()
        self._thread.join(10)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [1000.0, 0.0], ids=["at-the-usual-rate", "without-a-rate"])
@pytest.mark.parametrize("qos", [0, 1])
def test_while_one_client_floods_fifty_others_messages_arrive_within_a_second(qos: int, rate: float) -> None:
    async def main() -> None:
        access = EmbeddedAccess(anonymous=False)
        names = ["flood", *(f"G-{number}" for number in range(OTHERS))]
        hashed = hash_password("word")
        await access.apply([Grant(name, name, default_topics(name), password_hash=hashed) for name in names])
        broker = EmbeddedBroker(BrokerOptions(port=0, settle_s=0.0, rate=rate, burst_s=1.0), access=access)
        await broker.start()
        stop = asyncio.Event()
        arrived: dict[bytes, float] = {}
        flooded = 0

        async def serve() -> None:
            nonlocal flooded
            while not stop.is_set():
                taken = await broker.take(max_messages=1000, wait_s=0.1, gather_s=0.002)
                # What an append takes.
                await asyncio.sleep(0.01)
                for message in taken.single():
                    if message.topic.startswith("citynerve/v1/flood/"):
                        flooded += 1
                    else:
                        arrived[message.payload] = monotonic()
                broker.acknowledge(taken)

        tasks = [asyncio.create_task(broker.run(stop)), asyncio.create_task(serve())]
        connect = [
            asyncio.to_thread(RawClient, broker.port, name, user=(name, "word")) for name in names if name != "flood"
        ]
        others = await asyncio.gather(*connect)
        flood = await asyncio.to_thread(Flood, broker.port, qos)
        flood.start()
        await asyncio.sleep(1.0)
        sent: dict[bytes, float] = {}
        began = monotonic()
        before = flooded
        for turn in range(1, ROUNDS + 1):
            for number, client in enumerate(others):
                payload = f"{number} {turn}".encode()
                sent[payload] = monotonic()
                client.publish(turn, payload, f"citynerve/v1/G-{number}/readings", qos)
            await asyncio.sleep(0.25)
        pace = (flooded - before) / (monotonic() - began)
        await asyncio.sleep(1.0)
        assert sent.keys() <= arrived.keys()
        worst = max(arrived[payload] - at for payload, at in sent.items())
        # Without a rate the flood's own thread has most of this process.
        assert worst < (1.0 if rate else 3.0)
        # It is read all the while, but not faster than it may be.
        assert pace > 100
        assert not rate or pace < rate * 1.3
        await asyncio.to_thread(flood.end)
        for client in others:
            client.close()
        stop.set()
        await asyncio.gather(*tasks)
        await access.close()

    asyncio.run(main())


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(rate=10.0, size=20.0)
    now = bucket.at
    for _ in range(20):
        assert bucket.wait_s(now) == 0
        bucket.spend(now)
    assert bucket.wait_s(now) == pytest.approx(0.1)
    bucket.spend(now)
    assert bucket.wait_s(now) == pytest.approx(0.2)
    assert bucket.wait_s(now + 0.2) == pytest.approx(0)
    bucket.spend(now + 3600)
    assert bucket.level == 19.0
