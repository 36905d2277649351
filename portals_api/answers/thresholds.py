"""Proposals of thresholds."""

from pydantic import BaseModel, Field

from portals_api.answers.shape import shown_by

PROPOSAL = {
    "key": "dark_below",
    "fault": "lampFailure",
    "rule": "power-below-expected",
    "current": 0.2,
    "proposed": 0.1,
    "why": None,
    "true": 31,
    "false": 6,
    "other": 1,
    "false_dropped": 5,
    "other_dropped": 1,
    "dropped": ["/alarms/6f1c0a5e"],
    "toml": "dark_below = 0.1",
}


class ProposalOut(BaseModel):
    """What verdicts say of one threshold; `proposed` is null where `why` says so."""

    model_config = shown_by(PROPOSAL)

    key: str = Field(description="Of `faults.toml`")
    fault: str
    rule: str | None
    current: float
    proposed: float | None
    why: str | None
    true: int
    false: int
    other: int
    false_dropped: int = Field(description="False alarms that the proposed value would not have raised")
    other_dropped: int
    dropped: list[str] = Field(description="Some of the alarms that it would not have raised")
    toml: str | None


class ThresholdPage(BaseModel):
    """What verdicts say of the thresholds; nothing is changed by it."""

    model_config = shown_by({"items": [PROPOSAL], "next": None})

    items: list[ProposalOut]
    next: str | None
