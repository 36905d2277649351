"""NGSIv2 notifications: normalized and key-values, metadata, and the Smart Data Models of street lighting."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.integration import Origin
from ingest.formats import ParsedMessage, Unreadable, ngsi_v2
from tests.ingest.formats.checks import DOCS, replayed
from tests.ingest.formats.hostile import JSON, assert_read_or_refused, heavy, mutated, seconds

ORIGIN = Origin("citynerve/v1/CB-2/ngsi-v2", "ngsi-v2", "CB-2", {})
SMART = Path(__file__).parent / "smart"
AT_US = 1_795_456_800_000_000
OBSERVED = "2026-11-23T18:00:00Z"

# The notification of Orion's walk-through, with the metadata of IoT agents.
ORION = """{
  "subscriptionId": "57458eb60962ef754e7c0998",
  "data": [
    {
      "id": "Room1",
      "type": "Room",
      "temperature": {
        "value": 28.5,
        "type": "Float",
        "metadata": {"TimeInstant": {"type": "DateTime", "value": "2026-11-23T18:00:00.000Z"}}
      },
      "ping_status": {"type": "commandStatus", "value": "OK", "metadata": {}},
      "ping_info": {"type": "commandResult", "value": "22", "metadata": {}}
    }
  ]
}"""


def parse(body: Any) -> ParsedMessage:
    return ngsi_v2.parse(ORIGIN, (body if isinstance(body, str) else json.dumps(body)).encode())


def told(message: ParsedMessage) -> list[tuple[str, int | None, dict[str, Any], dict[str, str]]]:
    assert message.refused == {}
    return [(item.device, item.at_us, item.readings, item.units) for item in message.objects]


def notification(*entities: Any) -> dict[str, Any]:
    return {"subscriptionId": "57458eb60962ef754e7c0998", "data": list(entities)}


def test_the_notification_of_orions_walk_through() -> None:
    assert told(parse(ORION)) == [("Room1", AT_US, {"temperature": 28.5}, {})]


@pytest.mark.parametrize("name", ["Streetlight-example-normalized.json", "Streetlight-example.json"])
def test_a_streetlight_of_the_smart_data_models(name: str) -> None:
    [(device, at_us, readings, _)] = told(parse(notification(json.loads((SMART / name).read_text()))))
    assert (device, at_us) == ("streetlight:guadalajara:4567", 1_610_360_462_000_000)
    wanted = {
        "powerConsumption": 10,
        "voltage": 50,
        "current": 250,
        "powerState": "off",
        "lifetimePowerConsumption": 93.4,
    }
    assert wanted.items() <= readings.items()
    assert not {"location", "dateLastLampChange", "id", "type"} & readings.keys()


def test_a_feeder_tells_its_phases_as_lists() -> None:
    entity = json.loads((SMART / "StreetlightFeeder-example-normalized.json").read_text())
    [(_, at_us, readings, _)] = told(parse(entity))
    assert at_us == 1_615_458_062_000_000
    assert {"phaseCurrent.0": 25, "phaseCurrent.2": 30, "activePower.1": 200}.items() <= readings.items()


@pytest.mark.parametrize("key", ["TimeInstant", "timestamp", "dateObserved", "observedAt"])
def test_metadata_tell_an_attributes_time_and_unit(key: str) -> None:
    metadata = {key: {"type": "DateTime", "value": OBSERVED}, "unitCode": {"type": "Text", "value": "KWT"}}
    body = notification({"id": "x", "type": "T", "p": {"type": "Number", "value": "0.0361", "metadata": metadata}})
    assert told(parse(body)) == [("x", AT_US, {"p": 0.0361}, {"p": "KWT"})]


def test_a_time_that_tells_nothing_is_none() -> None:
    empty = {"TimeInstant": {"type": "DateTime", "value": ""}, "timestamp": {"type": "DateTime", "value": OBSERVED}}
    attribute = {"type": "Number", "value": 1, "metadata": empty}
    assert told(parse({"id": "x", "type": "T", "a": attribute}))[0][1] == AT_US


def test_an_attributes_time_comes_before_the_entitys() -> None:
    late = {"TimeInstant": {"type": "DateTime", "value": "2026-11-23T18:01:00Z"}}
    body = {
        "id": "x",
        "TimeInstant": {"type": "DateTime", "value": OBSERVED},
        "a": {"type": "Number", "value": 1},
        "b": {"type": "Number", "value": 2, "metadata": late},
    }
    assert [(at, readings) for _, at, readings, _ in told(parse(body))] == [
        (AT_US, {"a": 1}),
        (AT_US + 60_000_000, {"b": 2}),
    ]


def test_of_two_values_of_one_name_none_is_taken() -> None:
    message = parse({"id": "Room1", "a.b": 1, "a": {"b": 2}, "good": 5})
    assert [item.readings for item in message.objects] == [{"good": 5}]
    assert message.refused["duplicate-key"].only == [(0, "a.b"), (0, "a.b")]


def test_the_form_of_values_alone_says_what_to_choose() -> None:
    message = parse({"subscriptionId": "1", "data": [[21.5, "on"]]})
    assert "choose normalized" in message.refused["not-an-object"].detail


def test_batches_and_lists_of_entities_are_read_too() -> None:
    entities = [{"id": "x", "a": {"type": "Number", "value": 1}}, {"id": "y", "a": 2}]
    for body in ({"actionType": "append", "entities": entities}, entities):
        assert told(parse(body)) == [("x", None, {"a": 1}, {}), ("y", None, {"a": 2}, {})]


def test_an_object_that_is_a_value_is_no_attribute() -> None:
    assert told(
        parse({"id": "x", "lamp": {"value": 1, "level": 50}, "s": {"type": "StructuredValue", "value": {"a": 1}}})
    ) == [("x", None, {"lamp.value": 1, "lamp.level": 50, "s.a": 1}, {})]


def test_good_readings_pass_beside_bad_ones() -> None:
    message = parse(
        '{"data":[{"id":"x","a":NaN,"b":1},["values","form"],{"id":"y","a":{"type":"Number","value":1e999}}]}'
    )
    assert [item.readings for item in message.objects] == [{"b": 1}]
    assert {reason: refusal.only for reason, refusal in message.refused.items()} == {
        "not-a-number": [(0, "a"), (2, "a")],
        "not-an-object": [(1, "")],
    }


@pytest.mark.parametrize(("text", "reason"), [("{", "not-json"), ("5", "not-a-list"), ('{"data":[]}', "no-readings")])
def test_a_message_that_cannot_be_read_is_refused_whole(text: str, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(text)
    assert caught.value.reason == reason


ATTRIBUTE = st.dictionaries(st.sampled_from(["type", "value", "metadata"]), JSON | st.just("DateTime"), max_size=3)
ENTITY = st.dictionaries(
    st.sampled_from(["id", "type", "a", "TimeInstant"]) | st.text(max_size=5),
    ATTRIBUTE | JSON | st.just("x"),
    max_size=5,
)
BODY = ENTITY | st.lists(ENTITY, max_size=2) | st.builds(lambda e: {"data": e}, st.lists(ENTITY, max_size=2)) | JSON


@settings(max_examples=300)
@given(
    st.binary(max_size=200)
    | BODY.map(lambda body: json.dumps(body).encode())
    | st.integers(0, 2**32).map(lambda seed: mutated(ORION.encode(), seed))
)
def test_any_bytes_and_any_json_are_read_or_refused(payload: bytes) -> None:
    assert_read_or_refused(ngsi_v2.parse, ORIGIN, payload)


def test_no_payload_takes_long() -> None:
    for payload in heavy({"id": "x", "a": {"type": "Number", "value": 1}}):
        assert seconds(ngsi_v2.parse, ORIGIN, payload) < 1.0


def test_the_examples_of_the_documents_are_read() -> None:
    _, normalized = re.findall(r"```json\n(.*?)```", (DOCS / "ngsi.md").read_text(), re.DOTALL)
    assert told(parse(normalized)) == [
        ("Streetlight:17", AT_US, {"powerConsumption": 36.1, "powerState": "on"}, {"powerConsumption": "WTT"})
    ]


def test_what_was_refused_comes_back_by_replay_when_the_device_is_known() -> None:
    assert replayed("ngsi-v2", ORION.encode(), "Room1", {"temperature": "Cel"}) == [(AT_US, 28.5)]
