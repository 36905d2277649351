"""Observa's figures."""

from typing import Any

from pydantic import BaseModel, Field

from portals_api.answers.shape import AT, shown_by

NUMBERS = {"value": 97.2, "part": 29160.0, "whole": 30000.0, "why": None}


PERIOD = {
    "from": "2026-11-22T19:00:00Z",
    "to": "2026-11-24T19:00:00Z",
    "step": "hour",
    "timezone": "Europe/Madrid",
    "district": None,
}


FIGURE = {
    "id": "lamps-lit",
    "name": "Lamps that burn when they should",
    "unit": "%",
    "kind": "share",
    "definition": {"what": "…", "how": "…", "source": "…", "fresh": "…"},
    **NUMBERS,
    "latest": {"from": "2026-11-24T18:00:00Z", **NUMBERS},
    "districts": [{"district": "centre", "name": "Centro", **NUMBERS}],
    "url": "/observa/lamps-lit?step=hour",
    "csv": "/api/v1/figures/lamps-lit.csv?step=hour",
}


class FigureOut(BaseModel):
    """One figure of the city; `value` is null where `why` says so."""

    model_config = shown_by(FIGURE)

    id: str
    name: str
    unit: str
    kind: str
    definition: dict[str, str]
    value: float | None
    part: float | None
    whole: float | None
    why: str | None
    latest: dict[str, Any] | None
    districts: list[dict[str, Any]]
    url: str
    csv: str


class Period(BaseModel):
    """From when until when, in which steps."""

    since: str = Field(alias="from")
    until: str = Field(alias="to")
    step: str
    timezone: str
    district: str | None


class FigurePage(Period):
    """The ten figures of a period."""

    model_config = shown_by({**PERIOD, "items": [FIGURE], "next": None})

    items: list[FigureOut]
    next: str | None


class FigureWhole(FigureOut, Period):
    """One figure over time and by district."""

    model_config = shown_by(
        {**FIGURE, **PERIOD, "items": [{"from": "2026-11-24T18:00:00Z", "to": AT, **NUMBERS}], "next": None}
    )

    items: list[dict[str, Any]]
    next: str | None
