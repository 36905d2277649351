"""NGSI-LD notifications: ETSI GS CIM 009, with entities in normalized, concise or simplified form."""

from collections.abc import Iterator
from typing import Any

from city.integration import Origin
from ingest.formats import ngsi
from ingest.formats.ngsi import Attribute
from ingest.formats.parsed import ParsedMessage

DEFAULT_CONTEXT = "https://uri.etsi.org/ngsi-ld/default-context/"
"""What a name that no ``@context`` knows begins with where a broker writes it out."""

_NO_MEASUREMENT = frozenset({"Relationship", "ListRelationship", "GeoProperty", "LanguageProperty"})
_MEASUREMENT = frozenset({"Property", "ListProperty", "JsonProperty", "VocabProperty"})
_OF_THE_ENTITY = frozenset({"scope", "createdAt", "modifiedAt", "deletedAt", "expiresAt", "location"})
_VALUES = ("value", "valueList", "json", "vocab")
_OTHERS = frozenset({"object", "objectList", "languageMap", "entity", "entityList"})
_NULL = "urn:ngsi-ld:null"
_DEFAULT_INSTANCE = "@none"


def parse(origin: Origin, payload: bytes) -> ParsedMessage:
    """Read one notification, entity or list of entities.

    Raises
    ------
    Unreadable
    """
    return ngsi.read(payload, _attributes)


def _attributes(name: str, content: object) -> Iterator[tuple[str, Attribute]]:
    """Yield an attribute, or each of several that share its name; one that has a ``datasetId`` is called by it."""
    name = name.removeprefix(DEFAULT_CONTEXT)
    if name in _OF_THE_ENTITY:
        return
    instances: list[Any] = content if isinstance(content, list) else [content]
    if not instances or not all(isinstance(item, dict) and _is_attribute(item) for item in instances):
        yield from _one(name, content)
        return
    for item in instances:
        dataset = item.get("datasetId")
        named = isinstance(dataset, str) and dataset != _DEFAULT_INSTANCE
        yield from _one(f"{name}.{dataset}" if named else name, item)


def _one(name: str, content: object) -> Iterator[tuple[str, Attribute]]:
    if isinstance(content, dict) and content.keys() == {"dataset"} and isinstance(content["dataset"], dict):
        # Several values in the simplified form, by their datasetId.
        for dataset, value in content["dataset"].items():
            yield name if dataset == _DEFAULT_INSTANCE else f"{name}.{dataset}", Attribute(value)
        return
    if not isinstance(content, dict) or not _is_attribute(content):
        yield name, Attribute(content)
        return
    kind = content.get("type")
    if isinstance(kind, str) and kind in _NO_MEASUREMENT:
        return
    unit = ngsi.unit_of(content.get("unitCode"))
    key = next((key for key in _VALUES if key in content), None)
    if key is not None:
        if content[key] is not None and content[key] != _NULL:
            yield name, Attribute(content[key], content.get("observedAt"), unit)
    elif (pairs := _over_time(content)) is not None:
        yield from ((name, Attribute(value, at, unit)) for value, at in pairs)
    elif _OTHERS.isdisjoint(content):
        yield name, Attribute(None, problem=f"a property has {', '.join(_VALUES)} or values, and this one has none")


def _over_time(content: dict[str, object]) -> list[tuple[object, object]] | None:
    """Return the values of the simplified temporal form, ``[[value, time], …]``; None where there are none."""
    pairs = content.get("values")
    if not isinstance(pairs, list) or not pairs or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        return None
    return [(value, at) for value, at in pairs]


def _is_attribute(content: dict[str, object]) -> bool:
    """Tell an attribute in normalized or concise form from an object that is a value itself."""
    kind = content.get("type")
    if isinstance(kind, str) and kind in _MEASUREMENT | _NO_MEASUREMENT:
        return True
    return any(key in content for key in _VALUES) or not _OTHERS.isdisjoint(content)
