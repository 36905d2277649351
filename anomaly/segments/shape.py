"""Which part of a feeder fell silent together: all of it, a phase, a tail of its cable, or nothing (pure).

Each explanation costs what it leaves unlikely, as −ln p: a lamp that it calls dead and that speaks, or the other way
round, is a mistake of the inventory; chance has to lose every message that was missed. The cheapest one wins, if chance
costs more by `outage_probability`.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.segments.layout import HEARD, SILENT

NOTHING, PHASE, TAIL, WHOLE = 0, 1, 2, 3

_WRONG = -math.log(0.02)
"""Two in a hundred lamps hang elsewhere than the inventory says."""
_ALONE = -math.log(1e-4)
"""A controller that dies by itself, in just these few minutes."""
_PHASE_PRIOR, _PHASES_PRIOR, _TAIL_PRIOR = 2.0, 4.0, 1.5
_SCATTER_PRIOR, _SCATTER_MIN = 4.0, 5
"""Cables branch, and inventories do not know how: many at once, in no order, are still one event; any of them is."""
_TESTS = math.log(1_000)
"""Chance gets a hundred tries a day."""
TOGETHER = 4
"""Lamps that were last heard within so many intervals fell silent together: three messages in a row are rarely lost."""
SLACK_US = 60_000_000
SLACK_OF = 30
"""Over a day without supply a controller's beat moves by less than this part of its interval, or a minute."""
UNDECIDED_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Lamps:
    """The lamps of one feeder at a moment.

    Attributes
    ----------
    state, phase : int[n]
        As in `layout`.
    since, heard_at : int64[n], µs UTC
        When a silent one still had its supply; when each was heard last.
    chance : float64[n]
        How unlikely chance makes it that each owes as many messages as it does, as −ln p.
    interval_us : int64[n]
    gateway_heard_at : int64[n], µs UTC
        When anything was last heard through the lamp's gateway.
    due : int64[n], µs UTC
        When a silent one should have spoken first after it still had its supply, as `due_of` tells.
    missed_from, missed_until : int64[n], µs UTC
        The latest gap of each that was too long.
    left : bool[n]
        Its silence is nothing new: it was silent before tonight, or did not come back with the rest of a part.
    """

    state: NDArray[np.int32]
    phase: NDArray[np.int32]
    since: NDArray[np.int64]
    heard_at: NDArray[np.int64]
    chance: NDArray[np.float64]
    interval_us: NDArray[np.int64]
    gateway_heard_at: NDArray[np.int64]
    due: NDArray[np.int64]
    missed_from: NDArray[np.int64]
    missed_until: NDArray[np.int64]
    left: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Shape:
    """What fell silent.

    Attributes
    ----------
    kind : int
        `NOTHING`, `PHASE`, `TAIL` or `WHOLE`.
    members : bool[n]
    since : int
        Latest moment at which one of them still had its supply, µs UTC.
    heard, silent : int
        Lamps that are there, and that are not.
    """

    kind: int
    members: NDArray[np.bool_]
    since: int
    heard: int
    silent: int


def due_of(since: NDArray[np.int64], heard_at: NDArray[np.int64], interval_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return when controllers should have spoken first after `since`, a little less, µs UTC.

    Controllers keep their beat, also through a day without supply: an interval after `since` all of them have spoken,
    and one whose beat comes sooner has by then. Who speaks once or twice a night is known by that alone.
    """
    beat_us = (heard_at - since) % np.maximum(interval_us, 1)
    slack_us = np.maximum(SLACK_US, interval_us // SLACK_OF)
    slept = (heard_at < since) & (beat_us > 0)
    due: NDArray[np.int64] = since + np.where(slept, beat_us, interval_us) - np.where(slept, slack_us, SLACK_US)
    return due


def threshold(probability: float) -> float:
    """Return how unlikely chance has to be, as −ln p."""
    return _TESTS - math.log(max(probability, 1e-300))


def shape_of(lamps: Lamps, orders: Iterable[NDArray[np.int64]], lamps_min: int, probability: float) -> Shape:
    """Return the best explanation of a feeder's silence.

    Parameters
    ----------
    orders : iterable of int64[n]
        Ways in which the cable may run: positions in the columns, from the cabinet outwards or back.
    lamps_min : int
        Fewer lamps never are a part; a whole phase may be two.
    probability : float
        With less than this chance has to explain it.
    """
    silent = lamps.state == SILENT
    nothing = Shape(NOTHING, np.zeros(len(silent), np.bool_), 0, int((lamps.state == HEARD).sum()), int(silent.sum()))
    # Through a gateway of which nothing was heard since, nobody can tell.
    told = silent & ~lamps.left & (lamps.gateway_heard_at >= lamps.due)
    if int(told.sum()) < 2:
        return nothing
    since = int(lamps.since[told].max())
    group = told & (lamps.since >= since - TOGETHER * lamps.interval_us)
    due = int(lamps.due[group].max())
    # Who was silent then too, and is back, may have been out with the rest, which is about to come back as well.
    back = (lamps.missed_from < due) & (lamps.missed_until > due)
    alive = (lamps.state == HEARD) & (lamps.heard_at >= due) & ~back
    undecided = (lamps.state == HEARD) & ~alive
    n = int(group.sum() + alive.sum())
    if undecided.sum() > UNDECIDED_SHARE * (n + undecided.sum()):
        return nothing
    chance = float(np.minimum(lamps.chance[group], _ALONE).sum())
    kind, cost = _best(lamps, group, alive, orders, lamps_min)
    if kind == NOTHING or chance - cost <= threshold(probability):
        return nothing
    return Shape(kind, group, since, int(alive.sum()), int(group.sum()))


def _best(
    lamps: Lamps,
    group: NDArray[np.bool_],
    alive: NDArray[np.bool_],
    orders: Iterable[NDArray[np.int64]],
    lamps_min: int,
) -> tuple[int, float]:
    size, n = int(group.sum()), int(group.sum() + alive.sum())
    found: list[tuple[float, int]] = []
    if size >= lamps_min:
        found.append((_WRONG * int(alive.sum()), WHOLE))
        found += [(cost, TAIL) for cost in _tails(group, alive, orders, n)]
    for phases, prior in (((0,), _PHASE_PRIOR), ((1,), _PHASE_PRIOR), ((2,), _PHASE_PRIOR),
                          ((0, 1), _PHASES_PRIOR), ((0, 2), _PHASES_PRIOR), ((1, 2), _PHASES_PRIOR)):  # fmt: skip
        on_it = np.isin(lamps.phase, phases)
        if int((group & on_it).sum()) >= 2 and (alive & ~on_it).any():
            found.append((prior + _WRONG * (int((alive & on_it).sum()) + int((group & ~on_it).sum())), PHASE))
    if size >= _SCATTER_MIN:
        # Without phases, lamps here and there are those of one phase: they take turns along the street.
        found.append((_SCATTER_PRIOR + n * math.log(2), TAIL if (lamps.phase[group] >= 0).any() else PHASE))
    cost, kind = min(found, default=(0.0, NOTHING))
    return kind, cost


def _tails(
    group: NDArray[np.bool_], alive: NDArray[np.bool_], orders: Iterable[NDArray[np.int64]], n: int
) -> Iterable[float]:
    """Yield what the best cut of the cable costs, for each way in which it may run."""
    orders = list(orders)
    prior = _TAIL_PRIOR + math.log(n * len(orders))
    for order in orders:
        gone, there = group[order].astype(np.int64), alive[order].astype(np.int64)
        # Cut before place k: all before it should be there, all from it on gone.
        wrong = np.concatenate([[0], np.cumsum(gone)]) + np.concatenate([np.cumsum(there[::-1])[::-1], [0]])
        if there.any():
            yield prior + _WRONG * int(wrong.min())


def orders_of(names: Sequence[str], lat: NDArray[np.float64], lon: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Return ways in which a cable may run past lamps, each from both ends.

    Nobody has told how it runs: by number, as crews have numbered them; along the street's main direction; from each
    lamp to its nearest neighbour.

    Parameters
    ----------
    lat, lon : float64[n], degrees
        NaN where it is not known.
    """
    found = [np.array(sorted(range(len(names)), key=lambda i: _natural(names[i])), np.int64)]
    if len(names) > 2 and np.isfinite(lat).all() and np.isfinite(lon).all() and (np.ptp(lat) or np.ptp(lon)):
        place = np.stack([(lon - lon.mean()) * math.cos(math.radians(float(lat.mean()))), lat - lat.mean()], axis=1)
        _, _, axes = np.linalg.svd(place, full_matrices=False)
        along = np.argsort(place @ axes[0], kind="stable")
        found += [along, _chain(place, int(along[0])), _chain(place, int(along[-1]))]
    return [way for order in found for way in (order, order[::-1])]


def _natural(name: str) -> tuple[str, int, str]:
    """Sort L-9 before L-10."""
    digits = name.rstrip("0123456789")
    number = name[len(digits) :]
    return digits, int(number or 0), name


def _chain(place: NDArray[np.float64], start: int) -> NDArray[np.int64]:
    left = list(range(len(place)))
    chain = [start]
    left.remove(start)
    while left:
        far = ((place[left] - place[chain[-1]]) ** 2).sum(axis=1)
        chain.append(left.pop(int(far.argmin())))
    return np.array(chain, np.int64)
