"""The registry as operators see it: devices, gateways, profiles, changes, and who waits to be claimed."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from portals_api.answers.shape import AT, shown_by

DEVICE = {
    "device": "N-L-00001",
    "address": "A84041FFFF123456",
    "asset": "L-00001",
    "asset_kind": "lamp",
    "gateway": "GW-01",
    "profile": "lamp-controller",
    "report_interval_s": 900,
    "origin": "operator",
    "retired": False,
}
CHANGE = {
    "event_id": 7,
    "at": AT,
    "actor": "operator",
    "kind": "claimed",
    "subject": "device",
    "subject_id": "N-L-00001",
    "detail": {"asset": "L-00001", "gateway": "GW-01", "profile": "lamp-controller", "address": "A84041FFFF123456"},
    "differences": [{"field": "gateway", "before": "GW-02", "after": "GW-01"}],
    "registry_version": 12,
}
SERIES = {"series": 1, "metric": "active_power_w", "unit": "W", "retired": False}


class RegistryDevice(BaseModel):
    """A device in the registry."""

    model_config = shown_by(DEVICE)

    device: str
    address: str = Field(description="What it is called on the wire")
    asset: str
    asset_kind: str
    gateway: str
    profile: str
    report_interval_s: int
    origin: Literal["pack", "operator"] = Field(description="Whose word it is: imports change nothing of an operator's")
    retired: bool


class RegistryDevicePage(BaseModel):
    """One page of devices."""

    model_config = shown_by({"items": [DEVICE], "next": None})

    items: list[RegistryDevice]
    next: str | None


class RegistrySeries(BaseModel):
    """One metric of a device."""

    model_config = shown_by(SERIES)

    series: int
    metric: str
    unit: str
    retired: bool


class DifferenceOut(BaseModel):
    """One field that is another now; `before` is empty where nothing was, `after` where nothing is any more."""

    model_config = shown_by({"field": "gateway", "before": "GW-02", "after": "GW-01"})

    field: str
    before: str
    after: str


class ChangeOut(BaseModel):
    """One change of the registry."""

    model_config = shown_by(CHANGE)

    event_id: int
    at: str
    actor: str
    kind: Literal[
        "imported",
        "added",
        "changed",
        "claimed",
        "retired",
        "released",
        "restored",
        "announced",
        "ended",
        "withdrawn",
        "reinstated",
    ]
    subject: Literal["pack", "device", "gateway", "profile", "maintenance"]
    subject_id: str
    detail: dict[str, Any]
    differences: list[DifferenceOut]
    registry_version: int


class ChangePage(BaseModel):
    """One page of changes."""

    model_config = shown_by({"items": [CHANGE], "next": None})

    items: list[ChangeOut]
    next: str | None


class RegistryDeviceWhole(RegistryDevice):
    """A device with its series and what was changed of it."""

    model_config = shown_by({**DEVICE, "series": [SERIES], "changes": [CHANGE]})

    series: list[RegistrySeries]
    changes: list[ChangeOut]


GATEWAY = {
    "gateway": "GW-01",
    "name": "Concentrador GW-01",
    "lat": 43.535731,
    "lon": -5.671204,
    "district": "centre",
    "network_operator": "red-norte",
    "state": "online",
    "origin": "pack",
    "retired": False,
    "devices": 96,
}


class RegistryGateway(BaseModel):
    """A gateway in the registry."""

    model_config = shown_by(GATEWAY)

    gateway: str
    name: str
    lat: float | None
    lon: float | None
    district: str | None
    network_operator: str | None = Field(description="Whose network it speaks over")
    state: str
    origin: Literal["pack", "operator"]
    retired: bool
    devices: int


class RegistryGatewayPage(BaseModel):
    """One page of gateways."""

    model_config = shown_by({"items": [GATEWAY], "next": None})

    items: list[RegistryGateway]
    next: str | None


PROFILE = {
    "profile": "lamp-controller",
    "metrics": ["active_power_w", "supply_voltage_v"],
    "report_interval_s": 900,
    "silence_intervals": 8.0,
    "names": [{"name": "P", "metric": "active_power_w", "unit": "kW", "values": []}],
    "ignore": ["rssi"],
    "has_codec": False,
    "origin": "pack",
    "retired": False,
    "devices": 29000,
}


class ProfileOut(BaseModel):
    """What devices of one make report, and what they call it."""

    model_config = shown_by(PROFILE)

    profile: str
    metrics: list[str]
    report_interval_s: int
    silence_intervals: float
    names: list[dict[str, Any]]
    ignore: list[str]
    has_codec: bool
    origin: Literal["pack", "operator"]
    retired: bool
    devices: int


class ProfileList(BaseModel):
    """All profiles."""

    model_config = shown_by({"items": [PROFILE], "next": None})

    items: list[ProfileOut]
    next: str | None


CHANGED = {"added": ["N-L-00001"], "changed": [], "unchanged": 0, "version": 12, "complete": True}


class ChangedOut(BaseModel):
    """What a change did; with `dry_run`, what it would do."""

    model_config = shown_by(CHANGED)

    added: list[str]
    changed: list[str]
    unchanged: int
    version: int = Field(description="Of the registry afterwards; 0 where nothing was changed")
    complete: bool = Field(description="False: of what waited for it more comes back later, by itself")


class RetiredOut(ChangedOut):
    """What the retirement of a gateway did."""

    model_config = shown_by({**CHANGED, "added": [], "changed": ["GW-01"], "revoked": 1})

    revoked: int = Field(description="Credentials that ended with it")


UNKNOWN_DEVICE = {"name": "A84041FFFF123456", "gateway": "GW-01", "letters": 12, "first_at": AT, "last_at": AT}
UNKNOWN_GATEWAY = {"gateway": "GW-99", "letters": 3, "first_at": AT, "last_at": AT}


class UnknownDeviceOut(BaseModel):
    """A device that sends and that nobody knows."""

    model_config = shown_by(UNKNOWN_DEVICE)

    name: str
    gateway: str
    letters: int
    first_at: str
    last_at: str


class UnknownGatewayOut(BaseModel):
    """A gateway that sends and that nobody knows."""

    model_config = shown_by(UNKNOWN_GATEWAY)

    gateway: str
    letters: int
    first_at: str
    last_at: str


class UnknownOut(BaseModel):
    """Who waits to be claimed."""

    model_config = shown_by({"devices": [UNKNOWN_DEVICE], "gateways": [UNKNOWN_GATEWAY]})

    devices: list[UnknownDeviceOut]
    gateways: list[UnknownGatewayOut]


CLAIMED = {
    "device": "N-L-00001",
    "version": 12,
    "letters": 12,
    "readings": 36,
    "still_bad": 0,
    "complete": True,
}


class ClaimedOut(BaseModel):
    """What a claim brought back."""

    model_config = shown_by(CLAIMED)

    device: str
    version: int
    letters: int = Field(description="Messages that waited for it and were read again")
    readings: int = Field(description="Readings that are on their way into place")
    still_bad: int = Field(description="Messages of which something could not be placed")
    complete: bool = Field(description="False: more waits than one answer has time for; the rest follows by itself")


class DeviceIn(BaseModel):
    """A device as an operator writes it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"asset": "L-1", "gateway": "GW-1", "profile": "lamp", "address": "A84041FFFF123456"}
        },
    )

    asset: str = Field(max_length=64)
    gateway: str = Field(max_length=64)
    profile: str = Field(max_length=64)
    address: str = Field("", max_length=128)


class ClaimIn(DeviceIn):
    """A claim: which unknown device is which of the city's."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "address": "A84041FFFF123456",
                "device": "N-L-9",
                "asset": "L-1",
                "gateway": "GW-1",
                "profile": "lamp",
            }
        },
    )

    device: str = Field(max_length=64)
