"""The Things Stack's messages: the documentation's own example, what absence means, and which time counts."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.integration import Integration, Origin, Routes
from ingest.formats import ParsedMessage, ParsedObject, RawObject, Unreadable, lorawan, tts
from ingest.formats.times import parse_rfc3339
from tests.ingest.formats.checks import undocumented
from tests.ingest.formats.documents import blocks
from tests.ingest.formats.hostile import assert_read_or_refused, bodies, heavy, mutated, seconds
from tests.ingest.formats.packs import example, payload_of

ORIGIN = Origin("v3/app1@tenant1/devices/dev1/up", "tts", "NS-2", {})
DOCUMENTED = payload_of(example("tts")["messages"][0])
WHO = {"device_id": "dev1", "dev_eui": "0004A30B001C0530", "dev_addr": "00BCB929"}
RECEIVED = "2026-11-23T18:00:00Z"
KEYS = (
    *("end_device_ids", "dev_eui", "device_id", "dev_addr", "uplink_message", "f_cnt", "f_port", "frm_payload"),
    *("decoded_payload", "settings", "time", "received_at", "simulated", "join_accept", "uplink_normalized"),
    "normalized_payload",
)


def parse(uplink: dict[str, Any], **more: Any) -> ParsedMessage:
    body = {"end_device_ids": WHO, "uplink_message": uplink, **more}
    return tts.parse(ORIGIN, json.dumps(body).encode())


def reason(body: dict[str, Any]) -> str:
    with pytest.raises(Unreadable) as caught:
        tts.parse(ORIGIN, json.dumps(body).encode())
    return caught.value.reason


def test_the_documented_uplink_gives_its_decoded_values_at_the_gateways_time() -> None:
    message = tts.parse(ORIGIN, DOCUMENTED)
    at_us = parse_rfc3339("2020-02-12T15:15:45.787Z")
    assert message.objects == [ParsedObject(0, "0004A30B001C0530", at_us, {"temperature": 1.0, "luminosity": 0.64})]
    assert (message.number, message.epoch, message.refused) == (1, "0004A30B001C0530.00BCB929", {})


def test_counter_and_port_that_are_absent_are_zero() -> None:
    message = parse({"frm_payload": "AXU=", "received_at": RECEIVED})
    assert message.number == 0
    assert message.raw == [RawObject(0, "0004A30B001C0530", parse_rfc3339(RECEIVED), 0, b"\x01\x75")]


def test_a_decoded_payload_that_is_absent_was_not_decoded_and_one_that_is_empty_said_nothing() -> None:
    assert parse({"frm_payload": "AXU="}).raw
    empty = parse({"frm_payload": "AXU=", "decoded_payload": {}})
    assert (empty.raw, empty.objects) == ([RawObject(0, WHO["dev_eui"], None, 0, b"\x01\x75", empty=True)], [])
    nothing = parse({"decoded_payload": {}})
    assert (nothing.raw, nothing.objects, nothing.refused) == ([], [], {})


def test_inside_the_decoded_payload_nothing_is_omitted_so_nothing_is_made_up() -> None:
    message = parse({"decoded_payload": {"power": 0, "on": False, "word": ""}})
    assert message.objects[0].readings == {"power": 0, "on": 0, "word": ""}


def test_numbers_that_a_decoder_writes_as_text_are_numbers() -> None:
    [item] = parse({"decoded_payload": {"power": "0.10", "mode": "auto"}}).objects
    assert (item.readings, item.texts) == ({"power": 0.1, "mode": "auto"}, {"power": "0.10"})
    body = {"end_device_ids": WHO, "uplink_normalized": {"normalized_payload": {"air": {"temperature": "20.50"}}}}
    assert tts.parse(ORIGIN, json.dumps(body).encode()).objects[0].readings == {"air.temperature": 20.5}


def test_a_device_without_a_dev_eui_goes_by_its_id() -> None:
    body = {"end_device_ids": {"device_id": "lamp-two"}, "uplink_message": {"decoded_payload": {"a": 1}}}
    message = tts.parse(ORIGIN, json.dumps(body).encode())
    assert (message.objects[0].device, message.number) == ("lamp-two", None)


@pytest.mark.parametrize(
    ("heard", "counts"),
    [
        ("2026-11-23T17:59:59.9Z", "2026-11-23T17:59:59.9Z"),
        ("2026-11-23T17:58:00Z", "2026-11-23T17:58:00Z"),
        ("2026-11-23T17:57:59Z", RECEIVED),
        ("2026-11-23T06:00:00Z", RECEIVED),
        ("2026-11-23T18:00:30Z", "2026-11-23T18:00:30Z"),
        ("2026-11-23T18:02:01Z", RECEIVED),
        ("1970-01-01T00:00:05Z", RECEIVED),
    ],
)
def test_a_gateways_time_counts_within_two_minutes_of_the_network_servers(heard: str, counts: str) -> None:
    message = parse({"decoded_payload": {"a": 1}, "settings": {"time": heard}, "received_at": RECEIVED})
    assert message.objects[0].at_us == parse_rfc3339(counts)


def test_the_application_servers_time_stands_in_where_the_network_servers_is_absent() -> None:
    message = parse({"decoded_payload": {"a": 1}}, received_at=RECEIVED)
    assert message.objects[0].at_us == parse_rfc3339(RECEIVED)


def test_the_normalized_payload_is_read_from_its_own_message_alone() -> None:
    both = parse({"decoded_payload": {"t": 1}, "normalized_payload": [{"air": {"temperature": 1}}]})
    assert both.objects[0].readings == {"t": 1}
    body = {
        "end_device_ids": WHO,
        "uplink_normalized": {"f_cnt": 3, "normalized_payload": {"air": {"temperature": 20.5}}},
    }
    alone = tts.parse(ORIGIN, json.dumps(body).encode())
    assert (alone.objects[0].readings, alone.number) == ({"air.temperature": 20.5}, 3)


def test_a_normalized_measurement_has_its_own_time_and_there_may_be_several() -> None:
    def normalized(payload: Any) -> ParsedMessage:
        body = {"end_device_ids": WHO, "uplink_normalized": {"received_at": RECEIVED, "normalized_payload": payload}}
        return tts.parse(ORIGIN, json.dumps(body).encode())

    earlier = "2026-11-23T17:45:00Z"
    message = normalized([{"time": earlier, "air": {"temperature": 20.5}}, {"air": {"temperature": 21}}, 5])
    assert [(item.position, item.at_us, item.readings) for item in message.objects] == [
        (0, parse_rfc3339(earlier), {"air.temperature": 20.5}),
        (1, parse_rfc3339(RECEIVED), {"air.temperature": 21}),
    ]
    assert message.refused["not-an-object"].only == [(2, "")]
    bad = normalized({"time": "yesterday", "air": {"temperature": 20.5}})
    assert (bad.objects, bad.refused["bad-time"].only) == ([], [(0, "air.temperature")])


@pytest.mark.parametrize("kind", ["join_accept", "downlink_ack", "downlink_failed", "downlink_queue_invalidated"])
def test_messages_that_measure_nothing_leave_nothing(kind: str) -> None:
    message = tts.parse(ORIGIN, json.dumps({"end_device_ids": WHO, kind: {}}).encode())
    assert (message.objects, message.raw, message.refused, message.number) == ([], [], {}, None)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"end_device_ids": WHO, "uplink_message": {"decoded_payload": {"a": 1}}, "simulated": True}, "simulated"),
        ({"end_device_ids": WHO, "location_solved": {}}, "not-an-uplink"),
        ({"end_device_ids": WHO, "service_data": {}}, "not-an-uplink"),
        ({"end_device_ids": WHO}, "not-an-uplink"),
        ({"uplink_message": {"f_cnt": 1}}, "bad-device"),
        ({"end_device_ids": WHO, "uplink_message": {"f_port": "x"}}, "bad-header"),
        ({"end_device_ids": WHO, "uplink_message": {"received_at": 5}}, "bad-time"),
        ({"end_device_ids": WHO, "uplink_message": [1]}, "not-an-object"),
    ],
)
def test_what_cannot_be_read_is_set_aside_with_its_reason(body: dict[str, Any], expected: str) -> None:
    assert reason(body) == expected


@pytest.mark.parametrize("topic", ["v3/app1@tenant1/devices/dev1/up", "v3/app1/devices/dev1/up"])
def test_topics_with_and_without_a_tenant_are_one_integration(topic: str) -> None:
    routes = Routes((Integration("things", "tts", ("v3/{application}/devices/{device}/up",), "NS-2"),))
    assert routes.origin_of(topic).format == "tts"


def test_the_pages_example_is_read() -> None:
    [text] = blocks("tts.md", "json")
    message = tts.parse(ORIGIN, text.encode())
    assert message.refused == {}
    assert message.objects[0].readings == {"temperature": 1.0, "luminosity": 0.64}


ANY = st.binary(max_size=200) | bodies(*KEYS) | st.integers().map(lambda seed: mutated(DOCUMENTED, seed))


@given(ANY)
@settings(max_examples=400)
def test_no_input_raises_anything_but_a_reason(payload: bytes) -> None:
    assert_read_or_refused(tts.parse, ORIGIN, payload)


def test_payloads_that_mean_ill_take_no_long_time() -> None:
    for payload in heavy({"end_device_ids": WHO, "uplink_message": {"decoded_payload": {"a": 1}}}):
        assert seconds(tts.parse, ORIGIN, payload) < 2


def test_every_reason_is_documented() -> None:
    assert undocumented("tts", tts, lorawan) == set()
