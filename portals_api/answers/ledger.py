"""The ledger of a gateway's hours."""

from pydantic import BaseModel

from portals_api.answers.shape import shown_by

LEDGER = {
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


class LedgerRow(BaseModel):
    """A gateway's hour: appended = stored + duplicate + conflicting + quarantined + in_flight; missing stands apart."""

    model_config = shown_by(LEDGER)

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

    model_config = shown_by({"items": [LEDGER], "next": None})

    items: list[LedgerRow]
    next: str | None
