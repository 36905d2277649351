"""The fast door makes of every flush what the slow way makes of it, and takes what gateways send."""

import json
import os
import subprocess
import sys
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from city.clock import to_datetime
from city.registry import IngestRegistry, KnownDevice, SeriesTarget
from city.topics import state_topic
from ingest.door import Door
from ingest.formats.parsed import KEYS_MAX, OBJECTS_MAX, PAYLOAD_BYTES_MAX
from ingest.intake import Intake
from ingest.message import Message
from ingest.meta import FlushOptions
from stream import codec
from stream.codec import RecordMeta
from tests.ingest.both_ways import DOOR, NOW, OPTIONS, SMALL, Writer, agree, message, run
from tests.ingest.world import reading, registry


def went_fast(payload: str | bytes, gateway: str = "G-1") -> bool:
    return agree([message(payload.encode() if isinstance(payload, str) else payload, gateway)]) == 1


def test_both_ways_make_the_same_of_a_hundred_thousand_messages_good_and_bad() -> None:
    count, fast = run(1, 3_500)
    assert count > 100_000
    assert fast > count / 3


@settings(max_examples=300)
@given(st.integers(0, 2**32), st.sampled_from([OPTIONS, SMALL]))
def test_both_ways_make_the_same_of_any_flush(seed: int, options: FlushOptions) -> None:
    agree(Writer(seed).flush(), options)


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=200), max_size=5))
def test_both_ways_make_the_same_of_any_bytes(payloads: list[bytes]) -> None:
    agree([message(payload) for payload in payloads])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(["device", "at", "n", "epoch", "sent_at", "readings", "active_power_w", "supply_voltage_v"])


@settings(max_examples=300)
@given(st.dictionaries(keys, json_values | st.sampled_from(["D-0", "S-1", NOW // 1000, 5]), max_size=5))
def test_both_ways_make_the_same_of_any_values(body: dict[str, Any]) -> None:
    agree([message(json.dumps(body, ensure_ascii=False).encode(errors="surrogatepass"))])


@settings(max_examples=500)
@given(
    st.floats(-5, 5000, allow_nan=False) | st.decimals(-5, 5000, places=6).map(float),
    st.sampled_from(["D-0", "S-1"]),
)
@example(-0.0, "D-0")
@example(5e-324, "D-0")
@example(229.79999999999998, "S-1")
def test_a_value_is_read_to_its_last_bit(value: float, device: str) -> None:
    payload = f'{{"device":"{device}","active_power_w":{value!r}}}'
    fast = went_fast(payload)
    digits = repr(value).replace("-", "").replace(".", "").split("e")[0]
    assert fast or int(digits) > 2**53 or "e" in repr(value) or not -4.5 <= value <= 4999


@settings(max_examples=500)
@given(
    st.integers(86_400_000_000, 7_258_032_000_000_000),
    st.integers(-23 * 60, 23 * 60),
    st.sampled_from([0, 3, 6]),
)
def test_a_time_is_read_to_its_microsecond(at_us: int, minutes: int, digits: int) -> None:
    zoned = to_datetime(at_us).astimezone(timezone(timedelta(minutes=minutes)))
    text = zoned.isoformat(timespec={0: "seconds", 3: "milliseconds", 6: "microseconds"}[digits])
    for written in (text, text.replace("+00:00", "Z")):
        assert went_fast(f'{{"device":"D-0","at":"{written}","active_power_w":1}}')


@pytest.mark.parametrize(
    "payload",
    [
        reading(5),
        reading(5, supply_voltage_v=229.8, dimming_level_pct=100),
        b'{"device":"D-0","active_power_w":36.5}',
        b'{"readings":[{"device":"D-0","at":1795456800000,"active_power_w":36.5},{"device":"D-3","active_power_w":1}]}',
        b'{"n":8,"epoch":"2026-11-01T00:00:00Z","sent_at":1795456800000,"readings":[{"device":"D-0","at":'
        b'"2026-11-23T18:00:00Z","active_power_w":36.5,"supply_voltage_v":229.8}]}',
        b'{"device":"D-0","at":"2026-11-23T18:00:00.123+01:00","n":1,"active_power_w":-0.5e1}',
        b' {\n  "device" : "D-0" ,\r\n\t"active_power_w" : 1.0 }\n',
    ],
)
def test_what_gateways_send_goes_the_fast_way(payload: bytes) -> None:
    assert went_fast(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b'{"device":"D-0"}',
        b'{"readings":[]}',
        b'{"active_power_w":1}',
        b'{"device":"D-0","active_power_w":1,}',
        b'{"device":"D-0","active_power_w":1}}',
        b'{"device":"D-0","active_power_w":1} x',
        b'{"device":"D-0","active_power_w":1,"active_power_w":1}',
        b'{"device":"D-0","device":"D-0","active_power_w":1}',
        b'{"device":"D-0","at":1,"at":1,"active_power_w":1}',
        b'{"n":1,"n":1,"device":"D-0","active_power_w":1}',
        b'{"epoch":"","epoch":"","device":"D-0","active_power_w":1}',
        b'{"sent_at":1,"sent_at":1,"device":"D-0","active_power_w":1}',
        b'{"readings":[{"device":"D-0","active_power_w":1}],"readings":[{"device":"D-0","active_power_w":1}]}',
        b'{"readings":[{"device":"D-0","active_power_w":1}],"device":"D-0"}',
        b'{"device":"D-0","readings":[{"device":"D-0","active_power_w":1}]}',
        b'{"device":"D-0","active_power_w":5001}',
        b'{"device":"D-1","active_power_w":1}',
        b'{"device":"D-99","active_power_w":1}',
        b'{"device":"S 1","active_power_w":1}',
        b'{"device":"D-\\u0030","active_power_w":1}',
        b'{"device":"D-0","unknown_w":1}',
        b'{"device":"D-0","active_power_w":9007199254740993}',
        b'{"device":"D-0","active_power_w":0.0000000000000000000000001}',
    ],
)
def test_what_the_kernels_are_not_sure_of_goes_the_slow_way(payload: bytes) -> None:
    assert not went_fast(payload)


def test_limits_of_a_message_are_those_of_the_slow_way() -> None:
    targets = {f"m{i}": SeriesTarget(i, 0, 0.0, 1.0) for i in range(KEYS_MAX)}
    door = Door(IngestRegistry({"G-1": 0}, {"D": KnownDevice("D", "G-1", targets)}, 1))

    def fast(payload: str) -> int:
        return agree([message(payload.encode())], door=door)

    def keys_of(count: int) -> str:
        return ",".join(f'"m{i}":1' for i in range(count))

    for more in ("", '"n":1,'):
        assert fast(f'{{{more}{keys_of(KEYS_MAX - 1)},"device":"D"}}') == 1
        assert fast(f'{{{more}{keys_of(KEYS_MAX)},"device":"D"}}') == 0
    assert fast(f'{{"readings":[{{"device":"D",{keys_of(KEYS_MAX - 1)}}}]}}') == 1
    assert fast(f'{{"readings":[{{"device":"D",{keys_of(KEYS_MAX)}}}]}}') == 0
    objects = ['{"device":"D","m0":1}'] * OBJECTS_MAX
    assert fast(f'{{"readings":[{",".join(objects)}]}}') == 1
    assert fast(f'{{"readings":[{",".join([*objects, objects[0]])}]}}') == 0
    short = '{"device":"D","m0":1'
    assert fast(short + " " * (PAYLOAD_BYTES_MAX - len(short) - 1) + "}") == 1
    assert fast(short + " " * (PAYLOAD_BYTES_MAX - len(short)) + "}") == 0


def test_the_order_of_receipt_holds_where_fast_and_slow_messages_alternate() -> None:
    messages = [
        message(reading(1, active_power_w=n) if n % 3 else b'{"device":"D\\u002d0","n":1,"active_power_w":%d}' % n)
        for n in range(200)
    ]
    assert agree(messages) == 133
    intake = Intake.of(messages)
    flush = DOOR.read(intake, NOW, OPTIONS)
    for index in flush.left:
        flush.add(index, intake.topic(index), intake.payload(index))
    (record,) = flush.records()
    assert codec.decode_batch(record.value).value.tolist() == list(range(200))


def test_marks_states_and_what_brokers_had_kept_are_left() -> None:
    good = reading(1)
    intake = Intake.of(
        [
            message(good),
            Message("", good, 0, 0, 1),
            Message(state_topic("G-1"), good, 1, 1, 1),
            message(good, retained=True),
            message(good, "G-77"),
        ]
    )
    flush = DOOR.read(intake, NOW, OPTIONS)
    assert flush.left == [1, 2, 3, 4]
    assert flush.readings == 1


def test_a_record_that_would_hold_too_much_is_divided_with_its_numbers() -> None:
    messages = [message(reading(3 * n % 997, n % 4 * 3)) for n in range(600)]
    agree(messages, SMALL)
    agree([message(reading(n * 2)) for n in range(600)], SMALL)
    agree([message(reading(n * 2) if n % 2 else reading(n * 2)[:-1] + b" }x"[:2]) for n in range(600)], SMALL)


def test_any_names_are_found_and_no_others() -> None:
    names = [f"{'x' * (i % 64)}{i}"[-64:] for i in range(5_000)]
    targets = {"active_power_w": SeriesTarget(1, 0, 0.0, 1e9)}
    devices = {name: KnownDevice(name, "G-1", targets) for name in names[::2]}
    door = Door(IngestRegistry({"G-1": 0}, devices, 1))
    payloads = [f'{{"device":"{name}","active_power_w":{i}}}'.encode() for i, name in enumerate(names)]
    flush = door.read(Intake.of([message(payload) for payload in payloads]), NOW, OPTIONS)
    assert flush.left == [i for i, name in enumerate(names) if name not in devices]


def test_a_registry_of_nothing_leaves_everything() -> None:
    assert agree([message(reading(1))], door=Door(IngestRegistry({}, {}, 1))) == 0
    assert agree([message(reading(1))], door=Door(IngestRegistry({"G-1": 4}, {}, 1))) == 0
    assert agree([message(reading(1))], door=Door(registry())) == 1


def test_kernels_are_the_same_in_plain_python() -> None:
    """With Numba's compiler off every line of the kernels runs as it is written."""
    code = "from tests.ingest.both_ways import run; count, fast = run(2, 40); assert fast > count / 4, (count, fast)"
    place = Path(__file__).parents[2]
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(place)}
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, env=env, cwd=place, timeout=240)


def test_numbers_of_messages_without_readings_are_kept_between_those_of_others() -> None:
    empty = b'{"deviceInfo":{"devEui":"D-3"},"devAddr":"00189440","fCnt":%d,"fPort":1,"data":""}'
    messages = []
    for number in range(1, 9):
        messages.append(message(reading(number)))
        messages.append(Message("citynerve/v1/G-1/chirpstack", empty % number, 1, 1, 1))
    intake = Intake.of(messages)
    flush = DOOR.read(intake, NOW, OPTIONS)
    assert len(flush.left) == 8
    for index in flush.left:
        flush.add(index, intake.topic(index), intake.payload(index))
    assert flush.quarantined == {}
    ranges = [r for record in flush.records() for r in codec.decode(RecordMeta, record.meta).numbers]
    assert sorted((r.epoch[:2], r.first, r.last) for r in ranges) == [("", 1, 8), ("D-", 1, 8)]
