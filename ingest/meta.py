"""What a record of the log says of itself: counts and message numbers of gateways, within the log's limits. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as _quoted

from stream import codec

ROW_BYTES = 40
"""Bytes of one reading in a batch, columns' padding included."""

NUMBER_BYTES = 320
"""Bytes of one gateway's count or range of numbers in a record's meta, at most."""

OVERHEAD_BYTES = 4096

Numbers = dict[tuple[str, str], list[list[int]]]
"""(gateway, epoch) → ranges of message numbers, [first, last] both inclusive."""


@dataclass(frozen=True, slots=True)
class FlushOptions:
    """What the log allows.

    Attributes
    ----------
    readings_partitions, dead_letter_partitions : int
    record_bytes_max : int
        The log's `max_record_bytes`.
    """

    readings_partitions: int
    dead_letter_partitions: int
    record_bytes_max: int

    @property
    def entries_max(self) -> int:
        """Counts and ranges of numbers in one record's meta."""
        return max(2, self.record_bytes_max // 2 // NUMBER_BYTES)

    @property
    def rows_max(self) -> int:
        """Readings in one record."""
        return max(1, (self.record_bytes_max // 2 - OVERHEAD_BYTES) // ROW_BYTES)


def encode_meta(counts: dict[str, int], hour: int, numbers: Numbers) -> bytes:
    """Return what `codec.encode` makes of the same `RecordMeta`, without building it: this runs for every record.

    `numbers` must be settled.
    """
    told = ",".join(
        [f'{{"count":{count},"gateway_id":{_quoted(gateway)},"hour":{hour}}}' for gateway, count in counts.items()]
    )
    ranged = ",".join(
        [
            f'{{"epoch":{_quoted(epoch)},"first":{first},"gateway_id":{_quoted(gateway)},"hour":{hour},"last":{last}}}'
            for (gateway, epoch), ranges in numbers.items()
            for first, last in ranges
        ]
    )
    return f'{{"v":{codec.VERSION},"counts":[{told}],"numbers":[{ranged}],"replayed":null}}'.encode()


def settled(numbers: Numbers) -> Numbers:
    """Return ranges in order, without overlaps: a gateway's messages may overtake each other on the way."""
    return {key: ranges if len(ranges) == 1 else _merged(ranges) for key, ranges in numbers.items()}


def entries_of(counts: dict[str, int], numbers: Numbers) -> int:
    """Return how much stands in a record's meta."""
    return len(counts) + sum(len(ranges) for ranges in numbers.values())


def first_of(numbers: Numbers, most: int) -> Numbers:
    """Return the first `most` ranges."""
    return next(dealt(numbers, most), {})


def dealt(numbers: Numbers, most: int) -> Iterator[Numbers]:
    """Divide ranges of numbers into parts of at most `most`."""
    part: Numbers = {}
    size = 0
    for key, ranges in numbers.items():
        for first_last in ranges:
            part.setdefault(key, []).append(first_last)
            size += 1
            if size == most:
                yield part
                part, size = {}, 0
    if part:
        yield part


def _merged(ranges: list[list[int]]) -> list[list[int]]:
    merged: list[list[int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    return merged
