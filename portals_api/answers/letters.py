"""Dead letters, as operators see them."""

from pydantic import BaseModel

from portals_api.answers.shape import AT, shown_by

LETTER = {
    "id": "5f1d2b7e-0-17",
    "state": "open",
    "reason": "unknown-device",
    "detail": "device N-L-00007 is not in the registry: add it to the city pack, then replay",
    "topic": "citynerve/v1/GW-01/readings",
    "gateway": "GW-01",
    "received_at": AT,
    "units": 2,
    "open_units": 2,
    "settled": 0,
    "only": [[3, "active_power_w"], [3, "supply_voltage_v"]],
    "bytes": 131,
    "tries": 0,
    "replayed_at": None,
}
EVENT = {"kind": "stays", "at": AT, "actor": "operator", "readings": 0, "reason": "unknown-metric", "detail": "add it"}
DECODED = {"format": "json", "text": '{\n  "device": "N-L-00007"\n}', "cut": False}
_SAID = {
    "happened": "It comes from a device that is not in the registry.",
    "advice": "Claim the device, or add it to the city pack and replay: what it sent goes into its place.",
    "mender": "an operator",
}
REASON = {"reason": "unknown-device", "letters": 12, "units": 24, **_SAID}
RESULT = {"id": LETTER["id"], "outcome": "sent-back", "readings": 2, "reason": "", "detail": ""}


class LetterOut(BaseModel):
    """A message, or the part of it that is set aside: `only` names position of the object and metric; empty: all.

    In a bundle of an isolated gateway it names position of the message, and object and metric in one.
    """

    model_config = shown_by(LETTER)

    id: str
    state: str
    reason: str
    detail: str
    topic: str
    gateway: str
    received_at: str
    units: int
    open_units: int
    settled: int
    only: list[tuple[int, str]]
    bytes: int
    tries: int
    replayed_at: str | None


class LetterPageOut(BaseModel):
    """One page, the newest first; in a search for text a page may be short, even empty, and have a `next`."""

    model_config = shown_by({"items": [LETTER], "next": None})

    items: list[LetterOut]
    next: str | None


class LetterEventOut(BaseModel):
    """What happened to a letter: sent-back, stays, not-wanted, wanted-again."""

    model_config = shown_by(EVENT)

    kind: str
    at: str
    actor: str
    readings: int
    reason: str
    detail: str


class DecodedOut(BaseModel):
    """The payload as people can read it."""

    model_config = shown_by(DECODED)

    format: str
    text: str
    cut: bool


class Said(BaseModel):
    """What a reason means, what to do about it, and who can."""

    happened: str
    advice: str
    mender: str


class LetterWhole(LetterOut, Said):
    """A letter with its bytes (`payload` in base64, `hex` of the first 4096) and its history."""

    model_config = shown_by(
        {
            **LETTER,
            "payload": "eyJkZXZpY2UiOiAiTi1MLTAwMDA3In0=",
            "hex": "00000000  7b 7d                                            {}",
            "decoded": DECODED,
            "history": [EVENT],
            **_SAID,
        }
    )

    payload: str
    hex: str
    decoded: DecodedOut | None
    history: list[LetterEventOut]


class ReasonOut(Said):
    """How much waits for one reason."""

    model_config = shown_by(REASON)

    reason: str
    letters: int
    units: int


class ReasonList(BaseModel):
    """Reasons, most units first."""

    model_config = shown_by({"items": [REASON], "next": None})

    items: list[ReasonOut]
    next: None


class LetterResultOut(BaseModel):
    """A letter after a replay: sent-back, partly, stays, done, not-wanted, unknown."""

    model_config = shown_by(RESULT)

    id: str
    outcome: str
    readings: int
    reason: str
    detail: str


class ReplayOut(BaseModel):
    """What a replay did; with a `next`, send it again with that to go on."""

    model_config = shown_by({"letters": 1, "readings": 2, "still_bad": 0, "results": [RESULT], "next": None})

    letters: int
    readings: int
    still_bad: int
    results: list[LetterResultOut]
    next: str | None


class MarkedOut(BaseModel):
    """Letters that were moved; with a `next`, send it again with that to go on."""

    model_config = shown_by({"letters": 1, "ids": [LETTER["id"]], "next": None})

    letters: int
    ids: list[str]
    next: str | None
