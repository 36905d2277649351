"""What replays have planned, on its way to the log: appended until it is there, whatever became of who planned it."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from city.errors import CityNerveError, DataError, EngineError, NotFoundError
from city.topics import READINGS
from storage import queries
from storage.pool import Connection, Pool, transaction
from stream import codec
from stream.codec import RecordMeta, Replayed
from stream.log import Append, EventLog
from stream.pieces import pieces

logger = logging.getLogger(__name__)

_SQL = queries.load(Path(__file__).with_name("planned.sql"))
_KEY = ("letter_id", "portion", "partition")


class Portion(NamedTuple):
    """One record of readings that goes back to the log; `replayed` is also in its meta."""

    replayed: Replayed
    partition: int
    value: bytes
    meta: RecordMeta
    at_us: int


async def write_portion(connection: Connection, portion: Portion) -> None:
    """Plan a record, in the transaction that settles what it brings."""
    values = {
        "letter_id": portion.replayed.dead_letter,
        "portion": portion.replayed.portion,
        "partition": portion.partition,
        "settles": portion.replayed.settles,
        "value": portion.value,
        "meta": codec.encode(portion.meta),
        "at_us": portion.at_us,
    }
    await connection.execute(_SQL.plan, values)


async def send_planned(pool: Pool, log: EventLog) -> int:
    """Append what is planned and not known to be on the log; call it at the start, too. Return how many records.

    What the log refuses for good is told and passed over: it stays planned, and stops nobody else's.
    """
    sent = 0
    after: tuple[str, int, int] = ("", -1, -1)
    while True:
        async with transaction(pool) as connection:
            await _divide_planned(connection, log.max_record_bytes)
            place = dict(zip(_KEY, after, strict=True))
            rows = await (await connection.execute(_SQL.unsent, {**place, "limit": 200})).fetchall()
        if not rows:
            return sent
        after = rows[-1][:3]
        taken = await _append_planned(log, rows)
        async with transaction(pool) as connection, connection.cursor() as cursor:
            names = [dict(zip(_KEY, row[:3], strict=True)) for row in taken]
            await cursor.executemany(_SQL.sent, names)
        sent += len(taken)


async def _append_planned(log: EventLog, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Append planned records, together or, where one of them cannot be, one by one; return those that were."""
    appends = [
        Append(READINGS, partition, codec.BATCH, bytes(value), at_us, bytes(meta))
        for _, _, partition, value, meta, at_us in rows
    ]
    try:
        await log.append(appends)
        return list(rows)
    except (DataError, NotFoundError):
        taken = []
    for row, append in zip(rows, appends, strict=True):
        try:
            await log.append([append])
            taken.append(row)
        except (DataError, NotFoundError) as exc:
            told = {"letter_id": row[0], "partition": row[2], "reason": str(exc)[:300]}
            logger.error("the log does not take a replayed letter: it waits, the others go on", extra=told)
    return taken


async def _divide_planned(connection: Connection, limit: int) -> None:
    """Divide planned records that are over the log's limit: an older release wrote them, or the limit was made smaller.

    None of them can be on the log yet.
    """
    while row := await (await connection.execute(_SQL.too_large, {"limit": limit})).fetchone():
        letter_id, portion, partition, unsettled, value, encoded, at_us, next_portion = row
        parts = list(pieces(codec.decode_batch(bytes(value)), limit))
        if len(parts) < 2:
            return
        told = codec.decode(RecordMeta, bytes(encoded))
        assert told.replayed is not None, "what is planned is a replay"
        await connection.execute(_SQL.unplan, {"letter_id": letter_id, "portion": portion, "partition": partition})
        for number, (batch, part_value) in enumerate(parts):
            part = unsettled if number == len(parts) - 1 else min(unsettled, len(batch))
            unsettled -= part
            counts = tuple(replace(count, count=len(batch)) for count in told.counts)
            place = portion if number == 0 else next_portion + number - 1
            replayed = replace(told.replayed, settles=part, portion=place)
            meta = replace(told, counts=counts, replayed=replayed)
            await write_portion(connection, Portion(replayed, partition, part_value, meta, at_us))
            told = replace(told, numbers=())
        await connection.execute(_SQL.more_portions, {"letter_id": letter_id, "portions": len(parts) - 1})


async def keep_sending(pool: Pool, log: EventLog, stop: asyncio.Event, *, every_s: float = 30.0) -> None:
    """Finish, until `stop` is set, what a replay left half-done when it was killed."""
    while not stop.is_set():
        try:
            await send_planned(pool, log)
        except EngineError as exc:
            logger.warning("replayed letters wait for the log", extra={"reason": str(exc)})
        except CityNerveError as exc:
            # Whoever else works in this process must not end with it.
            logger.error("replayed letters cannot be sent", extra={"reason": str(exc)[:300]})
        try:
            await asyncio.wait_for(stop.wait(), every_s)
        except TimeoutError:
            continue
