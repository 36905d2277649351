"""What voltages say of a feeder: a lost neutral at once, whatever phase the inventory has."""

from dataclasses import replace

from anomaly.detector import DetectStage
from city import topics
from city.alarm import AlarmEventKind, FaultClass
from city.clock import HOUR_US, MINUTE_US
from stream import codec
from stream.log import TopicPartition
from tests.anomaly.segments.street import MIDNIGHT, NOON, Bulb, Said, Street, alarms, healthy, raised

BEGIN, END = MIDNIGHT - 3 * HOUR_US, MIDNIGHT
APART = {"R": 262.0, "S": 198.0, "T": 235.0}


def apart(bulb: Bulb, at: int, on: bool) -> Said:
    said = healthy(bulb, at, on)
    if said is not None and bulb.feeder == "C0F0" and BEGIN <= at < END:
        return said[0], APART[bulb.phase], said[2]
    return said


def test_a_lost_neutral_is_told_within_an_interval_and_ends_with_it() -> None:
    events = alarms(Street(apart, hours=16).records())
    assert [(e.kind, e.fault, e.scope.asset_id) for e in events] == [
        (AlarmEventKind.RAISED, FaultClass.LOST_NEUTRAL, "C0F0"),
        (AlarmEventKind.CLEARED, FaultClass.LOST_NEUTRAL, "C0F0"),
    ]
    assert events[0].at - BEGIN <= 16 * MINUTE_US
    assert events[1].at - END <= 16 * MINUTE_US


def test_lamps_of_unknown_phase_tell_a_lost_neutral_too() -> None:
    def says(bulb: Bulb, at: int, on: bool) -> Said:
        return apart(replace(bulb, phase="RST"[bulb.place % 3]), at, on)

    assert raised(alarms(Street(says, hours=12, phases="").records())) == [(FaultClass.LOST_NEUTRAL, "C0F0")]


def test_one_lamp_with_a_wrong_meter_is_no_lost_neutral() -> None:
    def says(bulb: Bulb, at: int, on: bool) -> Said:
        said = healthy(bulb, at, on)
        strange = {"C0F0L03": 270.0, "C0F0L04": 120.0}
        return None if said is None else (said[0], strange.get(bulb.name, said[1]), said[2])

    assert alarms(Street(says, hours=12).records()) == []


def test_the_same_alarms_come_whatever_the_batches_and_snapshots() -> None:
    records = Street(apart, hours=16).records()
    once = alarms(records, chunk=len(records))
    assert once
    assert alarms(records, chunk=7, save_every=3) == once


def test_what_is_kept_is_saved_whole() -> None:
    stage = DetectStage(1)
    source = TopicPartition(topics.READINGS, 0)
    state = stage.open(source, None)
    stage.step(state, [r for r in Street(apart, hours=11).records() if r.at_us < BEGIN + HOUR_US])
    saved = stage.snapshot(state)
    assert stage.snapshot(stage.open(source, saved)) == saved


def test_a_feeder_that_the_city_no_longer_has_takes_its_fault_with_it() -> None:
    street = Street(apart, hours=11)
    records = [r for r in street.records() if r.at_us < BEGIN + HOUR_US]
    (cabinet,) = (root for root in street.roots() if root.root_id == "C0")
    kept = {"feeders": cabinet.feeders[1:], "devices": tuple(d for d in cabinet.devices if d.asset.feeder_id != "C0F0")}
    at = records[-1].at_us
    gone = replace(records[-1], offset=len(records), kind=codec.REGISTRY, value=codec.encode(replace(cabinet, **kept)))
    ticks = [r for r in street.records() if r.kind == codec.TICK and at < r.at_us][:3]
    assert at > NOON
    events = alarms([*records, gone, *ticks])
    assert [e.kind for e in events] == [AlarmEventKind.RAISED, AlarmEventKind.CLEARED]
