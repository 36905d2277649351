"""What day and hour it is in the city, and whether a facility is open: what the rules of facilities go by."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from anomaly.facilities.layout import CLOSED, DAY_TYPES, NEAR, OPEN, SLOTS, UNKNOWN
from city.clock import DAY_US, HOUR_US, SECOND_US
from city.opening import OpeningHours, periods_between, stays_shut

BEFORE_US, AFTER_US = 2 * HOUR_US, 4 * HOUR_US
"""Heating begins so long before opening, and rooms have cooled so long after closing."""
NIGHT_US = 5 * HOUR_US
"""Up to so long after midnight the night of a closed building is of the kind of the day before."""
_BLOCK_DAYS = 64
_BLOCKS_MAX = 64
HOLIDAY = DAY_TYPES - 1
_EPOCH = date(1970, 1, 1)
_SLOT_US = DAY_US // SLOTS
_FAR = np.iinfo(np.int64).max // 4


@dataclass(frozen=True, slots=True)
class Moments:
    """What a calendar says of moments.

    Attributes
    ----------
    day : int64[n]
        Local days since 1970.
    slot, day_type, opened : int32[n]
        Quarter of the local day; kind of day, below `DAY_TYPES`, while closed that of the day before for `NIGHT_US`
        after midnight; `OPEN`, `CLOSED`, `NEAR` or `UNKNOWN`.
    """

    day: NDArray[np.int64]
    slot: NDArray[np.int32]
    day_type: NDArray[np.int32]
    opened: NDArray[np.int32]


class Calendar:
    """Of all facilities with the same hours.

    Days are of one kind if a facility keeps the same hours on them, working days and weekends apart. Where that makes
    too many kinds, or nobody knows the hours, they are working days, Saturdays and Sundays, and holidays.

    Parameters
    ----------
    hours : OpeningHours or None
        None: nobody knows.
    timezone : str
        The city's.
    """

    def __init__(self, hours: OpeningHours | None, timezone: str) -> None:
        self._hours, self._timezone, self._zone = hours, timezone, ZoneInfo(timezone)
        self._offsets: dict[int, int] = {}
        self._periods: dict[int, NDArray[np.int64]] = {}
        self._kinds: dict[object, int] | None = None
        if hours is not None:
            kinds = list(dict.fromkeys((day, number > 4) for number, day in enumerate(hours.weekly)))
            if len(kinds) <= HOLIDAY:
                self._kinds = {kind: number for number, kind in enumerate(kinds)}

    def at(self, at_us: NDArray[np.int64]) -> Moments:
        """Return what it says of moments, µs UTC."""
        hours, place = np.unique(at_us // HOUR_US, return_inverse=True)
        shift = np.array([self._offset_us(hour) for hour in hours.tolist()], np.int64)
        local = at_us + shift[place]
        day = local // DAY_US
        opened = self._opened(at_us, day)
        # How warm a closed building is at night, and what still runs in it, is of the day that ends.
        closed = (opened == CLOSED) | (opened == NEAR)
        days, day_place = np.unique((local - np.where(closed, NIGHT_US, 0)) // DAY_US, return_inverse=True)
        kinds = np.array([self._kind(number) for number in days.tolist()], np.int32)
        slot = (local % DAY_US // _SLOT_US).astype(np.int32)
        return Moments(day, slot, kinds[day_place], opened)

    def _offset_us(self, hour: int) -> int:
        """Return what the zone adds to UTC in one hour of it: the clocks of cities change theirs at full hours."""
        if hour not in self._offsets:
            if len(self._offsets) > 100_000:
                self._offsets.clear()
            offset = datetime.fromtimestamp(hour * 3600, UTC).astimezone(self._zone).utcoffset()
            assert offset is not None
            self._offsets[hour] = int(offset.total_seconds()) * SECOND_US
        return self._offsets[hour]

    def _kind(self, number: int) -> int:
        day = _EPOCH + timedelta(days=number)
        weekday, hours = day.weekday(), self._hours
        shut = hours is not None and stays_shut(hours, day)
        if shut:
            return HOLIDAY
        if self._kinds is None or hours is None:
            return max(weekday - 4, 0)
        return self._kinds[hours.weekly[weekday], weekday > 4]

    def _opened(self, at_us: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.int32]:
        out = np.full(len(at_us), UNKNOWN, np.int32)
        if self._hours is None:
            return out
        block = day // _BLOCK_DAYS
        for number in np.unique(block).tolist():
            edges = self._edges(number)
            mine = block == number
            at = at_us[mine]
            # Edges are openings and closings in turn, so an odd place is within a period.
            place = np.searchsorted(edges, at, "right")
            near = (at - edges[place - 1] < AFTER_US) | (edges[place] - at <= BEFORE_US)
            out[mine] = np.where(place % 2 == 0, OPEN, np.where(near, NEAR, CLOSED))
        return out

    def _edges(self, block: int) -> NDArray[np.int64]:
        """Return openings and closings around a block of local days, the first edge a closing long ago."""
        if block not in self._periods:
            if len(self._periods) >= _BLOCKS_MAX:
                self._periods.pop(next(iter(self._periods)))
            first = _EPOCH + timedelta(days=block * _BLOCK_DAYS - 2)
            assert self._hours is not None
            periods = periods_between(self._hours, first, first + timedelta(days=_BLOCK_DAYS + 4), self._timezone)
            inner = [edge for period in periods for edge in period]
            self._periods[block] = np.array([-_FAR, *inner, _FAR], np.int64)
        return self._periods[block]
