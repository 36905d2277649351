"""What operators' routes do to the registry: a change, its publication, and what waits for it sent back."""

import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from city.asset import Device
from city.clock import isoformat
from city.errors import DataError, PackError
from city.packlists import DEVICE_COLUMNS, ListedDevice, device_problems, read_devices, read_gateways, read_profiles
from ingest.claims import fitting, seen_of, send_back
from portals_api.answers.registry import ClaimIn, DeviceIn
from portals_api.operator import registry_rows
from portals_api.portal import Portal
from storage.pool import Connection, engine_errors
from stream import registrar, unknown
from stream.registrar import Author, ChangeReport
from stream.registry import load_ingest_registry, publish

Change = ChangeReport
_MISTAKES_MAX = 20
_EXPORT_PAGE = 10_000


async def put_device(portal: Portal, actor: str, device_id: str, body: DeviceIn) -> Change:
    """Write one device.

    Raises
    ------
    DataError
        An id, a reference or the name on the wire makes no sense.
    """
    listed = _listed(device_id, body)
    return await _change(portal, lambda c: registrar.put_devices(c, [listed], _author(portal, actor)))


async def import_devices(portal: Portal, actor: str, text: str, *, dry_run: bool = False) -> Change:
    """Add or change devices by CSV; `DataError` tells the first mistakes by line."""

    async def work(connection: Connection) -> Change:
        return await registrar.put_devices(connection, read_devices(text), _author(portal, actor), dry_run=dry_run)

    return await _change(portal, work)


async def import_gateways(portal: Portal, actor: str, text: str, *, dry_run: bool = False) -> Change:
    """Add or change gateways by CSV and read again what came from them; `DataError` tells the first mistakes."""

    async def work(connection: Connection) -> Change:
        return await registrar.put_gateways(connection, read_gateways(text), _author(portal, actor), dry_run=dry_run)

    change = await _change(portal, work)
    if change.touched:
        for gateway in change.added:
            await _bring_back(portal, unknown.letters_of_gateway(portal.pool, gateway))
    return change


async def import_profiles(portal: Portal, actor: str, text: str, *, dry_run: bool = False) -> Change:
    """Add or change profiles by TOML; `DataError` tells the first mistakes by line."""

    async def work(connection: Connection) -> Change:
        profiles = read_profiles(text, await registrar.known_metrics(connection), {})
        return await registrar.put_profiles(connection, profiles, {}, _author(portal, actor), dry_run=dry_run)

    return await _change(portal, work)


async def retire(portal: Portal, actor: str, device_id: str) -> Change:
    """Take a device out."""
    return await _change(portal, lambda c: registrar.retire_devices(c, [device_id], _author(portal, actor)))


async def release(portal: Portal, actor: str, device_id: str) -> Change:
    """Give a device back to the city pack."""
    return await _change(portal, lambda c: registrar.release_devices(c, [device_id], _author(portal, actor)))


async def devices_csv(portal: Portal) -> str:
    """Return all devices that are not retired, as an import takes them."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(DEVICE_COLUMNS)
    cursor = None
    while True:
        filters = dict.fromkeys(("text", "gateway", "profile", "origin"))
        found = await registry_rows.devices(portal.pool, limit=_EXPORT_PAGE, cursor=cursor, retired=False, **filters)
        for row in found["items"]:
            address = "" if row["address"] == row["device"] else row["address"]
            writer.writerow([row["device"], row["asset"], row["gateway"], row["profile"], address])
        cursor = found["next"]
        if cursor is None:
            return out.getvalue()


# ---------------------------------------------------------------- claims


async def unknown_of(portal: Portal, part: str | None = None) -> dict[str, Any]:
    """Return devices and gateways that nobody knows."""
    with engine_errors():
        async with portal.pool.connection() as connection:
            devices = await unknown.list_devices(connection, part)
            gateways = await unknown.list_gateways(connection)
    return {
        "devices": [
            {"name": d.name, "gateway": d.gateway_id, "letters": d.letters, **_span(d.first_at, d.last_at)}
            for d in devices
        ],
        "gateways": [{"gateway": g.gateway_id, "letters": g.letters, **_span(g.first_at, g.last_at)} for g in gateways],
    }


async def look_at(portal: Portal, name: str, gateway: str) -> dict[str, Any]:
    """Return what an unknown device has sent lately, and which profiles fit it, the best first."""
    with engine_errors():
        async with portal.pool.connection() as connection:
            letters = await unknown.samples(connection, name, gateway)
            routes = (await load_ingest_registry(connection)).routes
    seen = seen_of(name, letters, routes)
    profiles = {
        row["profile"]: registry_rows.names_of(row)
        for row in await registry_rows.profiles(portal.pool)
        if not row["retired"]
    }
    fits = [{"profile": profile, "known": known} for profile, known in fitting(seen, profiles)]
    return {"values": seen.values, "units": seen.units, "profiles": fits}


async def claim(portal: Portal, actor: str, body: ClaimIn) -> dict[str, Any]:
    """Make an unknown device a known one, and send back what waits for it.

    Raises
    ------
    DataError
        An id, a reference or the name on the wire makes no sense.
    """
    listed = _listed(body.device, body)
    author = _author(portal, actor)
    change = await _change(portal, lambda c: registrar.put_devices(c, [listed], author, kind="claimed"))
    waiting = unknown.letters_of_device(portal.pool, body.address or body.device)
    return {"device": body.device, "version": change.version, **await _bring_back(portal, waiting)}


async def _bring_back(portal: Portal, pages: AsyncIterator[list[str]]) -> dict[str, Any]:
    """Replay letters, as many as one answer has time for."""
    with engine_errors():
        async with portal.pool.connection() as connection:
            known = await load_ingest_registry(connection)
    report, complete = await send_back(portal.pool, portal.deps.log, pages, known, portal.deps.clock.now_us())
    return {
        "letters": report.letters,
        "readings": report.readings,
        "still_bad": report.still_bad,
        "complete": complete,
    }


# ---------------------------------------------------------------- inside


async def _change(portal: Portal, work: Callable[[Connection], Awaitable[Change]]) -> Change:
    """Do one change and let detection learn of it."""
    try:
        with engine_errors():
            async with portal.pool.connection() as connection:
                report = await work(connection)
    except PackError as exc:
        told = "; ".join(str(mistake).removeprefix("devices.csv: ") for mistake in exc.mistakes[:_MISTAKES_MAX])
        more = len(exc.mistakes) - _MISTAKES_MAX
        raise DataError(told + (f"; and {more} more" if more > 0 else "")) from exc
    if report.touched:
        at_us = portal.deps.clock.now_us()
        await publish(portal.pool, portal.deps.log, at_us, changed=(report.version, report.roots))
    return report


def _listed(device_id: str, body: DeviceIn) -> ListedDevice:
    device = Device(device_id, body.asset, body.gateway, body.profile, body.address)
    problems = list(device_problems(device))
    if problems:
        raise DataError("; ".join(problems))
    return ListedDevice(0, device)


def _author(portal: Portal, actor: str) -> Author:
    return Author(actor, portal.deps.clock.now_us())


def _span(first_at: int, last_at: int) -> dict[str, str]:
    return {"first_at": isoformat(first_at), "last_at": isoformat(last_at)}
