"""How far the air outside is from what it lately is at this time of the day: what rooms and heating answer to (kernel).

Rooms follow within hours what the air does, so the distance is smoothed. Only sums, products and comparisons.
"""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
import numpy as np
from numba import njit

QUARTER_US, DAY_US = 900_000_000, 86_400_000_000
SLOTS = DAY_US // QUARTER_US
STALE_US = 3 * 3_600_000_000
SMOOTH_US = 3 * 3_600_000_000
HABIT_RATE = 0.08
"""As fast as habits of series forget (`pattern.BASE_RATE`): what the weather had become is in both or in neither."""

WEATHER = np.dtype(
    [
        ("at", "i8"),  # when the last figure came, µs UTC; 0: never
        ("smoothed", "f8"),  # how far it is from its habit, °C
        ("departure", "f8"),  # the same as told at the last tick; NaN: nobody knows
        ("habit", "f8", SLOTS),  # by quarters of the day, UTC: the sun's
        ("seen", "u1", SLOTS),
    ],
    align=True,
)


@njit(cache=True)
def take(weather, now, outside_c):
    """Take what a tick says, and tell how far from its habit it is outside.

    Parameters
    ----------
    weather : WEATHER; changes
    now : int, µs UTC
    outside_c : float
        NaN where nobody measures it.

    References
    ----------
    docs/decisions/0016; oracle: ``anomaly.facilities.oracle.Outside``
    """
    if outside_c == outside_c:
        past_us = now - weather.at if weather.at != 0 else STALE_US
        slot = now % DAY_US // QUARTER_US
        known = weather.seen[slot] != 0
        away = outside_c - weather.habit[slot] if known else 0.0
        if past_us >= STALE_US:
            weather.smoothed = away
        elif known:
            weather.smoothed += min(past_us / SMOOTH_US, 1.0) * (away - weather.smoothed)
        if known:
            weather.habit[slot] += HABIT_RATE * min(past_us / QUARTER_US, 1.0) * away
        else:
            weather.habit[slot] = outside_c
            weather.seen[slot] = 1
        weather.at = now
    known = weather.at != 0 and now - weather.at < STALE_US
    weather.departure = weather.smoothed if known else np.nan
