"""ThingsBoard's telemetry: the shapes of its gateway API and of its device API, as its reference prints them."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.integration import Integration, Origin
from ingest.formats import ParsedMessage, Unreadable, thingsboard, values
from ingest.formats.parsed import KEYS_MAX, OBJECTS_MAX, PAYLOAD_BYTES_MAX
from tests.ingest.formats.checks import DOCS, replayed, undocumented
from tests.ingest.formats.hostile import JSON, assert_read_or_refused, heavy, mutated, seconds

GATEWAY = Origin("v1/gateway/telemetry", "thingsboard", "TB-1", {})
DEVICE = Origin("v1/devices/me/telemetry", "thingsboard", "TB-1", {})
OWN = Origin("citynerve/v1/TB-1/thingsboard", "thingsboard", "TB-1", {})

# thingsboard.io, Reference: Gateway API, Telemetry; MQTT API, Telemetry.
GATEWAY_EXAMPLE = """{
  "Device A": [
    {"ts": 1483228800000, "values": {"temperature": 42, "humidity": 80}},
    {"ts": 1483228801000, "values": {"temperature": 43, "humidity": 82}}
  ],
  "Device B": [
    {"ts": 1483228800000, "values": {"temperature": 42, "humidity": 80}}
  ]
}"""
SIMPLE = '{"temperature": 22.5, "humidity": 61}'
WITH_TIME = '{"ts": 1451649600512, "values": {"temperature": 22.5, "humidity": 61}}'
ARRAY = """[
  {"ts": 1451649600000, "values": {"temperature": 22.5, "humidity": 61}},
  {"ts": 1451649601000, "values": {"temperature": 22.7, "humidity": 60}}
]"""
EXAMPLES = [GATEWAY_EXAMPLE, SIMPLE, WITH_TIME, ARRAY]


def parse(body: str | Any, origin: Origin = GATEWAY) -> ParsedMessage:
    return thingsboard.parse(origin, (body if isinstance(body, str) else json.dumps(body)).encode())


def told(message: ParsedMessage) -> list[tuple[int, str, int | None, dict[str, Any]]]:
    assert message.refused == {}
    return [(item.position, item.device, item.at_us, item.readings) for item in message.objects]


@pytest.mark.parametrize("origin", [GATEWAY, OWN])
def test_a_gateway_speaks_for_its_devices(origin: Origin) -> None:
    at = 1_483_228_800_000_000
    assert told(parse(GATEWAY_EXAMPLE, origin)) == [
        (0, "Device A", at, {"temperature": 42, "humidity": 80}),
        (1, "Device A", at + 1_000_000, {"temperature": 43, "humidity": 82}),
        (2, "Device B", at, {"temperature": 42, "humidity": 80}),
    ]


@pytest.mark.parametrize("entry", [{"values": {"t": 1}}, {"t": 1}])
def test_without_a_time_it_is_that_of_receipt(entry: dict[str, Any]) -> None:
    assert told(parse({"A": [entry], "B": entry})) == [(0, "A", None, {"t": 1}), (1, "B", None, {"t": 1})]


@pytest.mark.parametrize("origin", [DEVICE, OWN])
def test_a_device_speaks_for_itself(origin: Origin) -> None:
    first = {"temperature": 22.5, "humidity": 61}
    assert told(parse(SIMPLE, origin)) == [(0, "TB-1", None, first)]
    assert told(parse(WITH_TIME, origin)) == [(0, "TB-1", 1_451_649_600_512_000, first)]
    assert told(parse(ARRAY, origin)) == [
        (0, "TB-1", 1_451_649_600_000_000, first),
        (1, "TB-1", 1_451_649_601_000_000, {"temperature": 22.7, "humidity": 60}),
    ]
    assert told(parse('[{"key1":"value1"}, {"key2":true}]', origin)) == [
        (0, "TB-1", None, {"key1": "value1"}),
        (1, "TB-1", None, {"key2": 1}),
    ]


def test_the_topic_may_name_the_device() -> None:
    origin = DEVICE._replace(topic="v1/devices/N-9/telemetry", levels={"device": "N-9"})
    assert told(parse('{"x":[{"a":1}]}', origin)) == [(0, "N-9", None, {"x.0.a": 1})]


def test_values_of_every_type_that_thingsboard_has() -> None:
    body = {
        "s": "on",
        "b": True,
        "d": 42.5,
        "l": 73,
        "o": {"nested": {"key": "7.5"}},
        "a": [1, 2],
        "n": "-3e1",
        "z": None,
    }
    assert told(parse({"A": [{"ts": 1483228800000, "values": body}]}))[0][3] == {
        "s": "on",
        "b": 1,
        "d": 42.5,
        "l": 73,
        "o.nested.key": 7.5,
        "a.0": 1,
        "a.1": 2,
        "n": -30,
    }


@pytest.mark.parametrize(
    "topic",
    [
        "v1/gateway/attributes",
        "v1/gateway/connect",
        "v1/gateway/disconnect",
        "v1/gateway/rpc",
        "v1/gateway/claim",
        "v1/devices/me/attributes",
        "v1/devices/me/rpc/request/1",
        "site/v1/devices/N-9/attributes/request/1",
        "/provision/request",
        "v2/a",
        "v2/r/req/1",
    ],
)
def test_what_is_no_telemetry_gives_nothing(topic: str) -> None:
    assert parse("whatever", GATEWAY._replace(topic=topic)) == ParsedMessage([])


@pytest.mark.parametrize(
    "topic",
    ["plant/attributes/N-9/telemetry", "v1/devices/connect/telemetry", "rpc/N-9", "v1/devices/provision/telemetry"],
)
def test_telemetry_of_a_device_that_is_called_like_something_else_is_read(topic: str) -> None:
    assert told(parse(SIMPLE, DEVICE._replace(topic=topic, levels={"device": "N-9"})))[0][1] == "N-9"


def test_a_level_called_gateway_alone_makes_no_gateways_topic() -> None:
    assert told(parse(SIMPLE, DEVICE._replace(topic="plant/gateway/7")))[0][1] == "TB-1"


@pytest.mark.parametrize("topic", ["v2/t", "v1/devices/me/telemetry"])
def test_short_topics_are_the_same(topic: str) -> None:
    assert told(parse(SIMPLE, DEVICE._replace(topic=topic)))


def test_good_readings_pass_beside_bad_ones() -> None:
    text = """{"A": [{"ts": "now", "values": {"t": 1, "h": 2}}, 5, {"ts": 1483228800000, "values": {"t": NaN, "h": 1}},
        {"values": {}}, {"values": {"x": 1e999, "y": 1}}], "": [{"t": 1}], "B\\u0000": [{"t": {"x": 1}}]}"""
    message = parse(text)
    assert [(item.device, item.readings) for item in message.objects] == [("A", {"h": 1}), ("A", {"y": 1})]
    assert {reason: refusal.only for reason, refusal in message.refused.items()} == {
        "bad-time": [(0, "t"), (0, "h")],
        "not-an-object": [(1, "")],
        "not-a-number": [(2, "t"), (4, "x")],
        "no-readings": [(3, "")],
        "bad-device": [(5, "t"), (6, "t.x")],
    }


def test_an_object_of_too_many_values_is_refused_alone() -> None:
    message = parse({"A": [{f"m{n}": n for n in range(KEYS_MAX + 1)}, {"t": 1}]})
    assert [item.readings for item in message.objects] == [{"t": 1}]
    assert len(message.refused["too-many-keys"].only) == KEYS_MAX + 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not-json"),
        ("5", "not-an-object"),
        ("{}", "no-readings"),
        ("[]", "no-readings"),
        ('{"A":[],"B":[]}', "no-readings"),
        ('{"A":[{"t":1,"t":2}]}', "duplicate-key"),
        ('{"A":[{"t":1}],"A":[{"t":2}]}', "duplicate-key"),
        ('{"A":[' + '{"t":1},' * OBJECTS_MAX + '{"t":1}]}', "too-many-objects"),
        (" " * (PAYLOAD_BYTES_MAX + 1), "too-large"),
    ],
)
def test_a_message_that_cannot_be_read_is_refused_whole(text: str, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(text)
    assert caught.value.reason == reason


ENTRY = st.fixed_dictionaries({}, optional={"ts": JSON | st.integers(0, 2**50), "values": JSON, "t": JSON})
SHAPES = st.dictionaries(st.text(max_size=5), st.lists(ENTRY, max_size=3) | JSON, max_size=3) | st.lists(ENTRY) | JSON


@settings(max_examples=300)
@given(
    st.sampled_from([GATEWAY, DEVICE, OWN]),
    st.binary(max_size=200)
    | SHAPES.map(lambda body: json.dumps(body).encode())
    | st.builds(lambda t, s: mutated(t.encode(), s), st.sampled_from(EXAMPLES), st.integers(0, 2**32)),
)
def test_any_bytes_and_any_json_are_read_or_refused(origin: Origin, payload: bytes) -> None:
    assert_read_or_refused(thingsboard.parse, origin, payload)


def test_no_payload_takes_long() -> None:
    for origin in (GATEWAY, OWN):
        for payload in heavy({"ts": 1483228800000, "values": {"t": 1}}):
            assert seconds(thingsboard.parse, origin, payload) < 1.0


def test_the_examples_of_the_documents_are_read() -> None:
    page = (DOCS / "thingsboard.md").read_text()
    gateway, simple, device = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert [item.device for item in parse(gateway).objects] == ["Lamp 17", "Lamp 17", "Lamp 18"]
    assert parse(simple, DEVICE).objects[0].readings == {"power": 36.1, "state": "on"}
    assert parse(device, DEVICE).objects[0].at_us == 1_795_456_800_000_000


def test_every_reason_of_the_parser_is_documented() -> None:
    assert undocumented("thingsboard", thingsboard, values) == set()


def test_what_was_refused_comes_back_by_replay_when_the_device_is_known() -> None:
    integration = Integration("tb", "thingsboard", ("v1/gateway/telemetry",), "G-1")
    payload = b'{"Lamp 17":[{"ts":1795456800000,"values":{"p":36}},{"ts":1795456860000,"values":{"p":"37"}}]}'
    found = replayed("thingsboard", payload, "Lamp 17", {"p": "W"}, "v1/gateway/telemetry", (integration,))
    assert found == [(1_795_456_800_000_000, 36.0), (1_795_456_860_000_000, 37.0)]
