"""One alarm per cause: what stands above explains what hangs below, once, and lets go of it afterwards."""

from collections.abc import Sequence
from dataclasses import replace

from anomaly.correlate import CorrelatorState
from city.alarm import AlarmEvent, AlarmEventKind, CandidateKind, Census, Evidence, FaultClass, Scope, Suspicion
from city.asset import AssetKind
from city.clock import MINUTE_US
from tests.anomaly.test_correlate import T0, batch, count, feeder, lamp

K, F = AlarmEventKind, FaultClass
CABINET = Scope(AssetKind.CABINET, "C1", "C1", "north", "", "G1")
Told = list[tuple[AlarmEventKind, FaultClass, str]]


def said(scope: Scope, fault: FaultClass, minute: int, since: int | None = None) -> Suspicion:
    at = T0 + minute * MINUTE_US
    began = at if since is None else T0 + since * MINUTE_US
    return Suspicion(CandidateKind.SUSPECT, fault, scope, began, at, Evidence("a-rule"))


def over(suspicion: Suspicion, minute: int) -> Suspicion:
    at = T0 + minute * MINUTE_US
    return replace(suspicion, kind=CandidateKind.CLEAR, at=at, until=at)


def alive(number: int, minute: int) -> Census:
    return replace(count(feeder(1, number), 20, 0), heard_at=T0 + minute * MINUTE_US)


def dead(number: int, since: int, **fields: object) -> Census:
    at = T0 + since * MINUTE_US
    return replace(count(feeder(1, number), 0, at), heard_at=at, **fields)


def told(events: Sequence[AlarmEvent]) -> Told:
    return [(e.kind, e.fault, e.scope.asset_id) for e in events]


def test_what_is_said_of_a_feeder_goes_out_at_once_and_takes_its_lamps_along() -> None:
    state = CorrelatorState(1)
    cut = said(feeder(1, 0), F.CABLE_THEFT, 40, since=0)
    silent = [said(lamp(1, 0, n), F.COMMUNICATION_FAILURE, 120, since=15) for n in range(3)]
    assert told(state.hear(batch(0, 40, [cut]))) == [(K.RAISED, F.CABLE_THEFT, "G1F0")]
    folded = state.hear(batch(0, 120, silent))
    assert {(e.kind, e.parent_id) for e in folded} == {(K.FOLDED, folded[0].parent_id)}
    (cleared,) = state.hear(batch(0, 900, [over(cut, 900)]))
    assert (cleared.kind, cleared.alarm_id) == (K.CLEARED, folded[0].parent_id)
    back = state.hear(batch(0, 905, [over(s, 905) for s in silent[:2]]))
    assert back == state.hear(batch(0, 909)) == []
    back = state.hear(batch(0, 911))
    assert told(back) == [(K.CLEARED, F.COMMUNICATION_FAILURE, f"G1F0L{n}") for n in range(2)]
    late = state.hear(batch(0, 900 + 8 * 15 + 1, census=[alive(0, 1020)]))
    assert told(late) == [(K.RAISED, F.COMMUNICATION_FAILURE, "G1F0L2")], "it stays silent after the cut was mended"


def test_a_lamp_that_falls_silent_with_the_feeder_beside_its_own_hangs_on_that_one() -> None:
    state = CorrelatorState(1)
    state.hear(batch(0, 40, census=[dead(0, 0), alive(1, 39)]))
    stray, other = lamp(1, 1, 7), lamp(2, 1, 7)
    events = state.hear(batch(0, 125, [said(one, F.COMMUNICATION_FAILURE, 125, since=16) for one in (stray, other)]))
    assert told(events) == [(K.FOLDED, F.COMMUNICATION_FAILURE, "G1F1L7")], "but not below another cabinet"
    assert told(state.hear(batch(0, 141))) == [(K.RAISED, F.COMMUNICATION_FAILURE, "G2F1L7")]


def test_a_lamp_that_did_not_wake_the_night_before_was_silent_by_itself() -> None:
    def decided(heard: int) -> list[AlarmEventKind]:
        state = CorrelatorState(1)
        theft = said(feeder(1, 1), F.CABLE_THEFT, 1300)
        mute = said(lamp(1, 0, 0), F.COMMUNICATION_FAILURE, 1500, since=500)
        mute = replace(mute, evidence=Evidence("silent", last_heard_at=T0 + heard * MINUTE_US))
        state.hear(batch(0, 1300, [theft]))
        return [e.kind for e in state.hear(batch(0, 1500, [mute]))] + [e.kind for e in state.hear(batch(0, 1520))]

    assert decided(490) == [K.FOLDED], "it missed its last message before dawn"
    assert decided(-200) == [K.RAISED], "it slept, and did not wake"


def test_a_feeder_that_is_told_to_stay_off_silences_nobody() -> None:
    state = CorrelatorState(1)
    state.hear(batch(0, 0, [said(feeder(1, 0), F.SWITCHING_ERROR_OFF, 0)]))
    lamps = [said(lamp(1, 0, 1), F.LAMP_FAILURE, 5), said(lamp(1, 1, 2), F.COMMUNICATION_FAILURE, 5)]
    assert told(state.hear(batch(0, 5, lamps))) == [(K.FOLDED, F.LAMP_FAILURE, "G1F0L1")]
    assert told(state.hear(batch(0, 21))) == [(K.RAISED, F.COMMUNICATION_FAILURE, "G1F1L2")]


def test_silence_that_is_over_when_it_is_found_belongs_to_the_outage_before() -> None:
    state = CorrelatorState(1)
    (outage,) = state.hear(batch(0, 45, census=[dead(0, 0), alive(1, 44)]))
    silence = replace(said(lamp(1, 0, 3), F.COMMUNICATION_FAILURE, 590, since=15), until=T0 + 590 * MINUTE_US)
    folded, cleared = state.hear(batch(0, 590, [silence]))
    assert [(e.kind, e.parent_id) for e in (folded, cleared)] == [
        (kind, outage.alarm_id) for kind in (K.FOLDED, K.CLEARED)
    ]
    state.hear(batch(0, 600, census=[alive(0, 599), alive(1, 599)]))
    other = replace(silence, scope=lamp(1, 0, 4), at=T0 + 700 * MINUTE_US, until=T0 + 700 * MINUTE_US)
    assert [e.kind for e in state.hear(batch(0, 700, [other]))] == [K.FOLDED, K.CLEARED], "it came back later"
    alone = replace(other, scope=lamp(2, 0, 4))
    assert [(e.kind, e.cleared_at) for e in state.hear(batch(0, 701, [alone]))] == [(K.RAISED, alone.until)]


def test_a_lamp_missed_in_the_very_moment_in_which_its_outage_ends_has_time_to_speak() -> None:
    state = CorrelatorState(1)
    state.hear(batch(0, 45, census=[dead(0, 0), alive(1, 44)]))
    missed = said(lamp(1, 0, 3), F.COMMUNICATION_FAILURE, 600, since=15)
    events = state.hear(batch(0, 600, [missed], census=[alive(0, 599), alive(1, 599)]))
    assert told(events) == [(K.CLEARED, F.SUPPLY_LOSS, "G1F0")]
    assert state.hear(batch(0, 640, census=[alive(0, 639)])) == []
    assert told(state.hear(batch(0, 721, census=[alive(0, 720)]))) == [(K.RAISED, F.COMMUNICATION_FAILURE, "G1F0L3")]


def test_a_lamp_of_short_nights_that_stays_silent_after_its_outage_is_told_some_night() -> None:
    state = CorrelatorState(1)
    state.hear(batch(0, 45, census=[dead(0, 0), alive(1, 44)]))
    state.hear(batch(0, 120, [said(lamp(1, 0, 3), F.COMMUNICATION_FAILURE, 120, since=15)]))
    asleep = replace(alive(0, 0), expected=0, heard=0)
    told_at = []
    for minute in range(1430, 6 * 1440, 10):
        awake = minute % 1440 < 50 or minute == 1430
        if state.hear(batch(0, minute, census=[alive(0, minute - 1) if awake else asleep])):
            told_at.append(minute)
    assert told_at == [1430, 3 * 1440 + 10], "two hours awake, of fifty minutes a night"


def test_a_second_cabinet_of_a_gateway_is_lost_sooner_than_the_gateway() -> None:
    state = CorrelatorState(1)
    mute = {"tells_supply": False}
    far = replace(feeder(1, 5), root_id="C5")
    beside = replace(alive(5, 20), feeder=far, tells_supply=False)
    assert told(state.hear(batch(0, 45, census=[dead(0, 0, **mute), beside]))) == [(K.RAISED, F.SUPPLY_LOSS, "G1F0")]
    events = state.hear(batch(0, 120, census=[dead(0, 0, **mute), replace(dead(5, 20, **mute), feeder=far)]))
    assert told(events) == [(K.RAISED, F.SUPPLY_LOSS, "G1F5")]


def test_a_lamp_that_burnt_by_day_with_its_feeder_has_until_the_next_day_to_be_off() -> None:
    state = CorrelatorState(1)
    live = said(feeder(1, 0), F.SWITCHING_ERROR_ON, 0)
    burns = [said(lamp(1, 0, n), F.LAMP_UNEXPECTED_ON, 1, since=0) for n in range(2)]
    state.hear(batch(0, 1, [live, *burns]))
    assert told(state.hear(batch(0, 500, [over(live, 500)]))) == [(K.CLEARED, F.SWITCHING_ERROR_ON, "G1F0")]
    assert state.hear(batch(0, 1200, census=[alive(0, 1199)])) == []
    assert state.hear(batch(0, 1300, [over(burns[0], 1300)], census=[alive(0, 1299)])) == []
    assert told(state.hear(batch(0, 1306))) == [(K.CLEARED, F.LAMP_UNEXPECTED_ON, "G1F0L0")]
    assert told(state.hear(batch(0, 1941, census=[alive(0, 1940)]))) == [(K.RAISED, F.LAMP_UNEXPECTED_ON, "G1F0L1")]


def test_all_feeders_of_a_cabinet_that_fall_silent_together_are_one_outage() -> None:
    beside = replace(alive(9, 39), feeder=replace(feeder(1, 9), root_id="C9"))
    asleep = replace(alive(2, 0), expected=0, heard=0)
    events = CorrelatorState(1).hear(batch(0, 40, census=[dead(0, 0), dead(1, 2), asleep, beside]))
    assert told(events) == [(K.RAISED, F.SUPPLY_LOSS, "C1")]
    beside = replace(beside, heard_at=T0 + 399 * MINUTE_US)
    apart = CorrelatorState(1).hear(batch(0, 400, census=[dead(0, 0), dead(1, 300), beside]))
    assert told(apart) == [(K.RAISED, F.SUPPLY_LOSS, "G1F0"), (K.RAISED, F.SUPPLY_LOSS, "G1F1")]


def test_a_feeder_of_which_a_part_is_out_does_not_make_another_ones_outage_the_cabinets() -> None:
    beside = replace(alive(9, 39), feeder=replace(feeder(1, 9), root_id="C9"))
    part = replace(dead(1, 2, whole=False, part=True), heard=4)
    assert told(CorrelatorState(1).hear(batch(0, 40, census=[dead(0, 0), part, beside]))) == [
        (K.RAISED, F.SUPPLY_LOSS, "G1F0")
    ]


def test_a_feeder_that_falls_silent_with_its_cabinet_is_not_its_clocks_doing() -> None:
    beside = replace(alive(9, 39), feeder=replace(feeder(1, 9), root_id="C9"))
    events = CorrelatorState(1).hear(batch(0, 40, census=[dead(0, 0), dead(1, 2, whole=False), beside]))
    assert told(events) == [(K.RAISED, F.SUPPLY_LOSS, "C1")]


def test_a_feeder_out_by_day_becomes_its_cabinets_outage_when_the_others_do_not_wake() -> None:
    beside = replace(alive(9, 600), feeder=replace(feeder(1, 9), root_id="C9"))
    state = CorrelatorState(1)
    (first,) = state.hear(batch(0, 40, census=[dead(0, 0), replace(alive(1, 0), expected=0, heard=0), beside]))
    assert first.scope.asset_id == "G1F0"
    events = state.hear(batch(0, 600, census=[dead(0, 0), dead(1, 500, woke=False), beside]))
    assert told(events) == [(K.RAISED, F.SUPPLY_LOSS, "C1"), (K.FOLDED, F.SUPPLY_LOSS, "G1F0")]


def test_last_words_tell_an_outage_of_supply_from_one_of_the_gateway() -> None:
    beside = replace(alive(1, 0), expected=0, heard=0)

    def decided(**fields: object) -> Told:
        return told(CorrelatorState(1).hear(batch(0, 90, census=[dead(0, 0, **fields), beside])))

    assert decided(gasped=3) == [(K.RAISED, F.SUPPLY_LOSS, "G1F0")]
    assert decided() == [(K.RAISED, F.COMMUNICATION_FAILURE, "G1")], "one of them would have said so"
    assert decided(tells_supply=False) == [(K.RAISED, F.SUPPLY_LOSS, "G1F0")], "none of them could"


def test_the_broker_tells_an_outage_of_a_gateway_from_one_of_its_only_cabinet() -> None:
    def decided(minute: int = 90, beside: tuple[Census, ...] = (), **fields: object) -> Told:
        mine = [dead(0, 0, **fields), dead(1, 0, **fields), *(replace(one, **fields) for one in beside)]
        return told(CorrelatorState(1).hear(batch(0, minute, census=mine)))

    at = {"online_at": T0 + MINUTE_US}
    out, lost = [(K.RAISED, F.COMMUNICATION_FAILURE, "G1")], [(K.RAISED, F.SUPPLY_LOSS, "C1")]
    for mute in (True, False):
        assert decided(tells_supply=not mute, online=False, **at) == out, "it is not connected"
        assert decided(tells_supply=not mute, online=True) == lost, "it is, and hears nothing"
        assert decided(tells_supply=not mute) == out, "nobody tells"
    assert decided(55, online=True) == [], "an uplink may stall that long, and its connection stays"
    assert decided(online=True, online_at=T0 + 60 * MINUTE_US) == [], "it has just come back and sends what it kept"
    far = replace(dead(5, 0), feeder=replace(feeder(1, 5), root_id="C5"))
    assert decided(beside=(far,), online=True) == out, "two cabinets at once: its radio"
    few = replace(dead(1, 0, online=True), expected=2, unexplained=False)
    events = CorrelatorState(1).hear(batch(0, 90, census=[dead(0, 0, online=True), few]))
    assert told(events) == [(K.RAISED, F.SUPPLY_LOSS, "G1F0")], "too few of the other feeder are missed to tell"
    alone = dead(0, 0, tells_supply=False, online=False, **at)
    asleep = replace(alive(1, 0), expected=0, heard=0, online=False, **at)
    assert told(CorrelatorState(1).hear(batch(0, 90, census=[alone, asleep]))) == out, "one feeder awake"


def test_a_stall_beside_a_feeder_that_did_not_wake_is_no_outage_of_the_cabinet() -> None:
    state = CorrelatorState(1)
    asleep = dead(0, 500, woke=False, online=True)
    events = state.hear(batch(0, 550, census=[asleep, replace(dead(1, 536), online=True)]))
    assert told(events) == [(K.RAISED, F.SUPPLY_LOSS, "G1F0")], "it was missed while the other one was heard"
    events = state.hear(batch(0, 600, census=[asleep, replace(dead(1, 536), online=True)]))
    wider = [(K.RAISED, F.SUPPLY_LOSS, "C1"), (K.FOLDED, F.SUPPLY_LOSS, "G1F0")]
    assert told(events) == wider, "no stall lasts as long"


def test_lamps_wait_while_their_feeder_is_silent_and_nothing_above_them_is_told() -> None:
    state = CorrelatorState(1)
    mute = [said(lamp(1, 0, n), F.COMMUNICATION_FAILURE, 100, since=0) for n in range(2)]
    beside = alive(1, 120)
    doubtful = dead(0, 0, whole=False)
    assert state.hear(batch(0, 100, mute, census=[doubtful, beside])) == []
    assert state.hear(batch(0, 110, census=[doubtful, beside])) == []
    assert state.hear(batch(0, 120, census=[doubtful, beside])) == []
    events = state.hear(batch(0, 130, census=[dead(0, 0), replace(beside, heard_at=T0 + 129 * MINUTE_US)]))
    assert [e.kind for e in events] == [K.RAISED, K.FOLDED, K.FOLDED]
    alone = CorrelatorState(1)
    alone.hear(batch(0, 100, mute, census=[replace(dead(0, 0), expected=20, heard=18, unexplained=False), beside]))
    assert [e.kind for e in alone.hear(batch(0, 120, census=[beside]))] == [K.RAISED, K.RAISED]


def test_what_a_clock_may_silence_beside_a_lost_cabinet_is_not_a_connected_gateway() -> None:
    far = replace(dead(5, 80, whole=False), feeder=replace(feeder(1, 5), root_id="C5"))
    beside = [dead(0, 0), dead(1, 0)]
    assert (K.RAISED, F.COMMUNICATION_FAILURE, "G1") in told(
        CorrelatorState(1).hear(batch(0, 160, census=[*beside, far]))
    )
    events = CorrelatorState(1).hear(batch(0, 160, census=[replace(c, online=True) for c in (*beside, far)]))
    assert told(events) == [(K.RAISED, F.SUPPLY_LOSS, "C1")]


def test_a_gateway_that_speaks_though_it_is_said_to_be_gone_is_there() -> None:
    state = {"online": False, "online_at": T0}
    spoke = [dead(0, 30, **state), dead(1, 30, **state)]
    assert told(CorrelatorState(1).hear(batch(0, 120, census=spoke))) == [(K.RAISED, F.COMMUNICATION_FAILURE, "G1")]
    mute = {**state, "tells_supply": False}
    asleep = replace(alive(1, 0), expected=0, heard=0, **state)
    events = CorrelatorState(1).hear(batch(0, 120, census=[dead(0, 30, **mute), asleep]))
    assert told(events) == [(K.RAISED, F.SUPPLY_LOSS, "G1F0")], "as where nobody tells"


def test_nothing_is_said_of_a_whole_feeder_of_which_only_a_part_may_be_out() -> None:
    assert CorrelatorState(1).hear(batch(0, 40, census=[dead(0, 0, whole=False), alive(1, 39)])) == []


def test_the_first_of_several_trips_is_folded_into_what_they_turn_out_to_be() -> None:
    state = CorrelatorState(1)
    (outage,) = state.hear(batch(0, 45, census=[dead(0, 0), alive(1, 44)]))
    (cleared,) = state.hear(batch(0, 60, census=[alive(0, 59), alive(1, 59)]))
    assert cleared.alarm_id == outage.alarm_id
    events = state.hear(batch(0, 200, [said(feeder(1, 0), F.RCD_RECLOSING, 200, since=0)]))
    assert told(events) == [(K.RAISED, F.RCD_RECLOSING, "G1F0"), (K.FOLDED, F.SUPPLY_LOSS, "G1F0")]
    again = state.hear(batch(0, 300, census=[dead(0, 250), alive(1, 299)]))
    assert told(again) == [(K.FOLDED, F.SUPPLY_LOSS, "G1F0")]


def test_what_comes_back_is_the_same_alarm_and_counted() -> None:
    state = CorrelatorState(1)
    day = said(feeder(1, 0), F.SUPPLY_VOLTAGE_TOO_HIGH, 0)
    (raised,) = state.hear(batch(0, 1, [day]))
    state.hear(batch(0, 60, [over(day, 60)]))
    (again,) = state.hear(batch(0, 120, [said(feeder(1, 0), F.SUPPLY_VOLTAGE_TOO_HIGH, 119)]))
    assert (again.kind, again.alarm_id) == (K.RAISED, raised.alarm_id)
    assert again.evidence.detail["times"] == 2
    state.hear(batch(0, 130, [over(day, 130)]))
    later = 130 + 13 * 60
    (other,) = state.hear(batch(0, later, [said(feeder(1, 0), F.SUPPLY_VOLTAGE_TOO_HIGH, later)]))
    assert other.alarm_id != raised.alarm_id


def test_one_good_reading_between_bad_ones_ends_nothing() -> None:
    state = CorrelatorState(1)
    dark = said(lamp(1, 0, 0), F.LAMP_FAILURE, 0)
    state.hear(batch(0, 0, [dark]))
    assert told(state.hear(batch(0, 16))) == [(K.RAISED, F.LAMP_FAILURE, "G1F0L0")]
    assert state.hear(batch(0, 30, [over(dark, 30)])) == []
    assert state.hear(batch(0, 33, [said(lamp(1, 0, 0), F.LAMP_FAILURE, 33)])) == []
    assert state.hear(batch(0, 60)) == []
    state.hear(batch(0, 61, [over(dark, 61)]))
    assert told(state.hear(batch(0, 67))) == [(K.CLEARED, F.LAMP_FAILURE, "G1F0L0")]


def test_of_many_surprises_only_those_are_told_that_chance_does_not_bring() -> None:
    """Forty candidates of one group: p = 0.14 each is what forty tries bring; one of e^-12 is not."""
    state = CorrelatorState(1)
    weak = [replace(said(lamp(1, 0, n), F.OUT_OF_PATTERN, 0), surprise=2.0) for n in range(40)]
    strong = replace(said(lamp(1, 1, 0), F.OUT_OF_PATTERN, 0), surprise=12.0)
    state.hear(batch(0, 0, [*weak[:1], strong]))
    rule = said(lamp(1, 2, 0), F.LAMP_FAILURE, 1)
    state.hear(batch(0, 1, [*weak[1:], rule]))
    assert told(state.hear(batch(0, 17))) == [
        (K.RAISED, F.LAMP_FAILURE, "G1F2L0"),
        (K.RAISED, F.OUT_OF_PATTERN, "G1F1L0"),
    ]


def test_a_lamp_missed_after_its_outage_was_mended_has_time_to_speak() -> None:
    state = CorrelatorState(1)
    state.hear(batch(0, 45, census=[dead(0, 0), alive(1, 44)]))
    state.hear(batch(0, 600, census=[alive(0, 599), alive(1, 599)]))
    state.hear(batch(0, 610, [said(lamp(1, 0, 3), F.COMMUNICATION_FAILURE, 610, since=15)]))
    assert state.hear(batch(0, 640, census=[alive(0, 639)])) == []
    assert told(state.hear(batch(0, 731, census=[alive(0, 730)]))) == [(K.RAISED, F.COMMUNICATION_FAILURE, "G1F0L3")]


def test_lamps_that_sleep_are_not_missed_when_their_cabinets_outage_ends_by_day() -> None:
    state = CorrelatorState(1)
    beside = replace(alive(9, 39), feeder=replace(feeder(1, 9), root_id="C9"))
    state.hear(batch(0, 40, census=[dead(0, 0), dead(1, 0), beside]))
    state.hear(batch(0, 125, [said(lamp(1, 1, 3), F.COMMUNICATION_FAILURE, 125, since=15)]))
    asleep = replace(alive(1, 0), expected=0, heard=0)
    for minute in range(600, 1200, 60):
        events = state.hear(batch(0, minute, census=[alive(0, minute - 1), asleep, beside]))
        assert told(events) == ([(K.CLEARED, F.SUPPLY_LOSS, "C1")] if minute == 600 else [])
