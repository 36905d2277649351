"""What a simulated crew says of a ticket's alarms, by what it found there."""

from collections.abc import Mapping, Sequence
from typing import Any


def verdict_on(ticket: Mapping[str, Any], found: Sequence[str]) -> dict[str, str] | None:
    """Return the verdict as the API takes it; None where no sensor spoke and there is nothing to judge.

    Parameters
    ----------
    found : sequence of str
        Faults that were there, nearest first; empty: nothing was wrong.
    """
    named = {alarm["fault"] for alarm in ticket["alarm_list"] if alarm["parent"] is None}
    if not named:
        return None
    if not found:
        return {"finding": "false"}
    right = next((fault for fault in found if fault in named), None)
    return {"finding": "true", "fault": right} if right is not None else {"finding": "other", "fault": found[0]}
