"""Statistics of one series in slow plain Python: what `kernels` must compute, bit by bit.

State is a dictionary of Python numbers; what is stored as f4 is rounded on storing, and the order of operations is the
kernels'.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, isfinite, log, nan
from typing import Any

import numpy as np

from anomaly.statistics import kernels as k
from anomaly.statistics import lasting as lasting_kernels
from anomaly.statistics.lasting_oracle import follow, lasting
from anomaly.statistics.layout import BINS, DAY_CELLS, LASTING, LEARNED, RECENT, SEASON, STATE, WEEK_CELLS
from anomaly.statistics.parameters import Parameters
from city.clock import DAY_US

_EPISODE = ("observed_at", "run", "bin", "frozen", "calm", "hold_until", "day_of", "turn", "heard")
_WHOLE = ("origin", "n", "longest", "days", *_EPISODE)
_LISTS = ("scale", "tail", "slope", "top", "visits", "day", "week", "counts", "recent", "peak", "middle", "steep")


class Series:
    """One series; fields as in `layout.STATE`."""

    def __init__(self) -> None:
        for name in STATE.names or ():
            object.__setattr__(self, name, 0 if name in _WHOLE else 0.0)
        self.scale, self.tail, self.slope, self.top = (Floats([0.0] * LEARNED) for _ in range(4))
        self.visits = [0] * DAY_CELLS
        self.day = [Floats([0.0, 0.0]) for _ in range(DAY_CELLS)]
        self.week = Floats([0.0] * WEEK_CELLS)
        self.counts = [0] * (BINS * BINS)
        self.recent = [0] * RECENT
        self.peak, self.middle, self.steep = (Floats([0.0] * LASTING) for _ in range(3))

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value if name in _WHOLE + _LISTS else f4(value))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def row(self) -> Any:
        """Return the state as the kernels keep it."""
        found = np.zeros((), STATE)
        for name in STATE.names or ():
            if name not in ("reserved", "spare"):
                found[name] = getattr(self, name)
        return found


class Floats(list[float]):
    """A list whose items are stored as f4."""

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(index, f4(value))


def f4(value: float) -> float:
    """Round as storing in f4 does."""
    return float(np.float32(value))


@dataclass(slots=True)
class Scores:
    """What `score_rows` writes, by reading."""

    score: list[float] = field(default_factory=list)
    news: list[float] = field(default_factory=list)
    channel: list[int] = field(default_factory=list)
    expected: list[float] = field(default_factory=list)
    refused: int = 0


def score_rows(
    rows: Sequence[int], observed_at: Sequence[int], cells: Sequence[int], values: Sequence[float],
    states: Sequence[Series], p: Parameters,
) -> Scores:  # fmt: skip
    """Judge and learn readings one by one."""
    out = Scores()
    for row, at, cell, value in zip(rows, observed_at, cells, values, strict=True):
        s = states[row]
        found = (0.0, 0.0, SEASON, nan)
        if (s.n and at <= s.observed_at) or not 0 <= cell < WEEK_CELLS:
            out.refused += 1
        elif isfinite(value) and abs(value) <= k.VALUE_MAX:
            found = judge(s, p, at, cell, value)
        out.score.append(f4(found[0]))
        out.news.append(f4(found[1]))
        out.channel.append(found[2])
        out.expected.append(f4(found[3]))
    return out


def judge(s: Series, p: Parameters, at: int, cell: int, value: float) -> tuple[float, float, int, float]:
    """Judge one reading, then learn it; return score, news, channel and expected value."""
    if s.n == 0:
        s.observed_at, s.origin, s.n, s.longest, s.bin = at, value, 1, k.RUN_BEGIN, BINS // 2
        s.day_of = at // DAY_US
        s.tail, s.slope = (Floats([f4(begin)] * LEARNED) for begin in (k.TAIL_BEGIN, k.SLOPE_BEGIN))
        return 0.0, 0.0, SEASON, value
    n = float(s.n)
    inverse = 1.0 / (n + 1.0)
    age = log(min(n, k.OLD))
    learn = not s.frozen
    gap_s = _hear(s, p, at, inverse)
    x = value - s.origin
    level, spread, low, high = s.level, s.spread, s.low, s.high
    least = k.ORIGIN_FLOOR * abs(s.origin) + k.LEAST
    floor = p.floor * (high - low) + least

    day = s.day[cell % 24]
    if s.visits[cell % 24] == 0:
        day[0], day[1] = level, spread
    base = day[0] + s.week[cell]
    season_z = (x - base) / (day[1] + floor)
    level_z = (x - level) / (spread + floor)
    season_clipped, level_clipped = _clip(season_z, p.clip), _clip(level_z, p.clip)
    smooth_level = s.level_z + p.level_smooth * (level_clipped - s.level_z)
    smooth_drift = s.drift_z + p.drift_smooth * (season_clipped - s.drift_z)
    ratio = _ratio(s, p, min(abs(season_z), 2.0 * p.clip), inverse)
    s.level_z, s.drift_z = smooth_level, smooth_drift
    bin_now = min(int(8.0 + 8.0 * level_z / (1.0 + abs(level_z))), BINS - 1)
    surprise = _transition(s, p, bin_now, gap_s > 0.0, inverse, learn)
    beyond = max(x - high, low - x) / (high - low + least)
    extreme = min(beyond / p.ramp, 1.0) * age if beyond > 0.0 else 0.0
    stuck = age if _stuck(s, x, learn) else 0.0

    nats = [p.season_weight * _channel(s, p, 0, season_z, k.RAW_FLOOR, inverse, age, learn)]
    for c, (weight, one) in enumerate(
        (
            (p.level_weight, smooth_level),
            (p.drift_weight, smooth_drift),
            (p.spread_weight, ratio),
            (p.transition_weight, surprise),
        ),
        1,
    ):
        nats.append(weight * _channel(s, p, c, one, k.SMOOTHED_FLOOR, inverse, age, learn))
    extreme *= p.extreme_weight
    nats += [extreme, stuck * p.stuck_weight]
    total = 0.0
    for one in nats:
        total += one
    score, reason = lasting(s, p, at, x - base, day[1] + floor + floor, gap_s, inverse, learn)
    evidence = total - p.age * (age - log(1000.0)) - s.calm / k.NAT
    if learn:
        _learn(s, p, cell, x, base, (level_clipped, spread + floor), (season_clipped, day[1] + floor), inverse)
    channel = nats.index(max(nats))
    if n < k.YOUNG:
        return 0.0, 0.0, channel, base + s.origin
    return score, _news(s, p, evidence, learn), reason if score >= k.TOLD else channel, base + s.origin


def _clip(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)


def _hear(s: Series, p: Parameters, at: int, inverse: float) -> float:
    elapsed: float = (at - s.observed_at) * 1e-6
    s.observed_at = at
    if s.n > 4 and elapsed > k.GAP_INTERVALS * s.interval_s:
        s.calm = int(k.NAT * min(p.gap * log(elapsed / s.interval_s), k.CALM_MAX))
        s.interval_s = s.interval_s + k.INTERVAL_RATE * (k.GAP_INTERVALS - 1.0) * s.interval_s
        return elapsed
    s.interval_s = s.interval_s + max(k.INTERVAL_RATE, inverse) * (elapsed - s.interval_s)
    s.calm = s.calm * 15 // 16
    return 0.0


def _ratio(s: Series, p: Parameters, size: float, inverse: float) -> float:
    short = s.short + max(p.short_rate, inverse) * (size - s.short)
    s.short = short
    ratio = log((short + k.RATIO_FLOOR) / (s.scale[SEASON] + k.RATIO_FLOOR))
    return float(ratio * p.down if ratio < 0.0 else ratio)


def _transition(s: Series, p: Parameters, bin_now: int, gap: bool, inverse: float, learn: bool) -> float:
    row = s.bin * BINS
    s.bin = bin_now
    surprise: float = s.surprise
    if not gap:
        total, count = sum(s.counts[row : row + BINS]), s.counts[row + bin_now]
        surprise += p.surprise_rate * (log((total + 1.6) / (count + 0.1)) - surprise)
        s.surprise = surprise
        if learn:
            if count >= k.COUNT_MAX:
                s.counts[row : row + BINS] = [one // 2 for one in s.counts[row : row + BINS]]
            s.counts[row + bin_now] += 1
    mean: float = s.surprise_mean
    if learn:
        s.surprise_mean = mean + max(p.slow, inverse) * (surprise - mean)
    return max(surprise - mean, 0.0)


def _stuck(s: Series, x: float, learn: bool) -> bool:
    if f4(x) == s.last:
        s.run = min(s.run + 1, k.RUN_MAX)
        return bool(s.run > lasting_kernels.RUN_FACTOR * s.longest + lasting_kernels.RUN_SLACK)
    s.last = x
    if learn and s.run > 0:
        s.longest = s.run if s.run > s.longest else s.longest - (s.longest - s.run) // k.RUN_FADE
    s.run = 0
    return False


def _channel(
    s: Series, p: Parameters, c: int, value: float, floor: float, inverse: float, age: float, learn: bool
) -> float:
    size, scale, top = abs(value), s.scale[c], s.top[c]
    nats = _tail(s, p, c, size / (scale + floor), inverse, learn)
    if size > top and s.n > k.YOUNG and size > 2.0 * scale:
        nats += p.record_weight * min((size / (top + floor) - 1.0) / p.ramp, 1.0) * age
    if learn:
        s.scale[c] = scale + max(p.slow, inverse) * (min(size, p.clip * (scale + floor)) - scale)
        s.top[c] = size if size > top else top - p.range_decay * top
    return nats


def _tail(s: Series, p: Parameters, c: int, z: float, inverse: float, learn: bool) -> float:
    tail, slope, share = s.tail[c], s.slope[c], z / p.tail_from
    if share <= 1.0:
        if learn:
            s.tail[c] = min(tail + max(p.tail_rate, inverse), k.TAIL_MAX)
        return min(tail * share * share, p.limit)
    excess = log(share)
    if learn:
        rate = max(p.tail_rate, 1.0 / (float(s.n) + k.TAIL_PRIOR))
        s.tail[c] = -log(exp(-tail) * (1.0 - rate) + rate)
        s.slope[c] = min(max(slope + p.slope_rate * (excess - slope), k.SLOPE_MIN), k.SLOPE_MAX)
    return min(tail + excess / slope, p.limit)


def _learn(
    s: Series, p: Parameters, cell: int, x: float, base: float, by_level: tuple[float, float],
    by_season: tuple[float, float], inverse: float,
) -> None:  # fmt: skip
    trust = 1.0 / (1.0 + s.calm / k.NAT)
    level, spread = s.level, s.spread
    level_clipped, level_scale = by_level
    s.level = level + trust * max(p.level_rate, inverse) * (level_clipped * level_scale)
    s.spread = spread + trust * max(p.spread_rate, inverse) * (abs(level_clipped) * level_scale - spread)
    clipped = by_season[0] * by_season[1]
    size = abs(clipped)
    hour = cell % 24
    a_visit = min(s.interval_s / 3600.0, 1.0)
    rate = trust * max(p.day_rate * a_visit, 1.0 / (1.0 + s.visits[hour]))
    if s.n < k.SETTLING:
        rate, clipped = 1.0, x - base
    day = s.day[hour]
    day[0], day[1] = day[0] + rate * clipped, day[1] + rate * (size - day[1])
    weekly = trust * p.week_rate * a_visit if s.observed_at >= s.hold_until else 0.0
    s.week[cell] = s.week[cell] + weekly * clipped
    follow(s, (rate + weekly / 7.0) * clipped / 24.0)
    s.visits[hour] = min(s.visits[hour] + 1, k.VISITS_MAX)
    low, high = s.low, s.high
    s.high = x if x > high else high - p.range_decay * (high - level)
    s.low = x if x < low else low + p.range_decay * (level - low)
    s.n += 1


def _news(s: Series, p: Parameters, evidence: float, learn: bool) -> float:
    record, habit, news = s.record, s.habit, 0.0
    if evidence > record:
        news, record = max(evidence - p.habit * habit, 0.0), evidence * p.rise
    else:
        record *= p.record_decay
    s.record = record
    if learn:
        s.habit = habit + max(k.HABIT_RATE, 1.0 / (float(s.n) + k.ODDS_PRIOR)) * (record - habit)
    return news
