"""Payload formats, chosen by topic: each turns bytes into a `ParsedMessage` or says why it cannot."""

from collections.abc import Callable

from city.topics import GatewayTopic
from ingest.formats import native
from ingest.formats.parsed import ParsedMessage, ParsedObject, Refusal, Unreadable

__all__ = ["Format", "ParsedMessage", "ParsedObject", "Refusal", "Unreadable", "format_of"]

Format = Callable[[GatewayTopic, bytes], ParsedMessage]

_BY_LEAF: dict[str, Format] = {"readings": native.parse}


def format_of(topic: GatewayTopic) -> Format:
    """Return the format in which payloads of `topic` are written."""
    return _BY_LEAF[topic.leaf]
