"""FIWARE's IoT Agent for JSON: the examples of its manual, and what is no measure."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.integration import Integration, Origin, Routes
from ingest.formats import ParsedMessage, Unreadable, iota_json, values
from ingest.formats.parsed import OBJECTS_MAX, PAYLOAD_BYTES_MAX
from tests.ingest.formats.checks import DOCS, replayed, undocumented
from tests.ingest.formats.hostile import JSON, assert_read_or_refused, heavy, mutated, seconds

AGENT = Integration(
    "agent", "iota-json", ("/json/{apikey}/{device}/attrs", "/json/{apikey}/{device}/attrs/{attribute}"), "G-1"
)
ROUTES = Routes((AGENT,))
ATTRS = ROUTES.origin_of("/json/ABCDEF/id_sen1/attrs")
H = ROUTES.origin_of("/json/ABCDEF/id_sen1/attrs/h")

# The manual's examples: plain objects, MQTT binding.
TEXTS = '{ "h": "45%", "t": "23", "l": "1570" }'
GROUPS = '[ { "h": "45%", "t": "23", "l": "1570" }, { "h": "47%", "t": "21", "l": "1321" } ]'
NESTED = '{ "h": "45%", "t": "23", "l": { "a": 2, "b": "up", "c": ["1", "3"] } }'
MULTIPLE = '{"h": 70, "t": 15}'
TIMED = '[{"timestamp": "2025-01-26T12:00:00Z", "value":44},{"timestamp": "2025-01-27T09:00:00Z", "value":33}]'
EXAMPLES = [TEXTS, GROUPS, NESTED, MULTIPLE, TIMED, "70"]


def parse(body: Any, origin: Origin = ATTRS) -> ParsedMessage:
    return iota_json.parse(origin, (body if isinstance(body, str) else json.dumps(body)).encode())


def told(message: ParsedMessage) -> list[tuple[int, str, int | None, dict[str, Any]]]:
    assert message.refused == {}
    return [(item.position, item.device, item.at_us, item.readings) for item in message.objects]


def test_multiple_measures_are_one_object_of_the_topics_device() -> None:
    assert told(parse(MULTIPLE)) == [(0, "id_sen1", None, {"h": 70, "t": 15})]
    assert told(parse(TEXTS)) == [(0, "id_sen1", None, {"h": "45%", "t": 23, "l": 1570})]


def test_each_group_of_a_list_stands_for_itself() -> None:
    assert told(parse(GROUPS)) == [
        (0, "id_sen1", None, {"h": "45%", "t": 23, "l": 1570}),
        (1, "id_sen1", None, {"h": "47%", "t": 21, "l": 1321}),
    ]


def test_values_within_values_are_called_by_the_way_to_them() -> None:
    assert told(parse(NESTED))[0][3] == {"h": "45%", "t": 23, "l.a": 2, "l.b": "up", "l.c.0": 1, "l.c.1": 3}


@pytest.mark.parametrize(
    ("payload", "value"), [("70", 70), ("true", 1), ('"70"', 70), ('"on"', "on"), ("hello", "hello"), (" on \n", "on")]
)
def test_a_single_measure_is_called_by_its_topic(payload: str, value: float | str) -> None:
    assert told(parse(payload, H)) == [(0, "id_sen1", None, {"h": value})]


def test_a_single_measure_may_be_a_list_of_values_with_their_times() -> None:
    assert told(parse(TIMED, H)) == [
        (0, "id_sen1", 1_737_892_800_000_000, {"h": 44}),
        (1, "id_sen1", 1_737_968_400_000_000, {"h": 33}),
    ]
    assert told(parse("[1, 2]", H)) == [(0, "id_sen1", None, {"h.0": 1, "h.1": 2})]


@pytest.mark.parametrize(
    "at",
    [
        *("2026-11-23T18:00:00Z", "2026-11-23T19:00:00.000+01:00", "20261123T180000Z", "2026-11-23T18:00:00"),
        *("2026-11-23T19:00:00+0100", "2026-11-23T19:00:00+01", "2026-11-23T18:00", "2026-11-23 18:00Z"),
        *("2026-11-23T18:00:00,000Z", "20261123T1800", "20261123T190000.5+0100", "2026-11-23t18:00:00z"),
    ],
)
def test_time_instant_says_when_a_group_was_measured(at: str) -> None:
    groups = [{"TimeInstant": at, "t": 1}, {"t": 2}]
    at_us = 1_795_456_800_500_000 if ".5" in at else 1_795_456_800_000_000
    assert told(parse(groups)) == [(0, "id_sen1", at_us, {"t": 1}), (1, "id_sen1", None, {"t": 2})]


@pytest.mark.parametrize("at", [None, "", " "])
def test_a_time_that_tells_nothing_is_none(at: str | None) -> None:
    assert told(parse({"TimeInstant": at, "t": 1})) == [(0, "id_sen1", None, {"t": 1})]
    assert told(parse([{"timestamp": at, "value": 1}], H)) == [(0, "id_sen1", None, {"h": 1})]


@pytest.mark.parametrize("at", ["2026-11-23", "18:00:00", "2026-11-23T24:00", "2026-11-23T18", "2026-11-23T18:00:00+1"])
def test_what_is_no_date_and_time_is_refused(at: str) -> None:
    assert parse({"TimeInstant": at, "t": 1}).refused["bad-time"].only == [(0, "t")]


@pytest.mark.parametrize(
    "topic",
    ["/json/ABCDEF/id_sen1/cmdexe", "/ABCDEF/id_sen1/cmd", "/json/ABCDEF/id_sen1/configuration/commands"],
)
def test_results_of_commands_and_configuration_are_no_measures(topic: str) -> None:
    assert parse('{ "ping": "1234567890" }', ATTRS._replace(topic=topic)) == ParsedMessage([])


@pytest.mark.parametrize(
    ("topic", "device"),
    [("/json/ABCDEF/cmd/attrs", "cmd"), ("/json/ABCDEF/configuration/attrs", "configuration"), ("cmdexe/d", "d")],
)
def test_measures_of_a_device_that_is_called_like_something_else_are_read(topic: str, device: str) -> None:
    origin = ATTRS._replace(topic=topic, levels={"device": device})
    assert told(parse(MULTIPLE, origin)) == [(0, device, None, {"h": 70, "t": 15})]


@pytest.mark.parametrize("attribute", ["cmd", "cmdexe", "values"])
def test_a_single_measure_may_be_called_like_something_else(attribute: str) -> None:
    origin = H._replace(topic=f"/json/ABCDEF/id_sen1/attrs/{attribute}")
    assert told(parse("1", origin)) == [(0, "id_sen1", None, {attribute: 1})]


def test_on_our_own_topic_the_gateway_is_the_device() -> None:
    assert told(parse(MULTIPLE, Origin("citynerve/v1/N-9/iota-json", "iota-json", "N-9", {})))[0][1] == "N-9"


def test_good_measures_pass_beside_bad_ones() -> None:
    message = parse(
        '[{"t": NaN, "h": 1}, 5, {"TimeInstant": "now", "t": 1}, {"TimeInstant": 5}, {}, {"t": null}, {"t": 2}]'
    )
    assert [item.readings for item in message.objects] == [{"h": 1}, {"t": 2}]
    assert {reason: refusal.only for reason, refusal in message.refused.items()} == {
        "not-a-number": [(0, "t")],
        "not-an-object": [(1, "")],
        "bad-time": [(2, "t"), (3, "")],
        "no-readings": [(4, ""), (5, "")],
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hello", "not-json"),
        ("5", "not-an-object"),
        ("[]", "no-readings"),
        ('{"t":1,"t":2}', "duplicate-key"),
        ("[" + '{"t":1},' * OBJECTS_MAX + '{"t":1}]', "too-many-objects"),
        (" " * (PAYLOAD_BYTES_MAX + 1), "too-large"),
    ],
)
def test_a_message_that_cannot_be_read_is_refused_whole(text: str, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(text)
    assert caught.value.reason == reason


@pytest.mark.parametrize("payload", [b"\x00\x01", b"\xff\xfe", b"x" * 200, b'{"a":'])
def test_bytes_that_are_neither_json_nor_a_word_are_refused(payload: bytes) -> None:
    if payload == b'{"a":':
        assert iota_json.parse(H, payload).objects[0].readings == {"h": '{"a":'}
        return
    with pytest.raises(Unreadable) as caught:
        iota_json.parse(H, payload)
    assert caught.value.reason == "not-json"


GROUP = st.dictionaries(st.sampled_from(["TimeInstant", "t", "h", "timestamp", "value"]) | st.text(max_size=5), JSON)


@settings(max_examples=300)
@given(
    st.sampled_from([ATTRS, H]),
    st.binary(max_size=200)
    | (GROUP | st.lists(GROUP, max_size=3) | JSON).map(lambda body: json.dumps(body).encode())
    | st.builds(lambda t, s: mutated(t.encode(), s), st.sampled_from(EXAMPLES), st.integers(0, 2**32)),
)
def test_any_bytes_and_any_json_are_read_or_refused(origin: Origin, payload: bytes) -> None:
    assert_read_or_refused(iota_json.parse, origin, payload)


def test_no_payload_takes_long() -> None:
    for origin in (ATTRS, H):
        for payload in heavy({"TimeInstant": "2026-11-23T18:00:00Z", "t": 1}):
            assert seconds(iota_json.parse, origin, payload) < 1.0


def test_the_examples_of_the_documents_are_read() -> None:
    multiple, single = re.findall(r"```json\n(.*?)```", (DOCS / "iota-json.md").read_text(), re.DOTALL)
    assert told(parse(multiple)) == [
        (0, "id_sen1", 1_795_456_800_000_000, {"power": 36.1, "level": 100}),
        (1, "id_sen1", 1_795_456_860_000_000, {"power": 36.4}),
    ]
    assert [readings for *_, readings in told(parse(single, H))] == [{"h": 36.1}, {"h": 36.4}]


def test_every_reason_of_the_parser_is_documented() -> None:
    assert undocumented("iota-json", iota_json, values) == set()


def test_what_was_refused_comes_back_by_replay_when_the_device_is_known() -> None:
    payload = b'[{"TimeInstant":"2026-11-23T18:00:00Z","p":"36"},{"p":37}]'
    found = replayed("iota-json", payload, "N-9", {"p": "W"}, "/json/KEY/N-9/attrs", (AGENT,))
    assert found == [(1_795_456_800_000_000, 36.0), (1_795_456_800_000_000, 37.0)]
