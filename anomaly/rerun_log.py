"""All that the log still holds of readings, through detection and correlation once more.

However long the log is, only the states are in memory.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

from anomaly.correlate import WAITING_TOLD
from anomaly.rerun import Correlation, Detection
from city import topics
from city.reading import ReadingBatch
from stream import codec
from stream.log import Append, Bounds, EventLog, Record, TopicPartition

Progress = Callable[[int, int], None]
"""(records read, records to read)"""
Change = Callable[[ReadingBatch], ReadingBatch]
"""What is done to each batch of readings before detection has it."""

_NEVER = -1
_READ_MAX = 500


class LogRun:
    """One run from empty states over everything that stood on the log when it began.

    Attributes
    ----------
    begins_at_offset : dict
        By partition.
    """

    def __init__(self, log: EventLog, bounds: dict[int, Bounds], groups: int, change: Change | None = None) -> None:
        self.begins_at_offset = {p: b.begin for p, b in bounds.items()}
        self._total = sum(b.end - b.begin for b in bounds.values())
        self._correlation = Correlation(groups, len(bounds))
        # One partition after the other is ahead: together by less than what correlation takes for one that hangs.
        share = min(_READ_MAX, max(1, WAITING_TOLD // (2 * len(bounds))))
        self._partitions = [
            _Partition(log, TopicPartition(topics.READINGS, p), b, Detection(p, groups), share, change)
            for p, b in sorted(bounds.items())
        ]

    @classmethod
    async def over(cls, log: EventLog, change: Change | None = None) -> "LogRun":
        """Prepare a run over a log.

        Raises
        ------
        EngineError
            The log does not answer.
        """
        return cls(log, await log.bounds(topics.READINGS), await log.partitions(topics.CANDIDATES), change)

    async def events(self, progress: Progress | None = None) -> AsyncIterator[Append]:
        """Yield the alarms' events in the order in which they are decided."""
        done = 0
        while reading := [partition for partition in self._partitions if partition.offset < partition.end]:
            # The one that is behind goes on, so that correlation never has to hold much back.
            behind = min(reading, key=lambda partition: partition.said_at)
            appends, count = await behind.advance()
            for made in self._correlation.hear(appends):
                yield made
            done += count
            if progress is not None:
                progress(done, self._total)

    @property
    def decided_at(self) -> int:
        """Up to when everything is decided, µs UTC."""
        return self._correlation.decided_at


class _Partition:
    """Detection of one partition, from its first record to the last that stood there when the run began."""

    def __init__(
        self,
        log: EventLog,
        source: TopicPartition,
        bounds: Bounds,
        detection: Detection,
        share: int,
        change: Change | None,
    ) -> None:
        self._log, self._source, self._share = log, source, share
        self._detection, self._change = detection, change
        self.offset, self.end = bounds
        self.said_at = _NEVER

    async def advance(self) -> tuple[list[Append], int]:
        """Take the next records; return what they lead to, and how many they are."""
        records: Sequence[Record] = await self._log.read(
            self._source, self.offset, max_records=min(self._share, self.end - self.offset)
        )
        self.offset = records[-1].offset + 1
        self.said_at = max(self.said_at, records[-1].at_us)
        if self._change is not None:
            records = [self._changed(record, self._change) for record in records]
        return self._detection.take(records), len(records)

    @staticmethod
    def _changed(record: Record, change: Change) -> Record:
        if record.kind != codec.BATCH:
            return record
        batch = codec.decode_batch(record.value)
        changed = change(batch)
        return record if changed is batch else replace(record, value=codec.encode_batch(changed))
