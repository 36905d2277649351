"""A Sparkplug node that speaks, as tests of the format need it."""

from typing import Any

from city.integration import Origin
from ingest.formats import (
    Formats,
    ParsedMessage,
    Receipt,
)
from tests.ingest.formats.sparkplug_encoder import AT_MS, REBIRTH, bd_seq, payload

AT = AT_MS * 1000
MINUTE = 60_000_000
LIVE = Receipt(AT, live=True)
NODE_BIRTH = payload(
    bd_seq(3),
    REBIRTH,
    {"name": "mains/voltage", "alias": 1, "datatype": 9, "float_value": 230.0, "timestamp": AT_MS, "unit": "V"},
)
DEVICE_BIRTH = payload(
    {"name": "power", "alias": 2, "datatype": 10, "double_value": 36.1, "unit": "kW"},
    {"name": "level", "alias": 3, "datatype": 1, "int_value": 0xFF},
    seq=1,
)


def origin(kind: str, device: str = "", edge: str = "E-1", group: str = "city") -> Origin:
    topic = f"spBv1.0/{group}/{kind}/{edge}" + (f"/{device}" if device else "")
    return Origin(topic, "sparkplug-b", edge, {})


class Node:
    """A node whose messages a bridge parses."""

    def __init__(self, formats: Formats | None = None) -> None:
        self.formats = formats or Formats()
        self.at = AT

    def send(self, kind: str, body: bytes, device: str = "", *, live: bool = True) -> ParsedMessage:
        return self.formats.parse(origin(kind, device), body, Receipt(self.at, live))

    def born(self) -> "Node":
        self.send("NBIRTH", NODE_BIRTH)
        self.send("DBIRTH", DEVICE_BIRTH, "D-1")
        return self


def values(message: ParsedMessage) -> dict[str, float | str]:
    return {name: value for item in message.objects for name, value in item.readings.items()}


def read(datatype: int | None, **field: Any) -> ParsedMessage:
    return Node().send("NBIRTH", payload({"name": "x", "datatype": datatype, **field}))
