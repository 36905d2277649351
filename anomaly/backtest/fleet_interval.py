"""Finds out how often lamps speak that speak a few times a night alone: lists tell messages a day, or a night."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from anomaly.backtest.fleet_assets import LAMP, SUN_BELOW_DEG, FleetAsset
from city.clock import MINUTE_US, SECOND_US
from city.sun import elevation_deg

SLOW_S = 7_200
"""Who speaks more often says by itself how often: a few gaps tell."""
NIGHT_SHARE = 0.95
_MESSAGES_MIN = 10
_STEP_US = 10 * MINUTE_US


def nightly(days: Iterable[NDArray[np.void]], assets: Sequence[FleetAsset]) -> list[FleetAsset]:
    """Return the assets with the interval in which they speak at night, where they speak at night alone.

    Silence is counted in time in which a controller can speak. One that says four things a night may be listed with six
    hours or with three, as somebody divided the day or the night; what it does is the same, so the median of all that
    are listed alike tells.

    Parameters
    ----------
    days : iterable of spill.ROW
        Readings.
    """
    slow = np.array([a.kind == LAMP and a.interval_s >= SLOW_S for a in assets], np.bool_)
    if not slow.any():
        return list(assets)
    moments = np.concatenate([np.zeros((0, 2), np.int64), *(_moments(rows, slow) for rows in days)])
    moments = np.unique(moments, axis=0)
    if not len(moments):
        return list(assets)
    lamps = [a for a in assets if a.kind == LAMP]
    lat, lon = float(np.mean([a.lat for a in lamps])), float(np.mean([a.lon for a in lamps]))
    asset, at = moments.T
    by_night = elevation_deg(at, lat, lon) < SUN_BELOW_DEG
    span = np.arange(at.min(), at.max() + 1, _STEP_US)
    night_s = float((elevation_deg(span, lat, lon) < SUN_BELOW_DEG).sum()) * _STEP_US / SECOND_US
    count = np.bincount(asset, minlength=len(assets))
    nights = np.bincount(asset, by_night, minlength=len(assets))
    alike: dict[int, list[int]] = defaultdict(list)
    for number, one in enumerate(assets):
        if slow[number] and count[number] >= _MESSAGES_MIN:
            alike[one.interval_s].append(number)
    learnt: dict[int, int] = {}
    for told, numbers in alike.items():
        if nights[numbers].sum() >= NIGHT_SHARE * count[numbers].sum():
            learnt[told] = min(told, round(night_s / float(np.median(count[numbers]))))
    return [replace(a, interval_s=learnt.get(a.interval_s, a.interval_s)) if a.kind == LAMP else a for a in assets]


def _moments(rows: NDArray[np.void], slow: NDArray[np.bool_]) -> NDArray[np.int64]:
    some = np.compress(slow[rows["asset"]], rows)
    return np.unique(np.column_stack([some["asset"].astype(np.int64), some["observed_at"]]), axis=0)
