"""The Numenta Anomaly Benchmark: in-sample with the set that ships, and held out, side by side."""

import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from anomaly.statistics.parameters import Parameters
from bench.result import Result
from bench.score import heldout
from bench.score.corpus import Corpus, available, load, news, reference
from bench.score.sweep import PROFILES, fit, gains, ordered

PUBLISHED = "ARTime, the best published"
PEER = {"standard": 74.9, "reward_low_FP_rate": 65.1, "reward_low_FN_rate": 80.4}
NAMES = {"standard": "standard", "reward_low_FP_rate": "low_fp", "reward_low_FN_rate": "low_fn"}

UNIT = "of 100"

logger = logging.getLogger("bench")


def run() -> list[dict[str, Any]]:
    """Score NAB; nothing where its data do not lie beside the project."""
    if not available():
        logger.info("  skipped: NAB and its scorer are not at ../shared")
        return []
    with tempfile.TemporaryDirectory() as folder:
        corpus = load(Path(folder))
    return [result.plain() for result in [*_in_sample(corpus), *_held_out(corpus)]]


def _in_sample(corpus: Corpus) -> list[Result]:
    found = news(corpus, Parameters())
    report = reference(corpus, found)
    results = []
    for profile in PROFILES:
        sorted_news, every = ordered(corpus, found), np.ones(len(corpus.names), np.bool_)
        gain, threshold = fit(corpus, sorted_news, every, profile)
        earned = gains(corpus, sorted_news, threshold, every, profile)
        value = heldout.score(corpus, earned, profile)
        # Ours and NAB's way to count are two programs: they have to agree.
        assert abs(value - report[profile]["score"]) < 1e-6
        assert abs(gain - earned.sum()) < 1e-9
        error = heldout.standard_error(corpus, earned, profile)
        told = report[profile]
        note = (
            f"in-sample, the shipped set, threshold fitted on the same labels as NAB does; ± {error:.1f};"
            f" {told['windows_hit']} of {told['windows']} windows, {told['fp_rows']} false rows"
        )
        wanted = "≥ 80" if profile == "standard" else ""
        results.append(Result(f"score.nab.{NAMES[profile]}", value, UNIT, PUBLISHED, PEER[profile], note, wanted))
    return results


def _held_out(corpus: Corpus) -> list[Result]:
    drawn = heldout.Drawn(corpus)
    files = [heldout.held_out(corpus, drawn, heldout.by_file(corpus, split)) for split in range(heldout.SPLITS)]
    category = heldout.held_out(corpus, drawn, heldout.by_category(corpus))
    seeds = f"{heldout.DRAWS} sets drawn with seed {heldout.DRAW_SEED}"
    results = []
    for name, runs, wanted, how in (
        ("score.nab.heldout_file", files, "≥ 70", f"mean of {heldout.SPLITS} splits in {heldout.FOLDS}, seeds 0 to 9"),
        ("score.nab.heldout_category", [category], "≥ 67", "one category left out"),
    ):
        mean = {way: np.mean([one[way] for one in runs], axis=0) for way in ("best", "centre", "mean")}
        scores = {way: heldout.score(corpus, earned) for way, earned in mean.items()}
        spread = float(np.std([heldout.score(corpus, one["centre"]) for one in runs]))
        note = (
            f"parameters and threshold from the training files alone, {how}, {seeds}: centre of the ten best;"
            f" ± {heldout.standard_error(corpus, mean['centre']):.1f} over files"
            + (f", ± {spread:.1f} between splits" if len(runs) > 1 else "")
            + f"; the single best {scores['best']:.1f}, log-mean of the ten {scores['mean']:.1f}"
        )
        results.append(Result(name, scores["centre"], UNIT, note=note, wanted=wanted))
    return results
