"""What sensors of facilities measure: buildings with people in them, water with a night minimum, the air outside."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from city.alarm import FaultClass
from city.asset import Facility
from city.clock import DAY_US, HOUR_US, MINUTE_US
from city.metric import Metric
from city.opening import OpeningHours
from sim.faults import PlantedFault, last_reset
from sim.noise import key_of, unit, wander
from sim.occupancy import Occupancy, local_us
from sim.weather import Weather

Times = NDArray[np.int64]
Values = NDArray[np.float64]

_ENERGY_EPOCH_US = 20_454 * DAY_US
_LEAK_M3_H = 9.0
_WASTE = 1.6
_DAY_HOURS = np.arange(25, dtype=np.float64)
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
    """

    def __init__(self, facility: Facility, hours: OpeningHours | None, timezone: str, seed: int, weather: Weather):
        self._kind = facility.kind
        self._key = key_of(seed, "facility", facility.facility_id)
        self._weather = weather
        self._timezone = timezone
        self._occupancy = Occupancy(facility.kind, hours, timezone, self._key)
        self._size = 0.7 + 0.6 * unit("size", self._key)
        self._first_kwh = 4e5 * unit("first", self._key)
        self._sums: list[float] = [0.0]
        self._today: tuple[int, Values] = (-1, np.zeros(25))
        self._courses: dict[str, Callable[[int, Sequence[PlantedFault]], float]] = {
            "indoor_temperature_deg_c": self._indoor,
            "indoor_humidity_pct": self._humidity,
            "co2_ppm": self._co2,
            "active_power_w": self._power,
            "active_energy_kwh": self._energy,
            "hot_water_temperature_deg_c": self._hot_water,
            "pool_temperature_deg_c": lambda at, _: 27.6 + 0.3 * self._wander("pool", at, DAY_US),
            "cold_room_temperature_deg_c": self._cold_room,
            "occupancy_pct": lambda at, _: 100 * float(self._occupancy.share(_one(at))[0]),
            "water_flow_m3_h": self._flow,
            "water_level_pct": self._level,
        }

    def measure(self, metric: Metric, at_us: int, faults: Sequence[PlantedFault] = ()) -> float:
        """Return what a sensor reports at `at_us`, within the metric's limits.

        Parameters
        ----------
        faults : sequence of PlantedFault
            All of this facility.
        """
        stuck = next((f for f in faults if f.fault is FaultClass.STUCK_SENSOR and f.active(at_us)), None)
        if stuck is not None:
            at_us = stuck.onset_us
        course = self._courses.get(metric.name)
        value = course(at_us, faults) if course is not None else self._outside(metric, at_us)
        return round(min(max(value, metric.low), metric.high), _DECIMALS.get(metric.name, 1))

    # ------------------------------------------------------------ buildings

    def _building(self) -> tuple[float, float, float, float, float]:
        return _BUILDINGS.get(self._kind, _BUILDINGS["civic-centre"])

    def _indoor(self, at_us: int, faults: Sequence[PlantedFault]) -> float:
        """Return the temperature: heated from an hour and a half before opening, cooling towards the weather after."""
        steps = at_us + np.array([90, 60, 30, 0, -60, -180], np.int64) * MINUTE_US
        heated = float(self._occupancy.open_share(steps).mean())
        outside = self._outside_c(at_us, 4 * HOUR_US)
        setpoint = self._building()[4]
        if _active(faults, FaultClass.HEATING_WHILE_CLOSED, at_us):
            heated = 1.0
        kept = max(setpoint - 5.5, min(outside + 5, setpoint))
        warm = kept + (setpoint - kept) * heated
        warm = max(warm, outside - 1.0)
        people = 1.2 * float(self._occupancy.share(_one(at_us - 20 * MINUTE_US))[0])
        if _active(faults, FaultClass.TEMPERATURE_OUT_OF_PATTERN, at_us):
            warm -= 6.0
        return warm + people + 0.25 * self._wander("indoor", at_us, 90 * MINUTE_US)

    def _humidity(self, at_us: int, faults: Sequence[PlantedFault]) -> float:
        outside = float(self._weather.humidity_pct(_one(at_us))[0])
        wet = 18.0 if self._kind == "pool" else 0.0
        if _active(faults, FaultClass.HUMIDITY_OUT_OF_PATTERN, at_us):
            wet += 24.0
        people = 6.0 * float(self._occupancy.share(_one(at_us - 20 * MINUTE_US))[0])
        return 32 + 0.2 * outside + wet + people + 1.5 * self._wander("humidity", at_us, 3 * HOUR_US)

    def _co2(self, at_us: int, faults: Sequence[PlantedFault]) -> float:
        """Return what the people of the last hour have breathed out; the air is changed about twice an hour."""
        steps = at_us - np.array([0, 15, 30, 45, 60], np.int64) * MINUTE_US
        weights = np.array([0.15, 0.3, 0.25, 0.2, 0.1])
        people = float((self._occupancy.share(steps) * weights).sum())
        stale = 2.6 if _active(faults, FaultClass.CO2_TOO_HIGH, at_us) else 1.0
        return 425 + 430 * people * stale + 12 * self._wander("co2", at_us, 30 * MINUTE_US)

    def _power(self, at_us: int, faults: Sequence[PlantedFault]) -> float:
        watts = float(self._watts(_one(at_us))[0])
        if _active(faults, FaultClass.ENERGY_OUT_OF_PATTERN, at_us):
            watts *= _WASTE
        if _active(faults, FaultClass.HEATING_WHILE_CLOSED, at_us):
            watts += self._heating_w()
        return watts * (1 + 0.02 * self._wander("power", at_us, 20 * MINUTE_US))

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

    def _energy(self, at_us: int, faults: Sequence[PlantedFault]) -> float:
        """Return the counter: whole days are summed once, the day that runs is interpolated between its hours."""
        since_us = last_reset(faults, at_us)
        first = self._first_kwh if since_us is None else -self._counted(since_us, faults)
        return max(self._counted(at_us, faults) + first, 0.0)

    def _counted(self, at_us: int, faults: Sequence[PlantedFault]) -> float:
        """Return the energy since the counter's first day, kWh, with what faults waste."""
        total = self._kwh(at_us)
        for fault in faults:
            until_us = at_us if fault.end_us is None else min(at_us, fault.end_us)
            if until_us <= fault.onset_us:
                continue
            if fault.fault is FaultClass.ENERGY_OUT_OF_PATTERN:
                total += (_WASTE - 1) * (self._kwh(until_us) - self._kwh(fault.onset_us))
            elif fault.fault is FaultClass.HEATING_WHILE_CLOSED:
                total += self._heating_w() / 1000 * (until_us - fault.onset_us) / HOUR_US
        return total

    def _kwh(self, at_us: int) -> float:
        day = max(at_us - _ENERGY_EPOCH_US, 0) // DAY_US
        if len(self._sums) <= day:
            # A quarter of a year more than is needed: the next days find theirs.
            first, last = len(self._sums) - 1, day + 90
            middles = np.arange(24 * first, 24 * last, dtype=np.int64) * HOUR_US + HOUR_US // 2
            kwh = self._watts(_ENERGY_EPOCH_US + middles).reshape(-1, 24).sum(axis=1) / 1000
            self._sums += (self._sums[-1] + np.cumsum(kwh)).tolist()
        if self._today[0] != day:
            middles = (24 * day + np.arange(24, dtype=np.int64)) * HOUR_US + HOUR_US // 2
            kw = self._watts(_ENERGY_EPOCH_US + middles) / 1000
            self._today = (day, np.concatenate([[0.0], np.cumsum(kw)]))
        hour = (at_us - _ENERGY_EPOCH_US - day * DAY_US) / HOUR_US
        return self._sums[day] + float(np.interp(hour, _DAY_HOURS, self._today[1]))

    def _hot_water(self, at_us: int, faults: Sequence[PlantedFault]) -> float:
        """Return water kept at 60 °C against legionella, drawn down while the showers run."""
        used = float(self._occupancy.share(_one(at_us - 15 * MINUTE_US))[0])
        cold = 15.0 if _active(faults, FaultClass.HOT_WATER_TOO_COLD, at_us) else 0.0
        return 61.5 - 4.0 * used - cold + 0.5 * self._wander("hot water", at_us, HOUR_US)

    def _cold_room(self, at_us: int, faults: Sequence[PlantedFault]) -> float:
        """Return a saw's teeth of the compressor, with a defrosting each six hours and doors that are opened."""
        tooth = (at_us + self._key % HOUR_US) % (50 * MINUTE_US) / (50 * MINUTE_US)
        defrosting = 2.5 if (at_us + self._key % DAY_US) % (6 * HOUR_US) < 15 * MINUTE_US else 0.0
        doors = 1.2 * float(self._occupancy.share(_one(at_us))[0])
        warm = 11.0 if _active(faults, FaultClass.COLD_ROOM_TOO_WARM, at_us) else 0.0
        return -20.5 + 1.4 * abs(2 * tooth - 1) + defrosting + doors + warm

    # ------------------------------------------------------------ water

    def _demand(self, at_us: int) -> float:
        """Return the share of the day's mean flow: two peaks, and a minimum between two and five."""
        local = int(local_us(self._timezone, _one(at_us))[0])
        hour, weekend = (local % DAY_US) / HOUR_US, (local // DAY_US + 3) % 7 >= 5
        late = 1.0 if weekend else 0.0
        morning = np.exp(-(((hour - 8.5 - late) / 1.9) ** 2))
        evening = np.exp(-(((hour - 20.5) / 2.3) ** 2))
        noon = np.exp(-(((hour - 14.2) / 2.2) ** 2))
        return float(0.22 + 1.25 * morning + 0.95 * evening + 0.75 * noon)

    def _flow(self, at_us: int, faults: Sequence[PlantedFault]) -> float:
        if self._kind == "water-tank":
            mean = 62.0 * self._size
            used = self._demand(at_us)
        else:
            # A building's own meter: showers and taps by people, and a trickle of filters.
            mean, used = 3.2 * self._size, 0.06 + float(self._occupancy.share(_one(at_us))[0])
        leak = 0.0
        for fault in faults:
            if fault.fault is FaultClass.WATER_LEAK and fault.active(at_us):
                grown = min((at_us - fault.onset_us) / (12 * HOUR_US), 1.0)
                leak = grown * (_LEAK_M3_H if self._kind == "water-tank" else 0.9) * self._size
        return max(mean * used * (1 + 0.06 * self._wander("flow", at_us, 30 * MINUTE_US)), 0) + leak

    def _level(self, at_us: int, _: Sequence[PlantedFault]) -> float:
        """Return the level of a tank that is filled at night with cheap power and emptied by day."""
        hour = (int(local_us(self._timezone, _one(at_us))[0]) % DAY_US) / HOUR_US
        level = np.interp(hour, [0, 1, 7, 10, 15, 17, 22, 24], [58, 57, 93, 82, 70, 69, 56, 58])
        return float(level) + 2.0 * self._wander("level", at_us, 8 * HOUR_US)

    # ------------------------------------------------------------ outside

    def _outside(self, metric: Metric, at_us: int) -> float:
        at = _one(at_us)
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
            return float(courses[metric.name](at)[0])
        wind = float(weather.wind_m_s(at)[0])
        if metric.name == "o3_ug_m3":
            return 38 + 45 * float(weather.day_share(at)[0]) + 4 * self._wander("o3", at_us, 2 * HOUR_US)
        if metric.name in _AIR:
            mean, traffic, noise = _AIR[metric.name]
            thinned = 1.7 / (0.7 + wind)
            value = (mean + traffic * self._traffic(at_us)) * thinned
            return max(value + noise * self._wander(metric.name, at_us, HOUR_US), 0.0)
        middle = (metric.low + metric.high) / 2
        return middle + 0.02 * (metric.high - metric.low) * self._wander(metric.name, at_us, 6 * HOUR_US)

    def _traffic(self, at_us: int) -> float:
        local = int(local_us(self._timezone, _one(at_us))[0])
        calm = 0.6 if (local // DAY_US + 3) % 7 >= 5 else 1.0
        return calm * float(np.interp((local % DAY_US) / HOUR_US, _RUSH_H, _RUSH))

    def _outside_c(self, at_us: int, memory_us: int) -> float:
        """Return the outside temperature of the last hours: walls are slow."""
        steps = at_us - np.arange(4, dtype=np.int64) * (memory_us // 4)
        return float(self._weather.temperature_c(steps).mean())

    def _wander(self, name: str, at_us: int, knot_us: int) -> float:
        return float(wander(key_of(self._key, name), _one(at_us), knot_us)[0])


def _one(at_us: int) -> Times:
    return np.array([at_us], np.int64)


def _active(faults: Sequence[PlantedFault], kind: FaultClass, at_us: int) -> bool:
    return any(f.fault is kind and f.active(at_us) for f in faults)
