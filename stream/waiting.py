"""Watches the touched buckets that wait for their rollup: how many, of when, and for how long."""

import time
from collections import deque
from pathlib import Path

from city.clock import SECOND_US, Clock, from_datetime
from storage import queries
from storage.pool import Pool, fetch_all
from stream.metrics import StoreMetrics

_SQL = queries.load(Path(__file__).with_suffix(".sql"))

_LOOKS_MAX = 20_000


class WaitingMarks:
    """Marks carry no time of their own; how long one waits is known from when it was first seen."""

    def __init__(self, pool: Pool, clock: Clock, metrics: StoreMetrics) -> None:
        self._pool = pool
        self._clock = clock
        self._metrics = metrics
        self._looks: deque[tuple[int, float]] = deque(maxlen=_LOOKS_MAX)

    async def look(self) -> None:
        """Set the gauges.

        Raises
        ------
        EngineError
            The database did not answer.
        """
        ((count, oldest_hour, oldest_mark, newest_mark),) = await fetch_all(self._pool, _SQL.waiting)
        now = time.monotonic()
        if oldest_mark is None:
            self._looks.clear()
        else:
            # What was the newest at some look and is not waiting any more tells nothing about those that are.
            while self._looks and self._looks[0][0] < oldest_mark:
                self._looks.popleft()
            self._looks.append((newest_mark, now))
        late_us = 0 if oldest_hour is None else self._clock.now_us() - from_datetime(oldest_hour)
        self._metrics.marks.set(count)
        self._metrics.oldest_mark.set(max(0.0, late_us / SECOND_US))
        self._metrics.rollup_lag_seconds.set(now - self._looks[0][1] if self._looks else 0.0)
