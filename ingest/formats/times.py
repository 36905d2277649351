"""Times as devices write them: RFC 3339 with a zone, or integer milliseconds or seconds since 1970; ISO 8601."""

import re
from datetime import datetime
from functools import lru_cache

from city.clock import SECOND_US, from_datetime

MILLISECONDS_MAX = 253_402_300_799_999
"""The last millisecond of the year 9999."""

SECONDS_MIN, SECONDS_MAX = 978_307_200, 7_258_118_399
"""2001 to 2199 in seconds; as milliseconds it would all lie before April 1970, when no device observed anything."""

_LENGTH_MAX = len("2026-11-23T18:00:00.123456789+01:00")
_RFC3339 = re.compile(
    r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T ]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)"
    r"(\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
_ISO8601 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8})[T ]([0-9]{2}):?([0-9]{2})(?::?([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
    r"(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_ISO8601_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def parse_rfc3339(text: str) -> int:
    """Return µs UTC; digits beyond microseconds are cut off, a leap second counts as the second after it.

    As §5.6 allows, `t` and `z` may be small, and a space may stand for `T`.

    Raises
    ------
    ValueError
        Not a date and time with a zone, or one that no calendar has.
    """
    if len(text) > _LENGTH_MAX:
        raise ValueError("not RFC 3339 with a zone")
    return _parse_rfc3339(text)


@lru_cache(maxsize=4096)
def _parse_rfc3339(text: str) -> int:
    text = text.upper()
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("not RFC 3339 with a zone")
    if match[4] == "60":
        return from_datetime(datetime.fromisoformat(text[:17] + "59" + text[19:])) + SECOND_US
    return from_datetime(datetime.fromisoformat(text))


def parse_iso8601(value: object) -> int:
    """Return µs UTC of a date and time in ISO 8601, as FIWARE's devices and brokers write them.

    RFC 3339, and beside it the basic form (``20160125T092703Z``), a zone such as ``+0100`` or ``+01``, a decimal comma,
    no seconds, and no zone at all, which is UTC as FIWARE's own agents have it.

    Raises
    ------
    ValueError
        None of them.
    """
    match = _ISO8601.fullmatch(value.upper()) if type(value) is str and len(value) <= _LENGTH_MAX else None
    if match is None:
        raise ValueError("not a date and time in ISO 8601")
    day, hour, minute, second, fraction, zone = match.groups()
    if len(day) == 8:
        day = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    if zone not in (None, "Z"):
        zone = f"{zone[:3]}:{zone[3:].lstrip(':') or '00'}"
    return parse_rfc3339(f"{day}T{hour}:{minute}:{second or '00'}{'.' + fraction if fraction else ''}{zone or 'Z'}")


def is_date(text: str) -> bool:
    """Tell whether a text is a date, a date and time, or an interval of two of them."""
    return all(_is_date(part) for part in text.split("/", 2))


def _is_date(text: str) -> bool:
    if _ISO8601_DATE.fullmatch(text) is not None:
        return True
    try:
        parse_iso8601(text)
    except ValueError:
        return False
    return True


def is_blank(value: object) -> bool:
    """Tell whether what stands where a time may stand tells none: null, or a text of nothing but blanks."""
    return value is None or (isinstance(value, str) and not value.strip())


def integer(value: object) -> int | None:
    """Return a JSON integer (`5`, and `5.0`, which JSON Schema holds to be one as well), else None."""
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    return None


def parse_time(value: object) -> int:
    """Return a device's time, µs UTC.

    Raises
    ------
    ValueError
        Neither of the two forms.
    """
    if type(value) is str:
        return parse_rfc3339(value)
    count = integer(value)
    if count is None or not 0 <= count <= MILLISECONDS_MAX:
        raise ValueError("neither RFC 3339 nor milliseconds or seconds since 1970")
    return count * (SECOND_US if SECONDS_MIN <= count <= SECONDS_MAX else 1000)
