"""One alarm with its explanation."""

from typing import Literal

from pydantic import BaseModel, Field

from portals_api.answers.shape import AT, shown_by
from portals_api.answers.tickets import ALARM, FOUND, AlarmOut, FoundOut

EXPLANATION = {
    "says": "Rule “power far below what the command asks for”, since 24 Nov 2026, 19:15, seen 0.4 W, expected 72 W.",
    "rule": "power-below-expected",
    "observed": 0.4,
    "expected": 72.0,
    "unit": "W",
    "since": AT,
    "until": None,
    "metric": "active_power_w",
    "series": 1,
    "from": "2026-11-23T18:15:00Z",
    "to": "2026-11-24T20:15:00Z",
    "points": [{"at": AT, "value": 0.4}],
}
CASE = {
    "id": "0d9a41c2",
    "url": "/alarms/0d9a41c2",
    "fault": "lampFailure",
    "scope_kind": "lamp",
    "scope_id": "L-00007",
    "raised_at": "2026-10-02T19:00:00Z",
    "cleared_at": "2026-10-03T19:00:00Z",
    "ticket": 9,
    "same": ["feeder", "type"],
    "verdict": FOUND,
}
COUNTS = {"alike": 4, "true": 3, "false": 0, "other": 0}


class PointOut(BaseModel):
    """One reading."""

    model_config = shown_by({"at": AT, "value": 0.4})

    at: str
    value: float


class ExplanationOut(BaseModel):
    """Why an alarm was raised: rule, observed, expected, since when, and the readings around it."""

    model_config = shown_by(EXPLANATION)

    says: str = Field(description="In one sentence, English")
    rule: str
    observed: float | None
    expected: float | None
    unit: str
    since: str
    until: str | None
    metric: str | None = Field(description="What was looked at; null where nothing measures it")
    series: int | None
    window_from: str = Field(alias="from")
    window_to: str = Field(alias="to")
    points: list[PointOut]


class CaseOut(BaseModel):
    """An alarm alike: of the same fault, and `same` in what else."""

    model_config = shown_by(CASE)

    id: str
    url: str
    fault: str
    scope_kind: str
    scope_id: str
    raised_at: str
    cleared_at: str | None
    ticket: int | None
    same: list[Literal["asset", "feeder", "type", "profile"]]
    verdict: FoundOut | None


class CountsOut(BaseModel):
    """How many of the latest thousand alarms of the fault are alike, and how many of them were judged how."""

    model_config = shown_by(COUNTS)

    alike: int
    true: int
    false: int
    other: int


class AlarmWhole(AlarmOut):
    """An alarm with all that explains it."""

    model_config = shown_by(
        {**ALARM, "ticket": 17, "explanation": EXPLANATION, "similar": [CASE], "similar_counts": COUNTS}
    )

    ticket: int | None
    explanation: ExplanationOut
    similar: list[CaseOut]
    similar_counts: CountsOut
