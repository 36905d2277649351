"""Makes every decision again from the log, and compares it with what was decided then."""

from collections.abc import Callable
from dataclasses import dataclass

from anomaly.correlate import CorrelateStage
from anomaly.detector import DetectStage
from city import topics
from city.alarm import AlarmEvent
from stream import codec
from stream.log import Append, EventLog, Record, TopicPartition

Progress = Callable[[int, int], None]
"""(records read, records to read)"""


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay found.

    Attributes
    ----------
    events : tuple of AlarmEvent
        Made again, in the order of the correlation.
    same : int
        Recorded on `alarms` with the very same bytes.
    only_replayed, only_recorded : tuple of str
        Event ids that one side lacks. Recorded ones that a shortened log can no longer explain are among them.
    """

    events: tuple[AlarmEvent, ...]
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

    Raises
    ------
    EngineError
        The log does not answer.
    """
    bounds = await log.bounds(topics.READINGS)
    total = sum(b.end - b.begin for b in bounds.values())
    groups = await log.partitions(topics.CANDIDATES)
    candidates: list[Append] = []
    done = 0
    for partition, (begin, end) in sorted(bounds.items()):
        stage = DetectStage(groups)
        source = TopicPartition(topics.READINGS, partition)
        state = stage.open(source, None)
        offset = begin
        while offset < end:
            records = await log.read(source, offset)
            candidates.extend(stage.step(state, records).appends)
            done += len(records)
            offset = records[-1].offset + 1
            if progress is not None:
                progress(done, total)
    replayed = _correlate(candidates, groups, len(bounds))
    recorded = await _recorded(log)
    return ReplayReport(
        events=tuple(codec.decode(AlarmEvent, value) for value in replayed.values()),
        same=sum(recorded.get(event_id) == value for event_id, value in replayed.items()),
        only_replayed=tuple(i for i, value in replayed.items() if recorded.get(i) != value),
        only_recorded=tuple(i for i, value in recorded.items() if replayed.get(i) != value),
        begins_at_offset={p: b.begin for p, b in bounds.items()},
    )


def _correlate(candidates: list[Append], groups: int, readings: int) -> dict[str, bytes]:
    stage = CorrelateStage(readings, 1)
    events: dict[str, bytes] = {}
    for partition in range(groups):
        mine = [a for a in candidates if a.partition == partition]
        state = stage.open(TopicPartition(topics.CANDIDATES, partition), None)
        records = [Record(a.topic, partition, n, a.kind, a.value, a.at_us) for n, a in enumerate(mine)]
        for append in stage.step(state, records).appends:
            events[codec.decode(AlarmEvent, append.value).event_id] = append.value
    return events


async def _recorded(log: EventLog) -> dict[str, bytes]:
    events: dict[str, bytes] = {}
    for partition, (begin, end) in (await log.bounds(topics.ALARMS)).items():
        offset = begin
        while offset < end:
            records = await log.read(TopicPartition(topics.ALARMS, partition), offset)
            for record in records:
                events[codec.decode(AlarmEvent, record.value).event_id] = record.value
            offset = records[-1].offset + 1
    return events
