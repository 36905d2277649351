"""Looks through all readings for the first that could show each label, while they pass by."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anomaly.backtest.fleet import Fleet
from anomaly.backtest.labels import Label
from anomaly.backtest.shows import Showing
from city.reading import ReadingBatch

_BEFORE = 3
"""So many intervals before its moment a silent device's last words are looked for: they tell when it was due."""


@dataclass(slots=True)
class _Wait:
    showing: Showing
    heard_us: int = 0
    found_us: int | None = None
    over: bool = False


class Watch:
    """Finds for each label the moment of the first reading that could show it, or that was due and did not come.

    Readings come in the order of receipt. Of a fault that shows in silence, the first that was due follows from the
    last one before and the interval.
    """

    def __init__(self, fleet: Fleet, labels: Sequence[Label], showings: Sequence[Showing]) -> None:
        self._device_of = fleet.device_of
        self._waits = {label: _Wait(showing) for label, showing in zip(labels, showings, strict=True)}
        waits = [wait for wait in self._waits.values() if wait.showing.windows and wait.showing.rows]
        waits.sort(key=lambda wait: self._begins(wait), reverse=True)
        self._coming = waits
        self._watched = np.zeros(len(fleet.members), np.bool_)
        self._by_row: dict[int, list[_Wait]] = defaultdict(list)

    @staticmethod
    def _begins(wait: _Wait) -> int:
        return wait.showing.windows[0][0] - _BEFORE * wait.showing.interval_us

    def see(self, batch: ReadingBatch) -> None:
        """Let readings pass by."""
        if not len(batch):
            return
        latest = int(batch.observed_at.max())
        while self._coming and self._begins(self._coming[-1]) <= latest:
            wait = self._coming.pop()
            for row in wait.showing.rows:
                self._by_row[row].append(wait)
                self._watched[row] = True
        known = (batch.series_id >= 0) & (batch.series_id < len(self._device_of))
        device = np.where(known, self._device_of[np.where(known, batch.series_id, 0)], -1)
        rows = np.flatnonzero((device >= 0) & self._watched[device])
        if len(rows):
            moments = np.unique(np.stack([device[rows].astype(np.int64), batch.observed_at[rows]]), axis=1)
            for row, at_us in moments.T.tolist():
                self._see(row, at_us)

    def _see(self, row: int, at_us: int) -> None:
        waiting = self._by_row[row]
        for wait in waiting:
            if not wait.over:
                self._judge(wait, at_us)
        self._by_row[row] = [wait for wait in waiting if not wait.over]
        self._watched[row] = bool(self._by_row[row])

    def _judge(self, wait: _Wait, at_us: int) -> None:
        windows = wait.showing.windows
        if wait.showing.silent:
            if at_us < windows[0][0]:
                wait.heard_us = max(wait.heard_us, at_us)
            elif at_us > windows[0][0] + wait.showing.interval_us:
                wait.over = True
        elif any(low <= at_us < high for low, high in windows):
            wait.found_us, wait.over = at_us, True
        elif at_us >= windows[-1][1]:
            wait.over = True

    def first(self, label: Label) -> int | None:
        """Return when a label could first show, µs UTC; None: never, so it is not observable."""
        wait = self._waits[label]
        if not wait.showing.silent or not wait.showing.rows:
            return wait.found_us
        interval_us = max(wait.showing.interval_us, 1)
        for number, (low, high) in enumerate(wait.showing.windows):
            due_us = low + interval_us
            if number == 0 and wait.heard_us:
                due_us = wait.heard_us + -(-(low - wait.heard_us) // interval_us) * interval_us
            if due_us < high:
                return due_us
        return None
