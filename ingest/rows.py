"""The columns that kernels fill: readings on their way to records, and what was found of each message."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ingest.formats.parsed import KEYS_MAX
from ingest.resolve import PartitionRows


class Rows(NamedTuple):
    """Readings in the order of receipt.

    Attributes
    ----------
    message : int64[n]
        Place of the message in its intake.
    place : int32[n]
        Place of the gateway in `Tables.topics`.
    """

    message: NDArray[np.int64]
    partition: NDArray[np.int32]
    place: NDArray[np.int32]
    series: NDArray[np.int32]
    observed: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]

    @classmethod
    def room(cls, count: int) -> Self:
        """Return memory for `count` readings."""
        narrow = [np.empty(count, np.int32) for _ in range(3)]
        wide = np.empty(count, np.int64), np.empty(count, np.int64)
        return cls(wide[0], narrow[0], narrow[1], narrow[2], wide[1], np.empty(count), np.empty(count, np.uint8))

    @classmethod
    def of_part(cls, part: PartitionRows, message: int, partition: int, place: dict[int, int]) -> Self:
        """Return what the slow way read; `place` tells where a gateway's number stands."""
        return cls(
            np.full(len(part), message),
            np.full(len(part), partition, np.int32),
            np.array([place[number] for number in part.gateway], np.int32),
            np.frombuffer(part.series, np.int32),
            np.frombuffer(part.observed, np.int64),
            np.frombuffer(part.value, np.float64),
            np.frombuffer(part.quality, np.uint8),
        )

    @classmethod
    def together(cls, parts: list[Self]) -> Self:
        """Return the rows of all parts in the order of their messages."""
        whole = cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
        return whole.select(np.argsort(whole.message, kind="stable"))

    def select(self, index: "NDArray[np.intp] | slice") -> Self:
        """Return some of the rows."""
        return type(self)(
            self.message[index],
            self.partition[index],
            self.place[index],
            self.series[index],
            self.observed[index],
            self.value[index],
            self.quality[index],
        )

    def part(self, gateway: NDArray[np.int32], partition: int) -> PartitionRows:
        """Return one partition's rows as the slow way keeps them; `gateway` is the number at each place."""
        mine = self.select(np.flatnonzero(self.partition == partition))
        part = PartitionRows()
        part.series.frombytes(mine.series.tobytes())
        part.gateway.frombytes(gateway[mine.place].tobytes())
        part.observed.frombytes(mine.observed.tobytes())
        part.value.frombytes(mine.value.tobytes())
        part.quality.frombytes(mine.quality.tobytes())
        return part


class Heads(NamedTuple):
    """What was found of each message.

    Attributes
    ----------
    rows : int64[n]
        Readings; 0 where the message is left to the slow way.
    number : int64[n]
        The gateway's number of the message, -1 for none.
    epoch : int64[n, 2]
        Where its epoch stands in the intake's bytes.
    """

    rows: NDArray[np.int64]
    number: NDArray[np.int64]
    epoch: NDArray[np.int64]

    @classmethod
    def room(cls, count: int) -> Self:
        """Return memory for `count` messages."""
        return cls(np.empty(count, np.int64), np.empty(count, np.int64), np.empty((count, 2), np.int64))

    def first(self, count: int) -> Self:
        """Return the first `count`."""
        return type(self)(self.rows[:count], self.number[:count], self.epoch[:count])


class Notes(NamedTuple):
    """Scratch for the object at hand: its metrics and values, and in which object each metric was last seen."""

    metric: NDArray[np.int64]
    value: NDArray[np.float64]
    seen: NDArray[np.int64]

    @classmethod
    def room(cls, metrics: int) -> Self:
        """Return memory for as many metrics as there are."""
        return cls(np.empty(KEYS_MAX, np.int64), np.empty(KEYS_MAX), np.zeros(metrics, np.int64))
