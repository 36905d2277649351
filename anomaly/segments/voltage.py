"""What the voltages of a feeder's lamps, seen together, say of the feeder (pure)."""

import numpy as np

from anomaly.segments.layout import NOMINAL_V
from city.alarm import CandidateKind, Evidence, FaultClass, Scope, Suspicion

LAMPS_MIN = 2
SHARE = 0.2
"""Of the lamps heard: on three even phases, two that drift apart are two thirds of them, a third each."""


def lost_neutral(feeder: np.void, volts: np.void, scope: Scope, now: int) -> Suspicion | None:
    """Tell whether some lamps of a feeder are beyond +10 % while others are beyond −10 %.

    The star point has drifted: whoever stands on the light phase burns out soon, so nothing is waited for.
    Which phase a lamp is on does not matter, so an inventory that has it wrong does not either.
    """
    fresh, high, low = int(volts["fresh"]), int(volts["high"]), int(volts["low"])
    needed = max(LAMPS_MIN, SHARE * fresh)
    since = int(feeder["apart_since"])
    if not since and min(high, low) >= needed:
        feeder["apart_since"] = volts["since"]
        detail = {"above": high, "below": low, "lamps": fresh}
        evidence = Evidence("phases-apart", float(high + low), 0.0, "lamps", int(volts["since"]), detail)
        return Suspicion(CandidateKind.SUSPECT, FaultClass.LOST_NEUTRAL, scope, int(volts["since"]), now, evidence)
    if since and fresh >= LAMPS_MIN and max(high, low) < needed:
        feeder["apart_since"] = 0
        evidence = Evidence("phases-together", float(high + low), 0.0, "lamps", now, {"nominal_v": NOMINAL_V})
        return Suspicion(CandidateKind.CLEAR, FaultClass.LOST_NEUTRAL, scope, since, now, evidence, until=now)
    return None
