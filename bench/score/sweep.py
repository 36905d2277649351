"""NAB's score of every threshold at once, exactly as ``nab_score.py`` counts, fast enough to search with.

A row that says nothing is never detected, so only news is sorted, once for a parameter set; a fold then walks down it.
"""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench.score.corpus import Corpus

PROFILES = {"standard": (1.0, 0.11), "reward_low_FP_rate": (1.0, 0.22), "reward_low_FN_rate": (2.0, 0.11)}
"""Cost of a missed window, and of a false detection far from one; a window found at once earns 1."""


@dataclass(frozen=True, slots=True)
class News:
    """Rows with news, most of it first."""

    value: NDArray[np.float64]
    row: NDArray[np.int64]


def ordered(corpus: Corpus, found: NDArray[np.floating]) -> News:
    """Sort what counts."""
    rows = np.flatnonzero((found > 0) & corpus.counts)
    order = rows[np.argsort(-found[rows], kind="stable")]
    return News(found[order].astype(np.float64), order)


def fit(corpus: Corpus, news: News, files: NDArray[np.bool_], profile: str = "standard") -> tuple[float, float]:
    """Return (what the best threshold earns over silence in these files, that threshold)."""
    missed, false = PROFILES[profile]
    best = np.empty(int(corpus.windows.sum()))
    gain, threshold = _fit(news.value, news.row, files, corpus.file, corpus.unit, corpus.window, missed, false, best)
    return float(gain), float(threshold)


def gains(
    corpus: Corpus, news: News, threshold: float, files: NDArray[np.bool_], profile: str = "standard"
) -> NDArray[np.float64]:
    """Return what a threshold earns over silence, by file; 0 for files that are not asked for."""
    missed, false = PROFILES[profile]
    best, out = np.empty(int(corpus.windows.sum())), np.zeros(len(corpus.names))
    _gains(news.value, news.row, files, corpus.file, corpus.unit, corpus.window, missed, false, best, threshold, out)
    return out


def possible(corpus: Corpus, profile: str = "standard") -> NDArray[np.float64]:
    """Return what perfection would earn over silence, by file, as NAB normalises it."""
    missed, _ = PROFILES[profile]
    return corpus.windows + missed * corpus.scored


@njit(cache=True)
def _fit(value, row, files, file, unit, window, missed, false, best):
    best[:] = -missed
    total, top, threshold = 0.0, 0.0, np.inf
    for i in range(len(row)):
        j = row[i]
        if files[file[j]]:
            w = window[j]
            if w < 0:
                total += false * unit[j]
            elif unit[j] > best[w]:
                total += unit[j] - best[w]
                best[w] = unit[j]
        if total > top and (i + 1 == len(row) or value[i + 1] != value[i]):
            top, threshold = total, value[i]
    return top, threshold


@njit(cache=True)
def _gains(value, row, files, file, unit, window, missed, false, best, threshold, out):
    best[:] = -missed
    for i in range(len(row)):
        if value[i] < threshold:
            break
        j = row[i]
        f = file[j]
        if files[f]:
            w = window[j]
            if w < 0:
                out[f] += false * unit[j]
            elif unit[j] > best[w]:
                out[f] += unit[j] - best[w]
                best[w] = unit[j]
