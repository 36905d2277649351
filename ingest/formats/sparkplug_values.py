"""What a Sparkplug metric's value means by its data type (specification 3.0, section 6.4, Data Types)."""

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ingest.formats.parsed import NAME_CHARACTERS_MAX, Value
from ingest.formats.sparkplug_births import Definition
from ingest.formats.sparkplug_payload import (
    BOOL,
    DATASET,
    DEPTH_MAX,
    DOUBLE,
    FLOAT,
    INT,
    LONG,
    RAW,
    TEMPLATE,
    TEXT,
    Metric,
    Scalar,
    read_dataset,
    read_template,
)
from ingest.formats.values import value_of

GOOD = 192
VALUES_MAX = 2_000
"""That one metric may unfold to."""

_SIGNED = {1: 8, 2: 16, 3: 32, 4: 64}
_UNSIGNED = {5: 8, 6: 16, 7: 32, 8: 64}
_DATE_TIME, _BOOLEAN = 13, 11
_TEXTS = (12, 14, 15)
# Arrays of numbers: format of one element, little endian.
_ARRAYS = {22: "b", 23: "h", 24: "i", 25: "q", 26: "B", 27: "H", 28: "I", 29: "Q", 30: "f", 31: "d", 34: "Q"}
_BOOLEAN_ARRAY, _STRING_ARRAY, _DATE_TIME_ARRAY = 32, 33, 34


class Unfit(ValueError):
    """A metric's value is none of a sensor; `reason` and text as for `ParsedMessage.refuse`.

    Attributes
    ----------
    whole : bool
        What the values are called cannot be told either.
    """

    def __init__(self, reason: str, detail: str, *, whole: bool = False) -> None:
        super().__init__(detail)
        self.reason = reason
        self.whole = whole


class Told(NamedTuple):
    """A value with its name; unit and time where its data type or a template's member tells one of its own.

    Attributes
    ----------
    unfit : Unfit or None
        Why it is none; `value` means nothing then.
    """

    name: str
    value: Value
    unit: str = ""
    timestamp_ms: int | None = None
    unfit: Unfit | None = None


def values_of(name: str, metric: Metric, definitions: Mapping[str, Definition]) -> list[Told]:
    """Return what one metric says: one value, or those of an array, table or template, by names that begin as its own.

    What is no value, or one that nobody can tell, stands there with its reason, beside the others.

    Parameters
    ----------
    definitions : mapping
        Of a birth. A data type that neither tells is None: then only what is the same in every type is read.

    Raises
    ------
    Unfit
        Too many values.
    """
    found: list[Told] = []
    for told in _unfolded(name, metric, definitions, 0):
        if len(found) >= VALUES_MAX:
            raise Unfit("too-many-keys", f"a metric of over {VALUES_MAX} values: divide it")
        found.append(told)
    return found


def _unfolded(name: str, metric: Metric, definitions: Mapping[str, Definition], depth: int) -> Iterator[Told]:
    try:
        yield from _held(name, metric, definitions, depth)
    except Unfit as exc:
        yield Told(name, 0, unfit=exc)


def _held(name: str, metric: Metric, definitions: Mapping[str, Definition], depth: int) -> Iterator[Told]:
    if metric.held in (DATASET, TEMPLATE, RAW) and not isinstance(metric.value, bytes):
        raise AssertionError("read_payload keeps these as bytes")
    datatype = metric.datatype
    if datatype is None and name in definitions:
        datatype = definitions[name].datatype
    try:
        if metric.held == TEMPLATE:
            yield from _template(name, metric, definitions, depth)
        elif metric.held == DATASET:
            yield from _dataset(name, metric)
        elif metric.held == RAW:
            yield from _array(name, metric, datatype)
        elif metric.held == 0:
            raise Unfit("not-a-number", "the metric has no value, and does not say that it is null")
        else:
            yield _told(name, scalar(metric.held, metric.value, datatype), datatype)
    except (UnicodeDecodeError, struct.error) as exc:
        raise Unfit("bad-value", f"the value is not of its type: {exc}") from exc


def _told(name: str, value: Value, datatype: int | None) -> Told:
    return Told(name, value, "ms" if datatype in (_DATE_TIME, _DATE_TIME_ARRAY) else "")


def scalar(held: int, value: Scalar, datatype: int | None) -> Value:
    """Return a number or a word.

    Raises
    ------
    Unfit
        The field does not hold what the data type says, or there is none and the field alone cannot tell.
    """
    if held in (FLOAT, DOUBLE, BOOL, TEXT):
        wanted = {FLOAT: (9, 10), DOUBLE: (9, 10), BOOL: (_BOOLEAN,), TEXT: _TEXTS}[held]
        if datatype is not None and datatype not in wanted:
            raise Unfit("bad-value", f"a value of another kind than its data type {datatype}")
        found = value_of(value)
        if found is None or (isinstance(found, str) and len(found) > NAME_CHARACTERS_MAX):
            raise Unfit("not-a-number", "no number that a sensor can send, and no word")
        return found
    if held not in (INT, LONG) or not isinstance(value, int):
        raise Unfit("not-a-number", "a value that no sensor measures")
    if datatype is None:
        raise Unfit("no-birth", "an integer whose type only a birth tells")
    if datatype in _SIGNED:
        return _signed(value, _SIGNED[datatype], 32 if held == INT else 64)
    if datatype in _UNSIGNED:
        if value >> _UNSIGNED[datatype]:
            raise Unfit("bad-value", f"a number too large for its data type {datatype}")
        return value
    if datatype == _BOOLEAN and value in (0, 1):
        return bool(value)
    if datatype == _DATE_TIME:
        return value
    raise Unfit("bad-value", f"a value of another kind than its data type {datatype}")


def _signed(value: int, bits: int, field_bits: int) -> int:
    """Return a number whose two's complement stands in an unsigned field, extended to the field's width or not."""
    value &= (1 << 64) - 1
    if value >> bits:
        # Wider than its type: only the sign may fill the rest, of 32 or of 64 bits.
        for width in (field_bits, 64):
            extended = value - (1 << width)
            if -(1 << bits - 1) <= extended < 0:
                return extended
        raise Unfit("bad-value", f"a number too large for {bits} bits")
    return value - (1 << bits) if value >> bits - 1 else value


def _template(name: str, metric: Metric, definitions: Mapping[str, Definition], depth: int) -> Iterator[Told]:
    assert isinstance(metric.value, bytes)
    if depth >= DEPTH_MAX:
        raise Unfit("bad-value", f"over {DEPTH_MAX} templates within each other")
    try:
        template = read_template(metric.value)
    except ValueError as exc:
        raise Unfit("bad-value", f"the template cannot be read: {exc}") from exc
    if template.is_definition:
        return
    for member in template.metrics:
        if member.is_null or member.is_transient:
            continue
        if member.name is None:
            yield Told(name, 0, unfit=Unfit("bad-metric-name", "a member of the template has no name"))
            continue
        for told in _member(f"{name}/{member.name}", member, definitions, depth + 1):
            at_ms = told.timestamp_ms if told.timestamp_ms is not None else member.timestamp_ms
            yield told._replace(unit=told.unit or member.unit, timestamp_ms=at_ms)


def _member(name: str, member: Metric, definitions: Mapping[str, Definition], depth: int) -> Iterator[Told]:
    try:
        check_quality(member)
    except Unfit as exc:
        yield Told(name, 0, unfit=exc)
        return
    yield from _unfolded(name, member, definitions, depth)


def check_quality(metric: Metric) -> None:
    """Refuse what its sender does not vouch for.

    Raises
    ------
    Unfit
    """
    if metric.quality not in (None, GOOD):
        raise Unfit("bad-quality", f"of quality {metric.quality}: its sender does not vouch for it")


def _dataset(name: str, metric: Metric) -> Iterator[Told]:
    """Yield the cells of a table: `name/column`, and the row's number between them where there are several rows."""
    assert isinstance(metric.value, bytes)
    try:
        table = read_dataset(metric.value)
    except ValueError as exc:
        raise Unfit("bad-value", f"the data set cannot be read: {exc}") from exc
    if len(table.types) != len(table.columns) or any(len(row) != len(table.columns) for row in table.rows):
        raise Unfit("bad-value", "the rows of the data set have other columns than it says")
    for place, row in enumerate(table.rows):
        middle = f"/{place}" if len(table.rows) > 1 else ""
        for column, datatype, (held, value) in zip(table.columns, table.types, row, strict=True):
            if not held:
                continue
            try:
                yield _told(f"{name}{middle}/{column}", scalar(held, value, datatype), datatype)
            except Unfit as exc:
                yield Told(f"{name}{middle}/{column}", 0, unfit=exc)


def _array(name: str, metric: Metric, datatype: int | None) -> Iterator[Told]:
    """Yield the elements of an array as `name/0` and so on."""
    data = metric.value
    assert isinstance(data, bytes)
    if datatype is None:
        raise Unfit("no-birth", "bytes whose type only a birth tells", whole=True)
    elements: list[Value | None]
    if datatype in _ARRAYS:
        size = struct.calcsize("<" + _ARRAYS[datatype])
        if len(data) % size:
            raise Unfit("bad-value", "the array ends within an element")
        elements = [value_of(element) for (element,) in struct.iter_unpack("<" + _ARRAYS[datatype], data)]
    elif datatype == _BOOLEAN_ARRAY:
        elements = list(_booleans(data))
    elif datatype == _STRING_ARRAY:
        elements = [_text(element) for element in data.split(b"\x00")[:-1]]
    else:
        raise Unfit("not-a-number", "bytes and files measure nothing")
    for place, element in enumerate(elements):
        if element is None:
            unfit = Unfit("not-a-number", "no number that a sensor can send, and no word")
            yield Told(f"{name}/{place}", 0, unfit=unfit)
        else:
            yield _told(f"{name}/{place}", element, datatype)


def _text(element: bytes) -> str | None:
    try:
        word = element.decode()
    except UnicodeDecodeError:
        return None
    return word if len(word) <= NAME_CHARACTERS_MAX else None


def _booleans(data: bytes) -> Iterator[bool]:
    """Yield bits, the first in each byte the highest, behind their count in four bytes."""
    (count,) = struct.unpack_from("<I", data)
    if not (count + 7) // 8 == len(data) - 4:
        raise Unfit("bad-value", "the array has other elements than it says")
    for place in range(count):
        yield bool(data[4 + place // 8] >> (7 - place % 8) & 1)
