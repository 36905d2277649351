"""How far a cabinet's clock is off, from when its controllers wake and fall asleep, or its lamps go on and off (pure).

Nobody sees the contactor. A controller that wakes says that it is closed by then; that it was not heard one interval
and a boot before says that it was open then, and so at dawn. Each switching time bounds the error from both sides. On
feeders that are always live the lamps' power tells the same.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.segments.told import begin, end
from city.alarm import Evidence, FaultClass, Scope, Suspicion
from city.clock import HOUR_US, MINUTE_US
from city.registry import FaultRules

LAMPS_MIN = 3
BOOT_US = 5 * MINUTE_US
MOST_US = 3 * HOUR_US
"""Further off than this is no clock."""
NIGHTS = 2
_PROVEN = 0.8
"""Of the error that counts, this share has to be proven, and all of it likely."""


@dataclass(frozen=True, slots=True)
class Error:
    """How far a clock is ahead, at least and at most, µs."""

    low: int
    high: int

    def meet(self, other: "Error") -> "Error | None":
        """Return what agrees with both; None: they contradict one another."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Error(low, high) if low <= high else None

    @property
    def proven(self) -> int:
        """The least error, without its sign."""
        return max(self.low, -self.high, 0)

    @property
    def likely(self) -> int:
        """The middle, without its sign."""
        return abs(self.low + self.high) // 2


def error_of(
    slept_at: NDArray[np.int64], woke_at: NDArray[np.int64], interval_us: int, slept_due: int, woke_due: int
) -> Error | None:
    """Return how far a feeder's clock is ahead as its latest pause tells; None: it does not.

    Parameters
    ----------
    slept_at, woke_at : int64[n], µs UTC
        Of its lamps, see `layout.SAID`.
    slept_due, woke_due : int
        When it should have been switched off and on again, µs UTC.
    """
    paused = (np.abs(woke_at - woke_due) < MOST_US) & (np.abs(slept_at - slept_due) < MOST_US)
    if int(paused.sum()) < LAMPS_MIN:
        return None
    # Not the very first and last: a lamp or two hang elsewhere.
    rank = max(1, int(paused.sum()) // 10)
    woke = int(np.sort(woke_at[paused])[rank])
    slept = int(np.sort(slept_at[paused])[-1 - rank])
    dusk = Error(woke_due - woke, woke_due - woke + interval_us + BOOT_US)
    dawn = Error(slept_due - slept - interval_us, slept_due - slept)
    return dusk.meet(dawn)


def middle(errors: Iterable[Error]) -> Error | None:
    """Return the median of feeders' errors, by their middle; of two, the smaller."""
    ordered = sorted(errors, key=lambda e: e.low + e.high)
    if not ordered:
        return None
    if len(ordered) % 2 == 0:
        pair = ordered[len(ordered) // 2 - 1 : len(ordered) // 2 + 1]
        return min(pair, key=lambda e: e.likely)
    return ordered[len(ordered) // 2]


def judge(
    cabinet: np.void, error: Error, scope: Scope, rules: FaultRules, slept_due: int, woke_due: int, now: int
) -> Iterator[Suspicion]:
    """Take one night's error of a cabinet's clock.

    Parameters
    ----------
    slept_due, woke_due : int
        When it should have been switched off and on again, µs UTC: the second names the night, and since the first
        the clock may have been seen to be wrong.
    """
    limit_us = rules.clock_error_s * 1_000_000
    cabinet["judged_at"] = woke_due
    if error.proven >= _PROVEN * limit_us and error.likely > limit_us:
        cabinet["right"] = 0
        cabinet["nights"] += 1
        if cabinet["nights"] == 1:
            cabinet["first_at"] = slept_due
        if cabinet["nights"] >= NIGHTS and not cabinet["wrong_since"]:
            minutes = round((error.low + error.high) / 2 / MINUTE_US)
            evidence = Evidence(
                "contactor-beside-the-hour", float(minutes), 0.0, "min", woke_due, {"nights": int(cabinet["nights"])}
            )
            since = int(cabinet["first_at"])
            yield begin(cabinet, "wrong_since", FaultClass.CABINET_CLOCK_WRONG, scope, since, now, evidence)
    elif error.proven <= 0.5 * limit_us and (error.likely <= limit_us or not cabinet["wrong_since"]):
        cabinet["nights"] = 0
        cabinet["right"] += 1
        if cabinet["wrong_since"]:
            yield end(cabinet, "wrong_since", FaultClass.CABINET_CLOCK_WRONG, scope, now)
