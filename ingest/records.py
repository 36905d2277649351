"""From the messages of one flush to the records of one append. Pure."""

import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import thread_time_ns

import numpy as np
from numpy.typing import NDArray

from city.clock import hour_of
from city.errors import DataError
from city.link import GatewayLink
from city.reading import CAUSES
from city.registry import IngestRegistry
from city.topics import READINGS
from ingest.aside import Aside
from ingest.bundle import Bundled
from ingest.codecs import Codecs, decode_raw
from ingest.fairness import UNKNOWN, kept_work_us
from ingest.formats import Formats, ParsedMessage, Receipt, Refusal, Unreadable
from ingest.meta import FlushOptions, Numbers, dealt, encode_meta, entries_of, settled
from ingest.resolve import PartitionRows, Rows, resolve, unknown_names
from stream import codec
from stream.codec import BATCH, TICK, Tick
from stream.log import Append


@dataclass(slots=True)
class Flush:
    """Messages received together, on their way to records.

    Attributes
    ----------
    received_at : int
        City time of receipt of the first message, µs UTC; each counts as received a microsecond after the one before
        it, so that successive values of a device that tells no time are no contradictions of one moment.
    messages : int
        How many places of the flush are taken: the next message counts as received so many µs after the first.
    passed : int
        So many µs after `received_at` the first counts as received, where flushes follow each other within one.
    rows, aside
        Readings by partition, and what is set aside.
    work_us : dict
        Gateway → the processor's time that reading its messages took, and what appending their letters costs about, µs.
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
    work_us: dict[str, float] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    commands: list[tuple[str, bytes]] = field(default_factory=list)
    messages: int = 0
    passed: int = 0
    aside: Aside = field(init=False)

    def __post_init__(self) -> None:
        self.aside = Aside(self.received_at, self.options)

    @property
    def quarantined(self) -> dict[str, int]:
        """Reason → units set aside."""
        return self.aside.quarantined

    @property
    def refusals(self) -> dict[str, int]:
        """Gateway → dead letters."""
        return self.aside.refusals

    def add(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        """Take one message; `retained` where the broker had kept it."""
        started, letters = thread_time_ns(), len(self.aside.letters)
        gateway = self._read(Bundled(topic, payload, retained))
        kept = sum(len(letter.value) for letter in self.aside.letters[letters:])
        spent = (thread_time_ns() - started) / 1000 + kept_work_us(kept)
        self.work_us[gateway] = self.work_us.get(gateway, 0.0) + spent

    def _read(self, came: Bundled) -> str:
        """Read one message; return on whose account it goes."""
        topic, payload, retained = came
        received_at = self.aside.received_at = self.received_at + self.passed + self.messages
        self.messages += 1
        try:
            origin = self.registry.routes.origin_of(topic)
        except DataError as exc:
            self.aside.set_aside(came, "", "bad-topic", Refusal(str(exc), []))
            return ""
        gateway = origin.gateway
        try:
            live = not retained and gateway in self.registry.gateways
            message = self.formats.parse(origin, payload, Receipt(received_at, live))
        except Unreadable as exc:
            self.aside.set_aside(came, gateway, exc.reason, Refusal(exc.detail, []), numbers=_numbers(gateway, exc))
            return gateway
        if message.raw:
            decode_raw(message, gateway, self.registry, self.codecs, received_at)
        home = resolve(message, gateway, self.registry, received_at, self.rows, retained=retained)
        if home is None and message.number is not None and not message.refused:
            home = self._any_rows(gateway)
        if message.number is not None and home is not None:
            home.note_number(gateway, message.epoch, message.number)
        if message.refused:
            self._set_aside_readings(came, gateway, message, home)
        if message.state and gateway in self.registry.gateways:
            self.states[gateway] = message.state
        self.commands += message.commands
        return gateway

    def isolate(
        self, gateway: str, messages: Sequence[Bundled], told: Sequence[tuple[str, int] | None] | None = None
    ) -> None:
        """Set messages of a gateway aside unread, many in one dead letter.

        Parameters
        ----------
        told : sequence of (str, int) or None, optional
            What `number_of` says of each, where that is known.
        """
        if gateway in self.registry.gateways:
            passed = [(message.topic, message.payload) for message in messages if not message.retained]
            self.formats.pass_over(passed, self.received_at)
        self.aside.received_at = self.received_at + self.passed
        # Nobody follows the numbers of gateways that the registry does not have: anybody can make up any of them.
        if gateway == UNKNOWN:
            told = []
        elif told is None:
            told = [self.number_of(gateway, message) for message in messages]
        self.aside.isolate(gateway, messages, told)

    def number_of(self, gateway: str, message: Bundled) -> tuple[str, int] | None:
        """Return epoch and number of a message that is set aside unread; None if it bears none, or is another's."""
        try:
            origin = self.registry.routes.origin_of(message.topic)
        except DataError:
            return None
        return self.formats.number_of(origin, message.payload) if origin.gateway == gateway else None

    def _any_rows(self, gateway: str) -> PartitionRows | None:
        """Return where the number of a message without readings may go; None if nobody knows its gateway."""
        if gateway not in self.registry.gateways:
            return None
        partition = zlib.crc32(gateway.encode()) % self.options.readings_partitions
        return next(iter(self.rows.values()), None) or self.rows.setdefault(partition, PartitionRows())

    def _set_aside_readings(
        self, came: Bundled, gateway: str, message: ParsedMessage, home: PartitionRows | None
    ) -> None:
        """Write one dead letter per reason; the message's number goes with the first if no reading carries it."""
        numbers = _numbers(gateway, message) if home is None else {}
        whole = home is None and len(message.refused) == 1
        for reason, refusal in message.refused.items():
            kept = Refusal(refusal.detail, []) if whole else refusal
            devices = unknown_names(message, reason)
            self.aside.set_aside(came, gateway, reason, kept, len(refusal.only), numbers, devices)
            numbers = {}

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
        return appends + self.aside.letters


def _numbers(gateway: str, message: ParsedMessage | Unreadable) -> Numbers:
    """Return the number of one message, if it has any."""
    return {} if message.number is None else {(gateway, message.epoch): [[message.number, message.number]]}


def causes_of(qualities: Iterable["array[int] | NDArray[np.uint8]"]) -> dict[str, int]:
    """Return why devices' own times were not taken → readings, over columns of `Quality`."""
    counts = np.zeros(len(CAUSES) + 1, np.int64)
    for quality in qualities:
        counts += np.bincount(np.asarray(quality, np.uint8), minlength=len(counts))
    return {cause: int(counts[code]) for code, cause in CAUSES.items() if counts[code]}


def tick_records(
    at_us: int,
    period_us: int,
    partitions: int,
    outside_c: float | None = None,
    links: tuple[GatewayLink, ...] = (),
) -> list[Append]:
    """Return one tick for every partition of readings."""
    value = codec.encode(Tick(at_us, period_us, outside_c, links))
    return [Append(READINGS, partition, TICK, value, at_us) for partition in range(partitions)]


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
    portions = [numbers] if few else list(dealt(numbers, most))
    # Rows stand in the order of receipt, so each gateway's readings are dealt out front to back.
    names = _gateways_of_rows(rows)
    for index in range(max(-(-len(rows) // most), len(portions))):
        start = index * most
        piece = batch.take(np.arange(start, min(start + most, len(rows))))
        counts: dict[str, int] = {}
        for name in names[start : start + most]:
            counts[name] = counts.get(name, 0) + 1
        yield codec.encode_batch(piece), encode_meta(counts, hour, portions[index] if index < len(portions) else {})


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
