"""The rules of lamps' counters as Numba kernels: what energy, hours and switch-ons add up to against the command.

`oracle` is the same in plain Python.
"""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
import numpy as np
from numba import njit

from anomaly.lamps.energy import judge_energy
from anomaly.lamps.power import MENDED_US, clear, suspect
from anomaly.layout import (
    CLEAR,
    COUNTER_RESET,
    COUNTERS_STAND,
    CYCLING_FAILURE,
    ENERGY,
    HOURS,
    HOURS_STAND,
    HOURS_WHILE_OFF,
    LAMP_FAILURE,
    LAMP_UNEXPECTED_ON,
    STUCK_SENSOR,
    SUSPECT,
    SWITCH_ONS,
    SWITCHES,
)
from anomaly.powered import burning_us, count_within, emit, powered_us, sleeps
from anomaly.schedules import LOOK_BACK_US
from city.clock import HOUR_US

BACK = 0.02
"""A counter that is lower by more has begun again."""
STAND_H = 2.0
REST_H = 4.0
NIGHT_H = 3.0
IDLE_H = 1.5
JITTER_H = 0.05
"""Hours that are rounded may seem to move by less."""
NIGHTS = 4
DIGITS = 3
"""So many digits behind the point are more than anybody's doubt."""
STAND_US = 2 * HOUR_US
COMMANDS = 2
"""Nights of one lamp that count as evidence."""
STEP_SHARE = 0.04
"""Counters that go in whole hours, or tenths of a kWh, are added up until their steps are less of the sum."""


@njit(cache=True)
def judge_counters(d, device, rules, state, lamps, at, values, measured, stuck, first, on, off, events, n):
    """Judge what counters have added since they were last read; with `measured` power, only what power cannot tell."""
    lamp = lamps[d]
    energy, hours, switches = values[ENERGY], values[HOURS], values[SWITCHES]
    known = (1 if energy == energy else 0) | (2 if hours == hours else 0) | (4 if switches == switches else 0)
    if known == 0 or known & lamp.counters != lamp.counters:
        return n
    start, had = lamp.counted_at, lamp.counters
    added_kwh = energy - lamp.energy if had & 1 else np.nan
    added_h = hours - lamp.hours if had & 2 else np.nan
    added_on = switches - lamp.switches if had & 4 else np.nan
    lamp.counted_at, lamp.counters = at, known
    if known & 1:
        lamp.energy = energy
        lamp.energy_digits = max(lamp.energy_digits, _digits(energy))
    if known & 2:
        lamp.hours = hours
        lamp.hours_digits = max(lamp.hours_digits, _digits(hours))
    if known & 4:
        lamp.switches = switches
    if had == 0:
        lamp.moved_at = at
        return n
    if added_h < -BACK or added_on < -BACK or (added_kwh < -BACK and energy < 0.9 * (energy - added_kwh)):
        return _begin_again(d, rules, lamp, at, events, n)
    if lamp.open & (1 << COUNTER_RESET) and at - lamp.reset_at > 2 * rules.reset_us:
        n = clear(events, n, d, lamp, COUNTER_RESET, COUNTER_RESET, at, 0.0, 0.0)
    if device.schedule < 0 or at - start > LOOK_BACK_US:
        _forget_sums(lamp)
        return n  # Of so long ago nobody knows what was commanded: what was added tells nothing.
    low, high, guard = first[device.schedule], first[device.schedule + 1], device.guard_us
    dusks = count_within(on, low, high, start - guard, at + guard)
    burning_h = burning_us(device.schedule, start, at, first, on, off) / HOUR_US
    caught_up = added_h > (at - start) / HOUR_US + 0.5 or stuck
    if not caught_up:
        n = _judge_switching(d, rules, lamp, at, dusks, added_on, burning_h, measured, events, n)
    if measured:
        return n
    edges = dusks + count_within(off, low, high, start - guard, at + guard)
    slack_h = edges * (guard / HOUR_US)
    if added_h != added_h:
        added_h = _hours_of(rules, lamp, added_kwh)
        caught_up = added_h > (at - start) / HOUR_US + 0.5 or stuck
    asleep = sleeps(device, state.by_day)
    missed = powered_us(device, asleep, start, at, 0, first, on, off) > device.interval_us * 8 // 5
    sure = count_within(on, low, high, lamp.moved_at + guard, at - guard) > 0
    forgetful = lamp.open & (1 << COUNTER_RESET) != 0 or (lamp.reset_at > 0 and at - lamp.reset_at <= rules.reset_us)
    if not forgetful:
        # Counters that begin again may show the same twice.
        n = _judge_standing(
            d, state, lamps, at, added_h, added_kwh, added_on, burning_h - slack_h, missed, sure, events, n
        )
    if caught_up:
        _forget_sums(lamp)
        return n  # What was counted while nothing was shown says nothing of the time since.
    if not device.switched:
        rest_h = (at - start) / HOUR_US - burning_h - slack_h
        n = _judge_idle(d, state, lamp, at, added_h - burning_h - slack_h, rest_h, events, n)
    wrong = state.dark_open or state.on_open or lamp.open & ((1 << CYCLING_FAILURE) | (1 << STUCK_SENSOR))
    if wrong or lamp.measured != 0:
        _forget_sums(lamp)
        return n
    if lamp.told_h == 0.0:
        lamp.sum_from = start
    lamp.sum_kwh += added_kwh
    lamp.sum_h += added_h if had & 2 else burning_h
    lamp.told_h += burning_h
    if lamp.sum_h >= NIGHT_H:
        doubt = _step_share(lamp)
        if doubt <= STEP_SHARE:
            n = judge_energy(d, device, rules, lamp, at, doubt, first, on, off, events, n)
    return n


@njit(cache=True)
def _forget_sums(lamp):
    lamp.sum_kwh = lamp.sum_h = lamp.told_h = 0.0


@njit(cache=True)
def _digits(value):
    """Return how many digits behind the point a counter shows."""
    for digits in range(DIGITS):
        scaled = value * 10.0**digits
        if abs(scaled - np.floor(scaled + 0.5)) < 1e-4:
            return digits
    return DIGITS


@njit(cache=True)
def _step_share(lamp):
    """Return how much of the mean power that was added up may be the steps in which the counters go."""
    share = 0.0
    if lamp.counters & 2 and lamp.hours_digits < DIGITS:
        share += 10.0 ** -np.float64(lamp.hours_digits) / lamp.sum_h
    if lamp.energy_digits < DIGITS:
        # A lamp that has counted nothing says so only where by now it should have counted steps enough.
        kwh = max(lamp.sum_kwh, lamp.rate * lamp.sum_h)
        share += 10.0 ** -np.float64(lamp.energy_digits) / kwh if kwh > 0.0 else np.inf
    return share


@njit(cache=True)
def _begin_again(d, rules, lamp, at, events, n):
    """Counters began again at nothing: once is the change of a meter, twice a day is a fault."""
    before = lamp.reset_at
    lamp.reset_at = at
    _forget_sums(lamp)
    lamp.stand_h = 0.0
    if before > 0 and at - before <= rules.reset_us and not lamp.open & (1 << COUNTER_RESET):
        return suspect(events, n, d, lamp, COUNTER_RESET, COUNTER_RESET, before, at, 2.0, 0.0, 0.0, 0.0, 2)
    return n


@njit(cache=True)
def _hours_of(rules, lamp, added_kwh):
    """Return hours that an amount of energy stands for."""
    if added_kwh == 0.0:
        return 0.0
    return added_kwh / lamp.rate if lamp.rate_n >= NIGHTS and lamp.rate > 0.0 else np.nan


@njit(cache=True)
def _judge_switching(d, rules, lamp, at, dusks, added_on, burning_h, measured, events, n):
    if added_on != added_on:
        return n
    if dusks > 0:
        lamp.extra = 0
    more = int(added_on) - dusks
    if more > 0:
        lamp.extra = min(lamp.extra + more, 10_000)
        lamp.rest_h = 0.0
        lamp.calm = 0
    else:
        lamp.rest_h = min(lamp.rest_h + burning_h, 1000.0)
    opened = lamp.open & (1 << CYCLING_FAILURE) != 0
    if lamp.extra >= rules.switch_ons and not opened:
        extra = np.int64(lamp.extra)
        return suspect(
            events, n, d, lamp, CYCLING_FAILURE, SWITCH_ONS, at, at, extra + dusks, float(dusks), 0.0, 0.0, extra
        )
    if opened and not measured and lamp.rest_h >= REST_H and lamp.extra < rules.switch_ons:
        return clear(events, n, d, lamp, CYCLING_FAILURE, SWITCH_ONS, at, 0.0, 0.0)
    return n


@njit(cache=True)
def _judge_standing(d, state, lamps, at, added_h, added_kwh, added_on, burning_h, missed, sure, events, n):
    """Judge counters that stand still while the lamp is commanded on.

    A lamp that is dead is still switched on at dusk; where not even that was counted, the counters are dead, unless
    those of this partition are known to count what burns.
    """
    lamp = lamps[d]
    if added_on > 0.0:
        lamp.switched_at = at
    if added_h > JITTER_H:
        lamp.hours_at = at
    if added_h > 0.0 or added_kwh > 0.0 or added_on > 0.0:
        lamp.moved_at = at
        if lamp.open & (1 << STUCK_SENSOR) and added_h < 0.5 * lamp.stand_h:
            lamp.resumed = min(lamp.resumed + 1, 100)
        n = clear(events, n, d, lamp, STUCK_SENSOR, COUNTERS_STAND, at, added_h, burning_h)
    if burning_h <= 0.0 or added_h != added_h:
        return n
    if added_h > 0.1 * burning_h:
        lamp.stand_h = 0.0
        if state.dark_open and added_h >= 0.5 * burning_h:
            state.dark_open = 0
            n = emit(events, n, d, LAMP_FAILURE, CLEAR, state.dark_since, at, at, at, added_h, burning_h)
            events[n - 1].rule = HOURS_STAND
            if at - state.dark_since > MENDED_US and lamp.measured == 0:
                lamp.cell_n[:] = 0  # What burns now may be another lamp.
                lamp.rate_n = 0
        return n
    if lamp.switched_at > max(lamp.hours_at, lamp.commands_at) and at - lamp.switched_at >= STAND_US:
        lamp.commands, lamp.commands_at = min(lamp.commands + 1, COMMANDS), lamp.switched_at
    if missed and lamp.stand_h == 0.0:
        return n  # It may have had no supply.
    if lamp.stand_h == 0.0:
        lamp.stand_since = at
    lamp.stand_h = min(lamp.stand_h + burning_h, 1000.0)
    if lamp.stand_h < STAND_H or state.dark_open or lamp.open & (1 << STUCK_SENSOR):
        return n
    since, stand_h = lamp.stand_since, lamp.stand_h
    # A dusk and the last hours of the morning before may come in one message.
    if added_on <= 0.0 and lamp.switched_at <= lamp.hours_at and not _count_burning(lamps):
        if not sure:
            return n  # The next dusk tells.
        return suspect(events, n, d, lamp, STUCK_SENSOR, COUNTERS_STAND, since, at, 0.0, stand_h, 0.0, 0.0, 0)
    state.dark_open, state.dark_since = 1, since
    n = emit(events, n, d, LAMP_FAILURE, SUSPECT, since, 0, at, at, 0.0, stand_h)
    events[n - 1].rule = HOURS_STAND
    return n


@njit(cache=True)
def _count_burning(lamps):
    """Tell whether the lamps' counters count what burns, so that a dead lamp's stand altogether.

    Some were seen to stand and to go on from there, with nothing to catch up, and no fewer of them than nights in which
    a dead lamp counted that it was switched on.
    """
    resumed, nights = 0, 0
    for k in range(len(lamps)):
        resumed += lamps[k].resumed
        nights += lamps[k].commands
    return resumed > 0 and resumed >= nights


@njit(cache=True)
def _judge_idle(d, state, lamp, at, extra_h, rest_h, events, n):
    """Judge hours that were counted while the lamp was commanded off."""
    if rest_h <= 0.0 or extra_h != extra_h:
        lamp.idle_h = lamp.idle_burned_h = 0.0
        return n
    lamp.idle_h += rest_h
    lamp.idle_burned_h += max(extra_h, 0.0)
    if lamp.idle_h < IDLE_H:
        return n
    rest_h, extra_h = lamp.idle_h, lamp.idle_burned_h
    lamp.idle_h = lamp.idle_burned_h = 0.0
    if extra_h >= 0.6 * rest_h:
        if not state.on_open:
            state.on_open, state.on_since = 1, at
            n = emit(events, n, d, LAMP_UNEXPECTED_ON, SUSPECT, at, 0, at, at, extra_h, 0.0)
            events[n - 1].rule = HOURS_WHILE_OFF
    elif state.on_open and extra_h < 0.2 * rest_h:
        state.on_open = 0
        n = emit(events, n, d, LAMP_UNEXPECTED_ON, CLEAR, state.on_since, at, at, at, extra_h, 0.0)
        events[n - 1].rule = HOURS_WHILE_OFF
    return n
