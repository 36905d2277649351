"""What lasts, as Numba kernels: how rarely a day of this series shows as much as it shows now. That opens suspicions.

Four statistics of the distance from the season, each blind to single outliers: six of the last eight on one side, the
mean of a day with what the season has followed of late, the mean size of a day's distances, and a run of equal values.

**Calibration.** Neither how heavy a series' tails are nor how long its errors last is known beforehand, but its days
tell both: of each statistic the logarithm of the day's largest value is taken, and its mean and its mean excess over
that mean are learned. The tail is taken as exponential in the logarithm (Pareto: Hill 1975, on block maxima as Gumbel
1958 has them), and what few days leave open widens it: the predictive distribution of an exponential whose rate was
learned from k excesses is Lomax's, (1 + x / (k · h))^-k. What a day teaches is clipped; newer days weigh more.

`lasting_oracle` is the same, plain.
"""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
from math import log

from numba import njit
from numpy import float64

from anomaly.statistics.layout import (
    DRIFT,
    LASTING,
    LEVEL,
    MOVED,
    RECENT,
    RECENT_MOST,
    RECENT_UNIT,
    RESTLESS,
    SEASON,
    SHIFTED,
    SPREAD,
    STUCK,
)
from city.clock import DAY_US

RUN_FACTOR, RUN_SLACK = 1.5, 10.0
LEAST_VALUE = 0.25
"""Spreads, added before the logarithm: days on which hardly anything happened are alike."""
SETTLING_DAYS, MEMORY_DAYS = 3, 200.0
"""The first days set the mean outright; later ones fade within so many."""
STEEP_BEGIN, STEEP_PRIOR, STEEP_MIN, TEACH_MAX = 0.2, 4.0, 0.02, 5.0
"""Mean excess at first, how many excesses this is worth, the least believed, and how many one day may teach."""
CHOICE = log(1.5)
"""Half of the days lie above the mean (−ln 2), and the largest of three is taken (ln 3)."""
TYPICAL_RATE = 0.003
"""Of the usual distance of all hours, each hour: a memory of two weeks."""
ONE_DAY_S, ABSORBED_S = 86_400.0, 7.0 * 86_400.0
HOLD_MAX_S = 14.0 * 86_400.0
"""After a gap only what is stuck is told, for as long as it was, and for this at most: the season is found anew."""


@njit(cache=True, error_model="numpy")
def sixth(recent):
    """Return what six of the last eight distances reach on one side, in spreads; 0 where they do on neither."""
    best = 0
    for side in range(2):
        first, second, third = RECENT_MOST, RECENT_MOST, RECENT_MOST
        for j in range(RECENT):
            x = int(recent[j])
            if side == 1:
                x = -x
            if x < first:
                first, second, third = x, first, second
            elif x < second:
                second, third = x, second
            elif x < third:
                third = x
        best = max(best, third)
    return best * RECENT_UNIT


@njit(cache=True, error_model="numpy")
def _end_day(s):
    """Teach what the largest values of the day that has ended say of all days."""
    known = float64(s.days) - SETTLING_DAYS
    for c in range(LASTING):
        x = log(LEAST_VALUE + float64(s.peak[c]))
        middle, steep = float64(s.middle[c]), float64(s.steep[c])
        if known < 0.0:
            s.middle[c], s.steep[c] = x, STEEP_BEGIN
        else:
            excess = min(max(x - middle, -TEACH_MAX * steep), TEACH_MAX * steep)
            s.middle[c] = middle + 2.0 / min(known + 3.0, MEMORY_DAYS) * excess
            if excess > 0.0:
                rate = 2.0 / min(STEEP_PRIOR + 0.5 * known, 0.5 * MEMORY_DAYS)
                s.steep[c] = max(steep + rate * (excess - steep), STEEP_MIN)
    s.days = min(s.days + 1, 250)


@njit(cache=True, error_model="numpy")
def _rarest(s, shifted, moved, restless, learn):
    """Return −ln p of the rarest of three statistics, and its channel; the day's largest values are kept."""
    known = max(float64(s.days) - SETTLING_DAYS, 0.0)
    k = STEEP_PRIOR + 0.375 * min(known, MEMORY_DAYS)
    score, channel = 0.0, SEASON
    for c in range(LASTING):
        value = shifted if c == SHIFTED else (moved if c == MOVED else restless)
        if learn and value > s.peak[c]:
            s.peak[c] = value
        excess = log(LEAST_VALUE + value) - float64(s.middle[c])
        if known > 0.0 and excess > 0.0:
            nats = k * log(1.0 + excess / (k * float64(s.steep[c]))) - CHOICE
            if nats > score:
                score, channel = nats, (LEVEL if c == SHIFTED else (DRIFT if c == MOVED else SPREAD))
    return score, channel


@njit(cache=True, error_model="numpy")
def follow(s, moved):
    """Take what the season moved, mean of its hours, in the metric's unit; it fades within a week."""
    if s.days >= SETTLING_DAYS:
        s.absorbed = float64(s.absorbed) * (1.0 - min(s.interval_s / ABSORBED_S, 0.5)) + moved


@njit(cache=True, error_model="numpy")
def lasting(s, p, at, residual, hour_scale, gap_s, inverse, learn):
    """Return −ln of the share of this series' days that reach what it shows now, and the channel that says so.

    Parameters
    ----------
    residual : float, unit of the metric
        Distance from the season.
    hour_scale : float, unit of the metric
        Usual size of that in this hour. Half of what is judged by is the hour's, half that of all hours: an hour is
        visited once a day, and its own spread is known badly.
    gap_s : float, s
        How long nothing was heard; 0 where that is usual.

    References
    ----------
    oracle: ``anomaly.statistics.lasting_oracle.lasting``
    """
    typical = float64(s.typical)
    scale = 0.5 * (hour_scale + typical)
    z = residual / scale
    interval = float64(s.interval_s)
    hourly = min(interval / 3600.0, 1.0)
    if learn:
        size = min(abs(residual), p.clip * scale)
        s.typical = typical + max(TYPICAL_RATE * hourly, inverse) * (size - typical)
    if gap_s > 0.0:
        s.heard = 0
        s.day_mean, s.day_size = 0.0, s.scale[SEASON]
        s.hold_until = max(s.hold_until, at + int(1e6 * min(gap_s, HOLD_MAX_S)))
    held = at < s.hold_until
    if held:
        s.absorbed = 0.0
    day = at // DAY_US
    if day != s.day_of:
        if learn and not held and s.peak[RESTLESS] > 0.0:
            _end_day(s)
        for c in range(LASTING):
            s.peak[c] = 0.0
        s.day_of = day
    s.recent[s.turn] = int(min(max(z / RECENT_UNIT, -RECENT_MOST), RECENT_MOST))
    s.turn = (s.turn + 1) % RECENT
    s.heard = min(s.heard + 1, RECENT)
    rate = min(interval / ONE_DAY_S, 0.25)
    s.day_mean = float64(s.day_mean) + rate * (min(max(z, -p.clip), p.clip) * scale - float64(s.day_mean))
    s.day_size = float64(s.day_size) + rate * (min(abs(z), 2.0 * p.clip) - float64(s.day_size))
    shifted = sixth(s.recent) if s.heard == RECENT else 0.0
    moved = 2.0 * abs(float64(s.day_mean) + float64(s.absorbed)) / (typical + scale)
    restless = float64(s.day_size)
    score, channel = _rarest(s, shifted, moved, restless, learn and not held)
    if held:
        score, channel = 0.0, SEASON
    if s.run > RUN_FACTOR * s.longest + RUN_SLACK:
        # Whatever else is odd about a series that no longer moves comes of that.
        stuck = log(float64(s.n)) * s.run / (s.longest + RUN_SLACK) - log(ONE_DAY_S / interval)
        return max(stuck, score), STUCK
    return score, channel
