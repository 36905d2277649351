"""A reading, and the columnar batch in which readings travel."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray


class Quality(IntEnum):
    """Whose time a reading has: 0 the device's own; else that of receipt, because the device's own cannot be had."""

    GOOD = 0
    TIME_OF_RECEIPT = 1
    """The device told none."""
    TIME_UNSET = 2
    """Before 2001: a clock that was never set."""
    TIME_AHEAD = 3
    """More than five minutes ahead of receipt."""
    TIME_OUT_OF_STEP = 4
    """More than five minutes ahead of when its gateway says that it sent the message."""


CAUSES = {
    Quality.TIME_OF_RECEIPT: "absent",
    Quality.TIME_UNSET: "unset",
    Quality.TIME_AHEAD: "ahead",
    Quality.TIME_OUT_OF_STEP: "out-of-step",
}
"""Why a reading has the time of receipt, as metrics call it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One observation of one series."""

    series_id: int
    gateway_id: int
    observed_at: int
    received_at: int
    value: float
    quality: Quality = Quality.GOOD


@dataclass(frozen=True, slots=True)
class ReadingBatch:
    """Readings as columns of equal length, in the order of receipt.

    Attributes
    ----------
    series_id : int32[n]
        From the registry.
    gateway_id : int32[n]
        The gateway's number in the registry: event time is judged per gateway.
    observed_at, received_at : int64[n]
        µs UTC.
    value : float64[n]
        In the metric's own unit; never NaN or infinite.
    quality : uint8[n]
        `Quality`.
    """

    series_id: NDArray[np.int32]
    gateway_id: NDArray[np.int32]
    observed_at: NDArray[np.int64]
    received_at: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.series_id)

    @classmethod
    def of(cls, readings: list[Reading]) -> Self:
        """Build a batch from single readings."""
        return cls(
            np.array([r.series_id for r in readings], np.int32),
            np.array([r.gateway_id for r in readings], np.int32),
            np.array([r.observed_at for r in readings], np.int64),
            np.array([r.received_at for r in readings], np.int64),
            np.array([r.value for r in readings], np.float64),
            np.array([r.quality for r in readings], np.uint8),
        )

    @classmethod
    def empty(cls) -> Self:
        """Return a batch without readings."""
        return cls.of([])

    @classmethod
    def concatenate(cls, batches: "list[ReadingBatch]") -> Self:
        """Join batches in their order."""
        if not batches:
            return cls.empty()
        return cls(*(np.concatenate([getattr(b, name) for b in batches]) for name in cls.__slots__))

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Return the rows that `index` (positions or a mask) selects."""
        return type(self)(*(getattr(self, name)[index] for name in self.__slots__))

    def rows(self) -> list[Reading]:
        """Return single readings; for tests and tools, not for the hot path."""
        return [
            Reading(int(s), int(g), int(o), int(r), float(v), Quality(int(q)))
            for s, g, o, r, v, q in zip(
                self.series_id,
                self.gateway_id,
                self.observed_at,
                self.received_at,
                self.value,
                self.quality,
                strict=True,
            )
        ]
