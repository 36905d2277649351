"""Versioned bytes for everything on the log.

Readings travel as one Arrow IPC stream per record; everything else as small JSON with ``"v"``. A codec reads the
version before its own as well, so that a rolling upgrade works.
"""

import dataclasses
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa

from city.errors import DataError
from city.link import GatewayLink
from city.reading import ReadingBatch
from stream.batch_form import END, WIDTHS, BatchForm, column_words, learn

logger = logging.getLogger(__name__)

BATCH, TICK, REGISTRY, DEAD_LETTER = "batch", "tick", "registry", "dead-letter"
CANDIDATES, ALARM, TICKET = "candidates", "alarm", "ticket"

VERSION = 1
_VERSION = str(VERSION).encode()
_SCHEMA = pa.schema(
    [
        pa.field("series_id", pa.int32(), nullable=False),
        pa.field("gateway_id", pa.int32(), nullable=False),
        pa.field("observed_at", pa.int64(), nullable=False),
        pa.field("received_at", pa.int64(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("quality", pa.uint8(), nullable=False),
    ],
    metadata={b"citynerve.version": _VERSION},
)
_NAMES = tuple(_SCHEMA.names)
_DTYPES = tuple(np.dtype(kind.to_pandas_dtype()) for kind in _SCHEMA.types)


def encode_batch(batch: ReadingBatch) -> bytes:
    """Return a batch as an Arrow IPC stream, the same bytes that pyarrow writes."""
    rows = len(batch)
    form = batch_form_or_none()
    columns = [getattr(batch, name) for name in _NAMES]
    if form is None or not rows or any(c.dtype != kind for c, kind in zip(columns, _DTYPES, strict=True)):
        return _write(batch)
    head = form.words(rows)
    sizes = [column_words(rows, width) for width in WIDTHS]
    words = np.zeros(len(head) + sum(sizes) + 1, np.int64)
    words[: len(head)] = head
    words[-1] = END[0]
    place = len(head)
    for column, size in zip(columns, sizes, strict=True):
        words[place : place + size].view(column.dtype)[:rows] = column
        place += size
    return words.tobytes()


@cache
def batch_form_or_none() -> BatchForm | None:
    """Return how pyarrow writes batches; None if this release does it in a way that we cannot foretell."""
    kinds = _DTYPES
    form = learn(lambda rows: _write(ReadingBatch(*(np.zeros(rows, kind) for kind in kinds))))
    if form is None:
        logger.warning("pyarrow writes batches in a new way: encoding them is slower until this program knows it")
    return form


def _write(batch: ReadingBatch) -> bytes:
    arrays = [pa.array(getattr(batch, field.name), field.type) for field in _SCHEMA]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, _SCHEMA) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA))
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded


def decode_batch(value: bytes) -> ReadingBatch:
    """Read what `encode_batch` wrote, now or one version ago.

    Raises
    ------
    DataError
        The bytes are not a batch, or from a version this program does not know.
    """
    form = batch_form_or_none()
    rows = form.rows_of(value) if form is not None else 0
    if form is None or not rows:
        return _read(value)
    place, columns = 8 * form.base.shape[1], []
    for kind, width in zip(_DTYPES, WIDTHS, strict=True):
        columns.append(np.frombuffer(value, kind, rows, place))
        place += 8 * column_words(rows, width)
    return ReadingBatch(*columns)


def _read(value: bytes) -> ReadingBatch:
    """Read a batch that pyarrow wrote in whatever way, or that is none."""
    try:
        with pa.ipc.open_stream(value) as reader:
            version = (reader.schema.metadata or {}).get(b"citynerve.version", b"?")
            if version != _VERSION:
                text = version[:20].decode("utf-8", "replace")
                raise DataError(f"a batch of version {text}; this program reads {VERSION}: upgrade it first")
            if not reader.schema.equals(_SCHEMA):
                raise DataError(f"not a batch of readings: its columns are {', '.join(reader.schema.names)}")
            batch = reader.read_next_batch()
            batch.validate()
            columns = [np.asarray(column.to_numpy()) for column in batch.columns]
    except (pa.ArrowException, StopIteration, OSError, ValueError, TypeError, OverflowError) as exc:
        raise DataError(f"not a batch of readings: {exc}") from exc
    return ReadingBatch(*columns)


@dataclass(frozen=True, slots=True)
class Tick:
    """City time, appended to every partition of `readings` while ingest listens.

    Attributes
    ----------
    at : int
        µs UTC.
    period_us : int
        When the next one is due. A longer gap means that nobody listened, not that the city fell silent.
    outside_c : float or None
        How warm it was in the streets, as the city's stations lately said, °C: what each partition has to know and
        none hears of itself. None where nobody measures it.
    links : tuple of GatewayLink
        What has changed of gateways' connections, and from time to time what has not; of all others nothing is said.
    """

    at: int
    period_us: int
    outside_c: float | None = None
    links: tuple[GatewayLink, ...] = ()


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
    """The record brings readings of a dead letter back: they stay in their hour and settle what was quarantined.

    Attributes
    ----------
    settles : int
        Units of the letter that are no longer quarantined once this record is stored; more than its readings where the
        registry of today leaves some of them out.
    portion : int
        How often something of the letter came back before. Of all records with the same letter, portion and
        partition the first one counts.
    """

    dead_letter: str
    gateway_id: str
    hour: int
    settles: int
    portion: int = 0


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
        MQTT topic, as it came: `stream.letters.printable_topic` writes it out for people.
    payload : str
        The bytes as received, base64.
    gateway_id : str
        From the topic; empty if the topic told none.
    received_at : int
        µs UTC.
    units : int
        What the ledger counts: readings set aside, or one for an unreadable message.
    only : tuple of (int, str)
        Position of the object in the message and metric of each reading set aside; empty means all of the message. In a
        bundle position of the message and ``object metric``, both in one; an empty one means all of that message.
    devices : tuple of str
        Names on the wire of devices that the registry does not know; the first of them, where they are very many.
    retained : bool
        The broker had kept the message: when it was received says nothing of when it was sent.
    packed : str
        `only`, where it is long: `stream.letter_form` packs and unpacks it.
    """

    reason: str
    detail: str
    topic: str
    payload: str
    gateway_id: str
    received_at: int
    units: int
    only: tuple[tuple[int, str], ...] = ()
    devices: tuple[str, ...] = ()
    retained: bool = False
    packed: str = ""


T = TypeVar("T")
Convert = Callable[[Any], Any]

_PRIMITIVES = (str, int, float, bool, type(None))


def _refuse_constant(name: str) -> Any:
    raise DataError(f"{name} is not JSON")


_WRITER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_READER = json.JSONDecoder(parse_constant=_refuse_constant)


def encode(record: Any) -> bytes:
    """Return a frozen dataclass as versioned JSON with sorted keys: equal records give equal bytes."""
    kind: Any = type(record)
    return _WRITER.encode({"v": VERSION, **_encoder(kind)(record)}).encode()


def decode(kind: type[T], value: bytes) -> T:
    """Read what `encode` wrote.

    Raises
    ------
    DataError
        Not JSON, another version, or fields that do not fit `kind`.
    """
    try:
        body = _READER.decode(value.decode())
        version = body.pop("v", None)
        if type(version) is not int or version != VERSION:
            raise DataError(f"a {kind.__name__} of version {version}; this program reads {VERSION}: upgrade it first")
        hint: Any = kind
        built: T = _builder(hint)(body)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise DataError(f"not a {kind.__name__}: {exc}") from exc
    return built


# A summary is written and read for every record: the work that depends on types alone is done once per type.


@cache
def _encoder(kind: Any) -> Convert:
    """Return what turns a value of the annotated type into plain JSON."""
    inner = _optional(kind)
    if inner is not None:
        convert = _encoder(inner)
        return lambda value: None if value is None else convert(value)
    if get_origin(kind) is tuple:
        args = get_args(kind)
        if len(args) == 2 and args[1] is Ellipsis:
            if args[0] in _PRIMITIVES:
                return list
            each = _encoder(args[0])
            return lambda values: [each(value) for value in values]
        converts = tuple(_encoder(arg) for arg in args)
        return lambda values: [c(value) for c, value in zip(converts, values, strict=True)]
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        names = sorted(field.name for field in dataclasses.fields(kind))
        fields = tuple((name, None if hints[name] in _PRIMITIVES else _encoder(hints[name])) for name in names)
        return lambda value: {
            name: getattr(value, name) if convert is None else convert(getattr(value, name)) for name, convert in fields
        }
    return _plain


def _plain(value: Any) -> Any:
    """Turn a value whose type is only known now into plain JSON, keys sorted."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _encoder(type(value))(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(value[key]) for key in sorted(value)}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(item) for item in value]
    return value


def _optional(kind: Any) -> Any:
    """Return X of ``X | None``, None for other types."""
    if get_origin(kind) not in (Union, UnionType):
        return None
    inner = [arg for arg in get_args(kind) if arg is not type(None)]
    assert len(inner) == 1, f"records do not mix types: {kind}"
    return inner[0]


@cache
def _builder(kind: Any) -> Convert:
    """Return what rebuilds a value of the annotated type from plain JSON, and refuses any other."""
    inner = _optional(kind)
    if inner is not None:
        build = _builder(inner)
        return lambda value: None if value is None else build(value)
    if get_origin(kind) is tuple:
        return _tuple_builder(get_args(kind))
    if kind is Any or get_origin(kind) is dict or kind is dict:
        return lambda value: value
    if dataclasses.is_dataclass(kind):
        return _dataclass_builder(kind)
    if issubclass(kind, Enum):
        return lambda value: kind(value)
    if kind is float:
        return _float
    return lambda value: value if type(value) is kind else _mismatch(kind, value)


def _tuple_builder(args: tuple[Any, ...]) -> Convert:
    if len(args) == 2 and args[1] is Ellipsis:
        each = _builder(args[0])
        return lambda values: tuple([each(v) for v in values]) if type(values) is list else _mismatch(list, values)
    builds = tuple(_builder(arg) for arg in args)
    return lambda values: tuple(build(value) for build, value in zip(builds, values, strict=True))


def _dataclass_builder(kind: Any) -> Convert:
    builds = {name: _builder(hint) for name, hint in get_type_hints(kind).items()}

    def build(value: Any) -> Any:
        if type(value) is not dict:
            return _mismatch(kind, value)
        if not value.keys() <= builds.keys():
            unknown = ", ".join(sorted(value.keys() - builds.keys()))
            raise DataError(f"{kind.__name__} has no field {unknown}")
        return kind(**{name: builds[name](item) for name, item in value.items()})

    return build


def _float(value: Any) -> float:
    if type(value) is float:
        return value
    return float(value) if type(value) is int else _mismatch(float, value)


def _mismatch(kind: Any, value: Any) -> Any:
    raise DataError(f"expected {kind.__name__}, found {type(value).__name__}")
