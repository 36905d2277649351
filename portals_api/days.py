"""Days that a form asks for, as the moments between which they lie in the city."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException


def between(since: str, until: str, timezone: str) -> tuple[datetime | None, datetime | None]:
    """Return the start of the first day and the end of the last; None where a field is empty.

    Raises
    ------
    HTTPException
        422: not a day as browsers write it, or out of reach.
    """
    zone = ZoneInfo(timezone)
    first, last = _day(since), _day(until)
    after = None if last is None else last + timedelta(days=1)
    return (None if first is None else _midnight(first, zone), None if after is None else _midnight(after, zone))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise HTTPException(422, "from and to are days, like 2026-11-24") from None
    if not 1900 <= day.year <= 2199:
        raise HTTPException(422, "that day is out of reach")
    return day
