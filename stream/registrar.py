"""Operators' changes of devices: checked whole, in force at once, kept over imports, each one an event.

A list is taken whole or not at all. Whoever calls these publishes afterwards (`stream.publication.publish`), so that
detection learns of it; a crash in between is mended by the next publication.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from city.asset import Device, shard_of
from city.errors import Mistake, PackError
from city.packfile import shown
from city.packlists import ListedDevice
from city.packwhole import CABINET_DEVICES_MAX
from storage import queries
from storage.pool import Connection
from stream import changes
from stream.changes import Author, ChangeReport, Subject

_SQL = queries.load(Path(__file__).with_suffix(".sql"))

_DEVICE = Subject("device", _SQL.devices_held, _SQL.set_devices, _SQL.roots_of_devices)
_HINTS = {
    "asset": "names no lamp, facility, feeder or cabinet: add it to the city pack, or mend the name",
    "gateway": "names no gateway: add the gateway first, or mend the name",
    "profile": "names no profile: add the profile first, or mend the name",
}


async def put_devices(
    connection: Connection, listed: Sequence[ListedDevice], author: Author, *, dry_run: bool = False, kind: str = ""
) -> ChangeReport:
    """Add or change devices.

    Parameters
    ----------
    kind : str
        Of the events; ``added`` or ``changed`` unless given.

    Raises
    ------
    PackError
        A row names an asset, gateway or profile that there is not, a name on the wire that another device has, or
        makes one cabinet too large. Nothing is changed then.
    """
    async with changes.changing(connection):
        await _stage(connection, listed)
        await _demand_sound(connection)
        rows = await (await connection.execute(_SQL.devices_as_they_are)).fetchall()
        before = {row[0]: row for row in rows}
        same = {row[0] for row in rows if row[7]}
        added = tuple(d.device_id for _, d in listed if d.device_id not in before)
        changed = tuple(d.device_id for _, d in listed if d.device_id in before and d.device_id not in same)
        if dry_run or not added + changed:
            return ChangeReport(added, changed, len(same))
        old_roots = {row[1] for row in rows if row[0] not in same}
        await connection.execute(_SQL.free_addresses)
        await connection.execute(_SQL.put_devices)
        await changes.settle(connection, [*added, *changed])
        version = await changes.next_version(connection)
        told = {d.device_id: d for _, d in listed}
        for identity in (*added, *changed):
            was = before.get(identity)
            detail = _device_detail(told[identity])
            if was is not None:
                detail["was"] = dict(zip(("asset", "gateway", "profile", "address", "retired"), was[2:7], strict=True))
            word = kind or ("added" if was is None else "changed")
            await changes.note(connection, author, word, ("device", identity), detail, version)
        roots = await _roots(connection, [told[identity].asset_id for identity in (*added, *changed)])
        return ChangeReport(added, changed, len(same), version, frozenset({*old_roots, *roots.values()}))


async def retire_devices(connection: Connection, device_ids: Sequence[str], author: Author) -> ChangeReport:
    """Take devices out: their readings are set aside from now on, their history stays.

    Raises
    ------
    NotFoundError
        One of them does not exist.
    """
    return await changes.set_standing(connection, device_ids, author, "retired", _DEVICE)


async def release_devices(connection: Connection, device_ids: Sequence[str], author: Author) -> ChangeReport:
    """Give devices back to the city pack: its next import says what they are, and retires those that it does not name.

    Raises
    ------
    NotFoundError
        One of them does not exist.
    """
    return await changes.set_standing(connection, device_ids, author, "released", _DEVICE)


async def _stage(connection: Connection, listed: Sequence[ListedDevice]) -> None:
    roots = await _roots(connection, [device.asset_id for _, device in listed])
    await connection.execute(_SQL.stage_devices)
    async with connection.cursor() as cursor, cursor.copy(_SQL.copy_devices) as copy:
        for line, device in listed:
            root = roots.get(device.asset_id)
            shard = None if root is None else shard_of(root)
            address = device.address if device.address != device.device_id else ""
            await copy.write_row(
                (line, device.device_id, device.asset_id, device.gateway_id, device.profile_id, address or None, shard)
            )


async def _demand_sound(connection: Connection) -> None:
    rows = await (await connection.execute(_SQL.device_problems)).fetchall()
    mistakes = []
    for line, column, value, owner in rows:
        hint = _HINTS.get(column) or f"is the name of {owner} on the wire already: every device has one of its own"
        mistakes.append(Mistake("devices.csv", line, f"{column} {shown(value)} {hint}"))
    if not mistakes:
        crowded = await (await connection.execute(_SQL.crowded_roots, {"most": CABINET_DEVICES_MAX})).fetchall()
        for root, count in crowded:
            text = f"{root} would have {count} devices, {CABINET_DEVICES_MAX} at most go below one cabinet or facility"
            mistakes.append(Mistake("devices.csv", 0, text))
    if mistakes:
        raise PackError(mistakes, "the list")


async def _roots(connection: Connection, asset_ids: Iterable[str]) -> dict[str, str]:
    cursor = await connection.execute(_SQL.roots_of_assets, {"assets": list(asset_ids)})
    return {asset: root for asset, root in await cursor.fetchall()}  # noqa: C416 - rows have no type of their own


def _device_detail(device: Device) -> dict[str, Any]:
    return {
        "asset": device.asset_id,
        "gateway": device.gateway_id,
        "profile": device.profile_id,
        "address": device.address or None,
    }
