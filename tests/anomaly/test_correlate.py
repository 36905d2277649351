"""Correlation: the same alarms however partitions race, fast where a whole city falls dark, and no outage for ever."""

import random
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.correlate import CorrelateStage, CorrelatorState
from anomaly.decide import ABANDONED_US
from anomaly.detector import PART_ITEMS
from city.alarm import (
    AlarmEventKind,
    CandidateBatch,
    CandidateKind,
    Census,
    Evidence,
    FaultClass,
    Scope,
    Suspicion,
)
from city.asset import AssetKind
from city.clock import MINUTE_US
from city.topics import CANDIDATES
from stream import codec
from stream.log import Record, TopicPartition

T0 = 1_795_000_000_000_000


def feeder(gateway: int, number: int) -> Scope:
    return Scope(
        AssetKind.FEEDER, f"G{gateway}F{number}", f"C{gateway}", "north", f"G{gateway}F{number}", f"G{gateway}"
    )


def lamp(gateway: int, number: int, lamp_number: int) -> Scope:
    above = feeder(gateway, number)
    return replace(above, kind=AssetKind.LAMP, asset_id=f"{above.asset_id}L{lamp_number}")


def count(scope: Scope, heard: int, since: int, expected: int = 20) -> Census:
    silent = expected - heard
    return Census(scope, expected, heard, 0, 4 * silent, silent > 10, since if silent else 0)


def silent(scope: Scope, at: int) -> Suspicion:
    fault = FaultClass.COMMUNICATION_FAILURE
    return Suspicion(CandidateKind.SUSPECT, fault, scope, at, at, Evidence("silent", detail={"device": "D"}))


def batch(
    source: int,
    minute: int,
    suspicions: list[Suspicion] | None = None,
    census: list[Census] | None = None,
    **parts: int,
) -> CandidateBatch:
    at = T0 + minute * MINUTE_US
    return CandidateBatch(source, 100 + minute, at, tuple(suspicions or ()), tuple(census or ()), **parts)


def night(seed: int, sources: int) -> list[list[CandidateBatch]]:
    """Per source, batches of a night in which lamps, feeders and a gateway fall silent and return."""
    chance = random.Random(seed)
    out = {
        (g, f): (chance.randrange(60), chance.randrange(60, 200))
        for g in range(3)
        for f in range(4)
        if g == 0 or chance.random() < 0.4
    }
    queues: list[list[CandidateBatch]] = [[] for _ in range(sources)]
    for minute in range(0, 240, 5):
        for source in range(sources):
            mine = [(g, f) for g in range(3) for f in range(4) if (g + f) % sources == source]
            census, suspicions = [], []
            for g, f in mine:
                begin, end = out.get((g, f), (999, 999))
                census.append(count(feeder(g, f), 1 if begin <= minute < end else 20, T0 + begin * MINUTE_US))
                if begin <= minute < begin + 5:
                    suspicions += [silent(lamp(g, f, n), T0 + begin * MINUTE_US) for n in range(6)]
                if end <= minute < end + 5:
                    suspicions += [
                        replace(silent(lamp(g, f, n), T0 + begin * MINUTE_US), kind=CandidateKind.CLEAR)
                        for n in range(4)
                    ]
            queues[source].append(batch(source, minute, suspicions, census))
    return queues


def interleave(queues: list[list[CandidateBatch]], chance: random.Random) -> list[CandidateBatch]:
    waiting = [list(reversed(queue)) for queue in queues]
    ordered = []
    while any(waiting):
        ordered.append(chance.choice([queue for queue in waiting if queue]).pop())
    return ordered


def hear(state: CorrelatorState, batches: list[CandidateBatch]) -> list[bytes]:
    return [codec.encode(event) for one in batches for event in state.hear(one)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.floats(0, 1))
def test_however_partitions_race_and_whenever_it_is_killed_the_alarms_are_the_same(
    seed: int, sources: int, share: float
) -> None:
    queues = night(seed, sources)
    expected = hear(CorrelatorState(sources), [b for queue in queues for b in queue])
    assert expected
    ordered = interleave(queues, random.Random(seed + 1))
    cut = int(len(ordered) * share)
    state = CorrelatorState(sources)
    early = hear(state, ordered[:cut])
    saved = codec.encode(state.snapshot())
    stage = CorrelateStage(sources, 1)
    late = hear(stage.open(TopicPartition(CANDIDATES, 0), saved), ordered[max(0, cut - 20) :])
    assert [*early, *late] == expected


def test_a_tick_counts_once_its_last_part_has_come_even_if_the_first_is_repeated() -> None:
    state = CorrelatorState(1)
    out = [count(feeder(1, f), 0, T0) for f in range(2)]
    beside = [count(feeder(1, f), 20, 0) for f in range(2, 4)]
    first, last = batch(0, 60, census=out, part=0, parts=2), batch(0, 60, census=beside, part=1, parts=2)
    assert [state.hear(one) for one in (first, first)] == [[], []]
    events = state.hear(last)
    assert sorted(e.scope.asset_id for e in events) == ["G1F0", "G1F1"]
    assert state.hear(last) == []


def test_half_a_count_is_no_outage_of_a_gateway() -> None:
    """One partition's tick did not come: the feeders that it would have counted are not silent."""
    state = CorrelatorState(2)
    for minute in (0, 60):
        events = state.hear(batch(0, minute, census=[count(feeder(1, f), 0, T0) for f in range(2)]))
        if minute == 0:
            events += state.hear(batch(1, minute, census=[count(feeder(1, f), 20, 0) for f in range(2, 4)]))
            assert {e.scope.kind for e in events} == {AssetKind.FEEDER}
        else:
            events += state.hear(batch(1, minute + 1, census=[count(feeder(1, f), 20, 0) for f in range(2, 4)]))
            assert events == []


def test_a_new_log_whose_offsets_begin_anew_is_heard() -> None:
    state = CorrelatorState(1)
    state.hear(replace(batch(0, 0), source_offset=5_000_000))
    events = state.hear(
        replace(batch(0, 30, census=[count(feeder(1, f), 20 * f, T0) for f in range(2)]), source_offset=3)
    )
    assert [e.scope.asset_id for e in events] == ["G1F0"]


def test_an_outage_of_what_the_city_no_longer_has_ends() -> None:
    state = CorrelatorState(1)
    (raised,) = state.hear(batch(0, 0, census=[count(feeder(1, f), 20 * f, T0) for f in range(2)]))
    minutes = ABANDONED_US // MINUTE_US
    rest = [count(feeder(1, 1), 20, 0)]
    assert state.hear(batch(0, minutes, census=rest)) == []
    (cleared,) = state.hear(batch(0, minutes + 1, census=rest))
    assert (cleared.kind, cleared.alarm_id) == (AlarmEventKind.CLEARED, raised.alarm_id)


def test_a_city_that_falls_dark_at_once_is_decided_without_searching() -> None:
    """Twice the city may take about twice as long: searching for each case's outage took four times as long."""

    def seconds(gateways: int) -> float:
        state = CorrelatorState(1)
        lamps = [lamp(g, f, n) for g in range(gateways) for f in range(10) for n in range(20)]
        feeders = [feeder(g, f) for g in range(gateways) for f in range(10)]
        census = [count(one, 20 if one.asset_id.endswith("F9") else 0, T0) for one in feeders]
        started = time.process_time()
        state.hear(batch(0, 60, [silent(one, T0) for one in lamps], census))
        state.hear(batch(0, 120, [], [count(one, 20, 0) for one in feeders]))
        return time.process_time() - started

    small = min(seconds(10) for _ in range(3))
    large = min(seconds(80) for _ in range(2))
    assert large < 8 * 4 * small


def test_no_record_of_candidates_exceeds_the_logs_limit() -> None:
    long = "x" * 64
    scope = Scope(AssetKind.LAMP, long, long, long, long, long)
    evidence = Evidence(
        "power-while-commanded-off", -1.7976931348623157e308, 1e300, "W", T0, {"device": long, "last_heard": long}
    )
    suspicion = Suspicion(CandidateKind.SUSPECT, FaultClass.COMMUNICATION_FAILURE, scope, T0, T0, evidence, T0)
    census = Census(scope, 10**9, 10**9, 10**9, 10**12, True, T0, T0)
    whole = CandidateBatch(11, 10**15, T0, (suspicion,) * PART_ITEMS, (census,) * PART_ITEMS, 100, 200)
    assert len(codec.encode(whole)) < 1 << 20


def test_the_children_named_by_an_outage_fit_into_a_record() -> None:
    state = CorrelatorState(1)
    long = "x" * 52
    lamps = [replace(lamp(1, 0, n), asset_id=f"{long}{n:012d}") for n in range(20_000)]
    state.hear(batch(0, 0, [silent(one, T0) for one in lamps]))
    out = [count(feeder(1, 0), 0, T0, 20_000), count(feeder(1, 1), 20, 0)]
    events = state.hear(batch(0, 1, census=out))
    assert sum(e.kind is AlarmEventKind.FOLDED for e in events) == len(lamps)
    assert max(len(codec.encode(e)) for e in events) < 1 << 20


@pytest.mark.parametrize("hours", [1, 200])
def test_a_partition_that_is_not_heard_holds_decisions_back(hours: int, caplog: pytest.LogCaptureFixture) -> None:
    state = CorrelatorState(2)
    out = [count(feeder(1, f), 20 * f, T0) for f in range(2)]
    for minute in range(hours * 60):
        assert state.hear(batch(0, minute, census=out)) == []
    assert ("one partition of readings is not heard" in caplog.text) is (hours > 100)
    (event,) = [event for minute in range(hours * 60) for event in state.hear(batch(1, minute))]
    assert (event.scope.asset_id, event.at) == ("G1F0", T0)


def test_other_kinds_of_record_are_passed_over() -> None:
    stage = CorrelateStage(1, 1)
    state = stage.open(TopicPartition(CANDIDATES, 0), None)
    assert stage.step(state, [Record(CANDIDATES, 0, 0, codec.TICK, b"{}", T0)]).appends == []


def test_a_gateway_whose_uplink_stalls_is_no_outage_of_its_feeders() -> None:
    """Nothing was heard of it since; that some of its lamps report hourly, and are not missed yet, changes nothing."""
    often = [replace(count(feeder(1, f), 0, T0), missed=20, heard_at=T0) for f in range(3)]
    hourly = replace(count(feeder(1, 3), 20, 0), heard_at=T0 + 10 * MINUTE_US)
    state = CorrelatorState(1)
    assert state.hear(batch(0, 25, census=[*often, hourly])) == []
    lasting = [replace(c, missed=60) for c in often]
    assert state.hear(batch(0, 55, census=[*lasting, hourly])) == [], "a report that was due before a stall ended"
    (event,) = state.hear(batch(0, 71, census=[*lasting, hourly]))
    assert (event.fault, event.scope.asset_id) == (FaultClass.COMMUNICATION_FAILURE, "G1")


def test_feeders_that_are_silent_while_their_gateway_speaks_have_lost_their_supply() -> None:
    out = [replace(count(feeder(1, f), 0, T0), missed=20, heard_at=T0) for f in range(2)]
    beside = replace(count(feeder(1, 2), 20, 0), heard_at=T0 + 15 * MINUTE_US)
    events = CorrelatorState(1).hear(batch(0, 25, census=[*out, beside]))
    assert [(event.fault, event.scope.asset_id) for event in events] == [
        (FaultClass.SUPPLY_LOSS, "G1F0"),
        (FaultClass.SUPPLY_LOSS, "G1F1"),
    ]
