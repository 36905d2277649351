"""Finds dead letters, tells what happened to each, and takes those that nobody wants out of the open list."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from city.clock import from_datetime, to_datetime
from city.errors import NotFoundError
from storage import queries
from storage.pool import Connection
from stream.codec import DeadLetter
from stream.ledger import clean

_SQL = queries.load(Path(__file__).with_name("letters.sql"))

SEARCHED_BYTES = 16_384
"""A search looks at the first bytes of a payload."""
LOOKED_AT_MAX = 100_000
"""Letters that one search for text looks into before it says how far it came. No index of their text: it costs each of
a flood of letters several times what keeping it costs, and operators seldom search."""
NONE_NAMED = "-"
"""What a search says for letters that name no gateway: none is called so, and nothing at all means any gateway."""
_HISTORY_MAX = 200
_FORGOTTEN_AT_ONCE = 1_000


class LetterState(StrEnum):
    """Where a letter is: it waits, all of it was sent back into the log, or an operator does not want it."""

    OPEN = "open"
    DONE = "done"
    NOT_WANTED = "not-wanted"


class Key(NamedTuple):
    """Place of a letter in a list, newest first; time in µs UTC."""

    received_at: int
    letter_id: str


@dataclass(frozen=True, slots=True)
class LetterQuery:
    """Which letters; times in [since, until) µs UTC.

    Attributes
    ----------
    gateway_id : str or None
        Empty: those that name none.
    topic, text : str or None
        Parts of the topic, and of the payload's first bytes; capitals do not matter (without accents). Bundles of
        isolated gateways hold both packed: neither is found in them (`stream.newcomers` says who they are opened for).
    after : Key or None
        `LetterPage.next` of the page before.
    """

    state: LetterState = LetterState.OPEN
    reason: str | None = None
    gateway_id: str | None = None
    topic: str | None = None
    text: str | None = None
    since: int | None = None
    until: int | None = None
    after: Key | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class LetterSummary:
    """A letter in a list.

    Attributes
    ----------
    only : tuple of (int, str)
        Position of the object and metric of each reading that is set aside, of very many the first; empty: all of it.
    topic : str
        As it came: `printable_topic` writes it out for people.
    open_units : int
        What of it nobody has sent back yet.
    settled : int
        Units that came back and are stored.
    replayed_at : int or None
        When a replay last tried, µs UTC.
    tries : int
        Replays that looked at it.
    """

    letter_id: str
    reason: str
    detail: str
    topic: str
    gateway_id: str
    received_at: int
    units: int
    only: tuple[tuple[int, str], ...]
    open_units: int
    settled: int
    replayed_at: int | None
    payload_bytes: int
    state: LetterState
    tries: int


@dataclass(frozen=True, slots=True)
class LetterPage:
    """One page, newest first.

    Attributes
    ----------
    next : Key or None
        Where the next page begins; a search for text may have one after a page that is not full, even empty.
    """

    items: list[LetterSummary]
    next: Key | None


class LetterEvent(NamedTuple):
    """Something that happened to a letter; `kind` is sent-back, stays, not-wanted or wanted-again."""

    kind: str
    at: int
    actor: str
    readings: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """A letter, its bytes and its history."""

    summary: LetterSummary
    payload: bytes
    history: list[LetterEvent]


def gateway_of(word: str | None) -> str | None:
    """Return the gateway of a query that a search's word means."""
    return "" if word == NONE_NAMED else word or None


async def list_letters(connection: Connection, query: LetterQuery, *, looked_at_max: int = LOOKED_AT_MAX) -> LetterPage:
    """Return one page; a search for text looks into at most `looked_at_max` letters and says where it stopped."""
    wanted = _parameters(query)
    end: Key | None = None
    if query.text is not None or query.topic is not None:
        stop = await _fetch(connection, _SQL.slice_end, {**wanted, "skip": looked_at_max - 1})
        end = Key(from_datetime(stop[0][0]), stop[0][1]) if stop else None
    place = {"end_at": None if end is None else to_datetime(end.received_at), "end_id": end and end.letter_id}
    rows = await _fetch(connection, _SQL.list, {**wanted, **place, "limit": query.limit + 1})
    items = [_summary(row) for row in rows[: query.limit]]
    if len(rows) > query.limit:
        return LetterPage(items, Key(items[-1].received_at, items[-1].letter_id))
    return LetterPage(items, end)


async def open_by_reason(connection: Connection) -> dict[str, tuple[int, int]]:
    """Return, by reason, how many letters wait and how many units they hold; most units first."""
    rows = await _fetch(connection, _SQL.count_by_reason, {})
    return {reason: (letters, units) for reason, letters, units in rows}


async def inspect_letter(connection: Connection, letter_id: str) -> Inspection:
    """Return a letter with its bytes and its history.

    Raises
    ------
    NotFoundError
        No such letter.
    """
    rows = await _fetch(connection, _SQL.inspect, {"letter_id": clean(letter_id)})
    if not rows:
        raise NotFoundError(
            f"there is no dead letter {letter_id[:100]!r}: it is not of this installation, or forgotten"
        )
    events = await _fetch(connection, _SQL.history, {"letter_id": rows[0][0], "limit": _HISTORY_MAX})
    history = [LetterEvent(kind, from_datetime(when), *rest) for kind, when, *rest in events]
    return Inspection(_summary(rows[0]), bytes(rows[0][14]), history)


async def states_of(connection: Connection, letter_ids: Sequence[str]) -> dict[str, LetterState]:
    """Return the state of each letter that there is."""
    rows = await _fetch(connection, _SQL.states, {"letter_ids": list(letter_ids)})
    return {letter_id: LetterState(state) for letter_id, state in rows}


async def mark(
    connection: Connection, letter_ids: Sequence[str], *, unwanted: bool, actor: str, reason: str, at_us: int
) -> list[str]:
    """Take letters out of the open list, or back into it; return which were moved. Again has no effect.

    They stay where they are in the ledger: set aside, and not lost.
    """
    what = {"letter_ids": list(letter_ids), "unwanted": unwanted, "actor": actor, "reason": clean(reason)}
    rows = await _fetch(connection, _SQL.mark, {**what, "at": to_datetime(at_us)})
    return [letter_id for (letter_id,) in rows]


async def forget(connection: Connection, before_us: int) -> int:
    """Delete some of the letters that were stored whole and last replayed before `before_us`; return how many."""
    cursor = await connection.execute(_SQL.forget, {"before": to_datetime(before_us), "limit": _FORGOTTEN_AT_ONCE})
    return cursor.rowcount


def letter_of(row: Sequence[Any]) -> DeadLetter:
    """Build a letter from reason, detail, topic, payload, gateway, time of receipt, units, readings and retained."""
    reason, detail, topic, payload, gateway_id, received_at, units, only, retained = row
    encoded = base64.b64encode(payload).decode()
    at_us = from_datetime(received_at)
    return DeadLetter(reason, detail, topic, encoded, gateway_id, at_us, units, _only(only), retained=retained)


def printable_topic(topic: str) -> str:
    """Return a topic as people can read it, not too much of it: some brokers let control characters through."""
    return topic[:1024] if topic.isprintable() else ascii(topic[:1024])[1:-1]


def printable_name(name: str) -> str:
    """Return the name of a reading as people can read it: those that are set aside may be of any characters."""
    return name if name.isprintable() else ascii(name)[1:-1]


def payload_text(payload: bytes, limit: int = 2_000) -> str:
    """Return the start of a payload as people can read it, control characters escaped."""
    text = payload[:limit].decode("utf-8", "replace")
    return json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"')


def _parameters(query: LetterQuery) -> dict[str, Any]:
    after = query.after
    return {
        "state": query.state.value,
        "reason": query.reason,
        "gateway_id": query.gateway_id,
        "topic": query.topic,
        "text": query.text,
        "searched_bytes": SEARCHED_BYTES,
        "since": _moment(query.since),
        "until": _moment(query.until),
        "after_at": None if after is None else to_datetime(after.received_at),
        "after_id": None if after is None else after.letter_id,
    }


async def _fetch(connection: Connection, statement: Any, parameters: dict[str, Any]) -> list[Any]:
    # Planned anew each time: one plan for all filters would walk a million letters for the few of a rare reason.
    return await (await connection.execute(statement, parameters, prepare=False)).fetchall()


def _summary(row: Sequence[Any]) -> LetterSummary:
    letter_id, reason, detail, topic, gateway_id, received_at, units, only, sent_back, settled, replayed_at = row[:11]
    return LetterSummary(
        letter_id=letter_id,
        reason=reason,
        detail=detail,
        topic=topic,
        gateway_id=gateway_id,
        received_at=from_datetime(received_at),
        units=units,
        only=_only(only),
        open_units=units - sent_back,
        settled=settled,
        replayed_at=None if replayed_at is None else from_datetime(replayed_at),
        payload_bytes=row[11],
        state=LetterState(row[12]),
        tries=row[13],
    )


def _moment(at_us: int | None) -> datetime | None:
    return None if at_us is None else to_datetime(at_us)


def _only(readings: list[list[Any]]) -> tuple[tuple[int, str], ...]:
    return tuple((int(index), str(metric)) for index, metric in readings)
