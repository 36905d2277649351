"""Noise that is the same in every run, and can be asked for at any moment first."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.clock import HOUR_US, MINUTE_US
from sim.noise import Wandering, correlated, gaussian, key_of, keys_of, uniform, uniforms, unit, wander

NOW = 1_795_435_200_000_000
KEYS = np.array([key_of(i) for i in range(20_000)], np.uint64)


@given(st.integers(-(2**63), 2**63))
def test_noise_has_bounds_and_no_memory(at: int) -> None:
    keys = KEYS[:50]
    draws = uniform(keys, at)
    assert np.all((draws >= 0) & (draws < 1))
    assert np.array_equal(draws, uniform(keys, at))
    assert np.all(np.abs(gaussian(keys, at)) < 3.5)


def test_noise_is_centred_with_unit_variance() -> None:
    for draws in (gaussian(KEYS, NOW), correlated(KEYS, NOW + 7 * MINUTE_US, HOUR_US)):
        assert abs(draws.mean()) < 0.03
        assert draws.std() == pytest.approx(1, abs=0.03)


def test_correlated_noise_remembers_for_about_a_knot() -> None:
    now, soon, late = (correlated(KEYS, NOW + t * HOUR_US // 10, HOUR_US) for t in (0, 1, 30))
    assert np.corrcoef(now, soon)[0, 1] > 0.9
    assert abs(np.corrcoef(now, late)[0, 1]) < 0.05


def test_one_key_at_many_moments_is_many_keys_at_one() -> None:
    at = NOW + np.arange(100, dtype=np.int64) * 13 * MINUTE_US
    key = key_of("a")
    keys = np.array([key], np.uint64)
    one_by_one = [float(correlated(keys, int(t), HOUR_US)[0]) for t in at]
    assert wander(key, at, HOUR_US) == pytest.approx(one_by_one)
    assert uniforms(key, at).tolist() == [float(uniform(keys, int(t))[0]) for t in at]


def test_keys_differ_by_each_part_and_are_the_same_on_every_machine() -> None:
    assert len({key_of("a", 1), key_of("a", 2), key_of("b", 1), key_of("a1")}) == 4
    assert key_of("lamp", 7) == 0x426B27DCF444482A
    assert keys_of(1, "x", ["p", "q"]).tolist() == [key_of(1, "x", "p"), key_of(1, "x", "q")]
    assert 0 <= unit("a") < 1


def test_draws_that_are_kept_change_no_bit_in_whatever_order_moments_are_asked_for() -> None:
    keys, one = KEYS[:9], Wandering(KEYS[:9], HOUR_US)
    moments = [NOW + (n * 7_919 % 400) * 11 * MINUTE_US for n in range(200)]
    assert all(np.array_equal(one.at(at), correlated(keys, at, HOUR_US)) for at in moments)
    # Against the definition for one key at many moments, which keeps nothing.
    apart = wander(int(keys[0]), np.array(moments, np.int64), HOUR_US)
    assert np.array_equal(apart, [one.at(at)[0] for at in moments])
