"""Dead letters: kept with their bytes and reason, listed, and sent back into the log once the cause is mended.

A replay is planned in one transaction, which fixes what goes where, and then appended. Killed in between, it is
appended at the next replay or start; appended twice, the store takes the first record of each portion only.
"""

import asyncio
import base64
import binascii
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from city.clock import from_datetime, hour_of, to_datetime
from city.errors import DataError, EngineError, NotFoundError
from city.reading import ReadingBatch
from city.topics import DEAD_LETTERS, READINGS
from storage import queries
from storage.pool import Connection, Pool, transaction
from stream import codec, ledger
from stream.codec import DeadLetter, GatewayCount, RecordMeta, Replayed
from stream.ledger import Entry, Tally, clean
from stream.log import Append, EventLog, Record, TopicPartition
from stream.worker import Outcome

logger = logging.getLogger(__name__)

_SQL = queries.load(Path(__file__).with_name("deadletter.sql"))
_LETTERS_A_TRANSACTION = 50


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
        "only_readings": _only_json(letter.only),
    }


def _only_json(only: Sequence[tuple[int, str]]) -> Jsonb:
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
    return _letter(row)


def _letter(row: Sequence[Any]) -> DeadLetter:
    reason, detail, topic, payload, gateway_id, received_at, units, only = row
    encoded = base64.b64encode(payload).decode()
    return DeadLetter(reason, detail, topic, encoded, gateway_id, from_datetime(received_at), units, _only(only))


def _only(readings: list[list[Any]]) -> tuple[tuple[int, str], ...]:
    return tuple((int(index), str(metric)) for index, metric in readings)


@dataclass(frozen=True, slots=True)
class Resolution:
    """What today's registry and formats make of a letter.

    Attributes
    ----------
    readings : mapping
        Rows by partition of `readings`, with `received_at` of the letter.
    still_bad : tuple of (int, str)
        Position of the object and metric of each reading that stays; empty with no readings either means all of it.
    reason, detail : str
        Why it stays; unused where nothing does.
    """

    readings: Mapping[int, ReadingBatch]
    still_bad: tuple[tuple[int, str], ...] = ()
    reason: str = ""
    detail: str = ""


Resolve = Callable[[DeadLetter], Resolution]
"""A pure function: ingest's parsing and look-up, on the bytes of the letter and only the readings that it names."""


@dataclass(slots=True)
class ReplayReport:
    """What a replay did: letters looked at, readings sent back, letters of which something stays."""

    letters: int = 0
    readings: int = 0
    still_bad: int = 0


async def replay(pool: Pool, log: EventLog, letter_ids: Sequence[str], resolve: Resolve, *, at_us: int) -> ReplayReport:
    """Send back what can be understood now; the rest stays, with today's reason. Again has no effect.

    Parameters
    ----------
    letter_ids : sequence of str
        From `list_letters`; letters that are done already, or unknown, are passed over.
    at_us : int
        City time, µs UTC.
    """
    report = ReplayReport()
    await send_planned(pool, log)
    for start in range(0, len(letter_ids), _LETTERS_A_TRANSACTION):
        chosen = list(letter_ids[start : start + _LETTERS_A_TRANSACTION])
        async with transaction(pool) as connection:
            cursor = await connection.execute(_SQL.hold, {"letter_ids": chosen})
            for row in await cursor.fetchall():
                letter, (hour, portion, sent_back) = _letter(row[1:9]), row[9:]
                held = _Held(row[0], letter, from_datetime(hour), portion, letter.units - sent_back)
                await _plan(connection, held, resolve(letter), at_us, report)
        await send_planned(pool, log)
    return report


class _Held(NamedTuple):
    letter_id: str
    letter: DeadLetter
    hour: int
    portion: int
    open_units: int


async def _plan(connection: Connection, held: _Held, resolution: Resolution, at_us: int, report: ReplayReport) -> None:
    """Fix what goes where, so that a repeat after a crash brings the very same portions."""
    report.letters += 1
    going = {partition: batch for partition, batch in resolution.readings.items() if len(batch)}
    count = sum(len(batch) for batch in going.values())
    settles = max(0, held.open_units - len(resolution.still_bad))
    fewer = count < settles
    verdict = {
        "letter_id": held.letter_id,
        "reason": clean(resolution.reason or held.letter.reason),
        "detail": clean(resolution.detail or held.letter.detail),
        "replayed_at": to_datetime(at_us),
    }
    if not count or fewer:
        if count:
            verdict["detail"] = f"only {count} of {held.open_units} readings set aside were found in the message again"
        await connection.execute(_SQL.still_bad, verdict)
        report.still_bad += 1
        return
    left = settles
    for partition in sorted(going):
        batch = going[partition]
        part = min(left, len(batch))
        left -= part
        replayed = Replayed(held.letter_id, held.letter.gateway_id, held.hour, part, held.portion)
        meta = RecordMeta((GatewayCount(held.letter.gateway_id, held.hour, len(batch)),), (), replayed)
        await connection.execute(
            _SQL.plan,
            {
                "letter_id": held.letter_id,
                "portion": held.portion,
                "partition": partition,
                "settles": part,
                "value": codec.encode_batch(batch),
                "meta": codec.encode(meta),
                "at_us": at_us,
            },
        )
    only = _only_json(resolution.still_bad)
    await connection.execute(_SQL.planned, {**verdict, "settles": settles, "only_readings": only})
    report.readings += count
    report.still_bad += bool(resolution.still_bad)


async def send_planned(pool: Pool, log: EventLog) -> int:
    """Append what is planned and not known to be on the log; call it at the start, too. Return how many records."""
    sent = 0
    while True:
        async with transaction(pool) as connection:
            rows = await (await connection.execute(_SQL.unsent, {"limit": 200})).fetchall()
        if not rows:
            return sent
        await log.append(
            [
                Append(READINGS, partition, codec.BATCH, bytes(value), at_us, bytes(meta))
                for _, _, partition, value, meta, at_us in rows
            ]
        )
        async with transaction(pool) as connection, connection.cursor() as cursor:
            names = [dict(zip(("letter_id", "portion", "partition"), row[:3], strict=True)) for row in rows]
            await cursor.executemany(_SQL.sent, names)
        sent += len(rows)


async def keep_sending(pool: Pool, log: EventLog, stop: asyncio.Event, *, every_s: float = 30.0) -> None:
    """Finish, until `stop` is set, what a replay left half-done when it was killed."""
    while not stop.is_set():
        try:
            await send_planned(pool, log)
        except EngineError as exc:
            logger.warning("replayed letters wait for the log", extra={"reason": str(exc)})
        try:
            await asyncio.wait_for(stop.wait(), every_s)
        except TimeoutError:
            continue


def payload_text(letter: DeadLetter, limit: int = 2_000) -> str:
    """Return the start of a letter's bytes as people can read them, control characters escaped."""
    text = base64.b64decode(letter.payload)[:limit].decode("utf-8", "replace")
    return json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"')
