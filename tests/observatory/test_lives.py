"""Lives of lamps against simulated ones whose truth is known: parameters, intervals, shrinkage, and the best age."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.tariff import RelampingPrices
from observatory.lives import ANY, HORIZON_H, Fit, Lives, Prior, fit, remaining, shrunk
from observatory.relamping import Life, best_age, plan

PRIOR = Prior(28_000.0, 3.0)
PRICES = RelampingPrices(60.0, 180.0, "EUR")


def weibull(rng: np.random.Generator, scale: float, shape: float, n: int) -> np.ndarray:
    return scale * rng.weibull(shape, n)


def city(
    seed: int, scale: float, shape: float, n: int, watched_h: float = 8_000.0
) -> tuple[Lives, np.ndarray, np.ndarray]:
    """A city that is watched for two years: lamps have been replaced whenever they failed, for decades.

    Returns the lives as they are seen, and the ages and the true remaining lives of the lamps that burn at the end.
    """
    rng = np.random.default_rng(seed)
    entry, end, failed, ages, left = [], [], [], [], []
    for _ in range(n):
        start = -rng.uniform(0, 12 * scale)
        while True:
            life = float(weibull(rng, scale, shape, 1)[0])
            stop = start + life
            if stop > 0:
                entry.append(max(0.0, -start))
                end.append(min(stop, watched_h) - start)
                failed.append(stop <= watched_h)
            if stop > watched_h:
                ages.append(watched_h - start)
                left.append(stop - watched_h)
                break
            start = stop
    return (
        Lives(np.array(entry), np.array(end), np.array(failed)),
        np.array(ages),
        np.array(left),
    )


@pytest.mark.parametrize(
    ("seed", "scale", "shape"), [(1, 30_000.0, 3.0), (2, 18_000.0, 2.0), (3, 60_000.0, 4.0), (4, 40_000.0, 1.2)]
)
def test_four_of_five_lamps_fail_within_their_interval(seed: int, scale: float, shape: float) -> None:
    lives, ages, left = city(seed, scale, shape, 1500)
    told = remaining(fit(lives, PRIOR), ages, np.ones(len(ages)), np.full(len(ages), 4_000.0))
    inside = float(((told.low_h <= left) & (left <= told.high_h)).mean())
    assert inside == pytest.approx(0.8, abs=0.05)
    # All lamps of a city share the error of its type's parameters, so that they do not average out.
    assert float((left <= told.median_h).mean()) == pytest.approx(0.5, abs=0.08)
    assert float(told.within.mean()) == pytest.approx(float((left <= 4_000.0).mean()), abs=0.03)


def test_the_interval_of_a_type_covers_its_true_median_as_often_as_it_says() -> None:
    """A hundred and twenty small cities of one type, whose truth is drawn from what is believed beforehand."""
    rng = np.random.default_rng(8)
    covered = 0
    for seed in range(120):
        median = PRIOR.median_h * math.exp(PRIOR.spread * rng.standard_normal())
        shape = PRIOR.shape * math.exp(PRIOR.shape_spread * rng.standard_normal())
        lives, _, _ = city(100 + seed, median / math.log(2) ** (1 / shape), shape, 40)
        low, _, high = fit(lives, PRIOR).median_h
        covered += low <= median <= high
    # Binomial: 120 draws of 0.8 lie within 0.8 ± 0.11 with more than 99.7 %.
    assert 0.69 <= covered / 120 <= 0.91


def test_lamps_that_failed_before_anybody_looked_do_not_make_the_others_immortal() -> None:
    """Without truncation the old lamps that are left would look like proof of a long life."""
    lives, _, _ = city(5, 25_000.0, 3.0, 2000)
    true = 25_000.0 * math.log(2) ** (1 / 3.0)
    assert fit(lives, PRIOR).median_h[1] == pytest.approx(true, rel=0.05)
    naive = Lives(np.full(len(lives.exit_h), 1.0), lives.exit_h, lives.failed)
    assert fit(naive, PRIOR).median_h[1] > 1.2 * true


def test_where_nothing_has_failed_the_prior_stands_and_where_much_has_it_gives_way() -> None:
    nothing = fit(Lives(np.zeros(0), np.zeros(0), np.zeros(0, bool)), PRIOR)
    assert (nothing.lives, nothing.failures) == (0, 0)
    assert nothing.median_h[1] == pytest.approx(28_000, rel=0.05)
    young = fit(Lives(np.zeros(50), np.full(50, 2_000.0), np.zeros(50, bool)), PRIOR)
    assert young.median_h[1] == pytest.approx(28_000, rel=0.1), "fifty new lamps that burn prove nothing"
    few, _, _ = city(6, 12_000.0, 3.0, 4)
    many, _, _ = city(7, 12_000.0, 3.0, 1000)
    true = 12_000.0 * math.log(2) ** (1 / 3.0)
    far, near = fit(few, PRIOR).median_h, fit(many, PRIOR).median_h
    assert true < far[1] < 28_000
    assert near[1] == pytest.approx(true, rel=0.06)
    assert (far[2] - far[0]) > 3 * (near[2] - near[0])


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0, 200_000), st.floats(0, 50_000), st.floats(0.25, 8), st.sampled_from([PRIOR, ANY, Prior(1_000, 0.8)])
)
def test_older_lamps_and_riskier_ones_have_no_longer_to_live_in_a_type_that_wears(
    age: float, more: float, risk: float, prior: Prior
) -> None:
    fitted = fit(Lives(np.zeros(0), np.zeros(0), np.zeros(0, bool)), prior)
    ages, risks = np.array([age, age]), np.array([risk, 2 * risk])
    told = remaining(fitted, ages, risks, np.array([4_000.0, 4_000.0]))
    assert 0 <= told.low_h[0] <= told.median_h[0] <= told.high_h[0] <= HORIZON_H
    assert told.median_h[1] <= told.median_h[0] * 1.02
    assert 0 <= told.within[0] <= told.within[1] * 1.0001 <= 1.0001


def test_what_fails_as_expected_has_the_risk_of_its_type() -> None:
    assert shrunk(np.array([0.0, 3.0, 0.0, 20.0]), np.array([0.0, 3.0, 6.0, 2.0]), 3.0).tolist() == [
        1.0,
        1.0,
        pytest.approx(1 / 3),
        pytest.approx(4.6),
    ]


def certain(scale: float, shape: float) -> Fit:
    return Fit(np.ones(1), np.array([scale]), np.array([shape]), 1, 1)


@pytest.mark.parametrize("shape", [2.0, 3.0, 5.0])
def test_the_best_age_is_that_of_barlow_and_hunter(shape: float) -> None:
    """At the best age T: h(T) ∫₀ᵀ R − F(T) = planned / (fault − planned)."""
    scale = 30_000.0
    best = best_age(certain(scale, shape), PRICES)
    assert best is not None
    ages = np.linspace(0, best, 20_001)
    reached = np.exp(-((ages / scale) ** shape))
    hazard = shape / scale * (best / scale) ** (shape - 1)
    left = hazard * float(np.trapezoid(reached, ages)) - (1 - reached[-1])
    assert left == pytest.approx(60.0 / 120.0, rel=0.05)


def test_what_does_not_wear_or_costs_the_same_is_left_until_it_fails() -> None:
    assert best_age(certain(30_000.0, 1.0), PRICES) is None
    assert best_age(certain(30_000.0, 3.0), RelampingPrices(180.0, 180.0, "EUR")) is None


def test_a_plan_changes_together_what_reaches_its_age_this_year_and_counts_both_costs() -> None:
    fits = {"sodium": certain(30_000.0, 3.0)}
    best = best_age(fits["sodium"], PRICES)
    assert best is not None

    def lamp(name: str, age: float, within: float, risk: float = 1.0) -> Life:
        return Life(name, "centre", "sodium", age, 4_000.0, 0, risk, 0.0, 1.0, 2.0, within)

    lamps = [
        lamp("A", best - 3_999, 0.3),
        lamp("B", best - 4_001, 0.2),
        lamp("C", best, 0.5),
        lamp("D", best - 5_000, 0.4, 2),
    ]
    (one,) = plan(lamps, fits, PRICES)
    assert one.lamps == ("C", "D", "A")
    assert (one.others, one.others_expected) == (1, pytest.approx(0.2))
    assert (one.cost, one.cost_left) == (180.0, pytest.approx(1.2 * 180.0))
    (unknown,) = plan(lamps, fits, None)
    assert (unknown.lamps, unknown.cost, unknown.others, unknown.others_expected) == ((), None, 4, pytest.approx(1.4))
