"""The sink of readings: each poll becomes one COPY, one insert, one fold of the ledger, in one transaction."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from city.clock import DAY_US, HOUR_US, SECOND_US, to_datetime
from city.errors import CityNerveError, DataError, SettingsError
from city.reading import ReadingBatch
from city.topics import READINGS
from storage import queries
from storage.layout import Layout, LayoutEngine, read_layout
from storage.pool import Connection
from stream import codec, ledger
from stream.codec import Replayed
from stream.ledger import Entry, Tally
from stream.log import Record, TopicPartition
from stream.metrics import StoreMetrics
from stream.timing import Timing
from stream.worker import Outcome

logger = logging.getLogger(__name__)

_SQL = queries.load(Path(__file__).with_name("store.sql"))

BLOCK = 256
"""Series are marked as touched in blocks of this size: cheap to write down, cheap to recompute."""

_FEW_CHUNKS_US = 14 * DAY_US
_POSTGRES_EPOCH_US = 946_684_800 * SECOND_US
_COPY_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_COPY_TRAILER = b"\xff\xff"
_COPY_FIELDS = (
    ("series_id", ">i4"),
    ("observed_at", ">i8"),
    ("received_at", ">i8"),
    ("value", ">f8"),
    ("quality", ">i2"),
    ("slot", ">i4"),
    ("first", "?"),
)
_COPY_ROW = np.dtype(
    [("fields", ">i2")] + [part for name, kind in _COPY_FIELDS for part in ((f"{name}_size", ">i4"), (name, kind))]
)


class Part(NamedTuple):
    """The readings of one record."""

    offset: int
    readings: ReadingBatch


@dataclass(frozen=True, slots=True)
class Effects:
    """What one poll brought for one partition; `ticked_at` is city time, µs UTC, of its last tick."""

    entries: list[Entry]
    parts: list[Part]
    ticked_at: int | None = None


@dataclass(frozen=True, slots=True)
class _Rows:
    """All rows of one poll, in order of arrival.

    Attributes
    ----------
    slot : int32[n]
        Position in `keys`.
    first : bool[n]
        False where an earlier row has the same series and time.
    keys : list of (gateway number or id, hour in µs UTC)
    """

    readings: ReadingBatch
    slot: NDArray[np.int32]
    first: NDArray[np.bool_]
    keys: list[tuple[int | str, int]]


class StoreStage:
    """Writes readings once, says what became of each, and marks the rollups that they touch."""

    group = "store"
    topics = (READINGS,)
    code_version = "1"
    transactional = True

    def __init__(self, metrics: StoreMetrics | None = None) -> None:
        self._metrics = metrics or StoreMetrics()
        self.timing = Timing()
        self._names: dict[int, str] = {}
        self._layout: Layout | None = None

    def open(self, source: TopicPartition, snapshot: bytes | None) -> None:
        """Return nothing: the truth is in the database."""

    def step(self, state: None, records: Sequence[Record]) -> Outcome:
        """Decode batches and take note of ticks; the registry's records are passed over.

        Raises
        ------
        DataError
            A record that our own program wrote cannot be read: its end, because going on would lose readings.
        """
        effects = Effects([], [])
        ticked_at: int | None = None
        for record in records:
            effects.entries.append(ledger.entry_of(record))
            if record.kind == codec.BATCH:
                try:
                    effects.parts.append(Part(record.offset, codec.decode_batch(record.value)))
                except DataError as exc:
                    where = f"{record.topic}/{record.partition} at {record.offset}"
                    raise DataError(f"record {where} cannot be stored: {exc}") from exc
            elif record.kind == codec.TICK:
                ticked_at = codec.decode(codec.Tick, record.value).at
        return Outcome(effects=replace(effects, ticked_at=ticked_at))

    def snapshot(self, state: None) -> bytes | None:
        return None

    async def write(self, connection: Connection, effects: Mapping[TopicPartition, Effects]) -> None:
        """Store one poll inside the caller's transaction."""
        tally = Tally()
        replays = {
            source: await ledger.counting_replays(connection, source, effects[source].entries)
            for source in sorted(effects)
        }
        rows = _gather(effects, replays)
        if len(rows.readings):
            await self._store(connection, rows, tally)
            self._note_times(rows)
        for source, counting in replays.items():
            readings = {entry.offset: sum(c.count for c in entry.meta.counts) for entry in effects[source].entries}
            for offset, replayed in counting.items():
                await _settle(connection, source, replayed, readings[offset], tally)
        entries = {source: effect.entries for source, effect in effects.items()}
        await ledger.take_appended(connection, tally, entries, replays)
        await ledger.fold(connection, tally)
        ticked = {source: effect.ticked_at for source, effect in effects.items() if effect.ticked_at is not None}
        if ticked:
            parameters = {
                "group": self.group,
                "topics": [source.topic for source in ticked],
                "partitions": [source.partition for source in ticked],
                "at": [to_datetime(at) for at in ticked.values()],
            }
            await connection.execute(_SQL.ticked, parameters)

    async def _store(self, connection: Connection, rows: _Rows, tally: Tally) -> None:
        await self._prepare(connection, rows)
        async with connection.cursor() as cursor, cursor.copy(_SQL.copy_incoming) as copy:
            await copy.write(_copy_bytes(rows))
        leftover = (await connection.execute(_SQL.store, prepare=False)).rowcount
        total = np.bincount(rows.slot, minlength=len(rows.keys))
        duplicate, conflicting = np.zeros_like(total), np.zeros_like(total)
        if leftover:
            for slot, same, different in await self._judge(connection, rows.readings.observed_at):
                duplicate[slot], conflicting[slot] = same, different
            assert duplicate.sum() + conflicting.sum() == leftover, "a key that was taken has no row"
        if leftover < len(rows.slot):
            await self._touch(connection, rows.readings)
        names = await self._gateway_names(connection, [key for key, _ in rows.keys if isinstance(key, int)])
        for slot, (gateway, hour) in enumerate(rows.keys):
            counts = tally.at(names[gateway] if isinstance(gateway, int) else gateway, hour)
            counts.duplicate += int(duplicate[slot])
            counts.conflicting += int(conflicting[slot])
            counts.stored += int(total[slot] - duplicate[slot] - conflicting[slot])
        refused = {"duplicate": int(duplicate.sum()), "conflicting": int(conflicting.sum())}
        for outcome, count in {**refused, "stored": len(rows.slot) - sum(refused.values())}.items():
            self._metrics.readings.labels(outcome).inc(count)

    def _note_times(self, rows: _Rows) -> None:
        """Count what is late or out of order, and note clocks, of what came live: a replay's receipt is long ago."""
        live = np.flatnonzero(rows.slot < sum(isinstance(key, int) for key, _ in rows.keys))
        before = dict(self.timing.late)
        disorder = self.timing.out_of_order
        self.timing.take(rows.readings.take(live) if len(live) < len(rows.slot) else rows.readings)
        for over, count in self.timing.late.items():
            self._metrics.late.labels(over).inc(count - before[over])
        self._metrics.out_of_order.inc(self.timing.out_of_order - disorder)

    async def _prepare(self, connection: Connection, rows: _Rows) -> None:
        await connection.execute(_SQL.hold_retention)
        await connection.execute(_SQL.create_incoming)
        await connection.execute(_SQL.create_leftover)
        layout = self._layout = self._layout or await read_layout(connection)
        if layout is None:
            raise SettingsError("the readings have no table yet: run `citynerve up` or `citynerve migrate` first")
        if layout.engine is LayoutEngine.PLAIN:
            unit = "M8[M]" if layout.days_since is None else "M8[D]"
            starts = np.unique(rows.readings.observed_at.view("M8[us]").astype(unit)).astype("M8[us]").astype(np.int64)
            await connection.execute(_SQL.ensure_partitions, {"starts": [to_datetime(int(at)) for at in starts]})
        else:
            await connection.execute(_SQL.allow_decompression)

    async def _judge(self, connection: Connection, observed_at: NDArray[np.int64]) -> list[tuple[int, int, int]]:
        """Return slot, duplicates and conflicts."""
        assert self._layout is not None
        earliest, latest = int(observed_at.min()), int(observed_at.max())
        if self._layout.engine is LayoutEngine.TIMESCALE and latest - earliest < _FEW_CHUNKS_US:
            await connection.execute(_SQL.few_chunks)
        bounds = {"earliest": to_datetime(earliest), "latest": to_datetime(latest)}
        return await (await connection.execute(_SQL.judge, bounds, prepare=False)).fetchall()

    async def _touch(self, connection: Connection, readings: ReadingBatch) -> None:
        assert self._layout is not None
        offset_us = int(self._layout.hour_offset.total_seconds()) * SECOND_US
        hour = (readings.observed_at - offset_us) // HOUR_US
        block = readings.series_id.astype(np.int64) // BLOCK
        marks = np.unique((hour << 32) | block)
        await connection.execute(
            _SQL.touch,
            {
                "hours": [to_datetime(int(h) * HOUR_US + offset_us) for h in marks >> 32],
                "blocks": [int(b) for b in marks & 0xFFFF_FFFF],
            },
        )

    async def _gateway_names(self, connection: Connection, numbers: Sequence[int]) -> dict[int, str]:
        unknown = [number for number in set(numbers) if number not in self._names]
        if unknown:
            cursor = await connection.execute(_SQL.gateway_names, {"numbers": unknown})
            self._names.update(dict(await cursor.fetchall()))
            missing = [number for number in unknown if number not in self._names]
            if missing:
                raise CityNerveError(
                    f"readings come from gateway number {missing[0]}, which this database does not know: log and"
                    " database are not of one installation; point the settings at the right ones"
                )
        return self._names


async def _settle(
    connection: Connection, source: TopicPartition, replayed: Replayed, readings: int, tally: Tally
) -> None:
    """Take units out of the quarantine; those that became no reading leave the sum with it."""
    counts = tally.at(replayed.gateway_id, replayed.hour)
    counts.quarantined -= replayed.settles
    counts.appended -= max(0, replayed.settles - readings)
    await connection.execute(
        _SQL.settle,
        {
            "letter_id": replayed.dead_letter,
            "portion": replayed.portion,
            "partition": source.partition,
            "settles": replayed.settles,
        },
    )


def _gather(
    effects: Mapping[TopicPartition, Effects], replays: Mapping[TopicPartition, Mapping[int, Replayed]]
) -> _Rows:
    """Join the batches of a poll; leave out replays that came before."""
    live: list[ReadingBatch] = []
    back: list[ReadingBatch] = []
    back_keys: list[tuple[int | str, int]] = []
    for source in sorted(effects):
        replayed = {entry.offset for entry in effects[source].entries if entry.meta.replayed is not None}
        for part in effects[source].parts:
            if part.offset not in replayed:
                live.append(part.readings)
            elif part.offset in replays[source]:
                origin = replays[source][part.offset]
                back.append(part.readings)
                back_keys.append((origin.gateway_id, origin.hour))
    readings = ReadingBatch.concatenate(live + back)
    live_count = len(readings) - sum(len(batch) for batch in back)
    slot, keys = _slots(readings, live_count)
    for position, batch in enumerate(back):
        slot[live_count : live_count + len(batch)] = len(keys) + position
        live_count += len(batch)
    return _Rows(readings, slot, _first_of_key(readings), keys + back_keys)


def _slots(readings: ReadingBatch, live_count: int) -> tuple[NDArray[np.int32], list[tuple[int | str, int]]]:
    """Give each (gateway, hour of receipt) of the first `live_count` rows a number."""
    hour = readings.received_at[:live_count] // HOUR_US
    combined = (hour << 32) | readings.gateway_id[:live_count]
    unique, inverse = np.unique(combined, return_inverse=True)
    slot = np.zeros(len(readings), np.int32)
    slot[:live_count] = inverse
    return slot, [(int(key & 0xFFFF_FFFF), int(key >> 32) * HOUR_US) for key in unique]


def _first_of_key(readings: ReadingBatch) -> NDArray[np.bool_]:
    """Tell which rows are the first with their series and time, in order of arrival."""
    order = np.lexsort((readings.observed_at, readings.series_id))  # stable: equal keys stay in order of arrival
    series, observed = readings.series_id[order], readings.observed_at[order]
    first = np.ones(len(readings), np.bool_)
    first[order[1:]] = (series[1:] != series[:-1]) | (observed[1:] != observed[:-1])
    return first


def _copy_bytes(rows: _Rows) -> bytes:
    """Return the rows as PostgreSQL's binary COPY."""
    packed = np.empty(len(rows.readings), _COPY_ROW)
    packed["fields"] = len(_COPY_FIELDS)
    for name, kind in _COPY_FIELDS:
        packed[f"{name}_size"] = np.dtype(kind).itemsize
    packed["series_id"] = rows.readings.series_id
    packed["observed_at"] = rows.readings.observed_at - _POSTGRES_EPOCH_US
    packed["received_at"] = rows.readings.received_at - _POSTGRES_EPOCH_US
    packed["value"] = rows.readings.value
    packed["quality"] = rows.readings.quality
    packed["slot"] = rows.slot
    packed["first"] = rows.first
    return _COPY_HEADER + packed.tobytes() + _COPY_TRAILER
