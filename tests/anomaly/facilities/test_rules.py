"""Each rule of facilities in a building that is otherwise sound, through the very stage of production."""

import math
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from anomaly.detector import DetectStage
from city import topics
from city.alarm import CandidateKind, FaultClass
from city.clock import DAY_US, HOUR_US, MINUTE_US
from stream.log import TopicPartition
from tests.anomaly.facilities import world
from tests.anomaly.facilities.world import HEALTHY, START, Building, Course, detect, names, said, suspected

ONSET = START + 24 * DAY_US + 10 * HOUR_US
"""A Thursday, eleven in the city."""


def from_onset(metric: str, then: Course, onset: int = ONSET, end: int = 1 << 62) -> dict[str, Course]:
    healthy = HEALTHY[metric]
    return {metric: lambda at, chance: then(at, chance) if onset <= at < end else healthy(at, chance)}


def test_nothing_is_said_of_a_building_that_is_sound() -> None:
    assert suspected(Building(days=45)) == []
    assert suspected(Building(days=45, hours=None)) == []


def test_heavy_tails_are_no_fault() -> None:
    def heavy(scale: float, healthy: Course) -> Course:
        def course(at: int, chance: random.Random) -> float:
            value = healthy(at, chance)
            assert value is not None
            return value + scale * chance.gauss(0, 1) / math.sqrt(chance.gammavariate(2, 0.5))

        return course

    sizes = {"indoor_temperature_deg_c": 0.3, "indoor_humidity_pct": 1.5, "active_power_w": 150.0, "co2_ppm": 12.0}
    changes = {name: heavy(scale, HEALTHY[name]) for name, scale in sizes.items()}
    assert suspected(Building(days=45, changes=changes)) == []


def stale(at: int, chance: random.Random) -> float:
    return (1300 if world.is_open(at) else 430) + chance.gauss(0, 12)


def lukewarm(at: int, chance: random.Random) -> float:
    return 45 + chance.gauss(0, 0.5)


CASES: list[tuple[str, Course, FaultClass, float]] = [
    ("hot_water_temperature_deg_c", lukewarm, FaultClass.HOT_WATER_TOO_COLD, 0.75),
    ("cold_room_temperature_deg_c", lambda at, _: -9 + at % 7 / 10, FaultClass.COLD_ROOM_TOO_WARM, 2.25),
    ("co2_ppm", stale, FaultClass.CO2_TOO_HIGH, 0.75),
    ("indoor_temperature_deg_c", lambda *a: world.indoor(*a) - 6, FaultClass.TEMPERATURE_OUT_OF_PATTERN, 1.0),
    ("indoor_humidity_pct", lambda *a: world.humidity(*a) + 20, FaultClass.HUMIDITY_OUT_OF_PATTERN, 1.0),
    ("active_power_w", lambda *a: world.power(*a) * 1.6, FaultClass.ENERGY_OUT_OF_PATTERN, 1.0),
    ("water_flow_m3_h", lambda *a: world.flow(*a) + 0.8, FaultClass.WATER_LEAK, 24.0),
]


@pytest.mark.parametrize(("metric", "then", "fault", "hours"), CASES, ids=[str(case[2]) for case in CASES])
def test_each_fault_is_told_once_by_its_own_name_and_soon(
    metric: str, then: Course, fault: FaultClass, hours: float
) -> None:
    (found,) = suspected(Building(days=27, changes=from_onset(metric, then)))
    assert found.fault is fault
    assert ONSET <= found.at <= ONSET + hours * HOUR_US
    assert found.evidence.observed is not None
    assert found.evidence.expected is not None
    assert found.evidence.detail["metric"] == metric


def test_heating_that_runs_at_night_is_told_from_waste_by_the_rooms() -> None:
    night = START + 24 * DAY_US + 22 * HOUR_US
    hot = from_onset("indoor_temperature_deg_c", lambda at, chance: 21 + chance.gauss(0, 0.3), night)
    more = from_onset("active_power_w", lambda at, chance: world.power(at, chance) + 5_000, night)
    assert names(Building(days=27, changes={**hot, **more})) == [FaultClass.HEATING_WHILE_CLOSED]


def noisy_power(at: int, chance: random.Random) -> float:
    return world.power(at, chance) + chance.gauss(0, 400)


def test_waste_that_hides_in_noise_hour_by_hour_adds_up_and_is_told_within_a_day() -> None:
    def wasteful(at: int, chance: random.Random) -> float:
        return noisy_power(at, chance) + (2_000 if at >= ONSET else 0)

    found = suspected(Building(days=26, changes={"active_power_w": wasteful}, hours=None, metrics=("active_power_w",)))
    assert [s.fault for s in found] == [FaultClass.ENERGY_OUT_OF_PATTERN]
    assert ONSET <= found[0].since <= found[0].at <= ONSET + DAY_US
    sound = Building(days=60, changes={"active_power_w": noisy_power}, hours=None, metrics=("active_power_w",))
    assert suspected(sound) == []


def summer(at: int, chance: random.Random) -> float:
    return 24 + chance.gauss(0, 0.3)


@pytest.mark.parametrize(
    ("onset_h", "excess", "fault"),
    [
        # Begins while open; at night next to nothing is left of what grows with the load, and all of a plant.
        (10, lambda at: 0.6, FaultClass.ENERGY_OUT_OF_PATTERN),
        (10, lambda at: 5_000 / (15_000 if world.is_open(at) else 2_500), FaultClass.HEATING_WHILE_CLOSED),
        # Begins at night, too much for waste and too little for a plant: the day tells.
        (22, lambda at: 0.88, FaultClass.ENERGY_OUT_OF_PATTERN),
    ],
)
def test_where_rooms_do_not_tell_the_other_half_of_the_day_names_too_much_power(
    onset_h: int, excess: Callable[[int], float], fault: FaultClass
) -> None:
    onset = START + 24 * DAY_US + onset_h * HOUR_US

    def course(at: int, chance: random.Random) -> float:
        return world.power(at, chance) * (1 + (excess(at) if at >= onset else 0.0))

    changes: dict[str, Course] = {"active_power_w": course, "indoor_temperature_deg_c": summer}
    (found,) = suspected(Building(days=27, changes=changes))
    assert found.fault is fault
    assert found.at <= onset + DAY_US


def test_what_changed_while_a_sensor_was_stuck_is_not_out_of_pattern_when_it_moves_again() -> None:
    held: dict[str, float] = {}
    free = ONSET + 3 * DAY_US

    def stick(name: str, moved: float) -> Course:
        def course(at: int, chance: random.Random) -> float | None:
            value = HEALTHY[name](at, chance)
            assert value is not None
            if ONSET <= at < free:
                return held.setdefault(name, value)
            return value + (moved if at >= free else 0.0)

        return course

    # Meanwhile it has become four degrees warmer.
    shifts = {"indoor_temperature_deg_c": 4.0}
    changes = {name: stick(name, shifts.get(name, 0.0)) for name in HEALTHY}
    assert names(Building(days=30, changes=changes)) == [FaultClass.STUCK_SENSOR]


def test_a_fault_ends_after_it_was_quiet_for_long_enough() -> None:
    then = from_onset("hot_water_temperature_deg_c", lukewarm, end=ONSET + DAY_US)
    found = said(detect(Building(days=27, changes=then).records())[1])
    assert [s.kind for s in found] == [CandidateKind.SUSPECT, CandidateKind.CLEAR]
    assert found[1].until is not None
    assert abs(found[1].until - (ONSET + DAY_US)) <= 15 * MINUTE_US


def test_a_message_that_never_changes_is_a_stuck_sensor_and_nothing_else() -> None:
    last: dict[str, float] = {}

    def stick(name: str) -> Course:
        def course(at: int, chance: random.Random) -> float | None:
            if at >= ONSET and name in last:
                return last[name]
            value = HEALTHY[name](at, chance)
            assert value is not None
            last[name] = value
            return value

        return course

    (found,) = suspected(Building(days=27, changes={name: stick(name) for name in HEALTHY}))
    assert found.fault is FaultClass.STUCK_SENSOR
    assert found.at <= ONSET + 1.5 * HOUR_US


def test_one_reset_of_a_counter_is_nothing_and_two_in_a_day_are_a_fault() -> None:
    once = from_onset("active_energy_kwh", lambda at, chance: (at - ONSET) / HOUR_US * 4)
    assert names(Building(days=27, changes=once)) == []
    often = from_onset("active_energy_kwh", lambda at, chance: (at - ONSET) % (6 * HOUR_US) / HOUR_US * 4)
    (found,) = suspected(Building(days=27, changes=often))
    assert found.fault is FaultClass.COUNTER_RESET
    assert found.at == ONSET + 6 * HOUR_US


def test_nothing_is_out_of_pattern_before_the_warm_up_but_rules_hold_from_the_first_reading() -> None:
    early = START + 10 * DAY_US
    odd = from_onset("indoor_humidity_pct", lambda at, chance: 80 + chance.gauss(0, 1.5), early)
    cold = from_onset("hot_water_temperature_deg_c", lukewarm, START)
    assert names(Building(days=13, changes={**odd, **cold})) == [FaultClass.HOT_WATER_TOO_COLD]


def test_air_is_judged_at_any_hour_where_nobody_knows_the_hours() -> None:
    then = from_onset("co2_ppm", lambda at, chance: 1300 + chance.gauss(0, 12))
    assert names(Building(days=26, changes=then, hours=None)) == [FaultClass.CO2_TOO_HIGH]
    night = START + 24 * DAY_US + 22 * HOUR_US
    at_night = from_onset("co2_ppm", lambda at, chance: 1300 + chance.gauss(0, 12), night, night + 4 * HOUR_US)
    assert names(Building(days=26, changes=at_night)) == []


def test_a_long_gap_is_no_fault_of_what_is_measured() -> None:
    gap = {
        name: (lambda at, chance, healthy=healthy: None if 0 <= at - ONSET < 3 * DAY_US else healthy(at, chance))
        for name, healthy in HEALTHY.items()
    }
    assert set(names(Building(days=30, changes=gap))) <= {FaultClass.COMMUNICATION_FAILURE}


def test_a_back_log_is_judged_as_if_it_had_been_heard_live() -> None:
    metric, then, fault, _ = CASES[3]
    live = suspected(Building(days=27, changes=from_onset(metric, then)))
    late = Building(days=27, changes=from_onset(metric, then), late=(ONSET - HOUR_US, ONSET + 6 * HOUR_US))
    told = [s for s in suspected(late) if s.fault is not FaultClass.COMMUNICATION_FAILURE]
    assert [(s.fault, s.since, s.at) for s in told] == [(s.fault, s.since, s.at) for s in live]
    assert told[0].fault is fault


def test_a_replay_gives_the_same_whatever_was_polled_and_from_any_snapshot() -> None:
    metric, then, _, _ = CASES[5]
    records = Building(days=26, changes=from_onset(metric, then)).records()
    whole = detect(records, chunk=len(records))[1]
    assert whole == detect(records, chunk=7)[1]
    stage = DetectStage(candidate_partitions=1)
    state, appends = None, []
    cuts = [0, 1500, 4700, 4750, len(records)]
    for low, high in pairwise(cuts):
        state, some = detect(records[low:high], state)
        appends += some
        snapshot = stage.snapshot(state)
        state = stage.open(TopicPartition(topics.READINGS, 0), snapshot)
        assert stage.snapshot(state) == snapshot
    assert appends == whole


def test_a_device_that_leaves_takes_its_faults_with_it() -> None:
    metric, then, fault, _ = CASES[0]
    building = Building(days=25, changes=from_onset(metric, then))
    state, _ = detect(building.records())
    state.install(replace(building.root, devices=()))
    state.settle()
    assert [(s.kind, s.fault) for s in state.pending] == [(CandidateKind.CLEAR, fault)]


def test_a_limit_that_is_passed_before_and_after_a_gap_is_timed_anew() -> None:
    loading = START + 10 * DAY_US

    def loaded(at: int, chance: random.Random) -> float | None:
        if loading < at < loading + 6 * HOUR_US:
            return None
        return -10.0 if at in (loading, loading + 6 * HOUR_US) else world.cold_room(at, chance)

    def broken(at: int, chance: random.Random) -> float | None:
        if loading < at < loading + 6 * HOUR_US:
            return None
        return -10.0 if loading <= at < loading + 10 * HOUR_US else world.cold_room(at, chance)

    room = Building(12, {"cold_room_temperature_deg_c": loaded}, metrics=("cold_room_temperature_deg_c",))
    assert FaultClass.COLD_ROOM_TOO_WARM not in names(room)
    warm = replace(room, changes={"cold_room_temperature_deg_c": broken})
    assert FaultClass.COLD_ROOM_TOO_WARM in names(warm)
