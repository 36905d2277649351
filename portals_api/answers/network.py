"""Feeders, cabinets and gateways."""

from typing import Literal

from pydantic import BaseModel

from portals_api.answers.devices import MetricOut
from portals_api.answers.lamps import LAMP, STATES, LampStates
from portals_api.answers.ledger import LEDGER, LedgerRow
from portals_api.answers.maintenance import WORKS, WorksOut
from portals_api.answers.shape import AT, shown_by
from portals_api.answers.tickets import ALARM, TICKET, AlarmOut, TicketOut

NETWORK = {
    "id": "CM-01",
    "url": "/cabinets/CM-01",
    "name": "CM-01",
    "district": "centre",
    "district_name": "Centro",
    "gateway": "GW-01",
    "parent": None,
    "lat": 43.547061,
    "lon": -5.673073,
    "tickets": 0,
}


PLACED = {
    "id": "CM-01",
    "url": "/cabinets/CM-01",
    "kind": "cabinet",
    "name": "CM-01",
    "root": "CM-01",
    "substation": "SE-centre-01",
    "gateway": "GW-01",
    "district": "centre",
    "district_name": "Centro",
    "lat": 43.547061,
    "lon": -5.673073,
    "tickets": [TICKET],
    "alarms": [ALARM],
    "works": [WORKS],
}


class NetworkRow(BaseModel):
    """A feeder, cabinet or gateway of a list."""

    model_config = shown_by(NETWORK)

    id: str
    url: str
    name: str
    district: str | None
    district_name: str | None
    gateway: str | None
    parent: str | None
    lat: float | None
    lon: float | None
    tickets: int


class NetworkPage(BaseModel):
    """One page of feeders, cabinets or gateways."""

    model_config = shown_by({"items": [NETWORK], "next": None})

    items: list[NetworkRow]
    next: str | None


class Placed(BaseModel):
    """What feeders, cabinets and gateways have in common."""

    id: str
    url: str
    kind: str
    name: str
    root: str
    substation: str
    gateway: str | None
    district: str | None
    district_name: str | None
    lat: float | None
    lon: float | None
    tickets: list[TicketOut]
    alarms: list[AlarmOut]
    works: list[WorksOut]


class FeederLamp(BaseModel):
    """A lamp as its feeder lists it."""

    model_config = shown_by({name: LAMP[name] for name in ("id", "url", "state", "phase", "rated_w", "street")})

    id: str
    url: str
    state: str
    phase: str | None
    rated_w: float | None
    street: str | None


class FeederWhole(Placed):
    """A three-phase line out of a cabinet, with its lamps."""

    model_config = shown_by(
        {
            **PLACED,
            "id": "CM-01-A",
            "url": "/feeders/CM-01-A",
            "kind": "feeder",
            "cabinet": "CM-01",
            "switching": "permanent",
            "schedule": "astronomical",
            "commanded_on": True,
            "streets": ["Calle Uno"],
            "rated_w": 1512.0,
            "lamp_states": STATES,
            "phases": {"R": 7, "S": 7, "T": 7},
            "lamps": [{name: LAMP[name] for name in ("id", "url", "state", "phase", "rated_w", "street")}],
            "more_lamps": False,
            "series": [],
        }
    )

    cabinet: str | None
    switching: str | None
    schedule: str | None
    commanded_on: bool | None
    streets: list[str]
    rated_w: float
    lamp_states: LampStates
    phases: dict[str, int]
    lamps: list[FeederLamp]
    more_lamps: bool
    series: list[MetricOut]


FEEDER_ROW = {
    "id": "CM-01-A",
    "url": "/feeders/CM-01-A",
    "switching": "permanent",
    "lamps": 21,
    "rated_w": 1512.0,
    "faulty": 1,
    "ticket": None,
}


class CabinetFeeder(BaseModel):
    """A feeder as its cabinet lists it; `ticket` is the feeder's own."""

    model_config = shown_by(FEEDER_ROW)

    id: str
    url: str
    switching: str | None
    lamps: int
    rated_w: float
    faulty: int
    ticket: int | None


class CabinetWhole(Placed):
    """The panel in the street, with its feeders."""

    model_config = shown_by({**PLACED, "feeders": [FEEDER_ROW], "series": []})

    feeders: list[CabinetFeeder]
    series: list[MetricOut]


HEARD = {
    "device": "N-L-00001",
    "asset": "L-00001",
    "asset_kind": "lamp",
    "profile": "lamp-controller",
    "heard_at": AT,
}


class HeardOut(BaseModel):
    """A device that a gateway speaks for, and when it was last heard."""

    model_config = shown_by(HEARD)

    device: str
    asset: str
    asset_kind: str
    profile: str
    heard_at: str | None


CLOCK = {"ahead_s": 0.0, "behind_s_max": 1.4, "hour": "2026-11-24T18:00:00Z"}


class ClockOut(BaseModel):
    """A gateway's clock as its freshest live readings show it: ahead by so much, or behind by at most so much."""

    model_config = shown_by(CLOCK)

    ahead_s: float
    behind_s_max: float
    hour: str


class GatewayWhole(Placed):
    """An MQTT client that speaks for devices: connected or not, what it was heard to say, its ledger by hour."""

    model_config = shown_by(
        {
            **PLACED,
            "id": "GW-01",
            "url": "/gateways/GW-01",
            "kind": "gateway",
            "state": "online",
            "state_at": AT,
            "device_count": 1,
            "devices": [HEARD],
            "cabinets": ["CM-01"],
            "clock": CLOCK,
            "ledger": [LEDGER],
        }
    )

    state: Literal["unknown", "online", "offline"]
    state_at: str | None
    device_count: int
    devices: list[HeardOut]
    cabinets: list[str]
    clock: ClockOut | None
    ledger: list[LedgerRow]
