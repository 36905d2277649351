"""What detection must know of a whole city, made from its pack alone: for runs without a database."""

from collections import defaultdict

from city.alarm import Scope
from city.asset import AssetKind, Device, GatewayDefinition, Lamp
from city.pack import CityPack
from city.registry import DeviceDefinition, FeederDefinition, RootDefinition, SeriesDefinition, told_apart


def roots_of(pack: CityPack) -> list[RootDefinition]:
    """Return every cabinet and facility whole, in the order of their ids, as the registry gives them.

    Series are numbered from 1 in the order of roots, devices and metrics; a database has numbers of its own.
    """
    cabinets = {cabinet.cabinet_id: cabinet for cabinet in pack.cabinets}
    feeders: dict[str, list[FeederDefinition]] = defaultdict(list)
    cabinet_of: dict[str, str] = {}
    for feeder in sorted(pack.feeders, key=lambda f: f.feeder_id):
        cabinet = cabinets[feeder.cabinet_id]
        cabinet_of[feeder.feeder_id] = cabinet.cabinet_id
        scope = Scope(
            AssetKind.FEEDER,
            feeder.feeder_id,
            cabinet.cabinet_id,
            cabinet.substation,
            feeder.feeder_id,
            cabinet.gateway_id,
        )
        schedule = pack.schedules[feeder.schedule_id]
        feeders[cabinet.cabinet_id].append(FeederDefinition(scope, feeder.switching, schedule))
    scopes = _scopes(pack, cabinet_of)
    lamps = {lamp.lamp_id: lamp for lamp in pack.lamps}
    devices: dict[str, list[Device]] = defaultdict(list)
    for device in sorted(pack.devices, key=lambda d: d.device_id):
        devices[scopes[device.asset_id].root_id].append(device)
    kinds = {cabinet_id: (AssetKind.CABINET, cabinet.substation) for cabinet_id, cabinet in cabinets.items()}
    kinds |= {f.facility_id: (AssetKind.FACILITY, f.facility_id) for f in pack.facilities}
    group_of = {c.gateway_id: c.substation for c in pack.cabinets}
    gateways = {
        g.gateway_id: GatewayDefinition(
            g.gateway_id, g.operator, g.district_id, group_of.get(g.gateway_id, g.gateway_id)
        )
        for g in pack.gateways
    }
    opening = {f.facility_id: pack.opening_of(f) for f in pack.facilities}
    roots: list[RootDefinition] = []
    number = 1
    for root_id in sorted(kinds):
        kind, group = kinds[root_id]
        below: list[DeviceDefinition] = []
        for device in devices[root_id]:
            defined = _device(pack, device, scopes[device.asset_id], number, lamps.get(device.asset_id))
            number += len(defined.series)
            below.append(defined)
        roots.append(
            RootDefinition(
                root_id,
                kind,
                group,
                pack.version,
                tuple(feeders[root_id]),
                told_apart(below),
                pack.rules,
                opening.get(root_id),
                pack.timezone,
                gateways=tuple(gateways[name] for name in sorted({d.asset.gateway_id for d in below})),
            )
        )
    return roots


def _scopes(pack: CityPack, cabinet_of: dict[str, str]) -> dict[str, Scope]:
    """Return what each asset that may have a device is, gateways left empty: a device has its own."""
    group = {cabinet.cabinet_id: cabinet.substation for cabinet in pack.cabinets}
    scopes = {name: Scope(AssetKind.CABINET, name, name, group[name]) for name in group}
    for feeder_id, root in cabinet_of.items():
        scopes[feeder_id] = Scope(AssetKind.FEEDER, feeder_id, root, group[root], feeder_id)
    for lamp in pack.lamps:
        root = cabinet_of[lamp.feeder_id]
        scopes[lamp.lamp_id] = Scope(AssetKind.LAMP, lamp.lamp_id, root, group[root], lamp.feeder_id)
    for facility in pack.facilities:
        name = facility.facility_id
        scopes[name] = Scope(AssetKind.FACILITY, name, name, name)
    return scopes


def _device(pack: CityPack, device: Device, scope: Scope, number: int, lamp: Lamp | None) -> DeviceDefinition:
    profile = pack.profiles[device.profile_id]
    metrics = sorted(profile.metrics)
    return DeviceDefinition(
        device_id=device.device_id,
        asset=Scope(scope.kind, scope.asset_id, scope.root_id, scope.group, scope.feeder_id, device.gateway_id),
        report_interval_s=profile.report_interval_s,
        silence_intervals=profile.silence_intervals,
        series=tuple(SeriesDefinition(number + i, device.device_id, name) for i, name in enumerate(metrics)),
        rated_w=lamp.rated_w if lamp else 0.0,
        phase=lamp.phase if lamp else "",
        lamp_type=lamp.lamp_type if lamp else "",
        lat=lamp.lat if lamp else None,
        lon=lamp.lon if lamp else None,
    )
