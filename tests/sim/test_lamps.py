"""The physics of lamps, and noise that is the same in every run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.clock import MINUTE_US
from sim.lamps import LAMP_TYPES, STANDBY_W, LampGroup
from sim.noise import gaussian, key_of, uniform

NOW = 1_795_435_200_000_000
TYPES = ["led", "sodium", "metal-halide", "led", "sodium", "metal-halide"]
RATED = [36.0, 150.0, 70.0, 90.0, 250.0, 150.0]


def group(seed: int = 1) -> LampGroup:
    return LampGroup([f"L-{i}" for i in range(6)], TYPES, RATED, seed)


def measured(burning: bool, age_us: int = 60 * MINUTE_US, at_us: int = NOW) -> tuple[list[float], list[float]]:
    power, volts = group().measure(at_us, np.full(6, burning), np.full(6, at_us - age_us))
    return power.tolist(), volts.tolist()


@given(st.integers(0, 10**6))
def test_a_burning_lamp_draws_about_its_rated_power(minute: int) -> None:
    power, _ = measured(True, at_us=NOW + minute * MINUTE_US)
    for watts, rated, kind in zip(power, RATED, TYPES, strict=True):
        assert watts == pytest.approx(rated * LAMP_TYPES[kind].gear, rel=0.12)


def test_a_dark_lamp_draws_what_its_controller_needs() -> None:
    assert measured(False)[0] == [STANDBY_W] * 6


def test_discharge_lamps_run_up_and_leds_do_not() -> None:
    cold, warm = measured(True, age_us=0)[0], measured(True)[0]
    for first, last, kind in zip(cold, warm, TYPES, strict=True):
        assert first / last == pytest.approx(1 if kind == "led" else 1 / 3, abs=0.03)


def test_voltage_drops_along_a_burning_feeder() -> None:
    _, volts = measured(True)
    assert volts[-1] < volts[0]
    assert all(220 < v < 236 for v in volts)
    assert np.mean(measured(False)[1]) > np.mean(volts)


def test_power_is_reported_in_its_own_steps() -> None:
    power, _ = measured(True)
    assert all(watts == round(watts, 1) for watts in power)
    assert all(watts == round(watts) for watts, kind in zip(power, TYPES, strict=True) if kind != "led")


def test_the_same_moment_gives_the_same_values_and_another_seed_others() -> None:
    burning, since = np.full(6, True), np.full(6, 0)
    first, again, other = (group(seed).measure(NOW, burning, since)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_feeder_without_lamps_measures_nothing() -> None:
    power, volts = LampGroup([], [], [], 1).measure(NOW, np.array([], bool), np.array([], np.int64))
    assert len(power) == len(volts) == 0


@given(st.integers(-(2**63), 2**63))
def test_noise_has_bounds_and_no_memory(at: int) -> None:
    keys = np.array([key_of("a", i) for i in range(50)], np.uint64)
    draws = uniform(keys, at)
    assert np.all((draws >= 0) & (draws < 1))
    assert np.array_equal(draws, uniform(keys, at))
    assert np.all(np.abs(gaussian(keys, at)) < 3.5)


def test_noise_is_centred_with_unit_variance() -> None:
    keys = np.array([key_of(i) for i in range(20_000)], np.uint64)
    draws = gaussian(keys, NOW)
    assert abs(draws.mean()) < 0.03
    assert draws.std() == pytest.approx(1, abs=0.03)
