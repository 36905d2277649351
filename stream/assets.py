"""Flattens the assets of a city pack into rows of the table `assets`."""

from collections.abc import Iterator
from typing import Any

from city.asset import AssetKind
from city.pack import CityPack

Row = tuple[str, str, str, str | None, str, str, str | None, str | None, float | None, float | None, dict[str, Any]]
"""asset_id, kind, name, parent_id, root_id, correlation_group, gateway_id, district_id, lat, lon, attributes."""


def asset_rows(pack: CityPack) -> Iterator[Row]:
    """Yield one row for each asset; roots are cabinets, facilities and gateways themselves."""
    cabinets = {c.cabinet_id: c for c in pack.cabinets}
    feeders = {f.feeder_id: f for f in pack.feeders}
    speaks_for = {d.asset_id: d.gateway_id for d in reversed(pack.devices)}
    for g in pack.gateways:
        identity = g.gateway_id
        yield (
            identity,
            str(AssetKind.GATEWAY),
            g.name,
            None,
            identity,
            _group_of_gateway(pack, identity),
            identity,
            g.district_id,
            g.lat,
            g.lon,
            {"operator": g.operator} if g.operator else {},
        )
    for c in pack.cabinets:
        identity, group, gateway = c.cabinet_id, c.substation, c.gateway_id
        place = (c.district_id, c.lat, c.lon)
        yield (
            identity,
            str(AssetKind.CABINET),
            identity,
            None,
            identity,
            group,
            gateway,
            *place,
            {"substation": group},
        )
    for f in pack.feeders:
        cabinet = cabinets[f.cabinet_id]
        root, group, gateway = cabinet.cabinet_id, cabinet.substation, cabinet.gateway_id
        place = (cabinet.district_id, cabinet.lat, cabinet.lon)
        how = {"switching": str(f.switching), "schedule_id": f.schedule_id}
        yield (f.feeder_id, str(AssetKind.FEEDER), f.feeder_id, root, root, group, gateway, *place, how)
    for lamp in pack.lamps:
        cabinet = cabinets[feeders[lamp.feeder_id].cabinet_id]
        root, group = cabinet.cabinet_id, cabinet.substation
        gateway = speaks_for.get(lamp.lamp_id, cabinet.gateway_id)
        place = (lamp.district_id, lamp.lat, lamp.lon)
        what: dict[str, Any] = {
            "phase": lamp.phase,
            "lamp_type": lamp.lamp_type,
            "rated_w": lamp.rated_w,
            "street": lamp.street,
        }
        yield (lamp.lamp_id, str(AssetKind.LAMP), lamp.lamp_id, lamp.feeder_id, root, group, gateway, *place, what)
    for y in pack.facilities:
        identity = y.facility_id
        speaker = speaks_for.get(identity)
        place = (y.district_id, y.lat, y.lon)
        about: dict[str, Any] = {"kind": y.kind}
        hours = pack.opening_of(y)
        if hours is not None:
            about["opening"] = hours.as_plain()
        yield (identity, str(AssetKind.FACILITY), y.name, None, identity, identity, speaker, *place, about)


def _group_of_gateway(pack: CityPack, gateway_id: str) -> str:
    """Return the substation whose cabinets a gateway serves first, so that one worker sees both; else its own id."""
    return min((c.substation for c in pack.cabinets if c.gateway_id == gateway_id), default=gateway_id)
