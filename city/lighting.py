"""Lighting schedules: what the lamps of a feeder are commanded to do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from city.clock import DAY_US, MINUTE_US, from_datetime, to_datetime
from city.sun import burning_periods

FULL_PCT = 100


@dataclass(frozen=True, slots=True)
class LightingSchedule:
    """An astronomical clock.

    Attributes
    ----------
    lat, lon : float
        Where the clock believes to stand, degrees.
    elevation_below_deg : float
        The lamps burn while the sun is below this; −0.833° is sunset.
    dimming : tuple of (int, int)
        Minute of the local day and the level in percent from then on, ascending; the last one holds over midnight
        until the first. Empty: in full as long as they burn.
    timezone : str
        Of the dimming's times.
    """

    schedule_id: str
    lat: float
    lon: float
    elevation_below_deg: float
    dimming: tuple[tuple[int, int], ...] = ()
    timezone: str = "UTC"

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Rebuild a schedule from its fields as JSON gives them: lists where tuples were."""
        steps = tuple((int(minute), int(level)) for minute, level in plain.get("dimming", ()))
        return cls(**{**plain, "dimming": steps})

    def periods(self, start_us: int, end_us: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return starts and ends (µs UTC) of the burning periods that touch [start_us, end_us), whole."""
        return _periods(self, start_us // _BLOCK_US, -(-end_us // _BLOCK_US), start_us, end_us)

    def commanded_on(self, at_us: int) -> bool:
        """Tell whether the lamps should burn at `at_us`."""
        on, off = self.periods(at_us, at_us + 1)
        return bool(np.any((on <= at_us) & (at_us < off)))

    def dimming_level(self, at_us: int) -> int:
        """Return the level in percent that lamps are commanded to at `at_us`; 0 while they are off."""
        return self.level_if_on(at_us) if self.commanded_on(at_us) else 0

    def level_if_on(self, at_us: int) -> int:
        """Return the level in percent for lamps that burn at `at_us`."""
        if not self.dimming:
            return FULL_PCT
        local = to_datetime(at_us).astimezone(ZoneInfo(self.timezone))
        minute = local.hour * 60 + local.minute
        begun = [level for start, level in self.dimming if start <= minute]
        return begun[-1] if begun else self.dimming[-1][1]

    def levels(self, start_us: int, end_us: int) -> Iterator[tuple[int, int, int]]:
        """Yield the stretches of one level that touch [start_us, end_us): from and to (µs UTC), percent."""
        on, off = self.periods(start_us, end_us)
        for begin, end in zip(on.tolist(), off.tolist(), strict=True):
            cuts = [begin, *(at for at in self._dimming_times(begin, end) if begin < at < end), end]
            yield from ((a, b, self.level_if_on(a)) for a, b in pairwise(cuts))

    def _dimming_times(self, start_us: int, end_us: int) -> list[int]:
        """Return when a level begins on the local days of a period, ascending."""
        zone = ZoneInfo(self.timezone)
        first, last = (to_datetime(at).astimezone(zone).date() for at in (start_us, end_us))
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        times = [time(minute // 60, minute % 60, tzinfo=zone) for minute, _ in self.dimming]
        return sorted({from_datetime(datetime.combine(day, at)) for day in days for at in times})

    def next_on(self, after_us: int) -> int | None:
        """Return the start of the next burning period after `after_us`, if there is one within a year."""
        on, _ = self.periods(after_us, after_us + 366 * DAY_US)
        later = on[on > after_us]
        return int(later[0]) if len(later) else None

    def near_transition(self, at_us: int, guard_us: int = 15 * MINUTE_US) -> bool:
        """Tell whether a switching time lies within `guard_us` of `at_us`."""
        on, off = self.periods(at_us - guard_us, at_us + guard_us)
        return bool(np.any(np.abs(np.concatenate([on, off]) - at_us) < guard_us))


_BLOCK_US = 64 * DAY_US


def _periods(
    schedule: LightingSchedule, first_block: int, last_block: int, start_us: int, end_us: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    on, off = _blocks(schedule, first_block, last_block)
    touching = (off > start_us) & (on < end_us)
    return on[touching], off[touching]


@lru_cache(maxsize=256)
def _blocks(schedule: LightingSchedule, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cache periods by blocks of 64 days: live traffic asks for the same night millions of times."""
    pieces = [_block(schedule, number) for number in range(first, max(last, first + 1))]
    if len(pieces) == 1:
        return pieces[0]
    on = np.concatenate([piece[0] for piece in pieces])
    off = np.concatenate([piece[1] for piece in pieces])
    order = np.argsort(on, kind="stable")
    on, reach = on[order], np.maximum.accumulate(off[order])
    # A night on the border stands in both blocks; a polar night is one period however many blocks it fills.
    begins = np.ones(len(on), np.bool_)
    begins[1:] = on[1:] > reach[:-1]
    return on[begins], reach[np.append(begins[1:], True)] if len(on) else reach


@lru_cache(maxsize=4096)
def _block(schedule: LightingSchedule, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Compute one block by itself: a back-log of years costs what its years cost, once."""
    return burning_periods(
        number * _BLOCK_US,
        (number + 1) * _BLOCK_US,
        schedule.lat,
        schedule.lon,
        schedule.elevation_below_deg,
    )
