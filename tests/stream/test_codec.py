"""Bytes on the log: what goes in comes out, and nothing else does."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.alarm import AlarmEvent, AlarmEventKind, CandidateBatch, Census, Evidence, FaultClass, Scope, Severity
from city.asset import AssetKind
from city.errors import DataError
from city.reading import ReadingBatch
from stream import codec
from stream.codec import DeadLetter, GatewayCount, NumberRange, RecordMeta, Replayed, Tick

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
INT64 = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)

metas = st.builds(
    RecordMeta,
    counts=st.lists(st.builds(GatewayCount, TEXT, INT64, st.integers(0)), max_size=4).map(tuple),
    numbers=st.lists(st.builds(NumberRange, TEXT, TEXT, INT64, INT64, INT64), max_size=4).map(tuple),
    replayed=st.none() | st.builds(Replayed, TEXT, TEXT, INT64, INT64, INT64),
)
letters = st.builds(
    DeadLetter, TEXT, TEXT, TEXT, TEXT, TEXT, INT64, INT64, st.lists(st.tuples(INT64, TEXT), max_size=3).map(tuple)
)
scopes = st.builds(Scope, st.sampled_from(AssetKind), TEXT, TEXT, TEXT, TEXT, TEXT)
evidences = st.builds(
    Evidence, TEXT, st.none() | FLOATS, st.none() | FLOATS, TEXT, st.none() | INT64, st.dictionaries(TEXT, INT64)
)
alarms = st.builds(
    AlarmEvent,
    st.sampled_from(AlarmEventKind),
    TEXT,
    st.sampled_from(FaultClass),
    st.sampled_from(Severity),
    scopes,
    INT64,
    INT64,
    evidences,
    st.none() | INT64,
    st.none() | TEXT,
    st.lists(TEXT, max_size=3).map(tuple),
)
records = st.one_of(metas, letters, alarms, st.builds(Tick, INT64, INT64))


@st.composite
def batches(draw: st.DrawFn) -> ReadingBatch:
    n = draw(st.integers(0, 30))

    def column(strategy: st.SearchStrategy[Any], dtype: Any) -> Any:
        return np.array(draw(st.lists(strategy, min_size=n, max_size=n)), dtype)

    int32 = st.integers(-(2**31), 2**31 - 1)
    return ReadingBatch(
        column(int32, np.int32),
        column(int32, np.int32),
        column(INT64, np.int64),
        column(INT64, np.int64),
        column(st.floats(), np.float64),
        column(st.integers(0, 255), np.uint8),
    )


@given(records)
def test_what_is_encoded_is_decoded(record: Any) -> None:
    encoded = codec.encode(record)
    assert codec.decode(type(record), encoded) == record
    assert codec.encode(codec.decode(type(record), encoded)) == encoded


@given(batches())
def test_a_batch_comes_back_bit_by_bit(batch: ReadingBatch) -> None:
    back = codec.decode_batch(codec.encode_batch(batch))
    for name in ReadingBatch.__slots__:
        column, other = getattr(batch, name), getattr(back, name)
        assert column.dtype == other.dtype
        assert column.tobytes() == other.tobytes()


@given(st.binary(max_size=200))
def test_garbage_is_a_data_error(garbage: bytes) -> None:
    for kind in (RecordMeta, DeadLetter, AlarmEvent):
        with pytest.raises(DataError):
            codec.decode(kind, garbage)
    with pytest.raises(DataError):
        codec.decode_batch(garbage)


_BODY: dict[str, Any] = json.loads(codec.encode(RecordMeta((GatewayCount("G-1", 0, 1),))))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda b: b.pop("v"), "version None"),
        (lambda b: b.update(v=2), "version 2; this program reads 1: upgrade it first"),
        (lambda b: b.update(v=True), "version True"),
        (lambda b: b.update(surprise=1), "RecordMeta has no field surprise"),
        (lambda b: b.update(counts={}), "expected list, found dict"),
        (lambda b: b.update(counts=[1]), "expected GatewayCount, found int"),
        (lambda b: b["counts"][0].pop("hour"), "hour"),
        (lambda b: b["counts"][0].update(count="1"), "expected int, found str"),
        (lambda b: b["counts"][0].update(count=True), "expected int, found bool"),
        (lambda b: b["counts"][0].update(count=1.5), "expected int, found float"),
        (lambda b: b["counts"][0].update(gateway_id=None), "expected str, found NoneType"),
        (lambda b: b.update(replayed=[]), "expected Replayed, found list"),
    ],
)
def test_a_record_that_does_not_fit_says_why(change: Callable[[Any], Any], complaint: str) -> None:
    body = json.loads(json.dumps(_BODY))
    change(body)
    with pytest.raises(DataError, match=complaint):
        codec.decode(RecordMeta, json.dumps(body).encode())


@pytest.mark.parametrize(
    "value", [b"[]", b"1", b"null", b'"x"', b"\xff", b'{"v":1,"at":NaN,"period_us":1}', b"[" * 10**5]
)
def test_json_that_is_no_record_is_a_data_error(value: bytes) -> None:
    with pytest.raises(DataError):
        codec.decode(Tick, value)


def test_a_record_without_a_field_that_came_later_is_read_with_its_default() -> None:
    old = b'{"v":1,"dead_letter":"a","gateway_id":"G-1","hour":0,"settles":2}'
    assert codec.decode(Replayed, old) == Replayed("a", "G-1", 0, 2, portion=0)


@given(st.lists(st.builds(Census), max_size=3).map(tuple))
def test_candidates_travel_whole(census: tuple[Census, ...]) -> None:
    batch = CandidateBatch(1, 2, 3, (), census)
    assert codec.decode(CandidateBatch, codec.encode(batch)) == batch


def _ipc(schema: pa.Schema, columns: list[pa.Array]) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch(columns, schema=schema))
    return bytes(sink.getvalue())


def test_a_batch_of_another_version_says_upgrade() -> None:
    schema = pa.schema([pa.field("series_id", pa.int32())], metadata={b"citynerve.version": b"9"})
    with pytest.raises(DataError, match="a batch of version 9; this program reads 1: upgrade"):
        codec.decode_batch(_ipc(schema, [pa.array([1], pa.int32())]))


def test_a_batch_with_other_columns_is_refused() -> None:
    schema = pa.schema([pa.field("series_id", pa.int32())], metadata={b"citynerve.version": b"1"})
    with pytest.raises(DataError, match="its columns are series_id"):
        codec.decode_batch(_ipc(schema, [pa.array([1], pa.int32())]))


def test_a_batch_cut_short_is_refused() -> None:
    whole = codec.encode_batch(ReadingBatch.concatenate([ReadingBatch.empty()]))
    for length in range(0, len(whole) - 8, 40):
        with pytest.raises(DataError):
            codec.decode_batch(whole[:length])
