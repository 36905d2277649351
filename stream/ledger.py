"""The ledger, per gateway and hour of receipt: appended = stored + duplicate + conflicting + quarantined + in flight.

Whoever sees a record first, the follower or a sink, folds it into `appended`; the position of each partition makes the
other pass over it. A sink folds what it counted in its own transaction, so the sum holds at every moment.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from city.clock import to_datetime
from city.errors import CityNerveError, DataError
from city.topics import DEAD_LETTERS, READINGS
from storage import queries
from storage.pool import Connection
from stream import codec
from stream.codec import NumberRange, RecordMeta, Replayed
from stream.log import Record, TopicPartition
from stream.worker import Outcome

logger = logging.getLogger(__name__)

_SQL = queries.load(Path(__file__).with_name("ledger.sql"))
_NUMBER_MAX = 2**62
_GAPS_MAX = 1_000
_RUNS_MAX = 20_000
"""Of a gateway, beside those of its devices in the registry: a network server numbers each device's frames apart."""
_RUNS_A_DEVICE = 2
"""The one that a device is in, and the one before it joined its network anew."""
_LEAP_MIN = 1_000_000
"""Ten messages a second for more than a day: what lies between two numbers so far apart was never sent."""
_NO_META = RecordMeta()


class Entry(NamedTuple):
    """What the ledger needs of one record."""

    offset: int
    meta: RecordMeta


class Key(NamedTuple):
    """One row of the ledger; `hour` in µs UTC."""

    gateway_id: str
    hour: int


@dataclass(slots=True)
class Counts:
    """What one row of the ledger gains."""

    appended: int = 0
    stored: int = 0
    duplicate: int = 0
    conflicting: int = 0
    quarantined: int = 0


class Tally:
    """What one transaction adds to the ledger."""

    def __init__(self) -> None:
        self.rows: dict[Key, Counts] = {}
        self.numbers: list[NumberRange] = []

    def at(self, gateway_id: str, hour: int) -> Counts:
        """Return the counts of a row, to be added to."""
        return self.rows.setdefault(Key(clean(gateway_id), hour), Counts())


def clean(text: str) -> str:
    """Return text from outside as PostgreSQL can hold it: no NUL, no lone surrogates."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


def entry_of(record: Record) -> Entry:
    """Read a record's summary.

    Raises
    ------
    DataError
        Our own summary cannot be read: upgrade the program, or mend it.
    """
    if not record.meta:
        return Entry(record.offset, _NO_META)
    try:
        return Entry(record.offset, codec.decode(RecordMeta, record.meta))
    except DataError as exc:
        where = f"{record.topic}/{record.partition} at {record.offset}"
        raise DataError(f"the summary of record {where} cannot be read: {exc}") from exc


async def counting_replays(
    connection: Connection, source: TopicPartition, entries: Sequence[Entry]
) -> dict[int, Replayed]:
    """Return, by offset, the replays that count; a repeat of one has no effect whatsoever."""
    counting: dict[int, Replayed] = {}
    for entry in entries:
        replayed = entry.meta.replayed
        if replayed is not None:
            row = await (
                await connection.execute(
                    _SQL.take_replay,
                    {
                        "letter_id": replayed.dead_letter,
                        "portion": replayed.portion,
                        "partition": source.partition,
                        "settles": replayed.settles,
                        "offset": entry.offset,
                    },
                )
            ).fetchone()
            assert row is not None
            if row[0]:
                counting[entry.offset] = replayed
    return counting


async def take_appended(
    connection: Connection,
    tally: Tally,
    taken: Mapping[TopicPartition, Sequence[Entry]],
    replays: Mapping[TopicPartition, Mapping[int, Replayed]],
) -> None:
    """Add to the tally what nobody has folded yet, and move the positions; their rows stay locked.

    Parameters
    ----------
    taken : mapping
        Per partition, without gaps, from at most the position on.
    replays : mapping
        What `counting_replays` returned.
    """
    for source in sorted(taken):
        entries = taken[source]
        if not entries:
            continue
        where = {"topic": source.topic, "partition": source.partition}
        row = await (
            await connection.execute(_SQL.lock_position, {**where, "first": entries[0].offset}, prepare=True)
        ).fetchone()
        assert row is not None
        position = int(row[0])
        if entries[0].offset > position:
            raise CityNerveError(
                f"the ledger of {source.topic}/{source.partition} stands at {position}, the next record is"
                f" {entries[0].offset}: what lies between was never counted; `citynerve log adopt` starts it anew"
            )
        fresh = [entry for entry in entries if entry.offset >= position]
        if fresh:
            _add_appended(tally, fresh, replays.get(source, {}))
            await connection.execute(_SQL.move_position, {**where, "next_offset": fresh[-1].offset + 1}, prepare=True)


def _add_appended(tally: Tally, entries: Sequence[Entry], replays: Mapping[int, Replayed]) -> None:
    for entry in entries:
        meta = entry.meta
        tally.numbers.extend(meta.numbers)
        if meta.replayed is None:
            for count in meta.counts:
                tally.at(count.gateway_id, count.hour).appended += count.count
        elif entry.offset in replays:
            readings = sum(count.count for count in meta.counts)
            # Where fewer readings come than units were set aside, what was left out goes when it leaves the quarantine.
            tally.at(meta.replayed.gateway_id, meta.replayed.hour).appended += max(0, readings - meta.replayed.settles)


async def fold(connection: Connection, tally: Tally) -> None:
    """Write a tally; last in its transaction, because many folds meet in the same rows."""
    rows = {key: counts for key, counts in tally.rows.items() if counts != Counts()}
    if rows:
        await connection.execute(
            _SQL.fold,
            {
                "gateway_id": [key.gateway_id for key in rows],
                "hour": [to_datetime(key.hour) for key in rows],
                "appended": [counts.appended for counts in rows.values()],
                "stored": [counts.stored for counts in rows.values()],
                "duplicate": [counts.duplicate for counts in rows.values()],
                "conflicting": [counts.conflicting for counts in rows.values()],
                "quarantined": [counts.quarantined for counts in rows.values()],
            },
            prepare=True,
        )
    await _fold_numbers(connection, tally.numbers)


async def _fold_numbers(connection: Connection, numbers: Sequence[NumberRange]) -> None:
    """Note which message numbers came. A gateway may send what it likes, so runs and gaps are bounded."""
    sane = [n for n in numbers if 0 <= n.first <= n.last < _NUMBER_MAX]
    if not sane:
        return
    ranges: dict[str, Any] = {
        "gateway_id": [clean(n.gateway_id) for n in sane],
        "epoch": [clean(n.epoch) for n in sane],
        "first": [n.first for n in sane],
        "last": [n.last for n in sane],
        "hour": [to_datetime(n.hour) for n in sane],
    }
    begun = await (await connection.execute(_SQL.see_numbers, ranges, prepare=True)).fetchall()
    runs = {"gateway_id": ranges["gateway_id"], "epoch": ranges["epoch"], "leap_min": _LEAP_MIN}
    for gateway_id, epoch, passed in await (await connection.execute(_SQL.pass_leaps, runs, prepare=True)).fetchall():
        extra = {"gateway_id": gateway_id, "epoch": epoch, "passed": passed[:200]}
        logger.warning("a gateway's numbers jumped: none of those between counts as missing", extra=extra)
    for statement in (_SQL.fill_gaps, _SQL.open_gaps):
        await connection.execute(statement, ranges, prepare=True)
    gateways = {"gateway_id": sorted(set(ranges["gateway_id"]))}
    new = sorted({gateway_id for gateway_id, fresh in begun if fresh})
    if new:
        kept = {"gateway_id": new, "runs_max": _RUNS_MAX, "runs_a_device": _RUNS_A_DEVICE}
        for gateway_id, runs in await (await connection.execute(_SQL.forget_runs, kept, prepare=True)).fetchall():
            logger.warning("runs of numbers forgotten, too many", extra={"gateway_id": gateway_id, "runs": runs})
    broken = await connection.execute(_SQL.broken_runs, {**gateways, "gaps_max": _GAPS_MAX}, prepare=True)
    for gateway_id, epoch, gaps in await broken.fetchall():
        logger.warning("numbers full of holes, old gaps joined", extra={"gateway_id": gateway_id, "gaps": gaps})
        run = {"gateway_id": gateway_id, "epoch": epoch, "gaps_kept": _GAPS_MAX // 2}
        await connection.execute(_SQL.join_oldest_gaps, run)


class LedgerStage:
    """Follows readings and dead letters and folds what was appended, so that what is in flight shows at once."""

    group = "ledger"
    topics = (READINGS, DEAD_LETTERS)
    code_version = "1"
    transactional = True

    def open(self, source: TopicPartition, snapshot: bytes | None) -> None:
        """Return nothing: the truth is in the database."""

    def step(self, state: None, records: Sequence[Record]) -> Outcome:
        """Read the summaries."""
        return Outcome(effects=[entry_of(record) for record in records])

    def snapshot(self, state: None) -> bytes | None:
        return None

    async def write(self, connection: Connection, effects: Mapping[TopicPartition, Sequence[Entry]]) -> None:
        tally = Tally()
        replays = {source: await counting_replays(connection, source, effects[source]) for source in sorted(effects)}
        await take_appended(connection, tally, effects, replays)
        await fold(connection, tally)
