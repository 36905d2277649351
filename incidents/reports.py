"""Citizens' reports on their way to the desk: what they are about, whether they came before, and how they are kept."""

from dataclasses import dataclass, replace
from typing import Any

from city.alarm import Severity
from city.clock import to_datetime
from city.errors import ConflictError, DataError, NotFoundError
from city.ticket import TicketState
from incidents import desk
from incidents.assets import KnownAsset, assets_of, lamps_near
from incidents.case import PLACE
from incidents.categories import Catalogue, Category
from incidents.places import box, cell_of, cells_near
from incidents.rows import SQL, Wanted, fetch
from storage.pool import Connection


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
class About:
    """What a report is about, and what its decision must see."""

    scope: desk.ReportedScope
    category: Category
    wanted: Wanted
    district_id: str | None = None


async def earlier_receipt(connection: Connection, new: NewReport) -> Receipt | None:
    """Return the receipt of a report that was taken before under the same key; two of them wait for each other.

    Raises
    ------
    ConflictError
        The key belongs to another report.
    """
    if new.request_key is None:
        return None
    await connection.execute(SQL.lock_request, {"request_key": new.request_key})
    found = await fetch(connection, SQL.report_by_key, request_key=new.request_key)
    if not found:
        return None
    report_id, ticket_id, state, opened, scope_id, category, *content = found[0]
    same = content == [new.asset_id, new.lat, new.lon, new.place, new.description]
    if new.ticket_id is None:
        same = same and category == new.category
    else:
        chain = {row[0] for row in await fetch(connection, SQL.ticket_roots, tickets=[new.ticket_id])}
        answered = await fetch(connection, SQL.ticket_scope, ticket_id=new.ticket_id)
        same = same and (ticket_id in chain or any(row[1] == scope_id for row in answered))
    if not same:
        raise ConflictError("this request key belongs to another report: send a new key with a new report")
    return Receipt(report_id, ticket_id, TicketState(state), joined=not opened, repeated=True)


async def about(connection: Connection, catalogue: Catalogue, new: NewReport, report_id: int) -> About:
    """Return what a report is about.

    Raises
    ------
    DataError
        No such category, a point outside of the city, or nothing says what the report is about.
    NotFoundError
        No such asset or ticket.
    """
    category = catalogue.reportable.get(new.category)
    if new.ticket_id is not None:
        return await _about_ticket(connection, new.ticket_id, category)
    if category is None:
        known = ", ".join(catalogue.reportable)
        raise DataError(f"there is no category {new.category!r}: choose one of {known}")
    if new.asset_id is not None:
        return await _about_asset(connection, new.asset_id, category)
    scope_id = f"{PLACE}-{report_id}"
    if new.lat is not None and new.lon is not None:
        return await _about_point(connection, new.lat, new.lon, scope_id, category)
    if not new.place.strip():
        raise DataError("say where: the number of a lamp, a point on the map, or the place in words")
    return About(desk.ReportedScope(PLACE, scope_id, scope_id), category, Wanted(frozenset({scope_id}), scope=scope_id))


async def _about_ticket(connection: Connection, ticket_id: int, category: Category | None) -> About:
    named = await fetch(connection, SQL.ticket_scope, ticket_id=ticket_id)
    if not named:
        raise NotFoundError(f"there is no ticket {ticket_id}")
    kind, scope_id, root_id, code, key, severity, lat, lon = named[0]
    category = replace(category or Category(code, key, Severity(severity)), incident_key=key)
    scope = desk.ReportedScope(kind, scope_id, root_id, (), lat, lon)
    return About(scope, category, Wanted(frozenset({root_id}), tickets=(ticket_id,), scope=scope_id))


async def _about_asset(connection: Connection, asset_id: str, category: Category) -> About:
    asset = (await assets_of(connection, {asset_id})).get(asset_id)
    if asset is None:
        raise NotFoundError(f"there is no lamp or place {asset_id!r}: check the number on the post")
    scope = desk.ReportedScope(asset.kind, asset.asset_id, asset.root_id, asset.above, asset.lat, asset.lon)
    return About(scope, category, Wanted(frozenset({asset.root_id, *asset.above} | asset.cells), scope=asset_id))


async def _about_point(connection: Connection, lat: float, lon: float, scope_id: str, category: Category) -> About:
    lamps = await lamps_near(connection, lat, lon)
    above = tuple(dict.fromkeys(a for lamp in lamps for a in lamp.above))
    scope = desk.ReportedScope(PLACE, scope_id, cell_of(lat, lon), above, lat, lon)
    # What stands near now may have changed once its roots are locked: the case is looked through again then.
    south, west, north, east = box(lat, lon)
    near = await fetch(
        connection, SQL.tickets_near, incident_key=category.incident_key, south=south, west=west, north=north, east=east
    )
    roots = (
        cells_near(lat, lon) | {root for _, root in near} | {a for lamp in lamps for a in (lamp.root_id, *lamp.above)}
    )
    wanted = Wanted(frozenset(roots), tickets=tuple(number for number, _ in near), scope=scope_id)
    return About(scope, category, wanted, await _district_at(connection, lat, lon, lamps))


async def _district_at(connection: Connection, lat: float, lon: float, lamps: list[KnownAsset]) -> str | None:
    """Return the district of a point: that of the nearest asset."""
    if lamps:
        return lamps[0].district_id
    nearest = await fetch(connection, SQL.nearest, lat=lat, lon=lon)
    if nearest and not nearest[0][1]:
        raise DataError("that point is outside of the city: check the position, or describe the place in words")
    return nearest[0][0] if nearest else None


async def store_report(
    connection: Connection, new: NewReport, report_id: int, ticket_id: int, category: str, now: int
) -> None:
    """Keep a report, and the address of who sent it apart from it."""
    fields: dict[str, Any] = {
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
