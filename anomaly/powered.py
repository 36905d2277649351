"""When lamps are commanded on and devices have supply, as Numba kernels; events as they are written.

Schedules come as one ragged array: the burning periods of schedule ``s`` are ``on[first[s]:first[s+1]]`` and
``off[…]``, ascending. No fast-math: a replay must give the same bits.
"""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
from numba import njit

from city.clock import HOUR_US

ASLEEP, AWAKE = 1, 4
"""A controller that speaks by day is expected to; after three days without a word it is not any more."""
SLOW_US = 2 * HOUR_US
DAY_GUARD_US = HOUR_US
"""So far from a switching time it is day, whatever clocks say."""
DAY_US = 4 * HOUR_US
"""A gap with so much of a day in it is a day without a word."""
FOREVER = -(1 << 62), 1 << 62
"""µs UTC, both far beyond any reading."""


@njit(cache=True)
def last_on(on, low, high, at):
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
    i = last_on(on, first[schedule], first[schedule + 1], at)
    return i >= first[schedule] and at < off[i]


@njit(cache=True)
def command_at(schedule, at, guard_us, first, on, off):
    """Return 1 where the schedule has the lamp on, 0 where off, -1 where a switching time lies within the guard."""
    if schedule < 0:
        return 0
    low, high = first[schedule], first[schedule + 1]
    i = last_on(on, low, high, at)
    for j in range(max(i - 1, low), min(i + 2, high)):
        if abs(on[j] - at) < guard_us or abs(off[j] - at) < guard_us:
            return -1
    return 1 if i >= low and at < off[i] else 0


@njit(cache=True, forceinline=True)
def command_span(schedule, at, guard_us, first, on, off):
    """Return what `command_at` does, and from when up to when (exclusive) around `at` it returns the same.

    Readings of a batch lie close together, so most of them need no search.
    """
    if schedule < 0:
        return 0, FOREVER[0], FOREVER[1]
    low, high = first[schedule], first[schedule + 1]
    i = last_on(on, low, high, at)
    begin, end = FOREVER
    for j in range(max(i - 1, low), min(i + 2, high)):
        for edge in (on[j], off[j]):
            if abs(edge - at) < guard_us:
                return -1, at, at + 1
            if edge <= at:
                begin = max(begin, edge + guard_us)
            else:
                end = min(end, edge if guard_us == 0 else edge - guard_us + 1)
    return 1 if i >= low and at < off[i] else 0, begin, end


@njit(cache=True)
def burning_us(schedule, start, end, first, on, off):
    """Return for how long of [start, end) the schedule has the lamp on."""
    total = 0
    low, high = first[schedule], first[schedule + 1]
    i = max(last_on(on, low, high, start), low)
    while i < high and on[i] < end:
        total += max(0, min(end, off[i]) - max(start, on[i]))
        i += 1
    return total


@njit(cache=True)
def count_within(edges, low, high, after, until):
    """Return how many of ``edges[low:high]`` lie in (after, until]."""
    return last_on(edges, low, high, until) - last_on(edges, low, high, after) if until > after else 0


@njit(cache=True)
def sleeps(device, by_day):
    """Tell whether a controller says nothing by day: it has no supply then, or was not heard by day of late.

    Of one that is new nobody knows; those that speak seldom do so at night more often than not.
    """
    if device.switched or device.schedule < 0:
        return device.switched != 0
    return by_day == ASLEEP or (by_day == 0 and device.interval_us >= SLOW_US)


@njit(cache=True, forceinline=True)
def by_day_after(device, by_day, heard, at, first, on, off):
    """Return what is known of a controller that is heard at `at`, and was at `heard` before.

    0: nothing; `ASLEEP`: that it says nothing by day; more: that it does, and each silent day takes one off.
    """
    if device.schedule < 0 or device.switched or (by_day == AWAKE and at - heard <= DAY_US):
        return by_day  # As nearly always.
    if command_at(device.schedule, at, DAY_GUARD_US, first, on, off) == 0:
        return AWAKE
    if heard > 0 and at - heard - burning_us(device.schedule, heard, at, first, on, off) > DAY_US:
        return max(by_day - 1, ASLEEP)
    return by_day


@njit(cache=True)
def powered_us(device, asleep, start, end, guard_us, first, on, off):
    """Return how long the device had supply in [start, end), whatever the cabinet's clock is off by within a guard.

    Where it is `asleep` by day, see `sleeps`, the time in which its lamp is told to burn.
    """
    if end <= start:
        return 0
    if not asleep:
        return end - start
    total = 0
    low, high = first[device.schedule], first[device.schedule + 1]
    i = max(last_on(on, low, high, start), low)
    while i < high and on[i] < end:
        total += max(0, min(end, off[i] - guard_us) - max(start, on[i] + guard_us))
        i += 1
    return total


@njit(cache=True)
def listened_us(device, asleep, start, end, first, on, off, deaf):
    """Return how long the device should have been heard in [start, end): it had supply, and ingest listened.

    What was due while nobody listened comes with the device's next report: it has one interval more for that.
    """
    total = powered_us(device, asleep, start, end, device.guard_us, first, on, off)
    for k in range(deaf.shape[0]):
        until = deaf[k, 1]
        if start < until:
            until += device.interval_us
        if k + 1 < deaf.shape[0]:
            until = min(until, deaf[k + 1, 0])
        total -= powered_us(device, asleep, max(start, deaf[k, 0]), min(end, until), device.guard_us, first, on, off)
    return total


@njit(cache=True)
def powered_until(device, asleep, start, amount_us, first, on, off):
    """Return when the device has had supply, beyond doubt, for `amount_us` since `start`.

    `start` where its schedule ends before.
    """
    if not asleep:
        return start + amount_us
    low, high = first[device.schedule], first[device.schedule + 1]
    i = max(last_on(on, low, high, start), low)
    while i < high:
        begin, end = max(start, on[i] + device.guard_us), off[i] - device.guard_us
        if begin < end:
            if end - begin >= amount_us:
                return begin + amount_us
            amount_us -= end - begin
        i += 1
    return start


@njit(cache=True)
def emit(events, n, device, fault, kind, since, until, at, heard_at, observed, expected):
    """Write one event; return how many there are."""
    event = events[n]
    event.device, event.fault, event.kind = device, fault, kind
    event.since, event.until, event.at, event.heard_at = since, until, at, heard_at
    event.observed, event.expected = observed, expected
    event.learned, event.voltage, event.count, event.rule = 0.0, 0.0, 0, fault
    return n + 1
