"""How long lamps may still last: Weibull lives by type, from what a city has seen fail and what it has not (pure).

Lives are counted in hours of burning. A lamp that has not failed is censored at its age, and one that was first heard
of at some age tells nothing of those that failed before (left truncation). Of each type the posterior of median life
and shape is summed over a grid, so that few failures leave the prior standing and many overrule it; a lamp's remaining
life is the predictive distribution given its age, with the uncertainty of the parameters as well as chance in it.

What a lamp shows of itself scales its hazard: gamma-Poisson shrinkage of observed against expected failures.

References
----------
Lawless, Statistical Models and Methods for Lifetime Data, 2nd ed. (2003), chapters 2 and 5: censoring, truncation.
Meeker and Escobar, Statistical Methods for Reliability Data (1998), chapter 14: Weibull with priors.
Clayton and Kaldor, Biometrics 43 (1987): gamma-Poisson shrinkage of observed against expected counts.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEP_H = 50.0
"""Ages are counted in such steps: next to lives of tens of thousands of hours nothing is lost."""
LOW, HIGH = 0.1, 0.9
"""Quantiles of the interval: four of five lamps fail within it."""
MEDIANS, SHAPES = 33, 25
_PASSES = 4
"""The grid closes in on what weighs something: thousands of failures leave a width of a hundredth."""
_KEPT = 1e-4
"""Nodes of the grid with less weight than this share of the heaviest are left out of predictions."""
HORIZON_H = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known of a type before any of its lamps has failed here.

    Attributes
    ----------
    median_h : float
        Hours of burning after which half have failed; lognormal with `spread` around it.
    shape : float
        Weibull's; above 1 lamps wear out. Lognormal with `shape_spread` around it.
    """

    median_h: float
    shape: float = 2.5
    spread: float = 0.5
    shape_spread: float = 0.35


PRIORS = {"led": Prior(80_000.0, 2.0, 0.6), "sodium": Prior(28_000.0, 3.0), "metal-halide": Prior(15_000.0, 2.5)}
"""Rated lives as makers' catalogues have them, give or take two thirds: they count while few lamps have failed."""
ANY = Prior(50_000.0, 2.0, 0.8)


@dataclass(frozen=True, slots=True)
class Lives:
    """Lives of one type, one row each: from the age at which they were first seen to failure or to now.

    Attributes
    ----------
    entry_h, exit_h : float64[n], hours of burning
        ``entry_h < exit_h``.
    failed : bool[n]
    """

    entry_h: Floats
    exit_h: Floats
    failed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fit:
    """The posterior of one type: nodes of the grid that weigh something.

    Attributes
    ----------
    weight : float64[m]
        Sums to 1.
    scale_h, shape : float64[m]
        Weibull's, hours of burning and 1.
    lives, failures : int
        What it was made from.
    """

    weight: Floats
    scale_h: Floats
    shape: Floats
    lives: int
    failures: int

    def hazard(self, age_h: Floats) -> Floats:
        """Return the cumulative hazard up to each age, averaged over the posterior."""
        return np.asarray(self.weight @ (age_h[None, :] / self.scale_h[:, None]) ** self.shape[:, None])

    def survival(self, age_h: Floats) -> Floats:
        """Return the share of new lamps that reach each age."""
        return np.asarray(self.weight @ np.exp(-((age_h[None, :] / self.scale_h[:, None]) ** self.shape[:, None])))

    def interval(self, age_h: Floats) -> tuple[Floats, Floats]:
        """Return the shares between which survival to each age lies with 80 %, by the parameters alone."""
        curves = np.exp(-((age_h[None, :] / self.scale_h[:, None]) ** self.shape[:, None]))
        return _weighted(curves, self.weight, LOW), _weighted(curves, self.weight, HIGH)

    @property
    def median_h(self) -> tuple[float, float, float]:
        """Return the type's median life and its interval, hours of burning."""
        medians = (self.scale_h * math.log(2) ** (1 / self.shape))[:, None]
        low, middle, high = (float(_weighted(medians, self.weight, q)[0]) for q in (LOW, 0.5, HIGH))
        return low, middle, high


def fit(lives: Lives, prior: Prior) -> Fit:
    """Return the posterior of a type; without lives it is the prior."""
    seen = _counted(lives.exit_h), _counted(lives.entry_h), _counted(lives.exit_h[lives.failed])
    centre = np.array([math.log(prior.median_h), math.log(prior.shape)])
    spread = np.array([prior.spread, prior.shape_spread])
    low, high = centre - 4 * spread, centre + 4 * spread
    for _ in range(_PASSES):
        axes = [np.linspace(low[i], high[i], (MEDIANS, SHAPES)[i]) for i in range(2)]
        medians, shapes = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
        score = _score(medians, shapes, seen, prior)
        weight = np.exp(score - score.max())
        kept = weight > _KEPT
        steps = np.array([axis[1] - axis[0] for axis in axes])
        nodes = np.column_stack([medians, shapes])[kept]
        low, high = nodes.min(axis=0) - steps, nodes.max(axis=0) + steps
    weight = weight[kept] / weight[kept].sum()
    shape = np.exp(shapes[kept])
    scale = np.exp(medians[kept] - np.log(math.log(2)) / shape)
    return Fit(weight, scale, shape, len(lives.exit_h), int(lives.failed.sum()))


_Counted = tuple[Floats, Floats]


def _score(medians: Floats, shapes: Floats, seen: tuple[_Counted, _Counted, _Counted], prior: Prior) -> Floats:
    """Return the log of the posterior at each node, but for a constant.

    Parameters
    ----------
    medians, shapes : float64[m], logarithms
    seen : (ages, counts) of ends, of beginnings and of failures
    """
    shape = np.exp(shapes)
    log_scale = medians - np.log(math.log(2)) / shape
    score = -0.5 * ((medians - math.log(prior.median_h)) / prior.spread) ** 2
    score -= 0.5 * ((shapes - math.log(prior.shape)) / prior.shape_spread) ** 2
    ends, begins, (failures, failed) = seen
    score -= _hazards(*ends, log_scale, shape) - _hazards(*begins, log_scale, shape)
    n = float(failed.sum())
    score += n * (shapes - log_scale) + (shape - 1) * (failed @ np.log(failures) - n * log_scale)
    return np.asarray(score)


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left of lamps, hours of burning.

    Attributes
    ----------
    low_h, median_h, high_h : float64[n]
        Quantiles of the remaining life; `HORIZON_H` where it is longer than that.
    within : float64[n]
        Probability that it ends within the hours asked for.
    """

    low_h: Floats
    median_h: Floats
    high_h: Floats
    within: Floats


def remaining(fitted: Fit, age_h: Floats, risk: Floats, hours: Floats) -> Remaining:
    """Return the remaining life of lamps that burn.

    Parameters
    ----------
    age_h : float64[n], hours of burning
    risk : float64[n]
        By how much each one's hazard is above its type's.
    hours : float64[n]
        How long is asked for `Remaining.within`.
    """
    ages = np.maximum(np.round(age_h / STEP_H) * STEP_H, 0.0)
    asked = np.column_stack([ages, np.round(risk, 2), np.round(hours / STEP_H) * STEP_H])
    alike, place = np.unique(asked, axis=0, return_inverse=True)
    found = np.empty((len(alike), 4))
    for row, (age, factor, ahead) in enumerate(alike):
        found[row] = _remaining(fitted, age, factor, ahead)
    low, median, high, within = found[place.ravel()].T
    return Remaining(low, median, high, within)


def _remaining(fitted: Fit, age: float, factor: float, ahead: float) -> tuple[float, float, float, float]:
    base = (age / fitted.scale_h) ** fitted.shape

    def gone(hours: Floats) -> Floats:
        later = ((age + hours[None, :]) / fitted.scale_h[:, None]) ** fitted.shape[:, None]
        return 1.0 - fitted.weight @ np.exp(-factor * (later - base[:, None]))

    # Coarse, then fine between: two passes place a quantile to a thousandth.
    coarse = np.geomspace(1.0, HORIZON_H, 48)
    shares = gone(coarse)
    found = []
    for quantile in (LOW, 0.5, HIGH):
        i = int(np.searchsorted(shares, quantile))
        if i == len(coarse):
            found.append(HORIZON_H)
            continue
        fine = np.linspace(coarse[i - 1] if i else 0.0, coarse[i], 32)
        found.append(float(np.interp(quantile, gone(fine), fine)))
    return found[0], found[1], found[2], float(gone(np.array([ahead]))[0])


def shrunk(observed: Floats, expected: Floats, weight: float) -> Floats:
    """Return by how much more fails than expected: the mean under a gamma prior around 1 worth `weight` failures."""
    return np.asarray((weight + observed) / (weight + expected))


def _counted(values: Floats) -> tuple[Floats, Floats]:
    steps, counts = np.unique(np.maximum(np.round(values / STEP_H), 1.0), return_counts=True)
    kept = steps * STEP_H
    return kept, counts.astype(np.float64)


def _hazards(ages: Floats, counts: Floats, log_scale: Floats, shape: Floats) -> Floats:
    """Return the sum of cumulative hazards over all lives, node by node."""
    total = np.zeros(len(shape))
    for age, count in zip(ages, counts, strict=True):
        total += count * np.exp(shape * (math.log(age) - log_scale))
    return total


def _weighted(values: Floats, weight: Floats, quantile: float) -> Floats:
    """Return the weighted quantile of each column."""
    order = np.argsort(values, axis=0)
    below = np.cumsum(weight[order], axis=0)
    row = np.minimum((below < quantile).sum(axis=0), len(weight) - 1)
    return np.asarray(np.take_along_axis(values, np.take_along_axis(order, row[None, :], 0), 0)[0])
