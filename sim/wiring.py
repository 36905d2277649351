"""Wires a district's street blocks: cabinets that feed neighbouring blocks, feeders that follow their streets."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from sim.outlines import Point
from sim.streets import Block

FEEDER_LAMPS = 24
CABINET_LAMPS = 64


@dataclass(frozen=True, slots=True)
class Run:
    """The lamps of one feeder in the order of its cable: place and street of each, and whether the street is broad."""

    lamps: tuple[tuple[Point, str, bool], ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """A cabinet beside one of its lamps, with two or three feeders."""

    place: Point
    runs: tuple[Run, ...]


def wire(blocks: list[Block], *, villages: bool) -> Iterator[Panel]:
    """Yield the cabinets of a district; those that follow one another are neighbours.

    Every cabinet has at least one lamp, about `CABINET_LAMPS` where there are enough.

    Parameters
    ----------
    villages : bool
        No cabinet feeds two of the district's nuclei: they lie far apart.
    """
    nuclei: dict[int, list[Block]] = {}
    for block in blocks:
        nuclei.setdefault(block.nucleus if villages else 0, []).append(block)
    for _, together in sorted(nuclei.items()):
        lamps = sum(len(block.places) for block in together)
        for group in _halves(together, max(math.ceil(lamps / CABINET_LAMPS), 1)):
            yield _panel(group)


def _halves(blocks: list[Block], parts: int) -> Iterator[list[Block]]:
    """Cut the blocks into neighbourhoods of about equal numbers of lamps, across their longer side each time."""
    if parts <= 1 or len(blocks) < 2:
        yield blocks
        return
    us, vs = [b.middle[0] for b in blocks], [b.middle[1] for b in blocks]
    axis = 0 if max(us) - min(us) >= max(vs) - min(vs) else 1
    ordered = sorted(blocks, key=lambda b: (b.middle[axis], b.line, b.index))
    first = parts // 2
    wanted = sum(len(b.places) for b in ordered) * first / parts
    cut, seen = 0, 0.0
    while cut < len(ordered) - 1 and (seen < wanted or cut == 0):
        seen += len(ordered[cut].places)
        cut += 1
    yield from _halves(ordered[:cut], first)
    yield from _halves(ordered[cut:], parts - first)


def _panel(blocks: list[Block]) -> Panel:
    """Hang a neighbourhood's lamps on feeders: street after street, then cut where the loads are about equal."""
    ordered = sorted(blocks, key=lambda b: (b.line, b.index))
    lamps = [(place, block.name, block.broad) for block in ordered for place in block.places]
    middle = (sum(p[0] for p, _, _ in lamps) / len(lamps), sum(p[1] for p, _, _ in lamps) / len(lamps))
    stand = min((place for place, _, _ in lamps), key=lambda p: (math.dist(p, middle), p))
    feeders = min(max(round(len(lamps) / FEEDER_LAMPS), 1), 3)
    cuts = [len(lamps) * i // feeders for i in range(feeders + 1)]
    runs = []
    for low, high in pairwise(cuts):
        run = lamps[low:high]
        # The cable enters at the end that is nearer to the cabinet.
        if math.dist(run[-1][0], stand) < math.dist(run[0][0], stand):
            run = run[::-1]
        runs.append(Run(tuple(run)))
    return Panel(stand, tuple(runs))
