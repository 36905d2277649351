"""Any order and any repetition of alarms, reports, crews' decisions and time."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from city.alarm import AlarmEvent
from city.clock import HOUR_US, MINUTE_US
from city.errors import ConflictError
from city.ticket import OPEN_STATES, TRANSITIONS, Actor, TicketEventKind, TicketState
from incidents.case import Case, TicketEvent
from incidents.desk import Move, as_loaded, take_alarm, take_move, take_report, verify
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
    event,
    lamp,
    reported,
)

LAMPS = st.integers(1, 3)
PARENTS = [event(RAISED, SUPPLY, FEEDER, children=("L-1", "L-2")), event(RAISED, SILENT, GATEWAY, children=("L-3",))]


class DeskMachine(RuleBasedStateMachine):
    """A city of three lamps, one feeder, one gateway."""

    @initialize()
    def begin(self) -> None:
        self.case = Case()
        self.now = NOW
        self.sent: list[AlarmEvent] = []
        self.history: list[TicketEvent] = []
        self.reports = 0

    def _take(self, sent: AlarmEvent) -> None:
        take_alarm(self.case, sent, self.now, OPTIONS)
        self._commit()

    def _commit(self) -> None:
        self.history.extend(self.case.changes.events)
        self.case = as_loaded(self.case)

    def _send(self, sent: AlarmEvent) -> None:
        self.sent.append(sent)
        self._take(sent)

    @rule(minutes=st.integers(1, 600))
    def time_passes(self, minutes: int) -> None:
        self.now += minutes * MINUTE_US

    @rule(number=LAMPS, fault=st.sampled_from([FAILURE, SILENT, BY_DAY]), late=st.integers(0, 90), again=st.booleans())
    def a_lamp_fails(self, number: int, fault: object, late: int, again: bool) -> None:
        raised_at = NOW - HOUR_US if again else self.now - HOUR_US
        self._send(event(RAISED, fault, lamp(number), self.now - late * MINUTE_US, raised_at=raised_at))  # type: ignore[arg-type]

    @rule(number=LAMPS, fault=st.sampled_from([FAILURE, SILENT]), parent=st.sampled_from(PARENTS))
    def a_lamp_is_folded(self, number: int, fault: object, parent: AlarmEvent) -> None:
        self._send(event(FOLDED, fault, lamp(number), self.now, parent=parent))  # type: ignore[arg-type]

    @rule(parent=st.sampled_from(PARENTS))
    def an_outage_begins(self, parent: AlarmEvent) -> None:
        self._send(event(RAISED, parent.fault, parent.scope, self.now, children=parent.children))

    @rule(parent=st.sampled_from(PARENTS))
    def an_outage_ends(self, parent: AlarmEvent) -> None:
        self._send(event(CLEARED, parent.fault, parent.scope, self.now, cleared_at=self.now))

    @rule()
    def the_feeder_folds_into_the_gateway(self) -> None:
        self._send(event(FOLDED, SUPPLY, FEEDER, self.now, parent=PARENTS[1]))

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def an_alarm_ends(self, data: st.DataObject) -> None:
        of = data.draw(st.sampled_from(self.sent))
        self._send(event(CLEARED, of.fault, of.scope, self.now, raised_at=of.raised_at, cleared_at=self.now))

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def the_log_repeats_itself(self, data: st.DataObject) -> None:
        tickets, before = dict(self.case.tickets), len(self.history)
        self._take(data.draw(st.sampled_from(self.sent)))
        assert len(self.history) == before
        assert self.case.tickets == tickets

    @rule(number=LAMPS, code=st.sampled_from(["lamp-out", "lamp-by-day", "damaged"]))
    def a_citizen_reports(self, number: int, code: str) -> None:
        self.reports += 1
        ticket = take_report(self.case, reported(lamp(number), code, self.reports, self.now), OPTIONS)
        assert self.case.tickets[ticket.ticket_id].state in OPEN_STATES
        self._commit()

    @precondition(lambda self: self.case.tickets)
    @rule(data=st.data())
    def a_citizen_answers_a_ticket(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.case.tickets)))
        self.reports += 1
        ticket = take_report(self.case, reported(lamp(1), "lamp-out", self.reports, self.now, number), OPTIONS)
        assert self.case.tickets[ticket.ticket_id].state in OPEN_STATES
        self._commit()

    @precondition(lambda self: self.case.tickets)
    @rule(data=st.data(), state=st.sampled_from(list(TicketState)), actor=st.sampled_from([Actor.CREW, Actor.OPERATOR]))
    def a_person_decides(self, data: st.DataObject, state: TicketState, actor: Actor) -> None:
        ticket = self.case.tickets[data.draw(st.sampled_from(sorted(self.case.tickets)))]
        move = Move(ticket.ticket_id, state, ticket.version, actor, self.now, "", self.now + HOUR_US)
        try:
            take_move(self.case, move)
        except ConflictError:
            assert not self.case.changes.events
        self._commit()

    @precondition(lambda self: self.case.tickets)
    @rule()
    def repairs_are_looked_after(self) -> None:
        for ticket_id in sorted(self.case.tickets):
            verify(self.case, ticket_id, self.now, OPTIONS)
        self._commit()

    @invariant()
    def at_most_one_ticket_is_open_per_scope_and_key(self) -> None:
        keys = [(t.scope_id, t.incident_key) for t in self.case.tickets.values() if t.open]
        assert len(keys) == len(set(keys))

    @invariant()
    def every_change_of_state_is_in_the_table_and_in_the_history(self) -> None:
        states: dict[int, TicketState] = {}
        for line in self.history:
            if line.kind is TicketEventKind.OPENED:
                assert line.to_state is not None
                states[line.ticket_id] = line.to_state
            elif line.from_state is not None and line.to_state is not None:
                assert states[line.ticket_id] is line.from_state
                assert line.actor in TRANSITIONS[line.from_state, line.to_state]
                states[line.ticket_id] = line.to_state
        assert states == {number: ticket.state for number, ticket in self.case.tickets.items()}

    @invariant()
    def nothing_closes_by_itself_but_a_repair(self) -> None:
        for line in self.history:
            if line.to_state is TicketState.CLOSED and line.actor in (Actor.SENSOR, Actor.SYSTEM):
                assert line.from_state is TicketState.RESOLVED

    @invariant()
    def merged_tickets_lead_to_a_ticket_that_is_not_merged(self) -> None:
        for ticket in self.case.tickets.values():
            assert (ticket.state is TicketState.MERGED) == (ticket.merged_into is not None)
            end = self.case.follow(ticket.ticket_id)
            assert end is not None
            assert end.state is not TicketState.MERGED

    @invariant()
    def a_live_alarm_has_an_open_ticket_unless_a_person_ended_it(self) -> None:
        by_person = {
            line.ticket_id for line in self.history if line.to_state in (TicketState.CLOSED, TicketState.REJECTED)
        }
        for alarm in self.case.alarms.values():
            if alarm.live:
                tickets = self.case.tickets_with(alarm.alarm_id)
                assert any(t.open for t in tickets) or any(t.ticket_id in by_person for t in tickets)


DeskMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestDesk = DeskMachine.TestCase
