"""Supply that goes and comes back by itself, again and again: a breaker that recloses on a chafed cable.

Such a loss lasts minutes. Last words of some controllers tell it, or a round of messages that nearly all of a feeder
missed while others were heard through the same gateway.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from anomaly.segments.layout import LOSS_STEP, TRIPS
from anomaly.segments.told import begin, end, lamps
from city.alarm import FaultClass, Scope, Suspicion
from city.clock import HOUR_US, MINUTE_US
from city.registry import FaultRules

NIGHT_US = 14 * HOUR_US
QUIET_US = 36 * HOUR_US
"""After so long without another it is over: the next night went by."""
TOGETHER_US = 90_000_000
APART_US = 2 * MINUTE_US
MOST = 0.6
OTHERS = 0.4
LOSS_LEAST = 0.01
UNLIKELY = 12.0
"""−ln of the chance that as many of a feeder miss one round; it takes several in a night."""
SMALL = 10
"""In so small a feeder one controller's last words are all that can be hoped for: a fifth at most manages any."""


def loss_at(
    said: NDArray[np.void], others: NDArray[np.void], now: int, gateway_us: int, counted_at: int, counted: int = 0
) -> int:
    """Return when a feeder last lost its supply for a while, as its lamps tell by now, µs UTC; 0: it did not.

    Parameters
    ----------
    said : layout.SAID[n]
        Of the feeder's lamps.
    others : layout.SAID[m]
        Of what is heard through the same gateway, on other feeders.
    gateway_us : int
        How far back to look.
    counted_at : int
        When the loss was that was counted last, µs UTC. Controllers fall silent and come back one by one: who has not
        been heard since tells of that one, and of no other.
    counted : int
        Losses counted of late, which have taught the lamps that more messages are lost than are.
    """
    gasps = said["gasp_at"][said["gasp_at"] > now - gateway_us]
    if len(gasps):
        latest = int(gasps.max())
        together = int((gasps > latest - TOGETHER_US).sum())
        if together >= (1 if len(said) < SMALL else 2):
            return latest
    back = said["missed_until"] > now - gateway_us
    if int(back.sum()) < 2:
        return 0
    moments = np.unique(said["missed_from"][back])[::-1]
    likely = np.flatnonzero(_missing(said, moments, counted_at) >= MOST)
    if not len(likely) or len(others) < 2:
        return 0
    moment = moments[likely[:1]]
    if _missing(others, moment)[0] > OTHERS or _is_chance(said, int(moment[0]), counted):
        return 0
    return int(moment[0])


def _is_chance(said: NDArray[np.void], moment: int, counted: int) -> bool:
    """Tell whether as many controllers may have missed a moment because messages are lost, as often as here."""
    missed = (said["missed_from"] <= moment) & (said["missed_until"] > moment + MINUTE_US)
    k, n = int(missed.sum()), int((missed | (said["heard_at"] > moment)).sum())
    loss = max(float(said["loss"].mean()) - LOSS_STEP * (counted + 1), LOSS_LEAST)
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return -k * math.log(loss) - ways < UNLIKELY


def _missing(said: NDArray[np.void], moments: NDArray[np.int64], heard_after: int = 0) -> NDArray[np.float64]:
    """Return the share of controllers that fell silent since `heard_after` and were not heard right after each moment.

    Of those that tell whether they were heard then.

    Parameters
    ----------
    moments : int64[k], µs UTC

    Returns
    -------
    float64[k]
    """
    at = moments[:, None]
    missed = (said["missed_from"] <= at) & (said["missed_until"] > at + MINUTE_US)
    heard = ~missed & (said["heard_at"] > at)
    told = (missed | heard).sum(axis=1)
    missing = (missed & (said["missed_from"] > heard_after)).sum(axis=1)
    return np.where(told > 0, missing / np.maximum(told, 1), 1.0)


def judge(feeder: np.void, lost_at: int, scope: Scope, rules: FaultRules, now: int) -> Iterator[Suspicion]:
    """Count a loss, unless it was counted, and tell when there are too many in a night."""
    trips = feeder["trips"]
    latest = int(trips[-1])
    if lost_at and lost_at > latest + APART_US:
        trips[:-1] = trips[1:].copy()
        trips[-1] = lost_at
        recent = trips[trips > lost_at - NIGHT_US]
        if len(recent) >= rules.trips_a_night and not feeder["trips_since"]:
            since = int(recent[0])
            evidence = lamps("supply-lost-and-back", len(recent), 0, lost_at)
            yield begin(feeder, "trips_since", FaultClass.RCD_RECLOSING, scope, since, now, evidence)
    elif feeder["trips_since"] and now - latest > QUIET_US:
        yield end(feeder, "trips_since", FaultClass.RCD_RECLOSING, scope, now)


assert TRIPS >= 4
