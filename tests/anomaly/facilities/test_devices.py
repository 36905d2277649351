"""A facility with several devices: what each measures is its own, from the reading to the ticket."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from anomaly.correlate import CorrelateStage
from city import topics
from city.alarm import AlarmEvent, AlarmEventKind, FaultClass, Scope
from city.asset import AssetKind
from city.clock import HOUR_US, SECOND_US
from city.reading import Reading, ReadingBatch
from city.registry import DeviceDefinition, FaultRules, RootDefinition, SeriesDefinition, told_apart
from city.ticket import TicketState
from incidents.case import Case
from incidents.desk import DeskOptions, take_alarm
from stream import codec
from stream.codec import Tick
from stream.log import Append, Record, TopicPartition
from tests.anomaly.facilities.world import MADRID, START, STEP, detect, said

COLD, WARM = -19.5, -8.0
METRIC = "cold_room_temperature_deg_c"
FIRST_WARM, FIRST_COLD = START + 10 * HOUR_US, START + 20 * HOUR_US
SECOND_WARM, SECOND_COLD = START + 13 * HOUR_US, START + 30 * HOUR_US


def room(warm_from: int, cold_from: int) -> Callable[[int], float]:
    return lambda at: WARM if warm_from <= at < cold_from else COLD


@dataclass
class Market:
    """A market with two cold rooms, each with a sensor of its own; `rooms` by device."""

    rooms: dict[str, Callable[[int], float]]
    hours: int = 40

    @property
    def root(self) -> RootDefinition:
        scope = Scope(AssetKind.FACILITY, "MK-1", "MK-1", "MK-1", "", "GW-1")
        devices = [
            DeviceDefinition(name, scope, 900, 8.0, (SeriesDefinition(number, name, METRIC),))
            for number, name in enumerate(self.rooms, 1)
        ]
        return RootDefinition(
            "MK-1", AssetKind.FACILITY, "MK-1", "v1", (), told_apart(devices), FaultRules(), None, MADRID
        )

    def records(self) -> list[Record]:
        chance = random.Random(5)
        made: list[tuple[str, bytes, int]] = [(codec.REGISTRY, codec.encode(self.root), START)]
        for at in range(START, START + self.hours * HOUR_US, STEP):
            readings = [
                Reading(number, 1, at, at + 2 * SECOND_US, round(course(at) + chance.gauss(0, 0.4), 2))
                for number, course in enumerate(self.rooms.values(), 1)
            ]
            made.append((codec.BATCH, codec.encode_batch(ReadingBatch.of(readings)), at))
            made.append((codec.TICK, codec.encode(Tick(at + STEP // 2, STEP)), at + STEP // 2))
        return [Record(topics.READINGS, 0, n, kind, value, at) for n, (kind, value, at) in enumerate(made)]


MARKET = Market({"D-1": room(FIRST_WARM, FIRST_COLD), "D-2": room(SECOND_WARM, SECOND_COLD)})


def alarms(appends: list[Append], cut: int | None = None) -> list[AlarmEvent]:
    """Correlate; where `cut` says so, from a snapshot on."""
    stage, source = CorrelateStage(1, 1), TopicPartition(topics.CANDIDATES, 0)
    records = [Record(topics.CANDIDATES, 0, n, a.kind, a.value, a.at_us) for n, a in enumerate(appends)]
    state = stage.open(source, None)
    made = list(stage.step(state, records[:cut]).appends)
    if cut is not None:
        made += stage.step(stage.open(source, stage.snapshot(state)), records[cut:]).appends
    return [codec.decode(AlarmEvent, one.value) for one in made]


def test_two_cold_rooms_are_two_alarms_and_two_tickets_and_each_ends_by_itself() -> None:
    appends = detect(MARKET.records())[1]
    told = alarms(appends)
    assert [(e.kind, e.scope.device_id) for e in told] == [
        (AlarmEventKind.RAISED, "D-1"),
        (AlarmEventKind.RAISED, "D-2"),
        (AlarmEventKind.CLEARED, "D-1"),
        (AlarmEventKind.CLEARED, "D-2"),
    ]
    assert {e.fault for e in told} == {FaultClass.COLD_ROOM_TOO_WARM}
    assert len({e.alarm_id for e in told}) == 2
    case, states = Case(), []
    for event in told:
        take_alarm(case, event, event.at, DeskOptions())
        states.append([ticket.state for ticket in case.tickets.values()])
    new, recovered = TicketState.NEW, TicketState.RECOVERED
    assert states == [[new], [new, new], [recovered, new], [recovered, recovered]]


def test_two_cold_rooms_are_told_the_same_after_a_snapshot_of_correlation() -> None:
    appends = detect(MARKET.records())[1]
    whole = alarms(appends)
    assert alarms(appends, len(appends) // 2) == whole


def test_a_facility_with_one_device_is_meant_as_a_whole() -> None:
    one = Market({"D-1": room(FIRST_WARM, FIRST_COLD)})
    assert {s.scope.device_id for s in said(detect(one.records())[1])} == {""}


def test_what_was_open_of_the_only_device_goes_on_under_its_name_when_another_comes() -> None:
    one = Market({"D-1": room(FIRST_WARM, SECOND_COLD)})
    cut = START + 15 * HOUR_US
    state, before = detect([r for r in one.records() if r.at_us < cut])
    both = Market({"D-1": room(FIRST_WARM, SECOND_COLD), "D-2": room(START, START)})
    registered = Record(topics.READINGS, 0, 0, codec.REGISTRY, codec.encode(both.root), cut)
    _, after = detect([registered, *(r for r in both.records() if r.at_us >= cut)], state)
    told = alarms([*before, *after])
    assert [(e.kind, e.scope.device_id) for e in told] == [
        (AlarmEventKind.RAISED, ""),
        (AlarmEventKind.CLEARED, ""),
        (AlarmEventKind.RAISED, "D-1"),
        (AlarmEventKind.CLEARED, "D-1"),
    ]
