"""Reads ``assets.csv`` and makes a city of it: the same values that a city pack gives, so that roots come out alike."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from anomaly.backtest.csv_files import Mistakes, rows
from city.asset import Cabinet, Device, DeviceProfile, Facility, Feeder, Gateway, Lamp, Switching
from city.errors import SettingsError
from city.lighting import LightingSchedule
from city.metric import AIR_METRICS, KNOWN_METRICS
from city.pack import CityPack
from city.registry import FaultRules

COLUMNS = "asset", "kind", "lat", "lon", "rated_w", "report_interval_s"
OPTIONAL = "feeder", "phase", "cabinet", "gateway", "lamp_type", "switching"
_LAMPS = frozenset({"lamp", "streetlight", "street_light", "street light", "luminaire"})
"""What others call a lamp: Smart Data Models a Streetlight, TALQ a luminaire."""
LAMP, PLACES = "lamp", ("feeder", "cabinet", "gateway")
SUN_BELOW_DEG = -0.833
"""Sunset: lamps burn while the sun is below this, unless it is told or learnt otherwise."""
SCHEDULE = "sun"

_PHASES = {"R": "R", "S": "S", "T": "T", "L1": "R", "L2": "S", "L3": "T", "1": "R", "2": "S", "3": "T", "": ""}
_PHASES |= {"A": "R", "B": "S", "C": "T", "U": "R", "V": "S", "W": "T"}
_ALL_PHASES = frozenset({"RST", "L1L2L3", "L123", "123", "ABC", "UVW", "3", "3P", "NONE", "NA", "NAN", "NULL", "?"})
"""What stands there for all three or for none: phases are evidence, never needed."""
_INTERVAL_S_MAX = 7 * 86_400
_SILENCE = ((1_800, 8.0), (7_200, 7.0))
_SILENCE_SELDOM = 5.0
"""Intervals without a word before a device counts as silent: as many as a tenth of lost messages explains once in a
hundred million where it speaks often; who speaks a few times a night is not waited for for days."""


@dataclass(frozen=True, slots=True)
class FleetAsset:
    """One row."""

    asset: str
    kind: str
    lat: float
    lon: float
    feeder: str
    phase: str
    cabinet: str
    gateway: str
    lamp_type: str
    rated_w: float
    switching: Switching
    interval_s: int


def read_assets(path: Path) -> list[FleetAsset]:
    """Read the assets of a fleet.

    Raises
    ------
    SettingsError
        The file cannot be read, or has mistakes: each is told by its line.
    """
    mistakes = Mistakes(path)
    found: dict[str, FleetAsset] = {}
    lines: dict[str, int] = {}
    for line, cells in rows(path, COLUMNS, OPTIONAL):
        asset = _asset(mistakes, line, cells)
        if asset is None:
            continue
        if asset.asset in found:
            mistakes.add(line, f"{asset.asset!r} stands in line {lines[asset.asset]} already: name each asset once")
            continue
        found[asset.asset], lines[asset.asset] = asset, line
    mistakes.demand_none()
    if not found:
        raise SettingsError(f"{path} lists no asset: write a line for each lamp, meter and building that was recorded")
    return _agreed(list(found.values()))


def _agreed(assets: list[FleetAsset]) -> list[FleetAsset]:
    """Let lamps of one feeder agree about its cabinet and switching: inventories are wrong about a few in a hundred.

    What most of them say holds; of equally many, what comes first.
    """
    said: dict[str, Counter[tuple[str, Switching]]] = defaultdict(Counter)
    for a in assets:
        if a.kind == LAMP:
            said[a.feeder][a.cabinet, a.switching] += 1
    held = {feeder: votes.most_common(1)[0][0] for feeder, votes in said.items()}
    return [replace(a, cabinet=held[a.feeder][0], switching=held[a.feeder][1]) if a.kind == LAMP else a for a in assets]


def _asset(mistakes: Mistakes, line: int, cells: Mapping[str, str]) -> FleetAsset | None:
    name, kind = cells["asset"], cells["kind"].lower()
    kind = LAMP if kind in _LAMPS else kind
    wrong = False

    def number(column: str, low: float, high: float, empty: float | None = None) -> float:
        nonlocal wrong
        text = cells[column]
        if not text and empty is not None:
            return empty
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            wrong = True
            mistakes.add(line, f"{column} is {text[:40]!r}: write a number from {low:g} to {high:g}")
        return value

    if not name or not kind:
        mistakes.add(line, "asset and kind must not be empty: every row is one asset")
        return None
    lat, lon = number("lat", -90, 90), number("lon", -180, 180)
    lamp = kind == LAMP
    rated = number("rated_w", 1, 5_000) if lamp else 0.0
    interval = number("report_interval_s", 1, _INTERVAL_S_MAX, None if kind not in PLACES else 900.0)
    switching = cells["switching"].lower() or str(Switching.PERMANENT)
    if switching not in set(Switching):
        wrong = True
        mistakes.add(line, f"switching is {switching[:40]!r}: write permanent or switched")
    phase = "".join(c for c in cells["phase"].upper() if c not in " ,;/+-")
    phase = "" if phase in _ALL_PHASES else phase
    if phase not in _PHASES:
        wrong = True
        mistakes.add(line, f"phase is {cells['phase'][:40]!r}: write R, S or T (or L1, L2, L3)")
    if wrong:
        return None
    feeder = cells["feeder"] or (cells["cabinet"] or name if lamp else "")
    cabinet = cells["cabinet"] or feeder or name
    return FleetAsset(
        name, kind, lat, lon, feeder, _PHASES[phase], cabinet, cells["gateway"] or cabinet, cells["lamp_type"],
        rated, Switching(switching), int(interval),
    )  # fmt: skip


def known_metrics() -> dict[str, int]:
    """Return the names of the metrics that a fleet may have, with numbers."""
    return {metric.name: number for number, metric in enumerate((*KNOWN_METRICS, *AIR_METRICS))}


def pack_of(
    assets: list[FleetAsset], metrics: Mapping[str, frozenset[str]], sun_below_deg: float = SUN_BELOW_DEG
) -> CityPack:
    """Make a city of a fleet.

    Parameters
    ----------
    metrics : mapping
        Asset → what was read of it; assets that nothing was read of have no device.
    sun_below_deg : float
        Lamps burn while the sun is below this, degrees.
    """
    lamps = [a for a in assets if a.kind == LAMP]
    middle = lamps or assets
    lat = sum(a.lat for a in middle) / max(len(middle), 1)
    lon = sum(a.lon for a in middle) / max(len(middle), 1)
    profiles: dict[str, DeviceProfile] = {}
    devices = [_device(a, metrics[a.asset], profiles) for a in assets if metrics.get(a.asset)]
    gateway_of = {a.cabinet: a.gateway for a in reversed(lamps)}
    cabinets = {
        a.cabinet: Cabinet(a.cabinet, gateway_of[a.cabinet], gateway_of[a.cabinet], a.lat, a.lon, "")
        for a in reversed(lamps)
    }
    feeders = {a.feeder: Feeder(a.feeder, a.cabinet, a.switching, SCHEDULE) for a in reversed(lamps)}
    others = [a for a in assets if a.kind != LAMP and a.kind not in PLACES]
    places = {a.asset for a in assets if a.kind in PLACES}
    for a in assets:
        if a.kind == "cabinet" and a.asset not in cabinets:
            cabinets[a.asset] = Cabinet(a.asset, a.gateway, a.gateway, a.lat, a.lon, "")
    meters = {*cabinets, *feeders, *(a.asset for a in lamps), *(a.asset for a in others)}
    gateways = {a.gateway: Gateway(a.gateway, a.gateway, a.lat, a.lon, "") for a in reversed(assets)}
    told = repr((sorted(assets, key=lambda a: a.asset), sorted(metrics), sun_below_deg))
    return CityPack(
        name="fleet",
        timezone="UTC",
        languages=("en",),
        simulated=True,
        lat=lat,
        lon=lon,
        districts=(),
        gateways=tuple(gateways.values()),
        cabinets=tuple(cabinets.values()),
        feeders=tuple(feeders.values()),
        lamps=tuple(Lamp(a.asset, a.feeder, a.phase, a.lamp_type, a.rated_w, a.lat, a.lon, "", "") for a in lamps),
        facilities=tuple(Facility(a.asset, a.kind, a.asset, a.lat, a.lon, "") for a in others),
        devices=tuple(d for d in devices if d.asset_id in meters or d.asset_id not in places),
        profiles=profiles,
        metrics={metric.name: metric for metric in (*KNOWN_METRICS, *AIR_METRICS)},
        schedules={SCHEDULE: LightingSchedule(SCHEDULE, lat, lon, sun_below_deg)},
        rules=FaultRules(),
        categories=(),
        version=hashlib.sha256(told.encode()).hexdigest(),
    )


def _device(asset: FleetAsset, metrics: frozenset[str], profiles: dict[str, DeviceProfile]) -> Device:
    names = tuple(sorted(metrics))
    identity = f"{asset.interval_s}|{'|'.join(names)}"
    silence = next((n for most, n in _SILENCE if asset.interval_s <= most), _SILENCE_SELDOM)
    profiles.setdefault(identity, DeviceProfile(identity, names, asset.interval_s, silence))
    return Device(asset.asset, asset.asset, asset.gateway, identity)
