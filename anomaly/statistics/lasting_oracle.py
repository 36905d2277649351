"""What lasts, in slow plain Python: what `lasting` must compute, bit by bit."""

from math import log
from typing import TYPE_CHECKING

from anomaly.statistics import lasting as k
from anomaly.statistics.layout import (
    DRIFT,
    LASTING,
    LEVEL,
    RECENT,
    RECENT_MOST,
    RECENT_UNIT,
    RESTLESS,
    SEASON,
    SPREAD,
    STUCK,
)
from anomaly.statistics.parameters import Parameters
from city.clock import DAY_US

if TYPE_CHECKING:
    from anomaly.statistics.oracle import Series


def lasting(
    s: "Series", p: Parameters, at: int, residual: float, hour_scale: float, gap_s: float, inverse: float, learn: bool
) -> tuple[float, int]:
    """Return −ln of the share of days that reach what the series shows now, and the channel that says so."""
    typical = s.typical
    scale = 0.5 * (hour_scale + typical)
    z = residual / scale
    if learn:
        weight = max(k.TYPICAL_RATE * min(s.interval_s / 3600.0, 1.0), inverse)
        s.typical = typical + weight * (min(abs(residual), p.clip * scale) - typical)
    if gap_s > 0.0:
        s.heard, s.day_mean, s.day_size = 0, 0.0, s.scale[SEASON]
        s.hold_until = max(s.hold_until, at + int(1e6 * min(gap_s, k.HOLD_MAX_S)))
    held = at < s.hold_until
    if held:
        s.absorbed = 0.0
    if at // DAY_US != s.day_of:
        if learn and not held and s.peak[RESTLESS] > 0.0:
            _end_day(s)
        for c in range(LASTING):
            s.peak[c] = 0.0
        s.day_of = at // DAY_US
    s.recent[s.turn] = int(_clip(z / RECENT_UNIT, RECENT_MOST))
    s.turn, s.heard = (s.turn + 1) % RECENT, min(s.heard + 1, RECENT)
    rate = min(s.interval_s / k.ONE_DAY_S, 0.25)
    s.day_mean = s.day_mean + rate * (_clip(z, p.clip) * scale - s.day_mean)
    s.day_size = s.day_size + rate * (min(abs(z), 2.0 * p.clip) - s.day_size)
    values = (
        sixth(s.recent) if s.heard == RECENT else 0.0,
        2.0 * abs(s.day_mean + s.absorbed) / (typical + scale),
        s.day_size,
    )
    score, channel = _rarest(s, values, learn and not held)
    if held:
        score, channel = 0.0, SEASON
    if s.run > k.RUN_FACTOR * s.longest + k.RUN_SLACK:
        stuck = log(float(s.n)) * s.run / (s.longest + k.RUN_SLACK) - log(k.ONE_DAY_S / s.interval_s)
        return max(stuck, score), STUCK
    return score, channel


def follow(s: "Series", moved: float) -> None:
    """Take what the season moved."""
    if s.days >= k.SETTLING_DAYS:
        s.absorbed = s.absorbed * (1.0 - min(s.interval_s / k.ABSORBED_S, 0.5)) + moved


def sixth(recent: list[int]) -> float:
    """Return what six of the last eight reach on one side."""
    return max(0, sorted(recent)[2], sorted(-one for one in recent)[2]) * RECENT_UNIT


def _rarest(s: "Series", values: tuple[float, ...], learn: bool) -> tuple[float, int]:
    known = max(float(s.days) - k.SETTLING_DAYS, 0.0)
    weight = k.STEEP_PRIOR + 0.375 * min(known, k.MEMORY_DAYS)
    found = (0.0, SEASON)
    for c, (value, channel) in enumerate(zip(values, (LEVEL, DRIFT, SPREAD), strict=True)):
        if learn:
            s.peak[c] = max(s.peak[c], value)
        excess = log(k.LEAST_VALUE + value) - s.middle[c]
        if known > 0.0 and excess > 0.0:
            nats = weight * log(1.0 + excess / (weight * s.steep[c])) - k.CHOICE
            if nats > found[0]:
                found = (nats, channel)
    return found


def _end_day(s: "Series") -> None:
    known = float(s.days) - k.SETTLING_DAYS
    for c in range(LASTING):
        x = log(k.LEAST_VALUE + s.peak[c])
        middle, steep = s.middle[c], s.steep[c]
        if known < 0.0:
            s.middle[c], s.steep[c] = x, k.STEEP_BEGIN
            continue
        excess = _clip(x - middle, k.TEACH_MAX * steep)
        s.middle[c] = middle + 2.0 / min(known + 3.0, k.MEMORY_DAYS) * excess
        if excess > 0.0:
            rate = 2.0 / min(k.STEEP_PRIOR + 0.5 * known, 0.5 * k.MEMORY_DAYS)
            s.steep[c] = max(steep + rate * (excess - steep), k.STEEP_MIN)
    s.days = min(s.days + 1, 250)


def _clip(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)
