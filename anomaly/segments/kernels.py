"""What lamps' controllers said, gathered by feeder. `oracle` is the same in plain Python; no fast-math."""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
from numba import njit

from anomaly.powered import (
    burning_us,
    by_day_after,
    command_span,
    commanded_on,
    listened_us,
    powered_until,
    powered_us,
    sleeps,
)
from anomaly.segments.layout import (
    ABSENT,
    ASLEEP,
    COUNTED_H,
    FORGOTTEN_US,
    GASP_BELOW,
    HEARD,
    HOURS,
    LATE,
    LOSS_STEP,
    LOST_MAX,
    NOMINAL_V,
    PAUSE_US,
    POWER,
    SILENT,
    SLOW_RUN,
    STOOD_US,
    VOLTAGE,
)


@njit(cache=True, forceinline=True)
def _learn(lamp, row, gap):
    """Learn from a gap in powered time how often a controller speaks, and how much of that is lost."""
    interval = max(lamp.interval_us, row.interval_us)
    if 2 * gap > 3 * interval:
        row.slow_us = gap if row.slow_run == 0 else min(row.slow_us, gap)
        row.slow_run += 1
        if row.slow_run >= SLOW_RUN:
            row.interval_us = row.slow_us
            row.slow_run = 0
    else:
        row.slow_run = 0
        if 4 * gap < 3 * interval:
            row.interval_us = max(lamp.interval_us, gap)
    lost = (gap + interval // 2) // interval - 1
    if lost <= LOST_MAX:
        for _ in range(lost):
            row.loss += LOSS_STEP * (1.0 - row.loss)
        row.loss -= LOSS_STEP * row.loss
    return interval


@njit(cache=True, forceinline=True)
def _notice_gap(lamp, row, at, first, on, off):
    """Learn from how long a controller had nothing to say."""
    gap = at - row.heard_at
    powered = powered_us(lamp, sleeps(lamp, row.by_day), row.heard_at, at, 0, first, on, off)
    if powered == gap:
        interval = _learn(lamp, row, gap)
        if 2 * gap > 3 * interval:
            row.missed_from = row.heard_at
            row.missed_until = at
    elif gap - powered > PAUSE_US:
        row.slept_at = row.heard_at
        row.woke_at = at


@njit(cache=True, forceinline=True)
def _notice_load(lamp, row, at, command, has_power, power):
    """Note whether a lamp burns where it should not, or does not where it should."""
    if command < 0:
        return
    lit = power > lamp.on_above_w
    if command == 1:
        if lamp.switched:
            row.live_run = 0
        # A lamp with supply all day says that it is off again, or is not: that it burns at night tells neither.
        if not has_power:
            return
        if lit:
            row.dark_run = 0
        else:
            if row.dark_run == 0:
                row.dark_since = at
            row.dark_run += 1
    else:
        row.dark_run = 0
        if lamp.switched or (has_power and lit):
            if row.live_run == 0:
                row.live_since = at
            row.live_run += 1
        elif has_power:
            row.live_run = 0


@njit(cache=True, forceinline=True)
def _notice_turn(lamp, row, at, lit):
    """Note when a lamp that always has supply was lit and went out: its cabinet's clock shows in that."""
    interval = max(lamp.interval_us, row.interval_us)
    if lit:
        if row.unlit_at > row.lit_at and 2 * (at - row.unlit_at) <= 3 * interval:
            row.woke_at = at
        row.lit_at = at
    else:
        if row.lit_at > row.unlit_at and 2 * (at - row.lit_at) <= 3 * interval:
            row.slept_at = row.lit_at
        row.unlit_at = at


@njit(cache=True)
def _notice_hours(lamp, row, at, hours, first, on, off):
    """Note whether a lamp whose power nobody measures burned at all since it last said for how long it has."""
    counted_at, before = row.hours_at, row.hours
    row.hours_at = at
    row.hours = hours
    if counted_at == 0 or hours < before or burning_us(lamp.schedule, counted_at, at, first, on, off) < STOOD_US:
        return
    row.power_at = at
    if hours - before > COUNTED_H:
        row.dark_run = 0
    else:
        if row.dark_run == 0:
            row.dark_since = counted_at
        row.dark_run += 2  # As many readings would say.


@njit(cache=True)
def hear(device_of, observed_at, received_at, channel, value, lamps, said, first, on, off):
    """Keep what each controller said last; moments that are not newer than what it said before change nothing.

    Parameters
    ----------
    device_of : int32[n]
    observed_at, received_at : int64[n], µs UTC
    channel : uint8[n]
    value : float64[n], the metric's unit
        Sorted by (device, observed_at); of repeats of a channel at one moment the first counts.
    lamps, said : layout.LAMP[m], layout.SAID[m]; said changes in place
    first, on, off : int64
        Schedules, see `anomaly.kernels`.

    References
    ----------
    oracle: ``anomaly.segments.oracle.hear``
    """
    i = 0
    n = len(device_of)
    command, schedule, guard_us, command_from, command_until = 0, -1, 0, 0, 0
    while i < n:
        d = device_of[i]
        at = observed_at[i]
        received = received_at[i]
        volts = 0.0
        power = 0.0
        hours = 0.0
        has_volts = False
        has_power = False
        has_hours = False
        while i < n and device_of[i] == d and observed_at[i] == at:
            if channel[i] == VOLTAGE and not has_volts:
                volts, has_volts = value[i], True
            elif channel[i] == POWER and not has_power:
                power, has_power = value[i], True
            elif channel[i] == HOURS and not has_hours:
                hours, has_hours = value[i], True
            received = max(received, received_at[i])
            i += 1
        lamp = lamps[d]
        row = said[d]
        if lamp.feeder < 0 or at <= row.heard_at:
            continue
        if has_volts and volts < GASP_BELOW * NOMINAL_V:
            row.gasp_at = at
            row.heard_at = at
            row.received_at = received
            continue
        if row.heard_at > 0:
            _notice_gap(lamp, row, at, first, on, off)
        row.by_day = by_day_after(lamp, row.by_day, row.heard_at, at, first, on, off)
        row.heard_at = at
        row.received_at = received
        if has_volts:
            row.volts = volts
            row.volts_at = at
        if has_power:
            row.power_at = at
        if lamp.schedule >= 0:
            if has_power and not lamp.switched:
                _notice_turn(lamp, row, at, power > lamp.on_above_w)
            known = lamp.schedule == schedule and lamp.guard_us == guard_us
            if not (known and command_from <= at < command_until):
                schedule, guard_us = lamp.schedule, lamp.guard_us
                command, command_from, command_until = command_span(schedule, at, guard_us, first, on, off)
            _notice_load(lamp, row, at, command, has_power, power)
            if has_hours and not has_power and not lamp.switched:
                _notice_hours(lamp, row, at, hours, first, on, off)


@njit(cache=True)
def _burning_period(now, lamp, first, on):
    """Return the number of the burning period around `now`."""
    low, high = first[lamp.schedule], first[lamp.schedule + 1]
    while low < high:
        mid = (low + high) // 2
        if on[mid] <= now:
            low = mid + 1
        else:
            high = mid
    return low - 1


@njit(cache=True, forceinline=True)
def _state(now, lamp, row, told, first, on, off, deaf):
    """Write what a controller is at `now`."""
    told.since = 0
    told.missed = 0
    told.before = 0
    last = max(row.heard_at, row.received_at)
    if row.heard_at == 0 or now - last > FORGOTTEN_US:
        told.state = ABSENT
        return
    asleep = sleeps(lamp, row.by_day)
    if asleep and not commanded_on(lamp.schedule, now, first, on, off):
        told.state = ASLEEP
        return
    interval = max(lamp.interval_us, row.interval_us)
    patience = interval + interval // 2
    silence = listened_us(lamp, asleep, last, now, first, on, off, deaf)
    tonight = silence
    since = row.heard_at + 1
    if asleep:
        i = _burning_period(now, lamp, first, on)
        if row.heard_at < on[i]:
            # What it missed the night before says little of tonight: it may have been mended by day.
            since = on[i] + lamp.guard_us
            tonight = now - since
            patience = min(interval + interval // 4, (off[i] - on[i]) // 4 * 3)
        else:
            since = powered_until(lamp, asleep, row.heard_at, 1, first, on, off)
    if silence > interval + interval // 2 and tonight > patience:
        told.state = SILENT
        told.missed = silence // interval
        told.before = max(silence - tonight, 0) // interval
        told.since = since
    elif now - last <= interval + interval // 2:
        told.state = HEARD
    else:
        told.state = LATE


@njit(cache=True, forceinline=True)
def _weigh_volts(row, limit, count):
    count.volts += 1
    count.volts_sum += row.volts
    over = row.volts > limit.over
    under = row.volts < limit.under
    high = row.volts > limit.high
    low = row.volts < limit.low
    count.over += over
    count.under += under
    count.high += high
    count.low += low
    if over or under or high or low:
        if count.volts_since == 0 or row.volts_at < count.volts_since:
            count.volts_since = row.volts_at
        count.volts_until = max(count.volts_until, row.volts_at)


@njit(cache=True)
def gather(now, lamps, said, limits, first, on, off, deaf, told, counts):
    """Tell what each controller is at `now`, and count each feeder.

    Parameters
    ----------
    now : int, µs UTC
    limits : layout.LIMITS[n_feeders]
    deaf : int64[k, 2], µs UTC
    told : layout.NOW[m], out
    counts : layout.COUNT[n_feeders], zeroed, out

    References
    ----------
    oracle: ``anomaly.segments.oracle.gather``
    """
    for d in range(len(lamps)):
        lamp = lamps[d]
        row = said[d]
        if lamp.feeder < 0:
            told[d].state = ABSENT
            continue
        _state(now, lamp, row, told[d], first, on, off, deaf)
        if told[d].state == ABSENT:
            continue
        count = counts[lamp.feeder]
        interval = max(lamp.interval_us, row.interval_us)
        fresh_from = now - interval - interval // 2
        count.known += 1
        count.heard += told[d].state == HEARD
        count.silent += told[d].state == SILENT
        count.heard_at = max(count.heard_at, row.heard_at)
        count.missed += row.missed_until >= now - interval
        count.gasped += row.gasp_at > fresh_from
        if row.heard_at < fresh_from:
            continue
        count.fresh += 1
        if row.live_run >= 2:
            count.live += 1
            if count.live_since == 0 or row.live_since < count.live_since:
                count.live_since = row.live_since
        if row.power_at >= fresh_from:
            count.powered += 1
            if row.dark_run >= 2:
                count.dark += 1
                if count.dark_since == 0 or row.dark_since < count.dark_since:
                    count.dark_since = row.dark_since
        if row.volts_at >= fresh_from and row.gasp_at < row.volts_at:
            _weigh_volts(row, limits[lamp.feeder], count)
