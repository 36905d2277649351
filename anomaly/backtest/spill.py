"""Puts readings in the order of receipt whatever order a file has them in, with little in memory: by days, on disk."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from city.clock import DAY_US

ROW = np.dtype(
    [("received_at", "i8"), ("observed_at", "i8"), ("value", "f8"), ("asset", "i4"), ("metric", "i4")], align=True
)
ROWS_MAX = 4_000_000
"""Of one day at a time in memory; a busier day is read in parts."""


class Spill:
    """A folder with one file a day of receipt, gone when it is closed."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="citynerve-backtest-", dir=folder)
        self._counts: dict[int, int] = {}
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._folder.cleanup()

    def add(self, rows: NDArray[np.void]) -> None:
        """Take some rows, in any order."""
        if not len(rows):
            return
        days = rows["received_at"] // DAY_US
        order = np.argsort(days, kind="stable")
        days = days[order]
        cuts = np.flatnonzero(np.diff(days)) + 1
        for part in np.split(order, cuts):
            day = int(rows["received_at"][part[0]] // DAY_US)
            with self._file(day).open("ab") as file:
                file.write(rows[part].tobytes())
            self._counts[day] = self._counts.get(day, 0) + len(part)
        self.rows += len(rows)

    def in_order(self) -> Iterator[NDArray[np.void]]:
        """Yield all rows by time of receipt, observation, asset and metric; equal ones as they came."""
        for day in sorted(self._counts):
            parts = -(-self._counts[day] // ROWS_MAX)
            whole = np.memmap(self._file(day), ROW, "r")
            if parts == 1:
                yield _sorted(np.array(whole))
                continue
            step = -(-DAY_US // parts)
            for low in range(day * DAY_US, (day + 1) * DAY_US, step):
                received = whole["received_at"]
                some = whole[(received >= low) & (received < min(low + step, (day + 1) * DAY_US))]
                if len(some):
                    yield _sorted(np.array(some))

    def _file(self, day: int) -> Path:
        return Path(self._folder.name) / str(day)


def _sorted(rows: NDArray[np.void]) -> NDArray[np.void]:
    return rows[np.lexsort((rows["metric"], rows["asset"], rows["observed_at"], rows["received_at"]))]
