"""Held-out scores: parameters and threshold both searched on the training files alone, then tried on the others."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from anomaly.statistics.parameters import Parameters, at, draw, place, ranges
from bench.score.corpus import Corpus, news
from bench.score.sweep import News, fit, gains, ordered, possible

DRAWS, DRAW_SEED = 300, 20_261
BEST = 10
SPLITS, FOLDS = 10, 5
BOOTSTRAPS, BOOTSTRAP_SEED = 2_000, 7

Mask = NDArray[np.bool_]


class Drawn:
    """Parameter sets drawn once from the ranges, and what each says of every file."""

    def __init__(self, corpus: Corpus, advance: Callable[[int], None] = lambda _: None) -> None:
        rng = np.random.default_rng(DRAW_SEED)
        self.sets: list[Parameters] = [draw(rng) for _ in range(DRAWS)]
        self.news: list[News] = []
        for number, one in enumerate(self.sets):
            self.news.append(ordered(corpus, news(corpus, one)))
            advance(number)


def by_file(corpus: Corpus, split: int) -> list[Mask]:
    """Return the test files of each fold of a random split; the split's number is its seed."""
    shuffled = np.random.default_rng(split).permutation(len(corpus.names))
    return [np.isin(np.arange(len(corpus.names)), shuffled[fold::FOLDS]) for fold in range(FOLDS)]


def by_category(corpus: Corpus) -> list[Mask]:
    """Return the files of each category."""
    return [corpus.categories == one for one in np.unique(corpus.categories)]


def held_out(corpus: Corpus, drawn: Drawn, folds: Sequence[Mask]) -> dict[str, NDArray[np.float64]]:
    """Return what each way of choosing earns over silence, by file, each file as a test file.

    ``best`` takes the best set of the training files; ``centre`` the centre of the ten best, one set as well;
    ``mean`` the mean of the ten's logarithms, ten kernels.
    """
    found = {way: np.zeros(len(corpus.names)) for way in ("best", "centre", "mean")}
    for test in folds:
        train = ~test
        fits = [fit(corpus, one, train) for one in drawn.news]
        order = np.argsort([-gain for gain, _ in fits], kind="stable")[:BEST]
        best = drawn.news[order[0]]
        found["best"] += gains(corpus, best, fits[order[0]][1], test)
        centre = ordered(corpus, news(corpus, _centre([drawn.sets[i] for i in order])))
        found["centre"] += gains(corpus, centre, fit(corpus, centre, train)[1], test)
        mean = _mean(corpus, [drawn.news[i] for i in order], [fits[i][1] for i in order])
        found["mean"] += gains(corpus, mean, fit(corpus, mean, train)[1], test)
    return found


def score(corpus: Corpus, earned: NDArray[np.float64], profile: str = "standard") -> float:
    """Return NAB's score, 0 for silence and 100 for perfection."""
    return float(100.0 * earned.sum() / possible(corpus, profile).sum())


def standard_error(corpus: Corpus, earned: NDArray[np.float64], profile: str = "standard") -> float:
    """Return the bootstrap standard error of a score over files."""
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    chosen = rng.integers(0, len(earned), (BOOTSTRAPS, len(earned)))
    of = possible(corpus, profile)
    return float(np.std(100.0 * earned[chosen].sum(1) / of[chosen].sum(1)))


def _centre(sets: Sequence[Parameters]) -> Parameters:
    places = [place(one) for one in sets]
    return at({name: float(np.mean([one[name] for one in places])) for name in ranges()})


def _mean(corpus: Corpus, some: Sequence[News], thresholds: Sequence[float]) -> News:
    total = np.zeros(len(corpus.value))
    for one, threshold in zip(some, thresholds, strict=True):
        total[one.row] += np.log1p(one.value / threshold)
    return ordered(corpus, total)
