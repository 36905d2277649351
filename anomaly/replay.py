"""Makes every decision again from the log, and compares it with what was decided then.

However long the log is, only the states and the names of the alarms' events are in memory.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from anomaly.correlate import WAITING_TOLD
from anomaly.rerun import Correlation, Detection
from city import topics
from city.alarm import AlarmEvent
from stream import codec
from stream.log import Append, Bounds, EventLog, TopicPartition

Progress = Callable[[int, int], None]
"""(records read, records to read)"""

_NEVER = -1
_READ_MAX = 500


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay found.

    Attributes
    ----------
    events : tuple of str
        Ids of the alarms' events made again, in the order of the correlation.
    same : int
        Recorded on `alarms` with the very same bytes.
    only_replayed, only_recorded : tuple of str
        Event ids that one side lacks. Recorded ones that a shortened log can no longer explain are among them.
    """

    events: tuple[str, ...]
    same: int
    only_replayed: tuple[str, ...]
    only_recorded: tuple[str, ...]
    begins_at_offset: dict[int, int]

    @property
    def identical(self) -> bool:
        """Whether both sides agree on every byte."""
        return not self.only_replayed and not self.only_recorded


async def replay(log: EventLog, progress: Progress | None = None) -> ReplayReport:
    """Run detection and correlation with empty states over everything that the log still holds.

    A city that goes on meanwhile does not disturb it: what was decided after the last tick read is left out.

    Raises
    ------
    EngineError
        The log does not answer.
    """
    bounds = await log.bounds(topics.READINGS)
    total = sum(b.end - b.begin for b in bounds.values())
    groups = await log.partitions(topics.CANDIDATES)
    correlation = Correlation(groups, len(bounds))
    replayed: dict[str, bytes] = {}
    # One partition after the other is ahead: together by less than what correlation takes for one that hangs.
    share = min(_READ_MAX, max(1, WAITING_TOLD // (2 * len(bounds))))
    partitions = [
        _Partition(log, TopicPartition(topics.READINGS, p), b, groups, share) for p, b in sorted(bounds.items())
    ]
    done = 0
    while reading := [partition for partition in partitions if partition.offset < partition.end]:
        # The one that is behind goes on, so that correlation never has to hold much back.
        behind = min(reading, key=lambda partition: partition.said_at)
        appends, count = await behind.advance()
        for made in correlation.hear(appends):
            replayed[codec.decode(AlarmEvent, made.value).event_id] = _digest(made.value)
        done += count
        if progress is not None:
            progress(done, total)
    recorded = await _recorded(log, correlation.decided_at)
    return ReplayReport(
        events=tuple(replayed),
        same=sum(recorded.get(event_id) == digest for event_id, digest in replayed.items()),
        only_replayed=tuple(i for i, digest in replayed.items() if recorded.get(i) != digest),
        only_recorded=tuple(i for i, digest in recorded.items() if replayed.get(i) != digest),
        begins_at_offset={p: b.begin for p, b in bounds.items()},
    )


class _Partition:
    """Detection of one partition, from its first record to the last that stood there when the replay began."""

    def __init__(self, log: EventLog, source: TopicPartition, bounds: Bounds, groups: int, share: int) -> None:
        self._log = log
        self._share = share
        self._source = source
        self._detection = Detection(source.partition, groups)
        self.offset, self.end = bounds
        self.said_at = _NEVER

    async def advance(self) -> tuple[list[Append], int]:
        """Take the next records; return what they lead to, and how many they are."""
        records = await self._log.read(self._source, self.offset, max_records=min(self._share, self.end - self.offset))
        self.offset = records[-1].offset + 1
        self.said_at = max(self.said_at, records[-1].at_us)
        return self._detection.take(records), len(records)


async def _recorded(log: EventLog, until: int) -> dict[str, bytes]:
    """Return digests of the alarms' events on the log that were decided up to `until`, µs UTC."""
    events: dict[str, bytes] = {}
    for partition, (begin, end) in (await log.bounds(topics.ALARMS)).items():
        offset = begin
        while offset < end:
            records = await log.read(TopicPartition(topics.ALARMS, partition), offset)
            for record in records:
                event = codec.decode(AlarmEvent, record.value)
                if event.at <= until:
                    events[event.event_id] = _digest(record.value)
            offset = records[-1].offset + 1
    return events


def _digest(value: bytes) -> bytes:
    return hashlib.blake2b(value, digest_size=16).digest()
