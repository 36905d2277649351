"""Runs of equal values against how often a series, or a device's whole message, repeats itself (kernels)."""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
from numba import njit

CHANCE_SERIES, CHANCE_MESSAGE = 1e-9, 2e-7
"""A run is stuck when chance explains it with less than this."""
SERIES_MIN = 200
"""Readings of a series before its own runs are judged: many repeat themselves by nature."""
RATE_MIN = 0.002
LONGEST_TIMES = 2
"""A series is stuck that repeats itself for so many times longer than it ever did."""
CHANGES = 4
"""Messages in a row that differ before a device is no longer stuck."""


@njit(cache=True)
def take(s, same, at, before, begin_min, go_on_min, learn):
    """Count one value that is the `same` as that `before` (µs UTC), or not, into its runs.

    A run's chance is how often one begins, times how often one goes on for each further value.
    """
    if same:
        if s.run == 0:
            s.changed_at = before
            s.chance = max(s.begin_share, begin_min)
        else:
            s.chance *= max(1.0 - 1.0 / s.run_length, go_on_min)
        s.run += 1
    else:
        if learn:
            rate = max(RATE_MIN, 1.0 / (s.n + 20.0))
            s.begin_share += rate * ((1.0 if s.run > 0 else 0.0) - s.begin_share)
            if s.run > 0:
                s.run_length += max(0.02, rate) * (s.run - s.run_length)
            s.n += 1
            s.longest = max(s.longest, s.run)
        s.run = 0
        s.chance = 1.0
