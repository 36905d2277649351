"""The desk's working memory: tickets and alarms of the scopes that are locked, and what a decision changed in them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from city.alarm import AlarmEvent, AlarmEventKind, FaultClass, Severity
from city.asset import AssetKind
from city.ticket import OPEN_STATES, Actor, TicketEventKind, TicketState, check_transition

PLACE = "place"
"""Scope kind of a ticket that a citizen opened for a place, not for an asset of the inventory."""

_SEVERITY_ORDER = {Severity.LOW: 0, Severity.MEDIUM: 1, Severity.HIGH: 2, Severity.URGENT: 3}
_EVENT_RANK = {
    AlarmEventKind.RAISED: 0,
    AlarmEventKind.HELD: 1,
    AlarmEventKind.FOLDED: 2,
    AlarmEventKind.CLEARED: 3,
}


def order_of(kind: AlarmEventKind, at: int) -> tuple[int, int]:
    """Return what orders the events of one alarm: one that is not later than the last one taken changes nothing."""
    return at, _EVENT_RANK[kind]


@dataclass(frozen=True, slots=True)
class AlarmState:
    """An alarm after the events taken so far.

    Attributes
    ----------
    last : tuple of int
        `order_of` the latest event taken.
    held_by : int or None
        The maintenance window during which it came.
    device_id : str
        The device, where its asset has several.
    """

    alarm_id: str
    fault: FaultClass
    severity: Severity
    scope_kind: AssetKind
    scope_id: str
    root_id: str
    raised_at: int
    cleared_at: int | None
    parent_id: str | None
    last: tuple[int, int]
    event: AlarmEvent | None = None
    """The event that brought the alarm here in this transaction; None as loaded."""
    held_by: int | None = None
    device_id: str = ""

    @property
    def live(self) -> bool:
        """Neither over, nor explained by another alarm or by works."""
        return self.cleared_at is None and self.parent_id is None and self.held_by is None


@dataclass(frozen=True, slots=True)
class CaseTicket:
    """A ticket as the desk sees it; times are µs UTC.

    Attributes
    ----------
    ticket_id : int
        Negative until it is stored.
    alarms : frozenset of str
        Alarms that belong to it; folded ones only as far as a decision needs them.
    lat, lon : float or None
        Only for a place; an asset's own stand in the inventory.
    """

    ticket_id: int
    state: TicketState
    category: str
    fault: str
    scope_kind: str
    scope_id: str
    root_id: str
    incident_key: str
    severity: Severity
    opened_at: int
    updated_at: int
    version: int = 1
    still_dark: bool = False
    merged_into: int | None = None
    closed_at: int | None = None
    verify_after: int | None = None
    alarms: frozenset[str] = frozenset()
    lat: float | None = None
    lon: float | None = None

    @property
    def open(self) -> bool:
        return self.state in OPEN_STATES


def worsened(ticket: CaseTicket, severity: Severity, category: str) -> dict[str, Any]:
    """Return the fields that change when a graver view of a ticket's incident joins it: it gives the name."""
    if _SEVERITY_ORDER[severity] <= _SEVERITY_ORDER[ticket.severity]:
        return {}
    return {"severity": severity, "category": category}


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """One line of a ticket's history.

    Attributes
    ----------
    reason : str
        A person's words, or the code of the desk's own reason, which pages translate.
    detail : mapping
        References only; ``ticket_id`` may be negative until it is stored.
    """

    ticket_id: int
    kind: TicketEventKind
    actor: Actor
    at: int
    from_state: TicketState | None = None
    to_state: TicketState | None = None
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Changes:
    """What is to be stored, in the order in which it came about."""

    opened: list[int] = field(default_factory=list)
    touched: set[int] = field(default_factory=set)
    alarms: set[str] = field(default_factory=set)
    links: dict[tuple[int, str], bool] = field(default_factory=dict)
    """(ticket, alarm) → belongs to it from now on, or no longer."""
    events: list[TicketEvent] = field(default_factory=list)
    reports_moved: list[tuple[int, int]] = field(default_factory=list)
    taken: list[AlarmEvent] = field(default_factory=list)


class Case:
    """Tickets and alarms of the locked scopes; every change goes through one of its methods and is remembered."""

    def __init__(
        self,
        tickets: Iterable[CaseTicket] = (),
        alarms: Iterable[AlarmState] = (),
        *,
        taken: Iterable[str] = (),
        nearby: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        self.tickets = {ticket.ticket_id: ticket for ticket in tickets}
        self.alarms = {alarm.alarm_id: alarm for alarm in alarms}
        self.taken = set(taken)
        self.nearby = dict(nearby or {})
        """Scope → tickets of places close to it, nearest first."""
        self.changes = Changes()
        self._next_id = min(0, *self.tickets, 0) - 1
        self._open = {(t.scope_id, t.incident_key): t.ticket_id for t in self.tickets.values() if t.open}
        self._by_alarm: dict[str, set[int]] = {}
        for ticket in self.tickets.values():
            for alarm_id in ticket.alarms:
                self._by_alarm.setdefault(alarm_id, set()).add(ticket.ticket_id)

    # ------------------------------------------------------------ looking

    def open_ticket(self, scope_id: str, incident_key: str) -> CaseTicket | None:
        """Return the one open ticket of a scope and key."""
        ticket_id = self._open.get((scope_id, incident_key))
        return None if ticket_id is None else self.tickets[ticket_id]

    def open_tickets(self) -> Iterator[CaseTicket]:
        """Yield open tickets in the order of their opening."""
        for ticket_id in sorted(self._open.values(), key=lambda i: (self.tickets[i].opened_at, i < 0, abs(i))):
            yield self.tickets[ticket_id]

    def live_alarms(self, ticket: CaseTicket) -> list[AlarmState]:
        """Return the ticket's alarms that are neither over nor folded."""
        known = (self.alarms.get(alarm_id) for alarm_id in sorted(ticket.alarms))
        return [alarm for alarm in known if alarm is not None and alarm.live]

    def tickets_with(self, alarm_id: str) -> list[CaseTicket]:
        """Return the tickets that an alarm belongs to: the open ones first, then the latest."""
        found = [self.tickets[i] for i in self._by_alarm.get(alarm_id, ())]
        return sorted(found, key=lambda t: (not t.open, -t.updated_at, t.ticket_id))

    def ticket_of(self, alarm_id: str) -> CaseTicket | None:
        """Return the open ticket to which an alarm belongs, through folds."""
        alarm = self.alarms.get(alarm_id)
        for _ in range(8):  # lamp, feeder, cabinet, gateway … and a loop in bad input ends
            if alarm is None or alarm.parent_id is None:
                break
            alarm = self.alarms.get(alarm.parent_id)
        if alarm is None:
            return None
        return next((t for t in self.tickets_with(alarm.alarm_id) if t.open), None)

    def follow(self, ticket_id: int) -> CaseTicket | None:
        """Return the ticket that a ticket was merged into, or itself."""
        ticket = self.tickets.get(ticket_id)
        while ticket is not None and ticket.merged_into is not None:
            ticket = self.tickets.get(ticket.merged_into)
        return ticket

    # ------------------------------------------------------------ changing

    def record_alarm(self, alarm: AlarmState) -> None:
        self.alarms[alarm.alarm_id] = alarm
        self.changes.alarms.add(alarm.alarm_id)

    def open(self, ticket: CaseTicket, actor: Actor, reason: str, detail: Mapping[str, Any]) -> CaseTicket:
        """Add a new ticket; its id is a placeholder until it is stored."""
        ticket = replace(ticket, ticket_id=self._next_id)
        self._next_id -= 1
        key = (ticket.scope_id, ticket.incident_key)
        assert key not in self._open, "a second open ticket of one scope and key"
        self.tickets[ticket.ticket_id] = ticket
        self._open[key] = ticket.ticket_id
        self.changes.opened.append(ticket.ticket_id)
        self.changes.touched.add(ticket.ticket_id)
        self.changes.events.append(
            TicketEvent(
                ticket.ticket_id,
                TicketEventKind.OPENED,
                actor,
                ticket.opened_at,
                to_state=ticket.state,
                reason=reason,
                detail=detail,
            )
        )
        return ticket

    def note(
        self,
        ticket: CaseTicket,
        kind: TicketEventKind,
        actor: Actor,
        at: int,
        reason: str = "",
        detail: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> CaseTicket:
        """Add an event that leaves the state as it is, and change `fields` with it."""
        self.changes.events.append(TicketEvent(ticket.ticket_id, kind, actor, at, reason=reason, detail=detail or {}))
        return self._put(ticket, at, fields)

    def tell(self, ticket: CaseTicket, kind: TicketEventKind, actor: Actor, at: int, detail: Mapping[str, Any]) -> None:
        """Add an event that changes nothing of the ticket, its version neither."""
        self.changes.events.append(TicketEvent(ticket.ticket_id, kind, actor, at, detail=detail))

    def move(
        self,
        ticket: CaseTicket,
        target: TicketState,
        actor: Actor,
        at: int,
        reason: str = "",
        *,
        kind: TicketEventKind = TicketEventKind.MOVED,
        detail: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> CaseTicket:
        """Change the state as the table of transitions allows.

        Raises
        ------
        ConflictError
            The table has no such transition for this actor.
        """
        check_transition(ticket.state, target, actor)
        self.changes.events.append(
            TicketEvent(ticket.ticket_id, kind, actor, at, ticket.state, target, reason, detail or {})
        )
        fields["state"] = target
        fields["closed_at"] = None if target in OPEN_STATES else at
        if target is TicketState.NEW:
            fields["verify_after"] = None
        return self._put(ticket, at, fields)

    def link(self, ticket: CaseTicket, alarm_id: str) -> CaseTicket:
        """Let an alarm belong to a ticket."""
        if alarm_id in ticket.alarms:
            return ticket
        self.changes.links[ticket.ticket_id, alarm_id] = True
        self._by_alarm.setdefault(alarm_id, set()).add(ticket.ticket_id)
        return self._replace(ticket, alarms=ticket.alarms | {alarm_id})

    def unlink(self, ticket: CaseTicket, alarm_id: str) -> CaseTicket:
        """Let an alarm no longer belong to a ticket; its history keeps that it did."""
        self.changes.links[ticket.ticket_id, alarm_id] = False
        self._by_alarm[alarm_id].discard(ticket.ticket_id)
        return self._replace(ticket, alarms=ticket.alarms - {alarm_id})

    def _put(self, ticket: CaseTicket, at: int, fields: Mapping[str, Any]) -> CaseTicket:
        self.changes.touched.add(ticket.ticket_id)
        return self._replace(ticket, **{"updated_at": at, "version": ticket.version + 1, **fields})

    def _replace(self, ticket: CaseTicket, **fields: Any) -> CaseTicket:
        changed = replace(ticket, **fields)
        self.tickets[ticket.ticket_id] = changed
        key = (changed.scope_id, changed.incident_key)
        if changed.open:
            assert self._open.get(key, changed.ticket_id) == changed.ticket_id, "a second open ticket of one scope"
            self._open[key] = changed.ticket_id
        elif self._open.get(key) == changed.ticket_id:
            del self._open[key]
        return changed
