"""Facilities: people by weekday and hour, water with a night minimum, weather, energy, and the faults that show."""

from datetime import UTC, datetime

import numpy as np
import pytest

from city.alarm import FaultClass
from city.asset import Facility
from city.clock import DAY_US, HOUR_US, MINUTE_US, from_datetime
from city.metric import Metric
from city.opening import OpeningHours, parse_hours
from city.profile import parse_pack
from sim.city import generate_city
from sim.facilities import FacilityModel
from sim.faultkinds import FACILITY, TARGETS
from sim.faults import PlantedFault
from sim.sensor_noise import SensorNoise
from sim.weather import Weather

MADRID = "Europe/Madrid"
WEATHER = Weather(1, 43.54, -5.66)
HOURS = OpeningHours(parse_hours(["mon-fri 08:00-18:00"]), ("11-25",))
THURSDAY = from_datetime(datetime(2026, 11, 26, tzinfo=UTC))
ANY = Metric("any", "1", -1e12, 1e12)
_COURSES = parse_pack(generate_city(1, lamps=60, facilities=1)).metrics
NOISY = SensorNoise(dict.fromkeys(_COURSES, 0.3), heavy=True)


def model(kind: str, name: str = "X", hours: OpeningHours | None = HOURS) -> FacilityModel:
    return FacilityModel(Facility(name, kind, name, 43.5, -5.6, "centre"), hours, MADRID, 1, WEATHER)


def course(kind: str, metric: str, start_us: int, hours: float, *faults: PlantedFault, name: str = "X") -> list[float]:
    place = model(kind, name)
    measured = Metric(metric, "1", -1e12, 1e12)
    steps = range(start_us, start_us + int(hours * HOUR_US), 15 * MINUTE_US)
    return [place.measure(measured, at_us, faults) for at_us in steps]


def test_people_breathe_while_a_school_is_open_and_not_on_holidays() -> None:
    morning, night = THURSDAY + 9 * HOUR_US, THURSDAY + 2 * HOUR_US
    assert min(course("school", "co2_ppm", morning, 1)) > 700
    assert max(course("school", "co2_ppm", night, 1)) < 480
    assert max(course("school", "co2_ppm", morning - DAY_US, 1)) < 480, "the 25th is closed"
    assert max(course("school", "co2_ppm", morning + 3 * DAY_US, 1)) < 480, "a Sunday"


def test_rooms_are_warm_by_day_and_cool_by_night_in_winter() -> None:
    day = np.mean(course("school", "indoor_temperature_deg_c", THURSDAY + 10 * HOUR_US, 2))
    night = np.mean(course("school", "indoor_temperature_deg_c", THURSDAY + 4 * HOUR_US, 1))
    assert 19.5 < day < 23.5
    assert night < day - 2


@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_a_tank_has_its_minimum_at_night_and_a_leak_lifts_it(name: str) -> None:
    whole = course("water-tank", "water_flow_m3_h", THURSDAY - HOUR_US, 24, name=name)
    night = whole[8:20]  # two to five in the city
    assert max(night) < 0.55 * np.mean(whole)
    leak = PlantedFault(THURSDAY - 2 * DAY_US, name, FaultClass.WATER_LEAK)
    leaking = course("water-tank", "water_flow_m3_h", THURSDAY - HOUR_US, 24, leak, name=name)
    assert min(leaking) > 1.5 * min(whole)


def test_a_car_park_fills_by_day_and_empties_by_night() -> None:
    share = course("car-park", "occupancy_pct", THURSDAY, 24)
    assert max(share[40:56]) > 60
    assert min(share) < 25
    assert all(0 <= s <= 100 for s in share)


def test_energy_is_the_integral_of_power_and_never_falls() -> None:
    counter = course("library", "active_energy_kwh", THURSDAY, 24)
    power = course("library", "active_power_w", THURSDAY, 24)
    assert counter == sorted(counter)
    assert counter[-1] - counter[0] == pytest.approx(sum(power[:-1]) / 4 / 1000, rel=0.06)
    assert course("library", "active_energy_kwh", THURSDAY + 40 * DAY_US, 1)[0] > counter[-1]


def test_a_counter_that_was_reset_begins_at_nothing() -> None:
    reset = PlantedFault(THURSDAY + HOUR_US, "X", FaultClass.COUNTER_RESET, THURSDAY + 2 * HOUR_US)
    counter = course("library", "active_energy_kwh", THURSDAY, 4, reset)
    assert counter[3] > 100
    assert counter[5] < 10
    assert counter[5:] == sorted(counter[5:])


@pytest.mark.parametrize("name", ["A", "B", "C"])
@pytest.mark.parametrize(
    ("fault", "kind", "metric", "limit", "hour"),
    [
        (FaultClass.CO2_TOO_HIGH, "school", "co2_ppm", 1000.0, 9),
        (FaultClass.COLD_ROOM_TOO_WARM, "market", "cold_room_temperature_deg_c", -15.0, 11),
        (FaultClass.HEATING_WHILE_CLOSED, "school", "indoor_temperature_deg_c", 19.0, 3),
    ],
)
def test_a_fault_crosses_its_line_and_a_sound_facility_does_not(
    name: str, fault: FaultClass, kind: str, metric: str, limit: float, hour: int
) -> None:
    start = THURSDAY + hour * HOUR_US
    planted = PlantedFault(start - DAY_US, name, fault)
    assert (
        max(course(kind, metric, start, 1, name=name)) < limit < min(course(kind, metric, start, 1, planted, name=name))
    )


def test_a_counter_that_loses_its_memory_loses_it_again_within_the_day_until_it_is_mended() -> None:
    reset = PlantedFault(THURSDAY + HOUR_US, "X", FaultClass.COUNTER_RESET, THURSDAY + 25 * HOUR_US)
    counter = course("library", "active_energy_kwh", THURSDAY, 48, reset)
    falls = [i / 4 for i in range(1, len(counter)) if counter[i] < counter[i - 1]]
    assert falls == [1, 7, 13, 19]


def test_a_room_is_damp_only_with_its_fault() -> None:
    for kind in ("school", "pool"):
        damp = PlantedFault(THURSDAY - DAY_US, "X", FaultClass.HUMIDITY_OUT_OF_PATTERN)
        sound = course(kind, "indoor_humidity_pct", THURSDAY, 24)
        wet = course(kind, "indoor_humidity_pct", THURSDAY, 24, damp)
        assert min(wet) > max(sound)
        assert max(wet) <= 100


@pytest.mark.parametrize("fault", [FaultClass.ENERGY_OUT_OF_PATTERN, FaultClass.HEATING_WHILE_CLOSED])
def test_wasted_energy_is_counted_while_it_is_wasted(fault: FaultClass) -> None:
    much = PlantedFault(THURSDAY + 2 * HOUR_US, "X", fault, THURSDAY + 20 * HOUR_US)
    counter = course("library", "active_energy_kwh", THURSDAY, 24.25, much)
    power = course("library", "active_power_w", THURSDAY, 24, much)
    assert counter == sorted(counter)
    assert counter[-1] - counter[0] == pytest.approx(sum(power) / 4 / 1000, rel=0.06)
    sound = course("library", "active_energy_kwh", THURSDAY, 24.25)
    assert counter[-1] - counter[0] > 1.1 * (sound[-1] - sound[0])


def test_hot_water_falls_below_fifty_degrees_only_with_its_fault() -> None:
    metric = "hot_water_temperature_deg_c"
    cold = PlantedFault(THURSDAY - DAY_US, "X", FaultClass.HOT_WATER_TOO_COLD)
    assert min(course("pool", metric, THURSDAY, 24)) > 55
    assert max(course("pool", metric, THURSDAY, 24, cold)) < 50


def test_a_stuck_sensor_says_the_same_for_ever() -> None:
    stuck = PlantedFault(THURSDAY, "X", FaultClass.STUCK_SENSOR)
    assert len(set(course("school", "co2_ppm", THURSDAY + HOUR_US, 12, stuck))) == 1


def test_energy_out_of_pattern_is_more_than_the_house_ever_draws() -> None:
    much = PlantedFault(THURSDAY, "X", FaultClass.ENERGY_OUT_OF_PATTERN)
    sound = course("library", "active_power_w", THURSDAY + 10 * HOUR_US, 1)
    assert min(course("library", "active_power_w", THURSDAY + 10 * HOUR_US, 1, much)) > 1.3 * max(sound)


@pytest.mark.parametrize("kind", ["school", "pool", "market", "car-park", "water-tank", "air-station"])
@pytest.mark.parametrize("hours", [HOURS, None])
def test_many_moments_at_once_are_each_of_them_alone_bit_by_bit(kind: str, hours: OpeningHours | None) -> None:
    chance = np.random.default_rng(7)
    onsets = THURSDAY + chance.integers(0, 8 * DAY_US, len(FaultClass))
    on_facilities = zip((f for f in FaultClass if FACILITY in TARGETS.get(f, ())), onsets.tolist(), strict=False)
    faults = [PlantedFault(at, "X", fault, at + 2 * DAY_US) for fault, at in on_facilities]
    at_us = THURSDAY + chance.integers(-DAY_US, 12 * DAY_US, 200)
    place = FacilityModel(Facility("X", kind, "X", 43.5, -5.6, "centre"), hours, MADRID, 1, WEATHER, NOISY)
    for name in (*_COURSES, "odd_thing"):
        metric = Metric(name, "1", -1e5, 1e5)
        some = place.course(metric, at_us, faults)[::20].tolist()
        assert some == [place.measure(metric, at, faults) for at in at_us[::20].tolist()], name


@pytest.mark.parametrize("heavy", [False, True])
def test_a_stuck_sensor_repeats_the_noise_that_it_said_last(heavy: bool) -> None:
    noise = SensorNoise({"co2_ppm": 10.0}, heavy)
    place = FacilityModel(Facility("X", "school", "X", 43.5, -5.6, "centre"), HOURS, MADRID, 1, WEATHER, noise)
    metric, at_us = Metric("co2_ppm", "1", 0, 1e4), THURSDAY + np.arange(0, 48, dtype=np.int64) * 15 * MINUTE_US
    stuck = place.course(metric, at_us, [PlantedFault(THURSDAY, "X", FaultClass.STUCK_SENSOR)])
    assert set(stuck) == {place.measure(metric, THURSDAY)}
    sound = place.course(metric, at_us)
    assert len(set(sound)) > 20
    assert not np.array_equal(sound, model("school").course(metric, at_us))


def test_an_unknown_metric_stays_within_its_limits() -> None:
    odd = Metric("odd_thing", "1", 3.0, 4.0)
    assert 3 <= model("school").measure(odd, THURSDAY) <= 4


def test_weather_is_one_course_mild_in_winter_and_warm_in_summer() -> None:
    january = from_datetime(datetime(2026, 1, 10, tzinfo=UTC)) + np.arange(0, 24 * 20, dtype=np.int64) * HOUR_US
    august = from_datetime(datetime(2026, 8, 1, tzinfo=UTC)) + np.arange(0, 24 * 20, dtype=np.int64) * HOUR_US
    cold, warm = WEATHER.temperature_c(january), WEATHER.temperature_c(august)
    assert 4 < cold.mean() < 13 < 16 < warm.mean() < 23
    for share in (WEATHER.cloud(august), WEATHER.day_share(august)):
        assert np.all((share >= 0) & (share <= 1))
    assert WEATHER.sun_w_m2(august).max() > 500
    assert np.all(WEATHER.sun_w_m2(august)[WEATHER.day_share(august) == 0] == 0)
    assert 0 < WEATHER.rain_mm_h(january).sum() < 600
    assert np.array_equal(cold, Weather(1, 43.54, -5.66).temperature_c(january))
