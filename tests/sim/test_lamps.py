"""The physics of lamps: run-up, voltage, power factor, dimming, ageing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.clock import DAY_US, HOUR_US, MINUTE_US
from sim.lamps import LampColumns, Measured, Stand
from sim.lamptypes import LAMP_TYPES
from sim.realism import PERFECT, REAL, Realism
from sim.truth import TrueLamp

NOW = 1_795_435_200_000_000
TYPES = ["led", "sodium", "metal-halide", "led", "sodium", "metal-halide"]
RATED = [36.0, 150.0, 70.0, 90.0, 250.0, 150.0]
N = len(TYPES)


def group(seed: int = 1, realism: Realism = PERFECT, copies: int = 1) -> LampColumns:
    lamps = [TrueLamp(f"L-{i}", "F", 0, TYPES[i % N], RATED[i % N]) for i in range(N * copies)]
    along = [(i + 1) / len(lamps) for i in range(len(lamps))]
    return LampColumns(lamps, [0] * len(lamps), along, [700.0] * len(lamps), ["C"] * len(lamps), seed, realism)


def stand(burning: bool, since_us: int, level: float = 100.0, n: int = N) -> Stand:
    told = np.full(n, level if burning else 0.0)
    return Stand(
        np.full(n, burning), np.full(n, since_us), told, told.copy(), np.ones(n), np.zeros(n, bool), np.zeros(n)
    )


def measured(burning: bool, *, age_us: int = HOUR_US, at_us: int = NOW, level: float = 100.0) -> Measured:
    return group().measure(at_us, stand(burning, at_us - age_us, level))


@given(st.integers(0, 10**6))
def test_a_burning_lamp_draws_about_its_rated_power(minute: int) -> None:
    power = measured(True, at_us=NOW + minute * MINUTE_US).power_w
    for watts, rated, kind in zip(power, RATED, TYPES, strict=True):
        assert 0.8 < watts / (rated * LAMP_TYPES[kind].gear) < 1.25


def test_a_lamp_that_is_off_draws_what_its_controller_needs() -> None:
    found = measured(False)
    assert all(0 < watts < 1 for watts in found.power_w)
    assert all(factor == 0.3 for factor in found.power_factor)


def test_discharge_lamps_run_up_and_leds_do_not() -> None:
    cold, warm = measured(True, age_us=0).power_w, measured(True).power_w
    for first, last, kind in zip(cold, warm, TYPES, strict=True):
        assert first / last == pytest.approx(LAMP_TYPES[kind].first_share, abs=0.03)


def test_voltage_drops_along_a_burning_feeder() -> None:
    lit, dark = measured(True).voltage_v, measured(False).voltage_v
    assert dark[-1] - lit[-1] > dark[0] - lit[0]
    assert all(207 < v < 253 for v in lit)
    assert np.mean(dark) > np.mean(lit)


def test_magnetic_gear_follows_the_voltage_and_drivers_do_not() -> None:
    high = stand(True, NOW - HOUR_US)
    high.shift_v += 20
    ratio = group().measure(NOW, high).power_w / group().measure(NOW, stand(True, NOW - HOUR_US)).power_w
    for found, kind in zip(ratio, TYPES, strict=True):
        assert found == pytest.approx((251 / 231) ** LAMP_TYPES[kind].exponent, abs=0.02)


def test_a_dimmed_led_draws_less_at_a_lower_power_factor() -> None:
    full, half = measured(True), measured(True, level=50)
    assert half.power_w[0] / full.power_w[0] == pytest.approx(0.5, abs=0.03)
    assert 0.8 < half.power_factor[0] < full.power_factor[0]
    deep = measured(True, level=15)
    assert deep.power_factor[0] < 0.8


def test_current_is_power_over_voltage_and_factor() -> None:
    found = measured(True)
    assert found.current_a == pytest.approx(found.power_w / found.voltage_v / found.power_factor, rel=0.02)


def test_without_its_capacitor_a_lamp_draws_the_same_power_at_a_low_factor() -> None:
    bare = stand(True, NOW - HOUR_US)
    bare.bare[:] = True
    sound, found = group().measure(NOW, stand(True, NOW - HOUR_US)), group().measure(NOW, bare)
    assert np.array_equal(sound.power_w, found.power_w)
    assert all(factor <= 0.55 for factor in found.power_factor)


def test_sodium_lamps_draw_more_as_they_age_and_begin_anew() -> None:
    lamps = group()
    years = [lamps.measure(NOW + y * 60 * DAY_US, stand(True, NOW - HOUR_US)).power_w[1] for y in range(40)]
    assert max(years) / min(years) > 1.06
    steps = np.diff(years) / years[0]
    assert (steps < -0.05).sum() == pytest.approx(1, abs=1), "once in the life of a lamp it is replaced"


def test_heads_warm_up_while_they_burn() -> None:
    lamps = group()
    off = lamps.temperature_c(NOW, stand(False, NOW), 12.0)
    on = lamps.temperature_c(NOW, stand(True, NOW - 3 * HOUR_US), 12.0)
    assert np.all(on - off > 12)


def test_real_meters_report_whole_watts_within_their_gain() -> None:
    real = group(realism=REAL, copies=60).measure(NOW, stand(True, NOW - HOUR_US, n=360)).power_w
    perfect = group(copies=60).measure(NOW, stand(True, NOW - HOUR_US, n=360)).power_w
    assert np.array_equal(real, np.round(real))
    gain = real[3::6] / perfect[3::6] - 1  # LED of 90 W: neither voltage nor steps matter much
    assert 0.012 < gain.std() < 0.024
    assert abs(gain).max() < 0.06


def test_the_same_moment_gives_the_same_values_and_another_seed_others() -> None:
    first, again, other = (group(seed).measure(NOW, stand(True, 0)).power_w for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_no_lamps_measure_nothing() -> None:
    none = LampColumns([], [], [], [], [], 1, REAL)
    assert len(none.measure(NOW, stand(True, NOW, n=0)).power_w) == 0


def test_worn_lamps_are_replaced_by_day() -> None:
    columns = group(copies=30)
    hours = NOW // DAY_US * DAY_US + np.arange(200 * 24) * HOUR_US
    shares = np.array([columns._aged(int(at_us)) for at_us in hours])
    renewed = np.flatnonzero((np.abs(np.diff(shares, axis=0)) > 0.02).any(axis=1)) + 1
    assert len(renewed) >= 3
    assert set(hours[renewed] % DAY_US) == {DAY_US // 2}
