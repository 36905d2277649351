"""Correlation: what partitions suspect, seen together → alarms, one per cause.

Time is the lowest tick of all partitions of `readings`. Everything that was said up to a tick is decided at once and
in sorted order, so the order in which partitions were heard does not matter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from anomaly import outage
from anomaly.outage import Outage
from city import topics
from city.alarm import (
    SEVERITY,
    AlarmEvent,
    AlarmEventKind,
    CandidateBatch,
    CandidateKind,
    Census,
    Evidence,
    FaultClass,
    Scope,
    Suspicion,
    alarm_id,
)
from city.asset import AssetKind, correlation_partition
from city.clock import MINUTE_US
from storage.pool import Connection
from stream import codec
from stream.log import Append, Record, TopicPartition
from stream.worker import Outcome

WAIT_US = 15 * MINUTE_US
"""A child's alarm waits this long for a parent that explains it: one interval of a lamp."""
RETURN_WAIT_US = 45 * MINUTE_US
"""After a parent has cleared, a child that was folded has this long to be heard and lit again."""
FOLD_SLACK_US = 60 * MINUTE_US
"""A child that failed up to this much before its parent is the parent's doing; earlier ones have their own cause."""


@dataclass(frozen=True, slots=True)
class Case:
    """A suspicion that has not ended.

    Attributes
    ----------
    decide_at : int
        When it becomes an alarm unless a parent explains it, µs UTC; 0 once decided.
    raised : bool
        An alarm stands, folded or not.
    parent_id : str or None
        The alarm that it is folded into.
    """

    suspicion: Suspicion
    decide_at: int
    raised: bool = False
    parent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Parent:
    """An open outage."""

    fault: FaultClass
    scope: Scope
    since: int
    evidence: Evidence
    folded_into: str | None = None

    @property
    def alarm_id(self) -> str:
        return alarm_id(self.fault, self.scope.asset_id, self.since)


@dataclass(frozen=True, slots=True)
class CorrelatorSnapshot:
    """A `CorrelatorState` as it is saved: dictionaries as sorted pairs."""

    sources: int
    seen: tuple[tuple[int, int], ...]
    heard_at: tuple[tuple[int, int], ...]
    waiting: tuple[CandidateBatch, ...]
    cases: tuple[tuple[str, Case], ...]
    parents: tuple[tuple[str, Parent], ...]


@dataclass(slots=True)
class CorrelatorState:
    """State of one partition of `candidates`.

    Attributes
    ----------
    sources : int
        Partitions of `readings`; nothing is decided before each has been heard.
    seen : dict
        Source partition → offset of its latest batch: a repeat is ignored.
    waiting : dict
        Source partition → batches that other partitions have not caught up with.
    """

    sources: int
    seen: dict[int, int] = field(default_factory=dict)
    heard_at: dict[int, int] = field(default_factory=dict)
    waiting: dict[int, list[CandidateBatch]] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    parents: dict[str, Parent] = field(default_factory=dict)

    def hear(self, batch: CandidateBatch) -> list[AlarmEvent]:
        """Take one batch; return what can now be decided."""
        if batch.source_offset <= self.seen.get(batch.source_partition, -1):
            return []
        self.seen[batch.source_partition] = batch.source_offset
        self.heard_at[batch.source_partition] = batch.at
        self.waiting.setdefault(batch.source_partition, []).append(batch)
        if len(self.heard_at) < self.sources:
            return []
        watermark = min(self.heard_at.values())
        due = [b for queue in self.waiting.values() for b in queue if b.at <= watermark]
        if not due:
            return []
        for source, queue in self.waiting.items():
            self.waiting[source] = [b for b in queue if b.at > watermark]
        events: list[AlarmEvent] = []
        for at in sorted({b.at for b in due}):
            events.extend(self._decide(at, [b for b in due if b.at == at]))
        return events

    def snapshot(self) -> CorrelatorSnapshot:
        """Return the state as values that the codec writes; equal states give equal bytes."""
        return CorrelatorSnapshot(
            self.sources,
            tuple(sorted(self.seen.items())),
            tuple(sorted(self.heard_at.items())),
            tuple(b for _, queue in sorted(self.waiting.items()) for b in queue),
            tuple(sorted(self.cases.items())),
            tuple(sorted(self.parents.items())),
        )

    @classmethod
    def restore(cls, saved: CorrelatorSnapshot) -> "CorrelatorState":
        """Build the state from its snapshot."""
        state = cls(saved.sources, dict(saved.seen), dict(saved.heard_at), {}, dict(saved.cases), dict(saved.parents))
        for batch in saved.waiting:
            state.waiting.setdefault(batch.source_partition, []).append(batch)
        return state

    def _decide(self, now: int, batches: Sequence[CandidateBatch]) -> list[AlarmEvent]:
        suspicions = [s for batch in batches for s in batch.suspicions]
        census = {c.feeder.asset_id: c for batch in batches for c in batch.census}
        events: list[AlarmEvent] = []
        for suspicion in sorted(suspicions, key=lambda s: (s.at, s.scope.asset_id, s.fault, s.kind, s.since)):
            events.extend(self._hear_suspicion(suspicion, now))
        events.extend(self._end_parents(census, now))
        events.extend(self._begin_parents(outage.find(census.values()), now))
        events.extend(self._settle_cases(now))
        return events

    def _hear_suspicion(self, suspicion: Suspicion, now: int) -> list[AlarmEvent]:
        key = f"{suspicion.fault}|{suspicion.scope.asset_id}"
        if suspicion.kind is CandidateKind.SUSPECT:
            if suspicion.until is not None:
                return [_event(AlarmEventKind.RAISED, suspicion, now, cleared_at=suspicion.until)]
            if key not in self.cases:
                self.cases[key] = Case(suspicion, now + WAIT_US)
            return []
        case = self.cases.pop(key, None)
        if case is None or not case.raised:
            return []
        return [_event(AlarmEventKind.CLEARED, case.suspicion, now, cleared_at=suspicion.until)]

    def _end_parents(self, census: dict[str, Census], now: int) -> list[AlarmEvent]:
        events: list[AlarmEvent] = []
        for parent_id, parent in sorted(self.parents.items()):
            if parent_id not in self.parents or not outage.recovered(_below(parent.scope, census.values())):
                continue
            del self.parents[parent_id]
            events.append(_parent_event(AlarmEventKind.CLEARED, parent, now, cleared_at=now))
            events.extend(self._unfold(parent_id, census, now))
        return events

    def _unfold(self, parent_id: str, census: dict[str, Census], now: int) -> list[AlarmEvent]:
        """Let what was folded into a parent that has cleared stand on its own again."""
        for key, case in self.cases.items():
            if case.parent_id == parent_id:
                self.cases[key] = replace(case, parent_id=None, decide_at=now + RETURN_WAIT_US)
        events: list[AlarmEvent] = []
        for feeder_id, feeder in sorted(self.parents.items()):
            if feeder.folded_into == parent_id:
                self.parents[feeder_id] = replace(feeder, folded_into=None)
                if not outage.recovered(_below(feeder.scope, census.values())):
                    events.append(_parent_event(AlarmEventKind.RAISED, feeder, now))
        return events

    def _begin_parents(self, outages: Sequence[Outage], now: int) -> list[AlarmEvent]:
        events: list[AlarmEvent] = []
        for found in outages:
            if any(p.scope.asset_id == found.scope.asset_id for p in self.parents.values()):
                continue
            if found.scope.gateway_id in {p.scope.asset_id for p in self.parents.values()}:
                continue
            parent = Parent(found.fault, found.scope, found.since, found.evidence)
            self.parents[parent.alarm_id] = parent
            children = tuple(sorted(c.suspicion.scope.asset_id for c in self.cases.values() if _explains(parent, c)))
            events.append(_parent_event(AlarmEventKind.RAISED, parent, now, children=children))
            events.extend(self._fold_feeders(parent, now))
        return events

    def _fold_feeders(self, parent: Parent, now: int) -> list[AlarmEvent]:
        """Fold feeder outages into a gateway's that turns out to explain them."""
        if parent.scope.kind is not AssetKind.GATEWAY:
            return []
        events: list[AlarmEvent] = []
        for child_id, child in sorted(self.parents.items()):
            recent = child.since >= parent.since - FOLD_SLACK_US
            if child.scope.kind is AssetKind.FEEDER and child.scope.gateway_id == parent.scope.asset_id and recent:
                self.parents[child_id] = replace(child, folded_into=parent.alarm_id)
                events.append(_parent_event(AlarmEventKind.FOLDED, child, now, parent_id=parent.alarm_id))
        return events

    def _settle_cases(self, now: int) -> list[AlarmEvent]:
        """Fold the children of open outages; raise what has waited long enough."""
        events: list[AlarmEvent] = []
        for key, case in sorted(self.cases.items()):
            if case.parent_id is not None:
                continue
            parent = next((p for _, p in sorted(self.parents.items()) if _explains(p, case)), None)
            if parent is not None:
                self.cases[key] = replace(case, raised=True, parent_id=parent.alarm_id)
                events.append(_event(AlarmEventKind.FOLDED, case.suspicion, now, parent_id=parent.alarm_id))
            elif 0 < case.decide_at <= now:
                self.cases[key] = replace(case, raised=True, decide_at=0)
                events.append(_event(AlarmEventKind.RAISED, case.suspicion, now))
        return events


def _below(scope: Scope, census: Iterable[Census]) -> list[Census]:
    if scope.kind is AssetKind.GATEWAY:
        return [c for c in census if c.feeder.gateway_id == scope.asset_id]
    return [c for c in census if c.feeder.asset_id == scope.asset_id]


def _explains(parent: Parent, case: Case) -> bool:
    """Tell whether an outage is the cause of a case: below it, and not older than it."""
    scope = case.suspicion.scope
    if case.suspicion.fault is FaultClass.LAMP_UNEXPECTED_ON:
        return False
    if parent.scope.kind is AssetKind.GATEWAY:
        below = scope.gateway_id == parent.scope.asset_id and (case.suspicion.fault is FaultClass.COMMUNICATION_FAILURE)
    else:
        below = scope.feeder_id == parent.scope.asset_id
    return below and case.suspicion.since >= parent.since - FOLD_SLACK_US


def _event(
    kind: AlarmEventKind,
    suspicion: Suspicion,
    now: int,
    *,
    cleared_at: int | None = None,
    parent_id: str | None = None,
) -> AlarmEvent:
    return AlarmEvent(
        kind=kind,
        alarm_id=alarm_id(suspicion.fault, suspicion.scope.asset_id, suspicion.since),
        fault=suspicion.fault,
        severity=SEVERITY[suspicion.fault],
        scope=suspicion.scope,
        raised_at=suspicion.since,
        at=now,
        evidence=suspicion.evidence,
        cleared_at=cleared_at,
        parent_id=parent_id,
    )


def _parent_event(
    kind: AlarmEventKind,
    parent: Parent,
    now: int,
    *,
    cleared_at: int | None = None,
    parent_id: str | None = None,
    children: tuple[str, ...] = (),
) -> AlarmEvent:
    return AlarmEvent(
        kind=kind,
        alarm_id=parent.alarm_id,
        fault=parent.fault,
        severity=SEVERITY[parent.fault],
        scope=parent.scope,
        raised_at=parent.since,
        at=now,
        evidence=parent.evidence,
        cleared_at=cleared_at,
        parent_id=parent_id,
        children=children,
    )


class CorrelateStage:
    """Group `correlate`: `candidates` → `alarms`."""

    group = "correlate"
    topics = (topics.CANDIDATES,)
    code_version = "correlate-1"
    transactional = False

    def __init__(self, reading_partitions: int, alarm_partitions: int) -> None:
        self._reading_partitions = reading_partitions
        self._alarm_partitions = alarm_partitions

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
                events.extend(state.hear(codec.decode(CandidateBatch, record.value)))
        return Outcome([self._append(event) for event in events])

    def _append(self, event: AlarmEvent) -> Append:
        partition = correlation_partition(event.scope.group, self._alarm_partitions)
        return Append(topics.ALARMS, partition, codec.ALARM, codec.encode(event), event.at)
