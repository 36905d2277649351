"""Maintenance windows."""

from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from portals_api.answers.shape import AT, shown_by
from portals_api.answers.tickets import ALARM

WINDOW: dict[str, Any] = {
    "id": 3,
    "kind": "cabinet",
    "target": "CM-001",
    "from": "2026-11-24T07:00:00Z",
    "to": "2026-11-24T15:00:00Z",
    "ended_at": None,
    "withdrawn": False,
    "reason": "new contactor",
    "announced_at": AT,
    "state": "running",
    "may_reinstate": False,
    "held": 2,
}
HELD = {
    name: ALARM[name]
    for name in ("id", "url", "fault", "severity", "scope_kind", "scope_id", "raised_at", "cleared_at")
}
ANNOUNCED = {"id": 3}
WORKS = {"from": "2026-11-24T07:00:00Z", "to": "2026-11-24T15:00:00Z", "running": True}
Kind = Literal["lamp", "feeder", "cabinet", "gateway", "facility", "district"]


class WorksOut(BaseModel):
    """Works at an asset or at what it hangs on, as everyone may know of them."""

    model_config = shown_by(WORKS)

    works_from: str = Field(alias="from")
    works_to: str = Field(alias="to", description="As announced")
    running: bool = Field(description="They go on now; else they begin within seven days")


class WindowIn(BaseModel):
    """Works to come: where, from when until when, and why."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {name: WINDOW[name] for name in ("kind", "target", "from", "to", "reason")}},
    )

    kind: Kind
    target: str = Field(max_length=64, description="Its id")
    starts_at: AwareDatetime = Field(alias="from", gt=datetime.fromisoformat("1970-01-02T00:00:00+00:00"))
    ends_at: AwareDatetime = Field(alias="to", lt=datetime.fromisoformat("2200-01-01T00:00:00+00:00"))
    reason: str = Field(max_length=500, description="For operators and crews; it stays in the database")


class WindowOut(BaseModel):
    """A maintenance window: whatever comes at or below it while it runs gets no ticket."""

    model_config = shown_by(WINDOW)

    id: int
    kind: Kind
    target: str
    window_from: str = Field(alias="from")
    window_to: str = Field(alias="to", description="As announced")
    ended_at: str | None = Field(description="When it was ended before its time")
    withdrawn: bool
    reason: str
    announced_at: str
    state: Literal["planned", "running", "over", "withdrawn"]
    may_reinstate: bool = Field(description="An early end or a withdrawal can still be undone")
    held: int = Field(description="Alarms that came during it, still stand, and have no ticket")


class WindowPage(BaseModel):
    """One page of windows."""

    model_config = shown_by({"items": [WINDOW], "next": None})

    items: list[WindowOut]
    next: str | None


class HeldOut(BaseModel):
    """An alarm that came during a window."""

    model_config = shown_by(HELD)

    id: str
    url: str
    fault: str
    severity: str
    scope_kind: str
    scope_id: str
    raised_at: str
    cleared_at: str | None


class WindowWhole(WindowOut):
    """A window with the alarms that came during it."""

    model_config = shown_by({**WINDOW, "alarms": [HELD]})

    alarms: list[HeldOut]


class AnnouncedOut(BaseModel):
    """The number of what was announced."""

    model_config = shown_by(ANNOUNCED)

    id: int
