"""FIWARE's IoT Agent for JSON: measures of devices over MQTT, as its User & Programmers Manual has them (MQTT binding).

``/json/{apikey}/{device}/attrs`` carries measures, ``…/attrs/{attribute}`` a single one; results of commands
(``…/cmdexe``) and requests for configuration are no measures.
"""

from city.integration import Origin
from ingest.formats.parsed import NAME_CHARACTERS_MAX, OBJECTS_MAX, ParsedMessage, ParsedObject, Unreadable
from ingest.formats.times import is_blank, parse_iso8601
from ingest.formats.values import add_object, kind, own_device, read_json, refuse_all

TIME = "TimeInstant"
"""The measure that is no measure but says when the others were taken."""

_NO_MEASURE = (["cmdexe"], ["cmd"], ["configuration", "commands"], ["configuration", "values"])
"""How the agent's own topics end that carry something else; below ``attrs`` these are names of attributes."""
_ATTRS = "attrs"


def parse(origin: Origin, payload: bytes) -> ParsedMessage:
    """Read one message; what is no measure by its topic gives nothing.

    Raises
    ------
    Unreadable
    """
    message = ParsedMessage([])
    levels = origin.topic.split("/")
    attribute = levels[-1] if levels[-2:-1] == [_ATTRS] else ""
    if not attribute and any(levels[-len(end) :] == end for end in _NO_MEASURE):
        return message
    groups = _single(attribute, payload) if attribute else _multiple(payload)
    if len(groups) > OBJECTS_MAX:
        raise Unreadable("too-many-objects", f"over {OBJECTS_MAX} groups of measures: send several messages")
    device = own_device(origin)
    for position, group in enumerate(groups):
        _read_group(message, position, device, group)
    if not message.objects and not message.refused:
        raise Unreadable("no-readings", "the message holds no measure: nothing to store")
    return message


def _multiple(payload: bytes) -> list[object]:
    """Return the groups of measures: an object, or a list of objects."""
    body = read_json(payload)
    if isinstance(body, list):
        return body
    if not isinstance(body, dict):
        raise Unreadable("not-an-object", f"measures are an object or a list of objects, this is {kind(body)}")
    return [body]


def _single(attribute: str, payload: bytes) -> list[object]:
    """Return groups of one measure: a value alone, a text that is no JSON, or values with their timestamps."""
    try:
        body = read_json(payload)
    except Unreadable as exc:
        word = payload[: NAME_CHARACTERS_MAX + 1].decode(errors="replace").strip()
        if exc.reason != "not-json" or not word.isprintable() or "\ufffd" in word or len(payload) > NAME_CHARACTERS_MAX:
            raise
        body = word
    values = body if isinstance(body, list) and body and all(_is_timed(value) for value in body) else [body]
    return [_group(attribute, value) for value in values]


def _is_timed(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"timestamp", "value"}


def _group(attribute: str, value: object) -> dict[str, object]:
    if isinstance(value, dict) and _is_timed(value):
        return {attribute: value["value"], TIME: value["timestamp"]}
    return {attribute: value}


def _read_group(message: ParsedMessage, position: int, device: str, group: object) -> None:
    if not isinstance(group, dict):
        refuse_all(message, "not-an-object", f"measures are an object, this is {kind(group)}", position, group)
        return
    body = {name: value for name, value in group.items() if name != TIME}
    at_us: int | None = None
    if not is_blank(group.get(TIME)):
        try:
            at_us = parse_iso8601(group[TIME])
        except ValueError as exc:
            refuse_all(message, "bad-time", f"{TIME} is {exc}", position, body)
            return
    add_object(message, ParsedObject(position, device, at_us, {}), body, numbers_in_text=True)
