"""What waits for its rollup."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from city.clock import HOUR_US, ManualClock
from stream.metrics import StoreMetrics
from stream.rollups import refresh
from stream.store import StoreStage
from stream.waiting import WaitingMarks
from tests.stream.harness import NOON, batch_record, drive, opened, reading
from tests.support.exposition import sample


def test_oldest_mark_and_its_wait_grow_until_the_rollups_are_done(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("stream.waiting.time.monotonic", lambda: now)

    async def main() -> None:
        nonlocal now
        registry = CollectorRegistry()
        metrics = StoreMetrics(registry)

        async def look() -> tuple[float | None, ...]:
            await watch.look()
            names = ("marks", "oldest_mark_city_seconds", "lag_seconds")
            return tuple(sample(registry, f"citynerve_rollups_{name}") for name in names)

        async with opened(store_url) as pool:
            watch = WaitingMarks(pool, ManualClock(NOON + 3 * HOUR_US), metrics)
            assert await look() == (0, 0, 0)
            await drive(pool, StoreStage(metrics), batch_record(0, [reading(1, 0, 1)]))
            assert await look() == (1, 3 * 3600, 0)
            now = 130.0
            await drive(
                pool, StoreStage(metrics), batch_record(1, [reading(1, 0, 1), reading(1, 60, 2), reading(1, 60, 3)])
            )
            assert await look() == (3, 3 * 3600, 30)
            await refresh(pool)
            assert await look() == (0, 0, 0)
        outcomes = {o: sample(registry, "citynerve_store_readings_total", outcome=o) for o in OUTCOMES}
        assert outcomes == {"stored": 2, "duplicate": 1, "conflicting": 1}

    asyncio.run(main())


OUTCOMES = ("stored", "duplicate", "conflicting")
