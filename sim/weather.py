"""One course of the weather for the whole city, as pure functions of time."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from city.clock import DAY_US, HOUR_US
from city.sun import elevation_deg
from sim.noise import key_of, wander

Times = NDArray[np.int64]
Values = NDArray[np.float64]

_YEAR_US = 365.2425 * DAY_US


class Weather:
    """An oceanic climate: mild, cloudy, with rain in every season.

    Parameters
    ----------
    lat, lon : float
        Degrees; where the sun is seen from.
    """

    def __init__(self, seed: int, lat: float, lon: float) -> None:
        self._keys = {name: key_of(seed, "weather", name) for name in ("front", "day", "cloud", "rain", "wind", "turn")}
        self._lat, self._lon = lat, lon

    def temperature_c(self, at_us: Times) -> Values:
        """Return the air temperature outside, °C."""
        season = -np.cos(2 * np.pi * ((at_us % int(_YEAR_US)) / _YEAR_US - 0.055))
        daily = np.cos(2 * np.pi * ((at_us % DAY_US) / HOUR_US - 14.5) / 24)
        sunny = 1 - 0.6 * self.cloud(at_us)
        fronts = 2.6 * wander(self._keys["front"], at_us, 3 * DAY_US) + 0.6 * wander(self._keys["day"], at_us, HOUR_US)
        out: Values = 14.2 + 5.2 * season + 3.6 * daily * sunny + fronts
        return out

    def cloud(self, at_us: Times) -> Values:
        """Return the share of the sky that is covered, 0 to 1."""
        wet = wander(self._keys["cloud"], at_us, 9 * HOUR_US) + 0.5 * wander(self._keys["front"], at_us, 3 * DAY_US)
        out: Values = 1 / (1 + np.exp(-1.6 * (wet + 0.35)))
        return out

    def rain_mm_h(self, at_us: Times) -> Values:
        """Return the rainfall of the hour, mm."""
        fall = np.maximum(wander(self._keys["rain"], at_us, 2 * HOUR_US), 0)
        out: Values = np.where(self.cloud(at_us) > 0.72, 1.3 * fall**2, 0.0)
        return out

    def wind_m_s(self, at_us: Times) -> Values:
        """Return the wind's speed."""
        out: Values = 1.2 + 1.1 * np.abs(wander(self._keys["wind"], at_us, 8 * HOUR_US)) + 0.5 * self.day_share(at_us)
        return out

    def wind_from_deg(self, at_us: Times) -> Values:
        """Return where the wind comes from, degrees from north."""
        out: Values = (240 + 80 * wander(self._keys["turn"], at_us, 12 * HOUR_US) + 60 * self.day_share(at_us)) % 360
        return out

    def humidity_pct(self, at_us: Times) -> Values:
        """Return the relative humidity of the air, %."""
        daily = np.cos(2 * np.pi * ((at_us % DAY_US) / HOUR_US - 14.5) / 24)
        out: Values = np.clip(70 + 18 * self.cloud(at_us) - 8 * daily, 25, 100)
        return out

    def pressure_hpa(self, at_us: Times) -> Values:
        """Return the air pressure."""
        out: Values = 1016 - 8 * wander(self._keys["front"], at_us, 3 * DAY_US)
        return out

    def sun_w_m2(self, at_us: Times) -> Values:
        """Return the sun's irradiance on the ground (Kasten and Czeplak's clear sky, dimmed by the cloud's cube)."""
        high = np.sin(np.radians(elevation_deg(at_us, self._lat, self._lon)))
        out: Values = np.maximum(910 * high - 30, 0) * (1 - 0.75 * self.cloud(at_us) ** 3.4)
        return out

    def day_share(self, at_us: Times) -> Values:
        """Return how much of a day it is: 0 at night, 1 with a high sun."""
        high = np.sin(np.radians(elevation_deg(at_us, self._lat, self._lon)))
        out: Values = np.clip(high * 1.5, 0, 1)
        return out


@lru_cache(maxsize=8)
def weather_of(seed: int, lat: float, lon: float) -> Weather:
    """Return the weather of a seed and a place, one object for all who ask."""
    return Weather(seed, lat, lon)
