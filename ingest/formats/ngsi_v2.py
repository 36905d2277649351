"""NGSIv2 notifications (FIWARE NGSI-v2, Orion): entities in normalized or key-values form."""

from collections.abc import Iterator

from city.integration import Origin
from ingest.formats import ngsi
from ingest.formats.ngsi import Attribute
from ingest.formats.parsed import ParsedMessage
from ingest.formats.times import is_blank

TIMES = ("TimeInstant", "timestamp", "dateObserved", "observedAt")
"""Metadata that say when an attribute was observed, the first that is there."""

UNITS = ("unitCode", "unit", "units")
"""Metadata that say in which unit it comes."""

_NO_MEASUREMENT = ("DateTime", "ISO8601", "Relationship", "command", "geo:")
_PARTS = frozenset({"type", "value", "metadata"})


def parse(origin: Origin, payload: bytes) -> ParsedMessage:
    """Read one notification, entity or list of entities.

    Raises
    ------
    Unreadable
    """
    return ngsi.read(payload, _attributes)


def _attributes(name: str, content: object) -> Iterator[tuple[str, Attribute]]:
    if not isinstance(content, dict) or "value" not in content or not content.keys() <= _PARTS:
        yield name, Attribute(content)
        return
    kind = content.get("type")
    if isinstance(kind, str) and kind.startswith(_NO_MEASUREMENT):
        return
    metadata = content.get("metadata")
    told = metadata if isinstance(metadata, dict) else {}
    at = next((at for key in TIMES if not is_blank(at := ngsi.plain(told.get(key)))), None)
    unit = next((ngsi.plain(told[key]) for key in UNITS if key in told), None)
    yield name, Attribute(content["value"], at, ngsi.unit_of(unit))
