"""Statistics of one series as Numba kernels: judge, then learn, reading by reading. `oracle` is the same, plain.

Every reading is judged by what was learned before it, and only then learned: nothing looks ahead. State is stored in
f4 and computed with in f8, in the order written here. No fast-math: a replay must give the same bits.

**Change of normal.** A reading teaches at most `clip` spreads, so a fault hardly moves the level. A shift that stays is
learned all the same: every clipped reading also widens the spread, by (clip − 1) · rate, so what a reading may teach
grows until the level has arrived; then the spread falls back. The cells of the season learn in the same way at each
visit of their hour, and the range is widened at once. While a series is `frozen` all this stands still.

What opens suspicions is computed in `lasting`. Numba's cache looks at the age of a function's own file only: whoever
changes that file alone has to touch this one (`app.kernels` does that by itself).
"""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
from math import exp, isfinite, log, nan

from numba import njit
from numpy import float32, float64

from anomaly.statistics.lasting import RUN_FACTOR, RUN_SLACK, follow, lasting
from anomaly.statistics.layout import (
    BINS,
    DRIFT,
    EXTREME,
    LEARNED,
    LEVEL,
    SEASON,
    SPREAD,
    STUCK,
    TRANSITION,
    WEEK_CELLS,
)
from city.clock import DAY_US

YOUNG = 32
"""A series with fewer readings has no score."""
OLD = 30_000
"""Age counts up to this many readings."""
TAIL_BEGIN, TAIL_MAX, TAIL_PRIOR = 4.6, 9.2, 200.0
"""Share beyond the tail's begin: one in a hundred at first, one in ten thousand at least; readings that this weighs."""
SLOPE_BEGIN, SLOPE_MIN, SLOPE_MAX = 0.3, 0.05, 2.0
GAP_INTERVALS = 6.0
CALM_MAX, NAT = 10.0, 16.0
INTERVAL_RATE = 0.01
RATIO_FLOOR = 0.05
SMOOTHED_FLOOR, RAW_FLOOR = 0.01, 0.0001
RUN_BEGIN, RUN_FADE, RUN_MAX = 3, 1024, 65_535
HABIT_RATE = 0.0003
ODDS_PRIOR = 300.0
TOLD = 3.0
"""Nats: from a score of this on, its own channel is told, and below it that of the evidence."""
COUNT_MAX = 254
VISITS_MAX = 250
SETTLING = 20
"""The first readings set their cells outright."""
ORIGIN_FLOOR, LEAST = 1e-7, 1e-12
"""Nothing finer than this is told apart: as a share of the origin, and in the metric's unit."""
VALUE_MAX = 1e15


@njit(cache=True, error_model="numpy")
def _begin(s, at, value):
    s.observed_at = at
    s.origin = value
    s.n = 1
    s.longest = RUN_BEGIN
    s.bin = BINS // 2
    s.day_of = at // DAY_US
    for c in range(LEARNED):
        s.tail[c] = TAIL_BEGIN
        s.slope[c] = SLOPE_BEGIN


@njit(cache=True, error_model="numpy")
def _hear(s, p, at, inverse):
    """Move time; return the length of a gap that ended, s, and withhold something if so; 0 where none did."""
    elapsed = (at - s.observed_at) * 1e-6
    interval = float64(s.interval_s)
    s.observed_at = at
    if s.n > 4 and elapsed > GAP_INTERVALS * interval:
        s.calm = int(NAT * min(p.gap * log(elapsed / interval), CALM_MAX))
        # A device that speaks less often from now on has no gap each time.
        s.interval_s = interval + INTERVAL_RATE * (GAP_INTERVALS - 1.0) * interval
        return elapsed
    s.interval_s = interval + max(INTERVAL_RATE, inverse) * (elapsed - interval)
    s.calm = s.calm * 15 // 16
    return 0.0


@njit(cache=True, error_model="numpy")
def _tail(s, p, c, z, inverse, learn):
    """Return −ln p of a channel that stands at z of its scales: Gaussian in shape up to the tail, Pareto beyond."""
    tail = float64(s.tail[c])
    share = z / p.tail_from
    if share <= 1.0:
        if learn:
            s.tail[c] = min(tail + max(p.tail_rate, inverse), TAIL_MAX)
        return min(tail * share * share, p.limit)
    slope = float64(s.slope[c])
    excess = log(share)
    if learn:
        rate = max(p.tail_rate, 1.0 / (float64(s.n) + TAIL_PRIOR))
        s.tail[c] = -log(exp(-tail) * (1.0 - rate) + rate)
        s.slope[c] = min(max(slope + p.slope_rate * (excess - slope), SLOPE_MIN), SLOPE_MAX)
    return min(tail + excess / slope, p.limit)


@njit(cache=True, error_model="numpy")
def _channel(s, p, c, value, floor, inverse, age, learn):
    """Return −ln p of a channel's value, and more where it is the largest so far."""
    size = abs(value)
    scale = float64(s.scale[c])
    top = float64(s.top[c])
    nats = _tail(s, p, c, size / (scale + floor), inverse, learn)
    if size > top and s.n > YOUNG and size > 2.0 * scale:
        nats += p.record_weight * min((size / (top + floor) - 1.0) / p.ramp, 1.0) * age
    if learn:
        s.scale[c] = scale + max(p.slow, inverse) * (min(size, p.clip * (scale + floor)) - scale)
        s.top[c] = size if size > top else top - p.range_decay * top
    return nats


@njit(cache=True, error_model="numpy")
def _transition(s, p, bin_now, gap, inverse, learn):
    """Return how far the smoothed surprise of transitions lies above its mean."""
    row = s.bin * BINS
    s.bin = bin_now
    surprise = float64(s.surprise)
    if not gap:
        total = 0
        for j in range(BINS):
            total += s.counts[row + j]
        count = s.counts[row + bin_now]
        surprise += p.surprise_rate * (log((total + 1.6) / (count + 0.1)) - surprise)
        s.surprise = surprise
        if learn:
            if count >= COUNT_MAX:
                for j in range(BINS):
                    s.counts[row + j] = s.counts[row + j] >> 1
            s.counts[row + bin_now] += 1
    mean = float64(s.surprise_mean)
    if learn:
        s.surprise_mean = mean + max(p.slow, inverse) * (surprise - mean)
    return max(surprise - mean, 0.0)


@njit(cache=True, error_model="numpy")
def _stuck(s, x, learn):
    """Tell whether a value has repeated far longer than it ever did."""
    if float32(x) == s.last:
        s.run = min(s.run + 1, RUN_MAX)
        return s.run > RUN_FACTOR * s.longest + RUN_SLACK
    s.last = x
    if learn and s.run > 0:
        s.longest = s.run if s.run > s.longest else s.longest - (s.longest - s.run) // RUN_FADE
    s.run = 0
    return False


@njit(cache=True, error_model="numpy")
def _learn_season(s, p, hour, cell, residual, clipped, size, trust):
    """Teach the cells of this hour what a reading differs from them, `size` being the clipped distance."""
    a_visit = min(float64(s.interval_s) / 3600.0, 1.0)
    visits = s.visits[hour]
    spread = float64(s.day[hour, 1])
    rate = trust * max(p.day_rate * a_visit, 1.0 / (1.0 + visits))
    if s.n < SETTLING:
        rate, clipped = 1.0, residual
    s.day[hour, 0] = float64(s.day[hour, 0]) + rate * clipped
    s.day[hour, 1] = spread + rate * (size - spread)
    # A level that is found anew belongs to all days; taken for this day's own it would come back as an echo in a week.
    weekly = trust * p.week_rate * a_visit if s.observed_at >= s.hold_until else 0.0
    s.week[cell] = float64(s.week[cell]) + weekly * clipped
    follow(s, (rate + weekly / 7.0) * clipped / 24.0)
    if visits < VISITS_MAX:
        s.visits[hour] = visits + 1


@njit(cache=True, error_model="numpy")
def _learn_range(s, p, x, level):
    low, high = float64(s.low), float64(s.high)
    s.high = x if x > high else high - p.range_decay * (high - level)
    s.low = x if x < low else low + p.range_decay * (level - low)


@njit(cache=True, error_model="numpy")
def _news(s, p, evidence, learn):
    """Return the evidence where it exceeds the decaying record: an episode speaks once; 0 elsewhere."""
    record, habit = float64(s.record), float64(s.habit)
    news = 0.0
    if evidence > record:
        news = max(evidence - p.habit * habit, 0.0)
        record = evidence * p.rise
    else:
        record *= p.record_decay
    s.record = record
    if learn:
        s.habit = habit + max(HABIT_RATE, 1.0 / (float64(s.n) + ODDS_PRIOR)) * (record - habit)
    return news


@njit(cache=True, error_model="numpy")
def _largest(season, shift, drift, noise, change, extreme, stuck):
    best, channel = season, SEASON
    if shift > best:
        best, channel = shift, LEVEL
    if drift > best:
        best, channel = drift, DRIFT
    if noise > best:
        best, channel = noise, SPREAD
    if change > best:
        best, channel = change, TRANSITION
    if extreme > best:
        best, channel = extreme, EXTREME
    if stuck > best:
        best, channel = stuck, STUCK
    return channel


@njit(cache=True, error_model="numpy")
def judge(s, p, at, cell, value):
    """Judge one reading, then learn it; return score, news, channel and expected value.

    References
    ----------
    docs/detection.md; oracle: ``anomaly.statistics.oracle.judge``
    """
    if s.n == 0:
        _begin(s, at, value)
        return 0.0, 0.0, SEASON, value
    n = float64(s.n)
    inverse = 1.0 / (n + 1.0)
    age = log(min(n, OLD))
    learn = s.frozen == 0
    gap_s = _hear(s, p, at, inverse)
    gap = gap_s > 0.0
    x = value - s.origin
    level, spread = float64(s.level), float64(s.spread)
    low, high = float64(s.low), float64(s.high)
    least = ORIGIN_FLOOR * abs(s.origin) + LEAST
    floor = p.floor * (high - low) + least

    hour = cell % 24
    if s.visits[hour] == 0:
        s.day[hour, 0], s.day[hour, 1] = level, spread
    base = float64(s.day[hour, 0]) + float64(s.week[cell])
    season_scale = float64(s.day[hour, 1]) + floor
    level_scale = spread + floor
    season_z = (x - base) / season_scale
    level_z = (x - level) / level_scale
    season_clipped = min(max(season_z, -p.clip), p.clip)
    level_clipped = min(max(level_z, -p.clip), p.clip)

    smooth_level = float64(s.level_z) + p.level_smooth * (level_clipped - float64(s.level_z))
    smooth_drift = float64(s.drift_z) + p.drift_smooth * (season_clipped - float64(s.drift_z))
    size = min(abs(season_z), 2.0 * p.clip)
    short = float64(s.short) + max(p.short_rate, inverse) * (size - float64(s.short))
    s.level_z, s.drift_z, s.short = smooth_level, smooth_drift, short
    ratio = log((short + RATIO_FLOOR) / (float64(s.scale[SEASON]) + RATIO_FLOOR))
    if ratio < 0.0:
        ratio *= p.down
    bin_now = min(int(8.0 + 8.0 * level_z / (1.0 + abs(level_z))), BINS - 1)
    surprise = _transition(s, p, bin_now, gap, inverse, learn)
    beyond = max(x - high, low - x) / (high - low + least)
    extreme = min(beyond / p.ramp, 1.0) * age if beyond > 0.0 else 0.0
    stuck = age if _stuck(s, x, learn) else 0.0

    season = p.season_weight * _channel(s, p, SEASON, season_z, RAW_FLOOR, inverse, age, learn)
    shift = p.level_weight * _channel(s, p, LEVEL, smooth_level, SMOOTHED_FLOOR, inverse, age, learn)
    drift = p.drift_weight * _channel(s, p, DRIFT, smooth_drift, SMOOTHED_FLOOR, inverse, age, learn)
    noise = p.spread_weight * _channel(s, p, SPREAD, ratio, SMOOTHED_FLOOR, inverse, age, learn)
    change = p.transition_weight * _channel(s, p, TRANSITION, surprise, SMOOTHED_FLOOR, inverse, age, learn)
    extreme *= p.extreme_weight
    stuck *= p.stuck_weight
    total = season + shift + drift + noise + change + extreme + stuck
    channel = _largest(season, shift, drift, noise, change, extreme, stuck)

    score, reason = lasting(s, p, at, x - base, season_scale + floor, gap_s, inverse, learn)
    calm = s.calm / NAT
    evidence = total - p.age * (age - log(1000.0)) - calm
    if learn:
        trust = 1.0 / (1.0 + calm)
        s.level = level + trust * max(p.level_rate, inverse) * (level_clipped * level_scale)
        s.spread = spread + trust * max(p.spread_rate, inverse) * (abs(level_clipped) * level_scale - spread)
        clipped = season_clipped * season_scale
        _learn_season(s, p, hour, cell, x - base, clipped, abs(clipped), trust)
        _learn_range(s, p, x, level)
        s.n += 1
    if n < YOUNG:
        return 0.0, 0.0, channel, base + s.origin
    return score, _news(s, p, evidence, learn), reason if score >= TOLD else channel, base + s.origin


@njit(cache=True, error_model="numpy")
def score_rows(row, observed_at, cell, value, states, parameters, score, news, channel, expected):
    """Judge and learn readings, those of one series in the order of time; a batch sorted by series is much faster.

    Parameters
    ----------
    row : int32[n]
        Of `states`.
    observed_at : int64[n], µs UTC
    cell : int16[n], hour of the week, 0 to 167
        By local time, or by the sun: see `cells`.
    value : float64[n], unit of the metric
        Not finite, or beyond `VALUE_MAX`: passed over, nothing learned.
    states : layout.STATE[m]
        Change in place; zeroed is a series that was never heard.
    parameters : parameters.PARAMETERS[1]
    score : float32[n], nats, out
        −ln of the share of this series' own days that reach as much of what lasts: see `lasting`; opens suspicions.
        0 where passed over or refused, and after a gap.
    news : float32[n], nats, out
        The evidence, all channels together, where it says something new; 0 elsewhere.
    channel : uint8[n], out
        Which channel weighed most: in the score where that is at least `TOLD`, else in the evidence.
    expected : float32[n], unit of the metric, out
        Baseline of the season; NaN where passed over or refused.

    Returns
    -------
    n_refused : int
        Readings not newer than their series' last, or without a cell; they change nothing.

    References
    ----------
    oracle: ``anomaly.statistics.oracle.score_rows``
    """
    refused = 0
    p = parameters[0]
    for i in range(len(row)):
        score[i], news[i], channel[i], expected[i] = 0.0, 0.0, SEASON, nan
        s = states[row[i]]
        if (observed_at[i] <= s.observed_at and s.n > 0) or cell[i] < 0 or cell[i] >= WEEK_CELLS:
            refused += 1
        elif isfinite(value[i]) and abs(value[i]) <= VALUE_MAX:
            score[i], news[i], channel[i], expected[i] = judge(s, p, observed_at[i], cell[i], value[i])
    return refused
