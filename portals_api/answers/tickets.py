"""Tickets, alarms and reports."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from portals_api.answers.shape import AT, shown_by

SCOPE = {"kind": "lamp", "id": "L-00001", "name": "L-00001", "street": "Calle Uno"}


TICKET = {
    "id": 17,
    "url": "/tickets/17",
    "state": "new",
    "open": True,
    "category": "lamp-out",
    "fault": "lampFailure",
    "severity": "medium",
    "scope": SCOPE,
    "district": "centre",
    "district_name": "Centro",
    "lat": 43.547074,
    "lon": -5.672726,
    "place": "",
    "still_dark": False,
    "merged_into": None,
    "opened_at": AT,
    "updated_at": AT,
    "closed_at": None,
    "verify_after": None,
    "version": 1,
    "reports": 0,
    "alarms": 1,
    "crew_may": ["in_progress", "resolved", "assigned"],
}


ALARM = {
    "id": "6f1c0a5e",
    "url": "/alarms/6f1c0a5e",
    "fault": "lampFailure",
    "severity": "medium",
    "scope_kind": "lamp",
    "scope_id": "L-00001",
    "raised_at": AT,
    "cleared_at": None,
    "parent": None,
    "held_by": None,
    "evidence": {"rule": "power-below-expected", "observed": 0.4, "expected": 72.0, "unit": "W"},
    "verdict": None,
}


FOUND = {"finding": "true", "fault": "lampFailure", "actor": "crew", "at": AT}


class FoundOut(BaseModel):
    """What people found of an alarm; `fault` is empty where nothing was wrong, or only words say what it was."""

    model_config = shown_by(FOUND)

    finding: Literal["true", "false", "other"]
    fault: str
    actor: str
    at: str


class VerdictOut(FoundOut):
    """What people found of a ticket."""

    model_config = shown_by({**FOUND, "words": ""})

    words: str


class AlarmOut(BaseModel):
    """An abnormal condition, and why it was raised; `url` explains it."""

    model_config = shown_by(ALARM)

    id: str
    url: str
    fault: str
    severity: str
    scope_kind: str
    scope_id: str
    raised_at: str
    cleared_at: str | None
    parent: str | None
    held_by: int | None = Field(description="Maintenance window during which it came: it has no ticket")
    evidence: dict[str, Any]
    verdict: FoundOut | None = Field(description="What a crew or an operator said last; it decides nothing")


class ScopeOut(BaseModel):
    """What a ticket is about."""

    model_config = shown_by(SCOPE)

    kind: str
    id: str
    name: str
    street: str


class TicketOut(BaseModel):
    """A ticket."""

    model_config = shown_by(TICKET)

    id: int
    url: str
    state: str
    open: bool
    category: str
    fault: str
    severity: str
    scope: ScopeOut
    district: str | None
    district_name: str | None
    lat: float | None
    lon: float | None
    place: str
    still_dark: bool
    merged_into: int | None
    opened_at: str
    updated_at: str
    closed_at: str | None
    verify_after: str | None
    version: int
    reports: int
    alarms: int
    crew_may: list[str]


class TicketPage(BaseModel):
    """One page of tickets."""

    model_config = shown_by({"items": [TICKET], "next": "WzE3XQ"})

    items: list[TicketOut]
    next: str | None


EVENT = {
    "id": 40,
    "kind": "opened",
    "actor": "sensor",
    "at": AT,
    "from_state": None,
    "to_state": "new",
    "reason": "alarm-raised",
    "detail": {"alarm_id": "6f1c0a5e"},
}


REPORT = {"id": 3, "received_at": AT, "place": "", "description": "Lleva apagada desde el domingo."}


class EventOut(BaseModel):
    """One change of a ticket."""

    model_config = shown_by(EVENT)

    id: int
    kind: str
    actor: str
    at: str
    from_state: str | None
    to_state: str | None
    reason: str
    detail: dict[str, Any]


class ReportOut(BaseModel):
    """A citizen's report; its words are empty for who may not read them."""

    model_config = shown_by(REPORT)

    id: int
    received_at: str
    place: str
    description: str


class TicketWhole(TicketOut):
    """A ticket with its alarms, reports and timeline."""

    model_config = shown_by(
        {**TICKET, "alarm_list": [ALARM], "timeline": [EVENT], "report_list": [REPORT], "verdict": None}
    )

    alarm_list: list[AlarmOut]
    timeline: list[EventOut]
    report_list: list[ReportOut]
    verdict: VerdictOut | None


class ReceiptOut(BaseModel):
    """What became of a report."""

    model_config = shown_by(
        {"report": 3, "ticket": 17, "url": "/tickets/17", "state": "new", "joined": True, "repeated": False}
    )

    report: int
    ticket: int
    url: str
    state: str
    joined: bool = Field(description="It joined a ticket that was open already")
    repeated: bool = Field(description="The same report was here before, by its request_key")
