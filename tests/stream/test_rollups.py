"""Rollups, retention and compression, on both layouts."""

import asyncio
import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from city.clock import DAY_US, HOUR_US, ManualClock, from_datetime, to_datetime
from city.errors import SettingsError
from city.reading import Reading
from storage.layout import LayoutEngine
from storage.pool import Pool, transaction
from stream.rollups import Mark, RollupKeeper, RollupOptions, Span, day_spans, hour_spans, maintain, refresh, windows
from stream.store import StoreStage
from tests.stream.harness import NOON, TIMEZONE, batch_record, drive, drive_within, opened, reading, rows, stored

Rollup = dict[tuple[int, int], tuple[int, float, float, float]]
ZONE = ZoneInfo(TIMEZONE)
KEEP_90 = RollupOptions(raw_retention_days=90, backlog_horizon_days=30)


async def rollup(pool: Pool, view: str) -> Rollup:
    found = await rows(pool, f"SELECT series_id, bucket, n, sum, minimum, maximum, mean FROM {view}")
    assert all(mean == pytest.approx(total / n) for _, _, n, total, _, _, mean in found)
    return {(series, from_datetime(bucket)): (n, total, low, high) for series, bucket, n, total, low, high, _ in found}


def by_bucket(raw: dict[tuple[int, int], float], bucket: Any) -> Rollup:
    groups: dict[tuple[int, int], list[float]] = {}
    for (series, at), value in sorted(raw.items()):
        groups.setdefault((series, bucket(at)), []).append(value)
    return {key: (len(v), sum(v), min(v), max(v)) for key, v in groups.items()}


def hour(at: int) -> int:
    return at - at % HOUR_US


def day(at: int) -> int:
    midnight = to_datetime(at).astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    return from_datetime(midnight.astimezone(UTC))


async def assert_rollups_are_true(pool: Pool) -> None:
    """Integers are summed, so equal means equal."""
    raw = await stored(pool)
    assert await rollup(pool, "readings_hourly") == by_bucket(raw, hour)
    assert await rollup(pool, "readings_daily") == by_bucket(raw, day)
    fast = {key: value for key, value in raw.items() if key[0] <= 2}
    assert await rollup(pool, "readings_minutely") == by_bucket(fast, lambda at: at - at % 60_000_000)
    assert await rows(pool, "SELECT count(*) FROM rollups_touched") == [(0,)]


def test_late_reading_refreshes_its_hour_then_its_day(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            stage = StoreStage()
            await drive(pool, stage, batch_record(0, [reading(s, m, s + m) for s in (1, 2, 3) for m in range(180)]))
            assert await refresh(pool) > 0
            await assert_rollups_are_true(pool)
            await drive(pool, stage, batch_record(1, [reading(3, -60 * 30 + 1, 99, received=181)]))
            assert await refresh(pool) == 1
            await assert_rollups_are_true(pool)
            assert await refresh(pool) == 0

    asyncio.run(main())


def test_days_begin_at_the_citys_midnight_also_where_clocks_change(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            changes = [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)]
            readings = [
                reading(3, m, 1, base=from_datetime(change - timedelta(days=1)))
                for change in changes
                for m in range(0, 4320, 15)
            ]
            await drive(pool, StoreStage(), batch_record(0, readings))
            await refresh(pool)
            await assert_rollups_are_true(pool)
            counts = {to_datetime(at).date(): n for (_, at), (n, *_) in (await rollup(pool, "readings_daily")).items()}
            assert counts[datetime(2026, 3, 28, tzinfo=UTC).date()] == 23 * 4
            assert counts[datetime(2026, 10, 24, tzinfo=UTC).date()] == 25 * 4

    asyncio.run(main())


def test_a_back_log_reaches_years_back_and_nothing_else_moves(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            stage = StoreStage()
            live = [reading(s, m, m) for s in range(1, 7) for m in range(0, 600, 15)]
            await drive(pool, stage, batch_record(0, live))
            await refresh(pool)
            history = [reading(7, -m * 60 * 7, m, received=601) for m in range(3000)]
            await drive(pool, stage, batch_record(1, history))
            await refresh(pool, RollupOptions(marks_max=500))
            await assert_rollups_are_true(pool)

    asyncio.run(main())


def test_repeats_alone_touch_nothing(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            stage = StoreStage()
            await drive(pool, stage, batch_record(0, [reading(1, 0, 1)]))
            await refresh(pool)
            await drive(pool, stage, batch_record(1, [reading(1, 0, 1), reading(1, 0, 2)]))
            assert await refresh(pool) == 0

    asyncio.run(main())


def test_what_is_written_while_a_refresh_runs_is_not_lost(store_url: str) -> None:
    """Sinks commit before, while and after refreshes read; in the end every bucket is true."""

    async def main() -> None:
        async with opened(store_url, size=8) as pool:
            busy = 3

            async def sink(partition: int) -> None:
                nonlocal busy
                rng, stage = random.Random(partition), StoreStage()
                for offset in range(40):
                    some = [
                        reading(
                            partition * 2 + rng.randrange(1, 3), rng.randrange(0, 2880), rng.randrange(100), received=0
                        )
                        for _ in range(20)
                    ]
                    async with transaction(pool) as connection:
                        await drive_within(connection, stage, batch_record(offset, some, partition=partition))
                        await asyncio.sleep(rng.random() / 100)  # hold the rows uncommitted for a moment
                busy -= 1

            async def refresher() -> None:
                while busy:
                    await refresh(pool)

            await asyncio.gather(sink(0), sink(1), sink(2), refresher(), refresher())
            await refresh(pool)
            await assert_rollups_are_true(pool)

    asyncio.run(main())


def test_a_refresh_that_dies_half_way_is_done_again(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            await drive(pool, StoreStage(), batch_record(0, [reading(1, m, m) for m in range(2000)]))
            for _ in range(5):
                task = asyncio.create_task(refresh(pool, RollupOptions(marks_max=7)))
                await asyncio.sleep(0.01)
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            # The server may have yet to notice the death, and hold the turn until then.
            async with asyncio.timeout(60):
                while await rows(pool, "SELECT FROM rollups_touched LIMIT 1"):
                    await refresh(pool)
            await assert_rollups_are_true(pool)

    asyncio.run(main())


def _year() -> list[Reading]:
    """One reading each six hours for 300 days up to NOON."""
    return [reading(1 + i % 3, -i * 360, i, received=0) for i in range(1200)]


def test_retention_drops_raw_rows_and_keeps_their_rollups(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            stage = StoreStage()
            await drive(pool, stage, batch_record(0, _year()))
            assert not (await maintain(pool, KEEP_90, NOON)).dropped, "its rollups are not done"
            await refresh(pool)
            before = await rollup(pool, "readings_hourly"), await rollup(pool, "readings_daily")
            assert (await maintain(pool, KEEP_90, NOON)).dropped
            left = await stored(pool)
            assert 0 < len(left) < 1200
            assert all(at in {a for _, a in left} for at in [NOON - 90 * DAY_US, NOON])
            assert (await rollup(pool, "readings_hourly"), await rollup(pool, "readings_daily")) == before
            # Late rows of a bucket that is still raw are taken in; those before stay raw and erase nothing.
            await drive(pool, stage, batch_record(1, [reading(5, -60 * 24 * 80, 7, received=1)]))
            await drive(pool, stage, batch_record(2, [reading(1, -60 * 24 * 250 + 1, 7, received=1)]))
            assert await refresh(pool) == 1
            hours, days = await rollup(pool, "readings_hourly"), await rollup(pool, "readings_daily")
            assert len(hours) == len(before[0]) + 1
            assert before[0].items() <= hours.items()
            assert before[1].items() <= days.items()
            assert not (await maintain(pool, KEEP_90, NOON)).dropped
            assert (1, NOON - 250 * DAY_US + 60_000_000) in await stored(pool)

    asyncio.run(main())


def test_retention_goes_on_behind_rows_that_came_after_their_bucket_was_closed(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            stage = StoreStage()
            await drive(pool, stage, batch_record(0, _year()))
            await refresh(pool)
            await maintain(pool, KEEP_90, NOON)
            await drive(pool, stage, batch_record(1, [reading(1, -60 * 24 * 250, 7, received=1)]))
            await drive(pool, stage, batch_record(2, [reading(1, -60 * 24 * 250 + 1, 8, received=1)]))
            assert await refresh(pool) == 0
            assert (await maintain(pool, KEEP_90, NOON + 60 * DAY_US)).dropped
            assert len([at for _, at in await stored(pool) if at < NOON - 200 * DAY_US]) == 2
            assert await rows(pool, "SELECT count(*) FROM rollups_touched") == [(1,)]

    asyncio.run(main())


def test_compression_waits_for_back_logs_and_for_rollups(store_url: str, layout_engine: LayoutEngine) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            stage, options = StoreStage(), RollupOptions(backlog_horizon_days=30)
            await drive(pool, stage, batch_record(0, _year()))
            assert not (await maintain(pool, options, NOON)).compressed, "its rollups are not done"
            await refresh(pool)
            compressed = (await maintain(pool, options, NOON)).compressed
            if layout_engine is LayoutEngine.PLAIN:
                assert not compressed
                return
            assert len(compressed) > 30
            horizon = to_datetime(NOON - 30 * DAY_US)
            found = await rows(
                pool,
                "SELECT is_compressed, range_end <= %(horizon)s FROM timescaledb_information.chunks"
                " WHERE hypertable_name = 'readings'",
                {"horizon": horizon},
            )
            assert all(is_compressed == behind for is_compressed, behind in found)
            assert not (await maintain(pool, options, NOON)).compressed
            # The key holds in compressed rows too, and late rows find their place.
            again = [
                *_year()[-20:],
                reading(1, -60 * 24 * 200, 12_345, received=0),
                reading(8, -60 * 24 * 200, 5, received=0),
            ]
            await drive(pool, stage, batch_record(1, again))
            assert len(await stored(pool)) == 1202
            await refresh(pool)
            await assert_rollups_are_true(pool)
            assert 1 <= len((await maintain(pool, options, NOON)).compressed) < 10, "those written to"
            assert not (await maintain(pool, options, NOON)).compressed

    asyncio.run(main())


def test_the_keeper_refreshes_until_told_to_stop(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            await drive(pool, StoreStage(), batch_record(0, _year()))
            stop = asyncio.Event()
            options = RollupOptions(refresh_every_s=0.01, maintain_every_s=0.01, raw_retention_days=90)
            keeper = asyncio.create_task(RollupKeeper(pool, ManualClock(NOON), options).run(stop))
            async with asyncio.timeout(30):
                while len(await stored(pool)) == 1200:  # noqa: ASYNC110 - the rows tell, nothing else
                    await asyncio.sleep(0.01)
                stop.set()
                await keeper

    asyncio.run(main())


def test_retention_shorter_than_back_logs_is_refused() -> None:
    with pytest.raises(SettingsError, match="expect shorter back-logs"):
        RollupOptions(raw_retention_days=7, backlog_horizon_days=30)


def test_spans_join_what_follows_and_widen_to_days_of_the_city() -> None:
    at = datetime(2026, 10, 24, 20, tzinfo=UTC)
    marks = [Mark(0, at + timedelta(hours=h)) for h in (0, 1, 5)] + [Mark(1, at)]
    spans = hour_spans(marks)
    assert spans == [
        Span(0, at, at + timedelta(hours=2)),
        Span(0, at + timedelta(hours=5), at + timedelta(hours=6)),
        Span(1, at, at + timedelta(hours=1)),
    ]
    assert day_spans(spans, TIMEZONE) == [
        Span(0, datetime(2026, 10, 23, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC)),
        Span(1, datetime(2026, 10, 23, 22, tzinfo=UTC), datetime(2026, 10, 24, 22, tzinfo=UTC)),
    ]
    assert windows(spans) == [Span(0, at, at + timedelta(hours=6))]
