"""What the API answers, with an example of each: for its documentation, and for the tests that hold answers to it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SAID = {
    400: "`next` is no cursor of this list, or the body cannot be read",
    403: "Not for you, or sent from another site",
    404: "There is none of that name, or not for this viewer",
    409: "It has changed meanwhile",
    413: "The body is too large",
    415: "This kind of body is not taken",
    422: "A parameter or a field makes no sense",
    429: "Too many from one address; see Retry-After",
    503: "The database does not answer; see Retry-After",
}
"""What each error means, for the description."""


def _with(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"example": example})


_ERROR = {"error": {"code": "not-found", "message": "there is no lamp 'L-9'", "status": 404}}
_AT = "2026-11-24T18:15:00Z"
_SCOPE = {"kind": "lamp", "id": "L-00001", "name": "L-00001", "street": "Calle Uno"}
_LAMP = {
    "id": "L-00001",
    "url": "/lamps/L-00001",
    "name": "L-00001",
    "district": "centre",
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
_TICKET = {
    "id": 17,
    "url": "/tickets/17",
    "state": "new",
    "open": True,
    "category": "lamp-out",
    "fault": "lampFailure",
    "severity": "medium",
    "scope": _SCOPE,
    "district": "centre",
    "lat": 43.547074,
    "lon": -5.672726,
    "place": "",
    "still_dark": False,
    "merged_into": None,
    "opened_at": _AT,
    "updated_at": _AT,
    "closed_at": None,
    "verify_after": None,
    "version": 1,
    "reports": 0,
    "alarms": 1,
    "crew_may": ["in_progress", "resolved", "assigned"],
}
_ALARM = {
    "id": "6f1c0a5e",
    "fault": "lampFailure",
    "severity": "medium",
    "scope_kind": "lamp",
    "scope_id": "L-00001",
    "raised_at": _AT,
    "cleared_at": None,
    "parent": None,
    "evidence": {"rule": "power-below-expected", "observed": 0.4, "expected": 72.0, "unit": "W"},
}
_METRIC = {
    "series": 1,
    "device": "N-L-00001",
    "metric": "active_power_w",
    "unit": "W",
    "observed_at": _AT,
    "value": 0.4,
    "quality": 0,
}
_FACILITY = {
    "id": "EQ-01",
    "url": "/facilities/EQ-01",
    "name": "Colegio Uno",
    "kind": "school",
    "district": "centre",
    "lat": 43.54,
    "lon": -5.67,
    "alarms": 0,
}
_LEDGER = {
    "gateway": "GW-01",
    "hour": "2026-11-24T18:00:00Z",
    "appended": 4800,
    "stored": 4790,
    "duplicate": 5,
    "conflicting": 1,
    "quarantined": 2,
    "in_flight": 2,
    "missing": 0,
}
_SERIES = {
    "id": 1,
    "url": "/series/1",
    "device": "N-L-00001",
    "metric": "active_power_w",
    "unit": "W",
    "asset": "L-00001",
    "asset_kind": "lamp",
    "asset_name": "L-00001",
    "report_interval_s": 900,
}
_NETWORK = {
    "id": "CM-01",
    "url": "/cabinets/CM-01",
    "name": "CM-01",
    "district": "centre",
    "gateway": "GW-01",
    "parent": None,
    "lat": 43.547061,
    "lon": -5.673073,
    "tickets": 0,
}
_PLACED = {
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
    "tickets": [_TICKET],
    "alarms": [_ALARM],
}
_STATES = {"ok": 20, "faulty": 1, "out": 0}
_DISTRICT = {"id": "centre", "url": "/districts/centre", "name": "Centro", "lamps": 21, "facilities": 4, "tickets": 2}


class ErrorDetail(BaseModel):
    """What went wrong, for programs (`code`) and for people (`message`)."""

    model_config = _with(_ERROR["error"])

    code: str
    message: str
    status: int


class ErrorOut(BaseModel):
    """The one shape of every error."""

    model_config = _with(_ERROR)

    error: ErrorDetail


class LampOut(BaseModel):
    """A street light; `feeder`, `cabinet` and `gateway` are null for who may not see them."""

    model_config = _with(_LAMP)

    id: str
    url: str
    name: str
    district: str | None
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

    model_config = _with({"items": [_LAMP], "next": None})

    items: list[LampOut]
    next: str | None


class MetricOut(BaseModel):
    """One metric of a device with its last reading."""

    model_config = _with(_METRIC)

    series: int
    device: str
    metric: str
    unit: str
    observed_at: str | None
    value: float | None
    quality: int | None


class AlarmOut(BaseModel):
    """An abnormal condition, and why it was raised."""

    model_config = _with(_ALARM)

    id: str
    fault: str
    severity: str
    scope_kind: str
    scope_id: str
    raised_at: str
    cleared_at: str | None
    parent: str | None
    evidence: dict[str, Any]


class ScopeOut(BaseModel):
    """What a ticket is about."""

    model_config = _with(_SCOPE)

    kind: str
    id: str
    name: str
    street: str


class TicketOut(BaseModel):
    """A ticket."""

    model_config = _with(_TICKET)

    id: int
    url: str
    state: str
    open: bool
    category: str
    fault: str
    severity: str
    scope: ScopeOut
    district: str | None
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

    model_config = _with({"items": [_TICKET], "next": "WzE3XQ"})

    items: list[TicketOut]
    next: str | None


_EVENT = {
    "id": 40,
    "kind": "opened",
    "actor": "sensor",
    "at": _AT,
    "from_state": None,
    "to_state": "new",
    "reason": "alarm-raised",
    "detail": {"alarm_id": "6f1c0a5e"},
}
_REPORT = {"id": 3, "received_at": _AT, "place": "", "description": "Lleva apagada desde el domingo."}


class EventOut(BaseModel):
    """One change of a ticket."""

    model_config = _with(_EVENT)

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

    model_config = _with(_REPORT)

    id: int
    received_at: str
    place: str
    description: str


class TicketWhole(TicketOut):
    """A ticket with its alarms, reports and timeline."""

    model_config = _with({**_TICKET, "alarm_list": [_ALARM], "timeline": [_EVENT], "report_list": [_REPORT]})

    alarm_list: list[AlarmOut]
    timeline: list[EventOut]
    report_list: list[ReportOut]


class DeviceOut(BaseModel):
    """What measures an asset."""

    model_config = _with(
        {"device": "N-L-00001", "profile": "lamp-controller", "gateway": "GW-01", "report_interval_s": 900}
    )

    device: str
    profile: str
    gateway: str | None
    report_interval_s: int


class SeenOut(MetricOut):
    """The last power reading of a lamp, and whether that means that it burns."""

    model_config = _with({**_METRIC, "lit": False})

    lit: bool


class LampWhole(LampOut):
    """A street light: what it was told, what it was seen to do."""

    model_config = _with(
        {
            **_LAMP,
            "commanded_on": True,
            "expected_w": 72.0,
            "seen": {**_METRIC, "lit": False},
            "series": [_METRIC],
            "devices": [DeviceOut.model_config["json_schema_extra"]["example"]],  # type: ignore[index]
            "neighbours": [{**_LAMP, "id": "L-00002", "url": "/lamps/L-00002", "state": "ok", "ticket": None}],
            "alarms": [_ALARM],
            "tickets": [_TICKET],
        }
    )

    commanded_on: bool | None
    expected_w: float | None
    seen: SeenOut | None
    series: list[MetricOut]
    devices: list[DeviceOut]
    neighbours: list[LampOut]
    alarms: list[AlarmOut]
    tickets: list[TicketOut]


class FacilityOut(BaseModel):
    """A building or place with sensors."""

    model_config = _with(_FACILITY)

    id: str
    url: str
    name: str
    kind: str | None
    district: str | None
    lat: float | None
    lon: float | None
    alarms: int


class FacilityPage(BaseModel):
    """One page of facilities."""

    model_config = _with({"items": [_FACILITY], "next": None})

    items: list[FacilityOut]
    next: str | None


class FacilityWhole(FacilityOut):
    """A facility with its sensors, alarms and tickets; `open_now` is null where the city gives no hours."""

    model_config = _with(
        {
            **_FACILITY,
            "open_now": True,
            "changes_at": "2026-11-24T20:00:00Z",
            "hours": {"weekly": [[[540, 1200]], [[540, 1200]], [[540, 1200]], [[540, 1200]], [[540, 1200]], [], []]},
            "heard_at": _AT,
            "series": [_METRIC],
            "devices": [],
            "alarm_list": [],
            "tickets": [],
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


_READING = {
    "series": 1,
    "device": "N-L-00001",
    "metric": "active_power_w",
    "unit": "W",
    "observed_at": _AT,
    "received_at": "2026-11-24T18:15:02Z",
    "value": 71.5,
    "quality": 0,
}


class ReadingOut(BaseModel):
    """One observation."""

    model_config = _with(_READING)

    series: int
    device: str
    metric: str
    unit: str
    observed_at: str
    received_at: str
    value: float
    quality: int


class ReadingPage(BaseModel):
    """One page of readings."""

    model_config = _with({"items": [_READING], "next": None})

    items: list[ReadingOut]
    next: str | None


class LedgerRow(BaseModel):
    """A gateway's hour: appended = stored + duplicate + conflicting + quarantined + in_flight; missing stands apart."""

    model_config = _with(_LEDGER)

    gateway: str
    hour: str
    appended: int
    stored: int
    duplicate: int
    conflicting: int
    quarantined: int
    in_flight: int
    missing: int


class LedgerPage(BaseModel):
    """One page of the ledger."""

    model_config = _with({"items": [_LEDGER], "next": None})

    items: list[LedgerRow]
    next: str | None


class NetworkRow(BaseModel):
    """A feeder, cabinet or gateway of a list."""

    model_config = _with(_NETWORK)

    id: str
    url: str
    name: str
    district: str | None
    gateway: str | None
    parent: str | None
    lat: float | None
    lon: float | None
    tickets: int


class NetworkPage(BaseModel):
    """One page of feeders, cabinets or gateways."""

    model_config = _with({"items": [_NETWORK], "next": None})

    items: list[NetworkRow]
    next: str | None


class _Placed(BaseModel):
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


class LampStates(BaseModel):
    """How many lamps have no known fault, an open ticket, or a feeder that is out."""

    model_config = _with(_STATES)

    ok: int
    faulty: int
    out: int


class FeederLamp(BaseModel):
    """A lamp as its feeder lists it."""

    model_config = _with({name: _LAMP[name] for name in ("id", "url", "state", "phase", "rated_w", "street")})

    id: str
    url: str
    state: str
    phase: str | None
    rated_w: float | None
    street: str | None


class FeederWhole(_Placed):
    """A three-phase line out of a cabinet, with its lamps."""

    model_config = _with(
        {
            **_PLACED,
            "id": "CM-01-A",
            "url": "/feeders/CM-01-A",
            "kind": "feeder",
            "cabinet": "CM-01",
            "switching": "permanent",
            "schedule": "astronomical",
            "commanded_on": True,
            "streets": ["Calle Uno"],
            "rated_w": 1512.0,
            "lamp_states": _STATES,
            "phases": {"R": 7, "S": 7, "T": 7},
            "lamps": [{name: _LAMP[name] for name in ("id", "url", "state", "phase", "rated_w", "street")}],
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


_FEEDER_ROW = {
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

    model_config = _with(_FEEDER_ROW)

    id: str
    url: str
    switching: str | None
    lamps: int
    rated_w: float
    faulty: int
    ticket: int | None


class CabinetWhole(_Placed):
    """The panel in the street, with its feeders."""

    model_config = _with({**_PLACED, "feeders": [_FEEDER_ROW], "series": []})

    feeders: list[CabinetFeeder]
    series: list[MetricOut]


_HEARD = {
    "device": "N-L-00001",
    "asset": "L-00001",
    "asset_kind": "lamp",
    "profile": "lamp-controller",
    "heard_at": _AT,
}


class HeardOut(BaseModel):
    """A device that a gateway speaks for, and when it was last heard."""

    model_config = _with(_HEARD)

    device: str
    asset: str
    asset_kind: str
    profile: str
    heard_at: str | None


class GatewayWhole(_Placed):
    """An MQTT client that speaks for devices: connected or not, what it was heard to say, its ledger by hour."""

    model_config = _with(
        {
            **_PLACED,
            "id": "GW-01",
            "url": "/gateways/GW-01",
            "kind": "gateway",
            "state": "online",
            "state_at": _AT,
            "device_count": 1,
            "devices": [_HEARD],
            "cabinets": ["CM-01"],
            "ledger": [_LEDGER],
        }
    )

    state: Literal["unknown", "online", "offline"]
    state_at: str | None
    device_count: int
    devices: list[HeardOut]
    cabinets: list[str]
    ledger: list[LedgerRow]


class DistrictOut(BaseModel):
    """A part of the city in figures."""

    model_config = _with({**_DISTRICT, "faulty": 1})

    id: str
    url: str
    name: str
    lamps: int
    facilities: int
    tickets: int
    faulty: int


class DistrictPage(BaseModel):
    """All districts."""

    model_config = _with({"items": [{**_DISTRICT, "faulty": 1}], "next": None})

    items: list[DistrictOut]
    next: str | None


class DistrictWhole(BaseModel):
    """A district: lamps by state, open tickets, facilities."""

    model_config = _with(
        {
            **_DISTRICT,
            "lat": 43.54,
            "lon": -5.66,
            "lamp_states": _STATES,
            "ticket_list": [_TICKET],
            "facility_list": [_FACILITY],
        }
    )

    id: str
    url: str
    name: str
    lamps: int
    facilities: int
    tickets: int
    lat: float | None
    lon: float | None
    lamp_states: LampStates
    ticket_list: list[TicketOut]
    facility_list: list[FacilityOut]


class SeriesOut(BaseModel):
    """One metric of one device."""

    model_config = _with(_SERIES)

    id: int
    url: str
    device: str
    metric: str
    unit: str
    asset: str
    asset_kind: str
    asset_name: str
    report_interval_s: int


class PointsOut(BaseModel):
    """A history as columns of equal length, in the resolution that serves the span best."""

    model_config = _with(
        {
            "series": 1,
            "device": "N-L-00001",
            "metric": "active_power_w",
            "unit": "W",
            "resolution": "hour",
            "step_s": 3600,
            "from": "2026-11-23T00:00:00Z",
            "to": "2026-11-24T00:00:00Z",
            "at_s": [1795453200, 1795456800],
            "n": [4, 4],
            "mean": [71.6, 71.4],
            "minimum": [71.0, 71.0],
            "maximum": [72.0, 72.0],
        }
    )

    series: int
    device: str
    metric: str
    unit: str
    resolution: Literal["raw", "hour", "day"]
    step_s: int = Field(description="Seconds that one point stands for; 0 where it is one reading")
    since: str | None = Field(alias="from")
    until: str | None = Field(alias="to")
    at_s: list[int] = Field(description="Unix seconds, UTC")
    n: list[int] = Field(description="Readings in each point")
    mean: list[float]
    minimum: list[float]
    maximum: list[float]


class ReceiptOut(BaseModel):
    """What became of a report."""

    model_config = _with(
        {"report": 3, "ticket": 17, "url": "/tickets/17", "state": "new", "joined": True, "repeated": False}
    )

    report: int
    ticket: int
    url: str
    state: str
    joined: bool = Field(description="It joined a ticket that was open already")
    repeated: bool = Field(description="The same report was here before, by its request_key")


class LiveOut(BaseModel):
    """The process runs."""

    model_config = _with({"status": "live"})

    status: str


class ReadyOut(BaseModel):
    """Every engine answers."""

    model_config = _with({"status": "ready", "checks": {"database": "ok", "log": "ok"}})

    status: str
    checks: dict[str, str]


_NUMBERS = {"value": 97.2, "part": 29160.0, "whole": 30000.0, "why": None}
_PERIOD = {
    "from": "2026-11-22T19:00:00Z",
    "to": "2026-11-24T19:00:00Z",
    "step": "hour",
    "timezone": "Europe/Madrid",
    "district": None,
}
_FIGURE = {
    "id": "lamps-lit",
    "name": "Lamps that burn when they should",
    "unit": "%",
    "kind": "share",
    "definition": {"what": "…", "how": "…", "source": "…", "fresh": "…"},
    **_NUMBERS,
    "latest": {"from": "2026-11-24T18:00:00Z", **_NUMBERS},
    "districts": [{"district": "centre", "name": "Centro", **_NUMBERS}],
    "url": "/observa/lamps-lit?step=hour",
    "csv": "/api/v1/figures/lamps-lit.csv?step=hour",
}


class FigureOut(BaseModel):
    """One figure of the city; `value` is null where `why` says so."""

    model_config = _with(_FIGURE)

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


class _Period(BaseModel):
    since: str = Field(alias="from")
    until: str = Field(alias="to")
    step: str
    timezone: str
    district: str | None


class FigurePage(_Period):
    """The ten figures of a period."""

    model_config = _with({**_PERIOD, "items": [_FIGURE], "next": None})

    items: list[FigureOut]
    next: str | None


class FigureWhole(FigureOut, _Period):
    """One figure over time and by district."""

    model_config = _with(
        {**_FIGURE, **_PERIOD, "items": [{"from": "2026-11-24T18:00:00Z", "to": _AT, **_NUMBERS}], "next": None}
    )

    items: list[dict[str, Any]]
    next: str | None


_SENSOR = {"metric": "co2_ppm", "unit": "[ppm]", "value": 640.0, "observed_at": _AT, "silent": False}
_STATUS = {
    **{name: _FACILITY[name] for name in ("id", "url", "name", "kind", "district", "lat", "lon")},
    "district_name": "Centro",
    "state": "ok",
    "opening": {"open": True, "until": "2026-11-24T20:00:00Z"},
    "alarms": [],
    "sensors": [_SENSOR],
    "heard_at": _AT,
    "feed": "/feeds/facility/EQ-01.atom",
}


class StatusOut(BaseModel):
    """A facility as it is now."""

    model_config = _with(_STATUS)

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

    model_config = _with({"items": [_STATUS], "next": None, "at": _AT})

    items: list[StatusOut]
    next: str | None
    at: str
