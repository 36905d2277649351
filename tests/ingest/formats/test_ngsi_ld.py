"""NGSI-LD notifications: the forms of ETSI GS CIM 009, and the Smart Data Models of street lighting."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.integration import Origin
from ingest.formats import ParsedMessage, Unreadable, ngsi, ngsi_ld, values
from ingest.formats.parsed import OBJECTS_MAX, PAYLOAD_BYTES_MAX
from tests.ingest.formats.checks import DOCS, replayed, undocumented
from tests.ingest.formats.hostile import JSON, assert_read_or_refused, heavy, mutated, seconds

ORIGIN = Origin("citynerve/v1/CB-1/ngsi-ld", "ngsi-ld", "CB-1", {})
SMART = Path(__file__).parent / "smart"
AT_US = 1_795_456_800_000_000
OBSERVED = "2026-11-23T18:00:00Z"
LIGHT = "urn:ngsi-ld:Streetlight:streetlight:guadalajara:4567"


def smart(name: str) -> Any:
    return json.loads((SMART / name).read_text())


def parse(body: Any) -> ParsedMessage:
    return ngsi_ld.parse(ORIGIN, (body if isinstance(body, str) else json.dumps(body)).encode())


def notification(*entities: Any, **more: Any) -> dict[str, Any]:
    head = {"id": "urn:ngsi-ld:Notification:1", "type": "Notification", "subscriptionId": "urn:ngsi-ld:Subscription:1"}
    return {**head, "notifiedAt": "2026-11-23T18:00:01Z", "data": list(entities), **more}


def entity(**attributes: Any) -> dict[str, Any]:
    return {"id": "urn:ngsi-ld:Streetlight:17", "type": "Streetlight", **attributes}


def told(message: ParsedMessage) -> list[tuple[str, int | None, dict[str, Any], dict[str, str]]]:
    assert message.refused == {}
    return [(item.device, item.at_us, item.readings, item.units) for item in message.objects]


NORMALIZED = entity(
    powerConsumption={"type": "Property", "value": 36.1, "unitCode": "WTT", "observedAt": OBSERVED},
    powerState={"type": "Property", "value": "on", "observedAt": OBSERVED},
    refDevice={"type": "Relationship", "object": "urn:ngsi-ld:Device:1"},
    location={"type": "GeoProperty", "value": {"type": "Point", "coordinates": [-5.6, 43.5]}},
    name={"type": "LanguageProperty", "languageMap": {"es": "Farola", "en": "Light"}},
)
CONCISE = entity(
    powerConsumption={"value": 36.1, "unitCode": "WTT", "observedAt": OBSERVED},
    powerState={"value": "on", "observedAt": OBSERVED},
    refDevice={"object": "urn:ngsi-ld:Device:1"},
    location={"type": "Point", "coordinates": [-5.6, 43.5]},
    name={"languageMap": {"es": "Farola", "en": "Light"}},
)
SIMPLIFIED = entity(
    powerConsumption=36.1,
    powerState="on",
    refDevice="urn:ngsi-ld:Device:1",
    location={"type": "Point", "coordinates": [-5.6, 43.5]},
    name={"languageMap": {"es": "Farola", "en": "Light"}},
    observationDateTime=OBSERVED,
    dateLastLampChange="2016-07-08T08:02:21.753Z",
)


@pytest.mark.parametrize(
    ("form", "units"),
    [(NORMALIZED, {"powerConsumption": "WTT"}), (CONCISE, {"powerConsumption": "WTT"}), (SIMPLIFIED, {})],
    ids=["normalized", "concise", "simplified"],
)
def test_each_form_gives_the_same_readings(form: dict[str, Any], units: dict[str, str]) -> None:
    found = [("urn:ngsi-ld:Streetlight:17", AT_US, {"powerConsumption": 36.1, "powerState": "on"}, units)]
    assert told(parse(notification(form))) == found
    assert told(parse(form)) == found
    assert told(parse([form])) == found
    assert told(parse({"metadata": {"Content-Type": "application/json"}, "body": notification(form)})) == found


def test_a_notification_says_when_it_was_sent() -> None:
    assert parse(notification(NORMALIZED)).sent_at_us == AT_US + 1_000_000


@pytest.mark.parametrize("name", ["Streetlight-example-normalized.jsonld", "Streetlight-example.jsonld"])
def test_a_streetlight_of_the_smart_data_models(name: str) -> None:
    [(device, at_us, readings, _)] = told(parse(notification(smart(name))))
    assert (device, at_us) == (LIGHT, 1_610_360_462_000_000)
    assert {"powerConsumption": 10, "voltage": 50, "current": 250, "powerFactor": 0.7}.items() <= readings.items()
    assert {"powerState": "off", "status": "ok"}.items() <= readings.items()
    assert not {"location", "refStreetlightGroup", "dateLastLampChange", "@context", "id", "type"} & readings.keys()


def test_a_cabinet_tells_its_phases_and_a_feeder_its_lists() -> None:
    [(_, at_us, cabinet, _)] = told(parse(smart("StreetlightControlCabinet-example-normalized.jsonld")))
    assert at_us is None
    assert {"intensityR": 20.1, "intensityS": 14.4, "intensityT": 22}.items() <= cabinet.items()
    [(_, at_us, feeder, _)] = told(parse(smart("StreetlightFeeder-example.jsonld")))
    assert at_us == 1_615_458_062_000_000
    assert {
        "phaseVoltage.0": 240,
        "phaseVoltage.1": 120,
        "phaseVoltage.2": 50,
        "powerState": "ON",
    }.items() <= feeder.items()


def test_each_attribute_keeps_its_own_time() -> None:
    message = parse(
        entity(
            a={"value": 1, "observedAt": OBSERVED},
            b={"value": 2, "observedAt": "2026-11-23T18:01:00Z"},
            c={"value": 3},
            d={"value": 4, "observedAt": OBSERVED},
        )
    )
    assert [(at, readings) for _, at, readings, _ in told(message)] == [
        (AT_US, {"a": 1, "d": 4}),
        (AT_US + 60_000_000, {"b": 2}),
        (None, {"c": 3}),
    ]


@pytest.mark.parametrize(
    "content",
    [
        {"dateObserved": OBSERVED},
        {"dateObserved": f"2026-11-23T17:00:00Z/{OBSERVED}"},
        {"dateObserved": {"type": "Property", "value": {"@type": "DateTime", "@value": OBSERVED}}},
        {"dateObserved": "2026-11-23T17:00:00/2026-11-23T18:00:00"},
        {"dateObserved": "2026-11-23T18:00"},
        {"observationDateTime": "", "dateObserved": None, "TimeInstant": "2026-11-23T19:00:00+0100"},
        {"TimeInstant": {"value": OBSERVED}},
        {"observationDateTime": OBSERVED, "dateObserved": "2020-01-01T00:00:00Z"},
    ],
)
def test_the_entity_may_tell_the_time_for_all_of_it(content: dict[str, Any]) -> None:
    assert told(parse(entity(a=1, **content)))[0][1] == AT_US


def test_kinds_of_property() -> None:
    message = parse(
        entity(
            list={"type": "ListProperty", "valueList": [1, 2.5]},
            json={"type": "JsonProperty", "json": {"level": 7, "mode": "auto"}},
            word={"type": "VocabProperty", "vocab": "on"},
            truth={"type": "Property", "value": True},
            text={"type": "Property", "value": "23.5"},
            gone={"type": "Property", "value": "urn:ngsi-ld:null"},
            several=[
                {"type": "Property", "value": 1},
                {"type": "Property", "value": 2, "datasetId": "urn:ngsi-ld:Dataset:2"},
            ],
            precise={"type": "Property", "value": 5, "accuracy": {"type": "Property", "value": 0.1}},
            links={"type": "Relationship", "object": ["urn:ngsi-ld:Device:1"]},
        )
    )
    [(_, _, readings, _)] = told(message)
    assert readings == {
        "list.0": 1,
        "list.1": 2.5,
        "json.level": 7,
        "json.mode": "auto",
        "word": "on",
        "truth": 1,
        "text": 23.5,
        "several": 1,
        "several.urn:ngsi-ld:Dataset:2": 2,
        "precise": 5,
    }


def test_names_that_no_context_knows_are_shortened() -> None:
    name = "https://uri.etsi.org/ngsi-ld/default-context/temperature"
    assert told(parse({"id": "x", "type": "T", name: {"value": 5}}))[0][2] == {"temperature": 5}


FULL = ngsi_ld.DEFAULT_CONTEXT + "a"


@pytest.mark.parametrize(
    ("attributes", "names"),
    [
        ({"a.b": 1, "a": {"b": 2}}, ["a.b", "a.b"]),
        ({"a": [{"type": "Property", "value": 1}, {"type": "Property", "value": 2}]}, ["a", "a"]),
        ({"a": [{"value": 1, "datasetId": "urn:x:1"}, {"value": 2, "datasetId": "urn:x:1"}]}, ["a.urn:x:1"] * 2),
        ({"a": [{"value": 1, "datasetId": "@none"}, {"value": 2}]}, ["a", "a"]),
        ({FULL: 1, "a": 2}, ["a", "a"]),
        ({"a": {"type": "JsonProperty", "json": {"b.c": 1, "b": {"c": 2}}}}, ["a.b.c", "a.b.c"]),
    ],
)
def test_of_two_values_of_one_name_at_one_time_none_is_taken(attributes: dict[str, Any], names: list[str]) -> None:
    message = parse(entity(good=5, **attributes))
    assert [item.readings for item in message.objects] == [{"good": 5}]
    assert {reason: refusal.only for reason, refusal in message.refused.items()} == {
        "duplicate-key": [(0, name) for name in names]
    }


def test_the_simplified_form_of_several_values_is_read_by_their_dataset() -> None:
    several = {"dataset": {"@none": 120, "urn:ngsi-ld:Property:gps": 80}}
    assert told(parse(entity(speed=several)))[0][2] == {"speed": 120, "speed.urn:ngsi-ld:Property:gps": 80}


@pytest.mark.parametrize("form", [dict, lambda **told: [told]], ids=["alone", "in a list"])
def test_one_value_of_a_dataset_is_not_the_default_one(form: Any) -> None:
    gps = form(type="Property", value=55, datasetId="urn:ngsi-ld:Dataset:gps")
    assert told(parse(entity(speed=gps)))[0][2] == {"speed.urn:ngsi-ld:Dataset:gps": 55}
    assert told(parse(entity(speed=form(type="Property", value=55, datasetId="@none"))))[0][2] == {"speed": 55}


def test_a_unit_that_is_no_text_is_not_taken_for_none() -> None:
    assert told(parse(entity(power={"value": 1, "unitCode": 5})))[0][3] == {"power": "5"}


def test_an_attributes_values_over_time_are_as_many_readings() -> None:
    """ETSI GS CIM 009, temporal evolution of an entity: normalized, and simplified with pairs of value and time."""
    later = "2026-11-23T18:01:00Z"
    normalized = [
        {"type": "Property", "value": 120, "unitCode": "KMH", "observedAt": OBSERVED},
        {"type": "Property", "value": 20, "unitCode": "MTS", "observedAt": later},
    ]
    device = "urn:ngsi-ld:Streetlight:17"
    assert told(parse(entity(speed=normalized))) == [
        (device, AT_US, {"speed": 120}, {"speed": "KMH"}),
        (device, AT_US + 60_000_000, {"speed": 20}, {"speed": "MTS"}),
    ]
    simplified = {"type": "Property", "values": [[120, OBSERVED], [80, later]]}
    assert told(parse(entity(speed=simplified))) == [
        (device, AT_US, {"speed": 120}, {}),
        (device, AT_US + 60_000_000, {"speed": 80}, {}),
    ]


@pytest.mark.parametrize("more", [{}, {"values": 5}, {"max": 1}])
def test_a_property_without_a_value_is_refused_by_its_name(more: dict[str, Any]) -> None:
    message = parse(entity(good=5, level={"type": "Property", **more}))
    assert message.refused["no-readings"].only == [(0, "level")]
    assert "has none" in message.refused["no-readings"].detail
    assert [item.readings for item in message.objects] == [{"good": 5}]


@pytest.mark.parametrize("name", ["data", "entities"])
def test_an_entity_may_have_an_attribute_of_that_name(name: str) -> None:
    assert told(parse(entity(**{name: {"type": "Property", "value": 5}, "b": 1})))[0][2] == {name: 5, "b": 1}
    assert told(parse(entity(**{name: [1, 2]})))[0][2] == {f"{name}.0": 1, f"{name}.1": 2}


def test_what_looks_like_a_date_is_no_measurement() -> None:
    dates = {"a": "2016-06-01", "b": "2016-06-01T10:00", "c": "2016-06-01T10:00:00/2016-06-01T11:00:00", "d": "2016-06"}
    assert told(parse(entity(**dates)))[0][2] == {"d": "2016-06"}


def test_a_time_that_tells_nothing_is_none() -> None:
    body = notification(entity(a={"value": 1, "observedAt": ""}, dateObserved=OBSERVED), notifiedAt=None)
    message = parse(body)
    assert (told(message)[0][1], message.sent_at_us) == (AT_US, None)


def test_an_entity_without_a_measurement_gives_nothing() -> None:
    still = entity(location=NORMALIZED["location"], refDevice="urn:ngsi-ld:Device:1")
    message = parse(notification(still))
    assert (message.objects, message.refused) == ([], {})


def test_good_readings_pass_beside_bad_ones() -> None:
    text = """{"type": "Notification", "data": [
        {"id": "x", "a": {"value": NaN}, "b": {"value": 1}, "c": {"value": 2, "observedAt": "now"}},
        {"id": "x", "a": {"value": 3, "unitCode": "0123456789012345678901234567890123"}},
        {"id": 7, "a": {"value": 3}}, 8, {"a": {"value": 4}}, {"id": "y", "a": 5}]}"""
    message = parse(text)
    assert [(item.device, item.readings) for item in message.objects] == [("x", {"b": 1}), ("y", {"a": 5})]
    assert {reason: refusal.only for reason, refusal in message.refused.items()} == {
        "not-a-number": [(0, "a")],
        "bad-time": [(0, "c")],
        "bad-unit": [(1, "a")],
        "bad-device": [(2, "a"), (4, "a")],
        "not-an-object": [(3, "")],
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not-json"),
        ("5", "not-a-list"),
        ("[]", "no-readings"),
        ('{"data":[]}', "no-readings"),
        ('{"data":{}}', "not-a-list"),
        ('{"data":[{"id":"x","a":1,"a":2}]}', "duplicate-key"),
        ('{"notifiedAt":"now","data":[{"id":"x","a":1}]}', "bad-header"),
        ("[" + '{"id":"x","a":1},' * OBJECTS_MAX + '{"id":"x","a":1}]', "too-many-objects"),
        (" " * (PAYLOAD_BYTES_MAX + 1), "too-large"),
    ],
)
def test_a_message_that_cannot_be_read_is_refused_whole(text: str, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(text)
    assert caught.value.reason == reason


ATTRIBUTE = st.dictionaries(
    st.sampled_from(["type", "value", "object", "observedAt", "unitCode", "datasetId", "json", "valueList", "@value"]),
    JSON | st.sampled_from(["Property", "Relationship", "Point", OBSERVED]),
    max_size=4,
)
ENTITY = st.dictionaries(
    st.sampled_from(["id", "type", "a", "b", "dateObserved", "location", "@context"]) | st.text(max_size=5),
    ATTRIBUTE | st.lists(ATTRIBUTE, max_size=2) | JSON | st.just("x"),
    max_size=5,
)
BODY = ENTITY | st.lists(ENTITY, max_size=2) | st.builds(lambda e: {"data": e}, st.lists(ENTITY, max_size=2)) | JSON


@settings(max_examples=300)
@given(
    st.binary(max_size=200)
    | BODY.map(lambda body: json.dumps(body).encode())
    | st.builds(
        lambda body, seed: mutated(json.dumps(body).encode(), seed),
        st.sampled_from([NORMALIZED, CONCISE, SIMPLIFIED]),
        st.integers(0, 2**32),
    )
)
def test_any_bytes_and_any_json_are_read_or_refused(payload: bytes) -> None:
    assert_read_or_refused(ngsi_ld.parse, ORIGIN, payload)


def test_no_payload_takes_long() -> None:
    for payload in heavy({"id": "x", "a": {"value": 1}}):
        assert seconds(ngsi_ld.parse, ORIGIN, payload) < 1.0


def test_the_examples_of_the_documents_are_read() -> None:
    page = (DOCS / "ngsi.md").read_text()
    normalized, _ = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert told(parse(normalized)) == [
        (
            "urn:ngsi-ld:Streetlight:17",
            AT_US,
            {"powerConsumption": 36.1, "powerState": "on"},
            {"powerConsumption": "WTT"},
        )
    ]
    [profile] = re.findall(r"```toml\n(# profiles.toml.*?)```", page, re.DOTALL)
    assert tomllib.loads(profile)["acme-light"]["model"] == "Streetlight"


def test_every_reason_of_the_parser_is_documented() -> None:
    assert undocumented("ngsi", ngsi, ngsi_ld, values) == set()


def test_what_was_refused_comes_back_by_replay_when_the_device_is_known() -> None:
    light = entity(powerConsumption=NORMALIZED["powerConsumption"])
    payload = json.dumps(notification(light)).encode()
    [(at, value)] = replayed("ngsi-ld", payload, "urn:ngsi-ld:Streetlight:17", {"powerConsumption": "kW"})
    assert (at, round(value, 9)) == (AT_US, 0.0361)
