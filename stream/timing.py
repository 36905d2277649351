"""What readings tell of time as they come: how late, in which order, and how far off their gateways' clocks are. Pure.

A gateway's clock shows in its freshest readings: received at r and observed at o, a reading is r - o old. Nothing is
observed after it was received, so a least age below zero is a clock that is ahead by as much; one above zero is a clock
that is behind by at most as much, or a gateway that holds its readings back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from city.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from city.reading import Quality, ReadingBatch

HORIZONS = (("1m", MINUTE_US), ("1h", HOUR_US), ("1d", DAY_US), ("7d", 7 * DAY_US))
"""A late reading counts under the longest of these that it is older than when it comes."""
LIVE_US_MAX = HOUR_US
"""What is older when it comes is no live traffic, and says nothing about a clock."""
DISORDER_US = 5 * SECOND_US
"""As far as detection reorders: what comes less late behind a newer one of its gateway is in order."""
_KEPT_MAX = 100_000


@dataclass(slots=True)
class Timing:
    """Counts over readings that were taken in, and what is to be said of clocks; bounded.

    Attributes
    ----------
    late : dict
        Horizon → readings older than it, and not than the next.
    out_of_order : int
        Readings observed more than `DISORDER_US` before one of their gateway that came earlier.
    least_age : dict
        (gateway number, hour of receipt in µs UTC) → age of the freshest reading, µs; below zero: from the future.
    """

    late: dict[str, int] = field(default_factory=lambda: dict.fromkeys((name for name, _ in HORIZONS), 0))
    out_of_order: int = 0
    least_age: dict[tuple[int, int], int] = field(default_factory=dict)
    newest: dict[int, int] = field(default_factory=dict)

    def take(self, readings: ReadingBatch) -> None:
        """Take in readings in the order in which they came; those with the time of receipt say nothing."""
        own = np.flatnonzero(readings.quality == int(Quality.GOOD))
        if not len(own):
            return
        # By gateway, and in the order of arrival within each.
        own = own[np.argsort(readings.gateway_id[own], kind="stable")]
        observed, received = readings.observed_at[own], readings.received_at[own]
        gateway = readings.gateway_id[own]
        age = received - observed
        over = np.searchsorted([span for _, span in HORIZONS], age, side="left")
        for place, (name, _) in enumerate(HORIZONS, start=1):
            self.late[name] += int(np.count_nonzero(over == place))
        edges = [0, *(np.flatnonzero(np.diff(gateway)) + 1).tolist(), len(gateway)]
        for start, end in pairwise(edges):
            mine = slice(start, end)
            self._take_gateway(int(gateway[start]), observed[mine], received[mine], age[mine])

    def _take_gateway(self, number: int, observed: "np.ndarray", received: "np.ndarray", age: "np.ndarray") -> None:
        before = self.newest.get(number, int(observed[0]))
        newest = np.maximum.accumulate(np.concatenate(([before], observed)))
        self.out_of_order += int(np.count_nonzero(observed < newest[:-1] - DISORDER_US))
        if number in self.newest or len(self.newest) < _KEPT_MAX:
            self.newest[number] = int(newest[-1])
        live = age <= LIVE_US_MAX
        if not live.any():
            return
        hours, ages = received[live] // HOUR_US, age[live]
        one = bool(hours.min() == hours.max())
        for hour in (hours[:1] if one else np.unique(hours)).tolist():
            key = (number, hour * HOUR_US)
            least = int((ages if one else ages[hours == hour]).min())
            if key in self.least_age or len(self.least_age) < _KEPT_MAX:
                self.least_age[key] = min(least, self.least_age.get(key, least))

    def drain(self) -> Mapping[tuple[int, int], int]:
        """Return what is to be written down of clocks, and forget it."""
        found, self.least_age = self.least_age, {}
        return found


@dataclass(frozen=True, slots=True)
class Clock:
    """A gateway's clock as live traffic shows it, in seconds of city time; one of the two is 0.

    Attributes
    ----------
    ahead_s : float
        By as much it is ahead, at least.
    behind_s_max : float
        By as much it is behind, at most; or it holds its readings back for so long.
    """

    ahead_s: float
    behind_s_max: float

    @classmethod
    def of(cls, least_age_us: int) -> "Clock":
        """Return what the age of the freshest reading says."""
        seconds = least_age_us / SECOND_US
        return cls(max(0.0, -seconds), max(0.0, seconds))
