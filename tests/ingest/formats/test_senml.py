"""SenML in JSON and CBOR: the examples of RFC 8428, and what a pack may not hold."""

import base64
import json
import math
import re
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.integration import Origin
from ingest.decode import decode
from ingest.formats import ParsedMessage, Unreadable, senml, senml_cbor, values
from ingest.formats.parsed import OBJECTS_MAX, PAYLOAD_BYTES_MAX
from tests.ingest.formats.checks import replayed, undocumented
from tests.ingest.formats.hostile import JSON, assert_read_or_refused, heavy, mutated, seconds

ORIGIN = Origin("citynerve/v1/GW-1/senml", "senml", "GW-1", {})
URN = "urn:dev:ow:10e2073a01080063"

# RFC 8428, 5.1.1 to 5.1.7, as they stand there.
SINGLE = '[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]'
MULTIPLE = """[
  {"bn":"urn:dev:ow:10e2073a01080063:","n":"voltage","u":"V","v":120.1},
  {"n":"current","u":"A","v":1.2}
]"""
SECONDS = """[
  {"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,
   "bu":"A","bver":5,
   "n":"voltage","u":"V","v":120.1},
  {"n":"current","t":-5,"v":1.2},
  {"n":"current","t":-4,"v":1.3},
  {"n":"current","t":-3,"v":1.4},
  {"n":"current","t":-2,"v":1.5},
  {"n":"current","t":-1,"v":1.6},
  {"n":"current","v":1.7}
]"""
MOBILE = """[
  {"bn":"urn:dev:ow:10e2073a01080063","bt":1.320067464e+09,
   "bu":"%RH","v":20},
  {"u":"lon","v":24.30621},
  {"u":"lat","v":60.07965},
  {"t":60,"v":20.3},
  {"u":"lon","t":60,"v":24.30622},
  {"u":"lat","t":60,"v":60.07965},
  {"t":120,"v":20.7},
  {"u":"lon","t":120,"v":24.30623},
  {"u":"lat","t":120,"v":60.07966},
  {"u":"%EL","t":150,"v":98},
  {"t":180,"v":21.2},
  {"u":"lon","t":180,"v":24.30628},
  {"u":"lat","t":180,"v":60.07967}
]"""
RESOLVED = """[
  {"n":"urn:dev:ow:10e2073a01080063","u":"%RH","t":1.320067464e+09,"v":20},
  {"n":"urn:dev:ow:10e2073a01080063","u":"lon","t":1.320067464e+09,"v":24.30621},
  {"n":"urn:dev:ow:10e2073a01080063","u":"lat","t":1.320067464e+09,"v":60.07965},
  {"n":"urn:dev:ow:10e2073a01080063","u":"%RH","t":1.320067524e+09,"v":20.3},
  {"n":"urn:dev:ow:10e2073a01080063","u":"lon","t":1.320067524e+09,"v":24.30622},
  {"n":"urn:dev:ow:10e2073a01080063","u":"lat","t":1.320067524e+09,"v":60.07965},
  {"n":"urn:dev:ow:10e2073a01080063","u":"%RH","t":1.320067584e+09,"v":20.7},
  {"n":"urn:dev:ow:10e2073a01080063","u":"lon","t":1.320067584e+09,"v":24.30623},
  {"n":"urn:dev:ow:10e2073a01080063","u":"lat","t":1.320067584e+09,"v":60.07966},
  {"n":"urn:dev:ow:10e2073a01080063","u":"%EL","t":1.320067614e+09,"v":98},
  {"n":"urn:dev:ow:10e2073a01080063","u":"%RH","t":1.320067644e+09,"v":21.2},
  {"n":"urn:dev:ow:10e2073a01080063","u":"lon","t":1.320067644e+09,"v":24.30628},
  {"n":"urn:dev:ow:10e2073a01080063","u":"lat","t":1.320067644e+09,"v":60.07967}
]"""
TYPES = """[
  {"bn":"urn:dev:ow:10e2073a01080063:","n":"temp","u":"Cel","v":23.1},
  {"n":"label","vs":"Machine Room"},
  {"n":"open","vb":false},
  {"n":"nfc-reader","vd":"aGkgCg"}
]"""
COLLECTION = """[
  {"bn":"2001:db8::2/","bt":1.320078429e+09,
   "n":"temperature","u":"Cel","v":25.2},
  {"n":"humidity","u":"%RH","v":30},
  {"bn":"2001:db8::1/","n":"temperature","u":"Cel","v":12.3},
  {"n":"humidity","u":"%RH","v":67}
]"""
ACTUATOR = """[
  {"bn":"urn:dev:ow:10e2073a01080063:"},
  {"n":"temp","u":"Cel","v":23.1},
  {"n":"heat","u":"/","v":1},
  {"n":"fan","u":"/","v":0}
]"""
LIGHTS = """[
  {"bt":1.320078429e+09,"bu":"/","n":"2001:db8::3","v":1},
  {"n":"2001:db8::4","v":1}
]"""
EXAMPLES = [SINGLE, MULTIPLE, SECONDS, MOBILE, RESOLVED, TYPES, COLLECTION, ACTUATOR, LIGHTS]

# RFC 8428, section 6: `SECONDS` in CBOR.
CBOR = bytes.fromhex(
    "87a721781b75726e3a6465763a6f773a3130653230373361303130383030363a22fb41d303a15b0010622361412005006776"
    "6f6c7461676501615602fb405e066666666666a3006763757272656e74062402fb3ff3333333333333a3006763757272656e"
    "74062302fb3ff4cccccccccccda3006763757272656e74062202fb3ff6666666666666a3006763757272656e74062102f93e"
    "00a3006763757272656e74062002fb3ff999999999999aa3006763757272656e74060002fb3ffb333333333333"
)


def parse(pack: str | bytes | list[Any], **levels: str) -> ParsedMessage:
    text = json.dumps(pack) if isinstance(pack, list) else pack
    return senml.parse(ORIGIN._replace(levels=levels), text.encode() if isinstance(text, str) else text)


def told(message: ParsedMessage) -> list[tuple[str, int | None, int, dict[str, Any], dict[str, str]]]:
    assert message.refused == {}
    return [(item.device, item.at_us, item.since_receipt_us, item.readings, item.units) for item in message.objects]


def in_cbor(pack: list[dict[str, Any]]) -> bytes:
    """Encode a pack of JSON as section 6 says, with an encoder that is not ours."""
    labels = {name: label for label, name in senml_cbor.LABELS.items()}
    records = []
    for record in pack:
        body = {labels.get(key, key): value for key, value in record.items()}
        if 8 in body:
            body[8] = base64.urlsafe_b64decode(body[8] + "=" * (-len(body[8]) % 4))
        records.append(body)
    return cbor2.dumps(records)


def test_a_single_datapoint_is_observed_when_it_is_received() -> None:
    assert told(parse(SINGLE)) == [(URN, None, 0, {"Cel": 23.1}, {"Cel": "Cel"})]


def test_multiple_datapoints_share_their_base_name() -> None:
    assert told(parse(MULTIPLE)) == [
        (URN, None, 0, {"voltage": 120.1}, {"voltage": "V"}),
        (URN, None, 0, {"current": 1.2}, {"current": "A"}),
    ]


@pytest.mark.parametrize("message", [parse(SECONDS), senml_cbor.parse(ORIGIN, CBOR)], ids=["json", "cbor"])
def test_the_seconds_before_are_counted_from_the_base_time(message: ParsedMessage) -> None:
    device, at = "urn:dev:ow:10e2073a0108006", 1_276_020_076_001_000
    currents = [(-5, 1.2), (-4, 1.3), (-3, 1.4), (-2, 1.5), (-1, 1.6), (0, 1.7)]
    assert told(message) == [
        (device, at, 0, {"voltage": 120.1}, {"voltage": "V"}),
        *((device, at + t * 1_000_000, 0, {"current": v}, {"current": "A"}) for t, v in currents),
    ]


def test_a_resolved_pack_gives_what_its_pack_gives() -> None:
    assert told(parse(MOBILE)) == told(parse(RESOLVED))
    first, *_, last = told(parse(MOBILE))
    assert first == (URN, 1_320_067_464_000_000, 0, {"%RH": 20}, {"%RH": "%RH"})
    assert last == (URN, 1_320_067_644_000_000, 0, {"lat": 60.07967}, {"lat": "lat"})


def test_data_types_become_numbers_and_words() -> None:
    assert [item.readings for item in parse(TYPES).objects] == [
        {"temp": 23.1},
        {"label": "Machine Room"},
        {"open": 0},
        {"nfc-reader": "aGkgCg"},
    ]


def test_a_collection_of_resources_names_each_device() -> None:
    at = 1_320_078_429_000_000
    assert [(item.device, item.at_us, item.readings) for item in parse(COLLECTION).objects] == [
        ("2001:db8::2", at, {"temperature": 25.2}),
        ("2001:db8::2", at, {"humidity": 30}),
        ("2001:db8::1", at, {"temperature": 12.3}),
        ("2001:db8::1", at, {"humidity": 67}),
    ]


def test_a_record_of_base_fields_alone_holds_no_value() -> None:
    assert [item.readings for item in parse(ACTUATOR).objects] == [{"temp": 23.1}, {"heat": 1}, {"fan": 0}]
    assert [(item.device, item.readings) for item in parse(LIGHTS).objects] == [
        ("2001:db8::3", {"/": 1}),
        ("2001:db8::4", {"/": 1}),
    ]


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_is_the_same_in_cbor(example: str) -> None:
    assert told(senml_cbor.parse(ORIGIN, in_cbor(json.loads(example)))) == told(parse(example))


@pytest.mark.parametrize(
    ("name", "device", "value"),
    [
        ("urn:dev:ow:10e2073a01080063", URN, ""),
        ("urn:dev:ow:10e2073a01080063:voltage", URN, "voltage"),
        ("urn:dev:ow:10e2073a01080063_voltage", URN, "voltage"),
        ("urn:dev:ow:10e2073a01080063/3311/0/5850", URN, "3311/0/5850"),
        ("urn:dev:ow:10e2073a01080063:", URN, ""),
        ("urn:dev:mac:0024beffff804ff1", "urn:dev:mac:0024beffff804ff1", ""),
        ("urn:dev:ops:32473-LampNode-0042_lamp", "urn:dev:ops:32473-LampNode-0042", "lamp"),
        ("dev/temp", "dev", "temp"),
        ("site/dev/temp", "site/dev", "temp"),
        ("dev/", "dev", ""),
        ("2001:db8::1/temp", "2001:db8::1", "temp"),
        ("2001:db8::1", "2001:db8::1", ""),
        ("N-17:power", "N-17", "power"),
        ("N-17:", "N-17", ""),
        ("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6/temp", "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "temp"),
        ("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", ""),
        ("temp", "GW-1", "temp"),
    ],
)
def test_one_rule_divides_a_name_into_device_and_value(name: str, device: str, value: str) -> None:
    assert senml.divide(name, ORIGIN) == (device, value)


def test_a_plain_name_is_a_value_of_the_device_that_the_topic_names() -> None:
    assert parse([{"n": "temp", "v": 1}], device="N-9").objects[0].device == "N-9"


def test_values_and_sums_are_added_to_their_bases() -> None:
    pack = [
        {"bn": "d/", "bv": 100, "bs": 1000, "bu": "W", "n": "p", "v": 5, "s": 7},
        {"n": "p"},
        {"n": "p", "t": -1, "vs": "x"},
        {"n": "q", "bv": 0, "s": -1000.5},
    ]
    assert [(item.readings, item.units) for item in parse(pack).objects] == [
        ({"p": 105, "p.sum": 1007}, {"p": "W", "p.sum": "J"}),
        ({"p": 100, "p.sum": 1000}, {"p": "W", "p.sum": "J"}),
        ({"p": "x", "p.sum": 1000}, {"p": "W", "p.sum": "J"}),
        ({"q": 0, "q.sum": -0.5}, {"q": "W", "q.sum": "J"}),
    ]


@pytest.mark.parametrize(
    ("bt", "t", "at_us", "since_us"),
    [
        (0, -30, None, -30_000_000),
        (-10, -0.5, None, -10_500_000),
        (2**28, 0, 2**28 * 1_000_000, 0),
        (2**28, -1, None, (2**28 - 1) * 1_000_000),
        (1.6e9, 0.25, 1_600_000_000_250_000, 0),
    ],
)
def test_times_below_2_to_the_28_count_from_receipt(bt: float, t: float, at_us: int | None, since_us: int) -> None:
    [item] = parse([{"bn": "d/x", "bt": bt, "t": t, "v": 1}]).objects
    assert (item.at_us, item.since_receipt_us) == (at_us, since_us)


def test_the_update_time_and_fields_that_nobody_knows_are_left_out() -> None:
    [item] = parse([{"n": "d/x", "v": 1, "ut": 60, "ct": "60", "blah": {"a": [1]}}]).objects
    assert item.readings == {"x": 1}


@pytest.mark.parametrize(
    ("pack", "reason"),
    [
        ('{"n":"x","v":1}', "not-a-list"),
        ("[1]", "not-an-object"),
        ("[]", "no-readings"),
        ('[{"bn":"x"}]', "no-readings"),
        ('[{"n":"x","v":1,"v":2}]', "duplicate-key"),
        ('[{"n":"x","v":1,"extra_":2}]', "must-understand"),
        ('[{"n":"x","v":1,"bver":11}]', "unknown-version"),
        ('[{"n":"x","v":1,"bver":true}]', "unknown-version"),
        ('[{"n":"x","v":1,"bver":"10"}]', "unknown-version"),
        ('[{"n":"x","v":1,"bver":10},{"n":"x","v":1,"bver":5}]', "bad-header"),
        ('[{"bn":7,"n":"x","v":1}]', "bad-header"),
        ('[{"bt":"now","n":"x","v":1}]', "bad-header"),
        ('[{"bt":1e999,"n":"x","v":1}]', "bad-header"),
        ('[{"bu":null,"n":"x","v":1}]', "bad-header"),
        ("[" + '{"n":"x","v":1},' * OBJECTS_MAX + '{"n":"x","v":1}]', "too-many-objects"),
        (" " * (PAYLOAD_BYTES_MAX + 1), "too-large"),
        ("[{]", "not-json"),
    ],
)
def test_a_pack_that_cannot_be_read_is_refused_whole(pack: str, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(pack)
    assert caught.value.reason == reason


@pytest.mark.parametrize("version", [1, 5, 10, 10.0, 26])
def test_versions_that_are_understood(version: float) -> None:
    assert parse([{"bver": version, "n": "d/x", "v": 1}]).objects


def test_good_records_pass_beside_bad_ones() -> None:
    pack = [
        {"bn": "d/", "n": "a", "v": 1},
        {"n": "b", "v": "36"},
        {"n": "c", "v": 1, "vs": "x"},
        {"n": "e", "t": "now", "v": 1},
        {"n": "f", "u": "x" * 33, "v": 1},
        {"n": 7, "v": 1},
        {"n": "g h", "v": 1},
        {"n": "i"},
        {"n": "j", "vb": 1},
        {"n": "k", "v": 1, "s": "x"},
        {"n": "l", "v": True},
        {"n": "m", "v": None},
        {"n": "z", "v": 2},
    ]
    message = parse(pack)
    assert [item.readings for item in message.objects] == [{"a": 1}, {"k": 1}, {"z": 2}]
    assert {reason: refusal.only for reason, refusal in message.refused.items()} == {
        "not-a-number": [(1, "b"), (8, "j"), (9, "k.sum"), (10, "l"), (11, "m")],
        "two-values": [(2, "c")],
        "bad-time": [(3, "e")],
        "bad-unit": [(4, "f")],
        "bad-device": [(5, ""), (6, "d/g h")],
        "no-readings": [(7, "i")],
    }


def test_a_number_that_is_none_is_refused_alone() -> None:
    message = parse('[{"bn":"d/","n":"a","v":NaN},{"n":"b","v":1e999},{"n":"c","v":1}]')
    assert [item.readings for item in message.objects] == [{"c": 1}]
    cbor = senml_cbor.parse(ORIGIN, cbor2.dumps([{0: "d/a", 2: math.nan}, {0: "d/b", 2: math.inf}, {0: "d/c", 2: 1}]))
    assert [item.readings for item in cbor.objects] == [{"c": 1}]
    assert message.refused.keys() == cbor.refused.keys() == {"not-a-number"}


def test_decimal_fractions_are_numbers() -> None:
    # [{"n": "d/t", "v": 273.15}] with 4([-2, 27315]).
    assert told(senml_cbor.parse(ORIGIN, bytes.fromhex("81a20063642f7402c48221196ab3"))) == [
        ("d", None, 0, {"t": 273.15}, {})
    ]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not-cbor"),
        (b"\xff", "not-cbor"),
        (b"\x81" * 100_000, "not-cbor"),
        (b"\xc4" * 100_000, "not-cbor"),
        (CBOR + b"\x00", "not-cbor"),
        (CBOR[:-1], "not-cbor"),
        (bytes.fromhex("9bffffffffffffffff"), "not-cbor"),
        (bytes.fromhex("81a20061610 2c4821a7fffffff01".replace(" ", "")), "not-cbor"),
        (bytes.fromhex("81a200616102d81c81d81d00"), "not-cbor"),
        (bytes.fromhex("81a200616102c249010000000000000000"), "not-cbor"),
        (b"\x81\xa2\x00\x61a\x02\xd8\x23\x6a(a+)+b[aaa", "not-cbor"),
        (b"\x81\xa2\x00\x61a\x02\xc1\x00", "not-cbor"),
        (bytes.fromhex("81a3006161020102f6"), "not-cbor"),
        (cbor2.dumps([{0: "d/x", "n": "d/y", 2: 1}]), "duplicate-key"),
        (cbor2.dumps([{0: "d/x", 2: 1, 9: 1}]), "unexpected-key"),
        (cbor2.dumps([{0: "d/x", 2: 1, 1.5: 1}]), "unexpected-key"),
        (cbor2.dumps({0: "d/x", 2: 1}), "not-a-list"),
        (cbor2.dumps([{0: "d/x", 2: 1, "x_": 1}]), "must-understand"),
    ],
)
def test_cbor_that_senml_does_not_have_is_refused_whole(payload: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        senml_cbor.parse(ORIGIN, payload)
    assert caught.value.reason == reason


SELF_DESCRIBED = bytes.fromhex("d9d9f7")


def test_cbor_that_says_what_it_is_is_read_as_any_other() -> None:
    assert senml_cbor.parse(ORIGIN, SELF_DESCRIBED + CBOR) == senml_cbor.parse(ORIGIN, CBOR)
    shown, plain = decode("sensors/7", SELF_DESCRIBED + CBOR), decode("sensors/7", CBOR)
    assert shown is not None
    assert shown == plain


@pytest.mark.parametrize(
    "payload",
    [
        SELF_DESCRIBED * 2 + CBOR,
        SELF_DESCRIBED,
        b"\x81" + SELF_DESCRIBED + cbor2.dumps({0: "d/x", 2: 1}),
        bytes.fromhex("81a20063642f7802") + SELF_DESCRIBED + b"\x01",
    ],
)
def test_cbor_says_so_at_its_beginning_alone(payload: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        senml_cbor.parse(ORIGIN, payload)
    assert caught.value.reason == "not-cbor"


def test_a_pack_of_cbor_is_explained_to_people() -> None:
    shown = decode("sensors/7", CBOR)
    assert shown is not None
    assert shown.format == "senml-cbor"
    assert "'n': 'voltage', 'u': 'V', 'v': 120.1" in shown.text
    assert len(shown.text.splitlines()) == 7
    assert senml_cbor.explain(b"\xff") is None
    assert len(senml_cbor.explain(cbor2.dumps([{0: "x" * 100_000}])) or "") == 20_001


LABELS = st.sampled_from(
    ["bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "vd", "s", "t", "ut", "x", "x_"]
)
RECORDS = st.lists(
    st.dictionaries(LABELS, JSON | st.sampled_from(["d/", "urn:dev:ow:1:", "W", 5, 10, -1.5]), max_size=6), max_size=5
)


@settings(max_examples=300)
@given(
    st.binary(max_size=200)
    | RECORDS.map(lambda pack: json.dumps(pack).encode())
    | JSON.map(lambda b: json.dumps(b).encode())
)
def test_any_bytes_and_any_records_are_read_or_refused(payload: bytes) -> None:
    assert_read_or_refused(senml.parse, ORIGIN, payload)


@settings(max_examples=300)
@given(st.binary(max_size=100) | RECORDS.map(cbor2.dumps) | st.integers(0, 2**32).map(lambda seed: mutated(CBOR, seed)))
def test_any_bytes_and_any_records_of_cbor_are_read_or_refused(payload: bytes) -> None:
    assert_read_or_refused(senml_cbor.parse, ORIGIN, payload)
    assert len(senml_cbor.explain(payload) or "") <= 20_001


@settings(max_examples=200)
@given(st.sampled_from(EXAMPLES), st.integers(0, 2**32))
def test_examples_with_something_wrong_are_read_or_refused(example: str, seed: int) -> None:
    assert_read_or_refused(senml.parse, ORIGIN, mutated(example.encode(), seed))


def test_no_payload_takes_long() -> None:
    long_base = json.dumps([{"bn": "b" * 100_000, "n": "x", "v": 1}, *[{"n": "y", "v": 1}] * 1900])
    for payload in [*heavy({"n": "d/x", "v": 1}), long_base.encode()]:
        assert seconds(senml.parse, ORIGIN, payload) < 1.0
    numbers = cbor2.dumps([{0: "d/x", **{float(n): n for n in range(20_000)}}])
    for payload in [numbers, b"\x9f" + b"\xa0" * 200_000 + b"\xff", b"\x9a\x00\x03\xff\xff" + b"\x80" * 200_000]:
        assert seconds(senml_cbor.parse, ORIGIN, payload) < 1.0


def test_the_examples_of_the_documents_are_read() -> None:
    page = (Path(__file__).parents[3] / "docs" / "formats" / "senml.md").read_text()
    [example] = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    at = 1_795_456_800_000_000
    assert told(parse(example)) == [
        (URN, at, 0, {"power": 36.1}, {"power": "W"}),
        (URN, at, 0, {"voltage": 229.8}, {"voltage": "V"}),
        (URN, at - 60_000_000, 0, {"power": 36.4}, {"power": "W"}),
    ]


def test_every_reason_of_the_parsers_is_documented() -> None:
    assert undocumented("senml", senml, senml_cbor, values) == set()


def test_what_was_refused_comes_back_by_replay_when_the_device_is_known() -> None:
    payload = json.dumps([{"bn": "urn:dev:ow:1:", "bt": 1.79e9, "n": "power", "u": "kW", "v": 0.036}])
    assert replayed("senml", payload.encode(), "urn:dev:ow:1", {"power": "W"}) == [(1_790_000_000_000_000, 36.0)]
