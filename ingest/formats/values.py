"""Values as other makers' JSON holds them: read, flattened, and each taken or refused by itself."""

import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache

from pydantic_core import from_json

from city.integration import Origin
from ingest.formats.parsed import (
    KEYS_MAX,
    NAME_CHARACTERS_MAX,
    PAYLOAD_BYTES_MAX,
    ParsedMessage,
    ParsedObject,
    Unreadable,
    Value,
    kept_name,
)

DEVICE_PROBLEM = f"a device is called by 1 to {NAME_CHARACTERS_MAX} printable characters"
"""How a device may be called, for people."""

_PRINTABLE = re.compile(r"[ -~]{1,64}")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_LARGEST = sys.float_info.max
_INSIDE_MAX = 4 * KEYS_MAX


def check_size(payload: bytes) -> None:
    """Refuse a message that is too large.

    Raises
    ------
    Unreadable
    """
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise Unreadable("too-large", f"over {PAYLOAD_BYTES_MAX} bytes: send fewer readings a message")


def read_json(payload: bytes) -> object:
    """Return what a payload holds; NaN and Infinity, which many senders write, come as floats.

    Raises
    ------
    Unreadable
        Too large, not JSON, or a key stands twice in one object.
    """
    check_size(payload)
    try:
        body = from_json(payload, allow_inf_nan=True)
    except ValueError as exc:
        raise Unreadable("not-json", f"not JSON in UTF-8 without a byte order mark: {str(exc)[:200]}") from exc
    if b"\\" in payload or payload.count(b'"') != 2 * _strings(body):
        _refuse_duplicate_keys(payload)
    return body


def _strings(body: object) -> int:
    """Count keys and strings: fewer than the text has means a key that the reader swallowed as a repeat."""
    count = 0
    waiting = [body]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            count += 1
        elif isinstance(value, dict):
            count += len(value)
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return count


def _refuse_duplicate_keys(payload: bytes) -> None:
    def check(pairs: list[tuple[str, object]]) -> None:
        if len({key for key, _ in pairs}) != len(pairs):
            raise Unreadable("duplicate-key", "a key stands twice in one object: nobody can tell which value is meant")

    try:
        json.loads(payload.decode(), object_pairs_hook=check, parse_int=len, parse_float=len)
    except ValueError as exc:
        raise Unreadable("not-json", f"not JSON: {str(exc)[:200]}") from exc


def add_object(
    message: ParsedMessage, item: ParsedObject, body: Mapping[str, object], *, numbers_in_text: bool = False
) -> None:
    """Append `item` with the values of `body`; what is none goes to ``message.refused``.

    Objects and lists inside are flattened, names joined by dots (``lamp.power``, ``phaseVoltage.0``); an empty one
    holds nothing, and neither does null. True and false are 1 and 0. Of two values of one name none is taken.

    Parameters
    ----------
    item : ParsedObject
        Its readings are replaced, and of its units only those of readings are kept.
    numbers_in_text : bool
        A text that is a number, such as "23.5", is taken for that number, and kept beside it.
    """
    if not is_device(item.device):
        refuse_all(message, "bad-device", DEVICE_PROBLEM, item.position, body)
        return
    flat = list(flatten(body, KEYS_MAX))
    if len(flat) > KEYS_MAX:
        refuse_all(message, "too-many-keys", f"over {KEYS_MAX} values in one object: divide it", item.position, body)
        return
    readings: dict[str, Value] = {}
    texts: dict[str, str] = {}
    names = [name for name, _ in flat]
    doubled = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    for name, raw in flat:
        if name in doubled:
            detail = f"{safe(name)} stands twice in one object: nobody can tell which value is meant"
            message.refuse("duplicate-key", detail, item.position, kept_name(name))
            continue
        value = number_in(raw) if numbers_in_text and isinstance(raw, str) else raw
        take(message, item.position, readings, name, value)
        if isinstance(raw, str) and value is not raw:
            texts[name] = raw
    if readings:
        units = {name: unit for name, unit in item.units.items() if name in readings}
        message.objects.append(item._replace(readings=readings, units=units, texts=texts))
    elif not flat:
        message.refuse("no-readings", "the object holds no value: nothing to store", item.position, "")


def take(message: ParsedMessage, position: int, readings: dict[str, Value], name: str, raw: object) -> None:
    """Add one value to `readings`, or refuse it."""
    if not is_value_name(name):
        detail = f"{safe(name)}: a value is called by 1 to {NAME_CHARACTERS_MAX} printable characters"
        message.refuse("bad-metric-name", detail, position, kept_name(name))
        return
    value = value_of(raw)
    if value is None:
        message.refuse("not-a-number", f"{safe(name)} is no number that a sensor can send", position, name)
    else:
        readings[name] = value


def value_of(raw: object) -> Value | None:
    """Return a finite number, a word, or None for what is neither; true and false are numbers in Python."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, int | float):
        return raw if -_LARGEST <= raw <= _LARGEST else None
    return None


def number_in(text: str) -> Value:
    """Return the number that a text is, or the text."""
    return float(text) if _NUMBER.fullmatch(text) is not None else text


def flatten(body: Mapping[str, object], most: int) -> Iterator[tuple[str, object]]:
    """Yield names and values of an object in its order, those inside by their path; ends soon after `most`."""
    waiting: list[tuple[str, object]] = list(reversed(list(body.items())[: most + 1]))
    seen = 0
    while waiting and seen <= most:
        name, value = waiting.pop()
        inside: list[tuple[str, object]]
        if isinstance(value, dict):
            inside = [(f"{name}.{key}", inner) for key, inner in list(value.items())[: most + 1]]
        elif isinstance(value, list):
            inside = [(f"{name}.{place}", inner) for place, inner in enumerate(value[: most + 1])]
        else:
            if value is not None:
                seen += 1
                yield name, value
            continue
        if len(name) > NAME_CHARACTERS_MAX:
            seen += 1
            yield name, math.nan
        else:
            waiting += reversed(inside)


def refuse_all(message: ParsedMessage, reason: str, detail: str, position: int, body: object) -> None:
    """Set an object aside by the names of its values; one without any counts as one."""
    names = [name for name, _ in flatten(body, _INSIDE_MAX)] if isinstance(body, dict) else []
    for name in names or [""]:
        message.refuse(reason, detail, position, kept_name(name))


def is_device(name: object) -> bool:
    """Tell whether a device may be called so on the wire."""
    return isinstance(name, str) and is_value_name(name)


def own_device(origin: Origin) -> str:
    """Return the device of a message that names none: the one in its topic, else its gateway."""
    return origin.levels.get("device", origin.gateway)


def is_value_name(name: str) -> bool:
    """Tell whether a value may be called so on the wire."""
    return 0 < len(name) <= NAME_CHARACTERS_MAX and _is_printable(name)


@lru_cache(maxsize=8192)
def _is_printable(name: str) -> bool:
    return name.isprintable()


def safe(name: str) -> str:
    """Return a name as it may stand in logs and databases: control characters and the like are written out."""
    if not name or _PRINTABLE.fullmatch(name) is not None:
        return name
    return ascii(name)[1:61] + "…"


def kind(value: object) -> str:
    """Name what a JSON value is, for people."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")
