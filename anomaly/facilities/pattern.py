"""Habit of one series: what is expected at this hour of this kind of day, and whether readings have left it (kernels).

Only sums, products and comparisons, so that every machine gives the same bits.
"""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
from numba import njit

from anomaly.facilities.layout import CLOSED, NEAR, OPEN, RING, SLOTS

CLIP = 3.5
SIGMA = 1.25
"""A standard deviation is so many mean distances of normal noise."""
SHORT, SHORT_Z, SHORT_TIMES, SHORT_TOP, STEADY = 4, 5.0, 1.4, 4.5, 0.55
LONG, LONG_Z, LONG_TIMES, LONG_TOP = 6, 4.5, 1.6, 3.5
"""Out of pattern: `SHORT` residuals in a row, nearly equal, or `LONG` of `RING`, beyond so many units of noise and so
many times the utmost that such runs have been before, as far as that counts (`_TOP`)."""
SUM_SLACK, SUM_MOST, SUM_MIN, SUM_TIMES, SUM_TOP = 1.5, 5.0, 23.0, 1.6, 20.0
"""Too much power, by less but for hours: residuals of at most `SUM_MOST` units, less `SUM_SLACK` each, add up to so
much, and to so many times the utmost that they have come to before (Page's cumulative sum, 1954). Rooms are left out:
they follow the weather for days, and power hardly does."""
CALM_Z = 2.5
UNKNOWN_SPREAD = 1e9
"""Before anything is known of the noise nothing is far out."""
VISITS_MIN, VISITS_FOLLOW, VISITS_MAX = 2, 4, 250
"""Visits of an hour of a kind of day before it has a habit, and before leaving it tells what the weather does."""
DAY_US = 86_400_000_000
RELEARN_US = 14 * DAY_US
"""What has been out of pattern for so long is how things are now."""
TOP_DECAY, TOP_GROWTH = 0.9996, 0.02
BASE_RATE, DEVIATION_RATE, SPREAD_RATE, ANEW_RATE = 0.08, 0.05, 0.004, 0.3
NEAR_Z, OFFSET_RATE, FAR_RATE, DRIFT_RATE = 2.0, 0.08, 0.02, 0.2
DOUBT_Z, COMMON_SHARE = 2.5, 0.4
AMISS_Z, AMISS_SLOTS, CHANGED_SLOTS, CHANGED_US = 2.0, 4, 8, 15 * DAY_US
"""What is farther out than the first is compared with all that is habitual within so many quarters of an hour; within
the third after the clocks were changed, for so long: what goes by the sun comes an hour earlier or later then, and
each kind of day has to be seen again."""
HEED_BEGIN, HEED_MEMORY = 50.0, 0.9995
"""How far a series goes with the air outside is taken for nothing until it was seen to, over so many °C²."""
STALE_US, SETTLE_US, BACK_RATE = DAY_US // 4, DAY_US, 0.3
"""After so long without learning recent departures are stale: for a day they are found anew and nothing is judged."""


@njit(cache=True)
def part_of(opened, slot):
    """Return which recent departure counts: by opening, or by quarters of the day where nobody knows."""
    if opened in (OPEN, CLOSED, NEAR):
        return opened
    return 3 + slot // 24


@njit(cache=True)
def _runs(s, sign):
    """Return how far the last short and long runs of residuals are out on one side, and whether the short is steady."""
    short = 1e300
    most = 0.0
    least = 1e300
    first = second = third = 1e300  # The three least of the ring, ascending.
    for back in range(RING):
        value = -1e300
        if back < s.filled:
            i = (s.at_ring - 1 - back) % RING
            value = s.z[i] * sign
            if back < SHORT:
                most = max(most, s.residual[i] * sign)
                least = min(least, s.residual[i] * sign)
        if back < SHORT:
            short = min(short, value)
        if value < first:
            first, second, third = value, first, second
        elif value < second:
            second, third = value, second
        elif value < third:
            third = value
    return short, third, least >= STEADY * most


@njit(cache=True)
def _calm(s):
    count = 0
    for i in range(min(s.filled, RING)):
        if abs(s.z[i]) < CALM_Z:
            count += 1
    return count >= LONG


@njit(cache=True)
def _shown(s, sign):
    """Return since when the residuals have been out on this side, as far as the ring goes back, µs UTC."""
    i = (s.at_ring - 1) % RING
    for back in range(min(s.filled, RING)):
        j = (s.at_ring - 1 - back) % RING
        if s.z[j] * sign > CALM_Z:
            i = j
    return s.z_at[i]


@njit(cache=True)
def _add_up(s, z, at):
    """Add one residual to what the last ones came to."""
    more = s.above + min(z, SUM_MOST) - SUM_SLACK
    if s.above == 0.0:
        s.above_at = at
    s.above = max(more, 0.0)


@njit(cache=True)
def _grown(top, reached):
    return min(reached, top * (1.0 + TOP_GROWTH) + TOP_GROWTH) if reached > top else top


@njit(cache=True)
def _find(fixed, s, z, at, shared, judged, sure):
    """Look whether the last residuals are out of pattern; learn how far they go in good days."""
    if s.bad != 0:
        if _calm(s):
            s.bad = 0
            s.bad_until = at
            s.above = 0.0
        return
    s.top_short *= TOP_DECAY
    s.top_long *= TOP_DECAY
    s.top_sum *= TOP_DECAY
    if fixed.relative:
        _add_up(s, z, at)
    s.doubt = 0
    for sign in (1, -1):
        short, long, steady = _runs(s, float(sign))
        out = (steady and short >= max(SHORT_Z, SHORT_TIMES * s.top_short)) or long >= max(
            LONG_Z, LONG_TIMES * s.top_long
        )
        lasting = sign > 0 and s.above >= max(SUM_MIN, SUM_TIMES * s.top_sum)
        # What all buildings have in common is the weather, and explains as much in each.
        explained = shared * sign >= COMMON_SHARE * abs(s.raw)
        if (out or lasting) and judged and not explained:
            s.bad = sign
            if s.bad_since == 0 or at - s.bad_until > DAY_US:
                s.bad_since = at
            s.shown_at = _shown(s, float(sign))
            if lasting:
                s.shown_at = min(s.shown_at, s.above_at)
            return
        if long > DOUBT_Z:
            s.doubt = 1
        if sure and sign > 0:
            s.top_sum = _grown(s.top_sum, min(s.above, SUM_TOP))
        if sure:
            s.top_short = _grown(s.top_short, min(short, SHORT_TOP))
            s.top_long = _grown(s.top_long, min(long, LONG_TOP))


@njit(cache=True)
def _answer(s, part, outside):
    """Return what a change outside explains since recent departures were learnt, °C of the air and in units."""
    if outside != outside:
        return 0.0, 0.0
    change = outside - s.outside[part]
    return change, s.heed[part] * change


@njit(cache=True)
def _heed(s, part, change, clipped, rate):
    """Learn how far a series goes with the air outside; what it explained goes over into the recent departure."""
    s.heed_weight[part] = HEED_MEMORY * s.heed_weight[part] + change * change
    s.offset[part] += rate * s.heed[part] * change
    s.outside[part] += rate * change
    s.heed[part] += clipped * change / (s.heed_weight[part] + HEED_BEGIN)


@njit(cache=True)
def _learn(s, k, slot, part, value, unit, q, scale, follow, anew, back, outside):
    seen = int(s.seen[k])
    clipped = min(max(q, -CLIP * scale), CLIP * scale)
    change, answer = _answer(s, part, outside)
    away = s.offset[part] + float(s.drift_of[slot]) + answer
    if anew:
        s.base[k] += ANEW_RATE * (value - away * unit - s.base[k])
    elif seen < VISITS_MIN:
        s.base[k] += (value - away * unit - s.base[k]) / (seen + 1.0)
    elif not s.doubt and not back:
        distance = min(abs(q), NEAR_Z * scale)
        s.base[k] += max(BASE_RATE, 1.0 / (seen + 1.0)) * clipped * unit
        s.deviation[k] += max(DEVIATION_RATE, 1.0 / (seen - 1.0)) * (distance - s.deviation[k])
        s.spread[part] += max(SPREAD_RATE, 1.0 / (s.visits[part] + 1.0)) * (distance - s.spread[part])
        s.visits[part] += 1
    if follow and seen >= VISITS_FOLLOW:
        # What is far out is more likely a fault than the weather; what was seen on two holidays is hardly a habit.
        near = abs(q) < NEAR_Z * scale
        rate = BACK_RATE if back else (OFFSET_RATE if near else FAR_RATE)
        s.offset[part] += rate * clipped
        if outside == outside:
            _heed(s, part, change, clipped if not back else 0.0, rate)
        if near and not back:
            s.drift_of[slot] += DRIFT_RATE * clipped
    if seen < VISITS_MAX:
        s.seen[k] = seen + 1


@njit(cache=True)
def _beside(fixed, s, day_type, slot, value, away, reach):
    """Return how far a value is from all that is habitual within `reach` quarters: dusk and people are not punctual.

    What other kinds of days have shown of late at those times counts as well (`drift_of`): days of a kind that comes
    once a week lag behind the sun.
    """
    least, most = value, value
    found = False
    for step in range(-reach, reach + 1):
        beside = (slot + step) % SLOTS
        k = day_type * SLOTS + beside
        if s.seen[k] > 0:
            base = float(s.base[k])
            unit = max(abs(base), fixed.floor) if fixed.relative else 1.0
            base += (away + float(s.drift_of[beside])) * unit
            if not found or base < least:
                least = base
            if not found or base > most:
                most = base
            found = True
    return value - min(max(value, least), most)


@njit(cache=True)
def meet(fixed, s, at, gap, day_type, slot, opened, value, shared, outside, same, old_enough, follow, held, reach):
    """Take one reading of a series into its habit; return z, 0 where its hour is not known well enough.

    Parameters
    ----------
    fixed, s : layout.SERIES, layout.SERIES_STATE; `s` changes
    gap : bool
        So much is missing before it that runs begin anew.
    same : bool
        The device says what it said before: it may be stuck, and tells nothing of its habit.
    shared : float
        By how much all buildings are off their habit just now: the weather's doing.
    outside : float, °C
        How far from its habit the air outside is; NaN where nobody knows.
    old_enough : bool
        The series was heard for long enough to be judged.
    follow : bool
        Days are told from each other: slow changes (weather) are followed.
    held : bool
        Something is wrong with it that a rule knows: judge, learn nothing.
    reach : int
        Within how many quarters of an hour something has to be habitual, see `_beside`.

    References
    ----------
    docs/detection.md; oracle: ``anomaly.facilities.oracle.meet``
    """
    k = day_type * SLOTS + slot
    part = part_of(opened, slot)
    seen = int(s.seen[k])
    if gap:
        s.filled = 0
        s.above = 0.0
    base = float(s.base[k])
    unit = max(abs(base), fixed.floor) if fixed.relative and seen > 0 else 1.0
    answer = _answer(s, part, outside)[1]
    s.expected = base + (s.offset[part] + float(s.drift_of[slot]) + answer) * unit if seen > 0 else value
    s.raw = value - s.expected
    r = s.raw
    weight = min(seen, 8) / 16.0
    spread = weight * s.deviation[k] + (1.0 - weight) * s.spread[part]
    if s.visits[part] == 0:
        spread = UNKNOWN_SPREAD
    scale = SIGMA * spread * (1.0 + 1.0 / (seen + 1.0)) + fixed.floor / unit
    z = 0.0
    if seen >= VISITS_MIN and not same:
        z = r / unit / scale
        if abs(z) > AMISS_Z:
            z = _beside(fixed, s, day_type, slot, value, s.offset[part] + answer, reach) / unit / scale
        s.z[s.at_ring] = z
        s.residual[s.at_ring] = r
        s.z_at[s.at_ring] = at
        s.awaited[s.at_ring] = s.expected
        s.at_ring = (s.at_ring + 1) % RING
        s.filled = min(s.filled + 1, RING)
        settled = at - s.back_at >= SETTLE_US
        sure = seen > VISITS_MIN and settled
        _find(fixed, s, z, at, shared, old_enough and sure, sure)
    anew = s.bad != 0 and at - s.bad_since > RELEARN_US
    if (s.bad == 0 and not held and not same) or anew:
        if at - s.learnt_at > STALE_US:
            s.back_at = at
        s.learnt_at = at
        _learn(s, k, slot, part, value, unit, r / unit, scale, follow, anew, at - s.back_at < SETTLE_US, outside)
    return z


@njit(cache=True)
def mean_excess(s):
    """Return means of the last residuals, at most `SHORT`, and of what was expected then, in the metric's unit."""
    total = 0.0
    awaited = 0.0
    n = min(s.filled, SHORT)
    for back in range(n):
        i = (s.at_ring - 1 - back) % RING
        total += s.residual[i]
        awaited += s.awaited[i]
    return total / max(n, 1), awaited / max(n, 1)
