"""What third parties read on `tickets`: every change of every ticket, with references only and nobody's words."""

from collections.abc import Mapping
from dataclasses import dataclass

from city.ticket import Actor
from incidents.case import CaseTicket, TicketEvent

_PEOPLE = frozenset({Actor.CREW, Actor.OPERATOR})


@dataclass(frozen=True, slots=True)
class TicketChange:
    """One record of kind ``ticket``; times are µs UTC.

    Attributes
    ----------
    event_id : int
        A reader that has seen it skips the record: the feed may repeat, never lose.
    state, version : str, int
        Of the ticket after the transaction that holds this change.
    reason : str
        The desk's own code; empty where a person wrote it.
    other_ticket : int or None
        Merged into, absorbed or split off.
    finding, found : str
        Of a verdict: true, false or other, and the fault that it was.
    """

    event_id: int
    ticket_id: int
    kind: str
    actor: str
    at: int
    from_state: str | None
    to_state: str | None
    reason: str
    state: str
    version: int
    category: str
    fault: str
    scope_kind: str
    scope_id: str
    severity: str
    alarm_id: str | None = None
    other_ticket: int | None = None
    finding: str = ""
    found: str = ""

    @classmethod
    def of(cls, event_id: int, event: TicketEvent, ticket: CaseTicket, numbers: Mapping[int, int]) -> "TicketChange":
        """Tell of one event; `numbers` are those of tickets that have just been stored."""
        other = event.detail.get("ticket_id")
        return cls(
            event_id,
            numbers.get(event.ticket_id, event.ticket_id),
            str(event.kind),
            str(event.actor),
            event.at,
            None if event.from_state is None else str(event.from_state),
            None if event.to_state is None else str(event.to_state),
            "" if event.actor in _PEOPLE else event.reason,
            str(ticket.state),
            ticket.version,
            ticket.category,
            ticket.fault,
            ticket.scope_kind,
            ticket.scope_id,
            str(ticket.severity),
            event.detail.get("alarm_id"),
            None if other is None else numbers.get(other, other),
            event.detail.get("finding", ""),
            event.detail.get("fault", "") if "finding" in event.detail else "",
        )
