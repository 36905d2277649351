"""How feeders' rules put what they found into words."""

from typing import Any

import numpy as np

from city.alarm import CandidateKind, Evidence, FaultClass, Scope, Suspicion

OPEN = (
    ("apart_since", FaultClass.LOST_NEUTRAL),
    ("over_since", FaultClass.SUPPLY_VOLTAGE_TOO_HIGH),
    ("under_since", FaultClass.SUPPLY_VOLTAGE_TOO_LOW),
    ("live_since", FaultClass.SWITCHING_ERROR_ON),
    ("off_since", FaultClass.SWITCHING_ERROR_OFF),
    ("trips_since", FaultClass.RCD_RECLOSING),
)
"""Columns of `layout.FEEDER` that say since when a fault is open."""
PARTS = {1: FaultClass.CIRCUIT_BREAKER_TRIPPED, 2: FaultClass.CABLE_THEFT}


def begin(
    row: np.void, field: str, fault: FaultClass, scope: Scope, since: int, now: int, evidence: Evidence
) -> Suspicion:
    """Open a fault of a feeder or cabinet in its column."""
    row[field] = since
    return Suspicion(CandidateKind.SUSPECT, fault, scope, since, now, evidence)


def end(row: np.void, field: str, fault: FaultClass, scope: Scope, now: int, **detail: Any) -> Suspicion:
    """Close it."""
    since = int(row[field])
    row[field] = 0
    return Suspicion(
        CandidateKind.CLEAR, fault, scope, since, now, Evidence("segment-recovered", detail=detail), until=now
    )


def lamps(rule: str, found: int, of: int, since: int, **detail: Any) -> Evidence:
    """Return evidence that counts lamps."""
    return Evidence(rule, float(found), float(of), "lamps", since, detail)
