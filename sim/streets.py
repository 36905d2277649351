"""A street pattern for a district: a slightly bent grid of named streets, and the places of lamps along them."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sim.outlines import Point, inside
from sim.street_names import Names

METRES_PER_DEGREE = 111_320.0

_BLOCK_M_MAX = 165.0
_BLOCK_M_MIN = 34.0
_SHRINK = 0.93
_BROAD_EVERY = 4
_BEND_M = 14.0
_BEND_LENGTH_M = 950.0
_LAMP_M = 27.0
_GAP_SHARE = 0.10
_REACH_M = 600.0
_NAME_BLOCKS = 9
"""A street that is not broad has another name after so many blocks."""


@dataclass(frozen=True, slots=True)
class Block:
    """The stretch of one street between two crossings, with the places of its lamps in order.

    Attributes
    ----------
    line, index : tuple, int
        Which street line (direction, number) and which stretch of it: blocks sort along their street.
    middle : tuple of float
        Metres along and across the district's heading.
    nucleus : int
        Number of the town or village that it belongs to.
    """

    line: tuple[int, int]
    index: int
    middle: tuple[float, float]
    broad: bool
    name: str
    places: tuple[Point, ...]
    nucleus: int = 0


class Grid:
    """A plane in metres, turned by the district's heading and gently bent, so that no street is a ruler's line."""

    def __init__(self, rng: random.Random, ring: tuple[Point, ...], heading: float) -> None:
        self.ring = ring
        self.origin = (sum(x for x, _ in ring) / len(ring), sum(y for _, y in ring) / len(ring))
        self._scale = METRES_PER_DEGREE * math.cos(math.radians(self.origin[1]))
        self._turn = math.radians(heading)
        self._phases = [rng.uniform(0, 2 * math.pi) for _ in range(4)]

    def place(self, along: float, across: float) -> Point:
        """Return longitude and latitude of a point of the plane."""
        wave = 2 * math.pi / _BEND_LENGTH_M
        u = along + _BEND_M * math.sin(wave * across + self._phases[0])
        v = across + _BEND_M * math.sin(wave * along + self._phases[1])
        u += _BEND_M / 2 * math.sin(2.3 * wave * (along + across) + self._phases[2])
        v += _BEND_M / 2 * math.sin(1.7 * wave * (along - across) + self._phases[3])
        north = u * math.cos(self._turn) - v * math.sin(self._turn)
        east = u * math.sin(self._turn) + v * math.cos(self._turn)
        return self.origin[0] + east / self._scale, self.origin[1] + north / METRES_PER_DEGREE

    def plane(self, lon: float, lat: float) -> tuple[float, float]:
        """Return about where a place lies in the plane, the bend left out."""
        east, north = (lon - self.origin[0]) * self._scale, (lat - self.origin[1]) * METRES_PER_DEGREE
        return (
            north * math.cos(self._turn) + east * math.sin(self._turn),
            east * math.cos(self._turn) - north * math.sin(self._turn),
        )

    def has(self, along: float, across: float) -> bool:
        """Tell whether a point lies within the district."""
        return inside(*self.place(along, across), self.ring)

    def reach(self) -> tuple[float, float, float, float]:
        """Return the lowest and highest value along and across, with a margin."""
        corners = [self.plane(*point) for point in self.ring]
        us, vs = [u for u, _ in corners], [v for _, v in corners]
        return min(us) - 40, max(us) + 40, min(vs) - 40, max(vs) + 40


def lay_out(rng: random.Random, grid: Grid, lamps: int, nuclei: int, names: Names, *, rural: bool) -> list[Block]:
    """Return blocks with exactly `lamps` places, densest where they must be, those nearest to the nuclei first taken.

    Parameters
    ----------
    nuclei : int
        1: one town that grows from its middle; more: villages.
    """
    if lamps <= 0:
        return []
    centres = _nuclei(rng, grid, nuclei)
    # Far from its villages a rural district has no streets: looking there would take most of the time.
    reach = _REACH_M * (1 + 0.1 * math.sqrt(lamps / nuclei))
    around = [(u, v, reach * weight) for u, v, weight in centres] if rural else None
    seed = rng.random()
    size = _BLOCK_M_MAX
    while True:
        drawn = random.Random(f"grid|{seed}|{size:.3f}")  # noqa: S311 - a drawing, not a secret
        blocks = list(_blocks(drawn, grid, size, names.fresh(), around, rural=rural))
        if sum(len(b.places) for b in blocks) >= lamps or size < _BLOCK_M_MIN:
            return _nearest(blocks, centres, lamps)
        size *= _SHRINK


def _nuclei(rng: random.Random, grid: Grid, count: int) -> list[tuple[float, float, float]]:
    """Return points within the district, far from each other: along, across, weight."""
    if count == 1 and all(
        inside(grid.origin[0] + dx, grid.origin[1] + dy, grid.ring) for dx in (-0.003, 0.003) for dy in (-0.002, 0.002)
    ):
        return [(*grid.plane(*grid.origin), 1.0)]
    u0, u1, v0, v1 = grid.reach()
    found: list[tuple[float, float, float]] = []
    while len(found) < count:
        drawn: list[tuple[float, float]] = []
        while len(drawn) < 8:
            u, v = rng.uniform(u0, u1), rng.uniform(v0, v1)
            if all(grid.has(u + du, v + dv) for du in (-250, 250) for dv in (-250, 250)):
                drawn.append((u, v))
        best = max(drawn, key=lambda p: min((math.dist(p, f[:2]) for f in found), default=0.0))
        found.append((*best, rng.uniform(0.6, 1.7)))
    return found


def _blocks(
    rng: random.Random,
    grid: Grid,
    size: float,
    names: Names,
    around: list[tuple[float, float, float]] | None,
    *,
    rural: bool,
) -> Iterator[Block]:
    """Yield the blocks of the whole grid, or those within the circles (along, across, radius) of `around`."""
    u0, u1, v0, v1 = grid.reach()
    along = _offsets(rng, v0, v1, size)  # streets that run along the heading, by where they lie across
    across = _offsets(rng, u0, u1, size * 1.35)
    for direction, (lines, cuts) in enumerate(((along, across), (across, along))):
        for number, offset in enumerate(lines):
            broad = number % _BROAD_EVERY == 1
            name = ""
            since = _NAME_BLOCKS
            for index in range(len(cuts) - 1):
                gap = rng.random() < _GAP_SHARE and not broad
                ends = [(cut, offset) if direction == 0 else (offset, cut) for cut in cuts[index : index + 2]]
                far = around is not None and not any(math.dist(ends[0], (u, v)) < r for u, v, r in around)
                if gap or far or not all(grid.has(*end) for end in ends):
                    since += 1
                    continue
                if not name or (since >= _NAME_BLOCKS and not broad):
                    name, since = names.draw(rng, broad=broad, rural=rural), 0
                since += 1
                places = _places(grid, ends[0], ends[1], index, broad=broad)
                if places:
                    middle = ((ends[0][0] + ends[1][0]) / 2, (ends[0][1] + ends[1][1]) / 2)
                    yield Block((direction, number), index, middle, broad, name, places)


def _offsets(rng: random.Random, low: float, high: float, size: float) -> list[float]:
    """Return uneven steps that always pass through the middle, where a small town begins."""
    found = [(low + high) / 2 + size / 3]
    while found[-1] < high:
        found.append(found[-1] + size * rng.uniform(0.75, 1.3))
    down = [found[0]]
    while down[-1] > low:
        down.append(down[-1] - size * rng.uniform(0.75, 1.3))
    return down[:0:-1] + found


def _places(
    grid: Grid, start: tuple[float, float], end: tuple[float, float], index: int, *, broad: bool
) -> tuple[Point, ...]:
    """Place lamps along a block: face to face on a broad street, on one side of another, off the crossings."""
    length = math.dist(start, end)
    count = max(round(length / _LAMP_M), 1)
    du, dv = (end[0] - start[0]) / length, (end[1] - start[1]) / length
    sides = (-8.5, 8.5) if broad else (-3.5 if index % 2 else 3.5,)
    found = []
    for step in range(count):
        at = length * (step + 0.5) / count
        for side in sides:
            point = grid.place(start[0] + du * at - dv * side, start[1] + dv * at + du * side)
            if inside(*point, grid.ring):
                found.append(point)
    return tuple(found)


def _nearest(blocks: list[Block], centres: list[tuple[float, float, float]], lamps: int) -> list[Block]:
    """Keep the blocks nearest to the nuclei until there are exactly `lamps`; the last one is cut short."""
    ranked = []
    for block in blocks:
        apart, nucleus = min((math.dist(block.middle, (u, v)) / w, i) for i, (u, v, w) in enumerate(centres))
        ranked.append((apart, block.line, block.index, nucleus, block))
    ranked.sort(key=lambda found: found[:3])
    kept: list[Block] = []
    left = lamps
    for _, _, _, nucleus, block in ranked:
        if left <= 0:
            break
        kept.append(replace(block, places=block.places[:left], nucleus=nucleus))
        left -= len(kept[-1].places)
    assert left <= 0, "the district has no room for so many lamps"
    return kept
