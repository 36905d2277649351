"""Sparkplug's topics (specification 3.0, chapter 4)."""

from typing import NamedTuple

from ingest.formats.parsed import Unreadable
from ingest.formats.sparkplug_births import NodeKey
from ingest.formats.values import is_value_name

ROOT = "spBv1.0"
_TYPES = {
    **dict.fromkeys(("NBIRTH", "NDEATH", "NDATA", "NCMD"), 4),
    **dict.fromkeys(("DBIRTH", "DDEATH", "DDATA", "DCMD"), 5),
}
"""Message type → levels of its topic."""


class Place(NamedTuple):
    """What a topic says."""

    kind: str
    node: NodeKey
    device: str

    @property
    def wire_name(self) -> str:
        """What the sender of the metrics is called: the node, or `node/device`."""
        return f"{self.node[1]}/{self.device}" if self.device else self.node[1]


def place_of(topic: str) -> Place | None:
    """Return what a topic says; None where it is none of a node's or a device's."""
    levels = topic.split("/")
    if levels[0] != ROOT or len(levels) < 4 or _TYPES.get(levels[2]) != len(levels):
        return None
    if not all(is_value_name(level) for level in levels):
        return None
    return Place(levels[2], (levels[1], levels[3]), levels[4] if len(levels) == 5 else "")


def read_topic(topic: str) -> Place | None:
    """Read a topic; None for a host's STATE, which measures nothing.

    Raises
    ------
    Unreadable
        It is none of Sparkplug's.
    """
    place = place_of(topic)
    if place is not None:
        return place
    levels = topic.split("/")
    if levels[0] != ROOT:
        raise Unreadable("bad-topic", "Sparkplug B comes on spBv1.0/{group}/{type}/{node}[/{device}]: integrate those")
    if levels[1:2] == ["STATE"] and len(levels) == 3:
        return None
    raise Unreadable("bad-topic", "not spBv1.0/{group}/{type}/{node}[/{device}], the device with D… types alone")
