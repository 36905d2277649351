"""What detection says of a device, in words: from a kernel's event, or because the device is no longer there."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from anomaly.layout import CLEAR, COMMUNICATION_FAILURE, LAMP_FAILURE, LAMP_UNEXPECTED_ON
from city.alarm import CandidateKind, Evidence, FaultClass, Scope, Suspicion
from city.clock import isoformat

FAULTS = {
    LAMP_FAILURE: (FaultClass.LAMP_FAILURE, "power-below-expected", "W"),
    LAMP_UNEXPECTED_ON: (FaultClass.LAMP_UNEXPECTED_ON, "power-while-commanded-off", "W"),
    COMMUNICATION_FAILURE: (FaultClass.COMMUNICATION_FAILURE, "silent-in-powered-time", ""),
}
_OPEN = (
    ("dark_open", "dark_since", FaultClass.LAMP_FAILURE),
    ("on_open", "on_since", FaultClass.LAMP_UNEXPECTED_ON),
    ("silent_open", "silent_since", FaultClass.COMMUNICATION_FAILURE),
)


def of_event(event: NDArray[np.void], device_id: str, scope: Scope) -> Suspicion:
    """Return what one event of a kernel says."""
    fault, rule, unit = FAULTS[int(event["fault"])]
    evidence = Evidence(
        rule=rule,
        observed=float(event["observed"]) if unit else None,
        expected=float(event["expected"]) if unit else None,
        unit=unit,
        last_heard_at=int(event["heard_at"]),
        detail={"device": device_id, "last_heard": isoformat(int(event["heard_at"]))},
    )
    return Suspicion(
        kind=CandidateKind.CLEAR if event["kind"] == CLEAR else CandidateKind.SUSPECT,
        fault=fault,
        scope=scope,
        since=int(event["since"]),
        at=int(event["at"]),
        evidence=evidence,
        until=int(event["until"]) or None,
    )


def withdrawn(state: NDArray[np.void], device_id: str, scope: Scope, at: int) -> Iterator[Suspicion]:
    """Yield the end of whatever is open of a device that is gone, or that hangs elsewhere from now on (`at`, µs UTC).

    Nobody could ever tell otherwise that it ended; where it goes on, the next readings tell so under the new scope.
    """
    for opened, since, fault in _OPEN:
        if state[opened]:
            evidence = Evidence("device-withdrawn", last_heard_at=int(state["heard_at"]), detail={"device": device_id})
            yield Suspicion(CandidateKind.CLEAR, fault, scope, int(state[since]), at, evidence, until=at)
