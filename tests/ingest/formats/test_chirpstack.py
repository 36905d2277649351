"""ChirpStack's events: the documentation's own examples, what is zero and so omitted, and every kind of event."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.integration import Origin
from ingest.formats import ParsedMessage, ParsedObject, RawObject, Unreadable, chirpstack, lorawan
from ingest.formats.times import parse_rfc3339
from tests.ingest.formats.checks import undocumented
from tests.ingest.formats.documents import blocks
from tests.ingest.formats.hostile import assert_read_or_refused, bodies, heavy, mutated, seconds
from tests.ingest.formats.packs import example, payload_of

UP = Origin("application/1/device/2/event/up", "chirpstack", "NS-1", {})
BARE = Origin("citynerve/v1/NS-1/chirpstack", "chirpstack", "NS-1", {})
DOCUMENTED = payload_of(example("chirpstack")["messages"][0])
WHO = {"devEui": "0101010101010101"}
KEYS = (
    *("deviceInfo", "devEui", "devAddr", "fCnt", "fPort", "data", "object", "time", "rxInfo", "gwTime", "margin"),
    *("batteryLevel", "externalPowerSource", "batteryLevelUnavailable", "level"),
)


def parse(body: dict[str, Any], event: str = "up") -> ParsedMessage:
    return chirpstack.parse(UP._replace(topic=f"application/1/device/2/event/{event}"), json.dumps(body).encode())


def reason(body: dict[str, Any], event: str = "up") -> str:
    with pytest.raises(Unreadable) as caught:
        parse(body, event)
    return caught.value.reason


@pytest.mark.parametrize("origin", [UP, BARE])
def test_the_documented_uplink_is_raw_bytes_of_its_device_at_the_time_it_was_heard(origin: Origin) -> None:
    message = chirpstack.parse(origin, DOCUMENTED)
    at_us = parse_rfc3339("2022-07-18T09:34:15.775023242+00:00")
    assert message.raw == [RawObject(0, "0101010101010101", at_us, 1, b"\xaa")]
    assert (message.objects, message.refused) == ([], {})
    assert (message.number, message.epoch) == (0, "0101010101010101.00189440"), "fCnt is omitted, so it is 0"


def test_a_decoded_payload_is_flattened_by_the_way_to_each_value() -> None:
    message = parse(
        {
            "deviceInfo": WHO,
            "object": {"lamp": {"power": 36.1, "on": False}, "list": [1, {"x": 2}], "mode": "auto", "absent": None},
        }
    )
    assert message.objects == [
        ParsedObject(
            0,
            "0101010101010101",
            None,
            {"lamp.power": 36.1, "lamp.on": 0, "list.0": 1, "list.1.x": 2, "mode": "auto"},
        )
    ]
    assert message.raw == [], "what the network server decoded is not decoded again"


def test_numbers_that_a_codec_writes_as_text_are_numbers() -> None:
    [item] = parse({"deviceInfo": WHO, "object": {"TempC_SHT": "23.50", "Work_mode": "IIC", "Hum": ""}}).objects
    assert item.readings == {"TempC_SHT": 23.5, "Work_mode": "IIC", "Hum": ""}


def test_good_values_pass_beside_bad_ones() -> None:
    body = {"a": 1e308, "c\n": 1, "d": {"e": 2}, "d.e": 3, "good": 4}
    message = chirpstack.parse(
        UP, json.dumps({"deviceInfo": WHO, "object": body}).replace("1e+308", "1" + "0" * 400).encode()
    )
    assert message.objects[0].readings == {"good": 4}
    assert {name: refusal.only for name, refusal in message.refused.items()} == {
        "not-a-number": [(0, "a")],
        "bad-metric-name": [(0, "c\n")],
        "duplicate-key": [(0, "d.e"), (0, "d.e")],
    }


def test_more_values_than_a_device_has_are_refused() -> None:
    message = parse({"deviceInfo": WHO, "object": {f"v{n}": n for n in range(65)}})
    assert list(message.refused) == ["too-many-keys"]


def test_an_empty_frame_is_numbered_and_holds_nothing() -> None:
    message = parse({"deviceInfo": WHO, "devAddr": "00189440", "fCnt": 9})
    assert (message.objects, message.raw, message.refused, message.number) == ([], [], {}, 9)


def test_where_the_server_tells_no_time_the_first_that_heard_it_does() -> None:
    heard = [{"nsTime": "2026-11-23T18:00:02Z"}, {"gwTime": "2026-11-23T18:00:01Z", "nsTime": "2026-11-23T18:00:03Z"}]
    message = parse({"deviceInfo": WHO, "rxInfo": heard, "object": {"a": 1}})
    assert message.objects[0].at_us == parse_rfc3339("2026-11-23T18:00:01Z")


@pytest.mark.parametrize(
    ("heard", "counts"),
    [
        ("2026-11-23T17:59:59Z", "2026-11-23T17:59:59Z"),
        ("2026-11-23T15:00:00Z", "2026-11-23T18:00:00Z"),
        ("2026-11-23T18:02:01Z", "2026-11-23T18:00:00Z"),
    ],
)
@pytest.mark.parametrize("told", ["time", "gwTime"])
def test_a_gateways_time_counts_within_two_minutes_of_the_network_servers(told: str, heard: str, counts: str) -> None:
    gateway = {"gatewayId": "g", "nsTime": "2026-11-23T18:00:00Z"}
    body = {"time": heard, "rxInfo": [gateway]} if told == "time" else {"rxInfo": [{**gateway, "gwTime": heard}]}
    message = parse({"deviceInfo": WHO, "object": {"a": 1}, **body})
    assert message.objects[0].at_us == parse_rfc3339(counts)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"margin": 10, "batteryLevel": 88.3}, {"margin": 10, "externalPowerSource": 0, "batteryLevel": 88.3}),
        ({}, {"margin": 0, "externalPowerSource": 0, "batteryLevel": 0}),
        ({"externalPowerSource": True}, {"margin": 0, "externalPowerSource": 1}),
        ({"batteryLevelUnavailable": True, "margin": -3}, {"margin": -3, "externalPowerSource": 0}),
    ],
)
def test_a_status_tells_margin_and_battery_and_what_is_absent_is_zero(
    told: dict[str, Any], expected: dict[str, float]
) -> None:
    [item] = parse({"time": "2022-07-18T09:35:06.927172638+00:00", "deviceInfo": WHO, **told}, "status").objects
    assert item.readings == expected
    assert item.units["margin"] == "dB"
    assert item.at_us == parse_rfc3339("2022-07-18T09:35:06.927172Z")


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ("join", {"devAddr": "00189440"}),
        ("ack", {"queueItemId": "1bbcab1d-6ec6-4136-b3f5-d63be1dc08de", "acknowledged": True}),
        ("txack", {"downlinkId": 3461958127}),
        ("log", {"level": "ERROR", "code": "UPLINK_MIC"}),
    ],
)
def test_events_that_measure_nothing_leave_nothing(event: str, body: dict[str, Any]) -> None:
    for origin in (UP._replace(topic=f"application/1/device/2/event/{event}"), BARE):
        message = chirpstack.parse(origin, json.dumps({"deviceInfo": WHO, **body}).encode())
        assert (message.objects, message.raw, message.refused, message.number) == ([], [], {}, None)


@pytest.mark.parametrize(("event", "key"), [("location", "location"), ("integration", "integrationName")])
def test_events_that_are_not_read_are_set_aside(event: str, key: str) -> None:
    assert reason({"deviceInfo": WHO, key: {}}, event) == "not-an-uplink"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "bad-device"),
        ({"deviceInfo": []}, "not-an-object"),
        ({"deviceInfo": {"devEui": "\x00"}}, "bad-device"),
        ({"deviceInfo": WHO, "data": "a"}, "bad-data"),
        ({"deviceInfo": WHO, "data": 7}, "bad-data"),
        ({"deviceInfo": WHO, "data": base64.b64encode(bytes(256)).decode()}, "bad-data"),
        ({"deviceInfo": WHO, "fPort": 256}, "bad-header"),
        ({"deviceInfo": WHO, "fCnt": -1}, "bad-header"),
        ({"deviceInfo": WHO, "fCnt": 2**32}, "bad-header"),
        ({"deviceInfo": WHO, "time": "now"}, "bad-time"),
        ({"deviceInfo": WHO, "object": [1]}, "not-an-object"),
    ],
)
def test_what_cannot_be_read_is_set_aside_with_its_reason(body: dict[str, Any], expected: str) -> None:
    assert reason(body) == expected


@pytest.mark.parametrize("topic", ["citynerve/v1/NS-1/chirpstack", "application/1/device/01/event/reboot"])
def test_an_event_that_nobody_can_name_does_not_vanish(topic: str) -> None:
    body = b'{"deviceInfo":{"devEui":"01"},"time":"2022-07-18T09:34:15Z"}'
    with pytest.raises(Unreadable) as caught:
        chirpstack.parse(Origin(topic, "chirpstack", "NS-1", {}), body)
    assert caught.value.reason == "not-an-uplink"


def test_a_key_that_stands_twice_is_refused_at_any_depth() -> None:
    with pytest.raises(Unreadable) as caught:
        chirpstack.parse(UP, b'{"deviceInfo": {"devEui": "01"}, "object": {"a": {"b": 1, "b": 2}}}')
    assert caught.value.reason == "duplicate-key"


def test_the_pages_example_is_read() -> None:
    [text] = blocks("chirpstack.md", "json")
    message = chirpstack.parse(UP, text.encode())
    assert message.refused == {}
    assert message.objects[0].readings == {"battery": 100, "lamp.power": 36.1, "lamp.on": 1}


ANY = st.binary(max_size=200) | bodies(*KEYS) | st.integers().map(lambda seed: mutated(DOCUMENTED, seed))


@given(ANY, st.sampled_from(["up", "status", "join", "other"]))
@settings(max_examples=400)
def test_no_input_raises_anything_but_a_reason(payload: bytes, event: str) -> None:
    assert_read_or_refused(chirpstack.parse, UP._replace(topic=f"application/1/device/2/event/{event}"), payload)
    assert_read_or_refused(chirpstack.parse, BARE, payload)


def test_payloads_that_mean_ill_take_no_long_time() -> None:
    for payload in heavy({"deviceInfo": WHO, "object": {"a": 1}}):
        assert seconds(chirpstack.parse, UP, payload) < 2


def test_every_reason_is_documented() -> None:
    assert undocumented("chirpstack", chirpstack, lorawan) == set()
