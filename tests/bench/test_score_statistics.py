"""What scores statistics: the search finds a top, faults begin where they are planted, and reports are told."""

import numpy as np

from anomaly.statistics.parameters import Parameters, beyond, place, ranges
from bench.score.noise import FAULTS, plant, times
from bench.score.search import BEYOND, search
from bench.score.turns import play


def test_the_search_finds_a_top_and_stays_in_its_bounds() -> None:
    top = np.array([0.2, 0.9, 1.3, -0.4])
    seen: list[float] = []

    def value(where: np.ndarray) -> float:
        seen.extend((float(where.min()), float(where.max())))
        return -float(np.sum((where - top) ** 2))

    found, best = search(value, np.full(4, 0.5), 0.2, 80, 12, seed=1)
    assert np.abs(found - top).max() < 0.01
    assert best > -1e-3
    assert min(seen) >= -BEYOND
    assert max(seen) <= 1.0 + BEYOND


def test_the_shipped_set_comes_back_from_its_place_though_it_lies_beyond_the_ranges() -> None:
    shipped = Parameters()
    again = beyond(place(shipped))
    for name in ranges():
        assert np.isclose(getattr(again, name), getattr(shipped, name))


def test_faults_begin_where_they_are_planted() -> None:
    values = np.random.default_rng(1).standard_normal((600, 3))
    for fault in FAULTS:
        changed = plant(fault, values, 300, 24, np.random.default_rng(2))
        np.testing.assert_array_equal(changed[:300], values[:300])
        assert not np.array_equal(changed[300:], values[300:])


def test_a_shift_is_reported_of_its_own_series_and_a_gap_of_none() -> None:
    n = 50 * 24
    values = np.random.default_rng(3).standard_normal((n, 3))
    values[40 * 24 :, 1] += 9.0
    values[30 * 24 : 33 * 24, 2] = np.nan
    found = play(*times(n, 24), values)
    assert [one.series for one in found] == [1]
    assert 40 * 24 <= found[0].opened < 41 * 24
    assert found[0].score >= 7.0
