"""The bytes of a partition's state: a header in JSON, then parts of the sizes that it gives, each packed.

Copying is quick and stops the partition; packing takes longer and may be done in a thread, for it lets others run.
"""

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

_CODEC = "zstd"


def pack(*pieces: Any) -> bytes:
    """Return buffers, one after the other, as one packed part; the same bytes for the same buffers."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, _CODEC) as out:
        for piece in pieces:
            out.write(piece)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def unpack(part: bytes) -> bytes:
    """Read what `pack` wrote."""
    with pa.CompressedInputStream(pa.BufferReader(part), _CODEC) as source:
        read: bytes = source.read()
    return read


def join(header: dict[str, Any], parts: Sequence[bytes]) -> bytes:
    """Return a snapshot of packed parts."""
    text = json.dumps({**header, "sizes": [len(part) for part in parts]}, separators=(",", ":")).encode()
    return b"".join([len(text).to_bytes(4, "little"), text, *parts])


def split(snapshot: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """Read what `join` wrote."""
    place = 4 + int.from_bytes(snapshot[:4], "little")
    header: dict[str, Any] = json.loads(snapshot[4:place])
    parts = []
    for size in header["sizes"]:
        parts.append(snapshot[place : place + size])
        place += size
    return header, parts
