"""Outages of network operators, substations and districts: one alarm, told once, whoever finds it."""

from dataclasses import replace
from itertools import permutations

import pytest

from anomaly import networks
from anomaly.correlate import CorrelateStage
from anomaly.networks import counts_of
from anomaly.outage import STALL_US
from city.alarm import AlarmEvent, AlarmEventKind, CandidateBatch, Census, FaultClass, GatewayCount, Scope
from city.asset import AssetKind, GatewayDefinition, correlation_partition
from city.clock import MINUTE_US
from city.maintenance import MaintenanceWindow
from city.topics import CANDIDATES
from stream import codec
from stream.log import Record, TopicPartition
from tests.anomaly.test_causes import told
from tests.anomaly.test_correlate import T0

K, F = AlarmEventKind, FaultClass
PARTITIONS = 2
QUARTER = 15 * MINUTE_US


def feeder(gateway: int, number: int = 0, group: str = "") -> Scope:
    name = f"G{gateway}F{number}"
    return Scope(AssetKind.FEEDER, name, f"C{gateway}-{number}", group or f"S{gateway}", name, f"G{gateway}")


def census(scope: Scope, minute: int, silent_since: int | None = None, **fields: object) -> Census:
    """A feeder of twenty lamps, heard to the last minute or silent since one."""
    at = T0 + minute * MINUTE_US
    if silent_since is None:
        return replace(Census(scope, 20, 20, 0, 0, False, 0), heard_at=at, **fields)
    since = T0 + silent_since * MINUTE_US
    return replace(Census(scope, 20, 0, 0, 80, True, since), heard_at=since, **fields)


def gateways(operator: str = "Norte", many: int = 6, district: str = "centre") -> dict[str, GatewayDefinition]:
    return {f"G{n}": GatewayDefinition(f"G{n}", operator, district, f"S{n}") for n in range(many)}


def minute_of(
    known: dict[str, GatewayDefinition],
    counts: list[Census],
    minute: int,
    source: int = 0,
    windows: tuple[MaintenanceWindow, ...] = (),
) -> list[CandidateBatch]:
    """What one partition of `readings` says at a minute, for each partition of `candidates`."""
    heard = tuple(counts_of(known, counts))
    return [
        CandidateBatch(
            source,
            minute,
            T0 + minute * MINUTE_US,
            (),
            tuple(c for c in counts if correlation_partition(c.feeder.group, PARTITIONS) == partition),
            windows=windows,
            gateways=heard,
        )
        for partition in range(PARTITIONS)
    ]


class City:
    """All partitions of `candidates`."""

    def __init__(self, sources: int = 1) -> None:
        self.stage = CorrelateStage(sources, 1, candidate_partitions=PARTITIONS)
        self.states = [self.stage.open(TopicPartition(CANDIDATES, p), None) for p in range(PARTITIONS)]

    def hear(self, batches: list[CandidateBatch]) -> list[AlarmEvent]:
        found: list[AlarmEvent] = []
        for partition, batch in enumerate(batches):
            record = Record(CANDIDATES, partition, 0, codec.CANDIDATES, codec.encode(batch), batch.at)
            appends = self.stage.step(self.states[partition], [record]).appends
            found += [codec.decode(AlarmEvent, one.value) for one in appends]
        return found

    def reopen(self) -> None:
        self.states = [
            self.stage.open(TopicPartition(CANDIDATES, p), self.stage.snapshot(state))
            for p, state in enumerate(self.states)
        ]


def outage_of(out: int, many: int = 6, minute: int = 70) -> list[Census]:
    return [census(feeder(n), minute, 5 if n < out else None) for n in range(many)]


@pytest.mark.parametrize(
    ("operator", "kind", "name"), [("Norte", AssetKind.NETWORK, "Norte"), ("", AssetKind.AREA, "centre")]
)
def test_gateways_of_one_operator_or_district_that_fall_silent_together_are_one_alarm(
    operator: str, kind: AssetKind, name: str
) -> None:
    city, known = City(), gateways(operator)
    events = city.hear(minute_of(known, outage_of(4), 70))
    raised = [e for e in events if e.kind is K.RAISED]
    assert [(e.fault, e.scope.kind, e.scope.asset_id) for e in raised] == [(F.COMMUNICATION_FAILURE, kind, name)]
    assert raised[0].children == ("G0", "G1", "G2", "G3")
    assert (raised[0].evidence.observed, raised[0].evidence.expected, raised[0].evidence.unit) == (4, 6, "gateways")
    folded = [e for e in events if e.kind is K.FOLDED]
    assert {(e.scope.asset_id, e.parent_id) for e in folded} == {(f"G{n}", raised[0].alarm_id) for n in range(4)}
    assert city.hear(minute_of(known, outage_of(4, minute=75), 75)) == []


def test_gateways_that_fall_silent_one_by_one_have_alarms_of_their_own() -> None:
    counts = [census(feeder(n), 600, 100 * n if n < 4 else None) for n in range(6)]
    events = City().hear(minute_of(gateways(), counts, 600))
    assert sorted(told(events)) == [(K.RAISED, F.COMMUNICATION_FAILURE, f"G{n}") for n in range(4)]


@pytest.mark.parametrize(("out", "many", "one"), [(2, 84, False), (3, 84, True), (2, 6, False), (3, 6, True)])
def test_how_many_it_takes_depends_on_how_many_there_are(out: int, many: int, one: bool) -> None:
    events = City().hear(minute_of(gateways(many=many), outage_of(out, many), 70))
    assert len([e for e in events if e.kind is K.RAISED]) == (1 if one else out)


def test_a_gateway_that_is_heard_elsewhere_or_lost_its_supply_is_no_part_of_it() -> None:
    known = gateways()
    counts = outage_of(3)
    alive = [*counts[:2], census(feeder(2), 70, 5), census(feeder(2, 1), 70)]
    gasped = [*counts[:2], census(feeder(2), 70, 5, gasped=2)]
    connected = [*counts[:2], census(feeder(2), 70, 5, online=True)]
    for third in (alive, gasped, connected):
        events = City().hear(
            minute_of(known, [*third, *outage_of(3)[3:], *(census(feeder(n), 70) for n in (4, 5))], 70)
        )
        assert not [e for e in events if e.scope.kind is AssetKind.NETWORK]


def test_when_the_network_is_back_whatever_stays_silent_is_told() -> None:
    city, known = City(), gateways()
    (raised,) = [e for e in city.hear(minute_of(known, outage_of(4), 70)) if e.kind is K.RAISED]
    city.reopen()
    back = [census(feeder(n), 90, 5 if n == 3 else None) for n in range(6)]
    events = city.hear(minute_of(known, back, 90))
    assert (K.CLEARED, raised.alarm_id) in {(e.kind, e.alarm_id) for e in events}
    assert [e.scope.asset_id for e in events if e.kind is K.RAISED] == ["G3"]


def test_whoever_is_heard_first_the_same_is_told() -> None:
    known = gateways()
    # Each source of readings has a part of every gateway; one cabinet of theirs is heard by each.
    halves = [[census(feeder(n, half), 70, 5 if n < 4 else None) for n in range(6)] for half in range(3)]
    found = set()
    for order in permutations(range(3)):
        city = City(3)
        events = [e for source in order for e in city.hear(minute_of(known, halves[source], 70, source))]
        found.add(tuple(sorted(codec.encode(e) for e in events)))
    assert len(found) == 1
    assert sum(b'"raised"' in e for e in next(iter(found))) == 1


def test_gateways_at_which_somebody_works_prove_nothing() -> None:
    known = gateways()
    works = MaintenanceWindow(1, ("G0", "G1"), T0, T0 + 300 * MINUTE_US)
    events = City().hear(minute_of(known, outage_of(3), 70, windows=(works,)))
    assert sorted(told(events)) == [
        (K.HELD, F.COMMUNICATION_FAILURE, "G0"),
        (K.HELD, F.COMMUNICATION_FAILURE, "G1"),
        (K.RAISED, F.COMMUNICATION_FAILURE, "G2"),
    ]


@pytest.mark.parametrize(
    ("group", "kind", "name"),
    [("SE-1", AssetKind.SUBSTATION, "SE-1"), ("district:centre", AssetKind.AREA, "centre")],
)
def test_cabinets_of_one_substation_that_lose_supply_together_are_one_alarm(
    group: str, kind: AssetKind, name: str
) -> None:
    def at(minute: int, out: int) -> list[CandidateBatch]:
        counts = [
            census(feeder(1, n, group), minute, 5 if n < out else None, gasped=1 if n < out else 0) for n in range(6)
        ]
        return minute_of(gateways(), counts, minute)

    city = City()
    events = city.hear(at(40, 3))
    raised = [e for e in events if e.kind is K.RAISED]
    assert [(e.fault, e.scope.kind, e.scope.asset_id) for e in raised] == [(F.SUPPLY_LOSS, kind, name)]
    assert raised[0].children == ("C1-0", "C1-1", "C1-2")
    assert {e.parent_id for e in events if e.kind is K.FOLDED} == {raised[0].alarm_id}
    cleared = city.hear(at(60, 0))
    assert (K.CLEARED, F.SUPPLY_LOSS, name) in told(cleared)
    assert not [e for e in cleared if e.kind is K.RAISED]


def test_two_cabinets_out_at_different_times_are_two_outages() -> None:
    counts = [
        census(feeder(1, 0, "SE-1"), 600, 5, gasped=1),
        census(feeder(1, 1, "SE-1"), 600, 400, gasped=1),
        *(census(feeder(1, n, "SE-1"), 600) for n in range(2, 6)),
    ]
    events = City().hear(minute_of(gateways(), counts, 600))
    assert sorted(told(events)) == [(K.RAISED, F.SUPPLY_LOSS, "G1F0"), (K.RAISED, F.SUPPLY_LOSS, "G1F1")]


def test_a_gateway_counts_as_silent_when_it_is_for_longer_than_uplinks_stall() -> None:
    one = GatewayCount(gateways()["G0"], 20, 0, 20, T0, T0, QUARTER, 0)
    counts = {f"G{n}": replace(one, gateway=gateways()[f"G{n}"]) for n in range(6)}
    late = T0 + QUARTER + STALL_US
    assert networks.of_gateways(counts, late - 1) == []
    assert len(networks.of_gateways(counts, late)) == 1
