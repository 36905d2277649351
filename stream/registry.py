"""The registry: a city pack into the database, out of it for ingest and detection, and onto the log."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, LiteralString, NamedTuple

from psycopg import AsyncCursor

from city.alarm import FaultClass, Scope
from city.asset import AssetKind, GatewayDefinition, Switching, shard_of
from city.clock import SystemClock, to_datetime
from city.errors import SettingsError
from city.lighting import LightingSchedule
from city.opening import from_plain
from city.pack import CityPack, ServiceCategory
from city.registry import (
    DeviceDefinition,
    FaultRules,
    FeederDefinition,
    IngestRegistry,
    RootDefinition,
    SeriesDefinition,
    told_apart,
)
from city.topics import SHARDS
from storage import queries
from storage.pool import Connection, engine_errors
from stream import maintenance, wire
from stream.assets import asset_rows
from stream.installation import ensure_installation, load_clock, resume_clock
from stream.lock import hold_registry
from stream.uncollected import build_aside

__all__ = [
    "ImportReport",
    "ensure_installation",
    "import_pack",
    "load_categories",
    "load_clock",
    "load_ingest_registry",
    "load_roots",
    "resume_clock",
]

_SQL = queries.load(Path(__file__).with_suffix(".sql"))

_PIECE_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Attributes
    ----------
    changed : bool
        False where the database knew everything already.
    rows : dict
        Rows written or retired, by kind.
    """

    registry_version: int
    changed: bool
    rows: dict[str, int]


class Standing(NamedTuple):
    """What the database knows of itself; `published` is the version that stands on the log."""

    version: int
    published: int
    published_at_us: int
    log_identity: str
    pack_version: str
    pack: dict[str, Any]


async def import_pack(
    connection: Connection, pack: CityPack, partitions: int, *, at_us: int | None = None
) -> ImportReport:
    """Bring the registry in line with a pack; the same pack again changes nothing.

    Parameters
    ----------
    partitions : int
        Of the log's `readings`, for shards that have no partition yet.
    at_us : int, optional
        When it is imported, µs UTC, for the events; the machine's time unless given.

    Raises
    ------
    SettingsError
        The database belongs to another city, its shards to a log with more partitions, or an operator has given a name
        on the wire to another device than the pack does.
    EngineError
        The database did not answer.
    """
    at = to_datetime(SystemClock().now_us() if at_us is None else at_us)
    with engine_errors():
        async with connection.transaction():
            await hold_registry(connection)
            await _stage(connection, pack)
            if await _one(connection, _SQL.another_city):
                raise SettingsError(
                    f"the database holds another city, none of whose devices {pack.name} has: use another database"
                )
            first = not await _one(connection, _SQL.any_device)
            rows = await _merge(connection, partitions)
            changed = any(rows.values())
            before = await (await connection.execute(_SQL.version)).fetchone()
            parameters = {
                "city": pack.name,
                "timezone": pack.timezone,
                "simulated": pack.simulated,
                "pack_version": pack.version,
                "pack": _json(_settings(pack)),
                "changed": changed,
            }
            version = await _one(connection, _SQL.settle, parameters)
            report = ImportReport(int(version), before is None or version != before[0], rows)
            if report.changed:
                note = {"at": at, "pack_version": pack.version, "rows": _json(rows), "version": version}
                await connection.execute(_SQL.note_import, {**note, "each": not first})
            return report


async def load_ingest_registry(connection: Connection) -> IngestRegistry:
    """Load what ingest looks up for every message; retired gateways, devices and metrics are unknown.

    Raises
    ------
    SettingsError
        Nothing was imported yet.
    """
    with engine_errors():
        async with connection.transaction():
            installation = await installation_of(connection)
            gateways: dict[str, int] = dict(await (await connection.execute(_SQL.ingest_gateways)).fetchall())
            retired = frozenset(row[0] for row in await (await connection.execute(_SQL.retired_gateways)).fetchall())
            profiles: dict[str, Any] = dict(await (await connection.execute(_SQL.profiles)).fetchall())
            rows = await _piecewise(await connection.execute(_SQL.ingest_series))
    routes = wire.routes(installation.pack)
    devices = await build_aside(wire.devices, rows, profiles)
    return IngestRegistry(gateways, devices, installation.version, routes, retired)


async def _piecewise(cursor: AsyncCursor[Any]) -> list[Any]:
    """Return all rows; between pieces, of some ten milliseconds each, the event loop goes on."""
    rows: list[Any] = []
    while piece := await cursor.fetchmany(_PIECE_ROWS):
        rows += piece
        await asyncio.sleep(0)
    return rows


async def load_roots(
    connection: Connection, only: Collection[str] | None = None, at_us: int = 0
) -> list[RootDefinition]:
    """Load every cabinet and facility whole, in the order of their ids, or those named in `only`.

    Parameters
    ----------
    at_us : int
        Maintenance windows that ended long before are left out, µs UTC.

    Raises
    ------
    SettingsError
        Nothing was imported yet.
    """
    which = {"roots": None if only is None else sorted(only)}
    with engine_errors():
        async with connection.transaction():
            standing = await installation_of(connection)
            roots = await (await connection.execute(_SQL.roots, which)).fetchall()
            feeder_rows = await (await connection.execute(_SQL.root_feeders, which)).fetchall()
            device_rows = await (await connection.execute(_SQL.root_devices, which)).fetchall()
            gateway_rows = await (await connection.execute(_SQL.root_gateways, which)).fetchall()
            windows = await maintenance.of_roots(connection, only, at_us)
    schedules = {s["schedule_id"]: LightingSchedule.from_plain(s) for s in standing.pack.get("schedules", ())}
    rules = FaultRules(**standing.pack.get("rules", {}))
    feeders: dict[str, list[FeederDefinition]] = defaultdict(list)
    for root, feeder, group, gateway, switching, schedule in feeder_rows:
        scope = Scope(AssetKind.FEEDER, feeder, root, group, feeder, gateway)
        feeders[root].append(FeederDefinition(scope, Switching(switching), schedules[schedule]))
    gateways: dict[str, list[GatewayDefinition]] = defaultdict(list)
    for root, *told in gateway_rows:
        gateways[root].append(GatewayDefinition(*told))
    devices: dict[str, list[DeviceDefinition]] = defaultdict(list)
    for row in device_rows:
        devices[row[0]].append(_device(row))
    return [
        RootDefinition(
            root,
            AssetKind(kind),
            group,
            standing.pack_version,
            tuple(feeders[root]),
            told_apart(devices[root]),
            rules,
            None if opening is None else from_plain(opening),
            timezone,
            windows.get(root, ()),
            tuple(gateways[root]),
        )
        for root, kind, group, opening, timezone in roots
    ]


async def load_categories(connection: Connection) -> tuple[ServiceCategory, ...]:
    """Load the service categories of the city.

    Raises
    ------
    SettingsError
        Nothing was imported yet.
    """
    with engine_errors():
        settings = (await installation_of(connection)).pack
    return tuple(
        ServiceCategory(c["code"], c["names"], tuple(FaultClass(f) for f in c["faults"]), c["sla_hours"], c["crew"])
        for c in settings.get("categories", ())
    )


def _device(row: Sequence[Any]) -> DeviceDefinition:
    (
        root,
        device,
        kind,
        asset,
        group,
        feeder,
        gateway,
        interval_s,
        silence,
        rated_w,
        phase,
        lamp_type,
        lat,
        lon,
        ids,
        metrics,
    ) = row
    return DeviceDefinition(
        device_id=device,
        asset=Scope(AssetKind(kind), asset, root, group, feeder or "", gateway),
        report_interval_s=interval_s,
        silence_intervals=silence,
        series=tuple(SeriesDefinition(i, device, metric) for i, metric in zip(ids, metrics, strict=True)),
        rated_w=rated_w,
        phase=phase,
        lamp_type=lamp_type,
        lat=lat,
        lon=lon,
    )


async def _stage(connection: Connection, pack: CityPack) -> None:
    # One call with several statements: the driver sends it in the simple protocol, since it binds nothing.
    await connection.execute(_SQL.stage)
    above = {f.feeder_id: f.cabinet_id for f in pack.feeders}
    above |= {lamp.lamp_id: above[lamp.feeder_id] for lamp in pack.lamps}
    await _copy(
        connection,
        _SQL.copy_districts,
        ((a.district.district_id, a.district.name, _json(a.boundary)) for a in pack.districts),
    )
    await _copy(connection, _SQL.copy_assets, ((*row[:-1], _json(row[-1])) for row in asset_rows(pack)))
    await _copy(connection, _SQL.copy_metrics, ((m.name, m.unit, m.low, m.high) for m in pack.metrics.values()))
    await _copy(
        connection,
        _SQL.copy_devices,
        (
            (
                d.device_id,
                d.asset_id,
                d.gateway_id,
                d.profile_id,
                shard_of(above.get(d.asset_id, d.asset_id)),
                pack.profiles[d.profile_id].report_interval_s,
                pack.profiles[d.profile_id].silence_intervals,
                d.address or None,
            )
            for d in pack.devices
        ),
    )
    await _copy(
        connection,
        _SQL.copy_series,
        ((d.device_id, metric) for d in pack.devices for metric in pack.profiles[d.profile_id].metrics),
    )
    await _copy(
        connection,
        _SQL.copy_profiles,
        ((p.profile_id, _json(wire.profile_settings(p, pack.codecs))) for p in pack.profiles.values()),
    )
    await connection.execute(_SQL.analyze)


async def _merge(connection: Connection, partitions: int) -> dict[str, int]:
    """Merge what was staged, in the order of the foreign keys; return how many rows each statement touched."""
    taken = await (await connection.execute(_SQL.addresses_taken)).fetchall()
    if taken:
        address, device = taken[0]
        raise SettingsError(
            f"{len(taken)} names on the wire belong to devices that an operator has added, {address} to {device}:"
            " remove them from the pack's devices.csv, or retire those devices"
        )
    touched = {
        "shards": await connection.execute(_SQL.merge_shards, {"partitions": partitions, "shards": SHARDS}),
        "districts": await connection.execute(_SQL.merge_districts),
        "profiles": await connection.execute(_SQL.merge_profiles),
        "profiles_retired": await connection.execute(_SQL.retire_profiles),
        "assets": await connection.execute(_SQL.merge_assets),
        "assets_retired": await connection.execute(_SQL.retire_assets),
        "gateways": await connection.execute(_SQL.merge_gateways),
        "metrics": await connection.execute(_SQL.merge_metrics),
        "addresses_freed": await connection.execute(_SQL.free_addresses),
        "devices": await connection.execute(_SQL.merge_devices),
        "devices_retired": await connection.execute(_SQL.retire_devices),
        "devices_of_operators": await connection.execute(_SQL.stage_operators),
        "series": await connection.execute(_SQL.merge_series),
        "series_retired": await connection.execute(_SQL.retire_series),
    }
    rows = {name: cursor.rowcount for name, cursor in touched.items()}
    last = await _one(connection, _SQL.last_partition)
    if last >= partitions:
        raise SettingsError(
            f"the registry sends readings to partition {last}, the log has only {partitions}: point the settings at the"
            " log that this database belongs to"
        )
    return rows


async def _copy(connection: Connection, statement: LiteralString, rows: Iterable[Sequence[Any]]) -> None:
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            await copy.write_row(row)


async def _one(connection: Connection, statement: LiteralString, parameters: dict[str, Any] | None = None) -> Any:
    row = await (await connection.execute(statement, parameters)).fetchone()
    assert row is not None
    return row[0]


async def installation_of(connection: Connection) -> Standing:
    row = await (await connection.execute(_SQL.version)).fetchone()
    if row is None:
        raise SettingsError("no city was imported into this database yet: start with `citynerve up`")
    return Standing(*row)


def _settings(pack: CityPack) -> dict[str, Any]:
    """Return what no table holds, as plain JSON: no process but the import needs the pack's files."""
    return {
        "schedules": [asdict(s) for s in pack.schedules.values()],
        "rules": asdict(pack.rules),
        "categories": [asdict(c) for c in pack.categories],
        "integrations": [asdict(i) for i in pack.integrations],
        "languages": list(pack.languages),
        "lat": pack.lat,
        "lon": pack.lon,
        "tariff": None if pack.tariff is None else asdict(pack.tariff),
        "relamping": None if pack.relamping is None else asdict(pack.relamping),
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True)
