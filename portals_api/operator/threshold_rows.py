"""Proposals of thresholds as rows, the same for API, page and command line."""

from observatory.thresholds import Proposal
from portals_api.rows import Row


def proposal_row(one: Proposal) -> Row:
    """Return a proposal in the shape of the API; `toml` is the line for ``faults.toml``."""
    return {
        "key": one.key,
        "fault": str(one.fault),
        "rule": one.rule or None,
        "current": one.current,
        "proposed": one.value,
        "why": None if one.why is None else str(one.why),
        "true": one.true,
        "false": one.false,
        "other": one.other,
        "false_dropped": one.false_dropped,
        "other_dropped": one.other_dropped,
        "dropped": [f"/alarms/{alarm_id}" for alarm_id in one.dropped],
        "toml": None if one.value is None else f"{one.key} = {one.value!r}",
    }
