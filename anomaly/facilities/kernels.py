"""The rules of facilities as Numba kernels over columns: arrays in, arrays out.

No fast-math, and nothing but sums, products and comparisons: a replay must give the same bits.

Numba's cache on disk looks at the time of this file alone, not of `pattern`, `heating`, `water` and `repeats`: the
program compares all sources at its start (`app.kernels`); who tries a change in a test removes ``__pycache__`` first.
"""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
import numpy as np
from numba import njit

from anomaly.facilities import heating, pattern, repeats, water
from anomaly.facilities.layout import (
    CLASSES,
    CLOSED,
    CO2,
    CO2_TOO_HIGH,
    COLD_ROOM,
    COLD_ROOM_TOO_WARM,
    COUNTER,
    COUNTER_RESET,
    ENERGY_PATTERN,
    FLOW,
    GENERAL,
    GENERAL_PATTERN,
    HEATING,
    HOT_WATER,
    HOT_WATER_TOO_COLD,
    HUMIDITY,
    HUMIDITY_PATTERN,
    INDOOR,
    NEAR,
    NONE,
    OPEN,
    POWER,
    SLOTS,
    STUCK,
    TEMPERATURE,
    TEMPERATURE_PATTERN,
    UNKNOWN,
    WATER_LEAK,
)

HOUR_US = 3_600_000_000
QUARTER_US, DAY_US = HOUR_US // 4, 24 * HOUR_US
GAP_INTERVALS = 3
FORGET_US = DAY_US
"""After so long without a reading what was a recent departure from habit is none."""
UNSEEN_US = 2 * HOUR_US
"""A limit that is passed before and after a longer gap is timed anew; whoever reports each hour is still timed."""
QUIET_US = DAY_US
QUIET_CLOSED_US, QUIET_OPEN_US = 10 * HOUR_US, 6 * HOUR_US
QUIET_RULE_US = 2 * HOUR_US
RESET_SHARE, RESET_LEAST = 0.01, 1.0
"""A counter begins again when it falls by more than this share and by more than this: less is a correction."""
RESETS_WITHIN_US = DAY_US
VALUE_MAX = 1e15
"""No sensor of a city measures more."""


@njit(cache=True)
def _emit(events, n, d, i, fault, clear, since, until, at, observed, expected, z):
    event = events[n]
    event.device, event.series, event.fault, event.clear = d, i, fault, clear
    event.since, event.until, event.at, event.heard_at = since, until, at, at
    event.observed, event.expected, event.z = observed, expected, z
    return n + 1


@njit(cache=True)
def _open(state, d, i, fault, since, at, observed, expected, z, events, n):
    state.quiet_us[fault] = 0
    if state.since[fault] != 0:
        return n
    state.since[fault] = since
    return _emit(events, n, d, i, fault, 0, since, 0, at, observed, expected, z)


@njit(cache=True)
def _rest(state, d, i, fault, quiet, past_us, need_us, at, observed, expected, events, n):
    """Let time pass over an open fault: it ends when it was quiet for `need_us`."""
    if state.since[fault] == 0:
        return n
    if not quiet:
        state.quiet_us[fault] = 0
        return n
    if state.quiet_us[fault] == 0:
        state.quiet_at[fault] = at
    state.quiet_us[fault] += max(past_us, 1)
    if state.quiet_us[fault] < need_us:
        return n
    since = state.since[fault]
    state.since[fault] = 0
    state.quiet_us[fault] = 0
    return _emit(events, n, d, i, fault, 1, since, max(state.quiet_at[fault], since), at, observed, expected, 0.0)


@njit(cache=True)
def _limit(state, d, i, fault, bad, for_us, at, value, limit, events, n):
    """Judge a value against a limit that it may pass for `for_us`."""
    if not bad:
        state.first_bad[fault] = 0
        return n
    if state.first_bad[fault] == 0:
        state.first_bad[fault] = at
    if at - state.first_bad[fault] >= for_us:
        return _open(state, d, i, fault, state.first_bad[fault], at, value, limit, 0.0, events, n)
    state.quiet_us[fault] = 0
    return n


@njit(cache=True)
def _fault_of(role):
    """Return the fault that a series out of pattern is; −1 where its pattern only serves other rules."""
    if role in (INDOOR, TEMPERATURE):
        return TEMPERATURE_PATTERN
    if role == HUMIDITY:
        return HUMIDITY_PATTERN
    if role == POWER:
        return ENERGY_PATTERN
    if role == GENERAL:
        return GENERAL_PATTERN
    return -1


@njit(cache=True)
def _is_held(state, role):
    """Tell whether a rule knows what is wrong with a series, so that nothing can be learnt from it."""
    if state.since[STUCK] != 0:
        return True
    if role in (INDOOR, POWER) and (state.since[HEATING] != 0 or state.held_since != 0):
        return True
    if role == CO2:
        return state.since[CO2_TOO_HIGH] != 0 or state.first_bad[CO2_TOO_HIGH] != 0
    if role == FLOW:
        return state.since[WATER_LEAK] != 0
    fault = _fault_of(role)
    return fault >= 0 and state.since[fault] != 0


@njit(cache=True)
def _is_stale(state, s, role, at):
    """Tell whether so long nothing could be learnt of a series that the weather may have changed meanwhile.

    What was not learnt because it is itself out of pattern is judged on.
    """
    if at - s.learnt_at <= pattern.STALE_US:
        return False
    if role in (INDOOR, POWER) and (state.since[HEATING] != 0 or state.held_since != 0):
        return False
    fault = _fault_of(role)
    return fault < 0 or (state.since[fault] == 0 and s.bad == 0)


@njit(cache=True)
def _judge_counter(state, s, d, i, at, value, known, events, n):
    fell = s.value - value
    if known and fell > RESET_LEAST and fell > RESET_SHARE * s.value:
        before = s.reset_at
        s.reset_at = at
        if before != 0 and at - before <= RESETS_WITHIN_US:
            n = _open(state, d, i, COUNTER_RESET, before, at, value, s.value, 0.0, events, n)
        state.quiet_us[COUNTER_RESET] = 0
        return n
    return _rest(state, d, i, COUNTER_RESET, True, at - s.observed_at, RESETS_WITHIN_US, at, value, s.value, events, n)


@njit(cache=True)
def _judge_limits(device, state, s, d, i, role, at, past_us, opened, value, z, events, n):
    if role == HOT_WATER:
        bad = value < device.hot_water_deg_c
        n = _limit(
            state, d, i, HOT_WATER_TOO_COLD, bad, device.hot_water_us, at, value, device.hot_water_deg_c, events, n
        )
        fault, need = HOT_WATER_TOO_COLD, QUIET_RULE_US
        return _rest(state, d, i, fault, not bad, past_us, need, at, value, device.hot_water_deg_c, events, n)
    if role == COLD_ROOM:
        bad = value > device.cold_room_deg_c
        n = _limit(
            state, d, i, COLD_ROOM_TOO_WARM, bad, device.cold_room_us, at, value, device.cold_room_deg_c, events, n
        )
        fault, need = COLD_ROOM_TOO_WARM, QUIET_RULE_US
        return _rest(state, d, i, fault, not bad, past_us, need, at, value, device.cold_room_deg_c, events, n)
    if role == CO2:
        inside = opened in (OPEN, UNKNOWN)
        bad = inside and value > device.co2_ppm
        n = _limit(state, d, i, CO2_TOO_HIGH, bad, device.co2_us, at, value, device.co2_ppm, events, n)
        quiet = not bad and z < pattern.CALM_Z and s.bad == 0
        need = QUIET_OPEN_US if opened == OPEN else QUIET_US
        # With known hours only time with people counts: air is always good in an empty house.
        spent = past_us if inside else 0
        if inside or not quiet:
            n = _rest(state, d, i, CO2_TOO_HIGH, quiet, spent, need, at, value, device.co2_ppm, events, n)
    return n


@njit(cache=True)
def _reach(state, at, slot):
    """Return within how many quarters of an hour something has to be habitual: more after the clocks were changed."""
    zone = (slot - at % DAY_US // QUARTER_US + SLOTS // 2) % SLOTS - SLOTS // 2
    if state.heard_at != 0 and zone != state.zone:
        state.zone_at = at
    state.zone = zone
    changed = state.zone_at != 0 and at - state.zone_at < pattern.CHANGED_US
    return pattern.CHANGED_SLOTS if changed else pattern.AMISS_SLOTS


@njit(cache=True)
def _judge_one(
    device, state, fixed, s, d, i, at, day, slot, day_type, opened, value, common, air, same, reach, events, n
):
    """Take one reading of one series."""
    role = fixed.role
    known = s.first_at != 0
    if not known:
        s.first_at = at
        s.begin_share = 0.02
        s.run_length = 1.5
        s.hour = -1
    past_us = at - s.observed_at if known else 0
    gap = known and past_us > GAP_INTERVALS * device.interval_us
    if gap and past_us > FORGET_US:
        for j in range(len(s.offset)):
            s.offset[j] = 0.0
            s.outside[j] = 0.0
    if gap and past_us > UNSEEN_US:
        # What held before and holds again need not have held between.
        if role == HOT_WATER:
            state.first_bad[HOT_WATER_TOO_COLD] = 0
        elif role == COLD_ROOM:
            state.first_bad[COLD_ROOM_TOO_WARM] = 0
        elif role == CO2:
            state.first_bad[CO2_TOO_HIGH] = 0
    before = s.observed_at
    repeats.take(s, known and value == s.value, at, before, 0.001, 0.1, state.since[STUCK] == 0)
    z = 0.0
    if role not in (NONE, COUNTER, HOT_WATER, COLD_ROOM):
        old = at - s.first_at >= device.pattern_us and not _is_stale(state, s, role, at)
        held = _is_held(state, role)
        shared = common[0 if role == INDOOR else 1, opened] if role in (INDOOR, HUMIDITY) else 0.0
        z = pattern.meet(
            fixed, s, at, gap, day_type, slot, opened, value, shared, air, same, old, role != FLOW, held, reach
        )
    if role == INDOOR and s.bad == 0 and not same and state.since[HEATING] == 0:
        heating.warm(s, day_type, slot, opened, value)
    counted = 0 if gap else past_us
    if role == COUNTER:
        n = _judge_counter(state, s, d, i, at, value, known, events, n)
    elif role == FLOW and (state.since[STUCK] != 0 or same):
        water.skip(s)
    elif role == FLOW:
        told, least, usual = water.flow(
            s, at, day, slot, value, value - s.expected, device.leak_ratio, device.leak_nights
        )
        if told == 1:
            n = _open(state, d, i, WATER_LEAK, s.leak_at, at, least, usual, 0.0, events, n)
        elif told == 0:
            n = _rest(state, d, i, WATER_LEAK, True, 1, 0, at, least, usual, events, n)
    else:
        n = _judge_limits(device, state, s, d, i, role, at, counted, opened, value, z, events, n)
    s.value = value
    s.observed_at = at
    return n


@njit(cache=True)
def _judge_patterns(device, state, series, states, d, at, past_us, opened, events, n):
    """Say which series are out of pattern and what that is called, and which faults are over."""
    indoor, power, now = heating.judge(device, state, states, at, opened)
    if now >= 0:
        s = states[device.power]
        n = _open(state, d, device.power, now, s.shown_at, at, s.value, s.expected, 0.0, events, n)
    odd = 0  # Faults of which a series is out of pattern now, as bits.
    for i in range(device.first, device.last):
        s = states[i]
        fault = _fault_of(series[i].role)
        if fault < 0 or s.bad == 0:
            continue
        if i == device.indoor and s.bad > 0:
            fault = indoor
        elif i == device.power and s.bad > 0:
            fault = power
        elif i == device.power and state.since[HEATING] != 0:
            # Nothing was learnt of it meanwhile: that it draws less than it did says little.
            continue
        if fault < 0:
            continue
        odd |= 1 << fault
        if s.observed_at == at:
            z = s.z[(s.at_ring - 1) % len(s.z)] if s.filled > 0 else 0.0
            n = _open(state, d, i, fault, s.shown_at, at, s.value, s.expected, z, events, n)
    for fault in (TEMPERATURE_PATTERN, HUMIDITY_PATTERN, ENERGY_PATTERN, GENERAL_PATTERN):
        quiet = odd & (1 << fault) == 0
        n = _rest(state, d, -1, fault, quiet, past_us, QUIET_US, at, 0.0, 0.0, events, n)
    quiet = odd & (1 << HEATING) == 0
    if not quiet or opened == CLOSED:
        n = _rest(state, d, -1, HEATING, quiet, past_us, QUIET_CLOSED_US, at, 0.0, 0.0, events, n)
    elif opened == UNKNOWN:
        n = _rest(state, d, -1, HEATING, quiet, past_us, QUIET_US, at, 0.0, 0.0, events, n)
    return n


@njit(cache=True)
def _judge_repeats(device, state, series, states, d, at, same, count, events, n):
    """Look whether the whole message, or one series, repeats itself for longer than by chance."""
    repeats.take(
        state,
        same,
        at,
        state.heard_at,
        0.001 if count > 2 else 0.005,
        0.01 if count > 2 else 0.03,
        state.since[STUCK] == 0,
    )
    which, since = -2, at
    if state.run > 0 and state.chance < repeats.CHANCE_MESSAGE:
        which, since = -1, state.changed_at
    else:
        for i in range(device.first, device.last):
            s = states[i]
            if (
                s.observed_at != at
                or s.value == 0.0
                or s.value >= series[i].top
                or s.n < repeats.SERIES_MIN
                or s.run == 0
            ):
                continue
            if s.chance < repeats.CHANCE_SERIES and s.run > repeats.LONGEST_TIMES * s.longest and which == -2:
                which, since = i, s.changed_at
    if which == -2:
        state.changes += 1
        quiet = state.changes >= repeats.CHANGES
        return _rest(state, d, -1, STUCK, quiet, 1, 0, at, 0.0, 0.0, events, n)
    state.changes = 0
    shown = max(which, device.first)
    return _open(state, d, which, STUCK, since, at, states[shown].value, 0.0, 0.0, events, n)


@njit(cache=True)
def judge_rows(
    device_of, series_of, at_us, day, slot, day_type, opened, value, outside, devices, states, series, columns, common,
    events,
):  # fmt: skip
    """Judge readings of facilities that are sorted by (device, observed_at, series, arrival).

    Parameters
    ----------
    device_of, series_of : int32[n]
        Rows of `devices` and of `series`.
    at_us, day : int64[n]
        µs UTC, and local days.
    slot, day_type, opened : int32[n]
        What the facility's calendar says, see `calendar.Moments`.
    value : float64[n], the metric's unit
        NaN, infinities and what is beyond `VALUE_MAX` are passed over; of repeats of a series at one moment the first
        counts.
    outside : float64[n], °C
        How far from its habit the air outside is; NaN where nobody knows, or for what comes late.
    devices, states : layout.DEVICE[m], layout.DEVICE_STATE[m]; states change in place
    series, columns : layout.SERIES[k], layout.SERIES_STATE[k]; columns change in place
    common : float64[2, layout.CLASSES]
        By how much rooms' temperatures and humidities are off their habit all over the city, see `share`.
    events : layout.EVENT[>= 13 n], out

    Returns
    -------
    n_events, n_late : int
        Late moments are not newer than what was judged already; they change nothing.
    """
    n_events, n_late, i, n = 0, 0, 0, len(device_of)
    while i < n:
        d, at, first = device_of[i], at_us[i], i
        device, state = devices[d], states[d]
        count, same, last = 0, True, -1
        while i < n and device_of[i] == d and at_us[i] == at:
            if series_of[i] != last and abs(value[i]) <= VALUE_MAX:
                last = series_of[i]
                s = columns[last]
                count += 1
                same = same and s.first_at != 0 and s.value == value[i]
            i += 1
        if at <= state.heard_at or count == 0:
            n_late += 1
            continue
        if state.heard_at == 0:
            state.begin_share, state.run_length = 0.01, 1.1
        past_us = min(at - state.heard_at, GAP_INTERVALS * device.interval_us)
        same = same and count > 1
        reach = _reach(state, at, slot[first])
        last = -1
        for j in range(first, i):
            k = series_of[j]
            if k == last or not abs(value[j]) <= VALUE_MAX:
                continue
            last = k
            n_events = _judge_one(
                device, state, series[k], columns[k], d, k, at, day[j], slot[j], day_type[j], opened[j], value[j],
                common, outside[j], same, reach, events, n_events,
            )  # fmt: skip
        n_events = _judge_repeats(device, state, series, columns, d, at, same, count, events, n_events)
        n_events = _judge_patterns(device, state, series, columns, d, at, past_us, opened[first], events, n_events)
        state.heard_at = at
        state.opened = opened[first]
    return n_events, n_late


COMMON_MIN = 4
FRESH_US = 2 * HOUR_US


@njit(cache=True)
def share(now, states, series, columns, common):
    """Learn by how much buildings are off their habit all at once: medians, so that no fault of one has a part.

    Parameters
    ----------
    now : int, µs UTC
    common : float64[2, layout.CLASSES], out
        Of temperature, °C, and humidity, %, by what the buildings are; 0 where fewer than `COMMON_MIN` were heard.
    """
    common[:] = 0.0
    found = np.zeros(len(series), np.float64)
    for which in range(2):
        role = INDOOR if which == 0 else HUMIDITY
        for opened in range(CLASSES):
            n = 0
            for i in range(len(series)):
                state = states[series[i].device]
                alike = state.opened == opened or (opened == NEAR and state.opened == CLOSED)
                if series[i].role != role or not alike or columns[i].observed_at <= now - FRESH_US:
                    continue
                if columns[i].n > 0 and columns[i].bad == 0:
                    found[n] = columns[i].raw
                    n += 1
            if n >= COMMON_MIN:
                common[which, opened] = np.median(found[:n])
