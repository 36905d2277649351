"""From the messages of one flush to the records of one append. Pure."""

import base64
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii as _quoted

import numpy as np
from numpy.typing import NDArray

from city.clock import hour_of
from city.errors import DataError
from city.reading import CAUSES
from city.registry import IngestRegistry
from city.topics import DEAD_LETTERS, READINGS
from ingest.bundle import ISOLATED, Bundled, bundle_topic, pack
from ingest.codecs import Codecs, decode_raw
from ingest.formats import Formats, ParsedMessage, Receipt, Refusal, Unreadable
from ingest.resolve import PartitionRows, Rows, resolve, unknown_names
from stream import codec
from stream.codec import BATCH, DEAD_LETTER, TICK, DeadLetter, Tick
from stream.log import Append

ROW_BYTES = 40
"""Bytes of one reading in a batch, columns' padding included."""

_WHY_ISOLATED = (
    "its gateway sends more than its share, or too much of what nobody understands:"
    " see why, then replay; nothing is lost"
)

NUMBER_BYTES = 320
"""Bytes of one gateway's count or range of numbers in a record's meta, at most."""

_OVERHEAD_BYTES = 4096

Numbers = dict[tuple[str, str], list[list[int]]]


@dataclass(frozen=True, slots=True)
class FlushOptions:
    """What the log allows.

    Attributes
    ----------
    readings_partitions, dead_letter_partitions : int
    record_bytes_max : int
        The log's `max_record_bytes`.
    """

    readings_partitions: int
    dead_letter_partitions: int
    record_bytes_max: int

    @property
    def entries_max(self) -> int:
        """Counts and ranges of numbers in one record's meta."""
        return max(2, self.record_bytes_max // 2 // NUMBER_BYTES)

    @property
    def rows_max(self) -> int:
        """Readings in one record."""
        return max(1, (self.record_bytes_max // 2 - _OVERHEAD_BYTES) // ROW_BYTES)


@dataclass(slots=True)
class Flush:
    """Messages received together, on their way to records.

    Attributes
    ----------
    received_at : int
        City time of receipt, µs UTC, the same for all.
    rows, letters
        Readings by partition, and the dead letters as they will be appended.
    quarantined : dict
        Reason → units set aside.
    refusals : dict
        Gateway → dead letters.
    states : dict
        Gateway → ``online`` or ``offline``, where a format tells it.
    commands : list of (str, bytes)
        Topics and payloads to be sent back once the flush is appended.
    """

    registry: IngestRegistry
    received_at: int
    options: FlushOptions
    formats: Formats = field(default_factory=Formats)
    codecs: Codecs = field(default_factory=Codecs)
    rows: Rows = field(default_factory=dict)
    letters: list[Append] = field(default_factory=list)
    quarantined: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)
    states: dict[str, bytes] = field(default_factory=dict)
    commands: list[tuple[str, bytes]] = field(default_factory=list)

    def add(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        """Take one message; `retained` where the broker had kept it."""
        try:
            origin = self.registry.routes.origin_of(topic)
        except DataError as exc:
            self._set_aside(topic, payload, "", Refusal(str(exc), []), "bad-topic", 1, {})
            return
        gateway = origin.gateway
        try:
            live = not retained and gateway in self.registry.gateways
            message = self.formats.parse(origin, payload, Receipt(self.received_at, live))
        except Unreadable as exc:
            self._set_aside(topic, payload, gateway, Refusal(exc.detail, []), exc.reason, 1, {})
            return
        if message.raw:
            decode_raw(message, gateway, self.registry, self.codecs, self.received_at)
        home = resolve(message, gateway, self.registry, self.received_at, self.rows, retained=retained)
        if home is None and message.number is not None and not message.refused:
            home = self._any_rows(gateway)
        if message.number is not None and home is not None:
            home.note_number(gateway, message.epoch, message.number)
        if message.refused:
            self._set_aside_readings(topic, payload, gateway, message, home)
        if message.state and gateway in self.registry.gateways:
            self.states[gateway] = message.state.encode()
        self.commands += message.commands

    def isolate(self, gateway: str, messages: Sequence[Bundled]) -> None:
        """Set messages of a gateway aside unread, many in one dead letter."""
        if gateway in self.registry.gateways:
            told = [(message.topic, message.payload) for message in messages if not message.retained]
            self.formats.pass_over(told, self.received_at)
        for packed, count in pack(messages, self.options.record_bytes_max):
            self._set_aside(bundle_topic(gateway), packed, gateway, Refusal(_WHY_ISOLATED, []), ISOLATED, count, {})

    def _any_rows(self, gateway: str) -> PartitionRows | None:
        """Return where the number of a message without readings may go; None if nobody knows its gateway."""
        if gateway not in self.registry.gateways:
            return None
        partition = zlib.crc32(gateway.encode()) % self.options.readings_partitions
        return next(iter(self.rows.values()), None) or self.rows.setdefault(partition, PartitionRows())

    def _set_aside_readings(
        self, topic: str, payload: bytes, gateway: str, message: ParsedMessage, home: PartitionRows | None
    ) -> None:
        """Write one dead letter per reason; the message's number goes with the first if no reading carries it."""
        numbers: Numbers = {}
        if home is None and message.number is not None:
            numbers = {(gateway, message.epoch): [[message.number, message.number]]}
        whole = home is None and len(message.refused) == 1
        for reason, refusal in message.refused.items():
            units = len(refusal.only)
            kept = Refusal(refusal.detail, []) if whole else refusal
            self._set_aside(topic, payload, gateway, kept, reason, units, numbers, unknown_names(message, reason))
            numbers = {}

    def _set_aside(
        self,
        topic: str,
        payload: bytes,
        gateway: str,
        refusal: Refusal,
        reason: str,
        units: int,
        numbers: Numbers,
        devices: tuple[str, ...] = (),
    ) -> None:
        self.quarantined[reason] = self.quarantined.get(reason, 0) + units
        room = self.options.record_bytes_max - _OVERHEAD_BYTES
        detail = refusal.detail
        kept = payload[: room // 2]
        if len(kept) < len(payload):
            detail += f" (the first {len(kept)} of {len(payload)} bytes are kept)"
        encoded = base64.b64encode(kept).decode()
        for only, count in _portions(refusal.only, units, room - len(encoded)):
            letter = DeadLetter(
                reason, detail, _printable(topic), encoded, gateway, self.received_at, count, only, devices
            )
            meta = encode_meta({gateway: count}, hour_of(self.received_at), numbers)
            numbers = {}
            self.refusals[gateway] = self.refusals.get(gateway, 0) + 1
            partition = zlib.crc32(gateway.encode()) % self.options.dead_letter_partitions
            value = codec.encode(letter)
            self.letters.append(Append(DEAD_LETTERS, partition, DEAD_LETTER, value, self.received_at, meta))

    @property
    def readings(self) -> int:
        """Readings placed so far."""
        return sum(len(rows) for rows in self.rows.values())

    @property
    def times_of_receipt(self) -> dict[str, int]:
        """Why the device's own time was not taken → readings."""
        return causes_of(rows.quality for rows in self.rows.values())

    def records(self) -> list[Append]:
        """Return the records of the append: per partition one batch (more where it is too large), then dead letters."""
        appends = []
        for partition in sorted(self.rows):
            for value, meta in batches(self.rows[partition], self.received_at, self.options):
                appends.append(Append(READINGS, partition, BATCH, value, self.received_at, meta))
        return appends + self.letters


def causes_of(qualities: Iterable["array[int] | NDArray[np.uint8]"]) -> dict[str, int]:
    """Return why devices' own times were not taken → readings, over columns of `Quality`."""
    counts = np.zeros(len(CAUSES) + 1, np.int64)
    for quality in qualities:
        counts += np.bincount(np.asarray(quality, np.uint8), minlength=len(counts))
    return {cause: int(counts[code]) for code, cause in CAUSES.items() if counts[code]}


def tick_records(at_us: int, period_us: int, partitions: int) -> list[Append]:
    """Return one tick for every partition of readings."""
    value = codec.encode(Tick(at_us, period_us))
    return [Append(READINGS, partition, TICK, value, at_us) for partition in range(partitions)]


def _printable(topic: str) -> str:
    """Return a topic as databases take it: some brokers let control characters through."""
    return topic[:1024] if topic.isprintable() else ascii(topic[:1024])[1:-1]


def encode_meta(counts: dict[str, int], hour: int, numbers: Numbers) -> bytes:
    """Return what `codec.encode` makes of the same `RecordMeta`, without building it: this runs for every record.

    `numbers` must be settled.
    """
    told = ",".join(
        [f'{{"count":{count},"gateway_id":{_quoted(gateway)},"hour":{hour}}}' for gateway, count in counts.items()]
    )
    ranged = ",".join(
        [
            f'{{"epoch":{_quoted(epoch)},"first":{first},"gateway_id":{_quoted(gateway)},"hour":{hour},"last":{last}}}'
            for (gateway, epoch), ranges in numbers.items()
            for first, last in ranges
        ]
    )
    return f'{{"v":{codec.VERSION},"counts":[{told}],"numbers":[{ranged}],"replayed":null}}'.encode()


def _merged(ranges: list[list[int]]) -> list[list[int]]:
    merged: list[list[int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    return merged


def batches(rows: PartitionRows, received_at: int, options: FlushOptions) -> Iterator[tuple[bytes, bytes]]:
    """Encode a partition's rows with their meta, divided where they are more than a record may hold."""
    hour = hour_of(received_at)
    batch = rows.batch(received_at)
    numbers = settled(rows.numbers)
    few = entries_of(rows.counts, numbers) <= options.entries_max
    if len(rows) <= options.rows_max and few:
        yield codec.encode_batch(batch), encode_meta(rows.counts, hour, numbers)
        return
    # A piece has no more gateways than rows, and all rows together no more ranges: half of a meta's room for each.
    most = options.rows_max if few else min(options.rows_max, options.entries_max // 2)
    portions = [numbers] if few else list(_dealt(numbers, most))
    # Rows stand in the order of receipt, so each gateway's readings are dealt out front to back.
    names = _gateways_of_rows(rows)
    for index in range(max(-(-len(rows) // most), len(portions))):
        start = index * most
        piece = batch.take(np.arange(start, min(start + most, len(rows))))
        counts: dict[str, int] = {}
        for name in names[start : start + most]:
            counts[name] = counts.get(name, 0) + 1
        yield codec.encode_batch(piece), encode_meta(counts, hour, portions[index] if index < len(portions) else {})


def settled(numbers: Numbers) -> Numbers:
    """Return ranges in order, without overlaps: a gateway's messages may overtake each other on the way."""
    return {key: ranges if len(ranges) == 1 else _merged(ranges) for key, ranges in numbers.items()}


def entries_of(counts: dict[str, int], numbers: Numbers) -> int:
    """Return how much stands in a record's meta."""
    return len(counts) + sum(len(ranges) for ranges in numbers.values())


def _dealt(numbers: Numbers, most: int) -> Iterator[Numbers]:
    """Divide ranges of numbers into parts of at most `most`."""
    part: Numbers = {}
    size = 0
    for key, ranges in numbers.items():
        for first_last in ranges:
            part.setdefault(key, []).append(first_last)
            size += 1
            if size == most:
                yield part
                part, size = {}, 0
    if part:
        yield part


def _gateways_of_rows(rows: PartitionRows) -> list[str]:
    """Name the gateway of each row: numbers first appear in the same order as the names of `counts`."""
    seen: dict[int, str] = {}
    fresh = iter(rows.counts)
    names = []
    for number in rows.gateway:
        if number not in seen:
            seen[number] = next(fresh)
        names.append(seen[number])
    return names


def _portions(only: list[tuple[int, str]], units: int, room: int) -> Iterator[tuple[tuple[tuple[int, str], ...], int]]:
    """Divide the readings of a dead letter so that each part's list fits into `room` bytes."""
    if not only:
        yield (), units
        return
    part: list[tuple[int, str]] = []
    size = 0
    for position, metric in only:
        width = len(metric) + 16
        if part and size + width > room:
            yield tuple(part), len(part)
            part, size = [], 0
        part.append((position, metric))
        size += width
    yield tuple(part), len(part)
