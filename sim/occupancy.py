"""How full facilities are: by kind, weekday, hour and opening hours; pure functions of time."""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from city.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US, to_datetime
from city.opening import OpeningHours, periods_between
from sim.noise import wander

Times = NDArray[np.int64]
Values = NDArray[np.float64]

_HOURS = np.arange(25, dtype=np.float64)
_AHEAD_DAYS = 40

_PARKED = (
    *(0.16, 0.15, 0.14, 0.14, 0.14, 0.16, 0.2, 0.32, 0.55, 0.74, 0.82, 0.86, 0.85, 0.78, 0.7, 0.64, 0.66, 0.72),
    *(0.78, 0.74, 0.6, 0.45, 0.32, 0.22, 0.16),
)
_PARKED_AT_WEEKENDS = (
    *(0.3, 0.28, 0.24, 0.2, 0.17, 0.15, 0.15, 0.17, 0.22, 0.32, 0.45, 0.58, 0.66, 0.7, 0.62, 0.52, 0.56, 0.66),
    *(0.74, 0.76, 0.68, 0.58, 0.5, 0.42, 0.3),
)

_DAYS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    # Share of the places that are taken at each full hour of the local day: on working days, at weekends.
    "school": ((0,) * 8 + (0.5, 0.95, 0.95, 0.7, 0.95, 0.9, 0.6, 0.55, 0.5, 0.25) + (0,) * 7, (0,) * 25),
    "library": (
        (0,) * 8 + (0.05, 0.2, 0.35, 0.45, 0.45, 0.35, 0.2, 0.25, 0.4, 0.6, 0.7, 0.6, 0.35, 0.1) + (0,) * 3,
        (0,) * 9 + (0.05, 0.3, 0.5, 0.5, 0.4, 0.1) + (0,) * 10,
    ),
    "civic-centre": (
        (0,) * 8 + (0.2, 0.5, 0.6, 0.6, 0.5, 0.35, 0.15, 0.15, 0.25, 0.4, 0.5, 0.5, 0.4, 0.2) + (0,) * 3,
        (0,) * 9 + (0.2, 0.35, 0.4, 0.4, 0.25, 0.05) + (0,) * 10,
    ),
    "sports-hall": (
        (0,) * 8 + (0.1, 0.3, 0.3, 0.3, 0.2, 0.1, 0.1, 0.2, 0.4, 0.7, 0.9, 0.95, 0.9, 0.7, 0.3, 0, 0),
        (0,) * 9 + (0.3, 0.6, 0.8, 0.8, 0.6, 0.3, 0.2, 0.4, 0.5, 0.5, 0.4, 0.2, 0.05) + (0,) * 3,
    ),
    "pool": (
        (0,) * 7 + (0.2, 0.5, 0.4, 0.4, 0.35, 0.3, 0.3, 0.25, 0.25, 0.4, 0.7, 0.8, 0.75, 0.5, 0.25, 0.05, 0, 0),
        (0,) * 9 + (0.2, 0.5, 0.7, 0.7, 0.5, 0.3, 0.2, 0.3, 0.4, 0.4, 0.3, 0.1) + (0,) * 4,
    ),
    "market": (
        (0,) * 8 + (0.2, 0.45, 0.7, 0.85, 0.8, 0.6, 0.25, 0, 0, 0.3, 0.35, 0.2) + (0,) * 5,
        (0,) * 8 + (0.3, 0.6, 0.9, 1.0, 0.95, 0.7, 0.3) + (0,) * 10,
    ),
    "car-park": (
        _PARKED,
        _PARKED_AT_WEEKENDS,
    ),
}
assert all(len(day) == 25 for days in _DAYS.values() for day in days)


@lru_cache(maxsize=1 << 16)
def _offset_us(timezone: str, hour: int) -> int:
    """Return what a zone adds to UTC in one hour of it: zones change theirs at full hours."""
    offset = datetime.fromtimestamp(hour * 3600, UTC).astimezone(ZoneInfo(timezone)).utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) * SECOND_US


def local_us(timezone: str, at_us: Times) -> Times:
    """Return moments as if the city's clock were UTC's."""
    hours, place = np.unique(at_us // HOUR_US, return_inverse=True)
    shift = [_offset_us(timezone, hour) for hour in hours.tolist()]
    out: Times = at_us + np.array(shift, np.int64)[place]
    return out


class Occupancy:
    """The share of a facility's places that are taken.

    Parameters
    ----------
    hours : OpeningHours or None
        None: open always.
    """

    def __init__(self, kind: str, hours: OpeningHours | None, timezone: str, key: int) -> None:
        self._days = tuple(np.array(day) for day in _DAYS.get(kind, _DAYS["civic-centre"]))
        self._hours, self._timezone = hours, timezone
        self._key = key
        self._closed_days: dict[int, bool] = {}
        self._edges_us, self._known_us = np.zeros(0, np.int64), (0, 0)

    def open_share(self, at_us: Times) -> Values:
        """Return 1 where the facility is open, else 0."""
        if self._hours is None:
            return np.ones(len(at_us))
        if not len(at_us):
            return np.zeros(0)
        first, last = int(at_us.min()), int(at_us.max())
        if not self._known_us[0] <= first <= last < self._known_us[1]:
            self._know(self._hours, first, last)
        # Edges are openings and closings in turn, so an odd place is within a period.
        out: Values = (np.searchsorted(self._edges_us, at_us, "right") % 2).astype(np.float64)
        return out

    def _know(self, hours: OpeningHours, first_us: int, last_us: int) -> None:
        """Look up when it is open around moments, and a good while after: time goes on."""
        first, last = first_us // DAY_US * DAY_US, last_us // DAY_US * DAY_US + _AHEAD_DAYS * DAY_US
        day, until = to_datetime(first - 2 * DAY_US).date(), to_datetime(last + DAY_US).date()
        periods = periods_between(hours, day, until, self._timezone)
        self._edges_us = np.array([edge for period in periods for edge in period], np.int64)
        self._known_us = (first, last)

    def share(self, at_us: Times) -> Values:
        """Return how full it is, 0 to 1; nobody is there while it is closed."""
        local = local_us(self._timezone, at_us)
        day, hour = local // DAY_US, (local % DAY_US) / HOUR_US
        weekend = (day + 3) % 7 >= 5  # The first of January 1970 was a Thursday.
        typical = np.where(weekend, np.interp(hour, _HOURS, self._days[1]), np.interp(hour, _HOURS, self._days[0]))
        lively = 1 + 0.12 * wander(self._key, at_us, DAY_US) + 0.08 * wander(self._key + 1, at_us, 40 * MINUTE_US)
        out: Values = np.clip(typical * lively, 0, 1) * self._open_days(at_us, day)
        return out

    def _open_days(self, at_us: Times, day: Times) -> Values:
        """Return 0 on days on which the facility stays shut, else 1."""
        if self._hours is None or not self._hours.closed:
            return np.ones(len(at_us))
        days, place = np.unique(day, return_inverse=True)
        out: Values = np.array([0.0 if self._shut(number) else 1.0 for number in days.tolist()])[place]
        return out

    def _shut(self, day: int) -> bool:
        if day not in self._closed_days:
            date = to_datetime(day * DAY_US).date()
            assert self._hours is not None
            self._closed_days[day] = f"{date:%m-%d}" in self._hours.closed or date.isoformat() in self._hours.closed
        return self._closed_days[day]
