"""Tickets: their states, the one table of allowed transitions, and the events that make their history."""

from dataclasses import dataclass
from enum import StrEnum

from city.errors import ConflictError


class TicketState(StrEnum):
    """States of a ticket. Open311 knows them only as open and closed."""

    NEW = "new"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    RECOVERED = "recovered"
    """Sensors see recovery: closing is proposed."""
    RESOLVED = "resolved"
    """A crew says it is repaired; sensors verify at the next commanded-on period."""
    CLOSED = "closed"
    REJECTED = "rejected"
    MERGED = "merged"
    """Part of another ticket."""


class Actor(StrEnum):
    """Who acts; a ticket's timeline shows roles, never names."""

    SENSOR = "sensor"
    CITIZEN = "citizen"
    CREW = "crew"
    OPERATOR = "operator"
    SYSTEM = "system"


S, A = TicketState, Actor

TRANSITIONS: dict[tuple[TicketState, TicketState], frozenset[Actor]] = {
    (S.NEW, S.ASSIGNED): frozenset({A.OPERATOR, A.CREW}),
    (S.NEW, S.IN_PROGRESS): frozenset({A.CREW}),
    (S.NEW, S.RECOVERED): frozenset({A.SENSOR}),
    (S.NEW, S.RESOLVED): frozenset({A.CREW, A.OPERATOR}),
    (S.NEW, S.REJECTED): frozenset({A.OPERATOR}),
    (S.NEW, S.MERGED): frozenset({A.SYSTEM, A.OPERATOR}),
    (S.ASSIGNED, S.NEW): frozenset({A.OPERATOR, A.CREW}),
    (S.ASSIGNED, S.IN_PROGRESS): frozenset({A.CREW}),
    (S.ASSIGNED, S.RECOVERED): frozenset({A.SENSOR}),
    (S.ASSIGNED, S.RESOLVED): frozenset({A.CREW, A.OPERATOR}),
    (S.ASSIGNED, S.REJECTED): frozenset({A.OPERATOR}),
    (S.ASSIGNED, S.MERGED): frozenset({A.SYSTEM, A.OPERATOR}),
    (S.IN_PROGRESS, S.ASSIGNED): frozenset({A.CREW, A.OPERATOR}),
    (S.IN_PROGRESS, S.RESOLVED): frozenset({A.CREW, A.OPERATOR}),
    (S.IN_PROGRESS, S.MERGED): frozenset({A.SYSTEM, A.OPERATOR}),
    (S.RECOVERED, S.CLOSED): frozenset({A.OPERATOR, A.CREW}),
    (S.RECOVERED, S.NEW): frozenset({A.SENSOR, A.CITIZEN, A.OPERATOR}),
    (S.RECOVERED, S.IN_PROGRESS): frozenset({A.CREW}),
    (S.RECOVERED, S.MERGED): frozenset({A.SYSTEM, A.OPERATOR}),
    (S.RESOLVED, S.CLOSED): frozenset({A.SENSOR, A.OPERATOR, A.SYSTEM}),
    (S.RESOLVED, S.NEW): frozenset({A.SENSOR, A.CITIZEN, A.OPERATOR}),
    (S.CLOSED, S.NEW): frozenset({A.CITIZEN, A.OPERATOR}),
}
"""Every allowed transition and who may make it."""

OPEN_STATES = frozenset({S.NEW, S.ASSIGNED, S.IN_PROGRESS, S.RECOVERED, S.RESOLVED})


class TicketEventKind(StrEnum):
    """What happened to a ticket."""

    OPENED = "opened"
    MOVED = "moved"
    ALARM_JOINED = "alarm_joined"
    ALARM_CLEARED = "alarm_cleared"
    REPORT_JOINED = "report_joined"
    STILL_DARK = "still_dark"
    MERGED_INTO = "merged_into"
    ABSORBED = "absorbed"
    SPLIT_OFF = "split_off"
    """A child that stays dark after its parent's supply came back gets its own ticket."""
    VERDICT = "verdict"
    """Somebody says what was found; it moves nothing."""
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Ticket:
    """Our record of an incident, as stored."""

    ticket_id: int
    state: TicketState
    category: str
    fault: str
    scope_kind: str
    scope_id: str
    root_id: str
    incident_key: str
    severity: str
    opened_at: int
    updated_at: int
    version: int


def check_transition(source: TicketState, target: TicketState, actor: Actor) -> None:
    """Refuse what the table does not allow.

    Raises
    ------
    ConflictError
        No such transition, or not for this actor.
    """
    allowed = TRANSITIONS.get((source, target))
    if allowed is None:
        targets = sorted(str(t) for (s, t) in TRANSITIONS if s == source) or ["nothing"]
        raise ConflictError(f"a ticket that is {source} cannot become {target}; it can become {', '.join(targets)}")
    if actor not in allowed:
        raise ConflictError(f"from {source} to {target} is for {', '.join(sorted(allowed))}, not for {actor}")
