"""Makes every decision again from the log, and compares it with what was decided then.

However long the log is, only the states and the names of the alarms' events are in memory.
"""

import hashlib
from dataclasses import dataclass

from anomaly.rerun_log import LogRun, Progress
from city import topics
from city.alarm import AlarmEvent
from stream import codec
from stream.log import EventLog, TopicPartition

__all__ = ["Progress", "ReplayReport", "replay"]


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
    run = await LogRun.over(log)
    replayed: dict[str, bytes] = {}
    async for made in run.events(progress):
        replayed[codec.decode(AlarmEvent, made.value).event_id] = _digest(made.value)
    recorded = await _recorded(log, run.decided_at)
    return ReplayReport(
        events=tuple(replayed),
        same=sum(recorded.get(event_id) == digest for event_id, digest in replayed.items()),
        only_replayed=tuple(i for i, digest in replayed.items() if recorded.get(i) != digest),
        only_recorded=tuple(i for i, digest in recorded.items() if replayed.get(i) != digest),
        begins_at_offset=run.begins_at_offset,
    )


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
