"""The instrument that scores the simulated city: same seed, same score, and every kind is planted."""

from collections import Counter

import numpy as np

from anomaly.backtest.figures import Kind, Tally
from bench.score.city import SCORING_SEEDS, TUNING_SEEDS, kind_results, plans, play, results, whole
from bench.score.fleets import CADENCES, COUNTERS, FACILITIES, HOURLY, QUARTER, FleetPlan, pack_of, plant
from bench.score.player import Player
from bench.score.truth import clocks_show, label_of
from city.asset import Switching
from city.clock import DAY_US, HOUR_US, SECOND_US
from city.reading import ReadingBatch
from city.roots import roots_of
from sim.faultkinds import TARGETS
from sim.realism import REAL
from sim.world import World


def test_seeds_for_tuning_are_not_those_of_the_score() -> None:
    assert set(TUNING_SEEDS).isdisjoint(SCORING_SEEDS)
    chosen = list(plans(6_000, SCORING_SEEDS))
    assert len({plan.seed for plan in chosen}) == len(chosen)
    assert {plan.cadence for plan in chosen} == {*CADENCES, FACILITIES}
    years = sum(plan.lamps * plan.days / 365.25 for plan in chosen if plan.cadence != FACILITIES)
    assert abs(years - 6_000) < 60


def test_every_kind_is_planted_and_nothing_before_there_was_time_to_learn() -> None:
    counted: Counter[str] = Counter()
    for cadence in (*CADENCES, FACILITIES):
        plan = FleetPlan(1, cadence, 40 if cadence == FACILITIES else 400, 90)
        faults = plant(plan, pack_of(plan))
        counted.update(str(fault.fault) for fault in faults)
        assert min(fault.onset_us for fault in faults) >= plan.start_us + 21 * DAY_US
        assert max(fault.end_us or 0 for fault in faults) < plan.end_us
    assert set(counted) == {str(fault) for fault in TARGETS}
    # A fleet each quarter of an hour or hour stands for 66 lamp-years: 36 of them for the published figures.
    assert min(counted.values()) >= 5


def test_a_fleet_is_scored_and_again_with_the_same_result() -> None:
    plan = FleetPlan(2, COUNTERS, 60, 30, kinds=frozenset({"communicationFailure"}))
    first, again = play(plan, show=5), play(plan, show=5)
    assert first.tally == again.tally
    assert (first.missed, first.false) == (again.missed, again.false)
    assert sum(kind.observable for kind in first.tally.kinds.values()) > 0
    told = {result.name for result in results(whole([first]), "seed 2")}
    assert {"score.sim.found", "score.sim.false_per_lamp_year"} <= told


def test_a_stuck_device_of_a_facility_says_the_same_again_and_again_whatever_noise_there_is() -> None:
    plan = FleetPlan(4, FACILITIES, 12, 30, frozenset({"stuckSensor"}), "heavy")
    pack = pack_of(plan)
    faults = plant(plan, pack)
    roots = roots_of(pack)
    series = {one.series_id: d for root in roots for d in root.devices for one in d.series}
    readings = ReadingBatch.concatenate(list(Player(plan, pack, roots, faults).batches()))
    assert faults
    for fault in faults:
        assert fault.end_us is not None
        during = (readings.observed_at >= fault.onset_us + 5 * SECOND_US) & (
            readings.observed_at < fault.end_us - 5 * SECOND_US
        )
        for number, device in series.items():
            if device.asset.asset_id == fault.asset_id:
                said = readings.value[during & (readings.series_id == number)]
                assert len(said) > 20
                assert len(np.unique(said)) == 1


def test_a_wrong_clock_shows_where_a_message_tells_that_the_contactor_is_not_as_it_should_be() -> None:
    shown: dict[int, list[bool]] = {}
    for cadence in (QUARTER, HOURLY):
        plan = FleetPlan(9, cadence, 300, 120, frozenset({"cabinetClockWrong"}))
        pack = pack_of(plan)
        faults = plant(plan, pack)
        world = World(pack, plan.seed, faults, REAL)
        found = clocks_show(plan, pack, faults)
        shown[cadence] = []
        for fault in faults:
            at_us = found[label_of(fault)]
            assert fault.end_us is not None
            shown[cadence].append(at_us < fault.end_us)
            feeders = [f for f in pack.feeders if f.cabinet_id == fault.asset_id and f.switching is Switching.SWITCHED]
            wrong = [
                world.is_fed(f.feeder_id, at_us) != pack.schedules[f.schedule_id].commanded_on(at_us) for f in feeders
            ]
            assert any(wrong) or at_us == fault.end_us
    assert all(shown[QUARTER])
    assert len(shown[QUARTER]) >= 3
    assert len(shown[HOURLY]) >= 3
    assert any(shown[HOURLY])


def test_disturbed_readings_are_fewer_and_louder() -> None:
    plain = play(FleetPlan(3, HOURLY, 40, 12, frozenset({"flicker"})))
    thinned = play(FleetPlan(3, HOURLY, 40, 12, frozenset({"flicker"}), thin=0.5))
    losing = play(FleetPlan(3, HOURLY, 40, 12, frozenset({"flicker"}), lose=0.1))
    assert abs(thinned.readings / plain.readings - 0.5) < 0.02
    assert abs(losing.readings / plain.readings - 0.9) < 0.02


def test_each_kind_is_published_with_its_counts() -> None:
    tally = Tally()
    tally.kinds["flicker", 900] = Kind(found=2, missed=1, delays_us=[HOUR_US, 2 * HOUR_US])
    tally.kinds["flicker", 3_600] = Kind(found=1, delays_us=[3 * HOUR_US])
    tally.kinds["co2TooHigh", 900] = Kind(unobservable=4)
    [only] = kind_results(tally, "seed 1")
    assert (only.name, only.value) == ("score.sim.found.flicker", 0.75)
    assert only.note == "15 min 2 of 3, median delay 1.50 h; hour 1 of 1, median delay 3.00 h; seed 1"
