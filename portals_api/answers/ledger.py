"""The ledger of a gateway's hours."""

from pydantic import BaseModel, Field

from portals_api.answers.shape import shown_by

SUMS = {
    "appended": 4800,
    "stored": 4790,
    "duplicate": 5,
    "conflicting": 1,
    "quarantined": 2,
    "in_flight": 2,
    "missing": 3,
}
GAP = {"epoch": "boot-7", "first": 5, "last": 7}
LEDGER = {
    "gateway": "GW-01",
    "hour": "2026-11-24T18:00:00Z",
    **SUMS,
    "quarantined_by_reason": {"not-json": 2},
    "missing_numbers": [GAP],
}


class _Sums(BaseModel):
    appended: int = Field(
        description="readings (an unreadable message counts one) written to the log, then acknowledged"
    )
    stored: int = Field(description="in the database, once")
    duplicate: int = Field(description="the same value of the same moment again")
    conflicting: int = Field(description="another value of the same moment: the first one counts, this is kept aside")
    quarantined: int = Field(description="not understood, kept with its reason; a replay moves it within its hour")
    in_flight: int = Field(description="appended and not yet arrived: what is left of the sum")
    missing: int = Field(description="messages that the gateway numbered and that never came; not part of the sum")


class GapOut(BaseModel):
    """Message numbers first to last, both inclusive, of one run of a gateway's numbers."""

    model_config = shown_by(GAP)

    epoch: str
    first: int
    last: int


class LedgerRow(_Sums):
    """A gateway's hour: appended = stored + duplicate + conflicting + quarantined + in_flight; missing stands apart."""

    model_config = shown_by(LEDGER)

    gateway: str = Field(description="its id; empty where the topic named none")
    hour: str = Field(description="of receipt, its start, UTC")
    quarantined_by_reason: dict[str, int] = Field(description="what is quarantined, by reason")
    missing_numbers: list[GapOut] = Field(description="the first 50 ranges behind `missing`")


class LedgerPage(BaseModel):
    """One page of the ledger."""

    model_config = shown_by({"items": [LEDGER], "next": None})

    items: list[LedgerRow]
    next: str | None


DEATH = {"last_heard_at": "2026-11-24T18:15:00Z", "back_at": "2026-11-24T18:15:07Z"}


class DeathOut(BaseModel):
    """A death of the broker: what it had acknowledged by then and not handed on is lost, but for repeats."""

    model_config = shown_by(DEATH)

    last_heard_at: str
    back_at: str


class DeathList(BaseModel):
    """Deaths of the broker, the newest first."""

    model_config = shown_by({"items": [DEATH], "next": None})

    items: list[DeathOut]
    next: str | None


class LedgerTotals(_Sums):
    """The sums of all rows that fit, of one moment; `broken` rows do not balance: always 0.

    `forgotten_runs` are runs of message numbers that gateways began beyond what is kept: what is missing of them is not
    known any more.
    """

    model_config = shown_by({**SUMS, "forgotten_runs": 0, "broken": 0})

    forgotten_runs: int
    broken: int
