"""Readings in the order in which they are judged: by device, moment, channel, arrival. Kernels; `numpy.lexsort` agrees.

A batch sorted by device reads and writes each device's state once, and memory in one direction: in the order of arrival
nearly every reading would wait for it.
"""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
import numpy as np
from numba import njit

RUN = 24
"""So many rows are put in order by insertion; more of one device by merging."""


@njit(cache=True)
def note(gateway_id, observed_at, latest):
    """Raise each gateway's largest observed_at so far; return the least and the largest of these rows.

    Parameters
    ----------
    gateway_id : int32[n >= 1]
    observed_at : int64[n], µs UTC
    latest : int64[k], µs UTC
        By gateway; changes in place.
    """
    first = last = observed_at[0]
    for i in range(len(observed_at)):
        at, gateway = observed_at[i], gateway_id[i]
        latest[gateway] = max(latest[gateway], at)
        first, last = min(first, at), max(last, at)
    return first, last


@njit(cache=True)
def _before(at, channel, i, j):
    """Tell whether row j has to stand before row i, which came earlier."""
    return at[j] < at[i] or (at[j] == at[i] and channel[j] < channel[i])


@njit(cache=True)
def _merge_order(at, channel, low, high):
    """Return rows ``low`` to ``high`` in the order of (at, channel), stable: a back-log may be long, and backwards."""
    n = high - low
    order, other = np.arange(low, high), np.empty(n, np.int64)
    width = 1
    while width < n:
        for begin in range(0, n, 2 * width):
            middle, end = min(begin + width, n), min(begin + 2 * width, n)
            left, right = begin, middle
            for place in range(begin, end):
                if left < middle and (right >= end or not _before(at, channel, order[left], order[right])):
                    other[place] = order[left]
                    left += 1
                else:
                    other[place] = order[right]
                    right += 1
        order, other = other, order
        width *= 2
    return order


@njit(cache=True)
def _settle(low, high, series, at, received, channel, value):
    """Put the rows of one device in order; nearly always they are."""
    i = low + 1
    while i < high and not _before(at, channel, i - 1, i):
        i += 1
    if i >= high:
        return
    if high - low > RUN:
        order = _merge_order(at, channel, low, high)
        series[low:high], received[low:high], value[low:high] = series[order], received[order], value[order]
        at[low:high], channel[low:high] = at[order], channel[order]
        return
    for k in range(i, high):
        j = k
        while j > low and _before(at, channel, j - 1, j):
            series[j - 1], series[j] = series[j], series[j - 1]
            at[j - 1], at[j] = at[j], at[j - 1]
            received[j - 1], received[j] = received[j], received[j - 1]
            channel[j - 1], channel[j] = channel[j], channel[j - 1]
            value[j - 1], value[j] = value[j], value[j - 1]
            j -= 1


@njit(cache=True)
def by_device(series_id, observed_at, received_at, value, device_of, channel_of, devices):
    """Return the readings of known devices, sorted by (device, observed_at, channel, arrival).

    Parameters
    ----------
    series_id : int32[n]
    observed_at, received_at : int64[n], µs UTC
    value : float64[n]
    device_of, channel_of : int32[k], uint8[k]
        By series id; −1: not of this partition.
    devices : int
        How many there are.

    Returns
    -------
    device, series : int32[m]
    observed_at, received_at : int64[m], µs UTC
    channel : uint8[m]
    value : float64[m]
    """
    known = len(device_of)
    places = np.zeros(devices + 1, np.int64)
    n = 0
    for i in range(len(series_id)):
        s = series_id[i]
        if 0 <= s < known and device_of[s] >= 0:
            places[device_of[s] + 1] += 1
            n += 1
    for d in range(devices):
        places[d + 1] += places[d]
    device, series, channel = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.uint8)
    at, received, values = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.float64)
    for i in range(len(series_id)):
        s = series_id[i]
        if 0 <= s < known and device_of[s] >= 0:
            d = device_of[s]
            place = places[d]
            places[d] = place + 1
            device[place], series[place], channel[place] = d, s, channel_of[s]
            at[place], received[place], values[place] = observed_at[i], received_at[i], value[i]
    low = 0
    while low < n:
        high = low + 1
        while high < n and device[high] == device[low]:
            high += 1
        _settle(low, high, series, at, received, channel, values)
        low = high
    return device, series, at, received, channel, values
