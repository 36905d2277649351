"""Street lights."""

from typing import Literal

from pydantic import BaseModel, Field

from portals_api.answers.devices import DEVICE, METRIC, DeviceOut, MetricOut
from portals_api.answers.maintenance import WORKS, WorksOut
from portals_api.answers.shape import shown_by
from portals_api.answers.tickets import ALARM, TICKET, AlarmOut, TicketOut

LAMP = {
    "id": "L-00001",
    "url": "/lamps/L-00001",
    "name": "L-00001",
    "district": "centre",
    "district_name": "Centro",
    "feeder": "CM-01-A",
    "cabinet": "CM-01",
    "gateway": "GW-01",
    "lat": 43.547074,
    "lon": -5.672726,
    "street": "Calle Uno",
    "type": "led",
    "rated_w": 72.0,
    "phase": "R",
    "state": "faulty",
    "ticket": 17,
}


class LampOut(BaseModel):
    """A street light; `feeder`, `cabinet` and `gateway` are null for who may not see them."""

    model_config = shown_by(LAMP)

    id: str
    url: str
    name: str
    district: str | None
    district_name: str | None
    feeder: str | None
    cabinet: str | None
    gateway: str | None
    lat: float | None
    lon: float | None
    street: str | None
    type: str | None
    rated_w: float | None
    phase: str | None
    state: Literal["ok", "faulty", "out"]
    ticket: int | None


class LampPage(BaseModel):
    """One page of lamps."""

    model_config = shown_by({"items": [LAMP], "next": None})

    items: list[LampOut]
    next: str | None


STATES = {"ok": 20, "faulty": 1, "out": 0}


class LampStates(BaseModel):
    """How many lamps have no known fault, an open ticket, or a feeder that is out."""

    model_config = shown_by(STATES)

    ok: int
    faulty: int
    out: int


class SeenOut(MetricOut):
    """The last power reading of a lamp, and whether that means that it burns."""

    model_config = shown_by({**METRIC, "lit": False})

    lit: bool


class LampWhole(LampOut):
    """A street light: what it was told, what it was seen to do."""

    model_config = shown_by(
        {
            **LAMP,
            "commanded_on": True,
            "commanded_level_pct": 100,
            "expected_w": 72.0,
            "seen": {**METRIC, "lit": False},
            "series": [METRIC],
            "devices": [DEVICE],
            "neighbours": [{**LAMP, "id": "L-00002", "url": "/lamps/L-00002", "state": "ok", "ticket": None}],
            "alarms": [ALARM],
            "tickets": [TICKET],
            "works": [WORKS],
        }
    )

    commanded_on: bool | None
    commanded_level_pct: int | None = Field(description="Dimming: 100 in full, 0 off")
    expected_w: float | None
    seen: SeenOut | None
    series: list[MetricOut]
    devices: list[DeviceOut]
    neighbours: list[LampOut]
    alarms: list[AlarmOut]
    tickets: list[TicketOut]
    works: list[WorksOut]
