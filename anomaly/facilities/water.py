"""A leak: water that runs in the small hours, when nobody takes any (kernels)."""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
import numpy as np
from numba import njit

from anomaly.facilities.layout import NIGHTS

FIRST_HOUR, LAST_HOUR = 2, 5
NIGHTS_MIN = 7
ABOVE_Z, SURE_Z, PAIR_Z, DRIFT_SHARE = 3.0, 5.0, 8.0, 0.5
"""A night is above its like by so many units of their noise. One that stands out further, or some that do together, are
enough if the flow was above its habit for hours."""
DRIFT_RATE = 0.08
ADMIT_NIGHTS = 14
"""Nights in a row that are above the ratio before they are taken for how things are now."""
FLOOR = 0.002


@njit(cache=True)
def _median(values):
    ordered = np.sort(values)
    middle = len(ordered) // 2
    if len(ordered) % 2 == 1:
        return ordered[middle]
    return 0.5 * (ordered[middle - 1] + ordered[middle])


@njit(cache=True)
def _close_hour(s):
    """Take the hour that ends into the night's least."""
    if s.hour >= 0 and s.hour_n > 0:
        mean = s.hour_sum / s.hour_n
        if s.night_hours == 0 or mean < s.night_least:
            s.night_least = mean
        s.night_hours += 1
    s.hour = -1
    s.hour_n = 0
    s.hour_sum = 0.0


@njit(cache=True)
def _close_night(s, ratio, nights):
    """Compare the night that ends with those before; return 1: a leak, 0: none, -1: not known, and what was usual."""
    least = s.night_least
    n = s.nights
    if n < NIGHTS_MIN:
        s.night[s.night_ring] = least
        s.night_ring = (s.night_ring + 1) % NIGHTS
        s.nights = n + 1
        return -1, 0.0
    usual = _median(s.night[:n].copy())
    noise = 1.4826 * _median(np.abs(s.night[:n] - usual)) + 0.02 * abs(usual) + FLOOR
    z = (least - usual) / noise
    above = least > ratio * max(usual, 0.0) and z > ABOVE_Z
    if above:
        s.night_run += 1
        s.night_z += min(z, SURE_Z)
        if s.night_run == 1:
            s.leak_at = s.night_at
    else:
        s.night_run = 0
        s.night_z = 0.0
    runs = s.drift > DRIFT_SHARE * (least - usual) and (z > SURE_Z or s.night_z > PAIR_Z)
    if not above or s.night_run > ADMIT_NIGHTS:
        s.night[s.night_ring] = least
        s.night_ring = (s.night_ring + 1) % NIGHTS
        s.nights = min(n + 1, NIGHTS)
    if above and (runs or s.night_run >= nights):
        return 1, usual
    return (-1 if above else 0), usual


@njit(cache=True)
def skip(s):
    """Leave the night out: what was read in it says nothing."""
    s.hour = -1
    s.hour_n = 0
    s.hour_sum = 0.0
    s.night_hours = 0


@njit(cache=True)
def flow(s, at, day, slot, value, residual, ratio, nights):
    """Take one reading of a flow; return what a night that ends with it tells (see `_close_night`), least and usual."""
    s.drift += DRIFT_RATE * (residual - s.drift)
    hour = slot // 4
    told, usual, least = -1, 0.0, 0.0
    if s.hour >= 0 and (hour != s.hour or day != s.night_day):
        _close_hour(s)
    if s.night_hours > 0 and (day != s.night_day or hour >= LAST_HOUR):
        least = s.night_least
        if s.night_hours == LAST_HOUR - FIRST_HOUR:
            told, usual = _close_night(s, ratio, nights)
        s.night_hours = 0
    if FIRST_HOUR <= hour < LAST_HOUR:
        if s.night_hours == 0 and s.hour < 0:
            s.night_at = at
        s.night_day = day
        s.hour = hour
        s.hour_sum += value
        s.hour_n += 1
    return told, least, usual
