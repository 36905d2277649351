"""The Arrow bytes of a batch without asking pyarrow each time: what stands before the columns depends on length alone.

Written by pyarrow, a stream of one batch is a fixed text with counts and places in it, then the columns, each padded to
eight bytes, then a mark of its end. Every word of the text is a straight line in the number of rows, one line for each
remainder that the padding makes of it. The lines are drawn from batches that pyarrow wrote, and checked with others, so
a release that writes differently is met here and not by a reader.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WIDTHS = (4, 4, 8, 8, 8, 1)
"""Bytes of one value in each column of a `ReadingBatch`."""

END = np.frombuffer(b"\xff\xff\xff\xff\x00\x00\x00\x00", np.int64)
"""What closes a stream."""

_END = END.tobytes()
_REMAINDERS = 8
_DRAWN, _CHECKED = (0, 64), (8, 8_000, 65_536)


class BatchForm(NamedTuple):
    """The words that stand before the columns of a batch of n ≥ 1 rows: ``base[n % 8] + slope[n % 8] * n``.

    Attributes
    ----------
    base, slope : int64[8, n_words]
    """

    base: NDArray[np.int64]
    slope: NDArray[np.int64]

    def words(self, rows: int) -> NDArray[np.int64]:
        """Return what stands before the columns."""
        remainder = rows % _REMAINDERS
        words: NDArray[np.int64] = self.base[remainder] + self.slope[remainder] * rows
        return words

    def rows_of(self, stream: bytes) -> int:
        """Return of how many rows a stream of this form is, columns included; 0: it is not of this form."""
        head = self.base.shape[1]
        words = len(stream) // 8 - head - len(END)
        if len(stream) % 8 or words <= 0:
            return 0
        # A row takes 4 1/8 words, and what columns are padded with less than three more.
        least = max(1, (words - 3) * 8 // 33)
        for rows in range(least, least + 3):
            if sum(column_words(rows, width) for width in WIDTHS) == words:
                begins = np.frombuffer(stream, np.int64, head).tobytes() == self.words(rows).tobytes()
                return rows if begins and stream.endswith(_END) else 0
        return 0


def column_words(rows: int, width: int) -> int:
    """Return how many words of eight bytes a column takes."""
    return (rows * width + 7) // 8


def learn(write: Callable[[int], bytes]) -> BatchForm | None:
    """Draw the lines from what `write` makes of n rows of zeros; None where they do not hold.

    Parameters
    ----------
    write : callable
        Number of rows → an Arrow stream of that many zeros in each column.
    """
    base, slope = [], []
    for remainder in range(_REMAINDERS):
        first, second = (remainder or _REMAINDERS) + _DRAWN[0], (remainder or _REMAINDERS) + _DRAWN[1]
        low, high = _head(write(first), first), _head(write(second), second)
        if low is None or high is None or len(low) != len(high):
            return None
        step = (high - low) // (second - first)
        slope.append(step)
        base.append(low - step * first)
    if len({len(words) for words in base}) != 1:
        return None
    form = BatchForm(np.array(base), np.array(slope))
    for more in _CHECKED:
        for rows in range(more, more + _REMAINDERS):
            found = _head(write(rows), rows)
            if found is None or not np.array_equal(found, form.words(rows)):
                return None
    return form


def _head(stream: bytes, rows: int) -> NDArray[np.int64] | None:
    """Return the words before the columns; None where columns and end are not where we would write them."""
    columns = sum(column_words(rows, width) for width in WIDTHS)
    words = np.frombuffer(stream, np.int64) if len(stream) % 8 == 0 else END
    split = len(words) - columns - len(END)
    if split <= 0 or words[split:-1].any() or words[-1] != END[0]:
        return None
    return words[:split]
