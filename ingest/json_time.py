"""Reads times of plain JSON, milliseconds, seconds or RFC 3339, from 1970 to 2199: Numba kernels."""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
import numpy as np

from ingest.formats.times import MILLISECONDS_MAX, SECONDS_MAX, SECONDS_MIN
from ingest.json_text import ABSENT, integer_of, text_of
from ingest.kernel import kernel
from ingest.words import byte_at

_MONTH_STARTS = np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365])


@kernel
def time_of(data, position, end):
    """Read a time; return where it ends (-1: given up), and µs UTC."""
    if position < end and byte_at(data, position) != 34:
        position, count = integer_of(data, position, end, MILLISECONDS_MAX)
        return position, count * (1_000_000 if SECONDS_MIN <= count <= SECONDS_MAX else 1000)
    position, start, stop = text_of(data, position, end)
    if position < 0:
        return -1, ABSENT
    at = _rfc3339(data, start, stop)
    return (position, at) if at >= 0 else (-1, ABSENT)


@kernel
def _digits(data, position, count):
    """Return the number that `count` digits write, -1 if they are none."""
    number = 0
    for index in range(position, position + count):
        if not 48 <= byte_at(data, index) <= 57:
            return -1
        number = number * 10 + byte_at(data, index) - 48
    return number


@kernel
def _rfc3339(data, start, end):
    """Return µs UTC of ``2026-11-23T18:00:00.123+01:00``; -1 for what is not, or is before 1970 or after 2199."""
    if (
        not 20 <= end - start <= 35
        or byte_at(data, start + 10) != 84
        or byte_at(data, start + 4) != 45
        or byte_at(data, start + 7) != 45
    ):
        return -1
    if byte_at(data, start + 13) != 58 or byte_at(data, start + 16) != 58:
        return -1
    year, month, day = _digits(data, start, 4), _digits(data, start + 5, 2), _digits(data, start + 8, 2)
    hour, minute, second = (
        _digits(data, start + 11, 2),
        _digits(data, start + 14, 2),
        _digits(data, start + 17, 2),
    )
    if not 1970 <= year <= 2199 or not 1 <= month <= 12 or not 0 <= hour <= 23:
        return -1
    leap = 1 if (year % 4 == 0 and year % 100 != 0) or year % 400 == 0 else 0
    length = _MONTH_STARTS[month] - _MONTH_STARTS[month - 1] + (leap if month == 2 else 0)
    if not 1 <= day <= length or not 0 <= minute <= 59 or not 0 <= second <= 59:
        return -1
    position, micros = start + 19, 0
    if byte_at(data, position) == 46:
        position += 1
        unit, first = 100_000, position
        while position < end and 48 <= byte_at(data, position) <= 57:
            micros += (byte_at(data, position) - 48) * unit
            unit //= 10
            position += 1
        if not 1 <= position - first <= 9:
            return -1
    shift = _zone(data, position, end)
    if shift <= -100_000:
        return -1
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400 - 719_162
    days += _MONTH_STARTS[month - 1] + (leap if month > 2 else 0) + day - 1
    at = (days * 86_400 + hour * 3_600 + minute * 60 + second - shift) * 1_000_000 + micros
    return at if at >= 0 else -1


@kernel
def _zone(data, position, end):
    """Return how many seconds a zone is ahead of UTC; -100,000 for what is no zone."""
    if end - position == 1 and byte_at(data, position) == 90:
        return 0
    if (
        end - position != 6
        or byte_at(data, position + 3) != 58
        or (byte_at(data, position) != 43 and byte_at(data, position) != 45)
    ):
        return -100_000
    hours, minutes = _digits(data, position + 1, 2), _digits(data, position + 4, 2)
    if not 0 <= hours <= 23 or not 0 <= minutes <= 59:
        return -100_000
    seconds = hours * 3_600 + minutes * 60
    return seconds if byte_at(data, position) == 43 else -seconds
