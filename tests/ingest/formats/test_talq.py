"""TALQ's log reports: attributes, events and changes of state as the data model of 2.7.1 has them."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.integration import Origin, Routes
from city.registry import IngestRegistry, KnownDevice, SeriesTarget
from ingest.formats import ParsedMessage, Unreadable, talq, values
from ingest.formats.parsed import OBJECTS_MAX, PAYLOAD_BYTES_MAX
from ingest.resolve import Rows, resolve
from tests.ingest.formats.checks import DOCS, RECEIVED_AT, replayed, undocumented
from tests.ingest.formats.hostile import JSON, assert_read_or_refused, heavy, mutated, seconds

ORIGIN = Origin("citynerve/v1/T-1/talq", "talq", "T-1", {})
AT_US = 1_795_456_800_000_000
AT = "2026-11-23T18:00:00Z"
LAMP = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"


def report(*data: Any) -> dict[str, Any]:
    return {"address": "logger-1", "entries": [{"cmsRefId": "x", "data": item} for item in data]}


def attribute(name: str, value: Any, kind: str = "AttributeFloat", **more: Any) -> dict[str, Any]:
    content = {"type": kind, "value": value, **more}
    source = {"srcAddress": f"{LAMP}/lampMonitor1", "timestamp": AT}
    return {"type": "AttributeLogData", **source, "attributeName": name, "attributeValue": content}


def event(name: str, flag: bool | None = True, **more: Any) -> dict[str, Any]:
    body = {"type": "EventLogData", "srcAddress": f"{LAMP}/lampMonitor1", "timestamp": AT, "eventType": name}
    return body | ({} if flag is None else {"startEndFlag": flag}) | more


def parse(body: Any) -> ParsedMessage:
    return talq.parse(ORIGIN, (body if isinstance(body, str) else json.dumps(body)).encode())


def told(message: ParsedMessage) -> list[tuple[int, str, str, int | None, dict[str, Any]]]:
    assert message.refused == {}
    return [(item.position, item.device, item.part, item.at_us, item.readings) for item in message.objects]


def test_an_attribute_is_a_reading_of_its_device() -> None:
    assert told(parse(report(attribute("activePower", 36.1), attribute("lampFailure", True, "AttributeBoolean")))) == [
        (0, LAMP, "lampMonitor1", AT_US, {"activePower": 36.1}),
        (1, LAMP, "lampMonitor1", AT_US, {"lampFailure": 1}),
    ]


def test_an_attributes_own_time_comes_before_the_entrys() -> None:
    own = attribute("activePower", 36.1, timestamp="2026-11-23T19:59:00+02:00")
    assert told(parse(report(own)))[0][3] == AT_US - 60_000_000


@pytest.mark.parametrize(
    ("value", "kind", "readings"),
    [
        ({"name": "LevelState", "value": 70}, "AttributeLevelState", {"x": 70}),
        ({"state": {"name": "LevelState", "value": 70}, "reason": "program"}, "AttributeCommand", {"x": 70}),
        (
            {"name": "RGBState", "red": 1, "green": 2, "blue": 3},
            "AttributeState",
            {"x.red": 1, "x.green": 2, "x.blue": 3},
        ),
        ("ON", "AttributeBinary", {"x": "ON"}),
        (55, "AttributePercent", {"x": 55}),
    ],
)
def test_values_of_each_kind(value: Any, kind: str, readings: dict[str, Any]) -> None:
    assert told(parse(report(attribute("x", value, kind))))[0][4] == readings


@pytest.mark.parametrize(("flag", "value"), [(True, 1), (False, 0), (None, 1)])
def test_an_event_is_1_from_its_start_to_its_end(flag: bool | None, value: int) -> None:
    assert told(parse(report(event("lampFailure", flag)))) == [(0, LAMP, "lampMonitor1", AT_US, {"lampFailure": value})]


def test_what_stands_beside_an_event_is_called_by_its_tag() -> None:
    attributes = [
        {"tag": "activePower", "value": {"type": "AttributeFloat", "value": 3.5}},
        {"tag": "supplyVoltage", "value": {"type": "AttributeFloat", "value": 229}, "srcAddress": "other/meter"},
        {"value": {"type": "AttributeFloat", "value": 1}},
    ]
    info = [{"description": "lamp is dark", "lang": "en"}]
    assert told(parse(report(event("lampFailure", True, attributes=attributes, info=info)))) == [
        (0, LAMP, "lampMonitor1", AT_US, {"lampFailure": 1}),
        (0, LAMP, "lampMonitor1", AT_US, {"activePower": 3.5}),
        (0, "other", "meter", AT_US, {"supplyVoltage": 229}),
    ]


def test_a_change_of_state_tells_state_and_command() -> None:
    change = {
        "type": "StateChangeEventLogData",
        "srcAddress": f"{LAMP}/lampActuator1",
        "timestamp": AT,
        "eventType": "lightStateChange",
        "command": {"state": {"name": "LevelState", "value": 70}, "reason": "program"},
        "state": {"name": "LevelState", "value": 68},
    }
    assert told(parse(report(change)))[0][4] == {"state": 68, "command": 70}


@pytest.mark.parametrize(
    ("change", "readings"),
    [
        ({"command": {"state": {"name": "LevelState", "value": 70}}}, {"state": 70, "command": 70}),
        ({"command": {"reason": "program"}, "state": {"name": "LevelState", "value": 0}}, {"state": 0}),
        (
            {"command": {"state": {"name": "LevelAndCCTColorState", "level": 70, "cct": 3000}}},
            {"state.level": 70, "state.cct": 3000, "command.level": 70, "command.cct": 3000},
        ),
    ],
)
def test_a_state_that_is_not_told_is_the_one_that_was_commanded(change: Any, readings: dict[str, Any]) -> None:
    """2.7.1 wants the command, and the state beside it only where the two differ."""
    data = {"type": "StateChangeEventLogData", "srcAddress": LAMP, "timestamp": AT, "eventType": "x", **change}
    assert told(parse(report(data)))[0][4] == readings


def test_a_change_of_state_that_tells_neither_does_not_vanish() -> None:
    data = {"type": "StateChangeEventLogData", "srcAddress": LAMP, "timestamp": AT, "command": {"reason": "program"}}
    assert parse(report(data)).refused["no-readings"].only == [(0, "")]


def test_a_function_that_is_registered_by_itself_is_a_device_of_its_own() -> None:
    target = {"activePower": SeriesTarget(1, 0, 0, 100)}, {"activePower": SeriesTarget(2, 0, 0, 100)}
    devices = {LAMP: KnownDevice("N-1", "T-1", target[0]), f"{LAMP}/lampMonitor2": KnownDevice("N-2", "T-1", target[1])}
    registry = IngestRegistry({"T-1": 1}, devices, 1, Routes())
    second = attribute("activePower", 30) | {"srcAddress": f"{LAMP}/lampMonitor2"}
    rows: Rows = {}
    resolve(parse(report(attribute("activePower", 36), second)), "T-1", registry, RECEIVED_AT, rows)
    assert (rows[0].series.tolist(), rows[0].value.tolist()) == ([1, 2], [36.0, 30.0])


def test_a_report_without_entries_gives_nothing() -> None:
    assert told(parse({"address": "logger-1"})) == told(parse(report())) == []


def test_what_is_no_log_report_does_not_vanish() -> None:
    with pytest.raises(Unreadable) as caught:
        talq.parse(ORIGIN, b'{"address":"logger-1","logs":[{"data":{}}]}')
    assert caught.value.reason == "unexpected-key"


def test_good_entries_pass_beside_bad_ones() -> None:
    body = report(
        attribute("a", 1),
        attribute("b", 1) | {"srcAddress": 7},
        attribute("c", 1) | {"timestamp": "now"},
        attribute("d", 1) | {"attributeName": None},
        {"type": "ProgramLogData"},
        event("e") | {"eventType": 5},
        attribute("f", {}) | {"attributeValue": {"type": "AttributeFloat"}},
        {"type": "StateChangeEventLogData", "srcAddress": "x"},
        attribute("z", 2),
    )
    body["entries"].append("nothing")
    message = parse(body)
    assert [item.readings for item in message.objects] == [{"a": 1}, {"z": 2}]
    assert {reason: refusal.only for reason, refusal in message.refused.items()} == {
        "bad-device": [(1, "b")],
        "bad-time": [(2, "c")],
        "bad-metric-name": [(3, ""), (5, "")],
        "unknown-entry": [(4, "")],
        "no-readings": [(6, ""), (7, "")],
        "not-an-object": [(9, "")],
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not-json"),
        ("[]", "not-an-object"),
        ('{"entries":{}}', "not-a-list"),
        ('{"entries":[],"entries":[]}', "duplicate-key"),
        ('{"entries":[' + "{}," * OBJECTS_MAX + "{}]}", "too-many-objects"),
        (" " * (PAYLOAD_BYTES_MAX + 1), "too-large"),
    ],
)
def test_a_message_that_cannot_be_read_is_refused_whole(text: str, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(text)
    assert caught.value.reason == reason


KINDS = st.sampled_from(["AttributeLogData", "EventLogData", "StateChangeEventLogData", LAMP, AT, "x"])
DATA = st.dictionaries(
    st.sampled_from(
        [
            "type",
            "srcAddress",
            "timestamp",
            "attributeName",
            "attributeValue",
            "eventType",
            "startEndFlag",
            "attributes",
            "command",
            "state",
        ]
    ),
    KINDS | JSON | st.dictionaries(st.sampled_from(["value", "state", "name", "timestamp"]), JSON, max_size=3),
    max_size=7,
)
BODY = st.builds(lambda data: report(*data), st.lists(DATA, max_size=3)) | JSON
GOOD = json.dumps(report(attribute("activePower", 36.1), event("lampFailure"))).encode()


@settings(max_examples=300)
@given(
    st.binary(max_size=200)
    | BODY.map(lambda body: json.dumps(body).encode())
    | st.integers(0, 2**32).map(lambda seed: mutated(GOOD, seed))
)
def test_any_bytes_and_any_json_are_read_or_refused(payload: bytes) -> None:
    assert_read_or_refused(talq.parse, ORIGIN, payload)


def test_no_payload_takes_long() -> None:
    for payload in heavy({"data": attribute("a", 1)}):
        assert seconds(talq.parse, ORIGIN, payload) < 1.0
        assert seconds(talq.parse, ORIGIN, b'{"entries":' + payload + b"}") < 1.0


def test_the_examples_of_the_documents_are_read() -> None:
    [example] = re.findall(r"```json\n(.*?)```", (DOCS / "talq.md").read_text(), re.DOTALL)
    assert [readings for *_, readings in told(parse(example))] == [
        {"activePower": 36.1},
        {"lampFailure": 1},
        {"supplyVoltage": 229.8},
        {"state": 70, "command": 70},
    ]


def test_every_reason_of_the_parser_is_documented() -> None:
    assert undocumented("talq", talq, values) == set()


def test_what_was_refused_comes_back_by_replay_when_the_device_is_known() -> None:
    payload = json.dumps(report(attribute("activePower", 36.1))).encode()
    assert replayed("talq", payload, LAMP, {"activePower": "W"}) == [(AT_US, 36.1)]
