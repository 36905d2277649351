"""Dead letters sent back into the log once the cause is mended.

A replay is planned in one transaction, which fixes what goes where, and then appended. Killed in between, it is
appended at the next replay or start; appended twice, the store takes the first record of each portion only.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from city.clock import from_datetime, to_datetime
from city.errors import EngineError
from city.reading import ReadingBatch
from city.topics import READINGS
from storage import queries
from storage.pool import Connection, Pool, transaction
from stream import codec
from stream.codec import DeadLetter, GatewayCount, RecordMeta, Replayed
from stream.deadletter import letter_of, only_json
from stream.ledger import clean
from stream.log import Append, EventLog

logger = logging.getLogger(__name__)

_SQL = queries.load(Path(__file__).with_name("redelivery.sql"))
_LETTERS_A_TRANSACTION = 50


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
    devices : tuple of str
        Names of the devices for which it waits.
    """

    readings: Mapping[int, ReadingBatch]
    still_bad: tuple[tuple[int, str], ...] = ()
    reason: str = ""
    detail: str = ""
    devices: tuple[str, ...] = ()


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
                letter, (hour, portion, sent_back) = letter_of(row[1:9]), row[9:]
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
        "devices": [clean(name) for name in resolution.devices],
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
    only = only_json(resolution.still_bad)
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
