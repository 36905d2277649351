"""Times as files write them: ISO 8601, or seconds, milliseconds, microseconds or nanoseconds since 1970."""

import re
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from city.clock import from_datetime

EARLIEST_US = 978_307_200_000_000
"""2001-01-01: what lies before comes from a clock that was never set."""
LATEST_US = 4_102_444_800_000_000
"""2100-01-01."""

_EPOCH = re.compile(r"[+-]?\d+(\.\d*)?([eE]\+?\d+)?")
HINT = "write it as 2026-03-01T12:00:00Z, or as seconds since 1970"


def parse_moment(text: str) -> int:
    """Return one moment, µs UTC; without an offset it is taken for UTC.

    Raises
    ------
    ValueError
        It is none, or lies before 2001 or after 2099.
    """
    if _EPOCH.fullmatch(text):
        at_us = int(_from_epoch(np.array([float(text)]))[0])
    else:
        at = datetime.fromisoformat(text)
        at_us = from_datetime(at.replace(tzinfo=UTC) if at.tzinfo is None else at)
    if not EARLIEST_US <= at_us < LATEST_US:
        raise ValueError(f"{text!r} lies before 2001 or after 2099")
    return at_us


def parse_column(column: pa.Array) -> tuple[NDArray[np.int64], int | None]:
    """Return moments of a column of texts, and the place of the first that is none.

    Returns
    -------
    int64[n], int or None
        µs UTC; where a place is returned, the moments mean nothing.
    """
    if not len(column):
        return np.zeros(0, np.int64), None
    try:
        if _EPOCH.fullmatch(column[0].as_py()):
            return _from_epoch(pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)), None
        return _from_texts(column), None
    except (pa.ArrowInvalid, ValueError, OverflowError):
        return _one_by_one(column)


def _from_texts(column: pa.Array) -> NDArray[np.int64]:
    try:
        parsed = pc.cast(column, pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid:
        parsed = pc.cast(column, pa.timestamp("us"))
    found: NDArray[np.int64] = pc.cast(parsed, pa.int64()).to_numpy(zero_copy_only=False)
    return found


def _one_by_one(column: pa.Array) -> tuple[NDArray[np.int64], int | None]:
    """Read a column that mixes ways of writing, or find what is wrong in it."""
    out = np.zeros(len(column), np.int64)
    for place, text in enumerate(column.to_pylist()):
        try:
            if _EPOCH.fullmatch(text):
                out[place] = _from_epoch(np.array([float(text)]))[0]
            else:
                at = datetime.fromisoformat(text)
                out[place] = from_datetime(at.replace(tzinfo=UTC) if at.tzinfo is None else at)
        except (ValueError, OverflowError):
            return out, place
    return out, None


def _from_epoch(value: NDArray[np.float64]) -> NDArray[np.int64]:
    if not np.isfinite(value).all():
        raise ValueError("not a number")
    size = np.abs(value)
    scale = np.select([size < 1e11, size < 1e14, size < 1e17], [1e6, 1e3, 1.0], 1e-3)
    scaled = value * scale
    if (np.abs(scaled) > 9e18).any():
        raise OverflowError("beyond what a moment can be")
    out: NDArray[np.int64] = np.round(scaled).astype(np.int64)
    return out
