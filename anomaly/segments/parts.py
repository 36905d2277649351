"""Parts of feeders that are out, and what correlation is told of the rest: whole feeders, cabinets, gateways."""

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from anomaly.segments.clock import MOST_US
from anomaly.segments.columns import Columns, Feeder
from anomaly.segments.layout import HEARD, LOSS_MOST, SILENT
from anomaly.segments.shape import NOTHING, PHASE, TAIL, WHOLE, Lamps, Shape, due_of, shape_of
from anomaly.segments.switching import Turn
from anomaly.segments.told import PARTS, lamps
from city.alarm import CandidateKind, Census, Evidence, Suspicion
from city.clock import HOUR_US, MINUTE_US
from city.link import GatewayLink

_RULES = {PHASE: "phase-silent", TAIL: "tail-silent"}
MEMBER, LEFT = 1, 2
"""Of an open part; or of one that is over, and not heard since."""
METERED_MIN = 5
"""Of so many controllers one should manage to say that its supply is gone: a fifth do at most."""
ELSEWHERE = 0.1
"""Fewer of a feeder that is all out may be heard: those that hang elsewhere."""
BACK_SHARE = 0.5
"""A part is over when this share of it is heard again."""
LASTING_US = 25 * MINUTE_US
"""What is back within this much beyond an interval, or with the next message, has tripped and reclosed: no outage."""
SELDOM_US = 2 * HOUR_US
"""A trip of minutes rarely falls on the messages of who speaks less often: there is no second one to wait for."""


def chance(
    columns: NDArray[np.void], said: NDArray[np.void], again: NDArray[np.float64], missed: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return how unlikely it is by chance that each of some lamps misses so many messages, as −ln p.

    Parameters
    ----------
    columns, said : layout.LAMP[n], layout.SAID[n]
    again : float64[n]
        Chance that a lost message is followed by another one.
    missed : int64[n]
    """
    loss = np.minimum(np.maximum(columns["lost_share"], said["loss"]), LOSS_MOST)
    more = np.minimum(np.maximum(loss, again), LOSS_MOST)
    unlikely: NDArray[np.float64] = np.where(missed > 0, -np.log(loss) - (missed - 1) * np.log(more), 0.0)
    return unlikely


def find(
    feeder: Feeder,
    columns: NDArray[np.void],
    said: NDArray[np.void],
    told: NDArray[np.void],
    again: NDArray[np.float64],
    gateway_heard_at: NDArray[np.int64],
    at: int,
) -> Shape:
    """Return what the silence of one feeder's lamps looks like at a moment, µs UTC."""
    rows = feeder.rows
    lamp, kept, now = columns[rows], said[rows], told[rows]
    interval_us = np.maximum(lamp["interval_us"], kept["interval_us"])
    since, missed = now["since"], now["missed"]
    if feeder.switched:
        # Nobody is missed from before the contactor has closed: those tell that are there.
        there = now["state"] == HEARD
        closed_at = _closed_at(kept[there], interval_us[there], since)
        early = (now["state"] == SILENT) & (kept["heard_at"] < since) & (since < closed_at)
        since = np.where(early, closed_at, since)
        missed = np.where(early, (at - closed_at) // interval_us, missed)
    due = due_of(since, kept["heard_at"], interval_us)
    # A night is no whole number of intervals: who slept owes what its beats were tonight, and before.
    slept = (now["state"] == SILENT) & (kept["heard_at"] < since)
    owed = now["before"] + np.maximum((at - due) // np.maximum(interval_us, 1) + 1, 0)
    missed = np.where(slept, np.minimum(missed, owed), missed)
    seen = Lamps(
        now["state"],
        lamp["phase"],
        since,
        kept["heard_at"],
        chance(lamp, kept, again[rows], missed),
        interval_us,
        gateway_heard_at[lamp["gateway"]],
        due,
        kept["missed_from"],
        kept["missed_until"],
        (kept["part"] == LEFT) | (now["before"] > 1),
    )
    rules = feeder.rules
    return shape_of(seen, feeder.orders(), rules.outage_lamps_min, rules.outage_probability)


def _closed_at(said: NDArray[np.void], interval_us: NDArray[np.int64], since: NDArray[np.int64]) -> int:
    """Return when a feeder got its supply tonight, µs UTC, if most of who is there woke later than due; else 0.

    Who speaks seldom is not late before its own beat has passed.

    Parameters
    ----------
    said : layout.SAID[n]
        Of who is there.
    interval_us : int64[n]
    since : int64[m], µs UTC
        When the silent should have woken.
    """
    due_at, woke_at = int(since.max(initial=0)), said["woke_at"]
    beat_at = due_of(np.full(len(said), due_at), said["slept_at"], interval_us)
    late = np.sort(woke_at[(woke_at > due_at) & (woke_at - beat_at >= interval_us // 2)])
    # Not the very first: a lamp or two hang elsewhere.
    return int(late[len(late) // 10]) if len(late) and 2 * len(late) >= len(woke_at) else 0


def lasting_us(interval_us: int) -> int:
    """Return how long after it was last heard something has to be silent before it counts as out."""
    if interval_us >= SELDOM_US:
        return interval_us + LASTING_US
    return interval_us + max(LASTING_US, interval_us + 5 * MINUTE_US)


def judge(
    row: np.void, said: NDArray[np.void], feeder: Feeder, told: NDArray[np.void], shape: Shape | None, now: int
) -> Iterator[Suspicion]:
    """Open a part that is out; close it when most of it is back."""
    rows = feeder.rows
    left = rows[(said["part"][rows] == LEFT) & (told["state"][rows] == HEARD)]
    said["part"][left] = 0
    if row["part_since"]:
        members = rows[said["part"][rows] == MEMBER]
        state = told["state"][members]
        if int((state == HEARD).sum()) >= BACK_SHARE * max(len(members), 1):
            fault = PARTS[int(row["part_fault"])]
            since = int(row["part_since"])
            row["part_since"] = 0
            said["part"][members] = np.where(state == HEARD, 0, LEFT)
            evidence = Evidence("segment-recovered", detail={"lamps": len(members)})
            yield Suspicion(CandidateKind.CLEAR, fault, feeder.scope, since, now, evidence, until=now)
        return
    if shape is None or shape.kind not in _RULES or now - shape.since < lasting_us(feeder.interval_us):
        return
    row["part_since"], row["part_fault"] = shape.since, shape.kind
    said["part"][rows[shape.members]] = MEMBER
    evidence = lamps(_RULES[shape.kind], shape.heard, shape.heard + shape.silent, shape.since, silent=shape.silent)
    yield Suspicion(CandidateKind.SUSPECT, PARTS[shape.kind], feeder.scope, shape.since, now, evidence)


def census(
    columns: Columns,
    said: NDArray[np.void],
    told: NDArray[np.void],
    again: NDArray[np.float64],
    counts: NDArray[np.void],
    feeders: NDArray[np.void],
    shapes: dict[int, Shape],
    turns: list[Turn],
    confirmed: Callable[[int], bool],
    together: Callable[[int], bool],
    links: Mapping[str, GatewayLink],
    now: int,
) -> Iterator[Census]:
    """Yield the counts of each feeder, one for each gateway that hears it.

    Parameters
    ----------
    again : float64[n]
        By lamp, the chance that a lost message is followed by another one.
    confirmed : callable
        Number of a feeder → whether another shows that the time is right.
    together : callable
        Number of a feeder → whether those beside it do the same beside the hour.
    links : mapping
        Gateway → whether it is connected, where the broker has told.
    """
    n, group = len(columns.groups), columns.group_of
    hung = np.flatnonzero(group >= 0)
    interval = np.maximum(columns.lamps["interval_us"], said["interval_us"])
    silent = hung[told["state"][hung] == SILENT]
    of_silent, missed = group[silent], told["missed"][silent]
    unlikely = chance(columns.lamps[silent], said[silent], again[silent], missed)
    gasped = said["gasp_at"][silent] == said["heard_at"][silent]
    heards = np.bincount(group[hung[told["state"][hung] == HEARD]], minlength=n).tolist()
    silents = np.bincount(of_silent, minlength=n).tolist()
    surprises = np.bincount(of_silent, unlikely, n).tolist()
    misseds = np.bincount(of_silent, missed, n).astype(np.int64).tolist()
    gaspeds = np.bincount(of_silent[gasped], minlength=n).tolist()
    sinces = _most(of_silent, told["since"][silent], n)
    dues = _most(of_silent, due_of(told["since"][silent], said["heard_at"][silent], interval[silent]), n)
    silent_heard_at = _most(of_silent, said["heard_at"][silent], n)
    heard_at = _most(group[hung], said["heard_at"][hung], n)
    silent_interval = _most(of_silent, interval[silent], n)
    intervals = _most(group[hung], interval[hung], n)
    known, dark = counts["known"].tolist(), counts["dark"].tolist()
    for place, (number, scope) in enumerate(columns.groups):
        if not known[number]:
            continue
        feeder = columns.feeders[number]
        turn, rules = turns[feeder.schedule], feeder.rules
        link = links.get(scope.gateway_id)
        part = bool(feeders[number]["part_since"]) and heards[place] > ELSEWHERE * known[number]
        woke = not feeder.switched or not turn.burning
        yield Census(
            feeder=scope,
            expected=heards[place] + silents[place],
            heard=heards[place],
            dark=dark[number],
            missed=misseds[place],
            unexplained=silents[place] >= rules.outage_lamps_min
            and surprises[place] > -math.log(max(rules.outage_probability, 1e-300)),
            silent_since=sinces[place],
            heard_at=heard_at[place],
            interval_us=silent_interval[place] or intervals[place],
            woke=woke or (silents[place] > 0 and silent_heard_at[place] >= turn.began_at),
            tells_supply=feeder.metered >= METERED_MIN,
            gasped=gaspeds[place],
            whole=not part
            and _is_whole(number, feeder, feeders, shapes, turn, confirmed, sinces[place], silent_heard_at[place], now),
            beside_the_hour=together(number),
            online=None if link is None else link.online,
            online_at=0 if link is None else link.since,
            due_at=dues[place],
            part=part,
        )


def _most(group: NDArray[np.int32], value: NDArray[np.int64], n: int) -> list[int]:
    """Return the largest value of each group; 0 where it has none."""
    most = np.zeros(n, np.int64)
    np.maximum.at(most, group, value)
    return most.tolist()


def _is_whole(
    number: int,
    feeder: Feeder,
    feeders: NDArray[np.void],
    shapes: dict[int, Shape],
    turn: Turn,
    confirmed: Callable[[int], bool],
    since: int,
    heard_at: int,
    now: int,
) -> bool:
    """Tell whether the silence may be that of the feeder as a whole, for long enough, and not its clock's doing.

    Parameters
    ----------
    heard_at : int
        When one of the silent was heard last, µs UTC.
    """
    shape = shapes.get(number)
    if shape is None or (feeders[number]["part_since"] and shape.kind != WHOLE):
        return False
    if shape.kind in (PHASE, TAIL):
        return False
    if now - since < lasting_us(feeder.interval_us):
        return False
    doubt_us = feeder.rules.clock_guard_s * 1_000_000
    # No clock lets a night begin so late, or end so early.
    if heard_at < turn.began_at:
        no_clock = turn.since_us > MOST_US
    else:
        no_clock = turn.until_us + now - since - feeder.interval_us > doubt_us
    return not feeder.switched or turn.within(doubt_us) or (turn.burning and no_clock) or confirmed(number)


assert NOTHING == 0
