"""Series to judge, and what the kernel says of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly.statistics import kernels
from anomaly.statistics.layout import STATE
from anomaly.statistics.parameters import Parameters
from city.clock import HOUR_US, MINUTE_US

START = 1_795_996_800_000_000
"""A Monday, midnight UTC."""
QUARTER_US = 15 * MINUTE_US


@dataclass(slots=True)
class Judged:
    score: NDArray[np.float32]
    news: NDArray[np.float32]
    channel: NDArray[np.uint8]
    expected: NDArray[np.float32]
    refused: int


def judge(
    at: Any, value: Any, states: Any, row: Any = None, cell: Any = None, parameters: Parameters | None = None
) -> Judged:
    n = len(value)
    at = np.asarray(at, np.int64)
    row = np.zeros(n, np.int32) if row is None else np.asarray(row, np.int32)
    cell = ((at - START) // HOUR_US % 168).astype(np.int16) if cell is None else np.asarray(cell, np.int16)
    out = np.zeros(n, np.float32), np.zeros(n, np.float32), np.zeros(n, np.uint8), np.zeros(n, np.float32)
    p = (parameters or Parameters()).row()
    refused = kernels.score_rows(row, at, cell, np.asarray(value, np.float64), states, p, *out)
    return Judged(*out, refused)


def fresh(n: int = 1) -> NDArray[np.void]:
    return np.zeros(n, STATE)


def quarters(n: int) -> NDArray[np.int64]:
    return START + QUARTER_US * np.arange(n, dtype=np.int64)


def daily(n: int, seed: int, level: float = 100.0, swing: float = 30.0, noise: float = 2.0) -> NDArray[np.float64]:
    hours = np.arange(n) / 4.0
    rng = np.random.default_rng(seed)
    return level + swing * np.sin(2 * np.pi * hours / 24.0) + noise * rng.standard_normal(n)
