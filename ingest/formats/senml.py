"""SenML, Sensor Measurement Lists: RFC 8428, versions by RFC 9100, units of RFC 8798, device names by RFC 9039.

A pack is read as its records stand: base fields hold until the next record that brings the same one, and what is made
of a resolved pack is what is made of the pack that it came from. `senml_cbor` gives the same records from CBOR.
"""

import re
from collections.abc import Sequence

from city.clock import SECOND_US
from city.integration import Origin
from city.units import UNIT_CHARACTERS_MAX
from ingest.formats.parsed import (
    NAME_CHARACTERS_MAX,
    OBJECTS_MAX,
    ParsedMessage,
    ParsedObject,
    Unreadable,
    Value,
    kept_name,
)
from ingest.formats.times import integer
from ingest.formats.values import is_value_name, kind, own_device, read_json, safe, value_of

RELATIVE_BELOW_S = 2**28
"""Times below this many seconds count from "now", which is when the message is received."""

VERSIONS = frozenset({*range(1, 11), 26})
"""10 is RFC 8428's own (its drafts counted from 5), 26 adds the secondary units of RFC 8798."""

UNNAMED = "value"
"""What a value is called that has neither a name of its own nor a unit."""

_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9:./_-]{{0,{2 * NAME_CHARACTERS_MAX - 1}}}")
_DEVICE_URN = re.compile(r"(urn:dev:[A-Za-z0-9-]+:[A-Za-z0-9.-]+)(?:[:/_](.*))?")
_TEXT, _NUMBER = "text", "a number"
_BASES = {"bn": _TEXT, "bt": _NUMBER, "bu": _TEXT, "bv": _NUMBER, "bs": _NUMBER}
_VALUES = {"v": _NUMBER, "vs": _TEXT, "vb": "true or false", "vd": _TEXT}
_OF_A_RECORD = frozenset({"n", "u", "t", "ut", "s", *_VALUES})
_INTEGRATED = {"W": "J", "kW": "kJ", "MW": "MJ"}
_LARGEST_S = 1e12


def parse(origin: Origin, payload: bytes) -> ParsedMessage:
    """Read one pack of JSON.

    Raises
    ------
    Unreadable
    """
    return read_pack(origin, read_json(payload))


def read_pack(origin: Origin, pack: object) -> ParsedMessage:
    """Read the records of a pack, whatever carried them.

    Parameters
    ----------
    pack : object
        Records with SenML's JSON labels; ``vd`` may be bytes.

    Raises
    ------
    Unreadable
        It is no list of records, or something in it concerns all that follows.
    """
    if not isinstance(pack, list):
        raise Unreadable("not-a-list", f"a SenML pack is a list of records, this is {kind(pack)}")
    if len(pack) > OBJECTS_MAX:
        raise Unreadable("too-many-objects", f"over {OBJECTS_MAX} records: send several messages")
    message = ParsedMessage([])
    base: dict[str, object] = {}
    _check_version(pack)
    for position, record in enumerate(pack):
        if not isinstance(record, dict):
            raise Unreadable("not-an-object", f"a SenML record is an object, number {position} is {kind(record)}")
        _take_bases(base, record)
        if not record.keys().isdisjoint(_OF_A_RECORD):
            _read_record(message, origin, position, record, base)
    if not message.objects and not message.refused:
        raise Unreadable("no-readings", "the pack holds no value: nothing to store")
    return message


def _check_version(pack: Sequence[object]) -> None:
    versions: set[int | None] = set()
    for record in pack:
        if isinstance(record, dict) and "bver" in record:
            versions.add(integer(record["bver"]))
    if len(versions) > 1:
        raise Unreadable("bad-header", "bver: all records of a pack have the same version")
    if not versions <= VERSIONS:
        detail = "this version of SenML (bver) is not understood: send 10 or 26, or leave bver out"
        raise Unreadable("unknown-version", detail)


def _take_bases(base: dict[str, object], record: dict[str, object]) -> None:
    """Note the base fields of a record; what is wrong with them is wrong with all that follows."""
    for label, value in record.items():
        if label.endswith("_"):
            raise Unreadable("must-understand", f"field {safe(label)} must be understood (RFC 8428, 4.4) and is not")
        wanted = _BASES.get(label)
        if wanted is None:
            continue
        if not _is(value, wanted):
            raise Unreadable("bad-header", f"{label} must be {wanted}, this is {kind(value)}")
        base[label] = value


def _is(value: object, wanted: str) -> bool:
    if wanted is _TEXT:
        return isinstance(value, str)
    if wanted is _NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool) and value_of(value) is not None
    return isinstance(value, bool)


def _read_record(
    message: ParsedMessage, origin: Origin, position: int, record: dict[str, object], base: dict[str, object]
) -> None:
    """Read one record; what is wrong with it goes to ``message.refused``."""
    name = record.get("n", "")
    whole = f"{base.get('bn', '')}{name}" if isinstance(name, str) else ""
    own_unit = record.get("u", base.get("bu"))
    time_s = record.get("t", 0)
    if _NAME.fullmatch(whole) is None:
        detail = "bn and n together begin with a letter or digit; then '-', ':', '.', '/', '_' may stand; 256 at most"
        message.refuse("bad-device", detail, position, safe(whole[:64]))
        return
    device, value_name = divide(whole, origin)
    if own_unit is not None and not (isinstance(own_unit, str) and len(own_unit) <= UNIT_CHARACTERS_MAX):
        message.refuse("bad-unit", f"a unit is text of up to {UNIT_CHARACTERS_MAX} characters", position, value_name)
        return
    unit = own_unit if isinstance(own_unit, str) else ""
    value_name = value_name or unit or UNNAMED
    if not is_value_name(device) or not is_value_name(value_name):
        message.refuse("bad-device", "device or value have too long a name", position, kept_name(value_name))
        return
    if not _is(time_s, _NUMBER) or abs(seconds := _number(time_s) + _number(base.get("bt", 0))) > _LARGEST_S:
        message.refuse("bad-time", "t, seconds, must be a number that is a time", position, value_name)
        return
    readings = _values(message, position, value_name, record, base)
    if not readings:
        return
    units = {value_name: unit} if unit and value_name in readings else {}
    if unit in _INTEGRATED and sum_of(value_name) in readings:
        units[sum_of(value_name)] = _INTEGRATED[unit]
    told_us = round(seconds * SECOND_US)
    if seconds >= RELATIVE_BELOW_S:
        message.objects.append(ParsedObject(position, device, told_us, readings, units))
    else:
        message.objects.append(ParsedObject(position, device, None, readings, units, told_us))


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return value


def _values(
    message: ParsedMessage, position: int, name: str, record: dict[str, object], base: dict[str, object]
) -> dict[str, Value]:
    """Return value and sum of a record, base value and base sum added."""
    told = [label for label in _VALUES if label in record]
    readings: dict[str, Value] = {}
    if len(told) > 1:
        message.refuse("two-values", f"{safe(name)} has {' and '.join(told)}: a record has one value", position, name)
    elif told and not (_is(record[told[0]], _VALUES[told[0]])):
        problem = f"{safe(name)}: {told[0]} must be {_VALUES[told[0]]} that a sensor can send"
        message.refuse("not-a-number", problem, position, name)
    elif told and told[0] != "v":
        value = value_of(record[told[0]])
        assert value is not None
        readings[name] = value
    elif told or "bv" in base:
        _add(message, position, readings, name, record.get("v", 0), base.get("bv", 0))
    if "s" in record and not _is(record["s"], _NUMBER):
        message.refuse("not-a-number", f"{safe(name)}: s, the sum, must be a number", position, sum_of(name))
    elif "s" in record or "bs" in base:
        _add(message, position, readings, sum_of(name), record.get("s", 0), base.get("bs", 0))
    if not readings and not told and "s" not in record:
        message.refuse("no-readings", f"{safe(name)} has neither value nor sum", position, name)
    return readings


def _add(
    message: ParsedMessage, position: int, readings: dict[str, Value], name: str, value: object, base: object
) -> None:
    total = value_of(_number(value) + _number(base))
    if total is None:
        message.refuse("not-a-number", f"{safe(name)} is too large with its base", position, name)
    else:
        readings[name] = total


def sum_of(name: str) -> str:
    """Return what the sum of a value is called."""
    return f"{name}.sum"


def divide(name: str, origin: Origin) -> tuple[str, str]:
    """Divide a resolved name into a device and what its value is called; the latter may be empty.

    A ``urn:dev:`` is a device up to its fourth part. Else the last slash divides, else the only colon. A name with
    neither is a value of whoever publishes: the topic's device, or its gateway.
    """
    if (urn := _DEVICE_URN.fullmatch(name)) is not None:
        return urn[1], urn[2] or ""
    if "/" in name:
        device, _, value = name.rpartition("/")
        return device, value
    if name.count(":") == 1:
        device, _, value = name.partition(":")
        return device, value
    if ":" in name:
        return name.removesuffix(":"), ""
    return own_device(origin), name
