"""On NAB's files, where they lie beside the project: nothing looks ahead, and our count is NAB's."""

import numpy as np
import pytest

from anomaly.statistics.parameters import Parameters, draw
from bench.score import heldout
from bench.score.corpus import Corpus, available, load, news, reference
from bench.score.sweep import PROFILES, fit, gains, ordered
from tests.anomaly.statistics.series import fresh, judge

pytestmark = pytest.mark.skipif(not available(), reason="NAB is not at ../shared")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return load(tmp_path_factory.mktemp("nab"))


def test_the_scores_of_a_prefix_of_each_file_are_the_prefix_of_its_scores(corpus: Corpus) -> None:
    for number, _ in enumerate(corpus.names):
        mine = np.flatnonzero(corpus.file == number)
        at, value, cell = corpus.observed_at[mine], corpus.value[mine], corpus.cell[mine]
        whole = judge(at, value, fresh(), cell=cell)
        for share in (0.1, 0.37, 0.99):
            cut = int(share * len(mine))
            part = judge(at[:cut], value[:cut], fresh(), cell=cell[:cut])
            for name in ("score", "news", "channel", "expected"):
                np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[:cut])


def test_the_fast_sweep_counts_as_nab_does(corpus: Corpus) -> None:
    every = np.ones(len(corpus.names), np.bool_)
    for parameters in (Parameters(), draw(np.random.default_rng(3))):
        found = news(corpus, parameters)
        told = reference(corpus, found)
        for profile in PROFILES:
            rows = ordered(corpus, found)
            gain, threshold = fit(corpus, rows, every, profile)
            earned = gains(corpus, rows, threshold, every, profile)
            assert earned.sum() == pytest.approx(gain, abs=1e-9)
            assert heldout.score(corpus, earned, profile) == pytest.approx(told[profile]["score"], abs=1e-6)


def test_each_file_is_a_test_file_once_in_every_split(corpus: Corpus) -> None:
    for folds in (heldout.by_file(corpus, 0), heldout.by_file(corpus, 9), heldout.by_category(corpus)):
        assert (np.sum(folds, axis=0) == 1).all()
    assert len(corpus.names) == 58
    assert int(corpus.windows.sum()) == 116


def test_a_fold_learns_nothing_from_its_test_files(corpus: Corpus) -> None:
    rows = ordered(corpus, news(corpus, Parameters()))
    test = heldout.by_file(corpus, 0)[0]
    chosen = fit(corpus, rows, ~test)
    spoilt = corpus.unit.copy()
    spoilt[np.isin(corpus.file, np.flatnonzero(test))] = 1e6
    corpus.unit, kept = spoilt, corpus.unit
    assert fit(corpus, rows, ~test) == chosen
    corpus.unit = kept
    assert (gains(corpus, rows, chosen[1], test)[~test] == 0.0).all()


def test_one_set_of_parameters_beats_what_is_published(corpus: Corpus) -> None:
    rows = ordered(corpus, news(corpus, Parameters()))
    gain, _ = fit(corpus, rows, np.ones(len(corpus.names), np.bool_))
    best_published = 74.9
    assert heldout.score(corpus, np.array([gain])) > best_published
