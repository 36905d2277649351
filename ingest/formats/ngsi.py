"""What NGSI-LD and NGSIv2 have in common: entities, their times, and what of them is no measurement."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from city.units import UNIT_CHARACTERS_MAX
from ingest.formats.parsed import KEYS_MAX, OBJECTS_MAX, ParsedMessage, ParsedObject, Unreadable, kept_name
from ingest.formats.times import is_blank, is_date, parse_iso8601
from ingest.formats.values import DEVICE_PROBLEM, add_object, flatten, is_device, kind, read_json, refuse_all, safe

ENTITY_TIMES = (
    "observationDateTime",
    "dateObserved",
    "dateObservedTo",
    "TimeInstant",
    "dateLastValueReported",
    "observedAt",
)
"""Attributes of an entity that say when all of it was observed, the first that is there."""

_GEOMETRIES = frozenset(
    {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection"}
)
_NOTIFICATION = "Notification"
_ENTITIES_PREFIX = "urn:ngsi-ld:"
_IGNORED = frozenset({"id", "type", "@context", "@type", "@id"})


class Attribute(NamedTuple):
    """One attribute of an entity, whatever the form in which it came.

    Attributes
    ----------
    at : object
        When it was observed, as it stands there; None where it does not say.
    unit : str
        UN/CEFACT code or symbol; empty where it does not say.
    problem : str
        Why there is no value, for people; empty: there is one.
    """

    value: object
    at: object = None
    unit: str = ""
    problem: str = ""


AttributesOf = Callable[[str, object], Iterator[tuple[str, Attribute]]]
"""Takes name and content of an attribute; gives those that may be measurements, by the names of their values."""


def read(payload: bytes, attributes_of: AttributesOf) -> ParsedMessage:
    """Read a notification, an entity, or a list of entities.

    Raises
    ------
    Unreadable
    """
    body = read_json(payload)
    if isinstance(body, dict) and isinstance(body.get("body"), dict) and body.keys() <= {"metadata", "body"}:
        body = body["body"]
    message = ParsedMessage([])
    for position, entity in enumerate(_entities(message, body)):
        _read_entity(message, position, entity, attributes_of)
    return message


def _entities(message: ParsedMessage, body: object) -> list[object]:
    entities = [body] if isinstance(body, dict) and _is_entity(body) else body
    if isinstance(entities, dict):
        body, entities = entities, entities.get("data", entities.get("entities", [entities]))
        if not is_blank(body.get("notifiedAt")):
            try:
                message.sent_at_us = parse_iso8601(body["notifiedAt"])
            except ValueError as exc:
                raise Unreadable("bad-header", f"notifiedAt is {exc}") from exc
    if not isinstance(entities, list):
        raise Unreadable("not-a-list", f"a notification has a list of entities as its data, this is {kind(entities)}")
    if not entities:
        raise Unreadable("no-readings", "there is no entity in the message: nothing to store")
    if len(entities) > OBJECTS_MAX:
        raise Unreadable("too-many-objects", f"over {OBJECTS_MAX} entities: send several messages")
    return entities


def _is_entity(body: dict[str, object]) -> bool:
    """Tell an entity, of which any attribute may be called ``data``, from a notification, which NGSI-LD gives an id."""
    if "id" not in body or "subscriptionId" in body:
        return False
    return isinstance(body.get("type"), str) and body["type"] != _NOTIFICATION


def _read_entity(message: ParsedMessage, position: int, entity: object, attributes_of: AttributesOf) -> None:
    """Read one entity: an object for each time at which something of it was observed."""
    if not isinstance(entity, dict):
        detail = f"an entity is an object, this is {kind(entity)}: choose normalized, concise, simplified or key-values"
        refuse_all(message, "not-an-object", detail, position, entity)
        return
    device = entity.get("id")
    if not isinstance(device, str) or not is_device(device):
        found = {name: attribute.value for name, attribute in _measured(entity, attributes_of)}
        refuse_all(message, "bad-device", f"id: {DEVICE_PROBLEM}", position, found)
        return
    whole_at = next((told for name in ENTITY_TIMES if not is_blank(told := plain(entity.get(name)))), None)
    groups: dict[int | None, _Group] = {}
    for name, attribute in _measured(entity, attributes_of):
        if attribute.problem:
            message.refuse("no-readings", f"{safe(name)}: {attribute.problem}", position, kept_name(name))
            continue
        flat = list(flatten({name: attribute.value}, KEYS_MAX))
        try:
            at_us = _time(whole_at if is_blank(plain(attribute.at)) else attribute.at)
        except ValueError as exc:
            _refuse(message, "bad-time", f"{name[:64]!a} has no time: {exc}", position, flat)
            continue
        if len(attribute.unit) > UNIT_CHARACTERS_MAX:
            _refuse(message, "bad-unit", f"over {UNIT_CHARACTERS_MAX} characters are no unit", position, flat)
            continue
        group = groups.setdefault(at_us, _Group({}, {}))
        for called, value in flat:
            group.values.setdefault(called, []).append(value)
            if attribute.unit:
                group.units[called] = attribute.unit
    for at_us, (values, units) in groups.items():
        once = {name: told[0] for name, told in values.items() if len(told) == 1}
        for name, told in values.items():
            if len(told) > 1:
                detail = f"{safe(name)} has several values at one time: nobody can tell which one is meant"
                _refuse(message, "duplicate-key", detail, position, [(name, value) for value in told])
        if once:
            add_object(message, ParsedObject(position, device, at_us, {}, units), once, numbers_in_text=True)


class _Group(NamedTuple):
    """What an entity tells of one time: by name all values that stand there, and units."""

    values: dict[str, list[object]]
    units: dict[str, str]


def _refuse(
    message: ParsedMessage, reason: str, detail: str, position: int, flat: Sequence[tuple[str, object]]
) -> None:
    """Set values aside, each by its name; none counts as one."""
    for name, _ in flat or [("", None)]:
        message.refuse(reason, detail, position, kept_name(name))


def _measured(entity: dict[str, object], attributes_of: AttributesOf) -> Iterator[tuple[str, Attribute]]:
    """Yield what may be a measurement: no ids, links, places, dates or texts for people."""
    for name, content in entity.items():
        if name in _IGNORED or name in ENTITY_TIMES:
            continue
        for called, attribute in attributes_of(name, content):
            if not _is_other(attribute.value):
                yield called, attribute


def _is_other(value: object) -> bool:
    """Tell whether a value is a link, a place or a date rather than a measurement."""
    if isinstance(value, str):
        return value.startswith(_ENTITIES_PREFIX) or is_date(value)
    if isinstance(value, list):
        return bool(value) and all(_is_other(item) for item in value)
    if isinstance(value, dict):
        return "@type" in value or (isinstance(value.get("type"), str) and value["type"] in _GEOMETRIES)
    return False


def plain(content: object) -> object:
    """Return the value of an attribute in whatever form it came: its own, or JSON-LD's typed one, taken off."""
    for key in ("value", "@value"):
        if isinstance(content, dict) and key in content:
            content = content[key]
    return content


def unit_of(told: object) -> str:
    """Return a unit; what is no text is written out, so that nobody takes it for no unit at all."""
    return told if isinstance(told, str) else "" if told is None else ascii(told)[:UNIT_CHARACTERS_MAX]


def _time(told: object) -> int | None:
    """Return µs UTC, None where nothing was told; of an interval, its end.

    Raises
    ------
    ValueError
        It is no time.
    """
    if told is None:
        return None
    told = plain(told)
    return parse_iso8601(told.rpartition("/")[2] if isinstance(told, str) else told)
