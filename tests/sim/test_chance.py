"""Faults drawn at random: at their rate, on what shows them, the same after a restart."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from city.alarm import FaultClass
from city.asset import Switching
from city.clock import DAY_US
from city.profile import parse_pack
from sim.chance import NONE, Rates, random_faults
from sim.city import generate_city
from sim.faultkinds import TARGETS
from sim.faults import LAMP_FAULTS

PACK = parse_pack(generate_city(33, lamps=2000, facilities=12))
NOW = 1_795_435_200_000_000
OFTEN = Rates(cabinets=1, clocks=1, gateways=1, sensors=3, other_lamps=10, other_feeders=2, facilities=5)
KINDS = (
    {lamp.lamp_id: "lamp" for lamp in PACK.lamps}
    | {feeder.feeder_id: "feeder" for feeder in PACK.feeders}
    | {cabinet.cabinet_id: "cabinet" for cabinet in PACK.cabinets}
    | {gateway.gateway_id: "gateway" for gateway in PACK.gateways}
    | {facility.facility_id: "facility" for facility in PACK.facilities}
)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100), st.integers(0, 40), st.integers(1, 20))
def test_random_faults_do_not_depend_on_the_range_asked_for(seed: int, start_day: int, days: int) -> None:
    start, end = NOW + start_day * DAY_US, NOW + (start_day + days) * DAY_US
    wide = random_faults(PACK, seed, NOW - 10 * DAY_US, NOW + 70 * DAY_US)
    narrow = random_faults(PACK, seed, start, end)
    assert set(narrow) <= set(wide)
    assert [f for f in wide if f.onset_us < end and f.end_us is not None and f.end_us > start] == list(narrow)


def test_random_faults_come_at_their_rate_and_end() -> None:
    faults = random_faults(PACK, 1, NOW, NOW + 200 * DAY_US)
    counts = Counter(f.fault for f in faults)
    others = sum(counts.values()) - sum(counts[f] for f in (*LAMP_FAULTS, FaultClass.SUPPLY_LOSS))
    assert 200 < others < 420, "a few a day of all the others together"
    assert 480 < sum(counts[f] for f in LAMP_FAULTS) < 720
    assert 8 < counts[FaultClass.SUPPLY_LOSS] < 36
    assert all(f.end_us is not None and f.end_us - f.onset_us <= 4 * DAY_US for f in faults)


def test_a_city_without_faults() -> None:
    assert random_faults(PACK, 1, NOW, NOW + DAY_US, NONE) == ()


def test_every_fault_is_drawn_on_everything_that_it_can_be_planted_on() -> None:
    drawn = {(f.fault, KINDS[f.asset_id]) for f in random_faults(PACK, 1, NOW, NOW + 60 * DAY_US, OFTEN)}
    assert drawn == {(fault, kind) for fault, kinds in TARGETS.items() for kind in kinds}


def test_random_faults_of_facilities_have_a_sensor_that_shows_them() -> None:
    kinds = {f.facility_id: f.kind for f in PACK.facilities}
    faults = random_faults(PACK, 1, NOW, NOW + 400 * DAY_US)
    warm = [kinds[f.asset_id] for f in faults if f.fault is FaultClass.COLD_ROOM_TOO_WARM]
    leaks = [kinds[f.asset_id] for f in faults if f.fault is FaultClass.WATER_LEAK]
    assert set(warm) == {"market"}
    assert set(leaks) == {"water-tank", "pool"}


def test_random_faults_of_lamps_are_drawn_where_they_would_show() -> None:
    faults = random_faults(PACK, 1, NOW, NOW + 200 * DAY_US, OFTEN)
    lamps, feeders = {lamp.lamp_id: lamp for lamp in PACK.lamps}, {f.feeder_id: f for f in PACK.feeders}
    profiles = {d.asset_id: PACK.profiles[d.profile_id] for d in PACK.devices}

    def struck(fault: FaultClass) -> list[str]:
        return [f.asset_id for f in faults if f.fault is fault and f.asset_id in lamps]

    assert {lamps[i].lamp_type for i in struck(FaultClass.LED_MODULE_LOST)} == {"led"}
    assert "led" not in {lamps[i].lamp_type for i in struck(FaultClass.CYCLING_FAILURE)}
    assert all("power_factor" in profiles[i].metrics for i in struck(FaultClass.POWER_FACTOR_TOO_LOW))
    assert all("active_energy_kwh" in profiles[i].metrics for i in struck(FaultClass.COUNTER_RESET))
    dimmed = {lamps[i].feeder_id for i in struck(FaultClass.DIMMING_FAILURE)}
    assert all(PACK.schedules[feeders[i].schedule_id].dimming for i in dimmed)


def test_a_clock_goes_wrong_only_where_a_contactor_goes_by_it() -> None:
    faults = random_faults(PACK, 1, NOW, NOW + 60 * DAY_US, OFTEN)
    switched = {f.cabinet_id for f in PACK.feeders if f.switching is Switching.SWITCHED}
    assert {f.asset_id for f in faults if f.fault is FaultClass.CABINET_CLOCK_WRONG} <= switched
