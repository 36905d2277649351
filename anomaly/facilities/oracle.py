"""Habit, runs and water in slow plain Python: what the kernels must compute, bit by bit.

Whatever they find by walking through rings and cells is here sorted, sliced and looked up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from anomaly.facilities import layout as c
from anomaly.facilities import pattern, repeats, water, weather
from city.clock import DAY_US


@dataclass(slots=True)
class Runs:
    """Equal values in a row, and how often there are any."""

    begin_share: float
    run_length: float
    run: int = 0
    longest: int = 0
    n: int = 0
    chance: float = 0.0
    changed_at: int = 0

    def take(self, same: bool, before: int, begin_min: float, go_on_min: float, learn: bool) -> None:
        """Count one value that is the `same` as that `before`, or not."""
        if same:
            if self.run == 0:
                self.changed_at, self.chance = before, max(self.begin_share, begin_min)
            else:
                self.chance *= max(1.0 - 1.0 / self.run_length, go_on_min)
            self.run += 1
            return
        if learn:
            rate = max(repeats.RATE_MIN, 1.0 / (self.n + 20.0))
            self.begin_share += rate * ((1.0 if self.run else 0.0) - self.begin_share)
            if self.run:
                self.run_length += max(0.02, rate) * (self.run - self.run_length)
            self.n, self.longest = self.n + 1, max(self.longest, self.run)
        self.run, self.chance = 0, 1.0


@dataclass(slots=True)
class Series:
    """One series' habit; `floor` and `relative` are fixed."""

    floor: float
    relative: bool = False
    expected: float = 0.0
    raw: float = 0.0
    bad: int = 0
    bad_since: int = 0
    bad_until: int = 0
    shown_at: int = 0
    learnt_at: int = 0
    back_at: int = 0
    doubt: int = 0
    top_short: float = 0.0
    top_long: float = 0.0
    top_sum: float = 0.0
    above: float = 0.0
    above_at: int = 0
    recent: list[tuple[float, float, int, float]] = field(default_factory=list)
    """(z, residual, at, expected), newest first."""
    cells: dict[int, tuple[int, float, float]] = field(default_factory=dict)
    """Visits, base and deviation; the two last as they fit into 32 bits."""
    drift_of: dict[int, float] = field(default_factory=dict)
    offset: list[float] = field(default_factory=lambda: [0.0] * c.OFFSETS)
    spread: list[float] = field(default_factory=lambda: [0.0] * c.OFFSETS)
    visits: list[int] = field(default_factory=lambda: [0] * c.OFFSETS)
    heed: list[float] = field(default_factory=lambda: [0.0] * c.OFFSETS)
    heed_weight: list[float] = field(default_factory=lambda: [0.0] * c.OFFSETS)
    outside: list[float] = field(default_factory=lambda: [0.0] * c.OFFSETS)


@dataclass(frozen=True, slots=True)
class Moment:
    """When it is, what the calendar says, and what is known of the series."""

    at: int
    slot: int
    day_type: int
    opened: int
    gap: bool = False
    shared: float = 0.0
    outside: float | None = None
    same: bool = False
    old: bool = True
    follow: bool = True
    held: bool = False
    reach: int = pattern.AMISS_SLOTS


def _f32(value: float) -> float:
    return float(np.float32(value))


def meet(s: Series, m: Moment, value: float) -> float:
    """Take one reading into the habit; return z."""
    k, part = m.day_type * c.SLOTS + m.slot, m.opened if m.opened != c.UNKNOWN else 3 + m.slot // 24
    seen, base, deviation = s.cells.get(k, (0, 0.0, 0.0))
    if m.gap:
        s.recent, s.above = [], 0.0
    unit = max(abs(base), s.floor) if s.relative and seen else 1.0
    change = 0.0 if m.outside is None else m.outside - s.outside[part]
    away = s.offset[part] + s.drift_of.get(m.slot, 0.0) + s.heed[part] * change
    s.expected = base + away * unit if seen else value
    s.raw = r = value - s.expected
    weight = min(seen, 8) / 16.0
    spread = weight * deviation + (1.0 - weight) * s.spread[part] if s.visits[part] else pattern.UNKNOWN_SPREAD
    scale = pattern.SIGMA * spread * (1.0 + 1.0 / (seen + 1.0)) + s.floor / unit
    z = 0.0
    if seen >= pattern.VISITS_MIN and not m.same:
        z = r / unit / scale
        if abs(z) > pattern.AMISS_Z:
            z = _beside(s, m, value, s.offset[part] + s.heed[part] * change) / unit / scale
        s.recent = [(z, r, m.at, s.expected), *s.recent][: c.RING]
        settled = m.at - s.back_at >= pattern.SETTLE_US
        sure = seen > pattern.VISITS_MIN and settled
        _find(s, m, m.old and sure, sure)
    anew = s.bad != 0 and m.at - s.bad_since > pattern.RELEARN_US
    if anew or (s.bad == 0 and not m.held and not m.same):
        if m.at - s.learnt_at > pattern.STALE_US:
            s.back_at = m.at
        s.learnt_at = m.at
        _learn(s, m, k, part, value, unit, r / unit, scale, anew, change, away)
    return z


def _beside(s: Series, m: Moment, value: float, away: float) -> float:
    """Return how far a value is from all that is habitual within reach."""
    expected = []
    for beside in ((m.slot + step) % c.SLOTS for step in range(-m.reach, m.reach + 1)):
        seen, base, _ = s.cells.get(m.day_type * c.SLOTS + beside, (0, 0.0, 0.0))
        unit = max(abs(base), s.floor) if s.relative else 1.0
        if seen:
            expected.append(base + (away + s.drift_of.get(beside, 0.0)) * unit)
    expected = expected or [value]
    return value - min(max(value, min(expected)), max(expected))


def _find(s: Series, m: Moment, judged: bool, sure: bool) -> None:
    if s.bad:
        if sum(abs(one[0]) < pattern.CALM_Z for one in s.recent) >= pattern.LONG:
            s.bad, s.bad_until, s.above = 0, m.at, 0.0
        return
    s.top_short, s.top_long = s.top_short * pattern.TOP_DECAY, s.top_long * pattern.TOP_DECAY
    s.top_sum *= pattern.TOP_DECAY
    if s.relative:
        s.above_at = s.above_at if s.above else m.at
        s.above = max(s.above + min(s.recent[0][0], pattern.SUM_MOST) - pattern.SUM_SLACK, 0.0)
    lasting = s.above >= max(pattern.SUM_MIN, pattern.SUM_TIMES * s.top_sum)
    s.doubt = 0
    for sign in (1, -1):
        out = [one[0] * sign for one in s.recent]
        out += [-1e300] * (c.RING - len(out))
        short, long = min(out[: pattern.SHORT]), sorted(out)[c.RING - pattern.LONG]
        last = [one[1] * sign for one in s.recent[: pattern.SHORT]]
        steady = min(last) >= pattern.STEADY * max(0.0, *last)
        far = steady and short >= max(pattern.SHORT_Z, pattern.SHORT_TIMES * s.top_short)
        far = far or long >= max(pattern.LONG_Z, pattern.LONG_TIMES * s.top_long)
        if (far or (lasting and sign > 0)) and judged and not m.shared * sign >= pattern.COMMON_SHARE * abs(s.raw):
            s.bad = sign
            if s.bad_since == 0 or m.at - s.bad_until > pattern.DAY_US:
                s.bad_since = m.at
            shown = [one[2] for one in s.recent if one[0] * sign > pattern.CALM_Z]
            s.shown_at = shown[-1] if shown else s.recent[0][2]
            s.shown_at = min(s.shown_at, s.above_at) if lasting and sign > 0 else s.shown_at
            return
        s.doubt = 1 if long > pattern.DOUBT_Z else s.doubt
        if sure and sign > 0:
            s.top_sum = _grown(s.top_sum, min(s.above, pattern.SUM_TOP))
        if sure:
            s.top_short = _grown(s.top_short, min(short, pattern.SHORT_TOP))
            s.top_long = _grown(s.top_long, min(long, pattern.LONG_TOP))


def _grown(top: float, reached: float) -> float:
    return min(reached, top * (1.0 + pattern.TOP_GROWTH) + pattern.TOP_GROWTH) if reached > top else top


def _learn(
    s: Series,
    m: Moment,
    k: int,
    part: int,
    value: float,
    unit: float,
    q: float,
    scale: float,
    anew: bool,
    change: float,
    away: float,
) -> None:
    seen, base, deviation = s.cells.get(k, (0, 0.0, 0.0))
    back = m.at - s.back_at < pattern.SETTLE_US
    clipped = min(max(q, -pattern.CLIP * scale), pattern.CLIP * scale)
    young = seen < pattern.VISITS_MIN
    if anew:
        base = _f32(base + pattern.ANEW_RATE * (value - away * unit - base))
    elif young:
        base = _f32(base + (value - away * unit - base) / (seen + 1.0))
    elif not s.doubt and not back:
        distance = min(abs(q), pattern.NEAR_Z * scale)
        base = _f32(base + max(pattern.BASE_RATE, 1.0 / (seen + 1.0)) * clipped * unit)
        deviation = _f32(deviation + max(pattern.DEVIATION_RATE, 1.0 / (seen - 1.0)) * (distance - deviation))
        s.spread[part] += max(pattern.SPREAD_RATE, 1.0 / (s.visits[part] + 1.0)) * (distance - s.spread[part])
        s.visits[part] += 1
    if m.follow and seen >= pattern.VISITS_FOLLOW:
        near = abs(q) < pattern.NEAR_Z * scale
        rate = pattern.BACK_RATE if back else pattern.OFFSET_RATE if near else pattern.FAR_RATE
        s.offset[part] += rate * clipped
        if m.outside is not None:
            weight = pattern.HEED_MEMORY * s.heed_weight[part] + change * change
            s.offset[part] += rate * s.heed[part] * change
            s.outside[part] += rate * change
            s.heed[part] += (0.0 if back else clipped) * change / (weight + pattern.HEED_BEGIN)
            s.heed_weight[part] = weight
        if near and not back:
            s.drift_of[m.slot] = _f32(s.drift_of.get(m.slot, 0.0) + pattern.DRIFT_RATE * clipped)
    s.cells[k] = (min(seen + 1, pattern.VISITS_MAX), base, deviation)


@dataclass(slots=True)
class Outside:
    """The air outside, tick by tick: its habit by quarters of the day, and how far it is from that."""

    at: int = 0
    smoothed: float = 0.0
    habit: dict[int, float] = field(default_factory=dict)

    def take(self, now: int, outside_c: float | None) -> float | None:
        """Take what a tick says; return how far from its habit it is outside, °C, if that is known."""
        if outside_c is not None:
            past_us = now - self.at if self.at else weather.STALE_US
            slot = now % DAY_US // weather.QUARTER_US
            away = outside_c - self.habit.get(slot, outside_c)
            if past_us >= weather.STALE_US:
                self.smoothed = away
            elif slot in self.habit:
                self.smoothed += min(past_us / weather.SMOOTH_US, 1.0) * (away - self.smoothed)
            share = weather.HABIT_RATE * min(past_us / weather.QUARTER_US, 1.0)
            self.habit[slot] = self.habit.get(slot, outside_c) + share * away
            self.at = now
        return self.smoothed if self.at and now - self.at < weather.STALE_US else None


@dataclass(slots=True)
class Water:
    """The nights of one flow."""

    drift: float = 0.0
    hour: int = -1
    values: list[float] = field(default_factory=list)
    hours: list[float] = field(default_factory=list)
    night_day: int = 0
    night_at: int = 0
    leak_at: int = 0
    night_run: int = 0
    night_z: float = 0.0
    nights: list[float] = field(default_factory=list)
    """As they lie in the ring."""
    ring: int = 0


def flow(
    s: Water, at: int, day: int, slot: int, value: float, residual: float, ratio: float, nights: int
) -> tuple[int, float, float]:
    """Take one reading of a flow; return what a night that ends with it tells, its least, and the usual least."""
    s.drift += water.DRIFT_RATE * (residual - s.drift)
    hour, told, least, usual = slot // 4, -1, 0.0, 0.0
    if s.hour >= 0 and (hour, day) != (s.hour, s.night_day):
        s.hours.append(_sum(s.values) / len(s.values))
        s.hour, s.values = -1, []
    if s.hours and (day != s.night_day or hour >= water.LAST_HOUR):
        least = min(s.hours)
        if len(s.hours) == water.LAST_HOUR - water.FIRST_HOUR:
            told, usual = _night(s, least, ratio, nights)
        s.hours = []
    if water.FIRST_HOUR <= hour < water.LAST_HOUR:
        if not s.hours and s.hour < 0:
            s.night_at = at
        s.night_day, s.hour = day, hour
        s.values.append(value)
    return told, least, usual


def _sum(values: Sequence[float]) -> float:
    total = 0.0
    for value in values:  # `sum` of Python 3.12 is more exact than adding one after the other.
        total += value
    return total


def _night(s: Water, least: float, ratio: float, nights: int) -> tuple[int, float]:
    if len(s.nights) < water.NIGHTS_MIN:
        _note(s, least)
        return -1, 0.0
    usual = median(s.nights)
    noise = 1.4826 * median([abs(night - usual) for night in s.nights]) + 0.02 * abs(usual) + water.FLOOR
    z = (least - usual) / noise
    above = least > ratio * max(usual, 0.0) and z > water.ABOVE_Z
    s.night_run, s.night_z = (s.night_run + 1, s.night_z + min(z, water.SURE_Z)) if above else (0, 0.0)
    if s.night_run == 1:
        s.leak_at = s.night_at
    far = z > water.SURE_Z or s.night_z > water.PAIR_Z
    if not above or s.night_run > water.ADMIT_NIGHTS:
        _note(s, least)
    if not above:
        return 0, usual
    runs = far and s.drift > water.DRIFT_SHARE * (least - usual)
    return (1 if runs or s.night_run >= nights else -1), usual


def _note(s: Water, least: float) -> None:
    if len(s.nights) < c.NIGHTS:
        s.nights.append(least)
    else:
        s.nights[s.ring] = least
    s.ring = (s.ring + 1) % c.NIGHTS
