"""What lamps' controllers said, gathered by feeder. `oracle` is the same in plain Python; no fast-math."""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
from numba import njit

from anomaly.segments.layout import GASP_BELOW, NOMINAL_V, VOLTAGE


@njit(cache=True)
def hear(device_of, observed_at, received_at, channel, value, lamps, said):
    """Keep what each controller said last; moments that are not newer than what it said before change nothing.

    Parameters
    ----------
    device_of : int32[n]
    observed_at, received_at : int64[n], µs UTC
    channel : uint8[n]
    value : float64[n], the metric's unit
        Sorted by (device, observed_at); of repeats of a channel at one moment the first counts.
    lamps, said : layout.LAMP[m], layout.SAID[m]; said changes in place

    References
    ----------
    oracle: ``anomaly.segments.oracle.hear``
    """
    i = 0
    n = len(device_of)
    while i < n:
        d = device_of[i]
        at = observed_at[i]
        received = received_at[i]
        volts = 0.0
        has_volts = False
        while i < n and device_of[i] == d and observed_at[i] == at:
            if channel[i] == VOLTAGE and not has_volts:
                volts, has_volts = value[i], True
            received = max(received, received_at[i])
            i += 1
        row = said[d]
        if lamps[d].feeder < 0 or at <= row.heard_at:
            continue
        row.heard_at = at
        row.received_at = received
        if has_volts:
            row.volts = volts
            row.volts_at = at


@njit(cache=True)
def gather_volts(now, lamps, said, volts):
    """Count each feeder's lamps by their voltage, as far as it is fresh and there is any.

    Parameters
    ----------
    now : int, µs UTC
    volts : layout.VOLTS[n_feeders], zeroed, out

    References
    ----------
    oracle: ``anomaly.segments.oracle.gather_volts``
    """
    for d in range(len(lamps)):
        lamp = lamps[d]
        row = said[d]
        if lamp.feeder < 0 or row.volts_at == 0 or now - row.volts_at > lamp.interval_us + lamp.interval_us // 2:
            continue
        if not row.volts >= GASP_BELOW * NOMINAL_V:
            continue
        count = volts[lamp.feeder]
        count.fresh += 1
        high = row.volts > 1.1 * NOMINAL_V
        low = row.volts < 0.9 * NOMINAL_V
        if high or low:
            count.high += high
            count.low += low
            if count.since == 0 or row.volts_at < count.since:
                count.since = row.volts_at
