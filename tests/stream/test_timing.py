"""What readings tell of time: late by horizon, out of order by gateway, and gateways' clocks, kept and shown."""

import asyncio
import random

import pytest
from prometheus_client import CollectorRegistry

from city.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US, ManualClock
from city.reading import Quality, Reading, ReadingBatch
from stream.clocks import ClockKeeper, read_clock
from stream.metrics import StoreMetrics
from stream.store import StoreStage
from stream.timing import DISORDER_US, Clock, Timing
from tests.stream.harness import NOON, batch_record, drive, opened, reading, rows


def batch(*ages_us: int, gateway: int = 1, quality: Quality = Quality.GOOD, received: int = NOON) -> ReadingBatch:
    return ReadingBatch.of(
        [Reading(n, gateway, received - age, received, 1.0, quality) for n, age in enumerate(ages_us)]
    )


def test_a_late_reading_counts_under_the_longest_horizon_that_it_is_past() -> None:
    timing = Timing()
    timing.take(batch(0, MINUTE_US, MINUTE_US + 1, HOUR_US, HOUR_US + 1, DAY_US + 1, 7 * DAY_US, 7 * DAY_US + 1))
    assert timing.late == {"1m": 2, "1h": 1, "1d": 2, "7d": 1}
    timing.take(batch(DAY_US * 30, quality=Quality.TIME_OF_RECEIPT))
    assert timing.late == {"1m": 2, "1h": 1, "1d": 2, "7d": 1}, "whose time is not its own is not late"
    timing.take(ReadingBatch.empty())


def test_disorder_is_told_by_gateway_and_beyond_what_detection_reorders() -> None:
    timing = Timing()
    timing.take(batch(100 * SECOND_US, 50 * SECOND_US, 55 * SECOND_US, 56 * SECOND_US, 40 * SECOND_US))
    assert timing.out_of_order == 1
    timing.take(batch(500 * SECOND_US, gateway=2))
    assert timing.out_of_order == 1, "each gateway has a newest of its own"
    timing.take(batch(40 * SECOND_US + DISORDER_US + 1))
    assert timing.out_of_order == 2


@pytest.mark.parametrize("seed", range(20))
def test_however_readings_are_cut_into_batches_the_counts_are_the_same(seed: int) -> None:
    rng = random.Random(seed)
    readings = [
        Reading(n, rng.randrange(3), NOON - rng.choice((0, 3, 7, 70, 4000, 90_000)) * SECOND_US, NOON, 1.0)
        for n in range(60)
    ]
    whole, parts = Timing(), Timing()
    whole.take(ReadingBatch.of(readings))
    start = 0
    while start < len(readings):
        size = rng.randrange(1, 9)
        parts.take(ReadingBatch.of(readings[start : start + size]))
        start += size
    assert whole == parts
    newest: dict[int, int] = {}
    disorder = 0
    for one in readings:
        disorder += one.observed_at < newest.get(one.gateway_id, one.observed_at) - DISORDER_US
        newest[one.gateway_id] = max(one.observed_at, newest.get(one.gateway_id, one.observed_at))
    assert whole.out_of_order == disorder


def test_the_freshest_reading_of_an_hour_tells_of_the_clock_and_a_backlog_does_not() -> None:
    timing = Timing()
    timing.take(batch(30 * SECOND_US, 2 * SECOND_US, 3 * DAY_US))
    timing.take(batch(-12 * SECOND_US, 5 * SECOND_US, gateway=2, received=NOON + HOUR_US))
    timing.take(batch(2 * HOUR_US, 3 * DAY_US, gateway=3))
    assert timing.drain() == {(1, NOON): 2 * SECOND_US, (2, NOON + HOUR_US): -12 * SECOND_US}
    assert timing.drain() == {}
    assert Clock.of(-12 * SECOND_US) == Clock(12.0, 0.0)
    assert Clock.of(2 * SECOND_US) == Clock(0.0, 2.0)


def test_what_a_hostile_gateway_sends_stays_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.timing._KEPT_MAX", 5)
    timing = Timing()
    for gateway in range(20):
        timing.take(batch(0, gateway=gateway))
    assert (len(timing.newest), len(timing.least_age)) == (5, 5)


def test_a_store_tells_of_late_readings_and_of_its_gateways_clocks(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            registry = CollectorRegistry()
            metrics = StoreMetrics(registry)
            stage = StoreStage(metrics)
            clock = ManualClock(NOON + 10 * MINUTE_US)
            keeper = ClockKeeper(pool, clock, stage.timing, metrics)
            ahead = [reading(1, 7, 1.0, gateway=1, received=5), reading(2, 4, 1.0, gateway=1, received=5)]
            late = [reading(3, -120, 1.0, gateway=2, received=5), reading(4, 4.9, 1.0, gateway=2, received=5)]
            await drive(pool, stage, batch_record(0, ahead), batch_record(1, late))
            await keeper.look()
            await keeper.look()

            def told(name: str, **labels: str) -> float | None:
                return registry.get_sample_value(f"citynerve_store_{name}", labels)

            assert told("late_readings_total", over="1h") == 1
            assert told("out_of_order_readings_total") == 1
            assert told("gateway_clocks", state="ahead") == 1
            assert told("gateway_clocks", state="right") == 1
            assert told("gateway_clocks", state="behind") == 0
            assert told("gateway_clock_off_city_seconds", direction="ahead") == 120
            assert told("gateway_clock_off_city_seconds", direction="behind") == 6
            async with pool.connection() as connection:
                first = await read_clock(connection, "G-1")
                assert first is not None
                assert (first.hour, first.clock) == (NOON, Clock(120.0, 0.0))
                assert await read_clock(connection, "G-3") is None
            # A clock that was set right shows so two hours later, and days later nothing is left of what it was.
            clock.advance(3 * 3600)
            later = [reading(5, 190, 1.0, gateway=1, received=190)]
            await drive(pool, stage, batch_record(2, later))
            await keeper.look()
            assert told("gateway_clocks", state="ahead") == 0
            clock.advance(3 * 86400)
            await drive(pool, stage, batch_record(3, [reading(6, 4510, 1.0, received=4510)]))
            await keeper.look()
            assert len(await rows(pool, "SELECT 1 FROM gateway_clocks")) == 1

    asyncio.run(main())
