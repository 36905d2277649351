"""Puts readings of one partition back in order of event time, within bounds."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from city.clock import SECOND_US
from city.reading import ReadingBatch

LATENESS_US = 5 * SECOND_US
ROWS_MAX = 262_144


@dataclass(slots=True)
class ReorderBuffer:
    """Holds readings until their gateway's event time has passed them by `LATENESS_US`, or a tick has.

    The watermark is kept per gateway: one with a back-log, or with a wrong clock, holds up nobody else.
    """

    held: ReadingBatch = field(default_factory=ReadingBatch.empty)
    latest: dict[int, int] = field(default_factory=dict)
    """Gateway number → largest observed_at so far, µs UTC."""

    def push(self, batch: ReadingBatch) -> ReadingBatch:
        """Take one record's readings; return those whose time has come."""
        gateways, inverse = np.unique(batch.gateway_id, return_inverse=True)
        newest = np.full(len(gateways), np.iinfo(np.int64).min)
        np.maximum.at(newest, inverse, batch.observed_at)
        for gateway, at in zip(gateways.tolist(), newest.tolist(), strict=True):
            self.latest[gateway] = max(at, self.latest.get(gateway, at))
        self.held = ReadingBatch.concatenate([self.held, batch])
        marks = np.fromiter((self.latest[g] for g in self.held.gateway_id.tolist()), np.int64, count=len(self.held))
        due = self.held.observed_at <= marks - LATENESS_US
        if len(self.held) - int(due.sum()) > ROWS_MAX:
            due = np.ones(len(self.held), np.bool_)
        return self._release(due)

    def pass_time(self, now_us: int) -> ReadingBatch:
        """Return what a tick at `now_us` makes due."""
        return self._release(self.held.observed_at <= now_us - LATENESS_US)

    def _release(self, due: NDArray[np.bool_]) -> ReadingBatch:
        released = self.held.take(due)
        if len(released):
            self.held = self.held.take(~due)
        return released
