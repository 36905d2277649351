"""A city whose days pass in minutes: partitions of days, and a retention that bounds raw rows and hours."""

import asyncio

from city.clock import DAY_US, to_datetime
from storage.layout import apply_layout, read_layout
from storage.migrate import migrate
from stream.rollups import RollupOptions, maintain, refresh
from stream.store import StoreStage
from tests.stream.harness import NOON, TIMEZONE, batch_record, drive, opened, reading, rows, seed, stored

BEGAN = NOON - NOON % DAY_US
KEEP = RollupOptions(raw_retention_days=3, hour_retention_days=7, backlog_horizon_days=3)
DAYS = 20


def test_a_city_in_haste_keeps_days_of_raw_rows_and_of_hours_and_its_days_for_ever(database_url: str) -> None:
    async def main() -> None:
        async with opened(database_url) as pool:
            async with pool.connection() as connection:
                migrate(database_url)
                layout = await apply_layout(connection, TIMEZONE, to_datetime(BEGAN))
                assert await read_layout(connection) == layout
                await seed(connection)
            stage = StoreStage()
            for day in range(DAYS):
                quarters = [reading(s, day * 1440 + 15 * i, i, received=0) for s in (1, 4) for i in range(8)]
                await drive(pool, stage, batch_record(day, quarters))
                await refresh(pool)
                await maintain(pool, KEEP, NOON + day * DAY_US)
            now = NOON + (DAYS - 1) * DAY_US
            assert min(at for _, at in await stored(pool)) == NOON + (DAYS - 4) * DAY_US
            for view in ("readings_hourly", "readings_minutely"):
                ((oldest,),) = await rows(pool, f"SELECT min(bucket) FROM {view}")
                assert oldest == to_datetime(now - 7 * DAY_US)
            assert await rows(
                pool, "SELECT series_id, count(*), min(n), max(n) FROM readings_daily GROUP BY 1 ORDER BY 1"
            ) == [
                (1, DAYS, 8, 8),
                (4, DAYS, 8, 8),
            ]
            partitions = await rows(pool, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'readings'::regclass")
            assert partitions == [(4,)]

    asyncio.run(main())


def test_history_that_is_played_into_a_city_in_haste_is_rolled_up_and_stays(database_url: str) -> None:
    async def main() -> None:
        async with opened(database_url) as pool:
            async with pool.connection() as connection:
                migrate(database_url)
                await apply_layout(connection, TIMEZONE, to_datetime(BEGAN))
                await seed(connection)
            stage = StoreStage()
            for day in range(5):
                await drive(pool, stage, batch_record(day, [reading(4, day * 1440, 1, received=0)]))
            await refresh(pool)
            assert (await maintain(pool, KEEP, NOON + 4 * DAY_US)).dropped
            played = [reading(5, -day * 1440, 2, received=0) for day in range(2, 800)]
            await drive(pool, stage, batch_record(5, played))
            assert await refresh(pool) == len(played)
            await maintain(pool, KEEP, NOON + 40 * DAY_US)
            assert len([1 for series, _ in await stored(pool) if series == 5]) == len(played)
            for view in ("readings_hourly", "readings_daily"):
                assert await rows(pool, f"SELECT count(*) FROM {view} WHERE series_id = 5") == [(len(played),)]
            # Months, and the part of the last one that lies before the city began.
            partitions = await rows(pool, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'readings'::regclass")
            assert 27 <= partitions[0][0] <= 30

    asyncio.run(main())
