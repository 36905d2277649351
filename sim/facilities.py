"""What sensors of buildings and of the air station measure: a daily course with noise, and nothing else."""

import math

import numpy as np

from city.clock import DAY_US, HOUR_US
from city.metric import Metric
from sim.noise import gaussian

_COURSES: dict[str, tuple[float, float, float, float, int]] = {
    # metric: mean, daily swing, hour of the peak (UTC), noise, decimals
    "air_temperature_deg_c": (14.0, 4.0, 14.0, 0.4, 1),
    "indoor_temperature_deg_c": (20.0, 1.5, 15.0, 0.2, 1),
    "relative_humidity_pct": (75.0, -10.0, 14.0, 2.0, 0),
    "indoor_humidity_pct": (50.0, -4.0, 14.0, 1.0, 0),
    "co2_ppm": (600.0, 180.0, 12.0, 25.0, 0),
    "active_power_w": (9_000.0, 5_000.0, 13.0, 400.0, 0),
    "so2_ug_m3": (6.0, 1.0, 10.0, 1.0, 0),
    "no_ug_m3": (12.0, 6.0, 9.0, 3.0, 0),
    "no2_ug_m3": (30.0, 10.0, 9.0, 4.0, 0),
    "co_mg_m3": (0.35, 0.1, 9.0, 0.03, 2),
    "pm10_ug_m3": (25.0, 6.0, 11.0, 4.0, 0),
    "o3_ug_m3": (50.0, 20.0, 15.0, 5.0, 0),
    "wind_direction_deg": (180.0, 90.0, 15.0, 20.0, 0),
    "wind_speed_m_s": (1.6, 0.8, 15.0, 0.3, 2),
    "pressure_hpa": (1012.0, 1.0, 10.0, 0.5, 0),
    "solar_irradiance_w_m2": (180.0, 170.0, 13.0, 10.0, 0),
    "rainfall_mm": (0.0, 0.0, 0.0, 0.0, 1),
    "benzene_ug_m3": (0.4, 0.1, 9.0, 0.05, 1),
    "toluene_ug_m3": (1.5, 0.5, 9.0, 0.2, 1),
    "xylene_ug_m3": (0.8, 0.3, 9.0, 0.1, 1),
    "pm2_5_ug_m3": (11.0, 3.0, 11.0, 2.0, 0),
}


def measure(metric: Metric, key: int, at_us: int) -> float:
    """Return what a sensor reports at `at_us`, within the metric's limits.

    Parameters
    ----------
    key : int
        Names sensor and seed; the same key and moment give the same value.
    """
    middle = (metric.low + metric.high) / 2
    mean, swing, peak, noise, decimals = _COURSES.get(metric.name, (middle, 0.0, 0.0, 0.0, 2))
    phase = 2 * math.pi * ((at_us % DAY_US) / HOUR_US - peak) / 24
    shake = float(gaussian(np.array([key], np.uint64), at_us)[0])
    value = mean + swing * math.cos(phase) + noise * shake
    floor = max(metric.low, 0.0) if metric.name not in ("air_temperature_deg_c",) else metric.low
    return round(min(max(value, floor), metric.high), decimals)
