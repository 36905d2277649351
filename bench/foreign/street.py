"""Streets of another maker: where lamps stand, what they are, when they burn, and where the list of them is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DAY = 86_400.0

TOWNS = (
    ("Tampere", 61.50, 23.77, "Europe/Helsinki", "2025-05-05"),
    ("Hobart", -42.88, 147.33, "Australia/Hobart", "2025-03-01"),
    ("Sevilla", 37.39, -5.98, "Europe/Madrid", "2025-01-15"),
    ("Bogota", 4.71, -74.07, "America/Bogota", "2025-07-01"),
    ("Lyon", 45.76, 4.84, "Europe/Paris", "2024-08-25"),
    ("Montreal", 45.50, -73.57, "America/Toronto", "2025-01-20"),
)
"""Name, latitude, longitude, zone, first day: a northern June, a southern winter, the tropics, changes of clocks."""
POWER_ALONE, POWER_VOLTAGE = "power", "power+voltage"


@dataclass(frozen=True, slots=True)
class Maker:
    """What one maker's controllers send.

    Attributes
    ----------
    metrics : tuple of str
        Names as in the files.
    step_w : float
        Power is rounded to it, W.
    on_the_clock : bool
        Reports at full quarters, hours …, not so long after the last report.
    by_day : bool
        Reports while its lamp is off, where it has supply.
    greets : bool
        Says something within a minute of getting supply.
    """

    metrics: tuple[str, ...]
    step_w: float
    on_the_clock: bool
    by_day: bool
    greets: bool


MAKERS = (
    Maker(
        ("active_power_w", "supply_voltage_v", "power_factor", "dimming_level_pct", "active_energy_kwh"),
        0.1, False, True, True,
    ),
    Maker(("active_power_w", "supply_voltage_v", "supply_current_a", "power_factor"), 1.0, True, True, False),
    Maker(("active_power_w", "dimming_level_pct", "controller_temperature_deg_c"), 0.1, True, True, False),
    Maker(("active_power_w", "supply_voltage_v"), 1.0, False, True, True),
)  # fmt: skip
COUNTING = ("active_energy_kwh", "operating_hours_h", "switch_on_count")


@dataclass(slots=True)
class Lamp:
    """One lamp: what it is, and what the list says of it."""

    name: str
    feeder: int
    rank: int
    phase: int
    maker: Maker
    kind: str
    watt: float
    profile: tuple[tuple[float, float], ...]
    """(hours of the local clock, level) from which a level holds; empty: always full."""
    by_midnight: bool
    """Its own driver dims by the middle of the night, and tells nobody."""
    lat: float
    lon: float
    told_watt: float = 0.0
    told_type: str = ""
    told_phase: int = 0
    clock_s: float = 0.0
    gain: float = 1.0
    standby_w: float = 0.4
    clo: float = 0.0
    """Constant light output: power grows by this share a year."""


@dataclass(slots=True)
class Cabinet:
    """A cabinet and its feeders; `on` and `off` are its switching times, s since 1970."""

    name: str
    gateway: int
    on: Floats
    off: Floats
    feeders: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Feeder:
    """A feeder, and its voltage's habits."""

    name: str
    cabinet: int
    switched: bool
    nominal_v: float
    reduced: bool
    drop_v: float
    lamps: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Town:
    """A fleet."""

    place: str
    zone: ZoneInfo
    start: float
    days: int
    lat: float
    lon: float
    below_deg: float
    lamps: list[Lamp]
    feeders: list[Feeder]
    cabinets: list[Cabinet]
    gateways: int

    def local_hour(self, moments: Floats) -> Floats:
        """Hour of the local clock, daylight saving as the zone has it."""
        days = np.arange(self.start - 2 * DAY, self.start + (self.days + 3) * DAY, 3_600.0)
        ahead = [(datetime.fromtimestamp(d, self.zone).utcoffset() or timedelta()).total_seconds() for d in days]
        at = np.clip(np.searchsorted(days, moments, "right") - 1, 0, len(days) - 1)
        hour: Floats = (moments + np.asarray(ahead)[at]) / 3_600.0 % 24.0
        return hour


def sun_elevation(moments: Floats, lat: float, lon: float) -> Floats:
    """Elevation of the sun, degrees (Spencer's series of 1971)."""
    year_start = np.floor(moments / (365.25 * DAY)) * 365.25 * DAY
    g = 2 * np.pi * (moments - year_start) / (365.25 * DAY)
    decl = 0.006918 - 0.399912 * np.cos(g) + 0.070257 * np.sin(g) - 0.006758 * np.cos(2 * g) + 0.000907 * np.sin(2 * g)
    eq_min = 229.18 * (
        0.000075 + 0.001868 * np.cos(g) - 0.032077 * np.sin(g) - 0.014615 * np.cos(2 * g) - 0.040849 * np.sin(2 * g)
    )
    angle = np.radians((moments % DAY) / 240.0 + eq_min / 4.0 + lon - 180.0)
    phi = np.radians(lat)
    elevation: Floats = np.degrees(np.arcsin(np.sin(phi) * np.sin(decl) + np.cos(phi) * np.cos(decl) * np.cos(angle)))
    return elevation


def switching(start: float, days: int, lat: float, lon: float, below_deg: float) -> tuple[Floats, Floats]:
    """When it gets dark and light, s since 1970, from the day before the start to the day after the end."""
    minutes = np.arange(start - 1.5 * DAY, start + (days + 1.5) * DAY, 60.0)
    dark = sun_elevation(minutes, lat, lon) < below_deg
    edges = np.flatnonzero(np.diff(dark.astype(np.int8)))
    on, off = minutes[edges[dark[edges + 1]] + 1], minutes[edges[~dark[edges + 1]] + 1]
    off = off[off > on[0]]
    return on[: len(off)], off


def build(rng: np.random.Generator, seed: int, lamps: int, days: int, counters: bool, only: str) -> Town:
    """Build a town of about so many lamps."""
    place, lat, lon, zone_name, first = TOWNS[seed % len(TOWNS)]
    zone = ZoneInfo(zone_name)
    start = datetime.fromisoformat(first).replace(tzinfo=zone).timestamp()
    below = float(rng.choice([-0.833, -1.5, -3.0]))
    on, off = switching(start, days, lat, lon, below)
    town = Town(place, zone, start, days, lat, lon, below, [], [], [], 0)
    while len(town.lamps) < lamps:
        if not town.cabinets or rng.random() < 0.6:
            town.gateways += 1
        early = rng.normal(0.0, 180.0)
        cabinet = Cabinet(
            f"CM-{len(town.cabinets) + 1:02d}", town.gateways - 1, on + early, off + early * rng.choice([1, -1])
        )
        town.cabinets.append(cabinet)
        switched = bool(rng.random() < 0.5)
        for number in range(int(rng.integers(2, 5))):
            cabinet.feeders.append(len(town.feeders))
            feeder = Feeder(
                f"{cabinet.name}/L{number + 1}", len(town.cabinets) - 1, switched, rng.normal(231.0, 2.5),
                bool(rng.random() < 0.15), rng.uniform(1.0, 7.0),
            )  # fmt: skip
            town.feeders.append(feeder)
            _street(rng, town, feeder, counters, only)
    return town


def _street(rng: np.random.Generator, town: Town, feeder: Feeder, counters: bool, only: str) -> None:
    maker = MAKERS[int(rng.choice(len(MAKERS), p=[0.4, 0.25, 0.2, 0.15]))]
    if counters:
        maker = Maker(COUNTING, 1.0, False, False, False)
    elif only == POWER_ALONE:
        maker = Maker(("active_power_w",), maker.step_w, maker.on_the_clock, True, maker.greets)
    elif only == POWER_VOLTAGE:
        maker = Maker(("active_power_w", "supply_voltage_v"), maker.step_w, maker.on_the_clock, True, maker.greets)
    tells_level = "dimming_level_pct" in maker.metrics
    kind = "hps" if "supply_current_a" in maker.metrics or (not tells_level and rng.random() < 0.35) else "led"
    watt = float(rng.choice([70.0, 100.0, 150.0, 250.0] if kind == "hps" else [21.0, 36.0, 54.0, 80.0, 117.0]))
    profile: tuple[tuple[float, float], ...] = ()
    by_midnight = False
    if kind == "led" and tells_level and rng.random() < 0.75:
        low = float(rng.choice([0.3, 0.5, 0.7]))
        profile = ((12.0, 1.0), (float(rng.choice([22.0, 23.0, 23.5])), low), (float(rng.choice([5.0, 6.0])), 1.0))
    elif kind == "led" and not tells_level and not counters:
        by_midnight = bool(rng.random() < 0.4)
    north, east = rng.normal(0.0, 0.012, 2)
    heading = rng.uniform(0.0, np.pi)
    bend = rng.normal(0.0, 0.04)
    lat, lon = town.lat + north, town.lon + east
    for rank in range(int(rng.integers(9, 34))):
        lat += 0.00027 * np.cos(heading + bend * rank)
        lon += 0.00027 * np.sin(heading + bend * rank) / np.cos(np.radians(town.lat))
        phase = rank % 3
        lamp = Lamp(
            f"{feeder.name}-{rank + 1:03d}", len(town.feeders) - 1, rank, phase, maker, kind, watt, profile,
            by_midnight, lat, lon, watt, f"{kind.upper()} {watt:.0f} W", phase, rng.normal(0.0, 40.0),
            rng.normal(1.0, 0.015), rng.uniform(0.2, 0.9),
            0.03 if kind == "led" and rng.random() < 0.3 else 0.0,
        )  # fmt: skip
        if rng.random() < 0.02:
            lamp.clock_s = rng.uniform(-240.0, 240.0)
        if rng.random() < 0.03:
            lamp.told_watt, lamp.told_type = float(rng.choice([70.0, 150.0, 40.0])), "VSAP 150"
        if rng.random() < 0.02:
            lamp.told_phase = int(rng.integers(0, 3))
        feeder.lamps.append(len(town.lamps))
        town.lamps.append(lamp)


def middle(values: Sequence[float]) -> float:
    """Return the middle one."""
    return float(np.median(np.asarray(values)))
