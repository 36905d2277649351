"""What an alarm's raising, folding and clearing does to tickets: join, merge, split off, propose closing. Pure."""

from dataclasses import dataclass

from city.alarm import AlarmEvent, AlarmEventKind, FaultClass, Scope
from city.asset import AssetKind
from city.clock import DAY_US, HOUR_US
from city.ticket import Actor, TicketEventKind, TicketState
from incidents.case import AlarmState, Case, CaseTicket, order_of, worsened
from incidents.categories import BUILT_IN, DARK, Catalogue, explains, incident_key

S, K = TicketState, TicketEventKind

_IDLE = frozenset({S.NEW, S.ASSIGNED})
_MERGEABLE = frozenset({S.NEW, S.ASSIGNED, S.RECOVERED})
"""No crew works on it: it may become part of another ticket."""
SEEMS_OVER = frozenset({S.RECOVERED, S.RESOLVED, S.CLOSED})
"""States that a live alarm or a citizen's word contradicts."""


@dataclass(frozen=True, slots=True)
class DeskOptions:
    """What the desk's rules measure with.

    Attributes
    ----------
    reopen_within_us : int
        A report about an asset whose ticket was closed no longer ago reopens that ticket.
    before_outage_us : int
        Reports up to so long before an outage began are about the outage.
    verify_grace_us : int
        A repair counts as verified when so much of the next burning period went by without an alarm.
    """

    reopen_within_us: int = 7 * DAY_US
    before_outage_us: int = HOUR_US
    verify_grace_us: int = 2 * HOUR_US
    catalogue: Catalogue = BUILT_IN


def take_alarm(case: Case, event: AlarmEvent, now: int, options: DeskOptions) -> None:
    """Take one event of an alarm; an event taken before, or overtaken by a later one, changes no ticket."""
    if event.event_id in case.taken:
        return
    case.taken.add(event.event_id)
    case.changes.taken.append(event)
    before = case.alarms.get(event.alarm_id)
    if before is not None and order_of(event.kind, event.at) <= before.last:
        return
    alarm = _after(before, event)
    case.record_alarm(alarm)
    match event.kind:
        case AlarmEventKind.RAISED:
            _raised(case, event, alarm, before, now, options)
        case AlarmEventKind.FOLDED:
            _fold(case, alarm, now, options)
        case AlarmEventKind.HELD:
            _adopt(case, event, alarm, now, options)
        case AlarmEventKind.CLEARED:
            _cleared(case, alarm, now)


def _after(before: AlarmState | None, event: AlarmEvent) -> AlarmState:
    """Return the alarm as it is after `event`."""
    known_parent = before.parent_id if before else None
    match event.kind:
        case AlarmEventKind.RAISED:
            cleared_at, parent_id = event.cleared_at, None
        case AlarmEventKind.FOLDED:
            cleared_at, parent_id = event.cleared_at, event.parent_id
        case AlarmEventKind.HELD:
            cleared_at, parent_id = event.cleared_at, None
        case AlarmEventKind.CLEARED:
            cleared_at = event.at if event.cleared_at is None else event.cleared_at
            parent_id = event.parent_id or known_parent
    return AlarmState(
        event.alarm_id,
        event.fault,
        event.severity,
        event.scope.kind,
        event.scope.asset_id,
        event.scope.root_id,
        event.raised_at,
        cleared_at,
        parent_id,
        order_of(event.kind, event.at),
        event,
        before.held_by if before and event.kind is AlarmEventKind.CLEARED else event.held_by,
        event.scope.device_id,
    )


def _raised(
    case: Case, event: AlarmEvent, alarm: AlarmState, before: AlarmState | None, now: int, options: DeskOptions
) -> None:
    if alarm.cleared_at is not None:
        _cleared(case, alarm, now)
        _adopt(case, event, alarm, now, options)
        return
    key = incident_key(event.fault, event.scope.kind, event.scope.device_id)
    came_back = before is not None and before.parent_id is not None
    left = _leave_parent(case, alarm, before) if before is not None and came_back else None
    ticket = case.open_ticket(alarm.scope_id, key)
    if ticket is None and not came_back:
        ticket = explaining(case, _above(event.scope), key, event.fault)
    detail = {"alarm_id": alarm.alarm_id, "fault": str(alarm.fault), "scope_id": alarm.scope_id}
    if ticket is None:
        ticket = case.open(
            _new_ticket(event, options.catalogue.code_of(event.fault), key, now), Actor.SENSOR, "alarm-raised", detail
        )
        ticket = case.link(ticket, alarm.alarm_id)
        if left is not None:
            case.note(left, K.SPLIT_OFF, Actor.SENSOR, now, "dark-after-recovery", {"ticket_id": ticket.ticket_id})
            ticket = case.note(
                ticket, K.SPLIT_OFF, Actor.SENSOR, now, "dark-after-recovery", {"ticket_id": left.ticket_id}
            )
        ticket = absorb_places(case, ticket, now)
    else:
        ticket = _join(case, ticket, alarm, detail, now, options)
    _adopt(case, event, alarm, now, options)


def _new_ticket(event: AlarmEvent, category: str, key: str, now: int) -> CaseTicket:
    return CaseTicket(
        0,
        S.NEW,
        category,
        str(event.fault),
        str(event.scope.kind),
        event.scope.asset_id,
        event.scope.root_id,
        key,
        event.severity,
        now,
        now,
    )


def _join(
    case: Case, ticket: CaseTicket, alarm: AlarmState, detail: dict[str, str], now: int, options: DeskOptions
) -> CaseTicket:
    """Let a live alarm belong to an open ticket; one that seemed over is new again."""
    if alarm.alarm_id not in ticket.alarms or ticket.state in SEEMS_OVER:
        fields = worsened(ticket, alarm.severity, options.catalogue.code_of(alarm.fault))
        if not ticket.fault or fields:
            fields["fault"] = str(alarm.fault)
        ticket = case.note(ticket, K.ALARM_JOINED, Actor.SENSOR, now, "alarm-raised", detail, **fields)
    ticket = case.link(ticket, alarm.alarm_id)
    if ticket.state in SEEMS_OVER:
        ticket = case.move(ticket, S.NEW, Actor.SENSOR, now, "alarm-raised-again")
    return ticket


def _leave_parent(case: Case, alarm: AlarmState, before: AlarmState) -> CaseTicket | None:
    """Take an alarm that stays when its parent's ended out of the parent's ticket; return that ticket."""
    assert before.parent_id is not None
    left = [t for t in case.tickets_with(alarm.alarm_id) if t.scope_id != alarm.scope_id]
    for ticket in left:
        if ticket.open:
            return case.unlink(ticket, alarm.alarm_id)
    return next(iter(left or case.tickets_with(before.parent_id)), None)


def _fold(case: Case, alarm: AlarmState, now: int, options: DeskOptions) -> None:
    """Give a child's alarm to its parent's ticket, and merge the child's own ticket into that."""
    if alarm.parent_id is None or alarm.parent_id not in case.alarms:
        return  # The parent has not been heard of: it will adopt its children.
    target = case.ticket_of(alarm.parent_id)
    own = _own_ticket(case, alarm)
    if own is not None and (target is None or own.ticket_id != target.ticket_id):
        began = alarm.raised_at - (0 if own.alarms else options.before_outage_us)
        if target is None:
            _settle(case, own, now, "explained-by-outage")
        elif _may_merge(case, own) and own.opened_at >= began:
            target = _merge(case, own, target, now)
        elif alarm.alarm_id in own.alarms and own.state in _MERGEABLE:
            # The ticket is older than this event, or has a cause of its own: only the alarm goes over.
            _settle(case, case.unlink(own, alarm.alarm_id), now, "explained-by-outage")
    if target is not None:
        case.link(target, alarm.alarm_id)


def _own_ticket(case: Case, alarm: AlarmState) -> CaseTicket | None:
    """Return the open ticket of the alarm's own asset; an alarm that is over speaks only for the one it is in."""
    for ticket in case.tickets_with(alarm.alarm_id):
        if ticket.open and ticket.scope_id == alarm.scope_id:
            return ticket
    if alarm.cleared_at is not None:
        return None
    return case.open_ticket(alarm.scope_id, incident_key(alarm.fault, alarm.scope_kind, alarm.device_id))


def _adopt(case: Case, event: AlarmEvent, alarm: AlarmState, now: int, options: DeskOptions) -> None:
    """Bring in children that were folded before their parent was heard of, and reports of what it explains."""
    for child in [a for a in case.alarms.values() if a.parent_id == alarm.alarm_id]:
        _fold(case, child, now, options)
    target = case.ticket_of(alarm.alarm_id)
    if target is None or alarm.cleared_at is not None or not explains(alarm.fault, None):
        return
    for asset_id in event.children:
        own = case.open_ticket(asset_id, DARK)
        told = () if own is None else (own.ticket_id,)
        for ticket_id in (*told, *case.nearby.get(asset_id, ())):
            ticket = case.tickets[ticket_id]
            since = alarm.raised_at - options.before_outage_us
            if ticket.ticket_id == target.ticket_id or ticket.alarms or ticket.opened_at < since:
                continue
            if ticket.incident_key == DARK and _may_merge(case, ticket):
                target = _merge(case, ticket, target, now)


def _may_merge(case: Case, ticket: CaseTicket) -> bool:
    return ticket.state in _MERGEABLE and not ticket.still_dark and not case.live_alarms(ticket)


def _merge(case: Case, own: CaseTicket, target: CaseTicket, now: int) -> CaseTicket:
    """Make `own` part of `target`: its alarms and reports go over; both histories say so."""
    case.move(
        own,
        S.MERGED,
        Actor.SYSTEM,
        now,
        "part-of-outage",
        kind=K.MERGED_INTO,
        detail={"ticket_id": target.ticket_id},
        merged_into=target.ticket_id,
    )
    case.changes.reports_moved.append((own.ticket_id, target.ticket_id))
    target = case.note(target, K.ABSORBED, Actor.SYSTEM, now, "part-of-outage", {"ticket_id": own.ticket_id})
    for alarm_id in sorted(own.alarms):
        target = case.link(target, alarm_id)
    return target


def absorb_places(case: Case, ticket: CaseTicket, now: int) -> CaseTicket:
    """Merge what citizens reported of a place close by into the asset's own new ticket."""
    for ticket_id in case.nearby.get(ticket.scope_id, ()):
        place = case.tickets.get(ticket_id)
        if place is not None and place.incident_key == ticket.incident_key and _may_merge(case, place):
            ticket = _merge(case, place, ticket, now)
    return ticket


def _cleared(case: Case, alarm: AlarmState, now: int) -> None:
    for ticket in case.tickets_with(alarm.alarm_id):
        if not ticket.open or (alarm.parent_id is not None and ticket.scope_id != alarm.scope_id):
            continue  # A child's end says nothing of the outage: the parent's own clearing does.
        detail = {"alarm_id": alarm.alarm_id, "fault": str(alarm.fault), "scope_id": alarm.scope_id}
        changed = case.note(ticket, K.ALARM_CLEARED, Actor.SENSOR, now, "alarm-cleared", detail)
        if changed.state is S.RESOLVED and not case.live_alarms(changed) and not changed.still_dark:
            if _shows_repair(alarm, changed):
                case.move(changed, S.CLOSED, Actor.SENSOR, now, "repair-verified")
        else:
            _settle(case, changed, now, "all-clear")


def _shows_repair(alarm: AlarmState, ticket: CaseTicket) -> bool:
    """Tell whether the end of an alarm proves a repair: a lamp that is heard again may still be dark until night."""
    if alarm.fault is not FaultClass.COMMUNICATION_FAILURE or alarm.scope_kind is not AssetKind.LAMP:
        return True
    assert alarm.cleared_at is not None
    return ticket.verify_after is not None and alarm.cleared_at >= ticket.verify_after


def _settle(case: Case, ticket: CaseTicket, now: int, reason: str) -> None:
    """Propose closing when every alarm is over or explained, unless a crew or a citizen has the word."""
    if ticket.state in _IDLE and ticket.alarms and not ticket.still_dark and not case.live_alarms(ticket):
        case.move(ticket, S.RECOVERED, Actor.SENSOR, now, reason)


def _above(scope: Scope) -> tuple[str, ...]:
    """Return the assets whose outage would explain a fault of `scope`, nearest first."""
    found = (scope.feeder_id, scope.root_id, scope.gateway_id)
    return tuple(dict.fromkeys(a for a in found if a and a != scope.asset_id))


def explaining(case: Case, above: tuple[str, ...], key: str, fault: FaultClass | None) -> CaseTicket | None:
    """Return the open ticket of an outage above an asset that makes its fault part of the same event."""
    if key != DARK:
        return None
    for ticket in case.open_tickets():
        for alarm in case.live_alarms(ticket):
            if alarm.scope_id in above and alarm.scope_id == ticket.scope_id and explains(alarm.fault, fault):
                return ticket
    return None
