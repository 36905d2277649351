"""Which lamps to change together: age replacement by cost (pure).

A lamp that is changed on a planned round costs less than one for which a crew goes out. Of all ages at which a type
might be changed, the one with the least cost for each hour burnt is best:
``C(T) = (planned · R(T) + fault · (1 − R(T))) / ∫₀ᵀ R``. Where it falls for ever, as without wear, nothing is changed
before it fails.

References
----------
Barlow and Hunter, Operations Research 8 (1960): age replacement.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from city.tariff import RelampingPrices
from observatory.lives import Fit

_SURE = 0.02
"""Ages that fewer new lamps reach are no policy."""
_WORTH = 0.99
"""A policy that saves less than one in a hundred is none."""


@dataclass(frozen=True, slots=True)
class Life:
    """What is expected of one lamp; times in hours of burning.

    Attributes
    ----------
    hours_a_year : float
        How long it burns in a year.
    failures : int
        Of its own, so far.
    risk : float
        By how much its hazard is above its type's.
    low_h, median_h, high_h : float
        Its remaining life: the median, and the interval in which four of five end.
    within_year : float
        Probability that it fails within a year.
    drifts, switches_often : bool
        What raises its risk beside its own failures.
    """

    lamp_id: str
    district: str
    lamp_type: str
    age_h: float
    hours_a_year: float
    failures: int
    risk: float
    low_h: float
    median_h: float
    high_h: float
    within_year: float
    drifts: bool = False
    switches_often: bool = False
    dark: bool = False
    """It has failed, and waits for its crew."""


@dataclass(frozen=True, slots=True)
class Round:
    """Lamps of one type in one district that are best changed together this year.

    Attributes
    ----------
    lamps : tuple of str
        Which, the likeliest to fail first.
    change_at_h : float or None
        The best age; None: they are best left until they fail, or nobody knows the prices.
    expected : float
        Failures within the year of those lamps, were they left.
    others, others_expected : int, float
        The rest of the type there, and its expected failures.
    cost, cost_left : float or None
        Of changing them on a round, and of the failures of theirs that are expected otherwise.
    """

    district: str
    lamp_type: str
    lamps: tuple[str, ...]
    change_at_h: float | None
    expected: float
    others: int
    others_expected: float
    cost: float | None
    cost_left: float | None


def best_age(fitted: Fit, prices: RelampingPrices) -> float | None:
    """Return the age at which a type is best changed, hours of burning; None: not before it fails."""
    ages = np.linspace(0.0, 4.0 * fitted.median_h[2], 800)[1:]
    reached = fitted.survival(ages)
    ages, reached = ages[reached > _SURE], reached[reached > _SURE]
    if len(ages) < 2:
        return None
    burnt = np.cumsum(reached) * (ages[1] - ages[0])
    cost = (prices.planned * reached + prices.fault * (1.0 - reached)) / burnt
    best = int(cost.argmin())
    return float(ages[best]) if cost[best] < _WORTH * cost[-1] else None


def plan(lives: Iterable[Life], fits: dict[str, Fit], prices: RelampingPrices | None) -> list[Round]:
    """Return what to change this year, by district and type, what fails most first."""
    best = {name: None if prices is None else best_age(one, prices) for name, one in fits.items()}
    groups: dict[tuple[str, str], list[Life]] = defaultdict(list)
    for life in lives:
        if not life.dark:
            groups[life.district, life.lamp_type].append(life)
    found = []
    for (district, lamp_type), members in sorted(groups.items()):
        at = best[lamp_type]
        shape = float(fits[lamp_type].weight @ fits[lamp_type].shape)
        due = [one for one in members if at is not None and _is_due(one, at, shape)]
        due.sort(key=lambda one: (-one.within_year, one.lamp_id))
        rest = len(members) - len(due)
        expected = sum(one.within_year for one in due)
        others = sum(one.within_year for one in members) - expected
        cost = None if prices is None else len(due) * prices.planned
        left = None if prices is None else expected * prices.fault
        names = tuple(one.lamp_id for one in due)
        found.append(Round(district, lamp_type, names, at, expected, rest, max(others, 0.0), cost, left))
    return sorted(found, key=lambda one: (-len(one.lamps), -one.expected - one.others_expected, one.district))


def _is_due(life: Life, at_h: float, shape: float) -> bool:
    """Tell whether a lamp reaches the best age within the year; one at a higher risk is as good as older."""
    return bool((life.age_h + life.hours_a_year) * life.risk ** (1.0 / shape) >= at_h)
