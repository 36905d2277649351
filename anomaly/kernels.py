"""The rules as Numba kernels over columns: arrays in, arrays out. `oracle` is the same in plain Python.

Schedules come as one ragged array: the burning periods of schedule ``s`` are ``on[first[s]:first[s+1]]`` and
``off[…]``, ascending. No fast-math: a replay must give the same bits.
"""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
from numba import njit

from anomaly.layout import (
    CLEAR,
    COMMUNICATION_FAILURE,
    DARK,
    DIMMING,
    LAMP_FAILURE,
    LAMP_UNEXPECTED_ON,
    LIT,
    OFF,
    POWER,
    SUSPECT,
)


@njit(cache=True)
def _last_on(on, low, high, at):
    """Return the position of the last period that starts at or before `at`; low - 1 where none does."""
    while low < high:
        middle = (low + high) // 2
        if on[middle] <= at:
            low = middle + 1
        else:
            high = middle
    return low - 1


@njit(cache=True)
def commanded_on(schedule, at, first, on, off):
    """Tell whether the schedule has the lamp on."""
    if schedule < 0:
        return False
    i = _last_on(on, first[schedule], first[schedule + 1], at)
    return i >= first[schedule] and at < off[i]


@njit(cache=True)
def near_transition(schedule, at, guard_us, first, on, off):
    """Tell whether a switching time lies within the guard."""
    if schedule < 0:
        return False
    i = _last_on(on, first[schedule], first[schedule + 1], at)
    for j in range(max(i - 1, first[schedule]), min(i + 2, first[schedule + 1])):
        if abs(on[j] - at) < guard_us or abs(off[j] - at) < guard_us:
            return True
    return False


@njit(cache=True)
def powered_us(device, start, end, guard_us, first, on, off):
    """Return how long the device had supply in [start, end), whatever the cabinet's clock is off by within a guard."""
    if end <= start:
        return 0
    if not device.switched:
        return end - start
    total = 0
    low, high = first[device.schedule], first[device.schedule + 1]
    i = max(_last_on(on, low, high, start), low)
    while i < high and on[i] < end:
        total += max(0, min(end, off[i] - guard_us) - max(start, on[i] + guard_us))
        i += 1
    return total


@njit(cache=True)
def listened_us(device, start, end, first, on, off, deaf):
    """Return how long the device should have been heard in [start, end): it had supply, and ingest listened.

    What was due while nobody listened comes with the device's next report: it has one interval more for that.
    """
    total = powered_us(device, start, end, device.guard_us, first, on, off)
    for k in range(deaf.shape[0]):
        until = deaf[k, 1]
        if start < until:
            until += device.interval_us
        if k + 1 < deaf.shape[0]:
            until = min(until, deaf[k + 1, 0])
        total -= powered_us(device, max(start, deaf[k, 0]), min(end, until), device.guard_us, first, on, off)
    return total


@njit(cache=True)
def powered_until(device, start, amount_us, first, on, off):
    """Return when the device has had supply, beyond doubt, for `amount_us` since `start`.

    `start` where its schedule ends before.
    """
    if not device.switched:
        return start + amount_us
    low, high = first[device.schedule], first[device.schedule + 1]
    i = max(_last_on(on, low, high, start), low)
    while i < high:
        begin, end = max(start, on[i] + device.guard_us), off[i] - device.guard_us
        if begin < end:
            if end - begin >= amount_us:
                return begin + amount_us
            amount_us -= end - begin
        i += 1
    return start


@njit(cache=True)
def _emit(events, n, device, fault, kind, since, until, at, heard_at, observed, expected):
    event = events[n]
    event.device, event.fault, event.kind = device, fault, kind
    event.since, event.until, event.at, event.heard_at = since, until, at, heard_at
    event.observed, event.expected = observed, expected
    return n + 1


@njit(cache=True)
def _return_from_silence(d, device, state, at, first, on, off, deaf, events, n):
    heard = state.heard_at
    if heard == 0:
        return n
    powered = powered_us(device, heard, at, 0, first, on, off)
    if state.received_at >= at:
        silence = powered_us(device, heard, at, device.guard_us, first, on, off)
    else:
        silence = listened_us(device, heard, at, first, on, off, deaf)
    if silence > 2 * device.interval_us or (device.switched and powered < at - heard):
        state.judge_after = at + device.guard_us
    if state.silent_open:
        state.silent_open = 0
        return _emit(events, n, d, COMMUNICATION_FAILURE, CLEAR, state.silent_since, at, at, heard, 0.0, 0.0)
    if silence > device.silence_us:
        since = powered_until(device, heard, device.interval_us, first, on, off)
        return _emit(events, n, d, COMMUNICATION_FAILURE, SUSPECT, since, at, at, heard, 0.0, 0.0)
    return n


@njit(cache=True)
def _judge_on(d, device, state, at, power, level, events, n):
    """Judge a lamp that is commanded on."""
    if level <= 0.0:
        return n
    expected = device.rated_w * level / 100.0
    if power < device.dark_below * expected:
        state.lamp = DARK
        if state.dark_run == 0:
            state.dark_since = at
        state.dark_run += 1
        if state.dark_run >= device.dark_readings and not state.dark_open:
            state.dark_open = 1
            return _emit(events, n, d, LAMP_FAILURE, SUSPECT, state.dark_since, 0, at, at, power, expected)
        return n
    state.lamp = LIT
    state.dark_run = 0
    if state.dark_open:
        state.dark_open = 0
        return _emit(events, n, d, LAMP_FAILURE, CLEAR, state.dark_since, at, at, at, power, expected)
    return n


@njit(cache=True)
def _judge_off(d, device, state, at, power, events, n):
    """Judge a lamp that is commanded off."""
    state.lamp = OFF
    if power > device.on_above_w:
        if state.on_run == 0:
            state.on_since = at
        state.on_run += 1
        if state.on_run >= device.on_readings and not state.on_open:
            state.on_open = 1
            return _emit(events, n, d, LAMP_UNEXPECTED_ON, SUSPECT, state.on_since, 0, at, at, power, 0.0)
        return n
    state.on_run = 0
    if state.on_open:
        state.on_open = 0
        return _emit(events, n, d, LAMP_UNEXPECTED_ON, CLEAR, state.on_since, at, at, at, power, 0.0)
    return n


@njit(cache=True)
def judge_rows(device_of, observed_at, received_at, channel, value, devices, states, first, on, off, deaf, events):
    """Judge readings that are sorted by (device, observed_at, channel, arrival).

    Parameters
    ----------
    device_of : int32[n]
    observed_at, received_at : int64[n], µs UTC
    channel : uint8[n]
    value : float64[n], the metric's unit
        All readings of one device at one moment are judged together; of repeats of a channel the first counts.
    devices, states : layout.DEVICE[m], layout.STATE[m]; states change in place
    first, on, off : int64
        Schedules, see the module.
    deaf : int64[k, 2], µs UTC
        Periods in which ingest did not listen.
    events : layout.EVENT[>= 2 n], out

    Returns
    -------
    n_events, n_late : int
        Late moments are not newer than what was judged already; they change nothing.

    References
    ----------
    oracle: ``anomaly.oracle.judge_row``
    """
    n_events = 0
    n_late = 0
    i = 0
    n = len(device_of)
    while i < n:
        d = device_of[i]
        at = observed_at[i]
        received = received_at[i]
        power = 0.0
        level = 100.0
        has_power = False
        has_level = False
        while i < n and device_of[i] == d and observed_at[i] == at:
            if channel[i] == POWER and not has_power:
                power, has_power = value[i], True
            elif channel[i] == DIMMING and not has_level:
                level, has_level = value[i], True
            received = max(received, received_at[i])
            i += 1
        device = devices[d]
        state = states[d]
        if at <= state.heard_at:
            n_late += 1
            continue
        n_events = _return_from_silence(d, device, state, at, first, on, off, deaf, events, n_events)
        state.heard_at = at
        state.received_at = received
        if not device.lamp or not has_power or at < state.judge_after:
            continue
        if near_transition(device.schedule, at, device.guard_us, first, on, off):
            continue
        if commanded_on(device.schedule, at, first, on, off):
            n_events = _judge_on(d, device, state, at, power, level, events, n_events)
        else:
            n_events = _judge_off(d, device, state, at, power, events, n_events)
    return n_events, n_late


@njit(cache=True)
def judge_tick(now, devices, states, first, on, off, deaf, events, census):
    """Look for the silent at one tick, and count each feeder.

    Parameters
    ----------
    now : int, µs UTC
    events : layout.EVENT[>= m], out
    census : layout.CENSUS[n_feeders], zeroed, out

    Returns
    -------
    n_events : int

    References
    ----------
    oracle: ``anomaly.oracle.judge_silence`` and ``anomaly.oracle.count``
    """
    n_events = 0
    for d in range(len(devices)):
        device = devices[d]
        state = states[d]
        heard = state.heard_at
        # Silence runs from receipt: a device whose back-log is still coming in is not silent.
        last = max(heard, state.received_at)
        silence = 0 if heard == 0 else listened_us(device, last, now, first, on, off, deaf)
        if heard > 0 and not state.silent_open and silence > device.silence_us:
            since = powered_until(device, heard, device.interval_us, first, on, off)
            state.silent_open = 1
            state.silent_since = since
            n_events = _emit(events, n_events, d, COMMUNICATION_FAILURE, SUSPECT, since, 0, now, heard, 0.0, 0.0)
        if device.feeder < 0 or heard == 0:
            continue
        patience = device.interval_us + device.interval_us // 2
        row = census[device.feeder]
        row.heard_at = max(row.heard_at, heard)
        if device.switched and not commanded_on(device.schedule, now, first, on, off):
            continue  # Nothing is expected of it now, and what it missed until then grows no more.
        if silence > patience:
            row.expected += 1
            row.missed += silence // device.interval_us
            row.silent_since = max(row.silent_since, powered_until(device, heard, 1, first, on, off))
        elif now - last <= patience:
            row.expected += 1
            row.heard += 1
            if state.lamp == DARK and state.dark_run > 0 and commanded_on(device.schedule, now, first, on, off):
                row.dark += 1
    return n_events
