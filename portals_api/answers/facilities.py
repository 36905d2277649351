"""Facilities, and their status now."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from portals_api.answers.devices import METRIC, DeviceOut, MetricOut
from portals_api.answers.maintenance import WORKS, WorksOut
from portals_api.answers.shape import AT, shown_by
from portals_api.answers.tickets import AlarmOut, TicketOut

FACILITY = {
    "id": "EQ-01",
    "url": "/facilities/EQ-01",
    "name": "Colegio Uno",
    "kind": "school",
    "district": "centre",
    "district_name": "Centro",
    "lat": 43.54,
    "lon": -5.67,
    "alarms": 0,
}


class FacilityOut(BaseModel):
    """A building or place with sensors."""

    model_config = shown_by(FACILITY)

    id: str
    url: str
    name: str
    kind: str | None
    district: str | None
    district_name: str | None
    lat: float | None
    lon: float | None
    alarms: int


class FacilityPage(BaseModel):
    """One page of facilities."""

    model_config = shown_by({"items": [FACILITY], "next": None})

    items: list[FacilityOut]
    next: str | None


class FacilityWhole(FacilityOut):
    """A facility with its sensors, alarms and tickets; `open_now` is null where the city gives no hours."""

    model_config = shown_by(
        {
            **FACILITY,
            "open_now": True,
            "changes_at": "2026-11-24T20:00:00Z",
            "hours": {"weekly": [[[540, 1200]], [[540, 1200]], [[540, 1200]], [[540, 1200]], [[540, 1200]], [], []]},
            "heard_at": AT,
            "series": [METRIC],
            "devices": [],
            "alarm_list": [],
            "tickets": [],
            "works": [WORKS],
        }
    )

    open_now: bool | None
    changes_at: str | None
    hours: dict[str, Any] | None = Field(description="`weekly`: Monday first, minutes of the local day; `closed`: days")
    heard_at: str | None
    series: list[MetricOut]
    devices: list[DeviceOut]
    alarm_list: list[AlarmOut]
    tickets: list[TicketOut]
    works: list[WorksOut]


SENSOR = {"metric": "co2_ppm", "unit": "[ppm]", "value": 640.0, "observed_at": AT, "silent": False}


STATUS = {
    **{name: FACILITY[name] for name in ("id", "url", "name", "kind", "district", "district_name", "lat", "lon")},
    "state": "ok",
    "opening": {"open": True, "until": "2026-11-24T20:00:00Z"},
    "alarms": [],
    "sensors": [SENSOR],
    "heard_at": AT,
    "feed": "/feeds/facility/EQ-01.atom",
}


class StatusOut(BaseModel):
    """A facility as it is now."""

    model_config = shown_by(STATUS)

    id: str
    url: str
    name: str
    kind: str | None
    district: str | None
    district_name: str | None
    lat: float | None
    lon: float | None
    state: Literal["ok", "alarm", "silent", "no-sensors"]
    opening: dict[str, Any]
    alarms: list[dict[str, Any]]
    sensors: list[dict[str, Any]]
    heard_at: str | None
    feed: str


class StatusPage(BaseModel):
    """One page of facilities as they are now."""

    model_config = shown_by({"items": [STATUS], "next": None, "at": AT})

    items: list[StatusOut]
    next: str | None
    at: str
