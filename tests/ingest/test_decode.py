"""What people see of bytes: nothing is left out, nothing raises."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.decode import HEX_BYTES_MAX, TEXT_MAX, decode, hex_dump
from tests.ingest.formats.packs import example, payload_of
from tests.ingest.formats.sparkplug_encoder import payload

TOPIC = "citynerve/v1/G-1/readings"


def test_json_is_shown_in_lines_as_it_was_sent() -> None:
    found = decode(TOPIC, b'{"a":1.50,"a":-0,"b":[],"c":{},"d":["x\\u0000",null,true,1e999,NaN]}')
    assert found is not None
    assert (found.format, found.cut) == ("json", False)
    assert found.text.split("\n") == [
        "{",
        '  "a": 1.50,',
        '  "a": -0,',
        '  "b": [],',
        '  "c": {},',
        '  "d": [',
        '    "x\\u0000",',
        "    null,",
        "    true,",
        "    1e999,",
        "    NaN",
        "  ]",
        "}",
    ]


def test_text_is_text_and_bytes_are_bytes() -> None:
    found = decode(TOPIC, "temperatura 21 º\n\x00{".encode())
    assert found == ("text", "temperatura 21 º\n\\x00{", False)
    assert decode(TOPIC, b"\xa2\x61\xff\x01") is None
    assert decode(TOPIC, bytes(range(20))) is None, "text that is all control characters is none"
    assert decode(TOPIC, b"") == ("text", "", False)


def test_bytes_of_formats_are_shown_as_what_they_hold() -> None:
    body = payload({"name": "power", "datatype": 10, "double_value": 36.1})
    found = decode("spBv1.0/city/NDATA/EDGE-1", body)
    assert found is not None
    assert found.format == "sparkplug-b"
    assert "power, type 10, = 36.1" in found.text
    pack = payload_of(example("senml-cbor")["messages"][0])
    cbor = decode("citynerve/v1/GW-S/senml-cbor", pack)
    assert cbor is not None
    assert cbor.format == "senml-cbor"
    assert "voltage" in cbor.text


@given(body=st.binary(max_size=200))
def test_any_bytes_of_sparkplug_are_shown(body: bytes) -> None:
    assert decode("spBv1.0/city/NDATA/EDGE-1", body) is not None


@pytest.mark.parametrize("payload", [b"[" * 200_000, b'{"a":' * 5_000, b"[" * 900 + b"]" * 900, b"1" * 10_000])
def test_depth_and_length_raise_nothing(payload: bytes) -> None:
    found = decode(TOPIC, payload)
    assert found is not None
    assert len(found.text) <= TEXT_MAX


@given(st.binary(max_size=300))
def test_any_bytes_are_shown(payload: bytes) -> None:
    decode(TOPIC, payload)
    dump = hex_dump(payload)
    told = b"".join(bytes.fromhex(line[10:58]) for line in dump.split("\n") if line)
    assert told == payload


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda c: st.lists(c, max_size=4)))
def test_what_is_shown_of_json_is_the_same_json(body: object) -> None:
    found = decode(TOPIC, json.dumps(body).encode())
    assert found is not None
    assert json.loads(found.text) == body


def test_a_dump_has_place_bytes_and_characters_and_ends() -> None:
    assert hex_dump(b'{"a": 1}\x00\xff0123456789') == (
        '00000000  7b 22 61 22 3a 20 31 7d 00 ff 30 31 32 33 34 35  {"a": 1}..012345\n'
        "00000010  36 37 38 39                                      6789"
    )
    assert len(hex_dump(random.Random(1).randbytes(HEX_BYTES_MAX + 5)).split("\n")) == HEX_BYTES_MAX // 16
