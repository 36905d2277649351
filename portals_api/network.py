"""What hangs together: feeders, cabinets and gateways, for who may see them; and the districts of the city."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from city.clock import isoformat
from city.errors import NotFoundError
from city.topics import is_name
from portals_api import reads, ticket_reads
from portals_api.i18n import plain_text
from portals_api.observa.ledger_rows import read_page
from portals_api.paging import decode_cursor, page
from portals_api.rows import Row, rows
from portals_api.ticket_reads import TicketFilter
from portals_api.visibility import Viewer, hidden_kinds, visible
from storage import queries
from storage.pool import Pool, engine_errors
from stream.accounts import LedgerQuery
from stream.clocks import read_clock

_SQL = queries.load(Path(__file__).with_suffix(".sql"))
_LAMPS_MAX, _TICKETS_MAX, _DEVICES_MAX, _NEIGHBOURS_EACH, _HOURS = 300, 20, 1000, 3, 24

PLURALS = {"feeder": "feeders", "cabinet": "cabinets", "gateway": "gateways"}
"""Kinds that have pages here, and the folder of their addresses."""


async def listed(
    pool: Pool, viewer: Viewer, kind: str, *, limit: int, cursor: str | None = None, district: str | None = None
) -> Row:
    """Return one page of feeders, cabinets or gateways, by id.

    Raises
    ------
    NotFoundError
        They are not for this viewer.
    CursorError
        `cursor` is not of this list.
    """
    if not visible(kind, viewer):
        raise NotFoundError(f"{PLURALS[kind]} are for staff")
    after = decode_cursor(cursor, str)
    found = await rows(
        pool,
        _SQL.page_of_kind,
        kind=kind,
        district=district,
        after=after[0] if after else None,
        limit=limit + 1,
    )
    for one in found:
        one["url"] = f"/{PLURALS[kind]}/{one['id']}"
    return page(found, limit, lambda one: [one["id"]])


async def _asset(pool: Pool, viewer: Viewer, kind: str, asset_id: str) -> Row:
    """Return an asset with its tickets and alarms.

    Raises
    ------
    NotFoundError
        There is none of that name, or not for this viewer.
    """
    known = is_name(asset_id) and visible(kind, viewer)
    found = await rows(pool, _SQL.asset, id=asset_id, kind=kind) if known else []
    if not found:
        raise NotFoundError(f"there is no {kind} {asset_id!r}")
    one = found[0]
    tickets = await ticket_reads.tickets(pool, viewer, TicketFilter(scope=asset_id), limit=_TICKETS_MAX)
    return {
        **one,
        "url": f"/{PLURALS[kind]}/{asset_id}",
        "tickets": tickets["items"],
        "alarms": await reads.asset_alarms(pool, asset_id),
    }


async def feeder(pool: Pool, viewer: Viewer, feeder_id: str) -> Row:
    """Return one feeder: where it hangs, what its lamps do, its tickets and alarms.

    Raises
    ------
    NotFoundError
        There is none of that name, or not for this viewer.
    """
    one = await _asset(pool, viewer, "feeder", feeder_id)
    attributes, cabinet_id = one.pop("attributes"), one.pop("parent")
    found = await reads.lamps(pool, viewer, limit=_LAMPS_MAX, feeder=feeder_id)
    lamps = [
        {name: lamp[name] for name in ("id", "url", "state", "phase", "rated_w", "street")} for lamp in found["items"]
    ]
    states = Counter(lamp["state"] for lamp in lamps)
    return {
        **one,
        "cabinet": cabinet_id,
        "switching": attributes.get("switching"),
        "schedule": attributes.get("schedule_id"),
        "streets": sorted({lamp["street"] for lamp in lamps if lamp["street"]}, key=plain_text),
        "rated_w": sum(lamp["rated_w"] or 0.0 for lamp in lamps),
        "lamp_states": {state: states.get(state, 0) for state in ("ok", "faulty", "out")},
        "phases": dict(sorted(Counter(lamp["phase"] or "?" for lamp in lamps).items())),
        "lamps": lamps,
        "more_lamps": found["next"] is not None,
        "series": await reads.asset_series(pool, feeder_id),
    }


async def cabinet(pool: Pool, viewer: Viewer, cabinet_id: str) -> Row:
    """Return one cabinet: its feeders with their lamps, its gateway, its tickets and alarms.

    Raises
    ------
    NotFoundError
        There is none of that name, or not for this viewer.
    """
    one = await _asset(pool, viewer, "cabinet", cabinet_id)
    del one["attributes"], one["parent"]
    feeders = await rows(pool, _SQL.feeders_of, cabinet=cabinet_id)
    for row in feeders:
        row["url"] = f"/feeders/{row['id']}"
    return {**one, "feeders": feeders, "series": await reads.asset_series(pool, cabinet_id)}


async def registered_gateways(pool: Pool, gateways: Iterable[str]) -> frozenset[str]:
    """Return those of these gateways that have a page; the others are only names on the wire."""
    found = await rows(pool, _SQL.registered_gateways, gateways=sorted(set(gateways)))
    return frozenset(row["asset_id"] for row in found)


async def gateway(pool: Pool, viewer: Viewer, gateway_id: str) -> Row:
    """Return one gateway: whether it is connected, the devices it speaks for, its ledger by hour.

    Raises
    ------
    NotFoundError
        There is none of that name, or not for this viewer.
    """
    one = await _asset(pool, viewer, "gateway", gateway_id)
    del one["attributes"], one["parent"]
    state = (await rows(pool, _SQL.gateway_state, gateway=gateway_id) or [{"state": "unknown", "state_at": None}])[0]
    devices = await rows(pool, _SQL.gateway_devices, gateway=gateway_id, limit=_DEVICES_MAX)
    count = (await rows(pool, _SQL.device_count, gateway=gateway_id))[0]["devices"]
    cabinets = [row["id"] for row in await rows(pool, _SQL.gateway_cabinets, gateway=gateway_id)]
    with engine_errors():
        async with pool.connection() as connection:
            clock = await read_clock(connection, gateway_id)
    ledger = await read_page(pool, LedgerQuery(gateway_id, limit=_HOURS))
    return {
        **one,
        **state,
        "device_count": count,
        "devices": devices,
        "cabinets": cabinets,
        "clock": None if clock is None else {**asdict(clock.clock), "hour": isoformat(clock.hour)},
        "ledger": ledger["items"],
    }


async def devices_of(pool: Pool, asset_id: str) -> list[Row]:
    """Return the devices that measure an asset."""
    return await rows(pool, _SQL.lamp_device, asset=asset_id)


def for_viewer(devices: list[Row], viewer: Viewer) -> list[Row]:
    """Return devices without their gateway for who may not see gateways."""
    return devices if visible("gateway", viewer) else [{**device, "gateway": None} for device in devices]


async def neighbours(pool: Pool, viewer: Viewer, lamp: Row) -> list[Row]:
    """Return the lamps before and after one on its feeder; none for who may not see feeders."""
    if not visible("feeder", viewer) or not lamp["feeder"]:
        return []
    found = await rows(pool, _SQL.neighbours, feeder=lamp["feeder"], lamp=lamp["id"], each=_NEIGHBOURS_EACH)
    ids = sorted(row["id"] for row in found)
    return await reads.lamps_of(pool, viewer, ids)


async def districts(pool: Pool, viewer: Viewer) -> list[Row]:
    """Return every district with its lamps, facilities and open tickets, by name."""
    found = await rows(pool, _SQL.districts, district=None, hidden=hidden_kinds(viewer))
    for one in found:
        one["url"] = f"/districts/{one['id']}"
    return sorted(found, key=lambda one: plain_text(one["name"]))


async def district(pool: Pool, viewer: Viewer, district_id: str) -> Row:
    """Return one district: lamps by state, open tickets, facilities.

    Raises
    ------
    NotFoundError
        There is none of that name.
    """
    if not is_name(district_id):
        raise NotFoundError(f"there is no district {district_id!r}")
    await reads.demand_district(pool, district_id)
    one = (await rows(pool, _SQL.districts, district=district_id, hidden=hidden_kinds(viewer)))[0]
    out = 0
    if visible("feeder", viewer):
        out = (await rows(pool, _SQL.district_out, district=district_id))[0]["out"]
    wanted = TicketFilter(district=district_id, open_only=True)
    faulty = one.pop("faulty")
    return {
        **one,
        "url": f"/districts/{district_id}",
        **(await rows(pool, _SQL.district_centre, district=district_id))[0],
        "lamp_states": {"ok": max(one["lamps"] - faulty - out, 0), "faulty": faulty, "out": out},
        "ticket_list": (await ticket_reads.tickets(pool, viewer, wanted, limit=_TICKETS_MAX))["items"],
        "facility_list": (await reads.facilities(pool, limit=_LAMPS_MAX, district=district_id))["items"],
    }
