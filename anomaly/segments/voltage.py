"""What the voltages of a feeder's lamps, seen together, say of the feeder.

EN 50160 allows 230 V ± 10 %. Reducers at the head of a feeder lower it on purpose, to 185 V or so and at set hours:
they are known by having been there before at this hour, so low voltage of that size waits for two days of experience.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from anomaly.segments.layout import HOURS, LIMITS, NOMINAL_V
from anomaly.segments.told import begin, end, lamps
from city.alarm import FaultClass, Scope, Suspicion
from city.clock import HOUR_US, MINUTE_US
from city.registry import FaultRules

LAMPS_MIN = 2
APART_SHARE = 0.2
"""Of the lamps heard: on three even phases, two that drift apart are a third each."""
BEYOND_SHARE = 0.3
"""A phase alone is a third."""
OFF_DELAY_US = 30 * MINUTE_US
REDUCED_V = (170.0, 205.0)
LESSON_US = 35 * MINUTE_US
VISITS_MIN = 2
"""Days after which the voltage of an hour counts as known."""
_VISITS_MAX = 20
_MARGIN = 0.9


def limits_of(feeders: NDArray[np.void], rules: list[FaultRules], now: int) -> NDArray[np.void]:
    """Return each feeder's limits of this hour.

    Parameters
    ----------
    feeders : layout.FEEDER[n]
    rules : list of FaultRules
        Of each feeder.

    Returns
    -------
    layout.LIMITS[n]
    """
    limits = np.zeros(len(feeders), LIMITS)
    limits["over"] = [r.voltage_high_v for r in rules]
    limits["under"] = [r.voltage_low_v for r in rules]
    hour = now // HOUR_US % HOURS
    # The next hours too: an hour's reduction may begin earlier tonight, and clocks change twice a year.
    near = [(hour - 1) % HOURS, hour, (hour + 1) % HOURS]
    known = feeders["visits"][:, near] >= VISITS_MIN
    usual = np.where(known, feeders["usual_v"][:, near], np.inf).min(axis=1, initial=np.inf)
    lower = np.isfinite(usual)
    limits["under"][lower] = np.minimum(limits["under"][lower], _MARGIN * usual[lower])
    now_known = feeders["visits"][:, hour] >= VISITS_MIN
    centre = np.where(now_known, feeders["usual_v"][:, hour], NOMINAL_V)
    limits["high"], limits["low"] = 1.1 * centre, 0.9 * centre
    return limits


def judge(feeder: np.void, count: np.void, scope: Scope, rules: FaultRules, now: int) -> Iterator[Suspicion]:
    """Tell of a lost neutral at once, of too much or too little voltage after a while; learn what is usual."""
    fresh = int(count["volts"])
    if fresh < LAMPS_MIN:
        return
    yield from _lost_neutral(feeder, count, scope, now)
    apart = bool(feeder["apart_since"])
    for name, fault in (("over", FaultClass.SUPPLY_VOLTAGE_TOO_HIGH), ("under", FaultClass.SUPPLY_VOLTAGE_TOO_LOW)):
        beyond = int(count[name])
        outside = not apart and beyond >= max(LAMPS_MIN, BEYOND_SHARE * fresh)
        if outside and name == "under" and not feeder["under_since"]:
            # What was told goes on into hours of which nothing is known.
            outside = not _may_be_reduced(feeder, count, now)
        yield from _hold(feeder, name, fault, scope, rules, count, outside, now)
    _learn(feeder, count, now)


def _lost_neutral(feeder: np.void, count: np.void, scope: Scope, now: int) -> Iterator[Suspicion]:
    """Tell that some lamps are beyond +10 % while others are beyond −10 %: the star point has drifted.

    Whoever stands on the light phase burns out soon, so nothing is waited for. Which phase a lamp is on does not
    matter, so an inventory that has it wrong does not either.
    """
    fresh, high, low = int(count["volts"]), int(count["high"]), int(count["low"])
    needed = max(LAMPS_MIN, APART_SHARE * fresh)
    if not feeder["apart_since"]:
        if min(high, low) >= needed:
            since = int(count["volts_since"])
            evidence = lamps("phases-apart", high + low, 0, since, above=high, below=low, lamps=fresh)
            yield begin(feeder, "apart_since", FaultClass.LOST_NEUTRAL, scope, since, now, evidence)
    elif max(high, low) < needed:
        yield end(feeder, "apart_since", FaultClass.LOST_NEUTRAL, scope, now, lamps=fresh)


def _hold(
    feeder: np.void,
    name: str,
    fault: FaultClass,
    scope: Scope,
    rules: FaultRules,
    count: np.void,
    outside: bool,
    now: int,
) -> Iterator[Suspicion]:
    """Open a fault that lasts, close one that is over for a while."""
    first, last, since = f"{name}_first", f"{name}_last", f"{name}_since"
    if outside:
        feeder[last] = now
        if not feeder[first]:
            feeder[first] = count["volts_since"]
        lasted = int(count["volts_until"]) - int(feeder[first])
        if not feeder[since] and lasted >= rules.voltage_s * 1_000_000:
            mean = float(count["volts_sum"]) / int(count["volts"])
            limit = rules.voltage_high_v if name == "over" else rules.voltage_low_v
            evidence = lamps(
                f"voltage-{name}",
                int(count[name]),
                int(count["volts"]),
                int(feeder[first]),
                mean_v=round(mean, 1),
                limit_v=limit,
            )
            yield begin(feeder, since, fault, scope, int(feeder[first]), now, evidence)
    elif now - int(feeder[last]) >= OFF_DELAY_US or not feeder[since]:
        feeder[first] = 0
        if feeder[since]:
            yield end(feeder, since, fault, scope, now, lamps=int(count["volts"]))


def _may_be_reduced(feeder: np.void, count: np.void, now: int) -> bool:
    """Tell whether low voltage may be a reducer's that was not met before."""
    mean = float(count["volts_sum"]) / int(count["volts"])
    young = int(feeder["visits"][now // HOUR_US % HOURS]) < VISITS_MIN
    return young and REDUCED_V[0] <= mean <= REDUCED_V[1]


def _learn(feeder: np.void, count: np.void, now: int) -> None:
    """Take one lesson an hour on what is usual, none while anything is wrong."""
    number = now // HOUR_US
    # Late in the hour: at its beginning, readings of the one before are still fresh.
    if number <= int(feeder["learnt_at"]) or int(count["volts"]) < LAMPS_MIN or now % HOUR_US < LESSON_US:
        return
    if feeder["apart_since"] or feeder["over_first"] or feeder["under_first"]:
        return
    hour = number % HOURS
    visits = min(int(feeder["visits"][hour]) + 1, _VISITS_MAX)
    mean = float(count["volts_sum"]) / int(count["volts"])
    feeder["usual_v"][hour] += (mean - float(feeder["usual_v"][hour])) / visits
    feeder["visits"][hour] = visits
    feeder["learnt_at"] = number
