"""What the broker threw away: written down when it grows, and shown to operators."""

import asyncio

from city.clock import ManualClock
from ingest.drops import DropKeeper, Drops, read_drops
from ingest.metrics import IngestMetrics
from storage.pool import open_pool
from tests.support.small_city import NOW


def test_what_a_broker_drops_is_written_down_when_it_grows(database_url: str) -> None:
    async def main() -> None:
        async with await open_pool(database_url) as pool:
            clock, metrics = ManualClock(NOW), IngestMetrics()
            keeper = DropKeeper(pool, clock, "ingest-1", metrics)

            async def told() -> list[Drops]:
                await keeper.look()
                async with pool.connection() as connection:
                    return await read_drops(connection)

            assert await told() == [], "nobody has said anything"
            metrics.tell_dropped(0)
            assert await told() == []
            clock.advance(60)
            metrics.tell_dropped(12)
            at = clock.now_us()
            assert await told() == [Drops("ingest-1", 12, 12, at)]
            clock.advance(60)
            assert await told() == [Drops("ingest-1", 12, 12, at)]
            metrics.tell_dropped(20)
            assert await told() == [Drops("ingest-1", 20, 8, clock.now_us())]
            later = clock.now_us()
            clock.advance(60)
            # A broker that began anew counts from 0: what was lost before stays told.
            metrics.tell_dropped(0)
            assert await told() == [Drops("ingest-1", 0, 8, later)]
            # So does what another process of ours heard.
            await DropKeeper(pool, clock, "ingest-2", metrics).look()
            assert await told() == [Drops("ingest-1", 0, 8, later)]

    asyncio.run(main())
