"""Dead letters: kept with their bytes and reason, and listed; `stream.redelivery` sends them back."""

import base64
import binascii
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from city.clock import from_datetime, hour_of, to_datetime
from city.errors import DataError, NotFoundError
from city.topics import DEAD_LETTERS
from storage import queries
from storage.pool import Connection
from stream import codec, ledger
from stream.codec import DeadLetter
from stream.ledger import Entry, Tally, clean
from stream.log import Record, TopicPartition
from stream.worker import Outcome

logger = logging.getLogger(__name__)

_SQL = queries.load(Path(__file__).with_name("deadletter.sql"))


class Kept(NamedTuple):
    """A letter and where it lies on the log."""

    offset: int
    letter: DeadLetter


@dataclass(frozen=True, slots=True)
class Effects:
    """What one poll brought for one partition."""

    entries: list[Entry]
    letters: list[Kept]


class DeadLetterStage:
    """Writes dead letters where they can be listed, and counts what they set aside.

    Parameters
    ----------
    log_identity : str
        `EventLog.identity`: letters are named by it, for the offsets of another log begin anew.
    """

    group = "dead-letters"
    topics = (DEAD_LETTERS,)
    code_version = "1"
    transactional = True

    def __init__(self, log_identity: str) -> None:
        self._log_identity = log_identity

    def open(self, source: TopicPartition, snapshot: bytes | None) -> None:
        """Return nothing: the truth is in the database."""

    def step(self, state: None, records: Sequence[Record]) -> Outcome:
        """Decode letters.

        Raises
        ------
        DataError
            A record that our own program wrote cannot be read.
        """
        effects = Effects([], [])
        for record in records:
            effects.entries.append(ledger.entry_of(record))
            if record.kind == codec.DEAD_LETTER:
                effects.letters.append(Kept(record.offset, codec.decode(DeadLetter, record.value)))
        return Outcome(effects=effects)

    def snapshot(self, state: None) -> bytes | None:
        return None

    async def write(self, connection: Connection, effects: Mapping[TopicPartition, Effects]) -> None:
        """Keep letters and fold the ledger inside the caller's transaction."""
        tally = Tally()
        rows: list[dict[str, Any]] = []
        for source in sorted(effects):
            for entry in effects[source].entries:
                for count in entry.meta.counts:
                    tally.at(count.gateway_id, count.hour).quarantined += count.count
            rows.extend(_row(self._letter_id(source, kept.offset), kept.letter) for kept in effects[source].letters)
        if rows:
            async with connection.cursor() as cursor:
                await cursor.executemany(_SQL.keep, rows)
        entries = {source: effect.entries for source, effect in effects.items()}
        await ledger.take_appended(connection, tally, entries, {})
        await ledger.fold(connection, tally)

    def _letter_id(self, source: TopicPartition, offset: int) -> str:
        return f"{self._log_identity[:8]}-{source.partition}-{offset}"


def _row(letter_id: str, letter: DeadLetter) -> dict[str, Any]:
    try:
        payload = base64.b64decode(letter.payload, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise DataError(f"the payload of dead letter {letter_id} is not base64: {exc}") from exc
    return {
        "letter_id": letter_id,
        "reason": clean(letter.reason),
        "detail": clean(letter.detail),
        "topic": clean(letter.topic),
        "payload": payload,
        "gateway_id": clean(letter.gateway_id),
        "received_at": to_datetime(letter.received_at),
        "hour": to_datetime(hour_of(letter.received_at)),
        "units": letter.units,
        "only_readings": only_json(letter.only),
        "devices": [clean(name) for name in letter.devices],
    }


def only_json(only: Sequence[tuple[int, str]]) -> Jsonb:
    """Return the readings that a letter names as its row keeps them."""
    return Jsonb([[index, clean(metric)] for index, metric in only])


@dataclass(frozen=True, slots=True)
class LetterQuery:
    """Which letters; times in [since, until) µs UTC, `after` is (received_at, letter_id) of the page before."""

    reason: str | None = None
    gateway_id: str | None = None
    since: int | None = None
    until: int | None = None
    letter_ids: tuple[str, ...] | None = None
    open_only: bool = True
    after: tuple[int, str] | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class LetterSummary:
    """A letter in a list.

    Attributes
    ----------
    open_units : int
        What of it nobody has sent back yet.
    settled : int
        Units that came back and are stored.
    replayed_at : int or None
        When a replay last tried, µs UTC.
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


async def list_letters(connection: Connection, query: LetterQuery) -> list[LetterSummary]:
    """Return one page, newest first."""
    after = query.after
    cursor = await connection.execute(
        _SQL.list,
        {
            "open": query.open_only,
            "reason": query.reason,
            "gateway_id": query.gateway_id,
            "since": None if query.since is None else to_datetime(query.since),
            "until": None if query.until is None else to_datetime(query.until),
            "letter_ids": None if query.letter_ids is None else list(query.letter_ids),
            "after_at": None if after is None else to_datetime(after[0]),
            "after_id": None if after is None else after[1],
            "limit": query.limit,
        },
    )
    return [
        LetterSummary(
            letter_id=row[0],
            reason=row[1],
            detail=row[2],
            topic=row[3],
            gateway_id=row[4],
            received_at=from_datetime(row[5]),
            units=row[6],
            only=_only(row[7]),
            open_units=row[6] - row[8],
            settled=row[9],
            replayed_at=None if row[10] is None else from_datetime(row[10]),
            payload_bytes=row[11],
        )
        for row in await cursor.fetchall()
    ]


async def open_by_reason(connection: Connection) -> dict[str, tuple[int, int]]:
    """Return, by reason, how many letters wait and how many units they hold; most units first."""
    rows = await (await connection.execute(_SQL.count_by_reason)).fetchall()
    return {reason: (letters, units) for reason, letters, units in rows}


async def read_letter(connection: Connection, letter_id: str) -> DeadLetter:
    """Return a letter with its bytes, as far as nobody has sent it back.

    Raises
    ------
    NotFoundError
        No such letter.
    """
    row = await (await connection.execute(_SQL.inspect, {"letter_id": letter_id})).fetchone()
    if row is None:
        raise NotFoundError(f"there is no dead letter {letter_id!r}: list them with `citynerve letters`")
    return letter_of(row)


def letter_of(row: Sequence[Any]) -> DeadLetter:
    """Build a letter from reason, detail, topic, payload, gateway, time of receipt, units and readings."""
    reason, detail, topic, payload, gateway_id, received_at, units, only = row
    encoded = base64.b64encode(payload).decode()
    return DeadLetter(reason, detail, topic, encoded, gateway_id, from_datetime(received_at), units, _only(only))


def _only(readings: list[list[Any]]) -> tuple[tuple[int, str], ...]:
    return tuple((int(index), str(metric)) for index, metric in readings)


def payload_text(letter: DeadLetter, limit: int = 2_000) -> str:
    """Return the start of a letter's bytes as people can read them, control characters escaped."""
    text = base64.b64decode(letter.payload)[:limit].decode("utf-8", "replace")
    return json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"')
