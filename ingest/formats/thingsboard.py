"""ThingsBoard's telemetry: its MQTT Gateway API (``v1/gateway/telemetry``) and its device API.

Facts: thingsboard.io, Reference, Gateway API and MQTT API, Telemetry (Community Edition 4).
"""

import re
from collections.abc import Iterator, Mapping

from city.integration import Origin
from city.topics import ROOT
from ingest.formats.parsed import OBJECTS_MAX, ParsedMessage, ParsedObject, Unreadable
from ingest.formats.times import MILLISECONDS_MAX, integer
from ingest.formats.values import add_object, kind, own_device, read_json, refuse_all

_NO_TELEMETRY = re.compile(
    r"(.*/)?v1/(gateway|devices/[^/]+)/(attributes|connect|disconnect|claim|provision|rpc)(/.*)?"
    r"|/?provision/(request|response)|v2/(a|r|fw|sw)(/.*)?"
)
_GATEWAYS = re.compile(r"(.*/)?v1/gateway/.*")


def parse(origin: Origin, payload: bytes) -> ParsedMessage:
    """Read one message; attributes, connections and calls are no telemetry and give nothing.

    Raises
    ------
    Unreadable
    """
    message = ParsedMessage([])
    if not _is_telemetry(origin.topic):
        return message
    body = read_json(payload)
    position = 0
    for device, entries in _devices(origin, body):
        for entry in entries if isinstance(entries, list) else [entries]:
            if position >= OBJECTS_MAX:
                raise Unreadable("too-many-objects", f"over {OBJECTS_MAX} objects: send several messages")
            _read_entry(message, position, device, entry)
            position += 1
    if not message.objects and not message.refused:
        raise Unreadable("no-readings", "the message holds no telemetry: nothing to store")
    return message


def _is_telemetry(topic: str) -> bool:
    """Tell whether a topic is none of ThingsBoard's own for other things: of others whoever integrates them knows."""
    return topic.startswith(f"{ROOT}/") or _NO_TELEMETRY.fullmatch(topic) is None


def _devices(origin: Origin, body: object) -> Iterator[tuple[str, object]]:
    """Yield devices with what each of them sent.

    The gateway API names devices, the device API does not: the topic tells which one it is, else the shape does.
    """
    if not isinstance(body, dict | list):
        raise Unreadable("not-an-object", f"telemetry is an object or a list of objects, this is {kind(body)}")
    if (
        isinstance(body, dict)
        and "device" not in origin.levels
        and (_is_gateways(origin.topic) or _names_devices(body))
    ):
        yield from body.items()
    else:
        yield own_device(origin), body


def _is_gateways(topic: str) -> bool:
    return _GATEWAYS.fullmatch(topic) is not None and not topic.startswith(f"{ROOT}/")


def _names_devices(body: Mapping[str, object]) -> bool:
    """Tell whether every value of an object is a list of objects, as only names of devices have."""
    return all(
        isinstance(entries, list) and entries and all(isinstance(entry, dict) for entry in entries)
        for entries in body.values()
    )


def _read_entry(message: ParsedMessage, position: int, device: str, entry: object) -> None:
    """Read ``{"ts": …, "values": {…}}``, the same without ``ts``, or values alone."""
    if not isinstance(entry, dict):
        detail = f"telemetry is an object of values, this is {kind(entry)}"
        refuse_all(message, "not-an-object", detail, position, entry)
        return
    at_us: int | None = None
    body = entry
    if isinstance(entry.get("values"), dict):
        body = entry["values"]
        if "ts" in entry:
            milliseconds = integer(entry["ts"])
            if milliseconds is None or not 0 <= milliseconds <= MILLISECONDS_MAX:
                refuse_all(message, "bad-time", "ts must be milliseconds since 1970", position, body)
                return
            at_us = milliseconds * 1000
    add_object(message, ParsedObject(position, device, at_us, {}), body, numbers_in_text=True)
