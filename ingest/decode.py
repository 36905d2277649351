"""Shows people what bytes say: one decoder a kind of payload, tried in order; the bytes themselves as hex, always."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from ingest.bundle import is_bundle, unpack
from ingest.formats import senml_cbor, sparkplug_explain

Decoder = Callable[[str, bytes], str | None]
"""(topic, payload) → text for people; None where the payload is of another kind. Raises nothing."""

TEXT_MAX = 64 * 1024
HEX_BYTES_MAX = 4096
_ROW = 16
_CBOR_LIST = 4
"""Major type of a CBOR list: the three first bits."""


class Decoded(NamedTuple):
    """A payload as people can read it; `cut` where only its beginning is shown."""

    format: str
    text: str
    cut: bool


class _Raw(str):
    """A number as it was written."""

    __slots__ = ()


class _Pairs(list[tuple[str, Any]]):
    """An object with every key that it was sent with, twice where it stood twice."""


def json_text(topic: str, payload: bytes) -> str | None:
    """Return JSON in lines, with its numbers and its repeated keys as they were sent."""
    try:
        body = json.loads(payload, object_pairs_hook=_Pairs, parse_float=_Raw, parse_int=_Raw, parse_constant=_Raw)
        parts: list[str] = []
        _write(body, "\n", parts, [TEXT_MAX])
    except (ValueError, RecursionError):
        return None
    return "".join(parts)


def plain_text(topic: str, payload: bytes) -> str | None:
    """Return text that stands in UTF-8; control characters but line ends and tabs are escaped."""
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        return None
    shown = "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) < 2 * len(text) + 16 else None


def bundle_text(topic: str, payload: bytes) -> str | None:
    """Return the messages of a bundle, each with its topic."""
    if not is_bundle(topic):
        return None
    try:
        messages = unpack(payload)
    except ValueError:
        return None
    parts: list[str] = []
    room = TEXT_MAX + 1
    for position, one in enumerate(messages):
        if room <= 0:
            break  # More is not shown.
        text = one.payload[:200].decode("utf-8", "backslashreplace")
        shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
        parts.append(f"{position}: {one.topic} ({len(one.payload)} bytes)\n   {shown}")
        room -= len(parts[-1]) + 1
    return "\n".join(parts)


def sparkplug_text(topic: str, payload: bytes) -> str | None:
    """Return the metrics of a Sparkplug message."""
    return sparkplug_explain.explain(payload, TEXT_MAX) if topic.startswith("spBv1.0/") else None


def senml_text(topic: str, payload: bytes) -> str | None:
    """Return the records of a SenML pack in CBOR, which is a list, or says itself that it is CBOR."""
    if senml_cbor.is_self_described(payload) or (payload and payload[0] >> 5 == _CBOR_LIST):
        return senml_cbor.explain(payload)
    return None


DECODERS: list[tuple[str, Decoder]] = [
    ("bundle", bundle_text),
    ("sparkplug-b", sparkplug_text),
    ("senml-cbor", senml_text),
    ("json", json_text),
    ("text", plain_text),
]
"""Kinds by name, the surest first; whoever reads a format of bytes puts its decoder in front."""


def decode(topic: str, payload: bytes) -> Decoded | None:
    """Return what the first decoder that knows the payload makes of it; None where none does."""
    for name, decoder in DECODERS:
        text = decoder(topic, payload)
        if text is not None:
            return Decoded(name, text[:TEXT_MAX], len(text) > TEXT_MAX)
    return None


def hex_dump(payload: bytes, limit: int = HEX_BYTES_MAX) -> str:
    """Return the first bytes in rows of sixteen: place, hexadecimal, ASCII."""
    rows = []
    for start in range(0, min(len(payload), limit), _ROW):
        row = payload[start : min(start + _ROW, limit)]
        seen = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        rows.append(f"{start:08x}  {row.hex(' '):<{3 * _ROW}} {seen}")
    return "\n".join(rows)


def _write(value: Any, line: str, parts: list[str], room: list[int]) -> None:
    """Add a value's lines to `parts`, as long as there is `room`: what is shown is cut off there anyway."""
    inner = line + "  "
    room[0] -= len(line) + 1
    if room[0] < 0:
        return
    if isinstance(value, _Pairs):
        for number, (key, item) in enumerate(value):
            if room[0] < 0:
                return
            parts.append(("," if number else "{") + inner + json.dumps(key, ensure_ascii=False) + ": ")
            room[0] -= len(key)
            _write(item, inner, parts, room)
        parts.append(line + "}" if value else "{}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            if room[0] < 0:
                return
            parts.append(("," if number else "[") + inner)
            _write(item, inner, parts, room)
        parts.append(line + "]" if value else "[]")
    else:
        parts.append(str(value) if isinstance(value, _Raw) else json.dumps(value, ensure_ascii=False))
