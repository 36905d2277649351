"""Series that no rule names: an air station through the very stage of production."""

import random
from dataclasses import replace
from itertools import pairwise

from anomaly.correlate import CorrelateStage
from anomaly.detector import DetectStage
from city import topics
from city.alarm import AlarmEvent, AlarmEventKind, CandidateKind, FaultClass
from city.clock import DAY_US, HOUR_US
from stream import codec
from stream.log import Append, Record, TopicPartition
from tests.anomaly.facilities.world import START, Building, Course, detect, hour_of, said

ONSET = START + 24 * DAY_US + 10 * HOUR_US


def no2(at: int, chance: random.Random) -> float:
    return 20 + 10 * (7 <= hour_of(at) < 20) + chance.gauss(0, 2)


def o3(at: int, chance: random.Random) -> float:
    return 40 + 20 * (10 <= hour_of(at) < 18) + chance.gauss(0, 3)


def station(days: float, **changes: Course) -> Building:
    return Building(days, {"no2_ug_m3": no2, "o3_ug_m3": o3, **changes}, None, ("no2_ug_m3", "o3_ug_m3"))


def high(at: int, chance: random.Random) -> float:
    return no2(at, chance) + (120 if ONSET <= at < ONSET + 8 * HOUR_US else 0)


def test_a_station_that_does_as_ever_is_left_alone() -> None:
    assert said(detect(station(40).records())[1]) == []


def test_a_channel_that_leaves_its_past_is_told_once_with_what_was_expected_and_ends() -> None:
    found = said(detect(station(28, no2_ug_m3=high).records())[1])
    assert {s.fault for s in found} == {FaultClass.OUT_OF_PATTERN}
    # Said anew while it grows, always as the same: correlation weighs it against others of its group.
    assert len({s.since for s in found}) == 1
    assert [s.kind for s in found[-2:]] == [CandidateKind.SUSPECT, CandidateKind.CLEAR]
    surprises = [s.surprise for s in found[:-1] if s.surprise is not None]
    assert len(surprises) == len(found) - 1
    assert surprises == sorted(surprises)
    assert found[0].among == 2
    first, last = found[0], found[-1]
    assert ONSET <= first.at <= ONSET + 2 * HOUR_US
    assert first.evidence.rule.startswith("unlike-its-past-")
    assert first.evidence.detail["metric"] == "no2_ug_m3"
    assert first.evidence.unit == "ug/m3"
    assert first.evidence.observed is not None
    assert first.evidence.observed > 120
    assert first.evidence.expected is not None
    assert first.evidence.expected < 60
    assert last.since == first.since


def test_nothing_statistical_is_said_in_the_first_fortnight() -> None:
    early = START + 10 * DAY_US

    def odd(at: int, chance: random.Random) -> float:
        return no2(at, chance) + (120 if early <= at < early + 8 * HOUR_US else 0)

    assert said(detect(station(13, no2_ug_m3=odd).records())[1]) == []


def test_a_replay_of_statistics_gives_the_same_whatever_was_polled_and_from_any_snapshot() -> None:
    records = station(27, no2_ug_m3=high).records()
    whole = detect(records, chunk=len(records))[1]
    assert whole == detect(records, chunk=7)[1]
    stage = DetectStage(candidate_partitions=1)
    state, appends = None, []
    for low, high_ in pairwise([0, 1500, 4690, 4710, len(records)]):
        state, some = detect(records[low:high_], state)
        appends += some
        snapshot = stage.snapshot(state)
        state = stage.open(TopicPartition(topics.READINGS, 0), snapshot)
        assert stage.snapshot(state) == snapshot
    assert appends == whole


def test_a_back_log_is_scored_reading_by_reading_as_if_heard_live() -> None:
    live = said(detect(station(28, no2_ug_m3=high).records())[1])
    late = station(28, no2_ug_m3=high)
    late.late = (ONSET - HOUR_US, ONSET + 6 * HOUR_US)
    told = [s for s in said(detect(late.records())[1]) if s.fault is FaultClass.OUT_OF_PATTERN]
    assert [(s.kind, s.since, s.at) for s in told] == [(s.kind, s.since, s.at) for s in live]


def test_what_was_open_of_a_series_that_is_no_longer_reported_ends_and_can_begin_again() -> None:
    whole = station(27, no2_ug_m3=high)
    cut = [one for one in whole.records() if one.at_us < ONSET + 4 * HOUR_US]
    state, appends = detect(cut)
    assert said(appends)[-1].kind is CandidateKind.SUSPECT
    device = replace(whole.root.devices[0], series=(whole.root.devices[0].series[1],))
    registered = codec.encode(replace(whole.root, devices=(device,), pack_version="v2"))
    later = [one for one in whole.records() if one.at_us >= ONSET + 4 * HOUR_US]
    change = Record(topics.READINGS, 0, len(cut), codec.REGISTRY, registered, ONSET + 4 * HOUR_US)
    state, appends = detect([change, *later], state)
    found = said(appends)
    assert [(s.kind, s.evidence.rule) for s in found] == [(CandidateKind.CLEAR, "device-withdrawn")]


def alarms(appends: list[Append]) -> list[tuple[AlarmEventKind, FaultClass]]:
    """Return what correlation makes of candidates, in order."""
    stage = CorrelateStage(1, 1)
    state = stage.open(TopicPartition(topics.CANDIDATES, 0), None)
    records = [Record(topics.CANDIDATES, 0, n, a.kind, a.value, a.at_us) for n, a in enumerate(appends)]
    told = [codec.decode(AlarmEvent, made.value) for made in stage.step(state, records).appends]
    return [(event.kind, event.fault) for event in told]


def stuck(value: float) -> Course:
    """Return a channel that says the same for 60 hours."""

    def course(at: int, chance: random.Random) -> float:
        usual = no2(at, chance)
        return value if ONSET <= at < ONSET + 60 * HOUR_US else usual

    return course


def test_a_channel_that_is_stuck_is_one_stuck_sensor_and_nothing_else() -> None:
    told = alarms(detect(station(31, no2_ug_m3=stuck(24.0)).records())[1])
    assert told == [
        (AlarmEventKind.RAISED, FaultClass.STUCK_SENSOR),
        (AlarmEventKind.CLEARED, FaultClass.STUCK_SENSOR),
    ]


def test_what_seemed_out_of_pattern_and_is_stuck_is_told_as_that() -> None:
    # Nought says nothing to the rule of facilities, what is seldom there is often nought: its own past tells.
    told = alarms(detect(station(35, no2_ug_m3=stuck(0.0)).records())[1])
    assert told == [
        (AlarmEventKind.RAISED, FaultClass.OUT_OF_PATTERN),
        (AlarmEventKind.CLEARED, FaultClass.OUT_OF_PATTERN),
        (AlarmEventKind.RAISED, FaultClass.STUCK_SENSOR),
        (AlarmEventKind.CLEARED, FaultClass.STUCK_SENSOR),
    ]


def test_what_a_rule_tells_is_not_ended_by_statistics_nor_held_back_with_them() -> None:
    records = station(31, no2_ug_m3=stuck(24.0)).records()
    found = [s for s in said(detect(records)[1]) if s.fault is FaultClass.STUCK_SENSOR]
    rules = {s.evidence.rule for s in found if s.kind is CandidateKind.SUSPECT}
    assert rules == {"same-values-again", "unlike-its-past-stuck"}
    ends = [s for s in found if s.kind is CandidateKind.CLEAR]
    assert [s.surprise is None for s in ends] == [True, False]
