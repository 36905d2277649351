"""What operators read of the registry, as rows in the shape of the API."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from city.errors import NotFoundError
from city.packfile import shown
from portals_api.operator.differences import differences
from portals_api.paging import decode_cursor, page
from portals_api.rows import Row, rows
from storage import queries
from storage.pool import Pool

_SQL = queries.load(Path(__file__).with_name("registry.sql"))


async def devices(pool: Pool, *, limit: int, cursor: str | None, **filters: Any) -> Row:
    """Return one page of devices; `filters` are text, gateway, profile, origin and retired."""
    after = decode_cursor(cursor, str)
    found = await rows(pool, _SQL.devices, **filters, after=after[0] if after else None, limit=limit + 1)
    return page(found, limit, lambda row: [row["device"]])


async def device(pool: Pool, device_id: str) -> Row:
    """Return one device with its series and what was changed of it.

    Raises
    ------
    NotFoundError
        There is none of that name.
    """
    found = await rows(pool, _SQL.device, device=device_id)
    if not found:
        raise NotFoundError(f"there is no device {shown(device_id)}")
    series = await rows(pool, _SQL.series, device=device_id)
    changes = await events(pool, limit=50, cursor=None, subject="device", subject_id=device_id)
    return {**found[0], "series": series, "changes": changes["items"]}


async def gateways(pool: Pool, *, limit: int, cursor: str | None, text: str | None) -> Row:
    """Return one page of gateways."""
    after = decode_cursor(cursor, str)
    parameters = {"text": text, "after": after[0] if after else None, "limit": limit + 1}
    return page(await rows(pool, _SQL.gateways, **parameters), limit, lambda row: [row["gateway"]])


async def gateway(pool: Pool, gateway_id: str) -> Row:
    """Return one gateway with what was changed of it.

    Raises
    ------
    NotFoundError
        There is none of that name.
    """
    found = await rows(pool, _SQL.gateway, gateway=gateway_id)
    if not found:
        raise NotFoundError(f"there is no gateway {shown(gateway_id)}")
    changes = await events(pool, limit=50, cursor=None, subject="gateway", subject_id=gateway_id)
    return {**found[0], "changes": changes["items"]}


async def profiles(pool: Pool) -> list[Row]:
    """Return all profiles, each with how many devices have it."""
    found = []
    for row in await rows(pool, _SQL.profiles):
        body = row.pop("body")
        body.pop("profile_id")
        codec = body.pop("codec")
        found.append({**row, **body, "has_codec": bool(codec)})
    return found


async def events(
    pool: Pool, *, limit: int, cursor: str | None, subject: str | None = None, subject_id: str | None = None
) -> Row:
    """Return one page of changes, the newest first."""
    after = decode_cursor(cursor, int)
    parameters = {
        "subject": subject,
        "subject_id": subject_id,
        "after": after[0] if after else None,
        "limit": limit + 1,
    }
    found = await rows(pool, _SQL.events, **parameters)
    for event in found:
        event["differences"] = differences(event["detail"]) if event["subject"] != "pack" else []
    return page(found, limit, lambda row: [row["event_id"]])


async def assets_like(pool: Pool, start: str) -> list[str]:
    """Return the first assets whose ids begin so."""
    escaped = start.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return [row["asset_id"] for row in await rows(pool, _SQL.assets_like, start=escaped + "%")]


def names_of(profile: Row) -> frozenset[str]:
    """Return the names on the wire that a profile knows."""
    told: Sequence[Row] = profile["names"]
    return frozenset([*profile["metrics"], *(name["name"] for name in told)])
