"""Batches written without pyarrow are what pyarrow writes, and where that cannot be foretold pyarrow writes them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.reading import ReadingBatch
from stream import codec
from stream.batch_form import learn


def batch(rows: int, seed: int = 0) -> ReadingBatch:
    chance = np.random.default_rng(seed)
    return ReadingBatch(
        chance.integers(0, 2**31, rows).astype(np.int32),
        chance.integers(0, 2**31, rows).astype(np.int32),
        chance.integers(0, 2**60, rows),
        chance.integers(0, 2**60, rows),
        chance.normal(0, 1e9, rows),
        chance.integers(0, 2, rows).astype(np.uint8),
    )


@given(st.integers(0, 3_000), st.integers(0, 2**32))
def test_a_batch_is_to_the_byte_what_pyarrow_writes(rows: int, seed: int) -> None:
    assert codec.batch_form_or_none() is not None
    assert codec.encode_batch(batch(rows, seed)) == codec._write(batch(rows, seed))


def test_columns_that_are_views_and_columns_of_other_types_are_written_too() -> None:
    whole = batch(100)
    every_second = ReadingBatch(*(getattr(whole, name)[::2] for name in ReadingBatch.__slots__))
    assert codec.encode_batch(every_second) == codec._write(every_second)
    wide = ReadingBatch(whole.series_id.astype(np.int64), *(getattr(whole, n) for n in ReadingBatch.__slots__[1:]))
    assert codec.encode_batch(wide) == codec._write(whole)


def _longer_from_a_thousand(rows: int) -> bytes:
    stream = codec._write(batch_of_zeros(rows))
    return stream if rows < 1000 else stream[:8] + bytes(8) + stream[8:]


def _without_an_end(rows: int) -> bytes:
    return codec._write(batch_of_zeros(rows))[:-8]


def _crooked(rows: int) -> bytes:
    stream = bytearray(codec._write(batch_of_zeros(rows)))
    stream[16:24] = (rows * rows).to_bytes(8, "little")
    return bytes(stream)


def batch_of_zeros(rows: int) -> ReadingBatch:
    return ReadingBatch(*(np.zeros(rows, getattr(batch(1), name).dtype) for name in ReadingBatch.__slots__))


@pytest.mark.parametrize("write", [_longer_from_a_thousand, _without_an_end, _crooked])
def test_a_form_that_cannot_be_foretold_is_not_used(write: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert learn(write) is None  # type: ignore[arg-type]
    monkeypatch.setattr(codec, "batch_form_or_none", lambda: None)
    assert codec.decode_batch(codec.encode_batch(batch(50))).rows() == batch(50).rows()
