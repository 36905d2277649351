"""Dead letters as bytes of the log: the names of very many readings are packed, and no letter is over a limit. Pure."""

import base64
import json
import zlib
from collections.abc import Iterator
from dataclasses import replace

from city.errors import DataError
from stream import codec
from stream.codec import DeadLetter

_INLINE_CHARACTERS = 8_192
"""Names beyond that are packed: they mostly begin alike, and JSON writes up to 12 bytes for a character."""
_UNPACKED_BYTES_MAX = 64 << 20
_SOME_NAME_BYTES = 4_096
"""One name, packed, and what is said of a payload that is not kept whole."""
_TOPIC_CHARACTERS = 1_024


def encode_letter(letter: DeadLetter) -> bytes:
    """Return what `decode_letter` reads."""
    if sum(len(name) + 8 for _, name in letter.only) > _INLINE_CHARACTERS:
        packed = zlib.compress(json.dumps(letter.only, separators=(",", ":")).encode(), 1)
        letter = replace(letter, only=(), packed=base64.b64encode(packed).decode())
    return codec.encode(letter)


def decode_letter(value: bytes) -> DeadLetter:
    """Read what `encode_letter` wrote, or an older release.

    Raises
    ------
    DataError
        Not a letter.
    """
    letter = codec.decode(DeadLetter, value)
    if not letter.packed:
        return letter
    try:
        opened = zlib.decompressobj()
        told = opened.decompress(base64.b64decode(letter.packed, validate=True), _UNPACKED_BYTES_MAX)
        if not opened.eof:
            raise ValueError("cut off, or too long")
        only = tuple((int(position), str(name)) for position, name in json.loads(told))
    except (ValueError, TypeError, zlib.error) as exc:
        raise DataError(f"the names of a dead letter cannot be read: {exc}") from exc
    return replace(letter, only=only, packed="")


def letters_within(letter: DeadLetter, payload: bytes, limit: int) -> Iterator[tuple[DeadLetter, bytes]]:
    """Yield a letter with its payload, and its bytes, each at most `limit`: one, and more only where names do not fit.

    Of a payload that does not fit its beginning is kept, and `detail` says so.
    """
    if len(payload) <= limit // 2:
        whole = replace(letter, payload=base64.b64encode(payload).decode())
        value = encode_letter(whole)
        if len(value) <= limit:
            yield whole, value
            return
    letter = _with_short_head(letter, limit)
    left = limit - len(encode_letter(replace(letter, only=()))) - _SOME_NAME_BYTES
    kept = payload[: max(0, min(limit // 2, left // 4 * 3))]
    detail = letter.detail
    if len(kept) < len(payload):
        detail += f" (the first {len(kept)} of {len(payload)} bytes are kept)"
    yield from _divided(replace(letter, detail=detail, payload=base64.b64encode(kept).decode()), limit)


def _with_short_head(letter: DeadLetter, limit: int) -> DeadLetter:
    """Return a letter whose topic, detail and devices leave room for its payload."""
    if len(codec.encode(replace(letter, only=()))) <= limit // 2:
        return letter
    detail = letter.detail[:_TOPIC_CHARACTERS]
    if len(letter.topic) > _TOPIC_CHARACTERS:
        detail += f" (the first {_TOPIC_CHARACTERS} of {len(letter.topic)} characters of its topic are kept)"
    return replace(letter, topic=letter.topic[:_TOPIC_CHARACTERS], detail=detail, devices=letter.devices[:10])


def _divided(letter: DeadLetter, limit: int) -> Iterator[tuple[DeadLetter, bytes]]:
    value = encode_letter(letter)
    if len(value) <= limit or len(letter.only) < 2:
        yield letter, value
        return
    half = len(letter.only) // 2
    for part in (letter.only[:half], letter.only[half:]):
        yield from _divided(replace(letter, only=part, units=len(part)), limit)
