"""Feeders that are live by day or dead by night, all of them (pure).

A clock that is off makes the same picture around dusk and dawn. There another feeder of the cabinet that is switched in
the same way and did as it should tells that the time is right; where none does, such a moment decides nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.segments.told import begin, end, lamps
from city.alarm import FaultClass, Scope, Suspicion
from city.registry import FaultRules

MOST, FEW = 0.6, 0.2
LAMPS_MIN = 2
NEVER_US = 1 << 62


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a moment lies between the switching times of a schedule.

    Attributes
    ----------
    burning : bool
    since_us, until_us : int
        From the last switching time, and to the next.
    began_at : int
        The last switching time, µs UTC.
    """

    burning: bool
    since_us: int
    until_us: int
    began_at: int

    def within(self, guard_us: int) -> bool:
        """Tell whether both switching times are further away than `guard_us`."""
        return self.since_us > guard_us and self.until_us > guard_us

    def ago(self, us: int) -> "Turn":
        """Return where the moment `us` before lies, as seen from between the same switching times."""
        return Turn(self.burning, self.since_us - us, self.until_us + us, self.began_at)


def turn_of(on: NDArray[np.int64], off: NDArray[np.int64], now: int) -> Turn:
    """Return where `now` lies.

    Parameters
    ----------
    on, off : int64[n], µs UTC
        Burning periods of one schedule, ascending.
    """
    i = int(np.searchsorted(on, now, side="right")) - 1
    if i >= 0 and now < off[i]:
        return Turn(True, now - int(on[i]), int(off[i]) - now, int(on[i]))
    before = int(off[i]) if i >= 0 else now - NEVER_US
    after = int(on[i + 1]) if i + 1 < len(on) else now + NEVER_US
    return Turn(False, now - before, after - now, before)


def as_it_should(count: np.void, turn: Turn, switched: bool, guard_us: int) -> bool:
    """Tell whether a feeder beyond doubt does what its schedule says: the time is right."""
    if turn.since_us <= 2 * guard_us:
        return False
    if turn.burning:
        if switched:
            return int(count["known"]) >= LAMPS_MIN and int(count["heard"]) >= MOST * int(count["known"])
        return int(count["powered"]) >= LAMPS_MIN and int(count["dark"]) <= FEW * int(count["powered"])
    if switched:
        return int(count["known"]) >= LAMPS_MIN and int(count["fresh"]) <= FEW * int(count["known"])
    return int(count["powered"]) >= LAMPS_MIN and int(count["live"]) <= FEW * int(count["powered"])


def is_beside_the_hour(count: np.void, rules: FaultRules, turn: Turn) -> bool:
    """Tell whether a feeder that is always live does what a clock that is off would make of it, all of it."""
    powered, doubt_us = int(count["powered"]), rules.clock_guard_s * 1_000_000
    if powered < max(LAMPS_MIN, rules.outage_lamps_min):
        return False
    live = int(count["live"]) >= 0.5 * powered
    if turn.burning and live and turn.began_at - int(count["live_since"]) <= doubt_us:
        return True  # That it burned too early is said all night.
    return not turn.within(doubt_us) and (live or int(count["dark"]) >= 0.5 * powered)


def judge(
    feeder: np.void,
    count: np.void,
    scope: Scope,
    rules: FaultRules,
    turn: Turn,
    confirmed: bool,
    together: bool,
    switched: bool,
    interval_us: int,
    spoke_at: int,
    now: int,
) -> Iterator[Suspicion]:
    """Open and close switching errors of one feeder.

    Parameters
    ----------
    confirmed : bool
        Another feeder shows that the time is right.
    together : bool
        The feeders beside it do the same, beside the hour: it may be their clock's doing.
    spoke_at : int
        When as many lamps as it takes were heard last, µs UTC.
    """
    guard_us, doubt_us = rules.guard_s * 1_000_000, rules.clock_guard_s * 1_000_000
    within = turn.within(guard_us)
    certain = within and (confirmed or turn.within(doubt_us))
    # By then each lamp has spoken twice since the last switching time, or counted most of the night, or is silent.
    spoke_us = min(guard_us + 5 * interval_us // 2, (turn.since_us + turn.until_us) // 4 * 3)
    seen = within and turn.since_us > spoke_us
    if within and turn.burning:
        yield from _judge_dark(feeder, count, scope, rules, certain, seen, now)
    if not switched or (within and not turn.burning):
        # What each lamp with supply all day is believed alone, with its own clock, all of them are believed together;
        # not so where those of other feeders do the same.
        alone = not switched and not together
        if turn.burning:
            certain = alone or turn.began_at - int(count["live_since"]) > doubt_us
        else:
            certain = alone or confirmed or turn.ago(now - spoke_at).within(doubt_us)
        by_day = not turn.burning and seen
        yield from _judge_live(feeder, count, scope, rules, certain, by_day, switched, now)


def _judge_dark(
    feeder: np.void, count: np.void, scope: Scope, rules: FaultRules, certain: bool, seen: bool, now: int
) -> Iterator[Suspicion]:
    powered, dark = int(count["powered"]), int(count["dark"])
    if powered < LAMPS_MIN:
        return
    if not feeder["off_since"]:
        enough = powered >= max(rules.outage_lamps_min, 0.5 * int(count["known"]))
        if certain and enough and dark >= MOST * powered:
            since = int(count["dark_since"])
            evidence = lamps("feeder-dark-at-night", powered - dark, powered, since)
            yield begin(feeder, "off_since", FaultClass.SWITCHING_ERROR_OFF, scope, since, now, evidence)
    elif seen and dark <= FEW * powered:
        yield end(feeder, "off_since", FaultClass.SWITCHING_ERROR_OFF, scope, now, lamps=powered)


def _judge_live(
    feeder: np.void,
    count: np.void,
    scope: Scope,
    rules: FaultRules,
    certain: bool,
    seen: bool,
    switched: bool,
    now: int,
) -> Iterator[Suspicion]:
    known = int(count["known"]) if switched else int(count["powered"])
    live = int(count["live"])
    if not feeder["live_since"]:
        if certain and live >= max(rules.outage_lamps_min, MOST * known):
            since = int(count["live_since"])
            evidence = lamps("feeder-live-by-day", live, 0, since, lamps=known)
            yield begin(feeder, "live_since", FaultClass.SWITCHING_ERROR_ON, scope, since, now, evidence)
    elif seen and known >= LAMPS_MIN and live <= FEW * known:
        yield end(feeder, "live_since", FaultClass.SWITCHING_ERROR_ON, scope, now, lamps=known)
