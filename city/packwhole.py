"""What must hold of a city pack across its files, and the devices that a rule makes instead of a file."""

from dataclasses import replace

from city.asset import DISTRICT_GROUP, Cabinet, Device, Feeder, Gateway, Lamp
from city.packfile import Cells, Notes, shown
from city.packids import Ids
from city.topics import is_name

CABINET_DEVICES_MAX = 1000
"""Devices below one cabinet or facility: its definition travels as one record of the log."""


def grouped(cabinets: list[Cabinet], gateways: list[Gateway]) -> list[Cabinet]:
    """Give cabinets whose substation nobody knows the district of their gateway for a correlation group."""
    district = {gateway.gateway_id: f"{DISTRICT_GROUP}{gateway.district_id}" for gateway in gateways}
    return [c if c.substation else replace(c, substation=district.get(c.gateway_id, "")) for c in cabinets]


def one_substation_each(ids: Ids, notes: Notes, cabinets: list[Cabinet]) -> None:
    """Refuse a gateway over two correlation groups: only within one is its silence told from its feeders'."""
    first: dict[str, Cabinet] = {}
    for cabinet in cabinets:
        other = first.setdefault(cabinet.gateway_id, cabinet)
        if other.substation != cabinet.substation:
            file, line = ids.of("cabinet")[cabinet.cabinet_id]
            notes.add(
                file,
                line,
                f"{cabinet.cabinet_id} is in {cabinet.substation}, {other.cabinet_id} of the same gateway"
                f" {cabinet.gateway_id} in {other.substation}: cabinets of one gateway share a substation",
            )


def lamp_devices(
    ids: Ids, rule: Cells, lamps: list[Lamp], feeders: list[Feeder], cabinets: list[Cabinet], listed: list[Device]
) -> list[Device]:
    """Make one device for each lamp that has none in devices.csv, on its cabinet's gateway."""
    if not rule.sound or not rule.only(("profile", "prefix")):
        return []
    profile, prefix = ids.reference(rule, "profile", "profile"), rule.name("prefix")
    gateway_of = {c.cabinet_id: c.gateway_id for c in cabinets}
    cabinet_of = {f.feeder_id: f.cabinet_id for f in feeders}
    served = {d.asset_id for d in listed}
    made = []
    for lamp in lamps:
        gateway = gateway_of.get(cabinet_of.get(lamp.feeder_id, ""))
        identity = prefix + lamp.lamp_id
        if lamp.lamp_id in served or gateway is None:
            continue
        if not is_name(identity) or identity in ids.of("device"):
            rule.wrong("prefix", f"{shown(identity)} is taken or too long for a device: choose another prefix")
            break
        made.append(Device(identity, lamp.lamp_id, gateway, profile))
    return made


def one_address_each(ids: Ids, notes: Notes, devices: list[Device]) -> None:
    """Refuse two devices that are called the same on the wire: readings would go to either."""
    seen: dict[str, str] = {}
    for device in devices:
        other = seen.setdefault(device.wire_name, device.device_id)
        if other != device.device_id:
            file, line = ids.of("device").get(device.device_id, ("devices.csv", 1))
            text = f"address {shown(device.wire_name)} is that of {other} already: every device has one of its own"
            notes.add(file, line, text)


def few_enough(ids: Ids, notes: Notes, devices: list[Device], lamps: list[Lamp], feeders: list[Feeder]) -> None:
    """Refuse more devices below one cabinet or facility than its definition can travel with."""
    above = {f.feeder_id: f.cabinet_id for f in feeders}
    above |= {lamp.lamp_id: above.get(lamp.feeder_id, "") for lamp in lamps}
    below: dict[str, int] = {}
    for device in devices:
        root = above.get(device.asset_id, device.asset_id)
        below[root] = below.get(root, 0) + 1
    for kind in ("cabinet", "facility"):
        for identity, (file, line) in ids.of(kind).items():
            if below.get(identity, 0) > CABINET_DEVICES_MAX:
                notes.add(
                    file,
                    line,
                    f"{identity} has {below[identity]} devices below it, {CABINET_DEVICES_MAX} at most: split it",
                )
