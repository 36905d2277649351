"""Burning periods of all schedules of a partition, as the ragged arrays that the kernels read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from city.clock import DAY_US
from city.lighting import LightingSchedule

BLOCK_US = 64 * DAY_US
LOOK_BACK_US = BLOCK_US
"""Silence is counted in powered time, and what counters added compared with commands, at most this far back."""

RANGES_MAX = 16


@dataclass(frozen=True, slots=True)
class BurningPeriods:
    """Periods of schedule ``s`` are ``on[first[s]:first[s + 1]]`` to ``off[…]``, µs UTC, ascending."""

    first: NDArray[np.int64]
    on: NDArray[np.int64]
    off: NDArray[np.int64]


class PeriodTable:
    """Keeps the periods around the times that are being judged."""

    def __init__(self, schedules: Sequence[LightingSchedule]) -> None:
        self._schedules = tuple(schedules)
        self._built: dict[tuple[int, int], BurningPeriods] = {}

    def around(self, earliest_us: int, latest_us: int) -> BurningPeriods:
        """Return periods that cover [earliest − look-back, latest + 2 days].

        They depend on nothing but the arguments, so that a replay sees the same; live traffic and a few back-logs
        each find their range built already.
        """
        wanted = ((earliest_us - LOOK_BACK_US) // BLOCK_US, (latest_us + 2 * DAY_US) // BLOCK_US + 1)
        if wanted not in self._built:
            if len(self._built) >= RANGES_MAX:
                self._built.pop(next(iter(self._built)))
            self._built[wanted] = self._build(*wanted)
        return self._built[wanted]

    def _build(self, first_block: int, last_block: int) -> BurningPeriods:
        starts, ends, first = [], [], [0]
        for schedule in self._schedules:
            on, off = schedule.periods(first_block * BLOCK_US, last_block * BLOCK_US)
            starts.append(on)
            ends.append(off)
            first.append(first[-1] + len(on))
        empty = np.zeros(0, np.int64)
        return BurningPeriods(
            np.array(first, np.int64), np.concatenate([empty, *starts]), np.concatenate([empty, *ends])
        )
