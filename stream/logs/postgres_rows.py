"""What the log and the consumers of the PostgreSQL engine share: options, statements, rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from city.errors import OffsetOutOfRangeError
from storage import queries
from stream.log import Bounds, Record, TopicPartition

SQL = queries.load(Path(__file__).with_name("postgres.sql"))


@dataclass(frozen=True, slots=True)
class PostgresLogOptions:
    """How the engine behaves.

    Attributes
    ----------
    max_bytes : int or None
        Size limit of the whole log; None leaves the one that it has. It holds the doors back (readings, dead letters);
        what stages make of them may exceed it by a tenth, or a full log could never be read empty.
    session_timeout_s : float
        A member that is not heard of for so long loses its partitions.
    poll_interval_s_max : float
        Longest pause between two looks while a consumer waits for records; the shortest is 10 ms.
    poll_gap_s_max : float
        A member that lives but does not poll for so long loses its partitions too.
    timeout_s : float
        After this long without a connection a call gives up with EngineError; of the engine's own pool.
    """

    max_record_bytes: int = 1 << 20
    max_bytes: int | None = None
    fetch_bytes_max: int = 32 << 20
    session_timeout_s: float = 6.0
    poll_interval_s_max: float = 0.1
    poll_gap_s_max: float = 300.0
    timeout_s: float = 10.0
    pool_size: int = 6


def to_record(row: tuple[Any, ...]) -> Record:
    """Turn a row of `fetch` into a record."""
    topic, partition, offset, kind, meta, at_us, value = row
    return Record(topic, partition, offset, kind, bytes(value), at_us, bytes(meta))


def check_position(source: TopicPartition, offset: int, records: Sequence[Record], bounds: Bounds) -> None:
    """Refuse a position that is not in the log. Offsets have no gaps: the first record is the one asked for.

    Raises
    ------
    OffsetOutOfRangeError
    """
    if offset < bounds.begin or offset > bounds.end or (records and records[0].offset != offset):
        raise OffsetOutOfRangeError(
            f"{source.topic}/{source.partition} holds {bounds.begin} to {bounds.end}, not {offset}: retention"
            " passed the reader or this is another log; restore the log, or reset the reader on purpose"
        )
