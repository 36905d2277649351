"""A seeded city: the files of a city pack with lamps along invented streets, marked as simulated."""

import csv
import io
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from sim.city_places import AIR_STATION, add_facilities
from sim.city_texts import (
    AIR_METRICS,
    CATEGORIES,
    CITY,
    FAULTS,
    METRICS,
    OPENING,
    PROFILES,
    SCHEDULES,
)
from sim.outlines import OUTLINES
from sim.plan import Plan, place_cells
from sim.street_names import Names
from sim.streets import Grid, lay_out
from sim.wiring import Panel, wire

__all__ = ["AIR_STATION", "GIJON_SEED", "generate_city", "write_city"]

GIJON_SEED = 33
"""The seed of the committed pack ``cities/gijon``."""

LAMPS = 30_000
FACILITIES = 60

_OPERATORS = "red-norte", "red-sur"
"""Networks that gateways speak over, invented."""
_GATEWAYS = 75
_GATEWAY_LAMPS_MIN = 90
_VILLAGES = 14
_RURAL = "rural"

_LAMP_TYPES = (("led", (0.66, 0.72)), ("sodium", (0.26, 0.16)), ("metal-halide", (0.08, 0.12)))
"""Shares among feeders in narrow and in broad streets: most of a town is LED by now, the rest waits."""

_WATTS = {
    "led": ((28, 36, 50), (72, 90, 110)),
    "sodium": ((70, 100, 150), (150, 250)),
    "metal-halide": ((70, 100), (150, 250)),
}

_CONTROLLERS = (("lamp-controller-full", 0.04), ("lamp-controller-hourly", 0.05), ("lamp-counter", 0.04))
"""Shares of feeders whose controllers are of another make than the usual one."""

_PART_NIGHT = 0.4
"""Share of LED feeders outside the broad streets that are dimmed in the small hours."""


def generate_city(seed: int, lamps: int = LAMPS, facilities: int = FACILITIES, *, mixed: bool = True) -> dict[str, str]:
    """Return a city pack as file name → text; equal arguments give equal bytes.

    Parameters
    ----------
    lamps : int
        Exactly so many, on about one cabinet for each sixty.
    facilities : int
        Exactly so many, the first of them the air station.
    mixed : bool
        Some feeders have controllers of other makes (hourly, counters only) and some are dimmed at night. Without it
        every lamp reports each quarter of an hour and burns in full from dusk to dawn.
    """
    rng = random.Random(f"city|{seed}")  # noqa: S311 - a drawing, not a secret
    plan, names = Plan(), Names()
    gateway_lamps = max(lamps // _GATEWAYS, _GATEWAY_LAMPS_MIN)
    for district, count in _shares(lamps).items():
        _light_district(rng, plan, district, count, gateway_lamps, names, mixed=mixed)
    add_facilities(rng, plan, facilities)
    return {
        "city.toml": CITY,
        "districts.geojson": _districts(),
        "gateways.csv": _csv("gateway_id,name,lat,lon,district_id,operator", plan.gateways),
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
        "opening.toml": _opening(plan),
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


def _light_district(
    rng: random.Random, plan: Plan, district: str, lamps: int, gateway_lamps: int, names: Names, *, mixed: bool
) -> None:
    _, _, heading, ring = OUTLINES[district]
    grid = Grid(rng, ring, heading)
    rural = district == _RURAL
    # A village needs some lamps to be one; a large district has grown together from a few.
    nuclei = min(max(lamps // 60, 1), _VILLAGES) if rural else 1 + lamps // 2000
    blocks = lay_out(rng, grid, lamps, nuclei, names, rural=rural)
    names.take({block.name for block in blocks})
    spoken_for = gateway_lamps
    for panel in wire(blocks, villages=rural):
        count = sum(len(run.lamps) for run in panel.runs)
        if spoken_for + count / 2 > gateway_lamps:
            # A gateway serves its neighbours, all in the area of one substation.
            spoken_for = 0
            gateway = f"GW-{len(plan.gateways) + 1:02d}"
            operator = _OPERATORS[len(plan.gateways) % len(_OPERATORS)]
            name = f"Concentrador {gateway} (simulado)"
            plan.gateways.append((gateway, name, *place_cells(panel.place), district, operator))
        spoken_for += count
        _build_panel(rng, plan, panel, gateway, district, mixed=mixed)


def _build_panel(rng: random.Random, plan: Plan, panel: Panel, gateway: str, district: str, *, mixed: bool) -> None:
    cabinet = f"CM-{len(plan.cabinets) + 1:02d}"
    substation = f"SE-{district}-{gateway.removeprefix('GW-')}"
    plan.cabinets.append((cabinet, gateway, substation, *place_cells(panel.place), district))
    for index, run in enumerate(panel.runs):
        feeder = f"{cabinet}-{'ABC'[index]}"
        switching = "switched" if (len(plan.feeders) % 2) else "permanent"
        lamp_type, watts = _draw_lamps(rng, broad=sum(broad for _, _, broad in run.lamps) * 2 > len(run.lamps))
        profile = ""
        schedule = "astronomical"
        if mixed:
            profile = _draw_profile(rng)
            if lamp_type == "led" and not run.lamps[0][2] and rng.random() < _PART_NIGHT:
                schedule = "part-night"
        plan.feeders.append((feeder, cabinet, switching, schedule))
        for place, (point, street, _) in enumerate(run.lamps):
            lamp = f"L-{len(plan.lamps) + 1:05d}"
            plan.lamps.append((lamp, feeder, "RST"[place % 3], lamp_type, watts, *place_cells(point), district, street))
            if profile:
                plan.devices.append((f"N-{lamp}", lamp, gateway, profile))


def _draw_lamps(rng: random.Random, *, broad: bool) -> tuple[str, int]:
    """Return lamp type and rated power of one feeder."""
    ((lamp_type, _),) = rng.choices(_LAMP_TYPES, [shares[broad] for _, shares in _LAMP_TYPES])
    return lamp_type, rng.choice(_WATTS[lamp_type][broad])


def _draw_profile(rng: random.Random) -> str:
    """Return the make of one feeder's controllers; empty for the usual one."""
    draw = rng.random()
    for profile, share in _CONTROLLERS:
        draw -= share
        if draw < 0:
            return profile
    return ""


def _opening(plan: Plan) -> str:
    """Keep the hours of the kinds that the city has: a pack must not speak of others."""
    head, *tables = OPENING.split("\n[")
    kinds = {str(row[1]) for row in plan.facilities}
    return "\n[".join([head, *(table for table in tables if table.split("]")[0] in kinds)]) + "\n"


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
