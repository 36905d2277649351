"""What the desk looks up in the inventory: where an asset hangs, what is near a point, which schedule commands it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from city.asset import AssetKind
from city.lighting import LightingSchedule
from incidents.case import PLACE, Case, CaseTicket
from incidents.places import NEAR_M, box, cells_near, distance_m
from incidents.rows import SQL, fetch
from storage.pool import Connection


@dataclass(frozen=True, slots=True)
class KnownAsset:
    """An asset of the inventory."""

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
    def above(self) -> tuple[str, ...]:
        """Return what feeds it and speaks for it, nearest first."""
        found = (self.parent_id, self.root_id, self.gateway_id)
        return tuple(dict.fromkeys(a for a in found if a and a != self.asset_id))

    @property
    def cells(self) -> set[str]:
        """Return the cells of the map that hold everything near it."""
        return set() if self.lat is None or self.lon is None else cells_near(self.lat, self.lon)


class Located(Protocol):
    """Something that may stand on the map."""

    @property
    def lat(self) -> float | None: ...

    @property
    def lon(self) -> float | None: ...


async def assets_of(connection: Connection, ids: set[str]) -> dict[str, KnownAsset]:
    """Return what is known of these ids."""
    return {row[0]: KnownAsset(*row) for row in await fetch(connection, SQL.assets, ids=sorted(ids))}


async def lamps_near(connection: Connection, lat: float, lon: float) -> list[KnownAsset]:
    """Return lamps within reach of a point, nearest first."""
    south, west, north, east = box(lat, lon)
    rows = await fetch(connection, SQL.lamps_near, south=south, west=west, north=north, east=east)
    lamps = [KnownAsset(r[0], AssetKind.LAMP, r[1], r[2], r[3], "", r[4], r[5], r[6]) for r in rows]
    reached = [(distance_m(lat, lon, at[0], at[1]), lamp) for lamp in lamps if (at := _point(lamp)) is not None]
    return [lamp for metres, lamp in sorted(reached, key=lambda pair: (pair[0], pair[1].asset_id)) if metres <= NEAR_M]


async def schedule_of(connection: Connection, kind: str, asset_id: str) -> LightingSchedule | None:
    """Return the lighting schedule that commands an asset, if one does."""
    rows = await fetch(connection, SQL.schedule, kind=kind, id=asset_id)
    return LightingSchedule.from_plain(rows[0][0]) if rows else None


def tickets_near(case: Case, here: Located) -> tuple[int, ...]:
    """Return the open tickets of the case within reach of a point, nearest first."""
    return _near(case, here, lambda ticket: True)


def places_near(case: Case, here: Located) -> tuple[int, ...]:
    """Return the open tickets that citizens opened for a place within reach of an asset, nearest first."""
    return _near(case, here, lambda ticket: ticket.scope_kind == PLACE)


def _near(case: Case, here: Located, wanted: Callable[[CaseTicket], bool]) -> tuple[int, ...]:
    at = _point(here)
    if at is None:
        return ()
    found = [
        (distance_m(at[0], at[1], point[0], point[1]), ticket.ticket_id)
        for ticket in case.tickets.values()
        if ticket.open and wanted(ticket) and (point := _point(ticket)) is not None
    ]
    return tuple(ticket_id for metres, ticket_id in sorted(found) if metres <= NEAR_M)


def _point(here: Located) -> tuple[float, float] | None:
    return None if here.lat is None or here.lon is None else (here.lat, here.lon)
