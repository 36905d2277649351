"""Reads the wire format of Protocol Buffers: the fields of one message, within its bounds.

Document: protobuf.dev, Encoding. Which fields a message has, and what they mean, is its reader's affair.
"""

from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types; groups, which nobody writes any more, are refused."""

_VARINT_BYTES_MAX = 10
_FIXED = {FIXED64: 8, FIXED32: 4}


class Field(NamedTuple):
    """One field as it stands on the wire.

    Attributes
    ----------
    value : int
        Of a varint, or of 8 or 4 bytes, unsigned.
    data : bytes
        Of a text, bytes or a message within.
    """

    number: int
    kind: int
    value: int
    data: bytes


def fields(data: bytes) -> Iterator[Field]:
    """Yield the fields of a message in their order.

    Raises
    ------
    ValueError
        It ends too early, or is no message of Protocol Buffers.
    """
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at, end)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise ValueError("a field has a number that none can have")
        if kind == VARINT:
            value, at = _varint(data, at, end)
            yield Field(number, kind, value, b"")
        elif kind == BYTES:
            size, at = _varint(data, at, end)
            if size > end - at:
                raise ValueError("a field is longer than the message")
            yield Field(number, kind, 0, data[at : at + size])
            at += size
        elif kind in _FIXED:
            size = _FIXED[kind]
            if size > end - at:
                raise ValueError("the message ends within a number")
            yield Field(number, kind, int.from_bytes(data[at : at + size], "little"), b"")
            at += size
        else:
            raise ValueError(f"wire type {kind} is not read")


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Return a number of 64 bits and where it ends."""
    value = 0
    for place in range(_VARINT_BYTES_MAX):
        if at >= end:
            raise ValueError("the message ends within a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
    raise ValueError("a number has more than ten bytes")


def write_varint(number: int, value: int) -> bytes:
    """Return a field that holds a number."""
    return _written(number << 3 | VARINT) + _written(value)


def write_bytes(number: int, data: bytes) -> bytes:
    """Return a field that holds bytes, a text, or a message."""
    return _written(number << 3 | BYTES) + _written(len(data)) + data


def _written(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
