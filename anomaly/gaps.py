"""How long silence has to last before chance does not explain it, learnt from how long each controller's gaps last.

Messages are lost alone or in bursts, and a fixed number of them says nothing of which. After a lost message another one
is lost with a chance that is learnt: of each device, drawn towards what its gateway's devices have seen, and that
towards the partition's, so that a new device has the patience of its neighbours. What lasts longer than that chance
explains, with as many bursts as begin in a year, is told; a fixed number of intervals (``silence_intervals``) is the
least.

No lesson is what was told as a failure, and what most of a gateway or a feeder missed in the same moment: that was an
outage of theirs. `gaps_oracle` is the same in plain Python; no fast-math.
"""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
import numpy as np
from numba import njit

from city.clock import DAY_US, HOUR_US

GAP = np.dtype(
    [
        ("patience_us", "i8"),  # powered time without a word that chance does not explain; 0: not reckoned yet
        ("from_us", "i8"),  # the latest gap, µs UTC
        ("until_us", "i8"),
        ("again", "f8"),  # chance that a lost message is followed by another one
        ("lost", "u2"),  # messages that were lost in the latest gap; 0: no lesson, or taken
        ("bursts", "u2"),  # gaps learnt from, and messages lost in them
        ("trials", "u2"),
        ("hours", "u2"),  # in which it might have lost messages
    ],
    align=True,
)
LEARNT = "patience_us", "from_us", "until_us", "again", "lost", "bursts", "trials", "hours"

AGAIN = 0.05
"""Chance that a lost message is followed by another one, where nothing was ever lost: losses come alone."""
PRIOR = 50.0
"""Lost messages that what is known of all weighs as much as: of the partition for a gateway, of that for a device."""
YEAR_H = 8_766
FALSE_A_YEAR = 0.001
"""Bursts a year of one device that may be told, though it is well."""
SELDOM = 33
"""One in so many messages begins a burst, for all that is known of who has not lost any yet."""
HEARD_US = DAY_US
"""Who was silent for longer loses nothing: it may be gone."""
MOST_US = 2 * DAY_US
"""Nobody is waited for longer, in powered time, however long bursts last."""
BURSTS_KEPT, TRIALS_KEPT, HOURS_KEPT = 128, 4_096, 20_000
"""What was learnt weighs half as much once it is so much: networks change."""
LOST_MOST = 1_024
LATE_INTERVALS = 2
"""So many intervals after a gap its neighbours have spoken as well, if they can."""


@njit(cache=True)
def note(gap, heard, at, silence, interval, told):
    """Note that a device was heard again, `silence` µs of powered time after it was before."""
    lost = (silence + interval // 2) // interval - 1
    if lost > 0:
        gap.from_us = heard
        gap.until_us = at
        gap.lost = 0 if told else min(lost, LOST_MOST)


@njit(cache=True)
def _is_common(d, devices, states, gaps, order, first):
    """Tell whether most of a gateway, or of a feeder, missed what a device missed in the middle of its gap."""
    gap = gaps[d]
    device = devices[d]
    moment = gap.from_us + (gap.until_us - gap.from_us) // 2
    missed, heard, missed_beside, heard_beside = 0, 0, 0, 0
    for place in range(first[device.gateway], first[device.gateway + 1]):
        j = order[place]
        beside = device.feeder >= 0 and devices[j].feeder == device.feeder
        if gaps[j].from_us <= moment < gaps[j].until_us:
            missed += 1
            missed_beside += beside
        elif states[j].heard_at > moment:
            heard += 1
            heard_beside += beside
    return (missed > 1 and missed >= heard) or (missed_beside > 1 and missed_beside >= heard_beside)


@njit(cache=True)
def _fade(gap):
    gap.bursts = (gap.bursts + 1) // 2
    gap.trials = max(gap.trials // 2, gap.bursts)
    gap.hours = gap.hours // 2


@njit(cache=True)
def learn(now, devices, states, gaps, order, first):
    """Learn from gaps of which the neighbours have told by now whether they had the same.

    Parameters
    ----------
    now : int, µs UTC
    devices, states : layout.DEVICE[m], layout.STATE[m]
    gaps : GAP[m]; changes in place
    order : int32[m]
        Devices by gateway; those of gateway g are ``order[first[g]:first[g + 1]]``.
    first : int64[n_gateways + 1]

    References
    ----------
    oracle: ``anomaly.gaps_oracle.learn``
    """
    for d in range(len(devices)):
        gap = gaps[d]
        if gap.lost == 0 or now - gap.until_us < LATE_INTERVALS * devices[d].interval_us:
            continue
        if not _is_common(d, devices, states, gaps, order, first):
            gap.bursts += 1
            gap.trials += gap.lost
            if gap.bursts >= BURSTS_KEPT or gap.trials >= TRIALS_KEPT:
                _fade(gap)
        gap.lost = 0


@njit(cache=True)
def _a_year(bursts, hours, interval):
    """Return how many bursts begin in a year of one device, going by what some have seen."""
    return YEAR_H * (bursts + 1.0) / (hours + SELDOM * interval / HOUR_US)


@njit(cache=True)
def _patience(interval, least, chance, again, trials):
    """Return how long silence has to last, µs: beta-geometric, since what is learnt of few bursts may be wrong."""
    most = max(least, MOST_US) // interval
    tail, k = 1.0, 0
    while tail > chance and k + 1 < most:
        tail *= (again + k) / (trials + k)
        k += 1
    return (1 + k) * interval


@njit(cache=True)
def reckon(now, devices, states, gaps, n_gateways):
    """Reckon anew, from all that was learnt, how long each device is waited for; once an hour.

    Parameters
    ----------
    now : int, µs UTC
    devices, states : layout.DEVICE[m], layout.STATE[m]
    gaps : GAP[m]; changes in place

    References
    ----------
    oracle: ``anomaly.gaps_oracle.reckon``
    """
    bursts, trials = np.zeros(n_gateways, np.int64), np.zeros(n_gateways, np.int64)
    hours = np.zeros(n_gateways, np.int64)
    for d in range(len(devices)):
        gap = gaps[d]
        if now - states[d].heard_at < HEARD_US:
            gap.hours += 1
            if gap.hours >= HOURS_KEPT:
                _fade(gap)
        bursts[devices[d].gateway] += gap.bursts
        trials[devices[d].gateway] += gap.trials
        hours[devices[d].gateway] += gap.hours
    seen = trials.sum()
    common = (PRIOR * AGAIN + (seen - bursts.sum())) / (PRIOR + seen)
    for d in range(len(devices)):
        device = devices[d]
        gap = gaps[d]
        g = device.gateway
        known = (PRIOR * common + (trials[g] - bursts[g])) / (PRIOR + trials[g])
        again = PRIOR * known + (np.int64(gap.trials) - np.int64(gap.bursts))
        total = PRIOR + gap.trials
        begin = _a_year(bursts[g], hours[g], device.interval_us)
        begin = max(begin, _a_year(gap.bursts, gap.hours, device.interval_us))
        gap.again = again / total
        gap.patience_us = _patience(device.interval_us, device.silence_us, FALSE_A_YEAR / begin, again, total)
