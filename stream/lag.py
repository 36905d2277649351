"""Watches how far workers are behind the log: beside them, so that watching never holds up what it watches."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from city.clock import SECOND_US, Clock
from stream.log import Bounds, EventLog, TopicPartition
from stream.looking import look_until
from stream.metrics import WorkerMetrics

EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Position:
    """Where a worker stands in one partition.

    Attributes
    ----------
    at_us : int
        City time of the last record stepped, µs UTC; 0 before the first.
    unsaved_since : float or None
        `time.monotonic` of the first step that no checkpoint holds.
    """

    next_offset: int
    at_us: int
    unsaved_since: float | None


class Positioned(Protocol):
    """A worker, as far as it is watched."""

    @property
    def group(self) -> str: ...

    def positions(self) -> Mapping[TopicPartition, Position]:
        """Return where it stands in each partition that it owns."""


class LagWatch:
    """Tells the lag of some workers of one process."""

    def __init__(self, workers: Sequence[Positioned], log: EventLog, clock: Clock, metrics: WorkerMetrics) -> None:
        self._workers = workers
        self._log = log
        self._clock = clock
        self._metrics = metrics
        self._told: set[tuple[str, TopicPartition]] = set()

    async def run(self, stop: asyncio.Event, every_s: float = EVERY_S) -> None:
        """Look every few seconds until `stop` is set; a log that does not answer is looked at again."""
        await look_until(stop, self.look, every_s, "lag")

    async def look(self) -> None:
        """Set the gauges once; partitions that went to another process are told no longer.

        Raises
        ------
        CityNerveError
            The log does not say where it ends.
        """
        seen = {worker.group: dict(worker.positions()) for worker in self._workers}
        ends: dict[str, dict[int, Bounds]] = {}
        for topic in sorted({source.topic for positions in seen.values() for source in positions}):
            ends[topic] = await self._log.bounds(topic)
        told: set[tuple[str, TopicPartition]] = set()
        for group, positions in seen.items():
            for source, position in positions.items():
                told.add((group, source))
                self._tell(group, source, position, ends[source.topic][source.partition].end)
            unsaved = [p.unsaved_since for p in positions.values() if p.unsaved_since is not None]
            age_s = max(0.0, time.monotonic() - min(unsaved)) if unsaved else 0.0
            self._metrics.checkpoint_age_seconds.labels(group).set(age_s)
        for group, source in self._told - told:
            for gauge in (self._metrics.lag_records, self._metrics.lag_city_seconds):
                gauge.remove(group, source.topic, str(source.partition))
        self._told = told

    def _tell(self, group: str, source: TopicPartition, position: Position, end: int) -> None:
        behind = max(0, end - position.next_offset)
        labels = (group, source.topic, str(source.partition))
        self._metrics.lag_records.labels(*labels).set(behind)
        late_s = (self._clock.now_us() - position.at_us) / SECOND_US if behind and position.at_us else 0.0
        self._metrics.lag_city_seconds.labels(*labels).set(max(0.0, late_s))
