"""Versioned bytes for everything on the log.

Readings travel as one Arrow IPC stream per record; everything else as small JSON with ``"v"``. A codec reads the
version before its own as well, so that a rolling upgrade works.
"""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa

from city.errors import DataError
from city.reading import ReadingBatch

BATCH, TICK, REGISTRY, DEAD_LETTER = "batch", "tick", "registry", "dead-letter"
CANDIDATES, ALARM, TICKET = "candidates", "alarm", "ticket"

VERSION = 1
_SCHEMA = pa.schema(
    [
        pa.field("series_id", pa.int32(), nullable=False),
        pa.field("gateway_id", pa.int32(), nullable=False),
        pa.field("observed_at", pa.int64(), nullable=False),
        pa.field("received_at", pa.int64(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("quality", pa.uint8(), nullable=False),
    ],
    metadata={b"citynerve.version": str(VERSION).encode()},
)


def encode_batch(batch: ReadingBatch) -> bytes:
    """Return a batch as an Arrow IPC stream."""
    arrays = [pa.array(getattr(batch, field.name), field.type) for field in _SCHEMA]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, _SCHEMA) as writer:
        writer.write_batch(pa.record_batch(arrays, schema=_SCHEMA))
    return bytes(sink.getvalue())


def decode_batch(value: bytes) -> ReadingBatch:
    """Read what `encode_batch` wrote, now or one version ago.

    Raises
    ------
    DataError
        The bytes are not a batch, or from a version this program does not know.
    """
    try:
        with pa.ipc.open_stream(value) as reader:
            version = (reader.schema.metadata or {}).get(b"citynerve.version", b"?").decode()
            if version != str(VERSION):
                raise DataError(f"a batch of version {version}; this program reads {VERSION}: upgrade it first")
            table = reader.read_all()
            columns = [table.column(field.name).combine_chunks() for field in _SCHEMA]
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError, KeyError) as exc:
        raise DataError(f"not a batch of readings: {exc}") from exc
    return ReadingBatch(*(np.asarray(column.to_numpy(zero_copy_only=False)) for column in columns))


@dataclass(frozen=True, slots=True)
class Tick:
    """City time, appended to every partition of `readings` while ingest listens.

    Attributes
    ----------
    at : int
        µs UTC.
    period_us : int
        When the next one is due. A longer gap means that nobody listened, not that the city fell silent.
    """

    at: int
    period_us: int


@dataclass(frozen=True, slots=True)
class GatewayCount:
    """Readings (or unreadable messages) in one record from one gateway in one hour of receipt."""

    gateway_id: str
    hour: int
    count: int


@dataclass(frozen=True, slots=True)
class NumberRange:
    """Message numbers first … last (inclusive) of one gateway's epoch, received in `hour`."""

    gateway_id: str
    epoch: str
    first: int
    last: int
    hour: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """The record brings readings of a dead letter back: they stay in their hour and settle what was quarantined."""

    dead_letter: str
    gateway_id: str
    hour: int
    settles: int


@dataclass(frozen=True, slots=True)
class RecordMeta:
    """The summary of a record on `readings` or `dead-letters` from which the ledger is folded."""

    counts: tuple[GatewayCount, ...] = ()
    numbers: tuple[NumberRange, ...] = ()
    replayed: Replayed | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message, or part of one, that was set aside.

    Attributes
    ----------
    reason : str
        Machine-readable: ``unknown-device``, ``not-json``, ``value-out-of-range`` …
    detail : str
        For people: what is wrong and what to do.
    topic : str
        MQTT topic.
    payload : str
        The bytes as received, base64.
    gateway_id : str
        From the topic; empty if the topic told none.
    received_at : int
        µs UTC.
    units : int
        What the ledger counts: readings set aside, or one for an unreadable message.
    only : tuple of (int, str)
        Position of the object in the message and metric of each reading set aside; empty means all of the message.
    """

    reason: str
    detail: str
    topic: str
    payload: str
    gateway_id: str
    received_at: int
    units: int
    only: tuple[tuple[int, str], ...] = ()


T = TypeVar("T")


def encode(record: Any) -> bytes:
    """Return a frozen dataclass as versioned JSON with sorted keys: equal records give equal bytes."""
    body = {"v": VERSION, **_plain(record)}
    return json.dumps(body, separators=(",", ":"), sort_keys=True, allow_nan=False).encode()


def decode(kind: type[T], value: bytes) -> T:
    """Read what `encode` wrote.

    Raises
    ------
    DataError
        Not JSON, another version, or fields that do not fit `kind`.
    """
    try:
        body = json.loads(value)
        version = body.pop("v", None)
        if version != VERSION:
            raise DataError(f"a {kind.__name__} of version {version}; this program reads {VERSION}: upgrade it first")
        built: T = _build(kind, body)
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise DataError(f"not a {kind.__name__}: {exc}") from exc
    return built


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(v) for v in value]
    return value


def _build(kind: Any, value: Any) -> Any:
    """Rebuild `kind` from plain JSON by its type hints."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        inner = [k for k in get_args(kind) if k is not type(None)]
        return None if value is None else _build(inner[0], value)
    if origin is tuple:
        args = get_args(kind)
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_build(args[0], v) for v in value)
        return tuple(_build(a, v) for a, v in zip(args, value, strict=True))
    if origin is dict or kind is Any:
        return value
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        unknown = set(value) - set(hints)
        if unknown:
            raise DataError(f"{getattr(kind, '__name__', kind)} has no field {', '.join(sorted(unknown))}")
        return kind(**{name: _build(hints[name], v) for name, v in value.items()})
    if kind is float and isinstance(value, int):
        return float(value)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    if not isinstance(value, kind):
        raise DataError(f"expected {kind.__name__}, found {type(value).__name__}")
    return value
