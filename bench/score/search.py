"""``python -m bench.score.search``: searches the set of parameters of NAB's in-sample figure, and prints it.

The covariance matrix is adapted (CMA-ES, Hansen 2016) in the unit cube of the ranges of ``parameters.py``, half a range
beyond them on either side. What it finds is fitted to NAB's labels: the held-out figures do not use it.
"""

import argparse
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomaly.statistics.parameters import Parameters, beyond, place, ranges
from bench.score.corpus import Corpus, available, load, news
from bench.score.sweep import fit, ordered, possible

SEED, GENERATIONS, POPULATION, STEP = 20_261, 250, 24, 0.12
BEYOND = 0.5
"""How far the search may leave the ranges, as a share of each."""

Place = NDArray[np.float64]
logger = logging.getLogger("bench")


def search(
    value: Callable[[Place], float], start: Place, step: float, generations: int, population: int, seed: int
) -> tuple[Place, float]:
    """Return the place with the largest value that CMA-ES saw, and that value; places stay in [-BEYOND, 1 + BEYOND]."""
    rng = np.random.default_rng(seed)
    n, half = len(start), population // 2
    weights = np.log(half + 0.5) - np.log(np.arange(1, half + 1))
    weights /= weights.sum()
    effective = 1.0 / np.sum(weights**2)
    c_step = (effective + 2.0) / (n + effective + 5.0)
    damping = 1.0 + 2.0 * max(0.0, np.sqrt((effective - 1.0) / (n + 1.0)) - 1.0) + c_step
    c_path = (4.0 + effective / n) / (n + 4.0 + 2.0 * effective / n)
    c_one = 2.0 / ((n + 1.3) ** 2 + effective)
    c_many = min(1.0 - c_one, 2.0 * (effective - 2.0 + 1.0 / effective) / ((n + 2.0) ** 2 + effective))
    usual = np.sqrt(n) * (1.0 - 1.0 / (4.0 * n) + 1.0 / (21.0 * n * n))
    mean, path, step_path, covariance = start.copy(), np.zeros(n), np.zeros(n), np.eye(n)
    best, best_value = start.copy(), value(start)
    for generation in range(generations):
        scales, axes = np.linalg.eigh(covariance)
        scales = np.sqrt(np.maximum(scales, 1e-12))
        steps = (rng.standard_normal((population, n)) * scales) @ axes.T
        places = np.clip(mean + step * steps, -BEYOND, 1.0 + BEYOND)
        values = np.array([value(one) for one in places])
        order = np.argsort(-values, kind="stable")[:half]
        if values[order[0]] > best_value:
            best, best_value = places[order[0]].copy(), float(values[order[0]])
        moved = (places[order] - mean) / step
        shift = weights @ moved
        mean = mean + step * shift
        whitened = axes @ ((axes.T @ shift) / scales)
        step_path = (1.0 - c_step) * step_path + np.sqrt(c_step * (2.0 - c_step) * effective) * whitened
        length = float(np.linalg.norm(step_path))
        still = length / np.sqrt(1.0 - (1.0 - c_step) ** (2 * (generation + 1))) < (1.4 + 2.0 / (n + 1.0)) * usual
        path = (1.0 - c_path) * path + still * np.sqrt(c_path * (2.0 - c_path) * effective) * shift
        covariance = (
            (1.0 - c_one - c_many) * covariance
            + c_one * (np.outer(path, path) + (not still) * c_path * (2.0 - c_path) * covariance)
            + c_many * (moved.T * weights) @ moved
        )
        step = min(step * float(np.exp((c_step / damping) * (length / usual - 1.0))), 0.5)
        logger.info("generation %d: best %.3f, this one's %.3f, step %.4f", generation, best_value, values.max(), step)
    return best, best_value


def on_nab(corpus: Corpus) -> Callable[[Place], float]:
    """Return what is searched for: NAB's standard score of the set at a place, threshold fitted on the same labels."""
    every, most = np.ones(len(corpus.names), np.bool_), possible(corpus).sum()

    def value(where: Place) -> float:
        found = news(corpus, _set(where))
        return float(100.0 * fit(corpus, ordered(corpus, found), every)[0] / most)

    return value


def _set(where: Place) -> Parameters:
    return beyond(dict(zip(ranges(), where.tolist(), strict=True)))


def main() -> None:
    """Search from the set that ships, and print what was found as `Parameters` has it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generations", type=int, default=GENERATIONS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--step", type=float, default=STEP)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if not available():
        parser.error("NAB and its scorer are not at ../shared")
    with tempfile.TemporaryDirectory() as folder:
        corpus = load(Path(folder))
    start = np.array(list(place(Parameters()).values()))
    where, score = search(on_nab(corpus), start, given.step, given.generations, POPULATION, given.seed)
    logger.info("%.2f with", score)
    found = _set(where)
    for name in ranges():
        logger.info("%s = %.5g", name, getattr(found, name))


if __name__ == "__main__":
    main()
