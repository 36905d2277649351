"""The desk as a service: each decision locks its scope, loads, asks the pure rules, and stores in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from city.alarm import AlarmEvent, Severity
from city.asset import AssetKind
from city.clock import DAY_US, Clock, to_datetime
from city.errors import ConflictError, DataError, NotFoundError
from city.lighting import LightingSchedule
from city.ticket import Actor, TicketState
from city.topics import PARTITIONS, TICKETS
from incidents import desk
from incidents.case import PLACE, Case
from incidents.categories import Category
from incidents.evidence import DeskOptions
from incidents.places import NEAR_M, box, cell_of, cells_near, distance_m
from incidents.rows import SQL, Wanted, fetch, load_case, store_case
from storage.pool import Connection, Pool, transaction

_WITHOUT_SCHEDULE_US = DAY_US
"""A repair of what no lighting schedule commands is watched for a day."""


@dataclass(frozen=True, slots=True)
class NewReport:
    """What a citizen sent. Give an asset, or coordinates, or a place in words, or the ticket that it answers.

    Attributes
    ----------
    request_key : str or None
        The client's own key: a repeat gives the same report.
    """

    category: str
    asset_id: str | None = None
    lat: float | None = None
    lon: float | None = None
    place: str = ""
    description: str = ""
    email: str | None = None
    request_key: str | None = None
    ticket_id: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a report.

    Attributes
    ----------
    joined : bool
        The ticket was there before this report.
    repeated : bool
        The report itself had been taken before.
    """

    report_id: int
    ticket_id: int
    state: TicketState
    joined: bool
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class _Asset:
    asset_id: str
    kind: str
    parent_id: str | None
    root_id: str
    gateway_id: str | None
    group: str
    lat: float | None
    lon: float | None
    district_id: str | None

    @property
    def point(self) -> tuple[float, float] | None:
        return None if self.lat is None or self.lon is None else (self.lat, self.lon)

    @property
    def above(self) -> tuple[str, ...]:
        found = (self.parent_id, self.root_id, self.gateway_id)
        return tuple(dict.fromkeys(a for a in found if a and a != self.asset_id))


class Desk:
    """Everything that may change a ticket goes through here."""

    def __init__(
        self, clock: Clock, options: DeskOptions | None = None, *, ticket_partitions: int = PARTITIONS[TICKETS]
    ) -> None:
        self._clock = clock
        self.options = options or DeskOptions()
        self._ticket_partitions = ticket_partitions

    async def take_alarms(self, connection: Connection, events: Sequence[AlarmEvent]) -> None:
        """Take events in the order of the log, inside the caller's transaction; repeats have no effect."""
        if not events:
            return
        named = {e.scope.asset_id for e in events} | {child for e in events for child in e.children}
        assets = await _assets(connection, named)
        roots = {e.scope.root_id for e in events} | {e.scope.gateway_id for e in events if e.scope.gateway_id}
        roots |= {assets[child].root_id for e in events for child in e.children if child in assets}
        for event in events:
            point = assets[event.scope.asset_id].point if event.scope.asset_id in assets else None
            if event.scope.kind is AssetKind.LAMP and point is not None:
                roots |= cells_near(*point)
        wanted = Wanted(
            frozenset(roots),
            tuple({a for e in events for a in (e.alarm_id, e.parent_id) if a is not None}),
            tuple({e.event_id for e in events}),
        )
        case = await load_case(connection, wanted)
        for event in events:
            asset = assets.get(event.scope.asset_id)
            if asset is not None and event.scope.kind is AssetKind.LAMP:
                case.nearby.setdefault(asset.asset_id, _places_near(case, asset))
        now = self._clock.now_us()
        for event in events:
            desk.take_alarm(case, event, now, self.options)
        groups = {e.scope.asset_id: e.scope.group for e in events}
        await store_case(connection, case, ticket_partitions=self._ticket_partitions, groups=groups)

    async def take_report(self, pool: Pool, new: NewReport) -> Receipt:
        """Join a citizen's report to a ticket or open one.

        Raises
        ------
        DataError
            No such category, or nothing says what the report is about.
        NotFoundError
            No such asset or ticket.
        ConflictError
            The request key belongs to another report.
        EngineError
            The database did not answer; the same request key makes it safe to try again.
        """
        async with transaction(pool) as connection:
            if new.request_key is not None:
                await connection.execute(SQL.lock_request, {"request_key": new.request_key})
                earlier = await fetch(connection, SQL.report_by_key, request_key=new.request_key)
                if earlier:
                    return _repeated(new, earlier[0])
            report_id = (await fetch(connection, SQL.next_report_id))[0][0]
            scope, roots, district_id, category = await self._about(connection, new, report_id)
            tickets = () if new.ticket_id is None else (new.ticket_id,)
            near = await _tickets_near(connection, new, category.incident_key)
            wanted = Wanted(
                roots | {root for _, root, _ in near},
                tickets=tickets + tuple(number for number, _, _ in near),
                scope=scope.scope_id,
            )
            case = await load_case(connection, wanted)
            case.nearby[scope.scope_id] = tuple(number for number, _, _ in near) or _places_near(case, scope)
            now = self._clock.now_us()
            ticket = desk.take_report(case, desk.Report(report_id, category, scope, now, new.ticket_id), self.options)
            numbers = await store_case(
                connection, case, ticket_partitions=self._ticket_partitions, district_id=district_id
            )
            ticket_id = numbers.get(ticket.ticket_id, ticket.ticket_id)
            await _store_report(connection, new, report_id, ticket_id, category.code, now)
            return Receipt(report_id, ticket_id, ticket.state, joined=ticket.ticket_id > 0)

    async def move(
        self, pool: Pool, ticket_id: int, target: TicketState, version: int, actor: Actor, reason: str = ""
    ) -> int:
        """Do what a crew or an operator decided; return the ticket's new version.

        Raises
        ------
        NotFoundError
            No such ticket.
        ConflictError
            The ticket changed meanwhile, or the table of transitions does not allow it.
        EngineError
            The database did not answer.
        """
        async with transaction(pool) as connection:
            case = await load_case(connection, Wanted(frozenset(), tickets=(ticket_id,)))
            now = self._clock.now_us()
            verify_after = None
            if target is TicketState.RESOLVED and ticket_id in case.tickets:
                ticket = case.tickets[ticket_id]
                schedule = await schedule_of(connection, ticket.scope_kind, ticket.scope_id)
                verify_after = (schedule and schedule.next_on(now)) or now + _WITHOUT_SCHEDULE_US
            move = desk.Move(ticket_id, target, version, actor, now, reason, verify_after)
            moved = desk.take_move(case, move)
            await store_case(connection, case, ticket_partitions=self._ticket_partitions)
            return moved.version

    async def verify_due(self, pool: Pool) -> int:
        """Close repairs whose next burning period went by without an alarm; return how many were looked at."""
        now = self._clock.now_us()
        async with transaction(pool) as connection:
            before = to_datetime(now - self.options.verify_grace_us)
            due = [row[0] for row in await fetch(connection, SQL.due_for_verification, before=before)]
            if not due:
                return 0
            case = await load_case(connection, Wanted(frozenset(), tickets=tuple(due)))
            for ticket_id in due:
                desk.verify(case, ticket_id, now, self.options)
            await store_case(connection, case, ticket_partitions=self._ticket_partitions)
            return len(due)

    async def _about(
        self, connection: Connection, new: NewReport, report_id: int
    ) -> tuple[desk.ReportedScope, frozenset[str], str | None, Category]:
        """Return what a report is about, the roots to lock, its district and its category."""
        category = self.options.catalogue.reportable.get(new.category)
        if new.ticket_id is not None:
            named = await fetch(connection, SQL.ticket_scope, ticket_id=new.ticket_id)
            if not named:
                raise NotFoundError(f"there is no ticket {new.ticket_id}")
            kind, scope_id, root_id, code, key, severity, lat, lon = named[0]
            category = replace(category or Category(code, key, Severity(severity)), incident_key=key)
            scope = desk.ReportedScope(kind, scope_id, root_id, (), lat, lon)
            return scope, frozenset({root_id}), None, category
        if category is None:
            known = ", ".join(self.options.catalogue.reportable)
            raise DataError(f"there is no category {new.category!r}: choose one of {known}")
        if new.asset_id is not None:
            assets = await _assets(connection, {new.asset_id})
            if new.asset_id not in assets:
                raise NotFoundError(f"there is no lamp or place {new.asset_id!r}: check the number on the post")
            asset = assets[new.asset_id]
            roots = {asset.root_id, *asset.above} | (cells_near(*asset.point) if asset.point else set())
            scope = desk.ReportedScope(asset.kind, asset.asset_id, asset.root_id, asset.above, asset.lat, asset.lon)
            return scope, frozenset(roots), None, category
        scope_id = f"{PLACE}-{report_id}"
        if new.lat is None or new.lon is None:
            if not new.place.strip():
                raise DataError("say where: the number of a lamp, a point on the map, or the place in words")
            return desk.ReportedScope(PLACE, scope_id, scope_id), frozenset({scope_id}), None, category
        lamps = await _lamps_near(connection, new.lat, new.lon)
        above = tuple(dict.fromkeys(a for lamp in lamps for a in lamp.above))
        scope = desk.ReportedScope(PLACE, scope_id, cell_of(new.lat, new.lon), above, new.lat, new.lon)
        roots = cells_near(new.lat, new.lon) | {a for lamp in lamps for a in (lamp.root_id, *lamp.above)}
        return scope, frozenset(roots), next((lamp.district_id for lamp in lamps), None), category


async def schedule_of(connection: Connection, kind: str, asset_id: str) -> LightingSchedule | None:
    """Return the lighting schedule that commands an asset, if one does."""
    rows = await fetch(connection, SQL.schedule, kind=kind, id=asset_id)
    return LightingSchedule(**rows[0][0]) if rows else None


def _repeated(new: NewReport, earlier: tuple[Any, ...]) -> Receipt:
    report_id, ticket_id, category, asset_id, description, state = earlier
    same = (category, asset_id, description) == (new.category, new.asset_id, new.description)
    if not same and new.ticket_id is None:
        raise ConflictError("this request key belongs to another report: send a new key with a new report")
    return Receipt(report_id, ticket_id, TicketState(state), joined=True, repeated=True)


async def _store_report(
    connection: Connection, new: NewReport, report_id: int, ticket_id: int, category: str, now: int
) -> None:
    fields = {
        "report_id": report_id,
        "ticket_id": ticket_id,
        "request_key": new.request_key,
        "category": category,
        "asset_id": new.asset_id,
        "lat": new.lat,
        "lon": new.lon,
        "place": new.place,
        "description": new.description,
        "received_at": to_datetime(now),
    }
    await connection.execute(SQL.insert_report, fields)
    if new.email:
        await connection.execute(SQL.insert_contact, {"report_id": report_id, "email": new.email})


async def _assets(connection: Connection, ids: set[str]) -> dict[str, _Asset]:
    return {row[0]: _Asset(*row) for row in await fetch(connection, SQL.assets, ids=sorted(ids))}


async def _lamps_near(connection: Connection, lat: float, lon: float) -> list[_Asset]:
    """Return lamps within reach of a point, nearest first."""
    south, west, north, east = box(lat, lon)
    rows = await fetch(connection, SQL.lamps_near, south=south, west=west, north=north, east=east)
    lamps = [_Asset(r[0], AssetKind.LAMP, r[1], r[2], r[3], "", r[4], r[5], r[6]) for r in rows]
    reached = [(distance_m(lat, lon, *lamp.point), lamp) for lamp in lamps if lamp.point is not None]
    return [lamp for metres, lamp in sorted(reached, key=lambda pair: (pair[0], pair[1].asset_id)) if metres <= NEAR_M]


async def _tickets_near(connection: Connection, new: NewReport, incident_key: str) -> list[tuple[int, str, float]]:
    """Return number, root and distance of open tickets near a reported point, nearest first."""
    if new.lat is None or new.lon is None or new.asset_id is not None or new.ticket_id is not None:
        return []
    south, west, north, east = box(new.lat, new.lon)
    rows = await fetch(
        connection, SQL.tickets_near, incident_key=incident_key, south=south, west=west, north=north, east=east
    )
    found = [(number, root, distance_m(new.lat, new.lon, lat, lon)) for number, root, lat, lon in rows]
    return sorted((f for f in found if f[2] <= NEAR_M), key=lambda f: (f[2], f[0]))


def _places_near(case: Case, here: _Asset | desk.ReportedScope) -> tuple[int, ...]:
    """Return the open tickets of places within reach of an asset, nearest first."""
    if here.lat is None or here.lon is None:
        return ()
    found = [
        (distance_m(here.lat, here.lon, ticket.lat, ticket.lon), ticket.ticket_id)
        for ticket in case.open_tickets()
        if ticket.scope_kind == PLACE and ticket.lat is not None and ticket.lon is not None
    ]
    return tuple(ticket_id for metres, ticket_id in sorted(found) if metres <= NEAR_M)
