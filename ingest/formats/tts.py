"""The Things Stack v3's application messages in JSON.

Document: thethingsindustries.com/docs, Integrations, Data Formats: "Empty fields are omitted from payloads. As such, if
a certain field has a value of "", 0 or false it will not be present." Told to operators in `docs/formats/tts.md`.
"""

from typing import Any

from city.integration import Origin
from ingest.formats.lorawan import believed, child, count, read_object, take_payload, text, time_of
from ingest.formats.parsed import ParsedMessage, ParsedObject, Unreadable
from ingest.formats.values import add_object, kind, refuse_all

_NO_MEASUREMENT = (
    "join_accept",
    "downlink_ack",
    "downlink_nack",
    "downlink_sent",
    "downlink_failed",
    "downlink_queued",
    "downlink_queue_invalidated",
)
_OTHERS = ("location_solved", "service_data")


def parse(origin: Origin, payload: bytes) -> ParsedMessage:
    """Read one message.

    Raises
    ------
    Unreadable
        All of it must be set aside. Nothing else is ever raised, whatever the bytes.
    """
    body = read_object(payload)
    message = ParsedMessage([])
    if any(name in body for name in _NO_MEASUREMENT):
        return message
    for name in _OTHERS:
        if name in body:
            raise Unreadable("not-an-uplink", f"{name} is not read: integrate …/up alone")
    if body.get("simulated", False) is not False:
        raise Unreadable("simulated", "a simulated uplink: no device has measured this")
    uplink = child(body, "uplink_message")
    normalized = child(body, "uplink_normalized")
    if not uplink and not normalized:
        raise Unreadable("not-an-uplink", "uplink_message is missing: let The Things Stack send JSON of version 3")
    who = child(body, "end_device_ids")
    device = text(who, "dev_eui") or text(who, "device_id")
    if not device:
        raise Unreadable("bad-device", "end_device_ids holds neither dev_eui nor device_id")
    said = uplink or normalized
    count(message, device, text(who, "dev_addr"), said.get("f_cnt", 0))
    try:
        at_us = _observed_at(body, said)
        if uplink:
            told = (said.get("f_port", 0), said.get("frm_payload", ""))
            take_payload(message, device, at_us, said.get("decoded_payload"), told)
        else:
            _read_normalized(message, device, at_us, normalized.get("normalized_payload", {}))
    except Unreadable as exc:
        exc.number_as(message)
        raise
    return message


def _read_normalized(message: ParsedMessage, device: str, at_us: int | None, payload: object) -> None:
    """Read one measurement, or several; each may have a ``time`` of its own, else it is that of the uplink."""
    for position, one in enumerate(payload if isinstance(payload, list) else [payload]):
        if not isinstance(one, dict):
            detail = f"a normalized measurement is an object, this is {kind(one)}"
            message.refuse("not-an-object", detail, position, "")
            continue
        values = {name: value for name, value in one.items() if name != "time"}
        try:
            own = time_of(one, "time")
        except Unreadable as exc:
            refuse_all(message, exc.reason, exc.detail, position, values)
            continue
        if values:
            item = ParsedObject(position, device, at_us if own is None else own, {})
            add_object(message, item, values, numbers_in_text=True)


def _observed_at(body: dict[str, Any], uplink: dict[str, Any]) -> int | None:
    """Return when the uplink was heard, µs UTC."""
    received = time_of(uplink, "received_at")
    if received is None:
        received = time_of(body, "received_at")
    return believed(time_of(child(uplink, "settings"), "time"), received)
