"""The rules as Numba kernels over columns: arrays in, arrays out. `oracle` is the same in plain Python.

Schedules come as `powered` has them. No fast-math: a replay must give the same bits.
"""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
import numpy as np
from numba import njit

from anomaly.gaps import note
from anomaly.lamps.counters import judge_counters
from anomaly.lamps.energy import note_measured
from anomaly.lamps.power import HOLD_CHANCE, NO_CELL, SUPPLIED_V, judge_off, judge_on, judge_repeat
from anomaly.layout import (
    CHANNELS,
    CLEAR,
    COMMUNICATION_FAILURE,
    CURRENT,
    ENERGY,
    FACTOR,
    HOURS,
    OTHER,
    POWER,
    STUCK_SENSOR,
    SUSPECT,
    SWITCHES,
    VOLTAGE,
)
from anomaly.powered import (
    by_day_after,
    command_span,
    emit,
    last_on,
    listened_us,
    powered_until,
    powered_us,
    sleeps,
)

EVENTS_A_MOMENT = 16
"""More than the readings of one moment can lead to."""
NO_SCHEDULE = -2
"""Number of none, not even of that which is always on."""


@njit(cache=True, forceinline=True)
def _return_from_silence(d, device, state, gaps, at, first, on, off, deaf, events, n):
    heard = state.heard_at
    if heard == 0:
        return n
    gap = at - heard
    if not device.switched and not state.silent_open and 2 * gap < 3 * device.interval_us and gap <= device.silence_us:
        return n  # Silence is never longer than the gap.
    powered = powered_us(device, device.switched, heard, at, 0, first, on, off)
    asleep = sleeps(device, state.by_day)
    if state.received_at >= at:
        silence = powered_us(device, asleep, heard, at, device.guard_us, first, on, off)
    else:
        silence = listened_us(device, asleep, heard, at, first, on, off, deaf)
    if silence > 2 * device.interval_us:
        state.judge_after = at + device.guard_us
    elif device.switched and powered < at - heard:
        # It woke at dusk, when it did not say so at once; the cabinet's clock may be off by another guard.
        low, high = first[device.schedule], first[device.schedule + 1]
        i = last_on(on, low, high, at)
        dusk = on[i] if i >= low else at
        state.judge_after = min(at, dusk + device.guard_us) + device.guard_us
    told = state.silent_open != 0 or silence > max(device.silence_us, gaps[d].patience_us)
    note(gaps[d], heard, at, silence, device.interval_us, told)
    if state.silent_open:
        state.silent_open = 0
        return emit(events, n, d, COMMUNICATION_FAILURE, CLEAR, state.silent_since, at, at, heard, 0.0, 0.0)
    if told:
        since = powered_until(device, asleep, heard, device.interval_us, first, on, off)
        return emit(events, n, d, COMMUNICATION_FAILURE, SUSPECT, since, at, at, heard, 0.0, 0.0)
    return n


@njit(cache=True, forceinline=True)
def _judge_lamp(d, device, rules, state, lamps, at, gap, command, values, first, on, off, events, n):
    lamp = lamps[d]
    power, voltage = values[POWER], values[VOLTAGE]
    if power != power:
        power = voltage * values[CURRENT] * abs(values[FACTOR])
        values[POWER] = power
    if voltage < SUPPLIED_V:
        return n
    before = lamp.power
    measured = power == power
    stuck = lamp.open & (1 << STUCK_SENSOR) != 0
    if measured:
        note_measured(lamp)
        lit = command == 1 and power > device.on_above_w
        n = judge_repeat(d, rules, lamp, at, lit, values, events, n)
    if values[ENERGY] == values[ENERGY] or values[HOURS] == values[HOURS] or values[SWITCHES] == values[SWITCHES]:
        n = judge_counters(d, device, rules, state, lamps, at, values, measured, stuck, first, on, off, events, n)
    if not measured:
        return n
    if lamp.chance < HOLD_CHANCE:
        lamp.known = 0
        return n
    if command < 0 or at < state.judge_after:
        lamp.last_cell = NO_CELL
        return n
    if command == 1:
        return judge_on(d, device, rules, state, lamp, at, gap, before, values, events, n)
    return judge_off(d, device, state, lamp, at, power, events, n)


@njit(cache=True)
def judge_rows(
    start, device_of, observed_at, received_at, channel, value, devices, rules, states, lamps, gaps, first, on, off,
    deaf, events,
):  # fmt: skip
    """Judge readings that are sorted by (device, observed_at, channel, arrival).

    Parameters
    ----------
    start : int
        Row to begin with.
    device_of : int32[n]
    observed_at, received_at : int64[n], µs UTC
    channel : uint8[n]
    value : float64[n], the metric's unit
        All readings of one device at one moment are judged together; of repeats of a channel the first that is not
        NaN counts.
    devices, rules : layout.DEVICE[m], lamps.layout.RULES[]
    states, lamps, gaps : layout.STATE[m], lamps.layout.LAMP[m], gaps.GAP[m]; change in place
    first, on, off : int64
        Schedules, see `powered`.
    deaf : int64[k, 2], µs UTC
        Periods in which ingest did not listen.
    events : layout.EVENT[>= EVENTS_A_MOMENT], out

    Returns
    -------
    n_events, n_late, next : int
        Late moments are not newer than what was judged already; they change nothing. `next` is the row to go on with:
        less than n where `events` is full.

    References
    ----------
    oracle: ``anomaly.oracle.judge_row``
    """
    n_events = 0
    n_late = 0
    i = start
    n = len(device_of)
    values = np.full(CHANNELS, np.nan)
    command, schedule, guard_us, command_from, command_until = 0, NO_SCHEDULE, 0, 0, 0
    while i < n and n_events + EVENTS_A_MOMENT <= len(events):
        d = device_of[i]
        at = observed_at[i]
        received = received_at[i]
        values[:] = np.nan
        while i < n and device_of[i] == d and observed_at[i] == at:
            c = channel[i]
            if c < OTHER and values[c] != values[c]:
                values[c] = value[i]
            received = max(received, received_at[i])
            i += 1
        device = devices[d]
        state = states[d]
        heard = state.heard_at
        if at <= heard:
            n_late += 1
            continue
        n_events = _return_from_silence(d, device, state, gaps, at, first, on, off, deaf, events, n_events)
        state.by_day = by_day_after(device, state.by_day, heard, at, first, on, off)
        state.heard_at = at
        state.received_at = received
        if device.lamp:
            known = device.schedule == schedule and device.guard_us == guard_us
            if not (known and command_from <= at < command_until):
                schedule, guard_us = device.schedule, device.guard_us
                command, command_from, command_until = command_span(schedule, at, guard_us, first, on, off)
            n_events = _judge_lamp(
                d, device, rules[device.rules], state, lamps, at, at - heard, command, values, first, on, off,
                events, n_events,
            )  # fmt: skip
    return n_events, n_late, i


@njit(cache=True)
def judge_tick(now, devices, states, gaps, first, on, off, deaf, events):
    """Look for the silent at one tick.

    Parameters
    ----------
    now : int, µs UTC
    gaps : gaps.GAP[m]
        How long each is waited for.
    events : layout.EVENT[>= m], out

    Returns
    -------
    n_events : int

    References
    ----------
    oracle: ``anomaly.oracle.judge_silence``
    """
    n_events = 0
    for d in range(len(devices)):
        device = devices[d]
        state = states[d]
        heard = state.heard_at
        if heard == 0 or state.silent_open:
            continue
        # Silence runs from receipt: a device whose back-log is still coming in is not silent.
        last = max(heard, state.received_at)
        if now - last <= device.silence_us:
            continue  # As nearly always.
        asleep = sleeps(device, state.by_day)
        patience = max(device.silence_us, gaps[d].patience_us)
        if now - last > patience and listened_us(device, asleep, last, now, first, on, off, deaf) > patience:
            since = powered_until(device, asleep, heard, device.interval_us, first, on, off)
            state.silent_open = 1
            state.silent_since = since
            n_events = emit(events, n_events, d, COMMUNICATION_FAILURE, SUSPECT, since, 0, now, heard, 0.0, 0.0)
    return n_events
