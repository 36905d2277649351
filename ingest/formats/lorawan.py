"""What LoRaWAN network servers have in common: an uplink's counter, and its payload raw or decoded."""

import base64
import binascii
import re
from typing import Any

from city.clock import MINUTE_US
from ingest.formats.parsed import ParsedMessage, ParsedObject, RawObject, Unreadable
from ingest.formats.times import integer, parse_rfc3339
from ingest.formats.values import add_object, is_value_name, read_json

_PAYLOAD_BYTES_MAX = 255
"""A LoRaWAN frame is not longer."""
_COUNTER_MAX = 2**32 - 1
_PORT_MAX = 255
_APART_US_MAX = 2 * MINUTE_US
"""Between the clocks of a gateway and of the network server, before the gateway's is not believed."""
_DEVICE = re.compile(r"[A-Za-z0-9-]{1,36}")
_SESSION = re.compile(r"[0-9A-Fa-f]{8}")


def read_object(payload: bytes) -> dict[str, Any]:
    """Read a JSON object in which no key stands twice.

    Raises
    ------
    Unreadable
        Anything else.
    """
    body = read_json(payload)
    if not isinstance(body, dict):
        raise Unreadable("not-an-object", "a JSON object is expected")
    return body


def text(body: dict[str, Any], key: str) -> str:
    """Return a name that stands in the body; empty where there is none."""
    value = body.get(key)
    return value if isinstance(value, str) and is_value_name(value) else ""


def count(message: ParsedMessage, device: str, session: str, counter: object) -> None:
    """Give the message the number of its frame, which begins anew with each session (the device's address)."""
    number = integer(counter)
    if number is None or not 0 <= number <= _COUNTER_MAX:
        raise Unreadable("bad-header", "the frame counter must be an integer of 32 bits")
    if _DEVICE.fullmatch(device) and _SESSION.fullmatch(session):
        message.number, message.epoch = number, f"{device}.{session}"


def take_payload(
    message: ParsedMessage, device: str, at_us: int | None, decoded: object, told: tuple[object, object]
) -> None:
    """Add what the device said: as the network server decoded it, else raw, for the vendor's codec.

    Parameters
    ----------
    decoded : object
        The decoder's object; None where there is none. One without a value leaves the bytes to the codec.
    told : (port, data)
        FPort, and FRMPayload in base64.
    """
    port, data = integer(told[0]), told[1]
    if port is None or not 0 <= port <= _PORT_MAX:
        raise Unreadable("bad-header", "the port must be an integer from 0 to 255")
    if decoded is not None and not isinstance(decoded, dict):
        raise Unreadable("not-an-object", "the decoded payload must be an object")
    if decoded:
        add_object(message, ParsedObject(0, device, at_us, {}), decoded, numbers_in_text=True)
        return
    try:
        raw = base64.b64decode(data, validate=True) if isinstance(data, str) else None
    except (binascii.Error, ValueError):
        raw = None
    if raw is None or len(raw) > _PAYLOAD_BYTES_MAX:
        raise Unreadable("bad-data", f"the payload must be base64 of up to {_PAYLOAD_BYTES_MAX} bytes")
    if raw:  # An empty frame only says that the device is there.
        message.raw.append(RawObject(0, device, at_us, port, raw, empty=decoded is not None))


def time_of(body: dict[str, Any], key: str) -> int | None:
    """Return a time of the body, µs UTC; None where it is absent."""
    value = body.get(key)
    if value is None:
        return None
    try:
        return parse_rfc3339(value if isinstance(value, str) else "")
    except ValueError as exc:
        raise Unreadable("bad-time", f"{key} is {exc}") from exc


def believed(heard: int | None, received: int | None) -> int | None:
    """Return when an uplink was heard, µs UTC, by the clocks of a gateway and of the network server.

    A gateway's clock may be anything, and none says whether it is right: it counts near the network server's.
    """
    if heard is None or received is None:
        return received if heard is None else heard
    return heard if abs(heard - received) <= _APART_US_MAX else received


def child(body: dict[str, Any], key: str) -> dict[str, Any]:
    """Return an object of the body; empty where it is absent or null."""
    value = body.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unreadable("not-an-object", f"{key} must be an object")
    return value
