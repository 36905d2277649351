"""JSON bodies that others have made: read strictly, and values within values named by the way to them."""

import json
import math
from typing import Any

from pydantic_core import from_json

from ingest.formats.parsed import (
    KEYS_MAX,
    NAME_CHARACTERS_MAX,
    PAYLOAD_BYTES_MAX,
    ParsedMessage,
    Unreadable,
    Value,
)

DEPTH_MAX = 8
"""Of objects and lists within each other."""


def read_object(payload: bytes) -> dict[str, Any]:
    """Read a JSON object in which no key stands twice.

    Raises
    ------
    Unreadable
        Anything else.
    """
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise Unreadable("too-large", f"over {PAYLOAD_BYTES_MAX} bytes: send fewer readings a message")
    try:
        body = from_json(payload, allow_inf_nan=False)
        if type(body) is not dict:
            raise Unreadable("not-an-object", "a JSON object is expected")
        # The reader keeps the last of two equal keys; nobody can tell which one was meant.
        json.loads(payload, object_pairs_hook=_refuse_repeats, parse_int=len, parse_float=len)
    except (ValueError, RecursionError) as exc:
        raise Unreadable("not-json", f"not JSON in UTF-8 without a byte order mark: {str(exc)[:200]}") from exc
    return body


def _refuse_repeats(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise Unreadable("duplicate-key", "a key stands twice in one object: nobody can tell which value is meant")


def text(body: dict[str, Any], key: str) -> str:
    """Return a text of the body; empty where it is absent, null, not text, or no name.

    Names are printable and of `NAME_CHARACTERS_MAX` characters at most.
    """
    value = body.get(key)
    return value if type(value) is str and is_name(value) else ""


def is_name(name: str) -> bool:
    """Tell whether something may be called so on the wire."""
    return 0 < len(name) <= NAME_CHARACTERS_MAX and name.isprintable()


def readings_of(message: ParsedMessage, position: int, values: object) -> dict[str, Value]:
    """Return the values of a decoded payload by their names: ``a.b`` for ``{"a": {"b": 1}}``, ``a.0`` for lists.

    Truth is 1 or 0, words stay words, null is no value. What is none of these goes to ``message.refused``.
    """
    readings: dict[str, Value] = {}
    waiting: list[tuple[str, object, int]] = [("", values, 0)]
    count = 0
    while waiting:
        name, value, depth = waiting.pop()
        if isinstance(value, dict | list):
            inner = value.items() if isinstance(value, dict) else enumerate(value)
            if depth >= DEPTH_MAX:
                message.refuse("too-deep", f"over {DEPTH_MAX} values within each other", position, printable(name))
            elif count + len(value) > KEYS_MAX:
                detail = f"over {KEYS_MAX} values in one payload: let the decoder give fewer"
                message.refuse("too-many-keys", detail, position, printable(name))
            else:
                count += len(value)
                waiting += [(f"{name}.{key}" if name else str(key), item, depth + 1) for key, item in inner][::-1]
        elif value is not None:
            _read(message, position, name, value, readings)
    return readings


def _read(message: ParsedMessage, position: int, name: str, value: object, readings: dict[str, Value]) -> None:
    if not is_name(name):
        detail = f"a value's name has 1 to {NAME_CHARACTERS_MAX} printable characters"
        message.refuse("bad-metric-name", detail, position, printable(name))
    elif name in readings:
        message.refuse("duplicate-key", f"two values are called {name}", position, name)
    elif isinstance(value, str):
        if len(value) > NAME_CHARACTERS_MAX:
            message.refuse("not-a-number", f"{name}: a text too long to be a word", position, name)
        else:
            readings[name] = value
    elif (number := finite(value)) is None:
        message.refuse("not-a-number", f"{name}: a number too large for any sensor", position, name)
    else:
        readings[name] = number


def finite(value: object) -> float | None:
    """Return a number as a finite one, truth as 1 or 0; None if it is neither."""
    if not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    if not math.isfinite(number):
        return None
    return int(value) if isinstance(value, bool) else value


def printable(name: str) -> str:
    """Return a name as it may stand in logs and databases."""
    return name if len(name) <= 64 and name.isprintable() else ascii(name[:60])[1:-1][:60] + "…"
