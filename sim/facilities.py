"""What sensors of facilities measure: buildings with people in them, water with a night minimum, the air outside."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from city.alarm import FaultClass
from city.asset import Facility
from city.clock import DAY_US, HOUR_US, MINUTE_US
from city.metric import Metric
from city.opening import OpeningHours
from sim.facility_energy import EnergyCounter
from sim.faults import PlantedFault, active_at
from sim.noise import key_of, unit, wander
from sim.occupancy import Occupancy, local_us
from sim.sensor_noise import SensorNoise
from sim.weather import Weather

Times = NDArray[np.int64]
Values = NDArray[np.float64]
Faults = Sequence[PlantedFault]

_LEAK_M3_H = 9.0
_WASTE = 1.6
_WARMING = np.array([90, 60, 30, 0, -60, -180], np.int64) * MINUTE_US
"""Around a moment: whoever opens in an hour and a half heats already, and rooms cool for hours."""
_WALLS = -np.arange(4, dtype=np.int64) * HOUR_US
"""Walls are slow: they follow the weather of the last hours."""
_BREATHED_US, _BREATHED = np.array([0, 15, 30, 45, 60], np.int64) * MINUTE_US, np.array([0.15, 0.3, 0.25, 0.2, 0.1])
_DECIMALS = {
    "active_energy_kwh": 1,
    "co2_ppm": 0,
    "active_power_w": 0,
    "occupancy_pct": 0,
    "indoor_humidity_pct": 0,
    "relative_humidity_pct": 0,
    "pressure_hpa": 0,
    "wind_direction_deg": 0,
    "solar_irradiance_w_m2": 0,
    "co_mg_m3": 2,
    "wind_speed_m_s": 2,
}

# Base load, load of a full house, and of the lights in the dark, W; places for people; setpoint of the heating, °C.
_BUILDINGS: dict[str, tuple[float, float, float, float, float]] = {
    "school": (2_500, 14_000, 9_000, 420, 20.5),
    "library": (1_800, 7_000, 5_000, 120, 21.0),
    "civic-centre": (2_200, 9_000, 6_000, 180, 21.0),
    "sports-hall": (2_800, 9_000, 22_000, 160, 17.5),
    "pool": (38_000, 30_000, 9_000, 150, 27.0),
    "market": (16_000, 12_000, 8_000, 260, 18.0),
    "car-park": (2_500, 5_000, 6_000, 320, 15.0),
}
_AIR: dict[str, tuple[float, float, float]] = {
    # Mean, what traffic adds at its peak, noise.
    "so2_ug_m3": (5.0, 2.0, 1.0),
    "no_ug_m3": (5.0, 22.0, 3.0),
    "no2_ug_m3": (16.0, 28.0, 4.0),
    "co_mg_m3": (0.22, 0.25, 0.03),
    "pm10_ug_m3": (18.0, 12.0, 4.0),
    "pm2_5_ug_m3": (8.0, 5.0, 2.0),
    "benzene_ug_m3": (0.25, 0.4, 0.05),
    "toluene_ug_m3": (0.8, 1.6, 0.2),
    "xylene_ug_m3": (0.5, 0.8, 0.1),
}
_RUSH_H = np.array([0, 5, 7, 8.5, 10, 13, 14.5, 17, 19, 21, 24], np.float64)
_RUSH = np.array([0.12, 0.08, 0.6, 1.0, 0.6, 0.65, 0.7, 0.6, 0.95, 0.45, 0.12])


class FacilityModel:
    """One facility's sensors, as pure functions of time.

    Parameters
    ----------
    hours : OpeningHours or None
    timezone : str
        The city's.
    noise : SensorNoise or None
        What its sensors add to what they measure.
    """

    def __init__(
        self,
        facility: Facility,
        hours: OpeningHours | None,
        timezone: str,
        seed: int,
        weather: Weather,
        noise: SensorNoise | None = None,
    ):
        self._kind = facility.kind
        self._key = key_of(seed, "facility", facility.facility_id)
        self._weather = weather
        self._timezone = timezone
        self._noise = noise
        self._occupancy = Occupancy(facility.kind, hours, timezone, self._key)
        self._size = 0.7 + 0.6 * unit("size", self._key)
        self._energy = EnergyCounter(self._watts, 4e5 * unit("first", self._key), _WASTE - 1, self._heating_w())
        self._courses: dict[str, Callable[[Times, Faults], Values]] = {
            "indoor_temperature_deg_c": self._indoor,
            "indoor_humidity_pct": self._humidity,
            "co2_ppm": self._co2,
            "active_power_w": self._power,
            "active_energy_kwh": self._energy.kwh,
            "hot_water_temperature_deg_c": self._hot_water,
            "pool_temperature_deg_c": lambda at, _: 27.6 + 0.3 * self._wander("pool", at, DAY_US),
            "cold_room_temperature_deg_c": self._cold_room,
            "occupancy_pct": lambda at, _: 100 * self._occupancy.share(at),
            "water_flow_m3_h": self._flow,
            "water_level_pct": self._level,
        }

    def measure(self, metric: Metric, at_us: int, faults: Faults = ()) -> float:
        """Return what a sensor reports at `at_us`, within the metric's limits; see `course`."""
        return float(self.course(metric, np.array([at_us], np.int64), faults)[0])

    def course(self, metric: Metric, at_us: Times, faults: Faults = ()) -> Values:
        """Return what a sensor reports at many moments, within the metric's limits; each as if it were asked for alone.

        Parameters
        ----------
        at_us : int64[n], µs UTC
        faults : sequence of PlantedFault
            All of this facility.
        """
        for stuck in faults:
            if stuck.fault is FaultClass.STUCK_SENSOR:
                # It says for ever what it said last, its noise included.
                at_us = np.where(active_at([stuck], FaultClass.STUCK_SENSOR, at_us), stuck.onset_us, at_us)
        course = self._courses.get(metric.name)
        value = course(at_us, faults) if course is not None else self._outside(metric, at_us)
        if self._noise is not None:
            value = value + self._noise.of(self._key, metric.name, at_us)
        limited: Values = np.clip(value, metric.low, metric.high)
        return limited.round(_DECIMALS.get(metric.name, 1))

    # ------------------------------------------------------------ buildings

    def _building(self) -> tuple[float, float, float, float, float]:
        return _BUILDINGS.get(self._kind, _BUILDINGS["civic-centre"])

    def _indoor(self, at_us: Times, faults: Faults) -> Values:
        """Return the temperature: heated from an hour and a half before opening, cooling towards the weather after."""
        heated = _mean_at(self._occupancy.open_share, at_us, _WARMING)
        outside = _mean_at(self._weather.temperature_c, at_us, _WALLS)
        setpoint = self._building()[4]
        heated = np.where(active_at(faults, FaultClass.HEATING_WHILE_CLOSED, at_us), 1.0, heated)
        kept = np.maximum(setpoint - 5.5, np.minimum(outside + 5, setpoint))
        warm = kept + (setpoint - kept) * heated
        warm = np.maximum(warm, outside - 1.0)
        people = 1.2 * self._occupancy.share(at_us - 20 * MINUTE_US)
        warm = warm - 6.0 * active_at(faults, FaultClass.TEMPERATURE_OUT_OF_PATTERN, at_us)
        out: Values = warm + people + 0.25 * self._wander("indoor", at_us, 90 * MINUTE_US)
        return out

    def _humidity(self, at_us: Times, faults: Faults) -> Values:
        outside = self._weather.humidity_pct(at_us)
        wet = 18.0 if self._kind == "pool" else 0.0
        damp = wet + 24.0 * active_at(faults, FaultClass.HUMIDITY_OUT_OF_PATTERN, at_us)
        people = 6.0 * self._occupancy.share(at_us - 20 * MINUTE_US)
        out: Values = 32 + 0.2 * outside + damp + people + 1.5 * self._wander("humidity", at_us, 3 * HOUR_US)
        return out

    def _co2(self, at_us: Times, faults: Faults) -> Values:
        """Return what the people of the last hour have breathed out; the air is changed about twice an hour."""
        shares = self._occupancy.share((at_us[:, None] - _BREATHED_US).ravel())
        people = (shares.reshape(-1, len(_BREATHED_US)) * _BREATHED).sum(axis=1)
        stale = np.where(active_at(faults, FaultClass.CO2_TOO_HIGH, at_us), 2.6, 1.0)
        out: Values = 425 + 430 * people * stale + 12 * self._wander("co2", at_us, 30 * MINUTE_US)
        return out

    def _power(self, at_us: Times, faults: Faults) -> Values:
        watts = self._watts(at_us)
        watts = watts * np.where(active_at(faults, FaultClass.ENERGY_OUT_OF_PATTERN, at_us), _WASTE, 1.0)
        watts = watts + self._heating_w() * active_at(faults, FaultClass.HEATING_WHILE_CLOSED, at_us)
        out: Values = watts * (1 + 0.02 * self._wander("power", at_us, 20 * MINUTE_US))
        return out

    def _heating_w(self) -> float:
        """Return what the heating draws on a cold day."""
        return 0.35 * self._building()[1] * self._size

    def _watts(self, at_us: Times) -> Values:
        """Return the mean power, W: what always runs, what people use, lights when it is dark, heat when it is cold."""
        base, people, lights, _, setpoint = self._building()
        share = self._occupancy.share(at_us)
        used = np.minimum(share * 3, 1.0)
        dark = 1 - self._weather.day_share(at_us)
        cold = np.maximum(setpoint - self._weather.temperature_c(at_us), 0) / 15
        heat = 0.35 * people * cold * np.maximum(used, 0.12)
        out: Values = self._size * (base + people * share + lights * dark * used + heat)
        return out

    def _hot_water(self, at_us: Times, faults: Faults) -> Values:
        """Return water kept at 60 °C against legionella, drawn down while the showers run."""
        used = self._occupancy.share(at_us - 15 * MINUTE_US)
        cold = 15.0 * active_at(faults, FaultClass.HOT_WATER_TOO_COLD, at_us)
        out: Values = 61.5 - 4.0 * used - cold + 0.5 * self._wander("hot water", at_us, HOUR_US)
        return out

    def _cold_room(self, at_us: Times, faults: Faults) -> Values:
        """Return a saw's teeth of the compressor, with a defrosting each six hours and doors that are opened."""
        tooth = (at_us + self._key % HOUR_US) % (50 * MINUTE_US) / (50 * MINUTE_US)
        defrosting = 2.5 * ((at_us + self._key % DAY_US) % (6 * HOUR_US) < 15 * MINUTE_US)
        doors = 1.2 * self._occupancy.share(at_us)
        warm = 11.0 * active_at(faults, FaultClass.COLD_ROOM_TOO_WARM, at_us)
        out: Values = -20.5 + 1.4 * np.abs(2 * tooth - 1) + defrosting + doors + warm
        return out

    # ------------------------------------------------------------ water

    def _demand(self, at_us: Times) -> Values:
        """Return the share of the day's mean flow: two peaks, and a minimum between two and five."""
        local = local_us(self._timezone, at_us)
        hour, late = (local % DAY_US) / HOUR_US, np.where((local // DAY_US + 3) % 7 >= 5, 1.0, 0.0)
        morning = np.exp(-(((hour - 8.5 - late) / 1.9) ** 2))
        evening = np.exp(-(((hour - 20.5) / 2.3) ** 2))
        noon = np.exp(-(((hour - 14.2) / 2.2) ** 2))
        out: Values = 0.22 + 1.25 * morning + 0.95 * evening + 0.75 * noon
        return out

    def _flow(self, at_us: Times, faults: Faults) -> Values:
        tank = self._kind == "water-tank"
        if tank:
            mean = 62.0 * self._size
            used = self._demand(at_us)
        else:
            # A building's own meter: showers and taps by people, and a trickle of filters.
            mean, used = 3.2 * self._size, 0.06 + self._occupancy.share(at_us)
        leak = np.zeros(len(at_us))
        for fault in faults:
            if fault.fault is FaultClass.WATER_LEAK:
                grown = np.minimum((at_us - fault.onset_us) / (12 * HOUR_US), 1.0)
                size = (_LEAK_M3_H if tank else 0.9) * self._size
                leak = np.where(active_at([fault], FaultClass.WATER_LEAK, at_us), grown * size, leak)
        out: Values = np.maximum(mean * used * (1 + 0.06 * self._wander("flow", at_us, 30 * MINUTE_US)), 0) + leak
        return out

    def _level(self, at_us: Times, _: Faults) -> Values:
        """Return the level of a tank that is filled at night with cheap power and emptied by day."""
        hour = (local_us(self._timezone, at_us) % DAY_US) / HOUR_US
        level = np.interp(hour, [0, 1, 7, 10, 15, 17, 22, 24], [58, 57, 93, 82, 70, 69, 56, 58])
        out: Values = level + 2.0 * self._wander("level", at_us, 8 * HOUR_US)
        return out

    # ------------------------------------------------------------ outside

    def _outside(self, metric: Metric, at_us: Times) -> Values:
        weather = self._weather
        courses: dict[str, Callable[[Times], Values]] = {
            "air_temperature_deg_c": weather.temperature_c,
            "relative_humidity_pct": weather.humidity_pct,
            "wind_speed_m_s": weather.wind_m_s,
            "wind_direction_deg": weather.wind_from_deg,
            "pressure_hpa": weather.pressure_hpa,
            "solar_irradiance_w_m2": weather.sun_w_m2,
            "rainfall_mm": weather.rain_mm_h,
        }
        if metric.name in courses:
            return courses[metric.name](at_us)
        if metric.name == "o3_ug_m3":
            return 38 + 45 * weather.day_share(at_us) + 4 * self._wander("o3", at_us, 2 * HOUR_US)
        if metric.name in _AIR:
            mean, traffic, noise = _AIR[metric.name]
            thinned = 1.7 / (0.7 + weather.wind_m_s(at_us))
            value = (mean + traffic * self._traffic(at_us)) * thinned
            return np.maximum(value + noise * self._wander(metric.name, at_us, HOUR_US), 0.0)
        middle = (metric.low + metric.high) / 2
        return middle + 0.02 * (metric.high - metric.low) * self._wander(metric.name, at_us, 6 * HOUR_US)

    def _traffic(self, at_us: Times) -> Values:
        local = local_us(self._timezone, at_us)
        calm = np.where((local // DAY_US + 3) % 7 >= 5, 0.6, 1.0)
        out: Values = calm * np.interp((local % DAY_US) / HOUR_US, _RUSH_H, _RUSH)
        return out

    def _wander(self, name: str, at_us: Times, knot_us: int) -> Values:
        return wander(key_of(self._key, name), at_us, knot_us)


def _mean_at(course: Callable[[Times], Values], at_us: Times, moved_us: Times) -> Values:
    """Return the mean of a course over moments around each of `at_us`."""
    found = course((at_us[:, None] + moved_us).ravel())
    out: Values = found.reshape(len(at_us), len(moved_us)).mean(axis=1)
    return out
