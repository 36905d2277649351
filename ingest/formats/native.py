"""The native format: one JSON object of a device, or many a message; `docs/formats/native.md` tells it to senders."""

import json
import re
import sys
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic_core import from_json

from city.integration import Origin
from city.topics import is_name
from ingest.formats.parsed import (
    KEYS_MAX,
    OBJECTS_MAX,
    PAYLOAD_BYTES_MAX,
    ParsedMessage,
    ParsedObject,
    Unreadable,
    kept_name,
)
from ingest.formats.times import integer, parse_time

NUMBER_MAX = 2**53 - 1
"""Largest message number: what every JSON reader holds exactly."""

_NUMBER_KEYS = frozenset({"n", "epoch"})
_MANY_KEYS = frozenset({"n", "epoch", "sent_at", "readings"})
_METRIC = re.compile(r"[a-z][a-z0-9_]{0,63}")
_EPOCH = re.compile(r"[A-Za-z0-9._:-]{0,64}")
_PRINTABLE = re.compile(r"[ -~]{1,64}")
_LARGEST = sys.float_info.max


def parse(origin: Origin, payload: bytes) -> ParsedMessage:
    """Read one message; NaN and Infinity, which many senders write, are refused with their metric alone.

    Raises
    ------
    Unreadable
        All of it must be set aside. Nothing else is ever raised, whatever the bytes.
    """
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise Unreadable("too-large", f"over {PAYLOAD_BYTES_MAX} bytes: send fewer readings a message")
    try:
        body = from_json(payload, allow_inf_nan=True)
    except ValueError as exc:
        raise Unreadable("not-json", f"not JSON in UTF-8 without a byte order mark: {str(exc)[:200]}") from exc
    if type(body) is not dict:
        raise Unreadable("not-an-object", f"a JSON object is expected, this is {_kind(body)}")
    twice = _Twice()
    if payload.count(b'"') != 2 * _strings(body) or b"\\" in payload:
        twice = _keys_twice(payload)
    message = ParsedMessage([])
    try:
        if not twice.head:
            _read_number(message, body)
        if twice.any:
            raise Unreadable("duplicate-key", "a key stands twice in one object: nobody can tell which value is meant")
        _read_sent_at(message, body)
        if "readings" in body:
            _read_many(message, body)
        else:
            _read_object(message, 0, body)
        if not message.objects and not message.refused:
            raise Unreadable("no-readings", "the message holds no metric: nothing to store")
    except Unreadable as exc:
        exc.number_as(message)
        raise
    return message


def number_of(payload: bytes) -> tuple[str, int] | None:
    """Return epoch and number that `parse` finds, be the rest as it may; None if the message bears none."""
    escaped = b"\\" in payload
    if len(payload) > PAYLOAD_BYTES_MAX or (b'"n"' not in payload and not escaped):
        return None
    try:
        body = from_json(payload, allow_inf_nan=True)
        if type(body) is not dict:
            return None
        if (escaped or payload.count(b'"n"') > 1 or payload.count(b'"epoch"') > 1) and _keys_twice(payload).head:
            return None
        message = ParsedMessage([])
        _read_number(message, body)
    except (ValueError, Unreadable):
        return None
    return None if message.number is None else (message.epoch, message.number)


def _strings(body: dict[str, Any]) -> int:
    """Count keys and strings of a message of the expected shape.

    Without backslashes every string of the text shows as two quotation marks, so fewer here than there means a key
    that the reader has swallowed as a repeat (or a shape of no interest). That spares all others a slower reading.
    """
    count = len(body)
    for value in body.values():
        kind = type(value)
        if kind is str:
            count += 1
        elif kind is list:
            for item in value:
                if type(item) is dict:
                    count += len(item)
                    for inner in item.values():
                        if type(inner) is str:
                            count += 1
    return count


class _Twice(NamedTuple):
    """Whether any key stands twice in one object, and whether one of the message's number does."""

    any: bool = False
    head: bool = False


def _keys_twice(payload: bytes) -> _Twice:
    """Look for keys that stand twice in an object."""
    found = head = False

    def look(pairs: list[tuple[str, object]]) -> None:
        nonlocal found, head
        found = found or len({key for key, _ in pairs}) != len(pairs)
        # The outermost object comes last.
        heads = [key for key, _ in pairs if key in _NUMBER_KEYS]
        head = len(set(heads)) != len(heads)

    try:
        json.loads(payload.decode(), object_pairs_hook=look, parse_int=len, parse_float=len)
    except ValueError as exc:
        raise Unreadable("not-json", f"not JSON: {str(exc)[:200]}") from exc
    return _Twice(found, head)


def _read_number(message: ParsedMessage, body: dict[str, Any]) -> None:
    """Take number and epoch out of `body`: both, or neither where one of them is none."""
    number, epoch = None, ""
    if "n" in body:
        number = integer(body.pop("n"))
        if number is None or not 0 <= number <= NUMBER_MAX:
            raise Unreadable("bad-header", "n, the message's number, must be an integer from 0 to 2^53 - 1")
    if "epoch" in body:
        epoch = body.pop("epoch")
        if type(epoch) is not str or _EPOCH.fullmatch(epoch) is None:
            raise Unreadable("bad-header", "epoch must be up to 64 letters, digits, '.', '_', ':' or '-'")
    message.number, message.epoch = number, epoch


def _read_sent_at(message: ParsedMessage, body: dict[str, Any]) -> None:
    if "sent_at" in body:
        try:
            message.sent_at_us = parse_time(body.pop("sent_at"))
        except ValueError as exc:
            raise Unreadable("bad-header", f"sent_at is {exc}") from exc


def _read_many(message: ParsedMessage, body: dict[str, Any]) -> None:
    unexpected = body.keys() - _MANY_KEYS
    if unexpected:
        raise Unreadable(
            "unexpected-key",
            f"{ascii(min(unexpected))[:80]} beside readings: only n, epoch and sent_at may stand there",
        )
    objects = body["readings"]
    if type(objects) is not list:
        raise Unreadable("not-a-list", f"readings must be a list of objects, this is {_kind(objects)}")
    if len(objects) > OBJECTS_MAX:
        raise Unreadable("too-many-objects", f"over {OBJECTS_MAX} objects: send several messages")
    for position, item in enumerate(objects):
        if type(item) is not dict:
            message.refuse("not-an-object", f"readings must hold objects, not {_kind(item)}", position, "")
        else:
            _read_object(message, position, item)


def _read_object(message: ParsedMessage, position: int, item: dict[str, Any]) -> None:
    """Read one device's readings; what is wrong with them goes to `message.refused`."""
    keys = len(item)
    device_id = item.pop("device", None)
    at = item.pop("at", message)
    problem = None
    at_us = None
    if type(device_id) is not str or not _is_device(device_id):
        problem = ("bad-device", "device must be a letter or digit, then up to 63 of them or '.', '_', ':', '-'")
    elif keys > KEYS_MAX:
        problem = ("too-many-keys", f"over {KEYS_MAX} keys in one object: divide it")
    elif at is not message:
        try:
            at_us = parse_time(at)
        except ValueError as exc:
            problem = ("bad-time", f"at is {exc}")
    if problem is None and not item:
        problem = ("no-readings", "the object holds no metric: nothing to store")
    if problem is not None:
        _refuse_object(message, *problem, position, item)
        return
    bad = None
    for metric, value in item.items():
        kind = type(value)
        if (kind is not float and kind is not int) or not -_LARGEST <= value <= _LARGEST or not is_metric(metric):
            bad = bad or []
            bad.append(metric)
    if bad is not None:
        for metric in bad:
            _refuse_reading(message, position, metric, item.pop(metric))
    if item:
        message.objects.append(ParsedObject(position, str(device_id), at_us, item))


def _refuse_object(message: ParsedMessage, reason: str, detail: str, position: int, item: dict[str, Any]) -> None:
    """Set all readings of an object aside; one without any counts as one."""
    for metric in item or ("",):
        message.refuse(reason, detail, position, kept_name(metric))


def _refuse_reading(message: ParsedMessage, position: int, metric: str, value: object) -> None:
    if not is_metric(metric):
        reason, detail = "bad-metric-name", "a metric is named in lower case, its unit last: active_power_w"
    elif type(value) is float or type(value) is int:
        nothing = value != value
        reason = "not-a-number"
        detail = "NaN is no value: leave the metric out" if nothing else "a number too large for any sensor"
    else:
        reason, detail = "not-a-number", f"a metric's value must be a number, this is {_kind(value)}"
    message.refuse(reason, f"{_safe(metric)}: {detail}", position, kept_name(metric))


def is_metric(name: str) -> bool:
    """Tell whether a metric may be called so."""
    return len(name) <= 64 and _matches_metric(name)


def _is_device(name: str) -> bool:
    return len(name) <= 64 and _matches_name(name)


@lru_cache(maxsize=4096)
def _matches_metric(name: str) -> bool:
    return _METRIC.fullmatch(name) is not None


@lru_cache(maxsize=65536)
def _matches_name(name: str) -> bool:
    return is_name(name)


def _safe(name: str) -> str:
    """Return a name as it may stand in logs and databases: control characters and the like are written out."""
    if _PRINTABLE.fullmatch(name) is not None or not name:
        return name
    return ascii(name)[1:61] + "…"


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")
