"""A batch of readings as records of the log, as many as its limit asks for. Pure."""

from collections.abc import Iterator

import numpy as np

from city.reading import ReadingBatch
from stream import codec


def pieces(batch: ReadingBatch, limit: int) -> Iterator[tuple[ReadingBatch, bytes]]:
    """Yield the readings in their order, and their bytes: each piece at most `limit`, a single reading as it is."""
    value = codec.encode_batch(batch)
    if len(value) <= limit or len(batch) < 2:
        yield batch, value
        return
    # The same number in each, so that what is divided twice stays rare.
    count = min(len(batch), -(-len(value) // limit))
    for places in np.array_split(np.arange(len(batch)), count):
        yield from pieces(batch.take(places), limit)
