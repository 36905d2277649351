"""Series of pure noise, and the same with a fault planted: what statistics open of either, through production's rules.

Seeds for tuning and for scoring are different, stated constants.
"""

import argparse
import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly.statistics.cells import hours_of_week
from bench.result import Result
from bench.score.turns import play
from city.clock import DAY_US

SERIES, DAYS, WARM_DAYS = 100, 365, 14
FAULT_SERIES, FAULT_DAY, FAULT_DAYS, DRIFT_DAYS = 40, 60, 7, 14
PER_DAY = {"quarter": 96, "hourly": 24}
TUNING_SEED, SCORING_SEED = 1, 10_002
START_US = 1_795_996_800_000_000
"""A Monday, midnight UTC."""
CORRELATION, HEAVY_DEGREES = 0.8, 4
FAULTS = ("shift3", "shift6", "drift8", "noise3", "stuck")
"""Shifts of 3 and 6 standard deviations, a drift of 8 within ten days, three times the noise, one value for good."""

Values = NDArray[np.float64]
Noise = Callable[[np.random.Generator, int, int], Values]
logger = logging.getLogger("bench")


def _gaussian(rng: np.random.Generator, n: int, series: int) -> Values:
    return rng.standard_normal((n, series))


def _heavy(rng: np.random.Generator, n: int, series: int) -> Values:
    """Student's t with four degrees of freedom, of variance 1."""
    return rng.standard_t(HEAVY_DEGREES, (n, series)) * np.sqrt((HEAVY_DEGREES - 2) / HEAVY_DEGREES)


def _lasting(noise: Noise) -> Noise:
    """Return first-order autoregressive noise of variance 1."""

    def made(rng: np.random.Generator, n: int, series: int) -> Values:
        values = noise(rng, n, series)
        for j in range(1, n):
            values[j] = CORRELATION * values[j - 1] + np.sqrt(1.0 - CORRELATION**2) * values[j]
        return values

    return made


NOISES: Mapping[str, Noise] = {
    "Gaussian": _gaussian,
    "t4": _heavy,
    "Gaussian, phi 0.8": _lasting(_gaussian),
    "t4, phi 0.8": _lasting(_heavy),
}
SEASONS = ("none", "daily", "daily and yearly", "office hours")


def season(name: str, n: int, per_day: int) -> Values:
    """Return what is added to noise of standard deviation 1, float64[n, 1]."""
    day = np.arange(n) / per_day
    daily, yearly = 5.0 * np.sin(2.0 * np.pi * day), 10.0 * np.sin(2.0 * np.pi * day / 365.25)
    hour, weekday = day % 1.0 * 24.0, day.astype(np.int64) % 7
    office = 20.0 * ((hour >= 8) & (hour < 18) & (weekday < 5))
    return {"none": 0.0 * day, "daily": daily, "daily and yearly": daily + yearly, "office hours": office}[name][
        :, None
    ]


def plant(fault: str, values: Values, begin: int, per_day: int, rng: np.random.Generator) -> Values:
    """Return the values with a fault from reading `begin` on."""
    values, rest = values.copy(), len(values) - begin
    if fault.startswith("shift"):
        values[begin:] += float(fault[5:])
    elif fault == "drift8":
        values[begin:] += 8.0 * np.minimum(np.arange(rest) / (10 * per_day), 1.0)[:, None]
    elif fault == "noise3":
        values[begin:] += np.sqrt(8.0) * rng.standard_normal((rest, values.shape[1]))
    else:
        values[begin:] = values[begin - 1]
    return values


def times(n: int, per_day: int) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
    """Return moments and cells."""
    at = START_US + np.arange(n, dtype=np.int64) * (DAY_US // per_day)
    return at, hours_of_week(at, "UTC")


def false_a_year(noise: str, seasons: str, per_day: int, seed: int) -> float:
    """Return how many suspicions a series without a fault opens in a year."""
    n = DAYS * per_day
    rng = np.random.default_rng([seed, list(NOISES).index(noise), SEASONS.index(seasons)])
    opened = play(*times(n, per_day), NOISES[noise](rng, n, SERIES) + season(seasons, n, per_day))
    return len(opened) / (SERIES * (DAYS - WARM_DAYS) / 365.25)


def found(fault: str, noise: str, seasons: str, per_day: int, seed: int) -> tuple[float, float]:
    """Return the share of planted faults that are found in time, and the median delay in hours; NaN of none."""
    n, begin = (FAULT_DAY + DRIFT_DAYS) * per_day, FAULT_DAY * per_day
    rng = np.random.default_rng([seed, 7, list(NOISES).index(noise), SEASONS.index(seasons)])
    values = NOISES[noise](rng, n, FAULT_SERIES) + season(seasons, n, per_day)
    until = begin + (DRIFT_DAYS if fault == "drift8" else FAULT_DAYS) * per_day
    first: dict[int, int] = {}
    for one in play(*times(n, per_day), plant(fault, values, begin, per_day, rng)):
        if begin <= one.opened < until:
            first.setdefault(one.series, one.opened)
    delays = [(one - begin) * 24.0 / per_day for one in first.values()]
    return len(first) / FAULT_SERIES, float(np.median(delays)) if delays else float("nan")


def run() -> list[dict[str, Any]]:
    """Measure what is published, with the scoring seed."""
    return [one.plain() for one in measure(SCORING_SEED)]


def measure(seed: int) -> list[Result]:
    """Return the worst rate of false suspicions by noise and cadence, and what is found of each fault."""
    results = []
    how = f"seed {seed}"
    for cadence, per_day in PER_DAY.items():
        for noise in NOISES:
            rates = {one: false_a_year(noise, one, per_day, seed) for one in SEASONS}
            note = f"{SERIES} series of a year each without a fault, by season " + ", ".join(
                f"{one} {rate:.3f}" for one, rate in rates.items()
            )
            name = noise.lower().replace(", phi 0.8", "_phi08")
            value = max(rates.values())
            results.append(
                Result(
                    f"score.noise.false.{cadence}.{name}",
                    value,
                    "a series-year",
                    note=f"the worst; {note}; {how}",
                    wanted="≤ 0.05",
                )
            )
            logger.info("%s %s: %s", cadence, noise, note)
        for fault in FAULTS:
            every = {one: found(fault, one, "daily", per_day, seed) for one in NOISES}
            note = f"{FAULT_SERIES} series each with a daily season; share and median delay: " + "; ".join(
                f"{one} {share:.2f} {delay:.0f} h" for one, (share, delay) in every.items()
            )
            share = float(np.mean([one for one, _ in every.values()]))
            results.append(Result(f"score.noise.found.{cadence}.{fault}", share, "of planted", note=f"{note}; {how}"))
            logger.info("%s %s: %s", cadence, fault, note)
    return results


def main() -> None:
    """Measure with the tuning seed, or another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=TUNING_SEED)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    measure(given.seed)


if __name__ == "__main__":
    main()
