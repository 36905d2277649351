"""What energy counters add in some hours, against the power that was learnt of each hour, as Numba kernels.

Messages cut nights into parts, and a program may dim some hours of them that nobody reports: so each hour of the day
(UTC) has its own learned power. What was added up says only what the hours that it covers draw together; each of them
is corrected by the same share (the algebraic reconstruction of Gordon, Bender and Herman 1970), and parts that overlap
in ever other ways tell them apart. `energy_oracle` is the same in plain Python.
"""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
import numpy as np
from numba import njit

from anomaly.lamps.layout import CELLS
from anomaly.lamps.power import clear, suspect
from anomaly.layout import (
    DIMMING_FAILURE,
    ENERGY_FULL,
    ENERGY_HIGH,
    ENERGY_LOW,
    ENERGY_STEP,
    LEARNT_AGAIN,
    MODULE_LOST,
    POWER_TOO_HIGH,
    POWER_TOO_LOW,
)
from anomaly.powered import last_on
from city.clock import HOUR_US

VISITS = 7
"""Of an hour, before it is judged by."""
KNOWN_SHARE = 0.75
"""Of the hours that were added up, so much must be known."""
FASTEST = 8
"""No visit teaches less than one of so many."""
PRESENT_H = 0.25
"""Of an hour, in what was added up, so that it says something of that hour."""
ALIKE = 0.08
"""A lamp that draws what it draws at other hours, to within this, goes by another program."""
_RATE_FAULTS = (MODULE_LOST, POWER_TOO_LOW, POWER_TOO_HIGH, DIMMING_FAILURE)
_TEACHES_NOTHING = (1 << MODULE_LOST) | (1 << POWER_TOO_LOW) | (1 << POWER_TOO_HIGH) | (1 << DIMMING_FAILURE)
SPAN_H = 2
SPANS = 3
"""So often what is added up may cover other hours, because a message was lost, before that is how it is now."""


@njit(cache=True, forceinline=True)
def note_measured(lamp):
    """Note that power is measured: from then on learned powers are those of the rules of power, by level."""
    if lamp.measured == 0:
        lamp.measured = 1
        if lamp.rate_n > 0:
            lamp.cell_n[:] = 0


@njit(cache=True)
def judge_energy(d, device, rules, lamp, at, doubt, first, on, off, events, n):
    """Judge the mean power of what was added up since `lamp.sum_from`, and begin anew.

    `doubt` is the share of it that may be the steps in which the counters go.
    """
    kw, apart_h = lamp.sum_kwh / lamp.sum_h, abs(lamp.sum_h - lamp.told_h)
    hours = np.zeros(CELLS)
    _burning_by_hour(device.schedule, lamp.sum_from, at, first, on, off, hours)
    short = apart_h > 0.1 * lamp.told_h
    lamp.sum_kwh = lamp.sum_h = lamp.told_h = 0.0
    if kw != kw or short:
        return n  # Which part of the night it burned in is not known, and it may be dimmed in another.
    watts = 1000.0 * kw
    if lamp.rate_n < FASTEST:
        lamp.rate_n += 1
    usual = usual_w(lamp, hours, 0)
    if not (_covers_as_ever(lamp, hours, at) and usual > 0.0):
        if lamp.open & _TEACHES_NOTHING == 0:
            _learn(lamp, hours, watts, kw)
        return n
    r = watts / usual - 1.0
    for shift in (-1, 1):
        # Programs that go by local clocks move by an hour twice a year.
        other = usual_w(lamp, hours, shift)
        if other > 0.0 and abs(watts / other - 1.0) < abs(r):
            r = watts / other - 1.0
    before, lamp.rate_level = lamp.rate_level, r
    sigma = 1.25 * lamp.rate_sigma
    bound = max(rules.power_off, 4.0 * sigma) + doubt
    opened = -1
    for fault in _RATE_FAULTS:
        if lamp.open & (1 << fault):
            opened = fault
    if opened >= 0:
        return _follow(d, rules, lamp, at, hours, watts, usual, r, bound, opened, events, n)
    lamp.rate_sigma += (min(abs(r), 0.2) - lamp.rate_sigma) / 32.0
    fault, rule = POWER_TOO_HIGH, ENERGY_HIGH
    if r >= 0.0:
        most = _most_w(lamp)
        if device.dimmed or (most >= (1.0 + bound) * usual and abs(watts - most) <= ALIKE * most):
            fault, rule = DIMMING_FAILURE, ENERGY_FULL
    else:
        fault, rule = POWER_TOO_LOW, ENERGY_LOW
        if device.led and before - r >= 0.8 * rules.module_lost:
            fault, rule, bound = MODULE_LOST, ENERGY_STEP, max(rules.module_lost, 4.0 * sigma) + doubt
    hour = (at // HOUR_US) % CELLS
    if abs(r) < bound:
        if hour == lamp.rate_hour:
            lamp.rate_high = 0
        _learn(lamp, hours, watts, kw)
        return n
    if r > 0.0 and lamp.rate_high == 0:
        # A night that is cut in another way than those before is off once: its next part tells, or the next night.
        lamp.rate_high, lamp.rate_hour = 1, hour
        return n
    lamp.rate_high = lamp.rate_sound = 0
    if fault == DIMMING_FAILURE:
        lamp.dim_cell = _least(lamp, hours)
    return suspect(events, n, d, lamp, fault, rule, at, at, watts, usual, usual, 0.0, 0)


@njit(cache=True)
def _burning_by_hour(schedule, start, end, first, on, off, hours):
    """Add to each hour of the day (UTC) for how many hours of [start, end) the schedule has the lamp on."""
    low, high = first[schedule], first[schedule + 1]
    i = max(last_on(on, low, high, start), low)
    while i < high and on[i] < end:
        at, until = max(start, on[i]), min(end, off[i])
        while at < until:
            turn = min(until, (at // HOUR_US + 1) * HOUR_US)
            hours[(at // HOUR_US) % CELLS] += (turn - at) / HOUR_US
            at = turn
        i += 1


@njit(cache=True)
def _covers_as_ever(lamp, hours, at):
    """Tell whether what was added up covers about as many hours as it usually does when it is judged at this hour.

    As nights grow a part of them becomes long enough to be judged alone. What was only ever seen together with other
    hours is learnt anew then.
    """
    hour = (at // HOUR_US) % CELLS
    span = min((at - lamp.sum_from + HOUR_US // 2) // HOUR_US, 255)
    if lamp.span_n[hour] > 0 and abs(span - np.int64(lamp.span_h[hour])) <= SPAN_H:
        lamp.span_h[hour] = span
        lamp.span_n[hour] = min(lamp.span_n[hour] + 1, SPANS)
        return True
    if lamp.span_n[hour] > 1:
        lamp.span_n[hour] -= 1
        return False
    lamp.span_h[hour], lamp.span_n[hour] = span, 1
    for c in range(CELLS):
        if hours[c] > 0.0:
            lamp.cell_n[c] = min(lamp.cell_n[c], 1)
    return False


@njit(cache=True)
def usual_w(lamp, hours, shift):
    """Return the mean power that was learnt of some hours, W; 0 where too few of them are known.

    With `shift`, of the hours beside them: so many later.
    """
    total = known = energy = 0.0
    for c in range(CELLS):
        total += hours[c]
        cell = (c + shift) % CELLS
        if lamp.cell_n[cell] >= VISITS:
            known += hours[c]
            energy += hours[c] * np.float64(lamp.cell[cell])
    return energy / known if known > 0.0 and known >= KNOWN_SHARE * total else 0.0


@njit(cache=True)
def _most_w(lamp):
    most = 0.0
    for c in range(CELLS):
        if lamp.cell_n[c] >= VISITS:
            most = max(most, np.float64(lamp.cell[c]))
    return most


@njit(cache=True)
def _least(lamp, hours):
    """Return the hour of those that were added up in which it usually draws least."""
    least, found = np.inf, 0
    for c in range(CELLS):
        if hours[c] >= PRESENT_H and np.float64(lamp.cell[c]) < least:
            least, found = np.float64(lamp.cell[c]), c
    return found


@njit(cache=True)
def _learn(lamp, hours, watts, kw):
    """Correct each hour that was covered by the share that all of them together are off."""
    total = energy = 0.0
    for c in range(CELLS):
        if lamp.cell_n[c] > 0:
            total += hours[c]
            energy += hours[c] * np.float64(lamp.cell[c])
    ratio = watts * total / energy if energy > 0.0 else 1.0
    for c in range(CELLS):
        if hours[c] > 0.0:
            visits = max(1, int(hours[c] + 0.5))
            if lamp.cell_n[c] == 0:
                lamp.cell[c], lamp.cell_n[c] = watts, min(visits, FASTEST)
            else:
                lamp.cell_n[c] = min(lamp.cell_n[c] + visits, FASTEST)
                cell = np.float64(lamp.cell[c])
                lamp.cell[c] = cell + (cell * ratio - cell) / lamp.cell_n[c]
    lamp.rate = kw if lamp.rate_n <= 1 else lamp.rate + (kw - lamp.rate) / lamp.rate_n


@njit(cache=True)
def _follow(d, rules, lamp, at, hours, watts, usual, r, bound, opened, events, n):
    if opened != DIMMING_FAILURE or hours[lamp.dim_cell] >= PRESENT_H:
        # At hours at which it should burn in full, a lamp that does not dim looks sound.
        lamp.rate_sound = lamp.rate_sound + 1 if abs(r) <= 0.67 * bound else 0
    rule = ENERGY_LOW if opened in (POWER_TOO_LOW, MODULE_LOST) else ENERGY_HIGH
    again = at - lamp.opened[opened] > rules.relearn_us
    if again:
        lamp.cell_n[:] = 0
        lamp.rate_n, rule = 0, LEARNT_AGAIN
    if again or lamp.rate_sound >= 2:
        lamp.rate_level = 0.0
        return clear(events, n, d, lamp, opened, rule, at, watts, usual)
    return n
