"""What the broker threw away: written down when it grows, and shown to operators."""

import asyncio

from prometheus_client import CollectorRegistry, generate_latest

from city.clock import ManualClock
from ingest.drops import DropKeeper, Drops, read_drops
from ingest.metrics import IngestMetrics
from storage.pool import Pool, open_pool
from tests.support.small_city import NOW

DAY_S = 86_400.0


class Told:
    """An ingest process that hears the broker."""

    def __init__(self, pool: Pool, clock: ManualClock, *, writes: bool = True) -> None:
        self._pool, self._clock, self._writes = pool, clock, writes
        self.metrics = IngestMetrics()
        self._keeper = DropKeeper(pool, clock, "broker:1883", self.metrics, self._may)

    async def hears(self, dropped: int | None = None) -> list[Drops]:
        """Return what operators of the last week are shown."""
        if dropped is not None:
            self.metrics.tell_dropped(dropped)
        await self._keeper.look()
        async with self._pool.connection() as connection:
            return await read_drops(connection, self._clock.now_us() - int(7 * DAY_S * 1e6))

    async def _may(self) -> bool:
        return self._writes


def test_what_a_broker_drops_is_written_down_when_it_grows(database_url: str) -> None:
    async def main() -> None:
        async with await open_pool(database_url) as pool:
            clock = ManualClock(NOW)
            ingest = Told(pool, clock)
            assert await ingest.hears() == [], "nobody has said anything"
            assert await ingest.hears(0) == []
            clock.advance(60)
            at = clock.now_us()
            assert await ingest.hears(12) == [Drops("broker:1883", 12, 12, at)]
            clock.advance(60)
            assert await ingest.hears() == [Drops("broker:1883", 12, 12, at)]
            assert await ingest.hears(20) == [Drops("broker:1883", 20, 8, clock.now_us())]
            later = clock.now_us()
            clock.advance(60)
            # A broker that began anew counts from 0: what was lost before stays told.
            assert await ingest.hears(0) == [Drops("broker:1883", 0, 8, later)]
            assert await ingest.hears(500) == [Drops("broker:1883", 500, 500, clock.now_us())]
            clock.advance(60)
            assert await ingest.hears(300) == [Drops("broker:1883", 300, 300, clock.now_us())], "all in its new life"
            clock.advance(7 * DAY_S)
            assert await ingest.hears() == [], "a week ago"

    asyncio.run(main())


def test_what_several_processes_hear_of_one_broker_is_told_once(database_url: str) -> None:
    async def main() -> None:
        async with await open_pool(database_url) as pool:
            clock = ManualClock(NOW)
            first, second = Told(pool, clock), Told(pool, clock, writes=False)
            lost = [Drops("broker:1883", 500, 500, clock.now_us())]
            assert await first.hears(500) == lost
            assert await second.hears(480) == lost, "it is behind, and another writes"
            clock.advance(60)
            again = Told(pool, clock)
            assert await again.hears(500) == lost, "who is started anew hears of nothing new"

    asyncio.run(main())


def test_the_brokers_count_is_no_0_before_it_has_spoken() -> None:
    def shown() -> list[str]:
        lines = generate_latest(registry).decode().splitlines()
        return [line for line in lines if line.startswith("citynerve_ingest_broker_dropped")]

    registry = CollectorRegistry()
    metrics = IngestMetrics(registry)
    assert shown() == []
    metrics.tell_dropped(12)
    assert shown() == ["citynerve_ingest_broker_dropped_messages 12.0"]
