"""Puts readings of one partition back in order of event time, within bounds."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from city.clock import SECOND_US
from city.reading import ReadingBatch

LATENESS_US = 5 * SECOND_US
ROWS_MAX = 524_288
_NEVER = np.iinfo(np.int64).min // 2


class ReorderBuffer:
    """Holds readings until a tick has passed them by `LATENESS_US`, or, where no tick comes, until it is full.

    A tick also tells how long nobody listened, so what came before it is judged after it. Full, the buffer lets go of
    what its own gateway's event time has passed: one with a back-log, or with a wrong clock, holds up nobody else.

    Parameters
    ----------
    latest : iterable of (int, int)
        Gateway number → largest observed_at so far, µs UTC.
    """

    def __init__(self, held: ReadingBatch | None = None, latest: Iterable[tuple[int, int]] = ()) -> None:
        self._pieces = [] if held is None else [held]
        self._rows = 0 if held is None else len(held)
        self._latest = np.zeros(0, np.int64)
        for gateway, at in latest:
            self._reserve(gateway)
            self._latest[gateway] = at

    @property
    def held(self) -> ReadingBatch:
        """Readings that wait, in the order of receipt."""
        if len(self._pieces) != 1:
            self._pieces = [ReadingBatch.concatenate(self._pieces)]
        return self._pieces[0]

    @property
    def latest(self) -> list[tuple[int, int]]:
        """(gateway number, largest observed_at so far), sorted."""
        known = np.flatnonzero(self._latest > _NEVER)
        return list(zip(known.tolist(), self._latest[known].tolist(), strict=True))

    def push(self, batch: ReadingBatch) -> ReadingBatch:
        """Take one record's readings; return what has to go because the buffer is full."""
        if not len(batch):
            return batch
        self._reserve(int(batch.gateway_id.max()))
        np.maximum.at(self._latest, batch.gateway_id, batch.observed_at)
        self._pieces.append(batch)
        self._rows += len(batch)
        if self._rows <= ROWS_MAX:
            return ReadingBatch.empty()
        due = self.held.observed_at <= self._latest[self.held.gateway_id] - LATENESS_US
        if self._rows - int(due.sum()) > ROWS_MAX // 2:
            due = np.ones(self._rows, np.bool_)
        return self._release(due)

    def pass_time(self, now_us: int) -> ReadingBatch:
        """Return what a tick at `now_us` makes due."""
        return self._release(self.held.observed_at <= now_us - LATENESS_US)

    def _release(self, due: NDArray[np.bool_]) -> ReadingBatch:
        released = self.held.take(due)
        if len(released):
            self._pieces = [self.held.take(~due)]
            self._rows -= len(released)
        return released

    def _reserve(self, gateway: int) -> None:
        if gateway >= len(self._latest):
            grown = np.full(max(64, 2 * gateway), _NEVER, np.int64)
            grown[: len(self._latest)] = self._latest
            self._latest = grown
