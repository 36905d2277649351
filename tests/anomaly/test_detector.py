"""A night in a small town: each fault is found once, with its true time, and healthy lamps are left alone."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.detector import DetectStage
from anomaly.state import DetectorState
from city.alarm import AlarmEvent, AlarmEventKind, FaultClass
from city.clock import HOUR_US, MINUTE_US, isoformat
from city.topics import READINGS
from stream import codec
from stream.codec import Tick
from stream.log import Append, Record, TopicPartition
from tests.anomaly.world import INTERVAL, RATED_W, SCHEDULE, START, Town, alarms, correlate, detect, healthy

DUSK = SCHEDULE.next_on(START) or 0
EVENING = DUSK + 2 * HOUR_US
EVENING += (START - EVENING) % INTERVAL


def raised(events: list[AlarmEvent]) -> list[tuple[FaultClass, str]]:
    return [(e.fault, e.scope.asset_id) for e in events if e.kind is AlarmEventKind.RAISED]


def test_a_clock_that_was_set_back_is_told_once_until_time_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    stage = DetectStage(candidate_partitions=1)
    state = stage.open(TopicPartition(READINGS, 0), None)

    def tick(at: int) -> list[Append]:
        value = codec.encode(Tick(at, MINUTE_US))
        return stage.step(state, [Record(READINGS, 0, 0, codec.TICK, value, at)]).appends

    for minutes, taken in ((60, True), (59, False), (58, False), (50, False), (61, True), (62, True), (30, False)):
        assert bool(tick(START + minutes * MINUTE_US)) is taken
    told = [record for record in caplog.records if "set back" in record.getMessage()]
    assert [record.__dict__["clock"] for record in told] == [isoformat(START + at * MINUTE_US) for at in (58, 30)]


def test_a_healthy_night_raises_nothing() -> None:
    assert alarms(healthy, hours=24) == []


def test_a_dark_lamp_is_a_lamp_failure_since_its_first_dark_reading() -> None:
    def night(lamp: str, at: int, on: bool) -> float | None:
        return 0.2 if lamp == "C1F0L3" and at >= EVENING else healthy(lamp, at, on)

    (event,) = alarms(night)
    assert (event.fault, event.scope.asset_id, event.raised_at) == (FaultClass.LAMP_FAILURE, "C1F0L3", EVENING)
    assert (event.evidence.observed, event.evidence.expected) == (0.2, RATED_W)
    assert event.at <= EVENING + 2 * INTERVAL + 20 * MINUTE_US


def test_a_repaired_lamp_clears_its_alarm_at_the_first_lit_reading() -> None:
    repair = EVENING + 3 * HOUR_US

    def night(lamp: str, at: int, on: bool) -> float | None:
        return 0.2 if lamp == "C1F0L3" and EVENING <= at < repair else healthy(lamp, at, on)

    first, last = alarms(night)
    assert (first.kind, last.kind) == (AlarmEventKind.RAISED, AlarmEventKind.CLEARED)
    assert (last.alarm_id, last.cleared_at) == (first.alarm_id, repair)


def test_a_lamp_that_burns_by_day_is_unexpectedly_on() -> None:
    def day(lamp: str, at: int, on: bool) -> float | None:
        return RATED_W if lamp == "C0F0L0" else healthy(lamp, at, on)

    assert raised(alarms(day, hours=3)) == [(FaultClass.LAMP_UNEXPECTED_ON, "C0F0L0")]


def test_a_silent_device_is_a_communication_failure_since_its_first_missing_reading() -> None:
    def night(lamp: str, at: int, on: bool) -> float | None:
        return None if lamp == "C0F1L2" and at >= EVENING else healthy(lamp, at, on)

    (event,) = alarms(night, hours=10)
    assert (event.fault, event.scope.asset_id) == (FaultClass.COMMUNICATION_FAILURE, "C0F1L2")
    assert abs(event.raised_at - EVENING) <= 2 * MINUTE_US


def test_who_loses_messages_in_bursts_is_waited_for_longer_and_told_all_the_same() -> None:
    chance, gone, learnt_at = random.Random(8), START + 72 * HOUR_US, START + 48 * HOUR_US
    until: dict[str, int] = {}

    def nights(lamp: str, at: int, on: bool) -> float | None:
        if chance.random() < 0.03:
            lost = 1
            while chance.random() < 0.6:
                lost += 1
            until[lamp] = at + lost * INTERVAL
        dead = lamp == "C0F0L2" and at >= gone
        return None if dead or at < until.get(lamp, 0) else healthy(lamp, at, on)

    events = [e for e in alarms(nights, hours=96) if e.kind is AlarmEventKind.RAISED]
    # The profile has four intervals: in eight of a hundred bursts that is not enough.
    assert {e.fault for e in events} == {FaultClass.COMMUNICATION_FAILURE}
    assert [e.scope.asset_id for e in events if e.at >= learnt_at] == ["C0F0L2"]
    assert len(events) < 20


@pytest.mark.parametrize("feeder", ["C1F0", "C1F1"])
def test_a_dead_feeder_is_one_supply_loss_with_its_lamps_folded(feeder: str) -> None:
    def night(lamp: str, at: int, on: bool) -> float | None:
        return None if lamp.startswith(feeder) and at >= EVENING else healthy(lamp, at, on)

    events = alarms(night, hours=12)
    assert raised(events) == [(FaultClass.SUPPLY_LOSS, feeder)]
    folded = {e.scope.asset_id for e in events if e.kind is AlarmEventKind.FOLDED}
    assert folded == {f"{feeder}L{n}" for n in range(8)}
    parent = next(e for e in events if e.kind is AlarmEventKind.RAISED)
    assert {e.parent_id for e in events if e.kind is AlarmEventKind.FOLDED} == {parent.alarm_id}


def test_a_child_that_stays_silent_after_its_feeder_returns_comes_back() -> None:
    back = EVENING + 3 * HOUR_US

    def night(lamp: str, at: int, on: bool) -> float | None:
        dead = lamp.startswith("C1F0") and at >= EVENING and (at < back or lamp == "C1F0L5")
        return None if dead else healthy(lamp, at, on)

    events = alarms(night)
    assert raised(events) == [
        (FaultClass.SUPPLY_LOSS, "C1F0"),
        (FaultClass.COMMUNICATION_FAILURE, "C1F0L5"),
    ]


def test_a_silent_gateway_is_one_alarm_not_one_for_each_feeder() -> None:
    def night(lamp: str, at: int, on: bool) -> float | None:
        return None if lamp.startswith("C1") and at >= EVENING else healthy(lamp, at, on)

    assert raised(alarms(night, hours=12)) == [(FaultClass.COMMUNICATION_FAILURE, "G1")]


def test_our_own_outage_reports_no_silent_city() -> None:
    town = Town(healthy, hours=14)
    events = []
    for partition, records in town.records.items():
        heard = [r for r in records if not EVENING <= r.at_us < EVENING + 5 * HOUR_US]
        assert len(heard) < len(records)
        events.extend(detect(heard)[1])
        assert partition in town.records
    assert correlate(events)[1] == []


@pytest.mark.parametrize("away", [3, 20, 90])
def test_gateways_that_come_back_later_than_we_do_are_no_silent_city(away: int) -> None:
    """After a restart of everything the ticks come first, then one line after the other."""
    gone = EVENING - MINUTE_US  # The lamps are about to report.
    back = gone + away * MINUTE_US
    connected = back + 10 * MINUTE_US

    def night(lamp: str, at: int, on: bool) -> float | None:
        return None if lamp.startswith("C1F0") and gone <= at < connected + INTERVAL else healthy(lamp, at, on)

    town = Town(night, hours=14)
    events = []
    for records in town.records.values():
        heard = [r for r in records if not gone <= r.at_us < (back if is_tick(r) else connected)]
        events.extend(detect(heard)[1])
    assert correlate(events)[1] == []


def test_a_feeder_that_fails_while_we_are_away_is_found() -> None:
    def night(lamp: str, at: int, on: bool) -> float | None:
        return None if lamp.startswith("C1F0") and at >= EVENING else healthy(lamp, at, on)

    town = Town(night, hours=12)
    events = []
    for records in town.records.values():
        heard = [r for r in records if not EVENING - 5 * MINUTE_US <= r.at_us < EVENING + 20 * MINUTE_US]
        events.extend(detect(heard)[1])
    found = [codec.decode(AlarmEvent, value) for value in correlate(events)[1]]
    assert raised(found) == [(FaultClass.SUPPLY_LOSS, "C1F0")]


def is_tick(record: Record) -> bool:
    return record.kind == codec.TICK


def behave_badly(seed: int) -> Town:
    """A night with faults drawn from a seed."""
    chance = random.Random(seed)
    lamps = [f"C{c}F{f}L{n}" for c in range(2) for f in range(2) for n in range(8)]
    kinds = {lamp: chance.choice(["dark", "silent", "burning"]) for lamp in chance.sample(lamps, 4)}
    onset = {lamp: START + chance.randrange(12) * HOUR_US for lamp in lamps}
    feeder = chance.choice(["C0F0", "C0F1", "C1F0", "C1F1"])
    out_from = EVENING + chance.randrange(4) * HOUR_US
    out_until = out_from + chance.randrange(1, 6) * HOUR_US

    def night(lamp: str, at: int, on: bool) -> float | None:
        if lamp.startswith(feeder) and out_from <= at < out_until:
            return None
        if lamp in kinds and at >= onset[lamp]:
            return {"dark": 0.0, "silent": None, "burning": RATED_W}[kinds[lamp]]
        return healthy(lamp, at, on)

    return Town(night, hours=16)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 400), st.floats(0, 1))
def test_replay_from_any_checkpoint_gives_the_same_alarms_byte_for_byte(seed: int, chunk: int, share: float) -> None:
    town = behave_badly(seed)
    candidates = {p: detect(records)[1] for p, records in town.records.items()}
    whole = correlate([a for appends in candidates.values() for a in appends])[1]
    assert whole

    again = []
    for records in town.records.values():
        cut = int(len(records) * share)
        before_state, before = detect(records[:cut], chunk=chunk) if cut else (None, [])
        restored = None if before_state is None else DetectorState.restore(before_state.snapshot())
        _, after = detect(records[cut:], restored, chunk) if cut < len(records) else (None, [])
        again.append([*before, *after])
    assert [[a.value for a in appends] for appends in again] == [[a.value for a in c] for c in candidates.values()]

    interleaved = [a for appends in again for a in appends]
    random.Random(seed).shuffle(interleaved)
    interleaved.sort(key=lambda a: a.at_us // HOUR_US)  # partitions race within an hour, records keep their order below
    ordered = keep_partition_order(interleaved, again)
    cut = int(len(ordered) * share)
    state, early = correlate(ordered[:cut])
    stage_state = state.restore(state.snapshot())
    _, late = correlate(ordered[max(0, cut - 30) :], stage_state)  # 30 records come again after the crash
    assert [*early, *late] == whole


def keep_partition_order(interleaved: list, partitions: list[list]) -> list:
    """Replace the k-th record of each partition in a shuffled list by the k-th in order."""
    queues = [iter(p) for p in partitions]
    owner = {id(a): number for number, p in enumerate(partitions) for a in p}
    return [next(queues[owner[id(a)]]) for a in interleaved]


def test_a_snapshot_restores_to_the_same_bytes() -> None:
    state, _ = detect(behave_badly(7).records[0][:300])
    again = DetectStage(1).open(TopicPartition(READINGS, 0), state.snapshot())
    assert again.snapshot() == state.snapshot()
