"""From the messages of a flush to records: counts, numbers, letters, sizes, and letters read again."""

import base64
import json
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.clock import SECOND_US, hour_of
from city.integration import Integration, Routes
from city.reading import ReadingBatch
from city.registry import IngestRegistry, KnownDevice
from city.topics import DEAD_LETTERS, READINGS, readings_topic, state_topic
from ingest.bundle import Bundled
from ingest.meta import FlushOptions, encode_meta
from ingest.records import Flush, tick_records
from ingest.replay import resolve_letter
from ingest.shrink import shrunk
from stream import codec
from stream.codec import DeadLetter, GatewayCount, NumberRange, RecordMeta, Tick
from stream.letter_form import decode_letter
from stream.letters import printable_topic
from stream.log import Append
from tests.ingest.world import reading, registry

NOW = 1_795_456_800 * SECOND_US + 1234
HOUR = hour_of(NOW)
REGISTRY = registry()
OPTIONS = FlushOptions(12, 2, 1 << 20)


def flushed(*messages: tuple[str, bytes], options: FlushOptions = OPTIONS) -> list[Append]:
    flush = Flush(REGISTRY, NOW, options)
    for gateway, payload in messages:
        flush.add(readings_topic(gateway), payload)
    return flush.records()


def letters(records: list[Append]) -> list[DeadLetter]:
    return [codec.decode(DeadLetter, r.value) for r in records if r.topic == DEAD_LETTERS]


def batches(records: list[Append]) -> list[ReadingBatch]:
    return [codec.decode_batch(r.value) for r in records if r.topic == READINGS]


def test_a_flush_is_one_record_for_each_partition() -> None:
    records = flushed(*((f"G-{n % 3 + 1}", reading(n, n % 3)) for n in range(30)))
    assert [(r.topic, r.partition, r.kind) for r in records] == [(READINGS, p, "batch") for p in (3, 6, 9)]
    assert [len(batch) for batch in batches(records)] == [10, 10, 10]
    assert {r.at_us for r in records} == {NOW}


def test_meta_counts_readings_and_joins_numbers() -> None:
    records = flushed(*(("G-1", reading(n, supply_voltage_v=230)) for n in (5, 7, 6, 8, 20)))
    assert codec.decode(RecordMeta, records[0].meta) == RecordMeta(
        (GatewayCount("G-1", HOUR, 10),), (NumberRange("G-1", "", 5, 8, HOUR), NumberRange("G-1", "", 20, 20, HOUR))
    )


def test_a_number_travels_with_the_letter_if_nothing_else_carries_it() -> None:
    records = flushed(("G-1", reading(17, device=99)))
    meta = codec.decode(RecordMeta, records[0].meta)
    assert meta == RecordMeta((GatewayCount("G-1", HOUR, 1),), (NumberRange("G-1", "", 17, 17, HOUR),))


NUMBERED = {
    b'{"n":6,"epoch":"a","extra":1,"readings":[{"device":"D-0","active_power_w":1}]}': ("a", 6),
    b'{"n":7,"device":"D-0","device":"D-0","active_power_w":1}': ("", 7),
    b'{"n":8,"sent_at":"x","device":"D-0","active_power_w":1}': ("", 8),
    b'{"n":9,"readings":{}}': ("", 9),
    b'{"n":10,"readings":[]}': ("", 10),
    b'{"n":11,"readings":[' + b'{"device":"D-0","active_power_w":1},' * 2_000 + b"{}]}": ("", 11),
    b'{"\\u006e":12,"extra":1,"readings":[]}': ("", 12),
    b'{"n":13,"readings":[{"device":"D-0","n":1,"n":2}]}': ("", 13),
    b'{"n":1,"n":2,"device":"D-0","active_power_w":1}': None,
    b'{"n":1,"epoch":"a","epoch":"b","device":"D-0","active_power_w":1}': None,
    b'{"n":1,"epoch":7,"device":"D-0","active_power_w":1}': None,
    b'{"n":"1","device":"D-0","active_power_w":1}': None,
    b'{"n":1,"readings":': None,
}
COUNTED = {
    b'{"deviceInfo":{"devEui":"01"},"devAddr":"00189440","fCnt":7,"fPort":1,"object":{"level":3}}': ("01.00189440", 7),
    b'{"deviceInfo":{"devEui":"01"},"devAddr":"00189440","fCnt":8,"fPort":1,"data":"?"}': ("01.00189440", 8),
    b'{"deviceInfo":{"devEui":"01"},"devAddr":"00189440","fCnt":9,"time":"x","data":""}': ("01.00189440", 9),
    b'{"deviceInfo":{"devEui":"01"},"devAddr":"00189440","fCnt":-1}': None,
}
FRAME = b'{"end_device_ids":{"dev_eui":"01","dev_addr":"00189440"},"uplink_message":{"f_cnt":7,"received_at":"x"}}'


def numbers_in(records: list[Append]) -> list[tuple[str, int, int]]:
    found = [one for record in records for one in codec.decode(RecordMeta, record.meta).numbers]
    assert all(one.gateway_id == "G-1" for one in found)
    return [(one.epoch, one.first, one.last) for one in found]


@pytest.mark.parametrize(
    ("topic", "payload", "number"),
    [
        *((readings_topic("G-1"), payload, number) for payload, number in NUMBERED.items()),
        *(("citynerve/v1/G-1/chirpstack", payload, number) for payload, number in COUNTED.items()),
        ("citynerve/v1/G-1/tts", FRAME, ("01.00189440", 7)),
    ],
)
def test_whatever_becomes_of_a_message_its_number_has_come(
    topic: str, payload: bytes, number: tuple[str, int] | None
) -> None:
    told = [] if number is None else [(*number, number[1])]
    read, isolated = Flush(REGISTRY, NOW, OPTIONS), Flush(REGISTRY, NOW, OPTIONS)
    read.add(topic, payload)
    isolated.isolate("G-1", [Bundled(topic, payload, False)])
    assert numbers_in(read.records()) == told
    assert numbers_in(isolated.records()) == told
    for letter in letters(read.records() + isolated.records()):
        assert list(resolve_letter(letter, REGISTRY).numbers) == told, letter.reason


def test_an_integrations_messages_that_are_set_aside_unread_have_come() -> None:
    uplinks = Integration("ns", "chirpstack", ("application/{application}/device/{device}/event/up",), "G-1")
    flush = Flush(replace(REGISTRY, routes=Routes((uplinks,))), NOW, OPTIONS)
    topic = "application/a/device/01/event/up"
    flush.isolate("G-1", [Bundled(topic, payload, False) for payload in COUNTED])
    assert numbers_in(flush.records()) == [("01.00189440", 7, 9)]


def test_an_unreadable_message_counts_one_and_keeps_its_bytes() -> None:
    payload = b"\x00\xffgarbage"
    (letter,) = letters(flushed(("G-2", payload)))
    assert (letter.reason, letter.units, letter.only) == ("not-json", 1, ())
    assert base64.b64decode(letter.payload) == payload
    assert (letter.topic, letter.gateway_id, letter.received_at) == (readings_topic("G-2"), "G-2", NOW)


def test_a_topic_that_names_no_gateway_is_set_aside_under_none() -> None:
    flush = Flush(REGISTRY, NOW, OPTIONS)
    flush.add("citynerve/v1/a b\x00/readings", b"{}")
    (letter,) = letters(flush.records())
    assert (letter.reason, letter.gateway_id) == ("bad-topic", "")
    assert letter.topic == "citynerve/v1/a b\0/readings"


def test_a_partition_of_many_readings_is_divided_and_counted_piece_by_piece() -> None:
    options = FlushOptions(12, 2, 20_000)
    messages = [(f"G-{n % 3 + 1}", reading(n, n % 3)) for n in range(60)] * 20
    shared = IngestRegistry(
        REGISTRY.gateways,
        {
            name: replace(known, targets={m: replace(t, partition=5) for m, t in known.targets.items()})
            for name, known in REGISTRY.devices.items()
        },
        1,
    )
    flush = Flush(shared, NOW, options)
    for gateway, payload in messages:
        flush.add(readings_topic(gateway), payload)
    records = flush.records()
    assert len(records) > 5
    assert all(len(r.value) + len(r.meta) <= options.record_bytes_max for r in records)
    for record, batch in zip(records, batches(records), strict=True):
        counted = {c.gateway_id: c.count for c in codec.decode(RecordMeta, record.meta).counts}
        names = {number: name for name, number in shared.gateways.items()}
        assert counted == Counter(names[int(g)] for g in batch.gateway_id)
    numbers = [r for record in records for r in codec.decode(RecordMeta, record.meta).numbers]
    assert len(numbers) <= 60 * 20
    assert sum(len(b) for b in batches(records)) == 1200


def test_each_piece_of_a_record_that_is_too_large_counts_itself() -> None:
    shared = {
        name: replace(known, targets={metric: replace(one, partition=5) for metric, one in known.targets.items()})
        for name, known in REGISTRY.devices.items()
    }
    flush = Flush(replace(REGISTRY, devices=shared), NOW, OPTIONS)
    for n in range(600):
        flush.add(readings_topic(f"G-{n // 250 + 1}"), reading(n, n // 250))
    (whole,) = flush.records()
    parts, larger = shrunk([whole], 5_000)
    assert (larger, len(parts) > 3) == (1, True)
    names = {number: name for name, number in REGISTRY.gateways.items()}
    for part in parts:
        counted = {one.gateway_id: one.count for one in codec.decode(RecordMeta, part.meta).counts}
        assert counted == Counter(names[int(number)] for number in codec.decode_batch(part.value).gateway_id)
    told = [one for part in parts for one in codec.decode(RecordMeta, part.meta).numbers]
    assert told == list(codec.decode(RecordMeta, whole.meta).numbers)


def test_a_letter_never_exceeds_the_logs_limit() -> None:
    many = [{"device": "D-0", "at": NOW // 1000, "active_power_w": 1}] + [
        {"device": "D-0", "at": NOW // 1000, **{f"m{k}": k for k in range(30)}} for _ in range(500)
    ]
    options = FlushOptions(12, 2, 400_000)
    records = flushed(("G-1", json.dumps({"readings": many}).encode()), options=options)
    (whole,) = [decode_letter(r.value) for r in records if r.topic == DEAD_LETTERS]
    assert all(len(r.value) <= options.record_bytes_max for r in records)
    assert whole.units == len(whole.only) == 15_000
    (big,) = letters(flushed(("G-1", b"x" * 3_000_000)))
    assert big.reason == "too-large"
    assert "of 3000000 bytes" in big.detail


def test_no_replay_gives_a_retained_message_the_time_of_its_receipt() -> None:
    flush = Flush(REGISTRY, NOW, OPTIONS)
    flush.add(readings_topic("G-1"), b'{"device":"D-0","active_power_w":1}', retained=True)
    (letter,) = letters(flush.records())
    assert letter.reason == "retained-without-time"
    assert resolve_letter(letter, REGISTRY).readings == {}
    assert resolve_letter(letter, REGISTRY).reason == letter.reason


def test_a_retained_message_stays_one_whatever_it_was_set_aside_for() -> None:
    for payload, topic in (
        (b'{"device":"later","active_power_w":1}', readings_topic("G-1")),
        (b'{"device":"later","active_power_w":1}', readings_topic("Z-1")),
        (b'{"device":"later","active_power_w":1', readings_topic("G-1")),
    ):
        flush = Flush(REGISTRY, NOW, OPTIONS)
        flush.add(topic, payload, retained=True)
        letter = letters(flush.records())[0]
        assert letter.retained
        targets = REGISTRY.devices["D-0"].targets
        for gateway in ("G-1", "Z-1"):
            device = KnownDevice("later", gateway, targets)
            known = IngestRegistry({**REGISTRY.gateways, "Z-1": 9}, {**REGISTRY.devices, "later": device}, 2)
            assert resolve_letter(letter, known).readings == {}, "its receipt is no time of its readings"


def test_what_is_no_state_is_set_aside_and_an_empty_one_takes_back_what_was_kept() -> None:
    flush = Flush(REGISTRY, NOW, OPTIONS)
    for gateway, payload in (("G-1", b"online"), ("G-2", b"ofline"), ("G-3", b""), ("Z-1", b"offline")):
        flush.add(state_topic(gateway), payload)
    assert flush.states == {"G-1": "online"}
    (letter,) = letters(flush.records())
    assert (letter.reason, letter.gateway_id, letter.units) == ("not-a-state", "G-2", 1)
    assert resolve_letter(letter, REGISTRY).reason == "not-a-state"


@settings(max_examples=60)
@given(
    st.dictionaries(st.sampled_from(["G-1", "G-2", "Ñ"]), st.integers(0, 10**6)),
    st.dictionaries(
        st.tuples(st.sampled_from(["G-1", "G-2"]), st.sampled_from(["", "a1"])),
        st.integers(0, 1000).map(lambda n: [[n, n + 3]]),
    ),
)
def test_the_quick_meta_equals_the_codecs(
    counts: dict[str, int], numbers: dict[tuple[str, str], list[list[int]]]
) -> None:
    slow = RecordMeta(
        tuple(GatewayCount(g, HOUR, c) for g, c in counts.items()),
        tuple(NumberRange(g, e, a, b, HOUR) for (g, e), ranges in numbers.items() for a, b in ranges),
    )
    assert encode_meta(counts, HOUR, numbers) == codec.encode(slow)


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["G-1", "G-2", "G-9"]),
            st.binary(max_size=40)
            | st.builds(
                reading, st.integers(0, 50), st.integers(0, 14), active_power_w=st.floats(-10, 6000) | st.just("x")
            ),
        ),
        max_size=30,
    )
)
def test_every_message_is_on_the_log_as_readings_or_letters(messages: list[tuple[str, bytes]]) -> None:
    records = flushed(*messages)
    counted = sum(c.count for r in records for c in codec.decode(RecordMeta, r.meta).counts)
    assert counted == sum(len(b) for b in batches(records)) + sum(letter.units for letter in letters(records))
    assert counted == len(messages), "each message here holds one reading, or is one unit"


def test_a_tick_goes_to_every_partition() -> None:
    records = tick_records(NOW, 10 * SECOND_US, 12)
    assert [r.partition for r in records] == list(range(12))
    assert {codec.decode(Tick, r.value) for r in records} == {Tick(NOW, 10 * SECOND_US)}


def widened(**devices: Any) -> IngestRegistry:
    return IngestRegistry(REGISTRY.gateways, REGISTRY.devices | devices, 2)


def test_a_replayed_letter_brings_only_what_was_set_aside() -> None:
    payload = json.dumps(
        {
            "readings": [
                {"device": "D-0", "at": NOW // 1000, "active_power_w": 1},
                {"device": "D-77", "active_power_w": 2},
            ]
        }
    ).encode()
    records = flushed(("G-1", payload))
    (letter,) = letters(records)
    assert resolve_letter(letter, REGISTRY).readings == {}
    known = widened(**{"D-77": KnownDevice("D-77", "G-1", REGISTRY.devices["D-3"].targets)})
    resolution = resolve_letter(letter, known)
    (batch,) = resolution.readings.values()
    assert batch.value.tolist() == [2.0]
    assert np.array_equal(batch.observed_at, [NOW])
    assert resolution.still_bad == ()


def test_a_letter_of_which_something_stays_bad_says_what() -> None:
    payload = json.dumps({"device": "D-77", "active_power_w": 2, "supply_voltage_v": 9e9}).encode()
    (letter,) = letters(flushed(("G-1", payload)))
    assert (letter.units, letter.only) == (2, ())
    resolution = resolve_letter(
        letter, widened(**{"D-77": KnownDevice("D-77", "G-1", REGISTRY.devices["D-3"].targets)})
    )
    assert sum(len(b) for b in resolution.readings.values()) == 1
    assert resolution.still_bad == ((0, "supply_voltage_v"),)
    assert resolution.reason == "value-out-of-range"


def test_a_replay_forgets_no_device_for_which_a_letter_waits() -> None:
    names = [f"N-{number}" for number in range(1_500)]
    objects = [{"device": name, "at": NOW // 1000, "active_power_w": 1} for name in names]
    topic, payload = readings_topic("G-1"), json.dumps({"n": 1, "readings": objects}).encode()
    flush = Flush(REGISTRY, NOW, OPTIONS)
    flush.add(topic, payload)
    flush.isolate("G-1", [Bundled(topic, payload, False)])
    alone, bundle = [decode_letter(record.value) for record in flush.records()]
    assert alone.devices == tuple(names)
    known = widened(**{"N-0": KnownDevice("N-0", "G-1", REGISTRY.devices["D-3"].targets)})
    for letter in (alone, bundle):
        assert resolve_letter(letter, known).devices == tuple(names[1:])


@given(st.binary(max_size=60), st.text(max_size=30))
def test_any_letter_can_be_looked_at_again(payload: bytes, topic: str) -> None:
    letter = DeadLetter("x", "", topic, base64.b64encode(payload).decode(), "", NOW, 1)
    assert resolve_letter(letter, REGISTRY).reason


def test_a_letter_keeps_its_topic_as_it_came_so_that_replay_reads_the_same() -> None:
    for topic in (
        "/json/k/lamp\u00a01/attrs",
        "citynerve/v1/G-1/readings\u0007",
        f"citynerve/v1/{'x' * 2_000}/readings",
    ):
        flush = Flush(REGISTRY, NOW, OPTIONS)
        flush.add(topic, b"{}")
        (letter,) = letters(flush.records())
        assert letter.topic == topic
        assert resolve_letter(letter, REGISTRY).reason == letter.reason
        shown = printable_topic(topic)
        assert shown.isprintable()
        assert len(shown) <= 1_030
