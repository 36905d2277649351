"""Lives of lamps, and what to change together."""

from pydantic import BaseModel, Field

from portals_api.answers.shape import shown_by

PRICES = {"planned": 60.0, "fault": 180.0, "currency": "EUR"}
TYPE = {
    "type": "sodium",
    "lamps": 812,
    "failures": 31,
    "median_h": 26_500.0,
    "median_low_h": 24_900.0,
    "median_high_h": 28_300.0,
    "change_at_h": 19_200.0,
}
ROUND = {
    "district": "centre",
    "name": "Centro",
    "type": "sodium",
    "change": 40,
    "change_at_h": 19_200.0,
    "expected_failures": 9.6,
    "others": 320,
    "others_expected_failures": 12.1,
    "cost": 2400.0,
    "cost_of_failures": 1728.0,
}
LIFE = {
    "lamp": "L-00001",
    "url": "/lamps/L-00001",
    "district": "centre",
    "type": "sodium",
    "age_h": 20_140.0,
    "hours_a_year": 4_120.0,
    "failures": 1,
    "risk": 1.4,
    "drifts": True,
    "switches_often": False,
    "failed": False,
    "remaining_low_h": 900.0,
    "remaining_median_h": 5_600.0,
    "remaining_high_h": 12_800.0,
    "failure_within_year": 0.39,
    "change": True,
}


class RelampingOut(BaseModel):
    """What changing one lamp costs, as the city pack says."""

    model_config = shown_by(PRICES)

    planned: float = Field(description="On a round on which a street is changed together")
    fault: float = Field(description="When it has failed and a crew goes out for it")
    currency: str


class TypeOut(BaseModel):
    """The life of a type of lamp in hours of burning: median with the interval in which it lies with 80 %."""

    model_config = shown_by(TYPE)

    type: str
    lamps: int
    failures: int
    median_h: float
    median_low_h: float
    median_high_h: float
    change_at_h: float | None = Field(description="Age at which changing costs least; null: best left until it fails")


class RoundOut(BaseModel):
    """Lamps of a type in a district: those best changed together this year, and the others."""

    model_config = shown_by(ROUND)

    district: str | None
    name: str | None
    type: str
    change: int
    change_at_h: float | None
    expected_failures: float = Field(description="Within a year, of those to change if they are left")
    others: int
    others_expected_failures: float
    cost: float | None = Field(description="Of changing them together; null where the city does not say the prices")
    cost_of_failures: float | None = Field(description="Of their expected failures, if they are left")


class LivesPage(BaseModel):
    """How long lamps last, and which to change together this year."""

    model_config = shown_by({"district": None, "prices": PRICES, "types": [TYPE], "items": [ROUND], "next": None})

    district: str | None
    prices: RelampingOut | None
    types: list[TypeOut]
    items: list[RoundOut]
    next: str | None


class LifeOut(BaseModel):
    """What is expected of one lamp; four of five end within its interval."""

    model_config = shown_by(LIFE)

    lamp: str
    url: str
    district: str | None
    type: str
    age_h: float = Field(description="Hours of burning since it was new, or last repaired")
    hours_a_year: float
    failures: int
    risk: float = Field(description="By how much its hazard is above its type's")
    drifts: bool = Field(description="It cycles, or its power has drifted")
    switches_often: bool
    failed: bool
    remaining_low_h: float
    remaining_median_h: float
    remaining_high_h: float
    failure_within_year: float
    change: bool = Field(description="Best changed this year")


class LifePage(BaseModel):
    """Lamps, the likeliest to fail first."""

    model_config = shown_by({"items": [LIFE], "next": None})

    items: list[LifeOut]
    next: str | None
