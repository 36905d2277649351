"""Loads a case from the database under its locks, and stores what a decision changed in it."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from city.alarm import AlarmEvent, AlarmEventKind, FaultClass, Severity
from city.asset import AssetKind, correlation_partition
from city.clock import from_datetime, to_datetime
from city.errors import EngineError
from city.ticket import TicketState
from city.topics import TICKETS
from incidents.case import AlarmState, Case, CaseTicket, TicketEvent, order_of
from incidents.feed import TicketChange
from storage import queries
from storage.pool import Connection
from stream import codec

SQL = queries.load(Path(__file__).with_suffix(".sql"))

_LOCK_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a decision needs to see.

    Attributes
    ----------
    roots : frozenset of str
        To be locked: cabinets, gateways, facilities, cells of the map.
    alarms, events : tuple of str
        Ids of the alarms that the decision is about, and of their events.
    tickets : tuple of int
        Named by a person.
    scope : str
        Reported asset, whose closed tickets may be reopened.
    """

    roots: frozenset[str]
    alarms: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    tickets: tuple[int, ...] = ()
    scope: str = ""


async def fetch(connection: Connection, statement: Any, **parameters: Any) -> list[tuple[Any, ...]]:
    """Run one named statement and return its rows."""
    return await (await connection.execute(statement, parameters)).fetchall()


async def load_case(connection: Connection, wanted: Wanted) -> Case:
    """Lock the roots in one order, then load; where the tickets turn out to hang on more roots, lock those as well.

    Raises
    ------
    EngineError
        The tickets kept moving to other roots: try again.
    """
    roots = set(wanted.roots)
    for _ in range(_LOCK_ROUNDS):
        async with connection.transaction() as level:
            family = {r[0]: r[1] for r in await fetch(connection, SQL.alarm_family, alarms=list(wanted.alarms))}
            named = await fetch(connection, SQL.ticket_roots, tickets=list(wanted.tickets))
            roots |= set(family.values()) | {r[1] for r in named}
            await connection.execute(SQL.lock, {"roots": sorted(roots)})
            case = await _load(connection, wanted, roots, {*wanted.alarms, *family}, [r[0] for r in named])
            missing = {t.root_id for t in case.tickets.values() if t.open} - roots
            if not missing:
                return case
            roots |= missing
            # Going back to the savepoint lets go of the locks, so that all are taken again in the one order.
            raise psycopg.Rollback(level)
    raise EngineError("the tickets of this incident kept changing: try again")


async def _load(
    connection: Connection, wanted: Wanted, roots: set[str], alarms: set[str], tickets: Sequence[int]
) -> Case:
    ticket_rows = await fetch(
        connection,
        SQL.tickets,
        roots=sorted(roots),
        alarms=sorted(alarms),
        tickets=list(tickets),
        scope=wanted.scope,
    )
    found = [_ticket(row) for row in ticket_rows]
    needed = alarms.union(*(ticket.alarms for ticket in found))
    alarm_rows = await fetch(connection, SQL.alarms, alarms=sorted(needed)) if needed else []
    taken = await fetch(connection, SQL.taken, events=list(wanted.events)) if wanted.events else []
    return Case(found, [_alarm(row) for row in alarm_rows], taken=[row[0] for row in taken])


async def store_case(
    connection: Connection,
    case: Case,
    *,
    ticket_partitions: int,
    groups: dict[str, str] | None = None,
    district_id: str | None = None,
) -> dict[int, int]:
    """Store what changed; return the number of each ticket that the case opened under a placeholder.

    Parameters
    ----------
    groups : dict
        Asset → correlation group, as far as the caller knows.
    district_id : str or None
        Of a place that is no asset.
    """
    changes = case.changes
    numbers: dict[int, int] = {}
    ended = [t for t in sorted(changes.touched) if t > 0 and not case.tickets[t].open]
    async with connection.cursor() as cursor:
        await _many(cursor, SQL.end_ticket, [{"ticket_id": t, "state": str(case.tickets[t].state)} for t in ended])
    for placeholder in changes.opened:
        row = {**_ticket_fields(case.tickets[placeholder], {}), "district_id": district_id}
        inserted = await fetch(connection, SQL.insert_ticket, **row)
        numbers[placeholder] = inserted[0][0]
    updates = [
        _ticket_fields(case.tickets[t], numbers)
        for t in sorted(changes.touched)
        if t > 0 or case.tickets[t].merged_into is not None
    ]
    links = [({"ticket_id": numbers.get(t, t), "alarm_id": a}, belongs) for (t, a), belongs in changes.links.items()]
    async with connection.cursor() as cursor:
        await _many(cursor, SQL.update_ticket, updates)
        await _many(cursor, SQL.save_alarm, [_alarm_fields(case.alarms[a]) for a in sorted(changes.alarms)])
        await _many(cursor, SQL.save_alarm_event, [_event_fields(e) for e in changes.taken])
        await _many(cursor, SQL.unlink, [link for link, belongs in links if not belongs])
        await _many(cursor, SQL.link, [link for link, belongs in links if belongs])
        moved = [{"from": numbers.get(a, a), "to": numbers.get(b, b)} for a, b in changes.reports_moved]
        await _many(cursor, SQL.move_reports, moved)
    await _store_events(connection, case, numbers, ticket_partitions, groups or {})
    return numbers


async def _store_events(
    connection: Connection, case: Case, numbers: dict[int, int], partitions: int, groups: dict[str, str]
) -> None:
    events = case.changes.events
    if not events:
        return
    scopes = {case.tickets[e.ticket_id].scope_id for e in events} - groups.keys()
    known = {row[0]: row[5] for row in await fetch(connection, SQL.assets, ids=sorted(scopes))} if scopes else {}
    async with connection.cursor() as cursor:
        await cursor.executemany(SQL.insert_event, [_history_fields(e, numbers) for e in events], returning=True)
        ids: list[int] = []
        while True:
            row = await cursor.fetchone()
            assert row is not None
            ids.append(row[0])
            if not cursor.nextset():
                break
        outbox = []
        for event_id, event in zip(ids, events, strict=True):
            ticket = case.tickets[event.ticket_id]
            group = groups.get(ticket.scope_id) or known.get(ticket.scope_id) or ticket.root_id
            change = TicketChange.of(event_id, event, ticket, numbers)
            outbox.append(
                {
                    "topic": TICKETS,
                    "partition": correlation_partition(group, partitions),
                    "kind": codec.TICKET,
                    "value": codec.encode(change),
                    "at_us": event.at,
                }
            )
        await _many(cursor, SQL.insert_outbox, outbox)


async def _many(cursor: psycopg.AsyncCursor[Any], statement: Any, rows: Iterable[dict[str, Any]]) -> None:
    batch = list(rows)
    if batch:
        await cursor.executemany(statement, batch)


def _us(at: Any) -> int | None:
    return None if at is None else from_datetime(at)


def _time(at_us: int | None) -> Any:
    return None if at_us is None else to_datetime(at_us)


def _ticket(row: tuple[Any, ...]) -> CaseTicket:
    (number, state, category, fault, scope_kind, scope_id, root_id, key, severity, opened_at, updated_at, version) = (
        row[:12]
    )
    still_dark, merged_into, closed_at, verify_after, alarms, lat, lon = row[12:]
    return CaseTicket(
        number,
        TicketState(state),
        category,
        fault,
        scope_kind,
        scope_id,
        root_id,
        key,
        Severity(severity),
        from_datetime(opened_at),
        from_datetime(updated_at),
        version,
        still_dark,
        merged_into,
        _us(closed_at),
        _us(verify_after),
        frozenset(alarms),
        lat,
        lon,
    )


def _alarm(row: tuple[Any, ...]) -> AlarmState:
    alarm_id, fault, severity, kind, scope_id, root_id, raised_at, cleared_at, parent_id, held_by, device_id = row[:-2]
    at, last = row[-2:]
    return AlarmState(
        alarm_id,
        FaultClass(fault),
        Severity(severity),
        AssetKind(kind),
        scope_id,
        root_id,
        from_datetime(raised_at),
        _us(cleared_at),
        parent_id,
        order_of(AlarmEventKind(last), from_datetime(at)),
        held_by=held_by,
        device_id=device_id,
    )


def _ticket_fields(ticket: CaseTicket, numbers: dict[int, int]) -> dict[str, Any]:
    merged_into = ticket.merged_into
    return {
        "ticket_id": numbers.get(ticket.ticket_id, ticket.ticket_id),
        "state": str(ticket.state),
        "category": ticket.category,
        "fault": ticket.fault,
        "scope_kind": ticket.scope_kind,
        "scope_id": ticket.scope_id,
        "root_id": ticket.root_id,
        "incident_key": ticket.incident_key,
        "severity": str(ticket.severity),
        "still_dark": ticket.still_dark,
        "merged_into": None if merged_into is None else numbers.get(merged_into, merged_into),
        "opened_at": _time(ticket.opened_at),
        "updated_at": _time(ticket.updated_at),
        "closed_at": _time(ticket.closed_at),
        "verify_after": _time(ticket.verify_after),
        "version": ticket.version,
        "lat": ticket.lat,
        "lon": ticket.lon,
    }


def _alarm_fields(alarm: AlarmState) -> dict[str, Any]:
    assert alarm.event is not None, "only an event changes an alarm"
    return {
        "alarm_id": alarm.alarm_id,
        "fault": str(alarm.fault),
        "severity": str(alarm.severity),
        "scope_kind": str(alarm.scope_kind),
        "scope_id": alarm.scope_id,
        "root_id": alarm.root_id,
        "raised_at": _time(alarm.raised_at),
        "cleared_at": _time(alarm.cleared_at),
        "parent_id": alarm.parent_id,
        "held_by": alarm.held_by,
        "device_id": alarm.device_id,
        "children": Jsonb(list(alarm.event.children)),
        "evidence": Jsonb(asdict(alarm.event.evidence)),
        "keeps_evidence": alarm.event.kind not in (AlarmEventKind.RAISED, AlarmEventKind.HELD),
    }


def _event_fields(event: AlarmEvent) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "alarm_id": event.alarm_id,
        "kind": str(event.kind),
        "at": _time(event.at),
    }


def _history_fields(event: TicketEvent, numbers: dict[int, int]) -> dict[str, Any]:
    detail = dict(event.detail)
    if "ticket_id" in detail:
        detail["ticket_id"] = numbers.get(detail["ticket_id"], detail["ticket_id"])
    return {
        "ticket_id": numbers.get(event.ticket_id, event.ticket_id),
        "kind": str(event.kind),
        "actor": str(event.actor),
        "at": _time(event.at),
        "from_state": None if event.from_state is None else str(event.from_state),
        "to_state": None if event.to_state is None else str(event.to_state),
        "reason": event.reason,
        "detail": Jsonb(detail),
    }
