"""Metrics of devices with their last readings, series and histories."""

from typing import Literal

from pydantic import BaseModel, Field

from portals_api.answers.shape import AT, shown_by

METRIC = {
    "series": 1,
    "device": "N-L-00001",
    "metric": "active_power_w",
    "unit": "W",
    "observed_at": AT,
    "value": 0.4,
    "quality": 0,
}


class MetricOut(BaseModel):
    """One metric of a device with its last reading."""

    model_config = shown_by(METRIC)

    series: int
    device: str
    metric: str
    unit: str
    observed_at: str | None
    value: float | None
    quality: int | None


DEVICE = {"device": "N-L-00001", "profile": "lamp-controller", "gateway": "GW-01", "report_interval_s": 900}


class DeviceOut(BaseModel):
    """What measures an asset."""

    model_config = shown_by(DEVICE)

    device: str
    profile: str
    gateway: str | None
    report_interval_s: int


SERIES = {
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


class SeriesOut(BaseModel):
    """One metric of one device."""

    model_config = shown_by(SERIES)

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

    model_config = shown_by(
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


READING = {
    "series": 1,
    "device": "N-L-00001",
    "metric": "active_power_w",
    "unit": "W",
    "observed_at": AT,
    "received_at": "2026-11-24T18:15:02Z",
    "value": 71.5,
    "quality": 0,
}


class ReadingOut(BaseModel):
    """One observation."""

    model_config = shown_by(READING)

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

    model_config = shown_by({"items": [READING], "next": None})

    items: list[ReadingOut]
    next: str | None
