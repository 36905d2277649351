"""Messages of an isolated gateway, set aside unread: many in one dead letter, packed; replay takes them apart."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from city.topics import ROOT
from ingest.formats.parsed import PAYLOAD_BYTES_MAX

ISOLATED = "isolated"
"""Why such a letter was set aside."""

_HEAD = struct.Struct("!HBI")
_BYTES_MAX = 32 * 1024 * 1024
"""Of a bundle once unpacked: more than any that we pack."""
_MESSAGES_MAX = 100_000
"""In a bundle: more than fit into any that we pack."""
_PACKED_SHARE = 0.45
"""Of a record's limit that a bundle takes before it is packed: what does not shrink still fits as base64."""


class Bundled(NamedTuple):
    """One message."""

    topic: str
    payload: bytes
    retained: bool


def bundle_topic(gateway: str) -> str:
    """Return what stands for a bundle's many topics: a filter, on which nobody can publish."""
    return f"{ROOT}/{gateway}/#"


def is_bundle(topic: str) -> bool:
    """Tell whether a letter's payload is a bundle."""
    return topic.startswith(ROOT + "/") and topic.endswith("/#")


def pack(messages: Sequence[Bundled], record_bytes_max: int) -> Iterator[tuple[bytes, int]]:
    """Yield bundles with how many messages each holds, in order, each small enough for a record of the log."""
    room = int(record_bytes_max * _PACKED_SHARE)
    parts: list[bytes] = []
    size = count = 0
    before: str | None = None
    topic, most = b"", 0
    for name, whole, retained in messages:
        if name != before:
            before, topic = name, name.encode(errors="surrogatepass")[:0xFFFF]
            # One byte more than any format takes: what is longer is refused as too large by replay, too.
            most = max(0, min(PAYLOAD_BYTES_MAX + 1, room - _HEAD.size - len(topic)))
        payload = whole[:most]
        grown = size + _HEAD.size + len(topic) + len(payload)
        if parts and grown > room:
            yield zlib.compress(b"".join(parts), 1), count
            grown -= size
            parts, count = [], 0
        parts += (_HEAD.pack(len(topic), retained, len(payload)), topic, payload)
        size = grown
        count += 1
    if parts:
        yield zlib.compress(b"".join(parts), 1), count


def unpack(bundle: bytes) -> list[Bundled]:
    """Return the messages of a bundle.

    Raises
    ------
    ValueError
        These bytes are none.
    """
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(bundle, _BYTES_MAX)
    except zlib.error as exc:
        raise ValueError(f"not a bundle: {exc}") from exc
    if stream.unconsumed_tail or not stream.eof:
        raise ValueError("not a bundle: it is cut off, or too large")
    messages: list[Bundled] = []
    place = 0
    while place < len(data):
        if place + _HEAD.size > len(data):
            raise ValueError("not a bundle: its end is missing")
        topic_bytes, retained, payload_bytes = _HEAD.unpack_from(data, place)
        start = place + _HEAD.size
        place = start + topic_bytes + payload_bytes
        if place > len(data):
            raise ValueError("not a bundle: its end is missing")
        if len(messages) == _MESSAGES_MAX:
            raise ValueError(f"not a bundle: over {_MESSAGES_MAX} messages")
        topic = data[start : start + topic_bytes].decode(errors="surrogatepass")
        messages.append(Bundled(topic, data[start + topic_bytes : place], bool(retained)))
    return messages
