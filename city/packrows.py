"""Reads the lines of a city pack's tables into metrics, assets and devices."""

import re

from city.asset import Cabinet, Device, Facility, Feeder, Gateway, Lamp, Switching
from city.metric import Metric
from city.packfile import Cells, shown
from city.packids import Ids

_METRIC = re.compile(r"[a-z][a-z0-9_]{0,62}")
_RESERVED = frozenset({"device", "at", "n", "epoch", "sent_at", "readings"})
_PHASES = ("R", "S", "T")


def metric(cells: Cells, name: str) -> Metric:
    """Read a line of ``metrics.csv``."""
    if name and (not _METRIC.fullmatch(name) or name in _RESERVED):
        cells.wrong(
            "name",
            f"{shown(name)} is not a metric: use lower case, digits and '_', unit last, as in active_power_w, and"
            f" none of {', '.join(sorted(_RESERVED))}",
        )
    low, high = cells.number("low", -1e15, 1e15), cells.number("high", -1e15, 1e15)
    if cells.sound and low >= high:
        cells.wrong("low", f"low {low:g} is not below high {high:g}: exchange them")
    return Metric(name, cells.text("unit"), low, high)


def gateway(ids: Ids, cells: Cells, identity: str) -> Gateway:
    """Read a line of ``gateways.csv``."""
    operator = cells.name("operator") if cells.values.get("operator") else ""
    return Gateway(identity, cells.text("name"), *place(ids, cells), operator)


def cabinet(ids: Ids, cells: Cells, identity: str) -> Cabinet:
    """Read a line of ``cabinets.csv``."""
    gateway = ids.reference(cells, "gateway_id", "gateway")
    substation = cells.name("substation") if cells.values.get("substation") else ""
    return Cabinet(identity, gateway, substation, *place(ids, cells))


def feeder(ids: Ids, cells: Cells, identity: str) -> Feeder:
    """Read a line of ``feeders.csv``."""
    return Feeder(
        identity,
        ids.reference(cells, "cabinet_id", "cabinet"),
        cells.choice("switching", Switching),
        ids.reference(cells, "schedule_id", "schedule"),
    )


def lamp(ids: Ids, cells: Cells, identity: str) -> Lamp:
    """Read a line of ``lamps.csv``."""
    feeder = ids.reference(cells, "feeder_id", "feeder")
    phase = cells.values["phase"]
    if phase not in _PHASES:
        cells.wrong("phase", f"phase {shown(phase)} is not known: write R, S or T")
    rated_w = cells.number("rated_w", 0, 5000, above_low=True)
    return Lamp(identity, feeder, phase, cells.name("lamp_type"), rated_w, *place(ids, cells), cells.text("street"))


def facility(ids: Ids, cells: Cells, identity: str) -> Facility:
    """Read a line of ``facilities.csv``."""
    return Facility(identity, cells.name("kind"), cells.text("name"), *place(ids, cells))


def device(ids: Ids, cells: Cells, identity: str) -> Device:
    """Read a line of ``devices.csv``."""
    return Device(
        identity,
        ids.reference(cells, "asset_id", "lamp", "facility", "feeder", "cabinet"),
        ids.reference(cells, "gateway_id", "gateway"),
        ids.reference(cells, "profile_id", "profile"),
        cells.text("address") if cells.values.get("address") else "",
    )


def place(ids: Ids, cells: Cells) -> tuple[float, float, str]:
    """Return latitude, longitude and district."""
    lat, lon = cells.number("lat", -90, 90), cells.number("lon", -180, 180)
    return lat, lon, ids.reference(cells, "district_id", "district")
