"""ChirpStack v4's events in JSON.

Document: chirpstack.io/docs, Integrations, Event types; integration.proto (package ``integration``) in the JSON mapping
of Protocol Buffers, which omits what is zero, empty or false. Told to operators in `docs/formats/chirpstack.md`.
"""

from typing import Any

from city.integration import Origin
from ingest.formats.lorawan import believed, child, count, read_object, take_payload, text, time_of
from ingest.formats.parsed import ParsedMessage, ParsedObject, Unreadable, Value
from ingest.formats.values import safe

_NO_MEASUREMENT = frozenset({"join", "ack", "txack", "log"})
_READ = frozenset({"up", "status"})
_UNITS = {"margin": "dB", "batteryLevel": "%"}


def parse(origin: Origin, payload: bytes) -> ParsedMessage:
    """Read one event.

    Raises
    ------
    Unreadable
        All of it must be set aside. Nothing else is ever raised, whatever the bytes.
    """
    body = read_object(payload)
    event = _event(origin.topic, body)
    message = ParsedMessage([])
    if event in _NO_MEASUREMENT:
        return message
    if event not in _READ:
        raise Unreadable(
            "not-an-uplink", f"{safe(event)} events are not read: integrate event/up (and event/status) alone"
        )
    device = text(child(body, "deviceInfo"), "devEui")
    if not device:
        raise Unreadable("bad-device", "deviceInfo.devEui is missing: let ChirpStack send JSON of version 4")
    if event == "status":
        _read_status(message, device, body)
        return message
    count(message, device, text(body, "devAddr"), body.get("fCnt", 0))
    told = (body.get("fPort", 0), body.get("data", ""))
    try:
        take_payload(message, device, _observed_at(body), body.get("object"), told)
    except Unreadable as exc:
        exc.number_as(message)
        raise
    return message


def _event(topic: str, body: dict[str, Any]) -> str:
    """Return the kind of event: the topic tells it, or else what only one kind has."""
    levels = topic.rsplit("/", 2)
    if len(levels) == 3 and levels[1] == "event":
        return levels[2]
    kinds = (
        ("level", "log"),
        ("integrationName", "integration"),
        ("location", "location"),
        ("downlinkId", "txack"),
        ("queueItemId", "ack"),
        ("margin", "status"),
        ("batteryLevel", "status"),
        ("externalPowerSource", "status"),
        ("batteryLevelUnavailable", "status"),
    )
    for key, kind in kinds:
        if key in body:
            return kind
    if body.keys() & {"rxInfo", "txInfo", "data", "object", "fCnt"}:
        return "up"
    return "join" if "devAddr" in body else "unnamed"


def _observed_at(body: dict[str, Any]) -> int | None:
    """Return when the uplink was heard: ``time``, which is a gateway's, else the earliest ``gwTime``, if believed."""
    at_us = time_of(body, "time")
    return believed(_earliest(body, "gwTime") if at_us is None else at_us, _earliest(body, "nsTime"))


def _earliest(body: dict[str, Any], key: str) -> int | None:
    heard = body.get("rxInfo")
    told = [time_of(rx, key) for rx in heard if isinstance(rx, dict)] if isinstance(heard, list) else []
    return min((at for at in told if at is not None), default=None)


def _read_status(message: ParsedMessage, device: str, body: dict[str, Any]) -> None:
    """Read margin and battery; a level that is absent is 0 % unless the device has no battery or cannot tell."""
    outside, unknown = body.get("externalPowerSource", False), body.get("batteryLevelUnavailable", False)
    told: dict[str, Any] = {"margin": body.get("margin", 0), "externalPowerSource": outside}
    if not outside and not unknown:
        told["batteryLevel"] = body.get("batteryLevel", 0)
    readings: dict[str, Value] = {}
    for name, value in told.items():
        if not isinstance(value, bool | int | float) or not abs(value) < 1e6:
            message.refuse("not-a-number", f"{name} must be a number", 0, name)
        else:
            readings[name] = value
    if readings:
        units = {name: unit for name, unit in _UNITS.items() if name in readings}
        message.objects.append(ParsedObject(0, device, time_of(body, "time"), readings, units))
