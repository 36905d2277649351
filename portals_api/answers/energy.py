"""Energy lost by faults of lamps."""

from typing import Literal

from pydantic import BaseModel, Field

from portals_api.answers.shape import AT, shown_by

TARIFF = {"price_per_kwh": 0.15, "currency": "EUR"}
SUM = {"loss": "burnt-by-day", "lamps": 4, "kwh": 21.6, "money": 3.24}
ITEM = {**SUM, "district": "centre", "name": "Centro"}


class TariffOut(BaseModel):
    """What electricity costs, as the city pack says."""

    model_config = shown_by(TARIFF)

    price_per_kwh: float
    currency: str


class LossOut(BaseModel):
    """What one loss comes to; `money` is null where the city does not say what electricity costs."""

    model_config = shown_by(SUM)

    loss: Literal["burnt-by-day", "over-power", "not-delivered"]
    lamps: int
    kwh: float
    money: float | None


class LossItem(LossOut):
    """The same in one district; null for lamps that lie in none."""

    model_config = shown_by(ITEM)

    district: str | None
    name: str | None


class EnergyPage(BaseModel):
    """Energy lost by faults of lamps in a time."""

    model_config = shown_by(
        {
            "from": "2026-10-25T18:15:00Z",
            "to": AT,
            "district": None,
            "lamp": None,
            "tariff": TARIFF,
            "all": [SUM],
            "items": [ITEM],
            "next": None,
        }
    )

    since: str = Field(alias="from")
    until: str = Field(alias="to")
    district: str | None
    lamp: str | None
    tariff: TariffOut | None
    all: list[LossOut]
    items: list[LossItem]
    next: str | None
