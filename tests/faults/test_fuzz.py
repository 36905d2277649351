"""A million twisted frames and payloads of every format: no crash, no leak, every one accounted for."""

import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from city.integration import Routes
from city.pack import CityPack
from city.profile import parse_pack
from city.registry import IngestRegistry
from city.topics import readings_topic
from ingest.codecs import Codecs
from ingest.door import Door
from ingest.formats import Formats, Receipt
from ingest.frames import FrameBuffer
from ingest.intake import Intake
from ingest.message import Message
from ingest.meta import FlushOptions
from stream import codec, wire
from stream.codec import DEAD_LETTER, RecordMeta
from stream.letter_form import decode_letter
from stream.log import Append
from tests.ingest.formats.packs import NAMES, example, pack_files, payload_of
from tests.ingest.world import publish_frame, reading, registry

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

COUNT = int(os.environ.get("CITYNERVE_TEST_FUZZED", "1000000"))
NOW = 1_795_456_800_000_000
OPTIONS = FlushOptions(12, 2, 1_000_000)
_FLUSH = 2_000
_LETTERS = tuple(text.encode() for text in ("é" * 40, "😀" * 30, '\\"' * 40, "電圧"))
"""Where a name is hit, it is long, and JSON writes it still longer."""
_GROWTH_MAX = 64 * 1024 * 1024


def resident_bytes() -> int:
    """Return how much memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def twisted(chance: random.Random, data: bytes) -> bytes:
    """Return bytes with a few of them changed, cut, doubled or moved; sometimes as they were."""
    for _ in range(chance.choice((0, 1, 1, 1, 2, 5))):
        if not data:
            return data
        start = chance.randrange(len(data))
        match chance.randrange(7):
            case 0:
                data = data[:start] + bytes([chance.randrange(256)]) + data[start + 1 :]
            case 1:
                data = data[:start]
            case 2:
                data = data[:start] + data[start + chance.randrange(1, 9) :]
            case 3:
                end = start + chance.randrange(1, 40)
                data = data[:end] + data[start:end] + data[end:]
            case 4:
                data = (
                    data[:start]
                    + chance.choice((b"9" * 30, b"-", b"1e400", b"NaN", b"null", b"\\u0000", *_LETTERS))
                    + data[start:]
                )
            case 5:
                data = data[:start] + chance.randbytes(chance.randrange(1, 9)) + data[start:]
            case _:
                data = data[:start] + bytes([data[start] ^ 1 << chance.randrange(8)]) + data[start + 1 :]
    return data


def in_flushes(count: int) -> Iterator[int]:
    for start in range(0, count, _FLUSH):
        yield min(_FLUSH, count - start)


def accounted(flush_records: list[Append]) -> int:
    """Return how many units the records of a flush account for, after holding each against its summary."""
    total = 0
    for record in flush_records:
        meta = codec.decode(RecordMeta, record.meta)
        counted = sum(count.count for count in meta.counts)
        assert len(record.value) <= OPTIONS.record_bytes_max, "the log would not take it"
        if record.kind == DEAD_LETTER:
            assert decode_letter(record.value).units == counted
        else:
            assert len(codec.decode_batch(record.value)) == counted
        total += counted
    return total


def test_twisted_frames_crash_nothing_and_each_message_is_read_or_set_aside() -> None:
    """Frames as a hostile client would have a broker pass them on: whole streams, in chunks of any size."""
    chance = random.Random(1)
    door = Door(registry())
    messages = dropped = 0
    before = 0
    flushes = list(in_flushes(COUNT // 2))
    for turn, count in enumerate(flushes):
        buffer = FrameBuffer(1, mqtt5=turn % 16 == 12)
        frames = [
            publish_frame(readings_topic(f"G-{n % 3 + 1}"), twisted(chance, reading(n, n % 13)), n % 2)
            for n in range(count)
        ]
        # One twisted frame ends a connection sooner or later: most streams are whole, their payloads alone are twisted.
        share = 0.002 if turn % 4 == 0 else 0.0
        stream = b"".join(twisted(chance, one) if chance.random() < share else one for one in frames)
        place = 0
        intakes: list[Intake] = []
        try:
            while place < len(stream):
                room = buffer.space()
                size = min(len(room), chance.choice((1, 100, 4096, 262_144)), len(stream) - place)
                room[:size] = stream[place : place + size]
                place += size
                buffer.received(size)
                buffer.scan(_FLUSH)
                if buffer.has_more or not buffer.room:
                    intakes.append(buffer.cut())
        except ValueError:
            dropped += 1  # The connection is let go, and the broker sends what was not acknowledged again.
        intakes.append(buffer.cut())
        for intake in intakes:
            flush = door.read(intake, NOW, OPTIONS)
            for index in flush.left:
                flush.add(index, intake.topic(index), intake.payload(index), retained=intake.retained(index))
            units = accounted(flush.records())
            assert units >= len(intake), "every message gives a reading, or is set aside"
            messages += len(intake)
        if turn == len(flushes) // 2:
            before = resident_bytes()
    assert messages > COUNT // 4
    assert dropped > 0
    assert resident_bytes() - before < _GROWTH_MAX


def city(name: str) -> IngestRegistry:
    """Return the registry of an example's city, as ingest would load it."""
    pack = parse_pack(pack_files(example(name)))
    profiles = {p.profile_id: wire.plain_profile(p, pack.codecs) for p in pack.profiles.values()}
    rows = [
        (d.wire_name, d.device_id, d.gateway_id, d.profile_id, metric, number, number % 12, *limits_of(pack, metric))
        for number, (d, metric) in enumerate(
            (d, metric) for d in pack.devices for metric in pack.profiles[d.profile_id].metrics
        )
    ]
    gateways = {gateway.gateway_id: number for number, gateway in enumerate(pack.gateways)}
    return IngestRegistry(gateways, wire.devices(rows, profiles), 1, Routes(pack.integrations))


def limits_of(pack: CityPack, metric: str) -> tuple[float, float, str]:
    known = pack.metrics[metric]
    return known.low, known.high, known.unit


def taken(messages: list[tuple[str, bytes, bool]]) -> Intake:
    """Return messages as they come from a broker."""
    return Intake.of([Message(topic, payload, 1, 1, 1, retained) for topic, payload, retained in messages], 1)


def says_nothing(known: IngestRegistry, topic: str, payload: bytes) -> bool:
    """Tell whether a message holds no measurement, or only such as the profiles of its devices ignore."""
    origin = known.routes.origin_of(topic)
    if origin.format == "sparkplug-b":
        return True  # What its messages say depends on those before; its own tests hold each of them.
    message = Formats().parse(origin, payload, Receipt(NOW))
    ignored = all(known.devices[o.device].profile.ignores(n) for o in message.objects for n in o.readings)
    return ignored and not message.raw and not message.refused


def test_twisted_payloads_of_every_format_are_read_or_set_aside_and_nothing_grows() -> None:
    chance = random.Random(2)
    cities = {name: city(name) for name in NAMES}
    examples = {name: [(m["topic"], payload_of(m)) for m in example(name)["messages"]] for name in NAMES}
    formats, codecs = {name: Formats() for name in NAMES}, Codecs()
    doors = {name: Door(cities[name]) for name in NAMES}
    outcomes: Counter[str] = Counter()
    before = 0
    flushes = list(in_flushes(COUNT - COUNT // 2))
    for turn, count in enumerate(flushes):
        name = NAMES[turn % len(NAMES)]
        chosen = [chance.choice(examples[name]) for _ in range(count)]
        given = [(topic, twisted(chance, payload), chance.random() < 0.1) for topic, payload in chosen]
        flush = doors[name].read(taken(given), NOW, OPTIONS, formats[name], codecs)
        for index in flush.left:
            topic, payload, retained = given[index]
            told = flush.readings + sum(flush.quarantined.values())
            flush.add(index, topic, payload, retained=retained)
            if flush.readings + sum(flush.quarantined.values()) == told:
                assert says_nothing(cities[name], topic, payload), (topic, payload)
        assert accounted(flush.records()) == flush.readings + sum(flush.quarantined.values())
        outcomes[name] += flush.readings
        outcomes.update(flush.quarantined)
        if turn == len(flushes) // 2:
            before = resident_bytes()
    codecs.close()
    assert [name for name in NAMES if not outcomes[name]] == [], "of every format something was read"
    assert len(outcomes) > 20, "many kinds of mistakes were met"
    assert resident_bytes() - before < _GROWTH_MAX
