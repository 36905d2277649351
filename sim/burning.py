"""How long lamps of a schedule have burned up to a moment: what counters count."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from city.clock import DAY_US, HOUR_US, MINUTE_US
from city.lighting import FULL_PCT, LightingSchedule

EPOCH_US = 20_089 * DAY_US
"""2025-01-01: counters of the simulated city are integrated from here; what was before is in their first value."""

_SPAN_US = 512 * DAY_US


class Burning:
    """Burning time of a schedule since `EPOCH_US`, up to a horizon.

    Parameters
    ----------
    until_us : int
        The horizon, µs UTC.
    """

    def __init__(self, schedule: LightingSchedule, until_us: int) -> None:
        on, off = schedule.periods(EPOCH_US, until_us)
        on = np.maximum(on, EPOCH_US)
        self._on = on
        starts, ends, shares = _pieces(schedule, on, off)
        self._starts, self._ends, self._shares = starts, ends, shares
        length = (ends - starts) / HOUR_US
        self._hours = np.concatenate([[0.0], np.cumsum(length)])
        self._full_hours = np.concatenate([[0.0], np.cumsum(length * shares)])

    def hours(self, at_us: int) -> tuple[float, float]:
        """Return hours burned up to `at_us`, and the same weighted by the dimming level."""
        index = int(np.searchsorted(self._starts, at_us, "right"))
        if index == 0:
            return 0.0, 0.0
        over = max(int(self._ends[index - 1]) - at_us, 0) / HOUR_US
        return float(self._hours[index]) - over, float(self._full_hours[index]) - over * float(self._shares[index - 1])

    def switchings(self, at_us: int) -> int:
        """Return how often the lamps were switched on up to `at_us`."""
        return int(np.searchsorted(self._on, at_us, "right"))


def _pieces(
    schedule: LightingSchedule, on: NDArray[np.int64], off: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Cut burning periods where the level changes: starts, ends, share of the full level."""
    if not schedule.dimming:
        return on, off, np.ones(len(on))
    starts: list[int] = []
    ends: list[int] = []
    shares: list[float] = []
    # Steps are written to the minute, so levels are asked for each quarter of an hour that a step can begin on, and
    # each minute where steps are finer.
    step = 15 * MINUTE_US if all(minute % 15 == 0 for minute, _ in schedule.dimming) else MINUTE_US
    for low, high in zip(on.tolist(), off.tolist(), strict=True):
        cuts = [low, *range((low // step + 1) * step, high, step)]
        level = None
        for cut in cuts:
            found = schedule.level_if_on(cut)
            if found != level:
                if level is not None:
                    ends.append(cut)
                starts.append(cut)
                shares.append(found / FULL_PCT)
                level = found
        ends.append(high)
    return np.array(starts, np.int64), np.array(ends, np.int64), np.array(shares)


@lru_cache(maxsize=64)
def _burning(schedule: LightingSchedule, spans: int) -> Burning:
    return Burning(schedule, EPOCH_US + spans * _SPAN_US)


def burning_of(schedule: LightingSchedule, at_us: int) -> Burning:
    """Return a table that reaches beyond `at_us`."""
    return _burning(schedule, max(at_us - EPOCH_US, 0) // _SPAN_US + 1)
