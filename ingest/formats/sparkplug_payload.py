"""Sparkplug B's payload: its metrics, as the message holds them.

Document: Eclipse Sparkplug Specification 3.0, chapter 6 (Payloads), whose field numbers stand below; the message
definitions of Eclipse Tahu are not part of this program (`docs/decisions/0012-sparkplug-payloads.md`).
"""

import struct
from typing import NamedTuple

from ingest.formats.protobuf import BYTES, FIXED32, FIXED64, VARINT, Field, fields, write_bytes, write_varint

METRICS_MAX = 5_000
DEPTH_MAX = 4
"""Of templates within each other."""
PROPERTIES_MAX = 64
CELLS_MAX = 2_000
"""Of one data set."""

BOOLEAN = 11

# Numbers of the value's fields in a metric.
INT, LONG, FLOAT, DOUBLE, BOOL, TEXT, RAW, DATASET, TEMPLATE = 10, 11, 12, 13, 14, 15, 16, 17, 18
_KINDS = {
    INT: VARINT,
    LONG: VARINT,
    FLOAT: FIXED32,
    DOUBLE: FIXED64,
    BOOL: VARINT,
    TEXT: BYTES,
    RAW: BYTES,
    DATASET: BYTES,
    TEMPLATE: BYTES,
}

Scalar = int | float | bool | str | bytes


class Metric(NamedTuple):
    """One metric; what is absent is None.

    Attributes
    ----------
    held : int
        Which field holds the value: `INT` … `TEMPLATE`; 0: none.
    value : Scalar
        As that field holds it; messages as their bytes.
    unit : str
        Of the property ``engUnit``; empty: none.
    quality : int or None
        Of the property ``Quality``: 0 bad, 192 good, 500 stale.
    """

    name: str | None = None
    alias: int | None = None
    timestamp_ms: int | None = None
    datatype: int | None = None
    is_transient: bool = False
    is_null: bool = False
    held: int = 0
    value: Scalar = 0
    unit: str = ""
    quality: int | None = None
    is_historical: bool = False


class Payload(NamedTuple):
    """A message; what is absent is None.

    Attributes
    ----------
    body : bool
        Whether it bypasses the metrics with bytes of its own.
    """

    timestamp_ms: int | None
    seq: int | None
    metrics: list[Metric]
    body: bool


class DataSet(NamedTuple):
    """A table: names and types of its columns, and the values of each row."""

    columns: list[str]
    types: list[int]
    rows: list[list[tuple[int, Scalar]]]


class Template(NamedTuple):
    """Metrics that belong together; a definition holds no measurements."""

    is_definition: bool
    metrics: list[Metric]


def read_payload(data: bytes) -> Payload:
    """Read a message.

    Raises
    ------
    ValueError
        It is none, or has more metrics than `METRICS_MAX`.
    """
    timestamp_ms = seq = None
    metrics: list[Metric] = []
    body = False
    for field in fields(data):
        match field.number, field.kind:
            case 1, 0:
                timestamp_ms = field.value
            case 2, 2:
                if len(metrics) >= METRICS_MAX:
                    raise ValueError(f"over {METRICS_MAX} metrics")
                metrics.append(_metric(field.data))
            case 3, 0:
                seq = field.value
            case 5, 2:
                body = True
    return Payload(timestamp_ms, seq, metrics, body)


def _metric(data: bytes) -> Metric:
    told: dict[str, int | str | bool] = {}
    held, value = 0, Field(0, 0, 0, b"")
    unit, quality = "", None
    for field in fields(data):
        number = field.number
        if number in _KINDS:
            if field.kind != _KINDS[number]:
                raise ValueError("a metric's value is of another kind than its field")
            held, value = number, field
        elif number == 1 and field.kind == BYTES:
            told["name"] = field.data.decode()
        elif number in _NUMBERS and field.kind == VARINT:
            told[_NUMBERS[number]] = field.value
        elif number in _FLAGS and field.kind == VARINT:
            told[_FLAGS[number]] = field.value != 0
        elif number == 9 and field.kind == BYTES:
            unit, quality = _properties(field.data)
    return Metric(held=held, value=_scalar(held, value), unit=unit, quality=quality, **told)  # type: ignore[arg-type]


_NUMBERS = {2: "alias", 3: "timestamp_ms", 4: "datatype"}
_FLAGS = {5: "is_historical", 6: "is_transient", 7: "is_null"}


def _scalar(held: int, field: Field) -> Scalar:
    if held == FLOAT:
        return float(struct.unpack("<f", field.value.to_bytes(4, "little"))[0])
    if held == DOUBLE:
        return float(struct.unpack("<d", field.value.to_bytes(8, "little"))[0])
    if held == BOOL:
        return field.value != 0
    if held == TEXT:
        return field.data.decode()
    return field.data if held in (RAW, DATASET, TEMPLATE) else field.value


def _properties(data: bytes) -> tuple[str, int | None]:
    """Return unit and quality of a property set: keys and values in the same order."""
    keys: list[bytes] = []
    values: list[bytes] = []
    for field in fields(data):
        if field.kind == BYTES and field.number in (1, 2):
            kept = keys if field.number == 1 else values
            if len(kept) >= PROPERTIES_MAX:
                raise ValueError(f"over {PROPERTIES_MAX} properties of one metric")
            kept.append(field.data)
    unit, quality = "", None
    for key, value in zip(keys, values, strict=False):
        if key == b"engUnit":
            texts = [field.data.decode() for field in fields(value) if field.number == 8 and field.kind == BYTES]
            unit = texts[-1] if texts else ""
        elif key == b"Quality":
            numbers = [field.value for field in fields(value) if field.number in (3, 4) and field.kind == VARINT]
            quality = numbers[-1] if numbers else None
    return unit, quality


# A value's fields in a cell of a data set, by what they are in a metric.
_CELL = {1: INT, 2: LONG, 3: FLOAT, 4: DOUBLE, 5: BOOL, 6: TEXT}


def read_dataset(data: bytes) -> DataSet:
    """Read a table.

    Raises
    ------
    ValueError
        It is none, or has more cells than `CELLS_MAX`.
    """
    columns: list[str] = []
    types: list[int] = []
    rows: list[list[tuple[int, Scalar]]] = []
    cells = 0
    for field in fields(data):
        match field.number, field.kind:
            case 2, 2:
                columns.append(field.data.decode())
            case 3, 0:
                types.append(field.value)
            case 3, 2:  # packed, as proto3 writes it
                types += [part.value for part in fields(b"".join(b"\x08" + byte for byte in _packed(field.data)))]
            case 4, 2:
                row = [_cell(part.data) for part in fields(field.data) if part.number == 1 and part.kind == BYTES]
                cells += len(row)
                rows.append(row)
        if max(cells, len(columns), len(types), len(rows)) > CELLS_MAX:
            raise ValueError(f"a data set of over {CELLS_MAX} cells")
    return DataSet(columns, types, rows)


def _packed(data: bytes) -> list[bytes]:
    """Return the varints that stand one behind the other."""
    found, start = [], 0
    for at, byte in enumerate(data):
        if byte < 0x80:
            found.append(data[start : at + 1])
            start = at + 1
    return found


def _cell(data: bytes) -> tuple[int, Scalar]:
    held, value = 0, Field(0, 0, 0, b"")
    for field in fields(data):
        if (kind := _CELL.get(field.number)) is not None and _KINDS[kind] == field.kind:
            held, value = kind, field
    return held, _scalar(held, value)


def read_template(data: bytes) -> Template:
    """Read a template.

    Raises
    ------
    ValueError
        It is none, or has more metrics than `METRICS_MAX`.
    """
    metrics: list[Metric] = []
    is_definition = False
    for field in fields(data):
        if field.number == 2 and field.kind == BYTES:
            if len(metrics) >= METRICS_MAX:
                raise ValueError(f"over {METRICS_MAX} metrics in a template")
            metrics.append(_metric(field.data))
        elif field.number == 5 and field.kind == VARINT:
            is_definition = field.value != 0
    return Template(is_definition, metrics)


def rebirth_command(at_ms: int) -> bytes:
    """Return the payload of a command that asks a node for its births (chapter 5, Commands)."""
    metric = (
        write_bytes(1, b"Node Control/Rebirth")
        + write_varint(3, at_ms)
        + write_varint(4, BOOLEAN)
        + write_varint(BOOL, 1)
    )
    return write_varint(1, at_ms) + write_bytes(2, metric)
