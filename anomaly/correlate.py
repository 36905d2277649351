"""Correlation: what partitions suspect, seen together → alarms, one per cause.

Time is the lowest tick of all partitions of `readings`. Everything that was said up to a tick is decided at once and
in sorted order, so the order in which partitions were heard does not matter.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from anomaly import networks
from anomaly.causes import Case, Parent
from anomaly.decide import decide
from anomaly.held import joined
from anomaly.life import Rest
from anomaly.metrics import CorrelateMetrics
from city import topics
from city.alarm import AlarmEvent, CandidateBatch
from city.asset import correlation_partition
from city.maintenance import MaintenanceWindow
from storage.pool import Connection
from stream import codec
from stream.log import Append, Record, TopicPartition
from stream.worker import Outcome

logger = logging.getLogger(__name__)

WAITING_TOLD = 5_000
"""Batches that wait for a partition before someone is told; again each time as many more do."""


@dataclass(frozen=True, slots=True)
class CorrelatorSnapshot:
    """A `CorrelatorState` as it is saved: dictionaries as sorted pairs."""

    sources: int
    seen: tuple[tuple[int, int, int], ...]
    heard_at: tuple[tuple[int, int], ...]
    waiting: tuple[CandidateBatch, ...]
    cases: tuple[tuple[str, Case], ...]
    parents: tuple[tuple[str, Parent], ...]
    rests: tuple[tuple[str, Rest], ...] = ()
    windows: tuple[tuple[int, tuple[MaintenanceWindow, ...]], ...] = ()


@dataclass(slots=True)
class CorrelatorState:
    """State of one partition of `candidates`.

    Attributes
    ----------
    sources : int
        Partitions of `readings`; nothing is decided before each has been heard.
    seen : dict
        Source partition → time and part of its latest batch, which never go back: a repeat is ignored.
    heard_at : dict
        Source partition → latest tick of which all parts have come.
    waiting : dict
        Source partition → batches that other partitions have not caught up with.
    rests : dict
        Fault and asset → alarm that has cleared of late, and is the same if it comes back.
    windows : dict
        Source partition → maintenance windows that it told last.
    """

    sources: int
    seen: dict[int, tuple[int, int]] = field(default_factory=dict)
    heard_at: dict[int, int] = field(default_factory=dict)
    waiting: dict[int, list[CandidateBatch]] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    parents: dict[str, Parent] = field(default_factory=dict)
    rests: dict[str, Rest] = field(default_factory=dict)
    windows: dict[int, tuple[MaintenanceWindow, ...]] = field(default_factory=dict)
    decided_at: int = 0
    told: int = 0
    """How often operators were told that one partition keeps all others waiting."""

    def hear(self, batch: CandidateBatch) -> list[AlarmEvent]:
        """Take one batch; return what can now be decided."""
        source = batch.source_partition
        if (batch.at, batch.part) <= self.seen.get(source, (0, 0)):
            return []
        self.seen[source] = (batch.at, batch.part)
        self.waiting.setdefault(source, []).append(batch)
        if batch.part < batch.parts - 1:
            return []
        self.heard_at[source] = batch.at
        watermark = min(self.heard_at.values()) if len(self.heard_at) >= self.sources else 0
        if watermark <= self.decided_at:
            self._tell_who_waits()
            return []
        self.decided_at, self.told = watermark, 0
        due: dict[int, list[CandidateBatch]] = {}
        for number, queue in self.waiting.items():
            for one in queue:
                if one.at <= watermark:
                    due.setdefault(one.at, []).append(one)
            self.waiting[number] = [one for one in queue if one.at > watermark]
        return [event for at in sorted(due) for event in self._decide(at, due[at])]

    def _decide(self, at: int, batches: Sequence[CandidateBatch]) -> list[AlarmEvent]:
        suspicions = (s for batch in batches for s in batch.suspicions)
        complete = len({batch.source_partition for batch in batches}) >= self.sources
        census = [c for batch in batches for c in batch.census] if complete else None
        counted = [batch.gateways for batch in batches if batch.gateways is not None]
        gateways = networks.joined(g for told in counted for g in told) if complete and counted else None
        self.windows |= {batch.source_partition: batch.windows for batch in batches if batch.part == 0}
        windows = joined(w for _, told in sorted(self.windows.items()) for w in told)
        return decide(self.cases, self.parents, self.rests, suspicions, census, at, windows, gateways)

    def _tell_who_waits(self) -> None:
        count = sum(len(queue) for queue in self.waiting.values())
        if count // WAITING_TOLD > self.told:
            self.told = count // WAITING_TOLD
            late = min(range(self.sources), key=lambda source: self.heard_at.get(source, 0))
            logger.warning(
                "no alarm is decided: one partition of readings is not heard; see whether its detection runs",
                extra={"partition": late, "waiting": count},
            )

    def snapshot(self) -> CorrelatorSnapshot:
        """Return the state as values that the codec writes; equal states give equal bytes."""
        return CorrelatorSnapshot(
            self.sources,
            tuple((source, *seen) for source, seen in sorted(self.seen.items())),
            tuple(sorted(self.heard_at.items())),
            tuple(b for _, queue in sorted(self.waiting.items()) for b in queue),
            tuple(sorted(self.cases.items())),
            tuple(sorted(self.parents.items())),
            tuple(sorted(self.rests.items())),
            tuple((source, told) for source, told in sorted(self.windows.items()) if told),
        )

    @classmethod
    def restore(cls, saved: CorrelatorSnapshot) -> "CorrelatorState":
        """Build the state from its snapshot."""
        seen = {source: (at, part) for source, at, part in saved.seen}
        state = cls(saved.sources, seen, dict(saved.heard_at), {}, dict(saved.cases), dict(saved.parents))
        state.rests = dict(saved.rests)
        state.windows = dict(saved.windows)
        if len(state.heard_at) >= state.sources:
            state.decided_at = min(state.heard_at.values())
        for batch in saved.waiting:
            state.waiting.setdefault(batch.source_partition, []).append(batch)
        return state


class CorrelateStage:
    """Group `correlate`: `candidates` → `alarms`."""

    group = "correlate"
    topics = (topics.CANDIDATES,)
    code_version = "correlate-5"
    transactional = False

    def __init__(
        self,
        reading_partitions: int,
        alarm_partitions: int,
        metrics: CorrelateMetrics | None = None,
        *,
        candidate_partitions: int = 1,
    ) -> None:
        self._reading_partitions = reading_partitions
        self._alarm_partitions = alarm_partitions
        self._candidate_partitions = candidate_partitions
        self._metrics = metrics or CorrelateMetrics()

    def open(self, source: TopicPartition, snapshot: bytes | None) -> CorrelatorState:
        if snapshot is None:
            return CorrelatorState(self._reading_partitions)
        return CorrelatorState.restore(codec.decode(CorrelatorSnapshot, snapshot))

    def snapshot(self, state: CorrelatorState) -> bytes:
        return codec.encode(state.snapshot())

    async def write(self, connection: Connection, effects: object) -> None:
        """Write nothing: alarms go to the log."""

    def step(self, state: CorrelatorState, records: Sequence[Record]) -> Outcome:
        """Hear every batch in the order of the log."""
        events: list[AlarmEvent] = []
        for record in records:
            if record.kind == codec.CANDIDATES:
                self._metrics.batches.inc()
                found = state.hear(codec.decode(CandidateBatch, record.value))
                events.extend(event for event in found if self._tells(event, record.partition))
        if records:
            waiting = sum(len(queue) for queue in state.waiting.values())
            self._metrics.waiting.labels(str(records[0].partition)).set(waiting)
        for event in events:
            self._metrics.events.labels(event.kind, event.fault).inc()
        return Outcome([self._append(event) for event in events])

    def _tells(self, event: AlarmEvent, partition: int) -> bool:
        """Tell whether an event is this partition's to tell: what all find, one tells."""
        shared = networks.is_shared(event.fault, event.scope.kind)
        return not shared or correlation_partition(event.scope.group, self._candidate_partitions) == partition

    def _append(self, event: AlarmEvent) -> Append:
        partition = correlation_partition(event.scope.group, self._alarm_partitions)
        return Append(topics.ALARMS, partition, codec.ALARM, codec.encode(event), event.at)
