import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory.precision import By, Judged, by, precision_of, together, wilson


@pytest.mark.parametrize(
    ("right", "judged", "low", "high"),
    [
        # Newcombe, "Two-sided confidence intervals for the single proportion", Stat. Med. 17 (1998), table I
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_the_published_one(right: int, judged: int, low: float, high: float) -> None:
    assert wilson(right, judged) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share_and_stays_within_0_and_1(case: tuple[int, int]) -> None:
    right, judged = case
    low, high = wilson(right, judged)
    assert 0.0 <= low <= right / judged <= high <= 1.0
    mirrored = wilson(judged - right, judged)
    assert math.isclose(low, 1 - mirrored[1], abs_tol=1e-9)


def test_below_ten_verdicts_there_is_no_share() -> None:
    few = precision_of({"true": 8, "false": 1})
    assert (few.judged, few.value, few.low, few.high) == (9, None, None, None)
    enough = precision_of({"true": 8, "false": 1, "other": 1})
    assert (enough.judged, enough.value) == (10, 0.8)


def test_counts_are_told_each_way_most_judged_first() -> None:
    judged = [
        Judged("lampFailure", "centre", "acme", "true", 9),
        Judged("lampFailure", "east", "acme", "false", 3),
        Judged("waterLeak", "east", "", "other", 2),
    ]
    assert {key: (p.true, p.false, p.other) for key, p in by(By.FAULT, judged).items()} == {
        "lampFailure": (9, 3, 0),
        "waterLeak": (0, 0, 2),
    }
    assert list(by(By.DISTRICT, judged)) == ["centre", "east"]
    assert list(by(By.VENDOR, judged)) == ["acme", ""]
    assert together(judged).judged == 14
    assert together([]).value is None
