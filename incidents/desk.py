"""Alarms, reports, crews' words and time → decisions on tickets. Pure.

Every function takes the case (what is locked and loaded) and one event, and changes the case through its methods; it
reads no clock and waits for nothing. One incident has one ticket: views of one event share an incident key, children
of an outage belong to the outage's ticket. Nothing here closes what a citizen says is still dark.
"""

from dataclasses import dataclass, replace

from city.asset import AssetKind
from city.errors import ConflictError, NotFoundError
from city.ticket import Actor, TicketEventKind, TicketState
from incidents.case import PLACE, Case, CaseTicket, worsened
from incidents.categories import Category
from incidents.evidence import SEEMS_OVER, DeskOptions, absorb_places, explaining, take_alarm

__all__ = [
    "DeskOptions",
    "Move",
    "Report",
    "ReportedScope",
    "as_loaded",
    "take_alarm",
    "take_move",
    "take_report",
    "verify",
]

S, K = TicketState, TicketEventKind

_UNSOLVED = frozenset({S.NEW, S.ASSIGNED, S.IN_PROGRESS})


@dataclass(frozen=True, slots=True)
class ReportedScope:
    """What a report is about: an asset, or a place with or without coordinates."""

    kind: str
    scope_id: str
    root_id: str
    above: tuple[str, ...] = ()
    """Feeder, cabinet and gateway of a lamp."""
    lat: float | None = None
    lon: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A citizen's report without its words, which the desk never sees.

    Attributes
    ----------
    ticket_id : int or None
        Given where the citizen answers a ticket.
    """

    report_id: int
    category: Category
    scope: ReportedScope
    at: int
    ticket_id: int | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A person's decision on a ticket.

    Attributes
    ----------
    version : int
        Of the ticket as the person saw it.
    verify_after : int or None
        Start of the period that will show whether a repair holds; for RESOLVED.
    """

    ticket_id: int
    target: TicketState
    version: int
    actor: Actor
    at: int
    reason: str = ""
    verify_after: int | None = None


def take_report(case: Case, report: Report, options: DeskOptions) -> CaseTicket:
    """Join a report to the ticket of its incident, reopen it, or open one; return the ticket.

    Raises
    ------
    NotFoundError
        The report answers a ticket that is not there.
    """
    target = _ticket_for(case, report, options)
    detail = {"report_id": report.report_id}
    if target is None:
        opened = case.open(_reported_ticket(report), Actor.CITIZEN, "reported", detail)
        return opened if report.scope.kind == PLACE else absorb_places(case, opened, report.at)
    fields = worsened(target, report.category.severity, report.category.code)
    target = case.note(target, K.REPORT_JOINED, Actor.CITIZEN, report.at, "reported", detail, **fields)
    if target.state in SEEMS_OVER or (target.alarms and not case.live_alarms(target)):
        target = case.note(target, K.STILL_DARK, Actor.CITIZEN, report.at, "still-dark", detail, still_dark=True)
        if target.state in SEEMS_OVER:
            target = case.move(target, S.NEW, Actor.CITIZEN, report.at, "still-dark")
    return target


def _reported_ticket(report: Report) -> CaseTicket:
    scope, category = report.scope, report.category
    return CaseTicket(
        0,
        S.NEW,
        category.code,
        "",
        str(scope.kind),
        scope.scope_id,
        scope.root_id,
        category.incident_key,
        category.severity,
        report.at,
        report.at,
        lat=scope.lat,
        lon=scope.lon,
    )


def take_move(case: Case, move: Move) -> CaseTicket:
    """Do what a person decided.

    Raises
    ------
    NotFoundError
        No such ticket.
    ConflictError
        The ticket has changed since the person saw it, or the table does not allow it.
    """
    ticket = case.tickets.get(move.ticket_id)
    if ticket is None:
        raise NotFoundError(f"there is no ticket {move.ticket_id}")
    if ticket.version != move.version:
        raise ConflictError(
            f"ticket {ticket.ticket_id} has changed: it is at version {ticket.version}, you saw {move.version}; "
            "load it again and decide anew"
        )
    if move.target is S.MERGED:
        raise ConflictError("name the ticket to merge into; a plain transition cannot")
    other = case.open_ticket(ticket.scope_id, ticket.incident_key)
    if not ticket.open and other is not None and move.target is S.NEW:
        raise ConflictError(f"ticket {other.ticket_id} is open for the same incident: work on that one")
    match move.target:
        case S.RESOLVED:
            return case.move(
                ticket, S.RESOLVED, move.actor, move.at, move.reason, verify_after=move.verify_after, still_dark=False
            )
        case S.CLOSED | S.REJECTED:
            return case.move(ticket, move.target, move.actor, move.at, move.reason, still_dark=False)
    return case.move(ticket, move.target, move.actor, move.at, move.reason)


def verify(case: Case, ticket_id: int, now: int, options: DeskOptions) -> None:
    """Settle a repair some time into its next burning period: closed without an alarm, new again while one stands."""
    ticket = case.tickets[ticket_id]
    if ticket.state is not S.RESOLVED or ticket.verify_after is None or ticket.still_dark:
        return
    if now < ticket.verify_after + options.verify_grace_us:
        return
    if case.live_alarms(ticket):
        case.move(ticket, S.NEW, Actor.SENSOR, now, "repair-not-confirmed")
    else:
        actor = Actor.SENSOR if ticket.alarms else Actor.SYSTEM
        case.move(ticket, S.CLOSED, actor, now, "quiet-after-repair")


def _ticket_for(case: Case, report: Report, options: DeskOptions) -> CaseTicket | None:
    key = report.category.incident_key
    if report.ticket_id is not None:
        named = case.tickets.get(report.ticket_id)
        if named is None:
            raise NotFoundError(f"there is no ticket {report.ticket_id}")
        answered = _answered(case, named)
        if answered is not None:
            return answered
    found = case.open_ticket(report.scope.scope_id, key) or explaining(case, report.scope.above, key, None)
    if found is None and report.scope.kind == PLACE:
        near = (case.tickets[i] for i in case.nearby.get(report.scope.scope_id, ()) if i in case.tickets)
        found = next((t for t in near if t.state in _UNSOLVED and t.incident_key == key), None)
    if found is None:
        closed = [
            t
            for t in case.tickets.values()
            if t.state is S.CLOSED and (t.scope_id, t.incident_key) == (report.scope.scope_id, key)
        ]
        latest = max(closed, key=lambda t: (t.closed_at or 0, t.ticket_id), default=None)
        if latest is not None and report.at - (latest.closed_at or 0) <= options.reopen_within_us:
            found = latest
    return found


def _answered(case: Case, named: CaseTicket) -> CaseTicket | None:
    """Return the ticket to which an answer to `named` belongs; None: what was named stands alone again."""
    own = case.open_ticket(named.scope_id, named.incident_key)
    end = case.follow(named.ticket_id)
    if own is not None or end is None:
        return own
    found = end if end.open else case.open_ticket(end.scope_id, end.incident_key)
    if found is None and end.state is S.CLOSED and (end is named or end.scope_kind == AssetKind.LAMP):
        found = end  # But one lamp that is still dark is no reason to reopen the outage of a whole street.
    return found


def as_loaded(case: Case) -> Case:
    """Return the case as it would be loaded after its changes were stored; for tests and tools."""
    alarms = [replace(alarm, event=None) for alarm in case.alarms.values()]
    return Case(case.tickets.values(), alarms, taken=case.taken, nearby=case.nearby)
