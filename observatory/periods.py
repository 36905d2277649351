"""The periods that a figure is told by: hours, or days of the city with its 23 and 25 hours."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from city.errors import DataError

BUCKETS_MAX = 800
"""A month of hours, or two years of days, in one answer."""


class Step(StrEnum):
    """How long a period is."""

    HOUR = "hour"
    DAY = "day"


DEFAULT_SPAN = {Step.HOUR: timedelta(hours=48), Step.DAY: timedelta(days=30)}


@dataclass(frozen=True, slots=True)
class Period:
    """Full hours or days, [since, until), UTC, cut by the city's zone."""

    since: datetime
    until: datetime
    step: Step
    timezone: str

    def buckets(self) -> list[tuple[datetime, datetime]]:
        """Return start and end of each bucket, ascending."""
        found: list[tuple[datetime, datetime]] = []
        start = self.since
        while start < self.until:
            end = _after(start, self.step, self.timezone)
            found.append((start, end))
            start = end
        return found


def period(
    since: datetime | None, until: datetime | None, step: Step, timezone: str, now: datetime, limit: int = BUCKETS_MAX
) -> Period:
    """Return the full buckets that touch [since, until), up to the one that holds `now`.

    Without `since` it goes back 48 hours or 30 days from `until`, without `until` to now.

    Raises
    ------
    DataError
        It ends before it begins, or has more than `limit` buckets.
    """
    last = min(until or now, now)
    first = since if since is not None else last - DEFAULT_SPAN[step]
    if first >= last:
        raise DataError("that time is empty: let `from` lie before `to`, and not in the future")
    longest = timedelta(hours=limit) if step is Step.HOUR else timedelta(days=limit)
    if last - first > longest:
        raise DataError(f"that is too long: at most {limit} {step}s in one answer; ask for less, or for step=day")
    begin = _floor(first, step, timezone)
    end = _floor(last - timedelta(microseconds=1), step, timezone)
    return Period(begin, _after(end, step, timezone), step, timezone)


def _floor(at: datetime, step: Step, timezone: str) -> datetime:
    local = at.astimezone(ZoneInfo(timezone))
    if step is Step.DAY:
        return datetime(local.year, local.month, local.day, tzinfo=local.tzinfo).astimezone(UTC)
    # Hours are cut in absolute time: the repeated hour of autumn is two.
    into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return at.astimezone(UTC) - into


def _after(start: datetime, step: Step, timezone: str) -> datetime:
    if step is Step.HOUR:
        return start + timedelta(hours=1)
    zone = ZoneInfo(timezone)
    day = start.astimezone(zone).date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
