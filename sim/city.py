"""A seeded city: the files of a city pack with lamps along schematic streets, marked as simulated."""

import csv
import io
import json
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sim.city_texts import AIR_METRICS, CATEGORIES, CITY, FACILITY_KINDS, FAULTS, METRICS, PROFILES, SCHEDULES, STREETS
from sim.outlines import OUTLINES, Point, inside

GIJON_SEED = 33
"""The seed of the committed pack ``cities/gijon``."""

AIR_STATION = "EST-CONSTITUCION"

_LAMPS_PER_CABINET = 50
_LAMP_DISTANCE_M = 28.0
_METRES_PER_DEGREE = 111_320.0


@dataclass(slots=True)
class _Plan:
    """Rows on their way into files."""

    gateways: list[tuple[object, ...]] = field(default_factory=list)
    cabinets: list[tuple[object, ...]] = field(default_factory=list)
    feeders: list[tuple[object, ...]] = field(default_factory=list)
    lamps: list[tuple[object, ...]] = field(default_factory=list)
    facilities: list[tuple[object, ...]] = field(default_factory=list)
    devices: list[tuple[object, ...]] = field(default_factory=list)


def generate_city(seed: int, lamps: int = 2000, facilities: int = 12) -> dict[str, str]:
    """Return a city pack as file name → text; equal arguments give equal bytes.

    Parameters
    ----------
    lamps : int
        Exactly so many, on about one cabinet for each fifty.
    facilities : int
        Exactly so many, the first of them the air station.
    """
    rng = random.Random(f"city|{seed}")  # noqa: S311 - a drawing, not a secret
    plan = _Plan()
    for district, count in _shares(lamps).items():
        _light_district(rng, plan, district, count)
    _build_facilities(rng, plan, facilities)
    return {
        "city.toml": CITY,
        "districts.geojson": _districts(),
        "gateways.csv": _csv("gateway_id,name,lat,lon,district_id", plan.gateways),
        "cabinets.csv": _csv("cabinet_id,gateway_id,substation,lat,lon,district_id", plan.cabinets),
        "feeders.csv": _csv("feeder_id,cabinet_id,switching,schedule_id", plan.feeders),
        "lamps.csv": _csv("lamp_id,feeder_id,phase,lamp_type,rated_w,lat,lon,district_id,street", plan.lamps),
        "facilities.csv": _csv("facility_id,kind,name,lat,lon,district_id", plan.facilities),
        "devices.csv": _csv("device_id,asset_id,gateway_id,profile_id", plan.devices),
        "profiles.toml": PROFILES.replace("@AIR@", ", ".join(f'"{name}"' for name, *_ in AIR_METRICS)),
        "metrics.csv": _csv("name,unit,low,high", [*METRICS, *AIR_METRICS]),
        "schedules.toml": SCHEDULES,
        "faults.toml": FAULTS,
        "categories.toml": CATEGORIES,
    }


def write_city(path: Path, files: dict[str, str]) -> None:
    """Write a pack's files into a folder, which is made if it is missing."""
    path.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (path / name).write_text(text, encoding="utf-8", newline="\n")


def _shares(lamps: int) -> dict[str, int]:
    """Divide the lamps among the districts by their shares; the largest remainders take what is left."""
    exact = {district: lamps * share for district, (_, share, _, _) in OUTLINES.items()}
    counts = {district: int(value) for district, value in exact.items()}
    by_remainder = sorted(exact, key=lambda d: (counts[d] - exact[d], d))
    for district in by_remainder[: lamps - sum(counts.values())]:
        counts[district] += 1
    return counts


def _light_district(rng: random.Random, plan: _Plan, district: str, lamps: int) -> None:
    _, _, heading, ring = OUTLINES[district]
    cabinets = math.ceil(lamps / _LAMPS_PER_CABINET)
    left = lamps
    served = limit = 0
    for number, (lon, lat) in enumerate(_spread(rng, ring, cabinets)):
        if served == limit:
            # A gateway serves its neighbours, all in the area of one substation.
            served, limit = 0, rng.choice((1, 2, 2, 3))
            gateway = f"GW-{len(plan.gateways) + 1:02d}"
            plan.gateways.append((gateway, f"Concentrador {gateway} (simulado)", *_place(lon, lat), district))
        served += 1
        cabinet = f"CM-{len(plan.cabinets) + 1:02d}"
        substation = f"SE-{district}-{gateway.removeprefix('GW-')}"
        plan.cabinets.append((cabinet, gateway, substation, *_place(lon, lat), district))
        count = left // (cabinets - number)
        left -= count
        _wire(rng, plan, cabinet, (lon, lat), district, heading, count)


def _wire(
    rng: random.Random, plan: _Plan, cabinet: str, origin: Point, district: str, heading: float, lamps: int
) -> None:
    """Hang `lamps` on two or three feeders that leave a cabinet along its streets."""
    ring = OUTLINES[district][3]
    feeders = min(rng.choice((2, 3)), max(lamps // 3, 1))
    cuts = [lamps * i // feeders for i in range(feeders + 1)]
    for index in range(feeders):
        feeder = f"{cabinet}-{'ABC'[index]}"
        switching = "switched" if (len(plan.feeders) % 2) else "permanent"
        plan.feeders.append((feeder, cabinet, switching, "astronomical"))
        count = cuts[index + 1] - cuts[index]
        course = _course(origin, heading + 90 * index, count, ring)
        street = f"{rng.choice(STREETS)} {len(plan.feeders)} (simulada)"
        lamp_type, watts = rng.choices(
            (("led", (36, 50, 72, 90)), ("sodium", (100, 150, 250)), ("metal-halide", (70, 150))), (6, 3, 1)
        )[0]
        rated = rng.choice(watts)
        for place in range(count):
            lon, lat = _step(origin, course, (place + 1) * _LAMP_DISTANCE_M)
            row = (f"L-{len(plan.lamps) + 1:05d}", feeder, "RST"[place % 3], lamp_type, rated, *_place(lon, lat))
            plan.lamps.append((*row, district, street))


def _course(origin: Point, heading: float, lamps: int, ring: tuple[Point, ...]) -> float:
    """Return the heading nearest to the wished one along which the whole feeder stays in its district."""
    length = (lamps + 1) * _LAMP_DISTANCE_M
    turns = sorted(range(-180, 180, 15), key=abs)

    def stays(turn: int) -> int:
        steps = [_step(origin, heading + turn, length * part / 8) for part in range(1, 9)]
        return sum(inside(lon, lat, ring) for lon, lat in steps)

    return heading + max(turns, key=stays)


def _build_facilities(rng: random.Random, plan: _Plan, facilities: int) -> None:
    if facilities <= 0:
        return
    place = (*_place(-5.673, 43.530), "west")
    plan.gateways.append((AIR_STATION, "Estación de calidad del aire (simulada)", *place))
    plan.facilities.append(("EA-CONSTITUCION", "air-station", "Estación Avenida de la Constitución (simulada)", *place))
    plan.devices.append((AIR_STATION, "EA-CONSTITUCION", AIR_STATION, "air-station"))
    districts = list(OUTLINES)
    for number in range(1, facilities):
        kind, name = FACILITY_KINDS[(number - 1) % len(FACILITY_KINDS)]
        district = districts[(number - 1) % len(districts)]
        ((lon, lat),) = _spread(rng, OUTLINES[district][3], 1)
        identity = f"EQ-{number:02d}"
        gateway = _nearest_gateway(plan, lon, lat)
        plan.facilities.append((identity, kind, f"{name} {number} ({_simulated(name)})", *_place(lon, lat), district))
        plan.devices.append((f"S-{identity}", identity, gateway, "building-sensor"))


def _simulated(name: str) -> str:
    """Return the word that marks a name as simulated, in the gender of its noun."""
    return "simulada" if name.endswith("a") else "simulado"


def _nearest_gateway(plan: _Plan, lon: float, lat: float) -> str:
    def distance(row: Sequence[object]) -> tuple[float, str]:
        return (float(str(row[2])) - lat) ** 2 + (float(str(row[3])) - lon) ** 2, str(row[0])

    street = [row for row in plan.gateways if row[0] != AIR_STATION]
    return str(min(street or plan.gateways, key=distance)[0])


def _spread(rng: random.Random, ring: tuple[Point, ...], count: int) -> list[Point]:
    """Return points well inside a ring, each as far from the others as a few draws can find, in west-east order."""
    xs, ys = [x for x, _ in ring], [y for _, y in ring]
    middle = (sum(xs) / len(xs), sum(ys) / len(ys))
    found: list[Point] = []
    while len(found) < count:
        drawn: list[Point] = []
        while len(drawn) < 12:
            point = (rng.uniform(min(xs), max(xs)), rng.uniform(min(ys), max(ys)))
            if all(inside(point[0] + dx, point[1] + dy, ring) for dx in (-0.001, 0.001) for dy in (-0.0007, 0.0007)):
                drawn.append(point)
        found.append(max(drawn, key=lambda p: min(math.dist(p, other) for other in found or [middle])))
    return sorted(found)


def _step(origin: Point, heading: float, metres: float) -> Point:
    lon, lat = origin
    north, east = metres * math.cos(math.radians(heading)), metres * math.sin(math.radians(heading))
    scale = _METRES_PER_DEGREE * math.cos(math.radians(lat))
    return lon + east / scale, lat + north / _METRES_PER_DEGREE


def _place(lon: float, lat: float) -> tuple[str, str]:
    return f"{lat:.6f}", f"{lon:.6f}"


def _districts() -> str:
    features = [
        json.dumps(
            {
                "type": "Feature",
                "properties": {"district_id": identity, "name": name},
                "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
            },
            ensure_ascii=False,
        )
        for identity, (name, _, _, ring) in OUTLINES.items()
    ]
    return '{"type": "FeatureCollection", "features": [\n' + ",\n".join(features) + "\n]}\n"


def _csv(header: str, rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header.split(","))
    writer.writerows(rows)
    return out.getvalue()
