"""TALQ's log reports: TALQ Specification 2.7.1, OpenAPI data model, `LogReport` and the kinds of `LogData` in it."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from city.integration import Origin
from ingest.formats.parsed import OBJECTS_MAX, ParsedMessage, ParsedObject, Unreadable
from ingest.formats.times import parse_rfc3339
from ingest.formats.values import DEVICE_PROBLEM, add_object, is_device, kind, read_json, refuse_all

STATE, COMMAND = "state", "command"
"""What a change of state tells: what the function does now, and what it was told."""

_READERS = ("AttributeLogData", "EventLogData", "StateChangeEventLogData")


class _Told(NamedTuple):
    """Values of one source at one time, as an entry tells them."""

    source: object
    at: object
    values: Mapping[str, object]


def parse(origin: Origin, payload: bytes) -> ParsedMessage:
    """Read one log report; a report without entries gives nothing.

    Raises
    ------
    Unreadable
    """
    body = read_json(payload)
    if not isinstance(body, dict):
        raise Unreadable("not-an-object", f"a log report is an object, this is {kind(body)}")
    if "entries" not in body and body.keys() - {"address"}:
        raise Unreadable("unexpected-key", "a log report has address and entries: log reports alone are read")
    entries = body.get("entries", [])
    if not isinstance(entries, list):
        raise Unreadable("not-a-list", f"entries must be a list, this is {kind(entries)}")
    if len(entries) > OBJECTS_MAX:
        raise Unreadable("too-many-objects", f"over {OBJECTS_MAX} entries: send several log reports")
    message = ParsedMessage([])
    for position, entry in enumerate(entries):
        data = entry.get("data") if isinstance(entry, dict) else None
        if not isinstance(data, dict):
            detail = f"an entry has an object as its data, this is {kind(data)}"
            refuse_all(message, "not-an-object", detail, position, data)
        elif data.get("type") not in _READERS:
            detail = f"data is of type {', '.join(_READERS)}"
            refuse_all(message, "unknown-entry", detail, position, None)
        else:
            _read_entry(message, position, data)
    return message


def _read_entry(message: ParsedMessage, position: int, data: Mapping[str, Any]) -> None:
    for told in _told(data):
        if not isinstance(told.source, str) or not is_device(told.source):
            refuse_all(message, "bad-device", f"srcAddress: {DEVICE_PROBLEM}", position, told.values)
            continue
        device, _, function = told.source.partition("/")
        at_us: int | None = None
        if told.at is not None:
            try:
                at_us = parse_rfc3339(told.at if isinstance(told.at, str) else "")
            except ValueError as exc:
                refuse_all(message, "bad-time", f"timestamp is {exc}", position, told.values)
                continue
        add_object(message, ParsedObject(position, device, at_us, {}, part=function), told.values)


def _told(data: Mapping[str, Any]) -> Iterator[_Told]:
    """Yield what an entry tells; an attribute's own time and source come before the entry's."""
    source, at, event = data.get("srcAddress"), data.get("timestamp"), data.get("eventType")
    if data["type"] == "AttributeLogData":
        yield _attribute(data.get("attributeName"), data.get("attributeValue"), source, at)
    elif data["type"] == "StateChangeEventLogData":
        command = _commanded(data.get(COMMAND))
        state = _state(data.get(STATE))
        # A state that is not told is the one that the command asks for: 2.7.1, StateChangeEventLogData.
        values = {STATE: command if state is None else state, COMMAND: command}
        yield _Told(source, at, {name: value for name, value in values.items() if value is not None})
    else:
        flag = data.get("startEndFlag", True)
        yield _Told(source, at, {event if isinstance(event, str) else "": flag})
        attributes = data.get("attributes")
        for item in attributes if isinstance(attributes, list) else []:
            # Only a tag says what an attribute is that stands beside an event.
            if isinstance(item, dict) and isinstance(item.get("tag"), str):
                yield _attribute(item["tag"], item.get("value"), item.get("srcAddress", source), at)


def _attribute(name: object, content: object, source: object, at: object) -> _Told:
    if isinstance(content, dict):
        at = content.get("timestamp", at)
        content = _value(content.get("value"))
    return _Told(source, at, {name if isinstance(name, str) else "": content})


def _value(content: object) -> object:
    """Return a value; of a command the state that it asks for."""
    if isinstance(content, dict) and isinstance(content.get("state"), dict):
        content = content["state"]
    return _state(content)


def _commanded(content: object) -> object:
    """Return what a command asks for; None where it names no state."""
    return _state(content.get("state")) if isinstance(content, dict) else content


def _state(content: object) -> object:
    """Return the value of a state that has one, as `LevelState` has; of another kind all that it says."""
    if not isinstance(content, dict) or "name" not in content:
        return content
    return content["value"] if "value" in content else {key: value for key, value in content.items() if key != "name"}
