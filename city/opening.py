"""When a facility is open: hours by weekday in the city's local time, and the days on which it stays shut."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from city.clock import from_datetime, to_datetime

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MIN = 24 * 60

_LOOK_AHEAD_DAYS = 400
_LINE = re.compile(r"([a-z]{3})(?:-([a-z]{3}))?((?:\s+\d\d:\d\d-\d\d:\d\d)+)")
_RANGE = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_CLOSED = re.compile(r"(?:(\d{4})-)?(\d\d)-(\d\d)")

Range = tuple[int, int]
"""From and until, minutes of the local day; `until` above 1,440 reaches into the next day."""


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """Hours of one facility.

    Attributes
    ----------
    weekly : tuple of seven tuples of Range
        Monday first, each ascending.
    closed : tuple of str
        ``MM-DD`` of every year or ``YYYY-MM-DD``: nothing begins on these days.
    """

    weekly: tuple[tuple[Range, ...], ...]
    closed: tuple[str, ...] = ()

    def as_plain(self) -> dict[str, Any]:
        """Return JSON values, for `from_plain`."""
        return {"weekly": [[list(r) for r in day] for day in self.weekly], "closed": list(self.closed)}


def from_plain(plain: Mapping[str, Any]) -> OpeningHours:
    """Rebuild hours from the values that `OpeningHours.as_plain` gave."""
    weekly = tuple(tuple((int(low), int(high)) for low, high in day) for day in plain["weekly"])
    return OpeningHours(weekly, tuple(plain["closed"]))


def is_open(hours: OpeningHours, at_us: int, timezone: str) -> bool:
    """Tell whether a facility is open at `at_us` (µs UTC)."""
    zone = ZoneInfo(timezone)
    today = to_datetime(at_us).astimezone(zone).date()
    return any(
        start <= at_us < end
        for day in (today - timedelta(days=1), today)
        for start, end in _periods_of(hours, day, zone)
    )


def next_change(hours: OpeningHours, at_us: int, timezone: str) -> int | None:
    """Return when a facility opens or closes next after `at_us` (µs UTC).

    Returns
    -------
    int or None
        None where it is open always, or never, within a year.
    """
    zone = ZoneInfo(timezone)
    today = to_datetime(at_us).astimezone(zone).date()
    now_open = is_open(hours, at_us, timezone)
    reach = at_us  # Up to when it is known to stay open.
    for ahead in range(-1, _LOOK_AHEAD_DAYS):
        day = today + timedelta(days=ahead)
        if now_open and ahead > 0 and reach < from_datetime(_local(day, 0, zone)):
            return reach
        for start, end in _periods_of(hours, day, zone):
            if now_open:
                if start > reach:
                    return reach
                reach = max(reach, end)
            elif start > at_us:
                return start
    return None


def periods_between(hours: OpeningHours, first: date, last: date, timezone: str) -> list[tuple[int, int]]:
    """Return all periods (µs UTC) that begin on local days, joined where they touch; ascending."""
    zone = ZoneInfo(timezone)
    joined: list[tuple[int, int]] = []
    for ahead in range((last - first).days + 1):
        for start, end in _periods_of(hours, first + timedelta(days=ahead), zone):
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((start, end))
    return joined


def stays_shut(hours: OpeningHours, day: date) -> bool:
    """Tell whether nothing begins on a local day because it is a holiday."""
    return f"{day:%m-%d}" in hours.closed or day.isoformat() in hours.closed


def _periods_of(hours: OpeningHours, day: date, zone: ZoneInfo) -> list[tuple[int, int]]:
    """Return the periods (µs UTC) that begin on a local day."""
    if stays_shut(hours, day):
        return []
    return [
        (from_datetime(_local(day, low, zone)), from_datetime(_local(day, high, zone)))
        for low, high in hours.weekly[day.weekday()]
    ]


def _local(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """Return a local time of day; minutes beyond midnight belong to the next one."""
    on = day + timedelta(days=minute // DAY_MIN)
    return datetime.combine(on, time(minute % DAY_MIN // 60, minute % 60), zone).astimezone(UTC)


def parse_hours(lines: Sequence[str]) -> tuple[tuple[Range, ...], ...]:
    """Read lines such as ``mon-fri 09:00-14:00 16:00-20:00``; hours that end at or before their start end next day.

    Raises
    ------
    ValueError
        With what is wrong and how to write it.
    """
    weekly: list[list[Range]] = [[] for _ in DAYS]
    for line in lines:
        found = _LINE.fullmatch(line.strip())
        first, last = (found[1], found[2] or found[1]) if found else ("", "")
        if found is None or first not in DAYS or last not in DAYS:
            raise ValueError(f"{line[:60]!r} is not hours: write days and times such as mon-fri 09:00-14:00")
        ranges = [_range(line, *map(int, part)) for part in _RANGE.findall(found[3])]
        low, high = DAYS.index(first), DAYS.index(last)
        for step in range((high - low) % 7 + 1):
            weekly[(low + step) % 7] += ranges
    for day, ranges in zip(DAYS, weekly, strict=True):
        ranges.sort()
        for (_, end), (start, _) in pairwise(ranges):
            if start < end:
                raise ValueError(f"the hours of {day} overlap: write each hour once")
    return tuple(tuple(ranges) for ranges in weekly)


def _range(line: str, hour: int, minute: int, to_hour: int, to_minute: int) -> Range:
    low, high = hour * 60 + minute, to_hour * 60 + to_minute
    if minute > 59 or to_minute > 59 or low >= DAY_MIN or high > DAY_MIN:
        raise ValueError(f"{line[:60]!r} has a time that no clock shows: write 00:00 to 24:00")
    return low, high if high > low else high + DAY_MIN


def parse_closed(text: str) -> str:
    """Return a day on which a facility stays shut.

    Raises
    ------
    ValueError
        Not ``MM-DD`` or ``YYYY-MM-DD``, or no such day.
    """
    found = _CLOSED.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        date(int(found[1] or 2000), int(found[2]), int(found[3]))  # 2000: the 29th of February is a day of every year
    except ValueError:
        raise ValueError(f"{text[:60]!r} is not a day: write 12-25, or 2026-12-24 for one year") from None
    return text
