"""How often alarms are right."""

from typing import Literal

from pydantic import BaseModel, Field

from portals_api.answers.shape import shown_by

COUNTS = {
    "true": 9,
    "false": 2,
    "other": 1,
    "judged": 12,
    "precision_pct": 75.0,
    "low_pct": 46.77,
    "high_pct": 91.11,
    "why": None,
}
ITEM = {"key": "lampFailure", "name": "lampFailure", **COUNTS}


class PrecisionOut(BaseModel):
    """What was found of some alarms; the share is null where `why` says so."""

    model_config = shown_by(COUNTS)

    true: int
    false: int
    other: int = Field(description="Something was wrong, but something else")
    judged: int
    precision_pct: float | None
    low_pct: float | None = Field(description="Begin of the 95 % interval")
    high_pct: float | None
    why: Literal["not-enough-verdicts"] | None


class PrecisionItem(PrecisionOut):
    """The same of one fault, district or make; `key` is empty for what has none."""

    model_config = shown_by(ITEM)

    key: str
    name: str


class PrecisionPage(BaseModel):
    """How often alarms are right."""

    model_config = shown_by(
        {
            "by": "fault",
            "from": None,
            "to": None,
            "judged_min": 10,
            "all": COUNTS,
            "items": [ITEM],
            "next": None,
        }
    )

    by: str
    since: str | None = Field(alias="from")
    until: str | None = Field(alias="to")
    judged_min: int
    all: PrecisionOut
    items: list[PrecisionItem]
    next: str | None
