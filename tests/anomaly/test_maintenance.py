"""Maintenance windows: nobody is sent out for works, what stays wrong is told after them, and they teach nothing."""

from dataclasses import replace

import numpy as np
import pytest

from anomaly import life
from anomaly.correlate import CorrelatorSnapshot, CorrelatorState
from anomaly.detector import DetectStage
from anomaly.lamps.layout import LEARNT
from anomaly.state import DetectorState
from city.alarm import AlarmEvent, AlarmEventKind, CandidateBatch, FaultClass
from city.clock import HOUR_US, MINUTE_US
from city.maintenance import MaintenanceWindow
from city.registry import RootDefinition
from city.topics import READINGS
from stream import codec
from stream.log import Append, TopicPartition
from tests.anomaly.test_causes import alive, dead, over, said, told
from tests.anomaly.test_correlate import T0, batch, feeder, lamp
from tests.anomaly.test_detector import EVENING
from tests.anomaly.world import INTERVAL, Behaviour, Town, alarms, correlate, detect, healthy

K, F = AlarmEventKind, FaultClass
BEGIN, END = EVENING, EVENING + 3 * HOUR_US
AT_CABINET = MaintenanceWindow(7, ("C0",), BEGIN, END)


def window(*assets: str, until: int = 240, number: int = 7) -> MaintenanceWindow:
    return MaintenanceWindow(number, assets, T0, T0 + until * MINUTE_US)


def hear(state: CorrelatorState, minute: int, *windows: MaintenanceWindow, **said: list[object]) -> list[AlarmEvent]:
    return state.hear(replace(batch(0, minute, **said), windows=windows))  # type: ignore[arg-type]


def kinds(events: list[AlarmEvent], scope: str) -> list[AlarmEventKind]:
    return [e.kind for e in events if e.scope.asset_id == scope]


# ------------------------------------------------------------ correlation


@pytest.mark.parametrize("works", ["G1F0L0", "G1F0", "C1", "G1"])
def test_what_comes_during_works_is_held_wherever_they_are_above_it(works: str) -> None:
    state, wrong = CorrelatorState(1), said(lamp(1, 0, 0), F.LAMP_FAILURE, 1)
    other = said(lamp(2, 0, 0), F.LAMP_FAILURE, 1)
    assert hear(state, 1, window(works), suspicions=[wrong, other]) == []
    events = hear(state, 17, window(works))
    assert told(events) == [(K.HELD, F.LAMP_FAILURE, "G1F0L0"), (K.RAISED, F.LAMP_FAILURE, "G2F0L0")]
    assert events[0].held_by == 7


def test_what_stays_wrong_after_works_is_told_and_what_came_to_rest_is_not() -> None:
    state = CorrelatorState(1)
    both = [said(lamp(1, 0, n), F.LAMP_FAILURE, 1) for n in range(2)]
    hear(state, 1, window("C1"), suspicions=both)
    assert kinds(hear(state, 17, window("C1")), "G1F0L0") == [K.HELD]
    assert hear(state, 241, window("C1"), census=[alive(0, 240)]) == []
    hear(state, 250, window("C1"), suspicions=[over(both[0], 250)], census=[alive(0, 249)])
    rest = [e for minute in range(251, 300) for e in hear(state, minute, window("C1"), census=[alive(0, minute)])]
    assert told(rest) == [(K.CLEARED, F.LAMP_FAILURE, "G1F0L0"), (K.RAISED, F.LAMP_FAILURE, "G1F0L1")]
    assert rest[1].at >= T0 + 240 * MINUTE_US + life.RETURN_WAIT_US
    assert rest[1].alarm_id != rest[0].alarm_id


def test_a_window_that_is_withdrawn_has_never_been() -> None:
    state, wrong = CorrelatorState(1), said(lamp(1, 0, 0), F.LAMP_FAILURE, 1)
    hear(state, 1, window("C1"), suspicions=[wrong])
    assert kinds(hear(state, 17, window("C1")), "G1F0L0") == [K.HELD]
    assert kinds(hear(state, 30), "G1F0L0") == [K.RAISED]
    assert kinds(hear(state, 31, window("C1")), "G1F0L0") == [], "what was told stays told"


def test_an_end_before_its_time_counts_from_then() -> None:
    state, wrong = CorrelatorState(1), said(lamp(1, 0, 0), F.LAMP_FAILURE, 1)
    hear(state, 1, window("C1"), suspicions=[wrong])
    hear(state, 17, window("C1"))
    early = window("C1", until=30)
    after = [e for m in range(30, 80) for e in hear(state, m, early, census=[alive(0, m)])]
    assert told(after) == [(K.RAISED, F.LAMP_FAILURE, "G1F0L0")]
    assert after[0].at == T0 + 30 * MINUTE_US + life.RETURN_WAIT_US


def test_works_that_follow_one_another_hold_on() -> None:
    state, wrong = CorrelatorState(1), said(lamp(1, 0, 0), F.LAMP_FAILURE, 1)
    first, second = window("C1", until=30), replace(window("G1F0", until=500), window_id=8)
    hear(state, 1, first, suspicions=[wrong])
    events = [e for m in range(17, 400) for e in hear(state, m, first, second, census=[alive(0, m)])]
    assert kinds(events, "G1F0L0") == [K.HELD]


def test_an_alarm_that_was_raised_before_the_works_stays_what_it_is() -> None:
    state, wrong = CorrelatorState(1), said(lamp(1, 0, 0), F.LAMP_FAILURE, 1)
    hear(state, 1, suspicions=[wrong])
    assert kinds(hear(state, 17), "G1F0L0") == [K.RAISED]
    ends = [e for m in range(20, 300) for e in hear(state, m, window("C1"), census=[alive(0, m)])]
    assert ends == []
    hear(state, 300, suspicions=[over(wrong, 300)])
    assert kinds(hear(state, 306), "G1F0L0") == [K.CLEARED]


def test_an_outage_during_works_is_held_with_its_lamps_and_ends_with_them() -> None:
    beside = replace(alive(9, 39), feeder=replace(feeder(1, 9), root_id="C9"))
    state = CorrelatorState(1)
    assert told(hear(state, 40, window("C1"), census=[dead(0, 0), beside])) == [(K.HELD, F.SUPPLY_LOSS, "G1F0")]
    silent = said(lamp(1, 0, 0), F.COMMUNICATION_FAILURE, 50, since=5)
    assert told(hear(state, 50, window("C1"), suspicions=[silent])) == [(K.FOLDED, F.COMMUNICATION_FAILURE, "G1F0L0")]
    asleep = replace(dead(0, 0), expected=0, heard=0)
    day = [e for m in range(241, 700) for e in hear(state, m, window("C1"), census=[asleep, beside])]
    assert day == [], "by day nobody can tell whether the feeder has its supply again"
    assert told(hear(state, 701, window("C1"), census=[dead(0, 0), beside])) == [(K.RAISED, F.SUPPLY_LOSS, "G1F0")]
    assert told(hear(state, 702, window("C1"), census=[alive(0, 701), beside]))[0] == (
        K.CLEARED,
        F.SUPPLY_LOSS,
        "G1F0",
    )


def test_an_outage_that_came_to_rest_with_the_works_was_never_raised() -> None:
    beside = replace(alive(9, 39), feeder=replace(feeder(1, 9), root_id="C9"))
    state = CorrelatorState(1)
    hear(state, 40, window("C1"), census=[dead(0, 0), beside])
    assert hear(state, 241, window("C1"), census=[dead(0, 0), beside]) == [], "its lamps have yet to boot"
    assert told(hear(state, 260, window("C1"), census=[alive(0, 259), beside])) == [(K.CLEARED, F.SUPPLY_LOSS, "G1F0")]


def test_what_works_have_made_silent_takes_no_gateway_with_it() -> None:
    def state_after(*windows: MaintenanceWindow) -> list[AlarmEvent]:
        # Of the gateway's two cabinets one is worked at; the other sleeps.
        asleep = replace(alive(9, 0), feeder=replace(feeder(1, 9), root_id="C9"), expected=0, heard=0, heard_at=0)
        silent = [replace(dead(n, 0), tells_supply=True) for n in range(2)]
        return hear(CorrelatorState(1), 70, *windows, census=[*silent, asleep])

    assert told(state_after()) == [(K.RAISED, F.COMMUNICATION_FAILURE, "G1")]
    assert [e.kind for e in state_after(window("C1")) if e.scope.asset_id == "G1"] == []


def test_a_snapshot_in_the_middle_of_works_knows_of_them() -> None:
    state, wrong = CorrelatorState(1), said(lamp(1, 0, 0), F.LAMP_FAILURE, 1)
    hear(state, 1, window("C1"), suspicions=[wrong])
    hear(state, 17, window("C1"))
    saved = codec.encode(state.snapshot())
    again = CorrelatorState.restore(codec.decode(CorrelatorSnapshot, saved))
    assert again.windows == state.windows == {0: (window("C1"),)}
    assert codec.encode(again.snapshot()) == saved


# ------------------------------------------------------------ the whole way


def works_at_night(lamp: str, at: int, on: bool) -> float | None:
    """The cabinet is off for works; one lamp has not survived them."""
    if lamp.startswith("C0") and BEGIN + 5 * MINUTE_US <= at < END - 5 * MINUTE_US:
        return None
    if lamp == "C0F0L3" and at >= END - 5 * MINUTE_US:
        return 0.2
    return healthy(lamp, at, on)


def test_a_cabinet_that_is_worked_at_makes_no_ticket_and_the_lamp_that_stays_dark_one() -> None:
    without = [e for e in alarms(works_at_night, 18) if e.kind is K.RAISED]
    assert {e.scope.asset_id for e in without} > {"C0F0L3"}, "without a window crews are sent to the works"
    events = alarms(works_at_night, 18, (AT_CABINET,))
    assert [(e.fault, e.scope.asset_id) for e in events if e.kind is K.RAISED] == [(F.LAMP_FAILURE, "C0F0L3")]
    assert {e.held_by for e in events if e.kind is K.HELD} == {7}


def test_batches_tell_of_works_only_where_they_are() -> None:
    town = Town(works_at_night, 18, (AT_CABINET,))
    told_of = [
        {codec.decode(CandidateBatch, a.value).windows for a in detect(records)[1]} for records in town.records.values()
    ]
    assert told_of == [{(), (AT_CABINET,)}, {()}]


# ------------------------------------------------------------ what is learnt


def bright(lamp: str, at: int, on: bool) -> float | None:
    """A crew tries another setting: within what is learnt, and not told."""
    noise = 0.2 * ((at // INTERVAL) % 3 - 1)
    watts = 40.0 if not BEGIN <= at < END else 37.0
    return watts + noise if on else 0.3


def learnt_after(behaviour: Behaviour, *windows: MaintenanceWindow) -> dict[str, np.ndarray]:
    records = Town(behaviour, 24, windows).records[0]
    state, _ = detect([r for r in records if r.at_us < END + HOUR_US])
    return {name: state.lamps[name].copy() for name in LEARNT}


def test_works_teach_nothing() -> None:
    def quiet(lamp: str, at: int, on: bool) -> float | None:
        return None if BEGIN <= at < END + 30 * MINUTE_US else bright(lamp, at, on)

    late = replace(AT_CABINET, starts_at=END + 10 * HOUR_US, ends_at=END + 11 * HOUR_US)
    poisoned, kept = learnt_after(bright, late), learnt_after(bright, AT_CABINET)
    before = learnt_after(quiet, AT_CABINET)
    assert not np.array_equal(poisoned["cell"], before["cell"])
    np.testing.assert_allclose(kept["cell"], before["cell"], rtol=2e-3)
    assert np.abs(kept["cell"] - before["cell"]).max() < np.abs(poisoned["cell"] - before["cell"]).max() / 20


def whole(town: Town, chunk: int, cut: int | None = None) -> tuple[list[Append], bytes]:
    state: DetectorState | None = None
    appends: list[Append] = []
    records = town.records[0]
    for part in [records] if cut is None else [records[:cut], records[cut:]]:
        if state is not None:
            state = DetectStage(1).open(TopicPartition(READINGS, 0), state.snapshot())
        state, said_now = detect(part, state, chunk)
        appends += said_now
    assert state is not None
    return appends, state.snapshot()


@pytest.mark.parametrize("cut", [BEGIN + HOUR_US, END + 10 * MINUTE_US, END + 2 * HOUR_US])
def test_a_replay_from_the_middle_of_works_gives_the_same_bytes(cut: int) -> None:
    town = Town(works_at_night, 18, (AT_CABINET,))
    number = next(i for i, r in enumerate(town.records[0]) if r.at_us >= cut)
    straight, again = whole(town, 50), whole(town, 7, number)
    assert [a.value for a in straight[0]] == [a.value for a in again[0]]
    assert straight[1] == again[1]
    assert (
        correlate([*straight[0], *detect(town.records[1])[1]])[1]
        == correlate([*detect(town.records[1])[1], *again[0]])[1]
    )


def test_a_cabinet_that_is_laid_out_anew_during_works_forgets_no_copy() -> None:
    town = Town(bright, 24, (AT_CABINET,))
    records = [r for r in town.records[0] if r.at_us < END + HOUR_US]
    first = codec.decode(RootDefinition, records[0].value)
    number = next(i for i, r in enumerate(records) if r.at_us >= BEGIN + HOUR_US)
    changed = replace(records[number], kind=codec.REGISTRY, value=codec.encode(replace(first, pack_version="v2")))
    state, _ = detect([*records[:number], changed, *records[number:]])
    straight, _ = detect(records)
    assert np.array_equal(state.lamps["cell"], straight.lamps["cell"])
    assert not state.unlearning.kept
