"""What sensors of facilities add: as large as is said, with the tail that is said, and the same in every run."""

import numpy as np
import pytest

from city.clock import MINUTE_US
from sim.sensor_noise import SensorNoise

AT = 1_795_435_200_000_000 + np.arange(200_000, dtype=np.int64) * 15 * MINUTE_US


@pytest.mark.parametrize(("heavy", "beyond"), [(False, 6.334e-5), (True, 4.815e-3)])
def test_noise_has_its_size_and_its_tail(heavy: bool, beyond: float) -> None:
    drawn = SensorNoise({"co2_ppm": 10.0}, heavy).of(5, "co2_ppm", AT)
    assert abs(drawn.mean()) < 0.15
    assert drawn.std() == pytest.approx(10.0, rel=0.05)
    # Beyond four standard deviations: 2 * (1 - Phi(4)), and of t with four degrees P(|t| > 4 * sqrt 2).
    assert np.mean(np.abs(drawn) > 40.0) == pytest.approx(beyond, rel=0.6 if not heavy else 0.2)
    # Independent from reading to reading.
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 0.02


def test_noise_keeps_no_state_and_sensors_differ() -> None:
    noise = SensorNoise({"co2_ppm": 10.0, "indoor_temperature_deg_c": 10.0})
    one = noise.of(5, "co2_ppm", AT[:50])
    assert np.array_equal(one[20:30], noise.of(5, "co2_ppm", AT[20:30]))
    assert not np.array_equal(one, noise.of(6, "co2_ppm", AT[:50]))
    assert not np.array_equal(one, noise.of(5, "indoor_temperature_deg_c", AT[:50]))
    assert not noise.of(5, "pressure_hpa", AT[:50]).any()
