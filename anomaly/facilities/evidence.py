"""What the rules of facilities find, in words: names, units, and what was observed and expected."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from anomaly.facilities.layout import (
    CO2_TOO_HIGH,
    COLD_ROOM_TOO_WARM,
    COUNTER_RESET,
    ENERGY_PATTERN,
    GENERAL_PATTERN,
    HEATING,
    HOT_WATER_TOO_COLD,
    HUMIDITY_PATTERN,
    STUCK,
    TEMPERATURE_PATTERN,
    WATER_LEAK,
)
from anomaly.facilities.metrics import OTHER, PARTS
from city.alarm import CandidateKind, Evidence, FaultClass, Scope, Suspicion
from city.clock import isoformat

FAULTS = {
    WATER_LEAK: (FaultClass.WATER_LEAK, "water-runs-at-night"),
    CO2_TOO_HIGH: (FaultClass.CO2_TOO_HIGH, "co2-above-limit-while-open"),
    HOT_WATER_TOO_COLD: (FaultClass.HOT_WATER_TOO_COLD, "hot-water-below-limit"),
    COLD_ROOM_TOO_WARM: (FaultClass.COLD_ROOM_TOO_WARM, "cold-room-above-limit"),
    HEATING: (FaultClass.HEATING_WHILE_CLOSED, "as-warm-as-when-open"),
    TEMPERATURE_PATTERN: (FaultClass.TEMPERATURE_OUT_OF_PATTERN, "off-its-habit"),
    HUMIDITY_PATTERN: (FaultClass.HUMIDITY_OUT_OF_PATTERN, "off-its-habit"),
    ENERGY_PATTERN: (FaultClass.ENERGY_OUT_OF_PATTERN, "off-its-habit"),
    GENERAL_PATTERN: (FaultClass.OUT_OF_PATTERN, "off-its-habit"),
    STUCK: (FaultClass.STUCK_SENSOR, "same-values-again"),
    COUNTER_RESET: (FaultClass.COUNTER_RESET, "counter-began-again"),
}
"""What a kernel calls them → fault and rule."""


def of_event(event: NDArray[np.void], device_id: str, scope: Scope, metric: str) -> Suspicion:
    """Return what one event of a kernel says; `metric` is empty where it is about the whole device."""
    fault, rule = FAULTS[int(event["fault"])]
    detail: dict[str, object] = {"device": device_id, "last_heard": isoformat(int(event["heard_at"]))}
    if metric:
        detail["metric"] = metric
    if event["z"]:
        detail["units_of_noise"] = round(float(event["z"]), 1)
    told = bool(metric) and fault is not FaultClass.STUCK_SENSOR
    evidence = Evidence(
        rule=rule,
        observed=float(event["observed"]) if metric else None,
        expected=float(event["expected"]) if told else None,
        unit=PARTS.get(metric, OTHER).unit,
        last_heard_at=int(event["heard_at"]),
        detail=detail,
    )
    return Suspicion(
        kind=CandidateKind.CLEAR if event["clear"] else CandidateKind.SUSPECT,
        fault=fault,
        scope=scope,
        since=int(event["since"]),
        at=int(event["at"]),
        evidence=evidence,
        until=int(event["until"]) or None,
    )


def withdrawn(state: NDArray[np.void], device_id: str, scope: Scope, at: int) -> Iterator[Suspicion]:
    """Yield the end of whatever is open of a device that is gone, or that hangs elsewhere from `at`, µs UTC, on."""
    for number, (fault, _) in FAULTS.items():
        since = int(state["since"][number])
        if since:
            told = Evidence("device-withdrawn", last_heard_at=int(state["heard_at"]), detail={"device": device_id})
            yield Suspicion(CandidateKind.CLEAR, fault, scope, since, at, told, until=at)
