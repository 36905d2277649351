"""Time as an argument: the clock port, the system's clock, a scaled one for a simulated city, one set by hand."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """One city clock for all processes of an installation."""

    @property
    def speed(self) -> float:
        """City seconds that pass in one second of the machine's clock."""

    def now_us(self) -> int:
        """City time, int64 µs UTC."""


class SystemClock:
    """The machine's clock."""

    speed = 1.0

    def now_us(self) -> int:
        return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class ScaledClock:
    """City time that runs `speed` times as fast as the machine's clock, from one anchor that all processes share."""

    city_origin_us: int
    real_origin_us: int
    speed: float

    def now_us(self) -> int:
        return self.city_origin_us + int((time.time_ns() // 1000 - self.real_origin_us) * self.speed)


class ManualClock:
    """A clock that a test sets."""

    speed = 1.0

    def __init__(self, now_us: int = 0) -> None:
        self._now_us = now_us

    def now_us(self) -> int:
        return self._now_us

    def advance(self, seconds: float) -> None:
        """Move forward by `seconds` of city time."""
        self._now_us += int(seconds * SECOND_US)


def to_datetime(at_us: int) -> datetime:
    """Return µs UTC as an aware datetime.

    Raises
    ------
    OverflowError
        Before the year 1 or after 9999.
    """
    return _EPOCH + timedelta(microseconds=at_us)


def from_datetime(at: datetime) -> int:
    """Return an aware datetime as µs UTC."""
    delta = at - _EPOCH
    return (delta.days * 86400 + delta.seconds) * SECOND_US + delta.microseconds


def isoformat(at_us: int) -> str:
    """Return µs UTC as RFC 3339 with a Z, without a fraction where there is none."""
    return to_datetime(at_us).isoformat().replace("+00:00", "Z")


def hour_of(at_us: int) -> int:
    """Return the start of the UTC hour that holds `at_us`."""
    return at_us - at_us % HOUR_US
