import pytest

from city.alarm import FaultClass, Scope
from city.asset import AssetKind
from city.clock import DAY_US, HOUR_US, MINUTE_US
from city.errors import ConflictError, NotFoundError
from city.ticket import Actor, TicketEventKind, TicketState
from incidents.case import Case, CaseTicket
from incidents.desk import Move, as_loaded, take_move, take_report, verify
from tests.incidents.world import (
    BY_DAY,
    CLEARED,
    FAILURE,
    FEEDER,
    FOLDED,
    GATEWAY,
    NOW,
    OPTIONS,
    RAISED,
    SILENT,
    SUPPLY,
    after,
    event,
    lamp,
    reported,
)

S, K = TicketState, TicketEventKind


def only(case: Case) -> CaseTicket:
    (ticket,) = case.tickets.values()
    return ticket


def of(case: Case, scope_id: str) -> CaseTicket:
    (ticket,) = [t for t in case.tickets.values() if t.scope_id == scope_id]
    return ticket


def moved(
    case: Case, target: TicketState, *, at: int = NOW, actor: Actor = Actor.CREW, verify_after: int | None = None
) -> None:
    ticket = only(case)
    take_move(case, Move(ticket.ticket_id, target, ticket.version, actor, at, "", verify_after))


def kinds(case: Case) -> list[TicketEventKind]:
    return [e.kind for e in case.changes.events]


def test_lamp_failure_silence_and_a_report_of_one_lamp_are_one_ticket() -> None:
    case = after(event(RAISED, FAILURE, lamp(1)), event(RAISED, SILENT, lamp(1)), reported(lamp(1)))
    ticket = only(case)
    assert (ticket.incident_key, ticket.severity, len(ticket.alarms)) == ("dark", "medium", 2)
    assert kinds(case) == [K.OPENED, K.ALARM_JOINED, K.REPORT_JOINED]


def test_a_lamp_that_burns_by_day_is_another_incident_than_a_dark_one() -> None:
    case = after(event(RAISED, FAILURE, lamp(1)), event(RAISED, BY_DAY, lamp(1)), reported(lamp(1), "lamp-by-day"))
    assert sorted(t.incident_key for t in case.tickets.values()) == ["dark", "day-burner"]


def test_an_alarm_that_was_over_when_it_was_told_opens_no_ticket() -> None:
    case = after(event(RAISED, FAILURE, lamp(1), cleared_at=NOW - MINUTE_US))
    assert not case.tickets
    assert len(case.alarms) == 1


def test_a_repeated_event_changes_nothing() -> None:
    raised = event(RAISED, FAILURE, lamp(1))
    cleared = event(CLEARED, FAILURE, lamp(1), NOW + HOUR_US, cleared_at=NOW + HOUR_US)
    once, twice = after(raised, cleared), after(raised, raised, cleared, cleared, raised)
    assert once.tickets == twice.tickets or only(once).state == only(twice).state
    assert kinds(once) == kinds(twice)


def test_children_fold_into_the_ticket_of_the_outage_and_their_own_is_merged() -> None:
    outage = event(RAISED, SUPPLY, FEEDER, children=("L-1", "L-2"))
    case = after(
        event(RAISED, FAILURE, lamp(1)),
        outage,
        event(FOLDED, FAILURE, lamp(1), NOW + MINUTE_US, parent=outage),
        event(FOLDED, SILENT, lamp(2), NOW + MINUTE_US, parent=outage),
    )
    feeder, child = of(case, "C-1.F1"), of(case, "L-1")
    assert (child.state, child.merged_into, feeder.state) == (S.MERGED, feeder.ticket_id, S.NEW)
    assert len(feeder.alarms) == 3
    assert len(case.tickets) == 2


def test_children_may_be_folded_before_their_parent_is_heard_of() -> None:
    outage = event(RAISED, SUPPLY, FEEDER)
    case = after(
        event(RAISED, FAILURE, lamp(1)),
        event(FOLDED, FAILURE, lamp(1), NOW + MINUTE_US, parent=outage),
        event(FOLDED, SILENT, lamp(2), NOW + MINUTE_US, parent=outage),
        outage,
    )
    assert of(case, "L-1").merged_into == of(case, "C-1.F1").ticket_id
    assert len(of(case, "C-1.F1").alarms) == 3


def test_a_ticket_that_a_crew_works_on_is_not_merged() -> None:
    outage = event(RAISED, SUPPLY, FEEDER)
    case = after(event(RAISED, FAILURE, lamp(1)))
    moved(case, S.IN_PROGRESS)
    after(outage, event(FOLDED, FAILURE, lamp(1), NOW + MINUTE_US, parent=outage), case=case)
    assert of(case, "L-1").state is S.IN_PROGRESS


def test_a_ticket_older_than_the_outage_stays_and_keeps_its_own_cause() -> None:
    outage = event(RAISED, SUPPLY, FEEDER, raised_at=NOW + DAY_US, children=("L-1",))
    silent = event(FOLDED, SILENT, lamp(1), NOW + DAY_US + HOUR_US, raised_at=NOW + DAY_US, parent=outage)
    case = after(event(RAISED, FAILURE, lamp(1)), reported(lamp(2)))
    after(outage, silent, case=case, now=NOW + DAY_US + HOUR_US)
    assert {t.scope_id for t in case.open_tickets()} == {"L-1", "L-2", "C-1.F1"}


def test_a_report_of_a_dark_lamp_joins_the_outage_of_its_feeder() -> None:
    case = after(event(RAISED, SUPPLY, FEEDER), reported(lamp(7)))
    assert kinds(case) == [K.OPENED, K.REPORT_JOINED]
    assert only(case).scope_id == "C-1.F1"


def test_reports_from_before_the_outage_was_seen_move_into_its_ticket() -> None:
    case = after(reported(lamp(1)), event(RAISED, SUPPLY, FEEDER, children=("L-1",)))
    assert of(case, "L-1").state is S.MERGED
    assert case.changes.reports_moved == [(of(case, "L-1").ticket_id, of(case, "C-1.F1").ticket_id)]


def test_a_silent_gateway_explains_silent_lamps_and_no_dark_one() -> None:
    case = after(event(RAISED, SILENT, GATEWAY), event(RAISED, SILENT, lamp(1)), event(RAISED, FAILURE, lamp(2)))
    assert {t.scope_id for t in case.open_tickets()} == {"G-1", "L-2"}


def test_recovery_proposes_closing_and_never_closes() -> None:
    case = after(event(RAISED, FAILURE, lamp(1)), event(CLEARED, FAILURE, lamp(1), NOW + HOUR_US))
    assert only(case).state is S.RECOVERED
    assert only(case).closed_at is None


def test_recovery_waits_for_the_last_alarm() -> None:
    case = after(
        event(RAISED, FAILURE, lamp(1)), event(RAISED, SILENT, lamp(1)), event(CLEARED, SILENT, lamp(1), NOW + HOUR_US)
    )
    assert only(case).state is S.NEW
    after(event(CLEARED, FAILURE, lamp(1), NOW + HOUR_US), case=case)
    assert only(case).state is S.RECOVERED


def test_recovery_of_an_outage_does_not_wait_for_folded_children() -> None:
    outage = event(RAISED, SUPPLY, FEEDER)
    case = after(
        outage,
        event(FOLDED, SILENT, lamp(1), NOW + MINUTE_US, parent=outage),
        event(CLEARED, SUPPLY, FEEDER, NOW + HOUR_US),
    )
    assert only(case).state is S.RECOVERED


def test_a_child_that_stays_dark_after_the_outage_gets_its_own_ticket() -> None:
    outage = event(RAISED, SUPPLY, FEEDER)
    case = after(
        outage,
        event(FOLDED, FAILURE, lamp(1), NOW + MINUTE_US, parent=outage),
        event(CLEARED, SUPPLY, FEEDER, NOW + HOUR_US),
        event(RAISED, FAILURE, lamp(1), NOW + 2 * HOUR_US),
    )
    assert of(case, "C-1.F1").state is S.RECOVERED
    assert of(case, "L-1").state is S.NEW
    assert kinds(case)[-2:] == [K.SPLIT_OFF, K.SPLIT_OFF]


def test_an_alarm_that_comes_back_makes_the_recovered_ticket_new_again() -> None:
    case = after(
        event(RAISED, FAILURE, lamp(1)),
        event(CLEARED, FAILURE, lamp(1), NOW + HOUR_US),
        event(RAISED, FAILURE, lamp(1), NOW + 3 * HOUR_US, raised_at=NOW + 2 * HOUR_US),
    )
    assert only(case).state is S.NEW


def test_what_a_citizen_says_is_still_dark_stays_open_whatever_sensors_say() -> None:
    case = after(
        event(RAISED, FAILURE, lamp(1)),
        event(CLEARED, FAILURE, lamp(1), NOW + HOUR_US),
        reported(lamp(1), at=NOW + 2 * HOUR_US),
    )
    assert (only(case).state, only(case).still_dark) == (S.NEW, True)
    after(
        event(RAISED, FAILURE, lamp(1), NOW + 4 * HOUR_US),
        event(CLEARED, FAILURE, lamp(1), NOW + 5 * HOUR_US),
        case=case,
        now=NOW + 5 * HOUR_US,
    )
    assert only(case).state is S.NEW


def test_still_dark_reopens_the_same_ticket_after_closing() -> None:
    case = after(event(RAISED, FAILURE, lamp(1)), event(CLEARED, FAILURE, lamp(1), NOW + HOUR_US))
    moved(case, S.CLOSED)
    take_report(case, reported(lamp(1), at=NOW + DAY_US), OPTIONS)
    assert (only(case).state, only(case).still_dark, only(case).closed_at) == (S.NEW, True, None)


def test_a_report_long_after_closing_opens_a_new_ticket() -> None:
    case = after(event(RAISED, FAILURE, lamp(1)), event(CLEARED, FAILURE, lamp(1), NOW + HOUR_US))
    moved(case, S.CLOSED)
    take_report(case, reported(lamp(1), at=NOW + 30 * DAY_US), OPTIONS)
    assert [t.state for t in case.tickets.values()] == [S.CLOSED, S.NEW]


def test_the_sensors_verify_a_repair() -> None:
    case = after(event(RAISED, FAILURE, lamp(1)))
    moved(case, S.RESOLVED, verify_after=NOW + 8 * HOUR_US)
    after(event(CLEARED, FAILURE, lamp(1), NOW + 9 * HOUR_US), case=case)
    assert only(case).state is S.CLOSED
    assert case.changes.events[-1].actor is Actor.SENSOR


def test_a_lamp_heard_again_by_day_proves_no_repair_until_it_burns() -> None:
    case = after(event(RAISED, SILENT, lamp(1)))
    moved(case, S.RESOLVED, verify_after=NOW + 8 * HOUR_US)
    after(event(CLEARED, SILENT, lamp(1), NOW + HOUR_US, cleared_at=NOW + HOUR_US), case=case)
    assert only(case).state is S.RESOLVED
    verify(case, only(case).ticket_id, NOW + 9 * HOUR_US, OPTIONS)
    assert only(case).state is S.RESOLVED
    verify(case, only(case).ticket_id, NOW + 10 * HOUR_US, OPTIONS)
    assert only(case).state is S.CLOSED


def test_a_repair_whose_alarm_stands_into_the_next_burning_period_is_to_be_done_again() -> None:
    case = after(event(RAISED, FAILURE, lamp(1)))
    moved(case, S.RESOLVED, verify_after=NOW + HOUR_US)
    verify(case, only(case).ticket_id, NOW + 2 * HOUR_US, OPTIONS)
    assert only(case).state is S.RESOLVED
    verify(case, only(case).ticket_id, NOW + 3 * HOUR_US, OPTIONS)
    assert (only(case).state, only(case).verify_after) == (S.NEW, None)
    assert (case.changes.events[-1].actor, case.changes.events[-1].reason) == (Actor.SENSOR, "repair-not-confirmed")


def merged_into_an_outage() -> Case:
    """Lamp 1 was reported, and its ticket became part of the outage of its feeder, which is over."""
    return after(
        reported(lamp(1)),
        event(RAISED, SUPPLY, FEEDER, children=("L-1",)),
        event(CLEARED, SUPPLY, FEEDER, NOW + HOUR_US, cleared_at=NOW + HOUR_US),
    )


def answer(case: Case, scope_id: str) -> CaseTicket:
    ticket = next(t for t in case.tickets.values() if t.scope_id == scope_id)
    return take_report(case, reported(lamp(1), report_id=9, at=NOW + DAY_US, ticket=ticket.ticket_id), OPTIONS)


def test_an_answer_to_a_merged_ticket_joins_the_outage_while_that_is_open() -> None:
    case = merged_into_an_outage()
    answered = answer(case, "L-1")
    assert (answered.scope_id, answered.state, answered.still_dark) == ("C-1.F1", S.NEW, True)


def test_an_answer_to_a_merged_ticket_does_not_reopen_the_outage_of_a_whole_street() -> None:
    case = merged_into_an_outage()
    outage = of(case, "C-1.F1")
    take_move(case, Move(outage.ticket_id, S.CLOSED, outage.version, Actor.CREW, NOW + 2 * HOUR_US))
    answered = answer(case, "L-1")
    assert (answered.scope_id, answered.state) == ("L-1", S.NEW)
    assert of(case, "C-1.F1").state is S.CLOSED


def test_an_answer_to_a_merged_ticket_joins_the_lamps_own_ticket_where_it_stayed_dark() -> None:
    case = merged_into_an_outage()
    again = event(RAISED, FAILURE, lamp(1), NOW + 2 * HOUR_US, raised_at=NOW + 2 * HOUR_US)
    after(again, case=case, now=NOW + 2 * HOUR_US)
    answered = answer(case, "L-1")
    assert again.alarm_id in answered.alarms


def test_a_new_alarm_reopens_a_repair() -> None:
    case = after(event(RAISED, FAILURE, lamp(1)))
    moved(case, S.RESOLVED, verify_after=NOW + 8 * HOUR_US)
    after(event(RAISED, FAILURE, lamp(1), NOW + 9 * HOUR_US, raised_at=NOW + 9 * HOUR_US), case=case)
    assert (only(case).state, only(case).verify_after) == (S.NEW, None)


def test_a_stale_version_is_refused() -> None:
    case = after(event(RAISED, FAILURE, lamp(1)), reported(lamp(1)))
    with pytest.raises(ConflictError, match="has changed"):
        take_move(case, Move(only(case).ticket_id, S.ASSIGNED, 1, Actor.CREW, NOW))


def test_what_the_table_does_not_allow_is_refused() -> None:
    case = after(event(RAISED, FAILURE, lamp(1)))
    with pytest.raises(ConflictError, match="cannot become closed"):
        moved(case, S.CLOSED)
    with pytest.raises(ConflictError, match="merge"):
        moved(case, S.MERGED, actor=Actor.OPERATOR)
    with pytest.raises(NotFoundError):
        take_move(case, Move(99, S.CLOSED, 1, Actor.CREW, NOW))


def test_an_overtaken_event_is_kept_and_changes_no_ticket() -> None:
    outage = event(RAISED, SUPPLY, FEEDER)
    case = after(
        outage, event(FOLDED, FAILURE, lamp(1), NOW + MINUTE_US, parent=outage), event(RAISED, FAILURE, lamp(1))
    )
    assert len(case.tickets) == 1
    assert len(case.changes.taken) == 3


def test_two_devices_of_one_facility_are_two_incidents_and_a_report_beside_them_is_its_own() -> None:
    first, second = (
        Scope(AssetKind.FACILITY, "MK-1", "MK-1", "MK-1", "", "G-1", device_id=name) for name in ("D-1", "D-2")
    )
    warm = FaultClass.COLD_ROOM_TOO_WARM
    one, two = event(RAISED, warm, first), event(RAISED, warm, second)
    case = after(one, two, reported(first, "damaged"), two)
    keys = [ticket.incident_key for ticket in case.tickets.values()]
    assert keys == ["coldRoomTooWarm|D-1", "coldRoomTooWarm|D-2", "damaged"]
    case = after(event(CLEARED, warm, first, NOW + HOUR_US, cleared_at=NOW), case=as_loaded(case), now=NOW + HOUR_US)
    states = [ticket.state for ticket in case.tickets.values()]
    assert states == [TicketState.RECOVERED, TicketState.NEW, TicketState.NEW]


def test_an_answer_to_the_ticket_of_one_device_joins_that_one() -> None:
    scope = Scope(AssetKind.FACILITY, "MK-1", "MK-1", "MK-1", "", "G-1", device_id="D-2")
    case = after(event(RAISED, FaultClass.COLD_ROOM_TOO_WARM, scope))
    (ticket,) = case.tickets.values()
    case = after(reported(scope, "other", ticket=ticket.ticket_id), case=case)
    assert [one.ticket_id for one in case.tickets.values()] == [ticket.ticket_id]


def test_a_silent_device_that_its_gateway_explains_leaves_its_own_ticket_though_loaded_anew() -> None:
    scope = Scope(AssetKind.FACILITY, "MK-1", "MK-1", "MK-1", "", "G-1", device_id="D-2")
    silent, gateway = event(RAISED, SILENT, scope), event(RAISED, SILENT, GATEWAY, children=("MK-1",))
    case = as_loaded(after(silent))
    case = after(event(FOLDED, SILENT, scope, NOW + 1, parent=gateway), gateway, case=case)
    assert [(one.incident_key, one.state) for one in case.tickets.values()] == [
        ("silent|D-2", TicketState.MERGED),
        ("silent", TicketState.NEW),
    ]
