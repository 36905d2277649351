"""Which feeders have nothing to say: nearly all, nearly always. Looking at each of them is what minutes would cost."""

import numpy as np
from numpy.typing import NDArray

from anomaly.segments import voltage
from anomaly.segments.switching import FEW
from anomaly.segments.told import OPEN
from city.clock import HOUR_US

_STANDS = (*(name for name, _ in OPEN), "part_since", "over_first", "under_first")
"""Columns of `layout.FEEDER` that are 0 while nothing is open, or on its way there."""
_BEYOND = ("over", "under", "high", "low")


def quiet(
    feeders: NDArray[np.void], counts: NDArray[np.void], parted: NDArray[np.bool_], now: int
) -> NDArray[np.bool_]:
    """Tell on which feeders no rule could open, close or learn anything now.

    Nothing is open there, nothing was said that is out of the ordinary, and the lesson of this hour is taken. Rules may
    ask for more before they speak, never for less.

    Parameters
    ----------
    feeders : layout.FEEDER[n]
    counts : layout.COUNT[n]
        Of this minute.
    parted : bool[n]
        Some of its lamps belong to a part that is, or was, out, or are silent in the shape of one.
    now : int, µs UTC

    Returns
    -------
    bool[n]
    """
    still: NDArray[np.bool_] = ~parted & (counts["live"] == 0) & (counts["dark"] <= FEW * counts["powered"])
    still &= (counts["gasped"] == 0) & (2 * counts["missed"] < counts["known"])
    for name in _STANDS:
        still &= feeders[name] == 0
    for name in _BEYOND:
        still &= counts[name] < voltage.LAMPS_MIN
    if now % HOUR_US >= voltage.LESSON_US:
        still &= (counts["volts"] < voltage.LAMPS_MIN) | (feeders["learnt_at"] >= now // HOUR_US)
    return still
