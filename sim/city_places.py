"""The facilities of a generated city: where they stand, what they are called, and what measures them."""

import math
import random
from dataclasses import dataclass

from sim.outlines import OUTLINES, Point, inside
from sim.plan import Plan, place_cells
from sim.street_names import NOUNS

AIR_STATION = "EST-CONSTITUCION"


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of facility: how many among fifty-nine, what it is called, its device's profile."""

    kind: str
    count: int
    noun: str
    profile: str


_KINDS = (
    _Kind("school", 16, "Colegio", "building-sensor"),
    _Kind("sports-hall", 9, "Polideportivo", "sports-hall-sensor"),
    _Kind("library", 8, "Biblioteca", "building-sensor"),
    _Kind("car-park", 6, "Aparcamiento", "car-park-sensor"),
    _Kind("civic-centre", 5, "Centro municipal", "building-sensor"),
    _Kind("pool", 4, "Piscina", "pool-sensor"),
    _Kind("market", 4, "Mercado", "market-sensor"),
    _Kind("water-tank", 4, "Depósito", "water-tank-sensor"),
    _Kind("air-station", 3, "Estación de calidad del aire", "air-station"),
)
_TURN = sorted(
    ((number + 0.5) / kind.count, index) for index, kind in enumerate(_KINDS) for number in range(kind.count)
)
"""Kinds in an order in which every beginning is a fair mixture."""


def add_facilities(rng: random.Random, plan: Plan, facilities: int) -> None:
    """Add exactly `facilities` of them, the first the air station that the recorded readings belong to."""
    if facilities <= 0:
        return
    place = (*place_cells((-5.673, 43.530)), "west")
    plan.gateways.append((AIR_STATION, "Estación de calidad del aire (simulada)", *place, ""))
    plan.facilities.append(("EA-CONSTITUCION", "air-station", "Estación Avenida de la Constitución (simulada)", *place))
    plan.devices.append((AIR_STATION, "EA-CONSTITUCION", AIR_STATION, "air-station"))
    nouns = list(NOUNS)
    rng.shuffle(nouns)
    districts = [district for district, (_, share, _, _) in OUTLINES.items() for _ in range(round(share * 50))]
    rng.shuffle(districts)
    taken: list[Point] = []
    for number in range(1, facilities):
        kind = _KINDS[_TURN[(number - 1) % len(_TURN)][1]]
        district = districts[(number - 1) % len(districts)]
        _add(rng, plan, kind, number, district, nouns[(number - 1) % len(nouns)], taken)


def _add(
    rng: random.Random, plan: Plan, kind: _Kind, number: int, district: str, noun: str, taken: list[Point]
) -> None:
    point = _beside_a_street(rng, plan, district, taken)
    taken.append(point)
    identity = f"EQ-{number:02d}"
    name = f"{kind.noun} {noun} ({_simulated(kind.noun)})"
    place = (*place_cells(point), district)
    plan.facilities.append((identity, kind.kind, name, *place))
    if kind.kind == "air-station":
        # A station speaks for itself, over a line of its own.
        gateway = f"EST-{number:02d}"
        plan.gateways.append((gateway, name, *place, ""))
        plan.devices.append((gateway, identity, gateway, kind.profile))
    else:
        plan.devices.append((f"S-{identity}", identity, _nearest_gateway(plan, point), kind.profile))


def _beside_a_street(rng: random.Random, plan: Plan, district: str, taken: list[Point]) -> Point:
    """Return a place thirty metres off a lamp, far from other facilities; without lamps anywhere in the district."""
    ring = OUTLINES[district][3]
    lamps = [row for row in plan.lamps if row[7] == district]
    drawn: list[Point] = []
    for _ in range(60):
        if lamps:
            row = rng.choice(lamps)
            turn = rng.uniform(0, 2 * math.pi)
            point = (float(str(row[6])) + 0.00037 * math.cos(turn), float(str(row[5])) + 0.00027 * math.sin(turn))
        else:
            xs, ys = [x for x, _ in ring], [y for _, y in ring]
            point = (rng.uniform(min(xs), max(xs)), rng.uniform(min(ys), max(ys)))
        if inside(*point, ring):
            drawn.append(point)
        if len(drawn) == 6:
            break
    assert drawn, "no point of sixty lies inside the district"
    return max(drawn, key=lambda p: min((math.dist(p, other) for other in taken), default=0.0))


def _simulated(noun: str) -> str:
    """Return the word that marks a name as simulated, in the gender of its noun."""
    return "simulada" if noun.split()[0].endswith(("a", "ón")) else "simulado"


def _nearest_gateway(plan: Plan, point: Point) -> str:
    street = [row for row in plan.gateways if not str(row[0]).startswith("EST-")] or plan.gateways
    return str(
        min(street, key=lambda row: (math.dist(point, (float(str(row[3])), float(str(row[2])))), str(row[0])))[0]
    )
