"""Finds out when a recorded fleet's lamps are told to burn: its files do not say, an installation's pack does."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from anomaly.backtest.fleet_assets import LAMP, SUN_BELOW_DEG, FleetAsset
from city.sun import elevation_deg

LOW_DEG, HIGH_DEG, STEP_DEG = -9.0, 4.0, 0.1
LIT_SHARE = 0.25
"""Of its rated power: a lamp that draws more burns, dimmed or running up too."""
_ROWS_ENOUGH, _ROWS_MIN = 400_000, 300


def learn_sun(days: Iterable[NDArray[np.void]], assets: Sequence[FleetAsset], power: int) -> float | None:
    """Return the sun's elevation below which lamps burn, degrees; None where too little was heard around dusk.

    It is the one that the fewest readings of power contradict. Who is dead or burns by day contradicts every one alike.

    Parameters
    ----------
    days : iterable of spill.ROW
        Readings; as many as are needed are looked at.
    power : int
        Number of the metric `active_power_w`.
    """
    lamp = np.array([asset.kind == LAMP for asset in assets], np.bool_)
    if not lamp.any():
        return None
    lat = float(np.mean([a.lat for a in assets if a.kind == LAMP]))
    lon = float(np.mean([a.lon for a in assets if a.kind == LAMP]))
    rated = np.array([asset.rated_w for asset in assets])
    bins = round((HIGH_DEG - LOW_DEG) / STEP_DEG)
    lit, dark = np.zeros(bins, np.int64), np.zeros(bins, np.int64)
    for rows in days:
        some = np.compress((rows["metric"] == power) & lamp[rows["asset"]], rows)
        elevation = elevation_deg(some["observed_at"], lat, lon)
        near = (elevation >= LOW_DEG) & (elevation < HIGH_DEG)
        place = np.minimum(((elevation[near] - LOW_DEG) / STEP_DEG).astype(np.int64), bins - 1)
        burns = some["value"][near] > LIT_SHARE * rated[some["asset"][near]]
        lit += np.bincount(place[burns], minlength=bins)
        dark += np.bincount(place[~burns], minlength=bins)
        if lit.sum() + dark.sum() >= _ROWS_ENOUGH:
            break
    if min(lit.sum(), dark.sum()) < _ROWS_MIN:
        return None
    # Against a threshold below bin i: lit readings from i on, dark ones before it.
    against = np.concatenate([[0], np.cumsum(dark)]) + np.concatenate([np.cumsum(lit[::-1])[::-1], [0]])
    best = np.flatnonzero(against == against.min())
    return round(LOW_DEG + STEP_DEG * float(best.mean()), 2)


def sun_or_default(learnt: float | None) -> float:
    """Return what was learnt, or sunset."""
    return SUN_BELOW_DEG if learnt is None else learnt
