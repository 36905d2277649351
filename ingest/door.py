"""The fast door: the messages of one intake to records, without an object of Python for each.

The kernels take what they are sure of; everything else goes through `Flush`, message by message, and both meet again in
the order of receipt before records are made.
"""

import numpy as np
from numpy.typing import NDArray

from city.clock import hour_of
from city.registry import IngestRegistry
from city.topics import READINGS, readings_topic
from ingest import arrange, flat
from ingest.bundle import Bundled
from ingest.codecs import Codecs
from ingest.fairness import fast_work_us
from ingest.formats import Formats
from ingest.intake import COLUMNS, PADDING, PAYLOAD_END, PAYLOAD_START, TOPIC_END, TOPIC_START, Intake
from ingest.meta import FlushOptions, Numbers, encode_meta, entries_of, settled
from ingest.names import find_each
from ingest.records import Flush, batches, causes_of
from ingest.resolve import Rows as SlowRows
from ingest.rows import Heads, Notes, Rows
from ingest.tables import Tables, tables_of
from stream import batch_form, codec
from stream.batch_form import BatchForm
from stream.codec import BATCH
from stream.log import Append

UNSURE = ("", -1)
"""Stands for what must be looked at the slow way."""
_USUAL_BYTES = 1_024
"""Of a message, on average over a flush."""


class Door:
    """A registry with its tables, and the memory that the kernels work in; for one flush at a time.

    Attributes
    ----------
    has_codecs : bool
        Whether messages that the kernels leave may have to wait for a vendor's codec.
    """

    def __init__(self, registry: IngestRegistry, tables: Tables | None = None) -> None:
        self.registry = registry
        self.tables = tables_of(registry) if tables is None else tables
        self.has_codecs = any(device.profile.codec for device in registry.devices.values())
        self.gateways = list(registry.gateways)
        self.place_of = {gateway: place for place, gateway in enumerate(self.gateways)}
        self.place = {number: place for place, number in enumerate(registry.gateways.values())}
        self.partitions = self.tables.partitions
        self.rows = Rows.room(0)
        self.heads = Heads.room(0)
        self.notes = Notes.room(len(self.tables.metrics.edge))
        self.counts = np.empty(self.partitions, np.int64)
        self.starts = np.empty(self.partitions + 1, np.int64)
        self.fill = np.empty(self.partitions, np.int64)
        self.grid = np.zeros(self.partitions * len(self.gateways), np.int32)

    def speakers(self, intake: Intake) -> NDArray[np.int64]:
        """Return the place of the gateway that sent each message in the native format: -1 for none, -2 for a mark."""
        places = np.empty(len(intake), np.int64)
        edges = np.ascontiguousarray(intake.frames[:, TOPIC_START : TOPIC_END + 1])
        find_each(self.tables.topics, np.frombuffer(intake.data, np.uint8), edges, places)
        return places

    def numbers_of(self, topic: str, payloads: list[bytes]) -> list[tuple[str, int] | None]:
        """Return epoch and number of native messages of one topic; `UNSURE` of those that kernels leave."""
        name = topic.encode()
        data = b"".join([name, *payloads, bytes(PADDING)])
        sizes = np.fromiter(map(len, payloads), np.int64, len(payloads))
        frames = np.zeros((len(payloads), COLUMNS), np.int64)
        frames[:, TOPIC_END] = len(name)
        frames[:, PAYLOAD_END] = len(name) + np.cumsum(sizes)
        frames[:, PAYLOAD_START] = frames[:, PAYLOAD_END] - sizes
        rows, heads = Rows.room(len(data) // flat.ROW_BYTES_MIN + 1), Heads.room(len(payloads))
        notes = Notes.room(len(self.tables.metrics.edge))
        flat.read_messages(np.frombuffer(data, np.uint8), frames, 0, self.tables, notes, rows, heads)
        epochs: dict[bytes, str] = {}
        found: list[tuple[str, int] | None] = []
        for read, number, (start, end) in zip(
            heads.rows.tolist(), heads.number.tolist(), heads.epoch.tolist(), strict=True
        ):
            if not read:
                found.append(UNSURE)
            elif number < 0:
                found.append(None)
            else:
                text = data[start:end]
                found.append((epochs.get(text) or epochs.setdefault(text, text.decode()), number))
        return found

    def read(
        self,
        intake: Intake,
        received_at: int,
        options: FlushOptions,
        formats: Formats | None = None,
        codecs: Codecs | None = None,
        passed: int = 0,
    ) -> "DoorFlush":
        """Read what the kernels can of the messages received at `received_at` (city time, µs UTC).

        The first of them counts as received `passed` µs later, each other a microsecond after the one before it.
        """
        data = np.frombuffer(intake.data, np.uint8)
        most = len(data) // flat.ROW_BYTES_MIN + 1
        if len(self.rows.series) < most:
            self.rows = Rows.room(most)
        if len(self.heads.rows) < len(intake):
            self.heads = Heads.room(len(intake))
        heads = self.heads.first(len(intake))
        self.notes.seen.fill(0)
        found = flat.read_messages(data, intake.frames, received_at + passed, self.tables, self.notes, self.rows, heads)
        slow = Flush(self.registry, received_at, options, formats or Formats(), codecs or Codecs())
        slow.passed = passed
        return DoorFlush(self, intake, heads, found, slow)


class DoorFlush:
    """One flush on its way to records; `left` names the messages that must still be given to `add`.

    Attributes
    ----------
    left : list of int
        Places of the messages that the kernels left, marks and states among them.
    """

    def __init__(self, door: Door, intake: Intake, heads: Heads, found: int, slow: Flush) -> None:
        self._door = door
        self._intake = intake
        self._heads = heads
        self._found = found
        self._slow = slow
        self._runs: list[tuple[int, SlowRows]] = []
        self._last = -1
        self.left: list[int] = np.flatnonzero(heads.rows == 0).tolist()

    @property
    def quarantined(self) -> dict[str, int]:
        """Reason → units set aside."""
        return self._slow.quarantined

    @property
    def refusals(self) -> dict[str, int]:
        """Gateway → dead letters."""
        return self._slow.refusals

    def by_gateway(self) -> dict[str, int]:
        """Return gateway → readings placed so far."""
        door = self._door
        counted = np.bincount(door.rows.place[: self._found], minlength=1)
        found = {door.gateways[place]: int(counted[place]) for place in np.flatnonzero(counted)}
        for _, rows in self._runs:
            for part in rows.values():
                for gateway, readings in part.counts.items():
                    found[gateway] = found.get(gateway, 0) + readings
        return found

    def work_us(self) -> dict[str, float]:
        """Return gateway → what its messages cost beside their readings, about, µs."""
        spent = dict(self._slow.work_us)
        frames = self._intake.frames
        sizes = frames[:, PAYLOAD_END] - frames[:, PAYLOAD_START]
        # Where messages are of the usual size their readings say enough, and nothing more is counted.
        if int(sizes.sum()) > len(sizes) * _USUAL_BYTES:
            fast = self._heads.rows > 0
            place = self._door.rows.place[np.cumsum(self._heads.rows)[fast] - 1]
            sizes = np.bincount(place, weights=sizes[fast])
            for at in np.flatnonzero(sizes).tolist():
                gateway = self._door.gateways[at]
                spent[gateway] = spent.get(gateway, 0.0) + fast_work_us(int(sizes[at]))
        return spent

    def isolate(self, gateway: str, messages: list[Bundled]) -> None:
        """Set messages of a gateway aside unread, but for the numbers that they bear."""
        if gateway not in self._door.place_of:
            self._slow.isolate(gateway, messages)
            return
        topic = readings_topic(gateway)
        native = [index for index, message in enumerate(messages) if message.topic == topic]
        found = dict(zip(native, self._door.numbers_of(topic, [messages[i].payload for i in native]), strict=True))
        told = [found.get(index, UNSURE) for index in range(len(messages))]
        for index, one in enumerate(told):
            if one is UNSURE:
                told[index] = self._slow.number_of(gateway, messages[index])
        self._slow.isolate(gateway, messages, told)

    @property
    def states(self) -> dict[str, str]:
        """Gateway → ``online`` or ``offline``, where a format tells it."""
        return self._slow.states

    @property
    def commands(self) -> list[tuple[str, bytes]]:
        """Topics and payloads to be sent back once the flush is appended."""
        return self._slow.commands

    @property
    def readings(self) -> int:
        """Readings placed so far."""
        return self._found + sum(len(part) for _, rows in self._runs for part in rows.values())

    @property
    def times_of_receipt(self) -> dict[str, int]:
        """Why the device's own time was not taken → readings."""
        slow = [part.quality for _, rows in self._runs for part in rows.values()]
        return causes_of([self._door.rows.quality[: self._found], *slow])

    def add(self, index: int, topic: str, payload: bytes, *, retained: bool = False) -> None:
        """Take a message of `left` the slow way; in their order."""
        if not self._runs or self._heads.rows[self._last : index].any():
            self._slow.rows = {}
            self._runs.append((index, self._slow.rows))
        self._last = index
        self._slow.messages = index
        self._slow.add(topic, payload, retained=retained)

    def add_all(self, indices: list[int]) -> None:
        """Take messages of `left` the slow way; in their order."""
        for index in indices:
            self.add(
                index, self._intake.topic(index), self._intake.payload(index), retained=self._intake.retained(index)
            )

    def records(self) -> list[Append]:
        """Return the records of the append: per partition one batch (more where it is too large), then dead letters."""
        if not self._found:
            return self._slow.records()
        numbers = self._numbers()
        rows, count = self._merged()
        door, received_at, options = self._door, self._slow.received_at, self._slow.options
        gateways = self._gateways(rows, count)
        form = codec.batch_form_or_none()
        streams = {} if form is None else self._streams(rows, count, form)
        appends = []
        # A message without readings may have a number, in a partition to which nothing else goes.
        for partition in sorted(gateways.keys() | numbers.keys()):
            counts = gateways.get(partition, {})
            told = settled(numbers.get(partition, {}))
            readings = int(door.counts[partition]) if partition in streams else options.rows_max + 1
            if readings <= options.rows_max and entries_of(counts, told) <= options.entries_max:
                pairs = [(streams[partition], encode_meta(counts, hour_of(received_at), told))]
            else:
                part = rows.select(slice(count)).part(door.tables.gateway, partition)
                part.counts, part.numbers = counts, told
                pairs = list(batches(part, received_at, options))
            appends += [Append(READINGS, partition, BATCH, value, received_at, meta) for value, meta in pairs]
        return appends + self._slow.aside.letters

    def _merged(self) -> tuple[Rows, int]:
        """Return the rows of both ways in the order of receipt, and how many."""
        door, found = self._door, self._found
        slow = [
            Rows.of_part(part, index, number, door.place)
            for index, rows in self._runs
            for number, part in rows.items()
            if len(part)
        ]
        if not slow:
            return door.rows, found
        whole = Rows.together([door.rows.select(slice(found)), *slow])
        # Kernels do not look whether a place is there.
        assert 0 <= whole.partition.min() <= whole.partition.max() < door.partitions
        return whole, len(whole.message)

    def _streams(self, rows: Rows, count: int, form: BatchForm) -> dict[int, bytes]:
        """Return each partition's readings as an Arrow stream."""
        door = self._door
        arrange.plan(rows.partition, count, form.base.shape[1], door.counts, door.starts)
        words = np.zeros(int(door.starts[-1]), np.int64)
        views = words, words.view(np.int32), words.view(np.float64), words.view(np.uint8)
        received_at, end = self._slow.received_at, int(batch_form.END[0])
        gateway, counts, starts, fill = door.tables.gateway, door.counts, door.starts, door.fill
        arrange.write_records(rows, count, gateway, received_at, form, end, counts, starts, fill, *views)
        data = words.data.cast("B")
        edges = (starts * 8).tolist()
        return {
            partition: data[edges[partition] : edges[partition + 1]].tobytes()
            for partition in range(door.partitions)
            if edges[partition] < edges[partition + 1]
        }

    def _gateways(self, rows: Rows, count: int) -> dict[int, dict[str, int]]:
        """Return partition → gateway → readings, in the order in which each first appears."""
        door = self._door
        keys, counts = np.empty(count, np.int64), np.empty(count, np.int64)
        n_places = len(door.gateways)
        found = arrange.tally(rows.partition, rows.place, count, n_places, door.grid, keys, counts)
        gateways: dict[int, dict[str, int]] = {}
        for key, readings in zip(keys[:found].tolist(), counts[:found].tolist(), strict=True):
            partition, place = divmod(key, n_places)
            gateways.setdefault(partition, {})[door.gateways[place]] = readings
        return gateways

    def _numbers(self) -> dict[int, Numbers]:
        """Return partition → (gateway, epoch) → ranges of message numbers, in the order in which each first came."""
        noted: list[tuple[int, int, tuple[str, str], list[list[int]]]] = []
        if self._heads.number.max(initial=-1) >= 0:
            noted = self._fast_numbers()
        for index, rows in self._runs:
            for partition, part in rows.items():
                noted += [(index, partition, key, ranges) for key, ranges in part.numbers.items()]
        noted.sort(key=lambda note: note[0])
        numbers: dict[int, Numbers] = {}
        for _, partition, key, ranges in noted:
            numbers.setdefault(partition, {}).setdefault(key, []).extend(ranges)
        return numbers

    def _fast_numbers(self) -> list[tuple[int, int, tuple[str, str], list[list[int]]]]:
        """Return first message, partition, gateway and epoch, and ranges of what the kernels read."""
        heads, count = self._heads, len(self._intake)
        data = self._intake.data
        slot = np.full(1 << (2 * count).bit_length(), -1, np.int32)
        entry, ranges = np.empty((count, 6), np.int64), np.empty((count, 3), np.int64)
        first_row = np.cumsum(heads.rows) - heads.rows
        n_entries, n_ranges = arrange.note_numbers(
            np.frombuffer(data, np.uint8), heads, first_row, self._door.rows, slot, entry, ranges
        )
        by_entry: list[list[list[int]]] = [[] for _ in range(n_entries)]
        for index, first, last in ranges[:n_ranges].tolist():
            by_entry[index].append([first, last])
        gateways = self._door.gateways
        return [
            (message, partition, (gateways[place], data[start:end].decode()), found)
            for (partition, place, start, end, message, _), found in zip(
                entry[:n_entries].tolist(), by_entry, strict=True
            )
        ]
