"""Operators' changes of the registry: checked whole, in force at once, kept over imports, each one an event.

A list is taken whole or not at all. Whoever calls these publishes afterwards (`stream.publication.publish`), so that
detection learns of it; a crash in between is mended by the next publication.
"""

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from city.asset import Device, DeviceProfile, Gateway, shard_of
from city.clock import to_datetime
from city.errors import ConflictError, Mistake, NotFoundError, PackError
from city.metric import Metric
from city.packfile import shown
from city.packlists import ListedDevice, ListedGateway
from city.packwhole import CABINET_DEVICES_MAX
from storage import queries
from storage.pool import Connection, engine_errors
from stream import wire

_SQL = queries.load(Path(__file__).with_suffix(".sql"))

_HINTS = {
    "asset": "names no lamp, facility, feeder or cabinet: add it to the city pack, or mend the name",
    "gateway": "names no gateway: add the gateway first, or mend the name",
    "profile": "names no profile: add the profile first, or mend the name",
}


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something, and when: city time, µs UTC."""

    actor: str
    at_us: int


@dataclass(frozen=True, slots=True)
class ChangeReport:
    """What a list did, or would do.

    Attributes
    ----------
    version : int
        Of the registry afterwards; 0 where nothing was changed.
    roots : frozenset of str
        Cabinets and facilities that detection must learn anew.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: int = 0
    version: int = 0
    roots: frozenset[str] = frozenset()

    @property
    def touched(self) -> bool:
        """Whether there is anything to publish."""
        return bool(self.version)


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
    async with _changing(connection):
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
        await _settle(connection, [*added, *changed])
        version = await _next_version(connection)
        told = {d.device_id: d for _, d in listed}
        for identity in (*added, *changed):
            was = before.get(identity)
            detail = _device_detail(told[identity])
            if was is not None:
                detail["was"] = dict(zip(("asset", "gateway", "profile", "address", "retired"), was[2:7], strict=True))
            word = kind or ("added" if was is None else "changed")
            await _note(connection, author, word, ("device", identity), detail, version)
        roots = await _roots(connection, [told[identity].asset_id for identity in (*added, *changed)])
        return ChangeReport(added, changed, len(same), version, frozenset({*old_roots, *roots.values()}))


async def retire_devices(connection: Connection, device_ids: Sequence[str], author: Author) -> ChangeReport:
    """Take devices out: their readings are set aside from now on, their history stays.

    Raises
    ------
    NotFoundError
        One of them does not exist.
    """
    return await _set(connection, device_ids, author, "retired")


async def release_devices(connection: Connection, device_ids: Sequence[str], author: Author) -> ChangeReport:
    """Give devices back to the city pack: its next import says what they are, and retires those that it does not name.

    Raises
    ------
    NotFoundError
        One of them does not exist.
    """
    return await _set(connection, device_ids, author, "released")


async def put_gateways(
    connection: Connection, listed: Sequence[ListedGateway], author: Author, *, dry_run: bool = False
) -> ChangeReport:
    """Add or change gateways.

    Raises
    ------
    PackError
        An id belongs to an asset of another kind, or a district does not exist. Nothing is changed then.
    """
    async with _changing(connection):
        rows = await (
            await connection.execute(_SQL.gateways_as_they_are, {"gateways": [g.gateway_id for _, g in listed]})
        ).fetchall()
        before = {row[0]: row for row in rows}
        districts = {row[0] for row in await (await connection.execute(_SQL.known_districts)).fetchall()}
        _demand_gateways(listed, before, districts)
        same = {g.gateway_id for _, g in listed if before.get(g.gateway_id, ())[2:] == (*_place(g), False)}
        added = tuple(g.gateway_id for _, g in listed if g.gateway_id not in before)
        changed = tuple(g.gateway_id for _, g in listed if g.gateway_id in before and g.gateway_id not in same)
        if dry_run or not added + changed:
            return ChangeReport(added, changed, len(same))
        version = await _next_version(connection)
        for _, gateway in listed:
            if gateway.gateway_id in same:
                continue
            await _put_gateway(connection, gateway)
            word = "changed" if gateway.gateway_id in before else "added"
            names = ("name", "lat", "lon", "district")
            detail: dict[str, Any] = dict(zip(names, _place(gateway), strict=True))
            if gateway.gateway_id in before:
                detail["was"] = dict(zip((*names, "retired"), before[gateway.gateway_id][2:7], strict=True))
            await _note(connection, author, word, ("gateway", gateway.gateway_id), detail, version)
        return ChangeReport(added, changed, len(same), version)


async def put_profiles(
    connection: Connection,
    profiles: Sequence[DeviceProfile],
    codecs: Mapping[str, str],
    author: Author,
    *,
    dry_run: bool = False,
) -> ChangeReport:
    """Add or change profiles; devices of theirs follow at once."""
    async with _changing(connection):
        before = {row[0]: row for row in await (await connection.execute(_SQL.profiles)).fetchall()}
        bodies = {p.profile_id: wire.plain_profile(p, codecs) for p in profiles}
        same = {identity for identity, body in bodies.items() if before.get(identity, ())[1:3] == (body, False)}
        added = tuple(identity for identity in bodies if identity not in before)
        changed = tuple(identity for identity in bodies if identity in before and identity not in same)
        if dry_run or not added + changed:
            return ChangeReport(added, changed, len(same))
        version = await _next_version(connection)
        for identity in (*added, *changed):
            await connection.execute(_SQL.put_profile, {"profile": identity, "body": Jsonb(bodies[identity])})
            word = "added" if identity in added else "changed"
            detail = _profile_detail(bodies[identity])
            if identity in before:
                detail["was"] = {**_profile_detail(before[identity][1]), "retired": before[identity][2]}
            await _note(connection, author, word, ("profile", identity), detail, version)
        rows = await (await connection.execute(_SQL.devices_of_profiles, {"profiles": list(changed)})).fetchall()
        await _settle(connection, [row[0] for row in rows])
        return ChangeReport(added, changed, len(same), version, frozenset(row[1] for row in rows))


async def known_metrics(connection: Connection) -> list[Metric]:
    """Return the metrics of the city."""
    return [Metric(*row) for row in await (await connection.execute(_SQL.metrics)).fetchall()]


# ---------------------------------------------------------------- inside


@asynccontextmanager
async def _changing(connection: Connection) -> AsyncIterator[None]:
    """Hold the registry alone until all of a change is written."""
    with engine_errors():
        async with connection.transaction():
            await connection.execute(_SQL.lock)
            yield


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


def _demand_gateways(listed: Sequence[ListedGateway], before: Mapping[str, Sequence[Any]], districts: set[str]) -> None:
    mistakes = []
    for line, gateway in listed:
        was = before.get(gateway.gateway_id)
        if was is not None and was[1] != "gateway":
            text = f"{shown(gateway.gateway_id)} is the name of a {was[1]} already: choose another"
            mistakes.append(Mistake("gateways.csv", line, text))
        if gateway.district_id not in districts:
            text = f"district_id {shown(gateway.district_id)} names no district: mend the name"
            mistakes.append(Mistake("gateways.csv", line, text))
    if mistakes:
        raise PackError(mistakes, "the list")


async def _set(connection: Connection, device_ids: Sequence[str], author: Author, kind: str) -> ChangeReport:
    async with _changing(connection):
        rows = await (await connection.execute(_SQL.devices_for_change, {"devices": list(device_ids)})).fetchall()
        missing = sorted(set(device_ids) - {row[0] for row in rows})
        if missing:
            raise NotFoundError(f"there is no device {shown(missing[0])}")
        done = {row[0] for row in rows if (row[2] if kind == "retired" else row[3] == "pack")}
        changed = tuple(row[0] for row in rows if row[0] not in done)
        if not changed:
            return ChangeReport(unchanged=len(done))
        statement = _SQL.retire_devices if kind == "retired" else _SQL.release_devices
        await connection.execute(statement, {"devices": list(changed)})
        version = await _next_version(connection)
        for identity in changed:
            await _note(connection, author, kind, ("device", identity), {}, version)
        return ChangeReport((), changed, len(done), version, frozenset(row[1] for row in rows if row[0] in changed))


async def _settle(connection: Connection, device_ids: Sequence[str]) -> None:
    """Give devices the intervals and series of their profiles."""
    for statement in (_SQL.settle_intervals, _SQL.settle_series, _SQL.settle_retired_series):
        await connection.execute(statement, {"devices": list(device_ids)})


async def _put_gateway(connection: Connection, gateway: Gateway) -> None:
    await connection.execute(
        _SQL.put_gateway,
        {
            "gateway": gateway.gateway_id,
            "name": gateway.name,
            "lat": gateway.lat,
            "lon": gateway.lon,
            "district": gateway.district_id,
        },
    )
    await connection.execute(_SQL.number_gateway, {"gateway": gateway.gateway_id})


async def _roots(connection: Connection, asset_ids: Iterable[str]) -> dict[str, str]:
    cursor = await connection.execute(_SQL.roots_of_assets, {"assets": list(asset_ids)})
    return {asset: root for asset, root in await cursor.fetchall()}  # noqa: C416 - rows have no type of their own


async def _next_version(connection: Connection) -> int:
    row = await (await connection.execute(_SQL.next_version)).fetchone()
    if row is None:
        raise ConflictError("no city was imported into this database yet: start with `citynerve up`")
    return int(row[0])


async def _note(
    connection: Connection, author: Author, kind: str, subject: tuple[str, str], detail: dict[str, Any], version: int
) -> None:
    await connection.execute(
        _SQL.note,
        {
            "at": to_datetime(author.at_us),
            "actor": author.actor,
            "kind": kind,
            "subject": subject[0],
            "subject_id": subject[1],
            "detail": Jsonb(detail),
            "version": version,
        },
    )


def _device_detail(device: Device) -> dict[str, Any]:
    return {
        "asset": device.asset_id,
        "gateway": device.gateway_id,
        "profile": device.profile_id,
        "address": device.address or None,
    }


def _profile_detail(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a profile says; of a codec, which may be long, only which one it is."""
    told = {name: value for name, value in body.items() if name != "profile_id" and value not in ("", [], None)}
    if body.get("codec"):
        told["codec"] = hashlib.sha256(body["codec"].encode()).hexdigest()[:12]
    return told


def _place(gateway: Gateway) -> tuple[str, float, float, str]:
    return gateway.name, gateway.lat, gateway.lon, gateway.district_id
