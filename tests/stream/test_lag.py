"""How far a worker is behind, told beside it."""

import asyncio
from collections.abc import Mapping

import pytest
from prometheus_client import CollectorRegistry

from city.clock import ManualClock
from city.errors import EngineError
from stream.lag import LagWatch, Position
from stream.log import Bounds, TopicPartition
from stream.metrics import WorkerMetrics
from tests.stream.harness import NOON
from tests.support.exposition import sample

HERE, THERE = TopicPartition("readings", 0), TopicPartition("readings", 1)


class Standing:
    """A worker that stands where it is put."""

    group = "store"

    def __init__(self) -> None:
        self.at: dict[TopicPartition, Position] = {}

    def positions(self) -> Mapping[TopicPartition, Position]:
        return self.at


class Ends:
    """A log that only says where it ends."""

    def __init__(self, *ends: int) -> None:
        self.ends = ends
        self.away = False

    async def bounds(self, topic: str) -> dict[int, Bounds]:
        if self.away:
            raise EngineError("away")
        return {partition: Bounds(0, end) for partition, end in enumerate(self.ends)}


def lag(registry: CollectorRegistry, what: str, partition: int) -> float | None:
    return sample(registry, f"citynerve_worker_lag_{what}", group="store", topic="readings", partition=str(partition))


def test_lag_is_told_in_records_and_city_time_and_is_zero_where_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    registry, worker, log = CollectorRegistry(), Standing(), Ends(10, 7)
    watch = LagWatch([worker], log, ManualClock(NOON), WorkerMetrics(registry))  # type: ignore[arg-type]
    monkeypatch.setattr("stream.lag.time.monotonic", lambda: 100.0)
    worker.at = {HERE: Position(4, NOON - 90_000_000, 88.0), THERE: Position(7, NOON - 999_000_000, None)}
    asyncio.run(watch.look())
    assert (lag(registry, "records", 0), lag(registry, "city_seconds", 0)) == (6, 90)
    assert (lag(registry, "records", 1), lag(registry, "city_seconds", 1)) == (0, 0)
    assert sample(registry, "citynerve_worker_checkpoint_age_seconds", group="store") == 12


def test_partition_that_went_to_another_process_is_told_no_longer() -> None:
    registry, worker = CollectorRegistry(), Standing()
    watch = LagWatch([worker], Ends(10, 7), ManualClock(NOON), WorkerMetrics(registry))  # type: ignore[arg-type]
    worker.at = {HERE: Position(4, NOON, None), THERE: Position(7, NOON, None)}
    asyncio.run(watch.look())
    worker.at = {THERE: Position(7, NOON, None)}
    asyncio.run(watch.look())
    assert (lag(registry, "records", 0), lag(registry, "records", 1)) == (None, 0)


def test_log_that_is_away_leaves_the_last_word_and_is_looked_at_again() -> None:
    async def main() -> None:
        registry, worker, log = CollectorRegistry(), Standing(), Ends(10)
        watch = LagWatch([worker], log, ManualClock(NOON), WorkerMetrics(registry))  # type: ignore[arg-type]
        worker.at = {HERE: Position(4, NOON, None)}
        await watch.look()
        log.away = True
        stop = asyncio.Event()
        running = asyncio.ensure_future(watch.run(stop, every_s=0.001))
        await asyncio.sleep(0)
        assert lag(registry, "records", 0) == 6
        log.ends, log.away = (12,), False
        while lag(registry, "records", 0) != 8:  # noqa: ASYNC110, the watch tells nobody
            await asyncio.sleep(0.001)
        stop.set()
        await running

    asyncio.run(main())
