"""The event log's port: what every engine under `logs/` promises, and the contract suite holds it to.

A topic has a fixed number of partitions; a partition is an append-only sequence of records with offsets 0, 1, 2 …
without gaps that a reader could mistake for loss. What a reader has seen is never before something that appears later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Append:
    """A record to be appended.

    Attributes
    ----------
    kind : str
        What the value is: ``batch``, ``tick``, ``registry`` on readings; see `stream.codec`.
    value : bytes
    meta : bytes
        A small summary that can be read without decoding the value (counts for the ledger).
    at_us : int
        City time of the append, µs UTC; retention goes by it.
    """

    topic: str
    partition: int
    kind: str
    value: bytes
    at_us: int
    meta: bytes = b""


@dataclass(frozen=True, slots=True)
class Record:
    """A record as the log returns it."""

    topic: str
    partition: int
    offset: int
    kind: str
    value: bytes
    at_us: int
    meta: bytes = b""


class Bounds(NamedTuple):
    """First offset still in the log, and the offset that the next append will get."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Poll:
    """What one call of `Consumer.poll` brought.

    Attributes
    ----------
    records : mapping
        Per partition, in offset order; partitions without news are absent.
    assignment : frozenset of TopicPartition
        What the member owns from now on. It may differ from the last poll's after a rebalance; records belong to it.
    generation : int
        Grows with every rebalance of the group.
    """

    records: Mapping[TopicPartition, Sequence[Record]]
    assignment: frozenset[TopicPartition]
    generation: int


class Consumer(Protocol):
    """One member of a consumer group.

    A newly assigned partition starts at the group's committed offset, or at the first record if the group never
    committed; `seek` overrides that. Positions are the member's own until `commit`.
    """

    async def poll(self, *, max_records: int = 500, timeout_s: float = 0.1) -> Poll:
        """Wait up to `timeout_s` for records of the assigned partitions.

        A poll that tells a changed assignment comes at once and brings no records, so that the caller can seek first.
        What stays assigned goes on at the member's own position.

        Raises
        ------
        OffsetOutOfRangeError
            The position is not in the log: retention passed it or the log is another one. Never skipped.
        EngineError
            The server did not answer; poll again.
        """

    async def seek(self, source: TopicPartition, offset: int) -> None:
        """Read on from `offset`."""

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Store the offsets of the next records to read.

        Raises
        ------
        FencedError
            The group has rebalanced and a partition belongs to another member now.
        EngineError
            The server did not answer; commit again.
        """

    async def close(self) -> None:
        """Leave the group, so that others take over at once."""


class EventLog(Protocol):
    """Durable, ordered, partitioned. Opened by its engine, closed once."""

    @property
    def identity(self) -> str:
        """Names this log for ever; a restored or newly made one has another identity. Checkpoints carry it."""

    @property
    def max_record_bytes(self) -> int:
        """Largest value that `append` takes."""

    async def create_topics(self, partitions: Mapping[str, int]) -> None:
        """Create the topics that are missing.

        Raises
        ------
        SettingsError
            A topic exists with another number of partitions.
        """

    async def partitions(self, topic: str) -> int:
        """Return the number of partitions.

        Raises
        ------
        NotFoundError
            No such topic.
        """

    async def append(self, records: Sequence[Append]) -> list[int]:
        """Append records; return their offsets once all are durable.

        Records of one partition keep their order. After an error some may have been appended: append all again,
        in the same order; repeats are the reader's to recognise.

        Raises
        ------
        RecordTooLargeError
            A value is over `max_record_bytes`; nothing was appended.
        LogFullError
            The log is at its size limit; nothing was appended.
        EngineError
            The server did not answer.
        """

    async def read(self, source: TopicPartition, offset: int, *, max_records: int = 500) -> list[Record]:
        """Read from `offset` without a group; empty at the end of the partition.

        Raises
        ------
        OffsetOutOfRangeError
            `offset` is before the first or after the end.
        """

    async def bounds(self, topic: str) -> dict[int, Bounds]:
        """Return begin and end of every partition."""

    async def consumer(self, group: str, topics: Sequence[str]) -> Consumer:
        """Join `group` as a new member."""

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        """Return the group's committed offsets of a topic; partitions never committed are absent."""

    async def trim(self, topic: str, before_us: int) -> dict[int, int]:
        """Delete records appended before `before_us` that every group which ever committed on the topic has passed.

        Returns
        -------
        dict
            The first offset still in the log, by partition.
        """

    async def ping(self) -> None:
        """Return if the log answers, else raise EngineError."""

    async def close(self) -> None:
        """Let go of connections; consumers must be closed before."""
