"""What detection says of a device, in words: from a kernel's event, or because the device is no longer there."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly import layout
from anomaly.lamps.layout import FAULTS as DEVICE_FAULTS
from city.alarm import CandidateKind, Evidence, FaultClass, Scope, Suspicion
from city.clock import isoformat

FAULTS = {
    layout.LAMP_FAILURE: FaultClass.LAMP_FAILURE,
    layout.LAMP_UNEXPECTED_ON: FaultClass.LAMP_UNEXPECTED_ON,
    layout.COMMUNICATION_FAILURE: FaultClass.COMMUNICATION_FAILURE,
    layout.DIMMING_FAILURE: FaultClass.DIMMING_FAILURE,
    layout.CYCLING_FAILURE: FaultClass.CYCLING_FAILURE,
    layout.FLICKER: FaultClass.FLICKER,
    layout.FACTOR_TOO_LOW: FaultClass.POWER_FACTOR_TOO_LOW,
    layout.MODULE_LOST: FaultClass.LED_MODULE_LOST,
    layout.POWER_TOO_LOW: FaultClass.LAMP_POWER_TOO_LOW,
    layout.POWER_TOO_HIGH: FaultClass.LAMP_POWER_TOO_HIGH,
    layout.STUCK_SENSOR: FaultClass.STUCK_SENSOR,
    layout.COUNTER_RESET: FaultClass.COUNTER_RESET,
}
RULES = {
    layout.LAMP_FAILURE: ("power-below-expected", "W"),
    layout.LAMP_UNEXPECTED_ON: ("power-while-commanded-off", "W"),
    layout.COMMUNICATION_FAILURE: ("silent-in-powered-time", ""),
    layout.DIMMING_FAILURE: ("power-of-another-level", "W"),
    layout.CYCLING_FAILURE: ("dark-and-lit-again", "W"),
    layout.FLICKER: ("power-leaps", "W"),
    layout.FACTOR_TOO_LOW: ("power-factor-below-learned", "1"),
    layout.MODULE_LOST: ("power-stepped-down", "W"),
    layout.POWER_TOO_LOW: ("power-drifted-down", "W"),
    layout.POWER_TOO_HIGH: ("power-above-learned", "W"),
    layout.STUCK_SENSOR: ("readings-repeat", "W"),
    layout.COUNTER_RESET: ("counters-begin-again", ""),
    layout.HOURS_STAND: ("hours-stand-still", "h"),
    layout.HOURS_WHILE_OFF: ("hours-while-commanded-off", "h"),
    layout.SWITCH_ONS: ("switch-ons-beyond-command", ""),
    layout.COUNTERS_STAND: ("counters-stand-still", "h"),
    layout.ENERGY_LOW: ("energy-per-hour-too-low", "W"),
    layout.ENERGY_HIGH: ("energy-per-hour-too-high", "W"),
    layout.ENERGY_STEP: ("energy-per-hour-stepped-down", "W"),
    layout.ENERGY_FULL: ("energy-per-hour-not-dimmed", "W"),
    layout.LEARNT_AGAIN: ("learnt-again", "W"),
}
"""By the number of a rule: its name, and the unit of what it observed."""
_OPEN = (
    ("dark_open", "dark_since", FaultClass.LAMP_FAILURE),
    ("on_open", "on_since", FaultClass.LAMP_UNEXPECTED_ON),
    ("silent_open", "silent_since", FaultClass.COMMUNICATION_FAILURE),
)


def of_event(event: NDArray[np.void], device_id: str, scope: Scope) -> Suspicion:
    """Return what one event of a kernel says."""
    rule, unit = RULES[int(event["rule"])]
    counted = int(event["rule"]) in (layout.SWITCH_ONS, layout.COUNTER_RESET)
    evidence = Evidence(
        rule=rule,
        observed=float(event["observed"]) if unit or counted else None,
        expected=float(event["expected"]) if unit or counted else None,
        unit=unit,
        last_heard_at=int(event["heard_at"]),
        detail=_detail(event, device_id),
    )
    return Suspicion(
        kind=CandidateKind.CLEAR if event["kind"] == layout.CLEAR else CandidateKind.SUSPECT,
        fault=FAULTS[int(event["fault"])],
        scope=scope,
        since=int(event["since"]),
        at=int(event["at"]),
        evidence=evidence,
        until=int(event["until"]) or None,
    )


def _detail(event: NDArray[np.void], device_id: str) -> dict[str, Any]:
    detail: dict[str, Any] = {"device": device_id, "last_heard": isoformat(int(event["heard_at"]))}
    if event["count"]:
        detail["confirmed_by"] = int(event["count"])
    if event["learned"]:
        detail["learned"] = round(float(event["learned"]), 2)
    if event["voltage"]:
        detail["voltage_v"] = round(float(event["voltage"]), 1)
    return detail


def withdrawn(
    state: NDArray[np.void], lamp: NDArray[np.void], device_id: str, scope: Scope, at: int
) -> Iterator[Suspicion]:
    """Yield the end of whatever is open of a device that is gone, or that hangs elsewhere from now on (`at`, µs UTC).

    Nobody could ever tell otherwise that it ended; where it goes on, the next readings tell so under the new scope.
    """
    opened = [(fault, int(state[since])) for is_open, since, fault in _OPEN if state[is_open]]
    bits = int(lamp["open"])
    opened += [(FAULTS[n], int(lamp["opened"][n])) for n in range(DEVICE_FAULTS) if bits & (1 << n)]
    for fault, since in opened:
        evidence = Evidence("device-withdrawn", last_heard_at=int(state["heard_at"]), detail={"device": device_id})
        yield Suspicion(CandidateKind.CLEAR, fault, scope, since, at, evidence, until=at)
