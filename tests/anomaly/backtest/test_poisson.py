"""The exact bound, against tables and against its own definition."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.backtest.poisson import at_most, ratio_bound, upper_bound


@pytest.mark.parametrize(
    ("count", "bound"), [(0, 2.9957), (1, 4.7439), (2, 6.2958), (5, 10.5130), (10, 16.9622), (100, 118.0794)]
)
def test_bound_is_that_of_the_tables(count: int, bound: float) -> None:
    assert upper_bound(count) == pytest.approx(bound, abs=2e-3)


@given(st.integers(0, 3_000), st.sampled_from([0.8, 0.95, 0.99]))
def test_so_few_events_are_as_improbable_as_was_asked_for(count: int, confidence: float) -> None:
    bound = upper_bound(count, confidence)
    assert bound > count
    assert at_most(count, bound) == pytest.approx(1 - confidence, rel=1e-6)


@pytest.mark.parametrize(("after", "before"), [(0, 3), (4, 4), (30, 20), (2, 1)])
def test_a_ratio_as_large_as_its_bound_would_show_so_few_afterwards_one_time_in_twenty(after: int, before: int) -> None:
    bound = ratio_bound(after, before)
    share, total = bound / (1 + bound), after + before
    few = sum(math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(after + 1))
    assert few == pytest.approx(0.05)
    assert bound > after / before


def test_no_ratio_is_too_large_where_nothing_was_before() -> None:
    assert ratio_bound(2, 0) == math.inf
