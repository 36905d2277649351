"""Hours of the week by local time, or by the sun: the cells in which a series' season is learned (pure)."""

from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from city.clock import HOUR_US, MINUTE_US, to_datetime

_QUARTER_US = 15 * MINUTE_US
"""Offsets from UTC change at whole quarters of an hour, everywhere and always since 1972."""
_MONDAY_US = 4 * 24 * HOUR_US
"""The first Monday of 1970, in µs since its first day."""


def local_us(observed_at: NDArray[np.int64], timezone: str) -> NDArray[np.int64]:
    """Return local wall time as µs since 1970, of times in µs UTC; daylight saving as the zone has it.

    A day of 23 or 25 hours so leaves one cell out, or visits one twice: what people do follows the wall clock.
    """
    zone = ZoneInfo(timezone)
    quarters, where = np.unique(observed_at // _QUARTER_US, return_inverse=True)
    offsets = [to_datetime(int(q) * _QUARTER_US).astimezone(zone).utcoffset() for q in quarters]
    shift = np.array([0 if one is None else round(one.total_seconds() * 1e6) for one in offsets], np.int64)
    return observed_at + shift[where]


def hours_of_week(observed_at: NDArray[np.int64], timezone: str) -> NDArray[np.int16]:
    """Return hour cells, 0 (Monday, midnight) to 167, of local time."""
    return _hours(local_us(observed_at, timezone))


def hours_by_sun(
    observed_at: NDArray[np.int64], timezone: str, sunrise: NDArray[np.int64], sunset: NDArray[np.int64]
) -> NDArray[np.int16]:
    """Return hour cells of a day that is stretched so that the sun rises at 6 and sets at 18, all year.

    Cells next to 6 and 18 are then minutes from sunrise and sunset, within which a lamp's power has its steps.

    Parameters
    ----------
    observed_at : int64[n], µs UTC
    sunrise, sunset : int64[n], µs UTC
        Of the local day of each reading. Where the sun does not rise before it sets, local time stands.
    """
    local = local_us(observed_at, timezone)
    day, offset = local - local % (24 * HOUR_US), local - observed_at
    rise = np.clip(sunrise + offset - day, 1, 24 * HOUR_US - 2)
    fall = np.clip(sunset + offset - day, 2, 24 * HOUR_US - 1)
    now = local - day
    morning, noon, evening = (np.int64(6 * HOUR_US), np.int64(12 * HOUR_US), np.int64(18 * HOUR_US))
    with np.errstate(divide="ignore", invalid="ignore"):
        before = morning * (now / rise)
        between = morning + noon * ((now - rise) / (fall - rise))
        after = evening + morning * ((now - fall) / (24 * HOUR_US - fall))
    warped = np.where(now < rise, before, np.where(now < fall, between, after))
    warped = np.where(rise < fall, np.nan_to_num(warped), now)
    return _hours(day + np.clip(warped, 0, 24 * HOUR_US - 1).astype(np.int64))


def _hours(local: NDArray[np.int64]) -> NDArray[np.int16]:
    return ((local - _MONDAY_US) // HOUR_US % 168).astype(np.int16)
