"""Dead letters in the shape of the API, and searches as requests write them."""

import asyncio
import base64
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from city.clock import from_datetime, isoformat
from city.reasons import MENDERS, told
from ingest.decode import decode, hex_dump
from portals_api.paging import decode_cursor, encode_cursor
from portals_api.params import printable
from storage.pool import Pool, engine_errors
from stream import letters
from stream.letters import Inspection, Key, LetterQuery, LetterState, LetterSummary
from stream.redelivery import ReplayReport

IDS_MAX = 500
AT_ONCE = 200
"""Letters that one request replays or marks: about a second's work."""
_TEXT_MAX = 200


def _none_if_empty(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _in_reach(at: datetime | None) -> datetime | None:
    if at is not None and not 1900 <= at.year <= 2200:
        raise ValueError("that time is out of reach")
    return at


Word = Annotated[
    Annotated[str, Field(max_length=_TEXT_MAX), AfterValidator(printable)] | None, BeforeValidator(_none_if_empty)
]
Moment = Annotated[AwareDatetime | None, BeforeValidator(_none_if_empty)]


class Search(BaseModel):
    """Which letters: the filters of the list, each optional."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    reason: Word = None
    gateway: Word = None
    topic: Word = None
    text: Word = None
    since: Annotated[Moment, Field(alias="from")] = None
    until: Annotated[Moment, Field(alias="to")] = None

    def query(self, state: LetterState, cursor: str | None, limit: int) -> LetterQuery:
        """Return what to look for.

        Raises
        ------
        CursorError
            `cursor` is not of this list.
        """
        key = decode_cursor(cursor, int, str)
        return LetterQuery(
            state=state,
            reason=self.reason,
            gateway_id=letters.gateway_of(self.gateway),
            topic=self.topic,
            text=self.text,
            since=_us(self.since),
            until=_us(self.until),
            after=None if key is None else Key(*key),
            limit=limit,
        )


Ids = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=200), AfterValidator(printable)]], Field(max_length=IDS_MAX)
]


class Chosen(BaseModel):
    """Letters: by their ids, or all that a search finds, a page at a time."""

    model_config = ConfigDict(extra="forbid")

    ids: Ids | None = None
    search: Search | None = None
    next: Annotated[str | None, Field(max_length=2048)] = None
    limit: Annotated[int, Field(ge=1, le=IDS_MAX)] = AT_ONCE

    @model_validator(mode="after")
    def _one_of_both(self) -> "Chosen":
        if (self.ids is None) == (self.search is None):
            raise ValueError("give `ids`, or `search` (an empty one means all)")
        return self


class Replaying(Chosen):
    """Letters, and whether all of their objects are read again, whatever their values are called now."""

    anew: bool = False


class Marking(Chosen):
    """Letters, and why."""

    reason: Annotated[str, Field(max_length=500), AfterValidator(printable)] = ""


async def list_rows(pool: Pool, query: LetterQuery) -> dict[str, Any]:
    """Return one page."""
    with engine_errors():
        async with pool.connection() as connection:
            page = await letters.list_letters(connection, query)
    return {"items": [row_of(one) for one in page.items], "next": cursor_of(page.next)}


async def whole_row(pool: Pool, letter_id: str) -> tuple[dict[str, Any], bytes]:
    """Return a letter with what can be read in it, and its bytes.

    Raises
    ------
    NotFoundError
        No such letter.
    """
    with engine_errors():
        async with pool.connection() as connection:
            found: Inspection = await letters.inspect_letter(connection, letter_id)
    row = {
        **row_of(found.summary),
        # Beside the loop: a bundle may hold 32 MiB.
        **await asyncio.to_thread(_seen_in, found.summary.topic, found.payload),
        "history": [{**event._asdict(), "at": isoformat(event.at)} for event in found.history],
        **_said_of(found.summary.reason),
    }
    return row, found.payload


def _seen_in(topic: str, payload: bytes) -> dict[str, Any]:
    decoded = decode(topic, payload)
    return {
        "payload": base64.b64encode(payload).decode(),
        "hex": hex_dump(payload),
        "decoded": None if decoded is None else decoded._asdict(),
    }


def row_of(one: LetterSummary) -> dict[str, Any]:
    """Return a letter in a list."""
    return {
        "id": one.letter_id,
        "state": one.state.value,
        "reason": one.reason,
        "detail": one.detail,
        "topic": letters.printable_topic(one.topic),
        "gateway": one.gateway_id,
        "received_at": isoformat(one.received_at),
        "units": one.units,
        "open_units": one.open_units,
        "settled": one.settled,
        "only": [[position, letters.printable_name(metric)] for position, metric in one.only],
        "bytes": one.payload_bytes,
        "tries": one.tries,
        "replayed_at": None if one.replayed_at is None else isoformat(one.replayed_at),
    }


def replay_row(report: ReplayReport, following: Key | None) -> dict[str, Any]:
    """Return what a replay did."""
    return {
        "letters": report.letters,
        "readings": report.readings,
        "still_bad": report.still_bad,
        "results": [
            {
                "id": one.letter_id,
                "outcome": one.outcome.value,
                "readings": one.readings,
                "reason": one.reason,
                "detail": one.detail,
            }
            for one in report.results
        ],
        "next": cursor_of(following),
    }


def reason_rows(found: dict[str, tuple[int, int]]) -> list[dict[str, Any]]:
    """Return what waits by reason, with what to do."""
    return [
        {"reason": reason, "letters": count, "units": units, **_said_of(reason)}
        for reason, (count, units) in found.items()
    ]


def _said_of(reason: str) -> dict[str, str]:
    known = told(reason)
    return {"happened": known.happened, "advice": known.todo, "mender": MENDERS[known.mender]}


def cursor_of(key: Key | None) -> str | None:
    """Return where the next page begins as a cursor."""
    return None if key is None else encode_cursor(key)


def _us(at: datetime | None) -> int | None:
    return None if _in_reach(at) is None else from_datetime(at)  # type: ignore[arg-type]
