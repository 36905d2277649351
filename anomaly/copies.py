"""Copies of columns into memory that is used again: most of what a first copy takes is the memory it is given."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPARE = 8
"""One byte of so many is kept for what a partition grows by."""


class Copy:
    """Columns as they were when they were copied."""

    def __init__(self, home: "Copies", memory: NDArray[np.uint8], sizes: Sequence[int]) -> None:
        self._home, self._sizes = home, sizes
        self._memory: NDArray[np.uint8] | None = memory

    def pieces(self) -> list[NDArray[np.uint8]]:
        """Return the bytes of each column, to be read before `release`."""
        assert self._memory is not None, "the memory is another copy's by now"
        ends = np.cumsum(self._sizes, dtype=np.int64).tolist()
        return [self._memory[end - size : end] for end, size in zip(ends, self._sizes, strict=True)]

    def release(self) -> None:
        """Give the memory back to whoever copies next."""
        if self._memory is not None:
            self._home.take_back(self._memory)
            self._memory = None


class Copies:
    """Makes copies of columns, in one and the same memory as long as each is released before the next."""

    def __init__(self) -> None:
        self._free: list[NDArray[np.uint8]] = []

    def of(self, columns: Sequence[NDArray[Any]]) -> Copy:
        """Copy columns; what is copied later may reuse the memory once this is released."""
        sizes = [column.nbytes for column in columns]
        needed = sum(sizes)
        memory = self._free.pop() if self._free else np.empty(0, np.uint8)
        if len(memory) < needed:
            memory = np.empty(needed, np.uint8)
        copy = Copy(self, memory, sizes)
        for piece, column in zip(copy.pieces(), columns, strict=True):
            piece[:] = np.ascontiguousarray(column).reshape(-1).view(np.uint8)
        return copy

    def reserve(self, size: int) -> None:
        """Have memory for a copy of so many bytes, used once already; a little more, so that not each byte asks."""
        if not any(len(memory) >= size for memory in self._free):
            self._free = []
            memory = np.empty(size + size // SPARE, np.uint8)
            memory.fill(0)
            self._free = [memory]

    def take_back(self, memory: NDArray[np.uint8]) -> None:
        """Keep one piece of memory, the largest: several copies at once are rare."""
        self._free = [max((*self._free, memory), key=len)]
