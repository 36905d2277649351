"""What correlation keeps open: cases that have not ended, outages that explain them, and the events told of both."""

from dataclasses import dataclass

from city.alarm import (
    QUARTER_US,
    SEVERITY,
    AlarmEvent,
    AlarmEventKind,
    CandidateKind,
    Evidence,
    FaultClass,
    Scope,
    Suspicion,
    alarm_id,
)
from city.asset import AssetKind
from city.clock import MINUTE_US

FOLD_SLACK_US = 60 * MINUTE_US
"""A child that failed up to this much before its parent is the parent's doing; earlier ones have their own cause."""
STRAY_SLACK_US = 20 * MINUTE_US
"""A lamp that falls silent with a feeder beside its own, to within this and two of its intervals, hangs on that one."""
CHILDREN_MAX = 8_000
"""Names of children in one event, which has to fit into a record; each child's own event names its parent as well."""

BY_RULE, BY_STATISTICS = 1, 2

F = FaultClass
_SILENT = frozenset({F.COMMUNICATION_FAILURE})
_OUT = frozenset({F.LAMP_FAILURE, F.COMMUNICATION_FAILURE, F.STUCK_SENSOR})
_BURNING_BADLY = frozenset(
    {F.CYCLING_FAILURE, F.FLICKER, F.LAMP_POWER_TOO_LOW, F.LAMP_POWER_TOO_HIGH, F.LED_MODULE_LOST}
)
_VOLTS = frozenset({F.SUPPLY_VOLTAGE_TOO_LOW, F.SUPPLY_VOLTAGE_TOO_HIGH})
_SWITCHED = frozenset({F.SWITCHING_ERROR_ON, F.SWITCHING_ERROR_OFF})
_PARTS = frozenset({F.CIRCUIT_BREAKER_TRIPPED, F.CABLE_THEFT})
EXPLAINS: dict[FaultClass, frozenset[FaultClass]] = {
    F.SUPPLY_LOSS: _OUT | _PARTS | _SWITCHED | {F.SUPPLY_LOSS, F.CYCLING_FAILURE},
    F.CIRCUIT_BREAKER_TRIPPED: _OUT | _PARTS | {F.SUPPLY_LOSS, F.CYCLING_FAILURE},
    F.CABLE_THEFT: _OUT | {F.CYCLING_FAILURE},
    # Its lamps have their supply, and say that they are dark.
    F.SWITCHING_ERROR_OFF: (_OUT - _SILENT)
    | {F.DIMMING_FAILURE, F.LAMP_POWER_TOO_LOW, F.LED_MODULE_LOST, F.CYCLING_FAILURE},
    F.SWITCHING_ERROR_ON: frozenset({F.LAMP_UNEXPECTED_ON, F.DIMMING_FAILURE, F.STUCK_SENSOR}),
    F.SUPPLY_VOLTAGE_TOO_LOW: _BURNING_BADLY | _VOLTS,
    F.SUPPLY_VOLTAGE_TOO_HIGH: _BURNING_BADLY | _VOLTS,
    F.LOST_NEUTRAL: _BURNING_BADLY | _VOLTS | _OUT,
    F.RCD_RECLOSING: _BURNING_BADLY | _OUT | _PARTS | {F.SUPPLY_LOSS},
    F.CABINET_CLOCK_WRONG: _SWITCHED | {F.LAMP_UNEXPECTED_ON},
    F.COMMUNICATION_FAILURE: _SILENT | {F.SUPPLY_LOSS},
}
"""What a fault of a feeder, a cabinet or a gateway makes of what hangs below it."""


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
    ends_at : int
        When its end, which was heard, is believed, µs UTC; 0: it has not ended.
    until : int
        When it ended, as was heard, µs UTC.
    released : bool
        Its cause has cleared; it waits for its own end, longer by what its feeder is switched off.
    awake_at : int
        Up to when its feeder's sleep is counted, µs UTC.
    held_by : int or None
        The maintenance window during which it would have been raised.
    by : int
        Whose word it stands by, see `said_by`; 0: that of its suspicion.
    """

    suspicion: Suspicion
    decide_at: int
    raised: bool = False
    parent_id: str | None = None
    ends_at: int = 0
    until: int = 0
    released: bool = False
    awake_at: int = 0
    held_by: int | None = None
    by: int = 0

    @property
    def stands_by(self) -> int:
        """Whose word it stands by: it ends when all of them have ended theirs."""
        return self.by or said_by(self.suspicion)

    @property
    def fault(self) -> FaultClass:
        return self.suspicion.fault

    @property
    def scope(self) -> Scope:
        return self.suspicion.scope

    @property
    def since(self) -> int:
        return self.suspicion.since

    @property
    def interval_us(self) -> int:
        return self.suspicion.interval_us

    @property
    def alarm_id(self) -> str:
        return alarm_id(self.fault, self.scope.subject, self.since)

    @property
    def is_parent(self) -> bool:
        """Whether it may explain others: what is said of a whole feeder or cabinet, by its own rule."""
        return self.scope.kind in (AssetKind.FEEDER, AssetKind.CABINET)


@dataclass(frozen=True, slots=True)
class Parent:
    """An open outage.

    Attributes
    ----------
    counted_at : int
        Last tick at which anything below it was expected to be heard, µs UTC.
    held_by : int or None
        The maintenance window during which it would have been raised.
    members : tuple of str
        Of an outage of several gateways or cabinets, those.
    """

    fault: FaultClass
    scope: Scope
    since: int
    evidence: Evidence
    counted_at: int
    folded_into: str | None = None
    interval_us: int = QUARTER_US
    held_by: int | None = None
    members: tuple[str, ...] = ()

    @property
    def suspicion(self) -> Suspicion:
        """What it would be, had a rule said it."""
        return Suspicion(
            CandidateKind.SUSPECT,
            self.fault,
            self.scope,
            self.since,
            self.counted_at,
            self.evidence,
            None,
            self.interval_us,
        )

    @property
    def alarm_id(self) -> str:
        return alarm_id(self.fault, self.scope.subject, self.since)


def said_by(suspicion: Suspicion) -> int:
    """Return who says it, as a bit: a rule, or statistics."""
    return BY_RULE if suspicion.surprise is None else BY_STATISTICS


def above(scope: Scope) -> set[str]:
    """Return the assets whose outage would explain a fault of `scope`."""
    return {scope.feeder_id, scope.root_id, scope.gateway_id} - {""}


def explains(parent: Parent | Case, case: Case | Parent) -> bool:
    """Tell whether a fault above is the cause of another one: it does that, is above it, and is not younger."""
    if parent.alarm_id == case.alarm_id or case.fault not in EXPLAINS.get(parent.fault, frozenset()):
        return False
    slack_us = max(FOLD_SLACK_US, 2 * max(parent.interval_us, case.interval_us))
    # Who missed its last message before dawn fell silent then, for all that anyone knows; it is missed much later.
    began = case.suspicion.at if case.fault is F.COMMUNICATION_FAILURE else case.since
    if began < parent.since - slack_us:
        return False
    scope, asset_id = case.scope, parent.scope.asset_id
    if isinstance(parent, Parent) and parent.members:
        return not (isinstance(case, Parent) and case.members) and not above(scope).isdisjoint(parent.members)
    match parent.scope.kind:
        case AssetKind.GATEWAY:
            return scope.gateway_id == asset_id
        case AssetKind.CABINET:
            return scope.root_id == asset_id and scope.kind is not AssetKind.CABINET
    if scope.feeder_id == asset_id:
        return scope.kind is AssetKind.LAMP or _is_wider(parent.fault, case.fault)
    return _is_stray(parent, case)


def _is_wider(parent: FaultClass, child: FaultClass) -> bool:
    """Tell which of two faults of one feeder explains the other."""
    return child not in EXPLAINS or parent not in EXPLAINS[child] or parent is FaultClass.SUPPLY_LOSS


def _is_stray(parent: Parent | Case, case: Case | Parent) -> bool:
    """Tell whether a lamp failed together with another feeder of its cabinet: the inventory has it wrong."""
    if case.scope.kind is not AssetKind.LAMP or case.scope.root_id != parent.scope.root_id:
        return False
    slack_us = STRAY_SLACK_US + 2 * max(parent.interval_us, case.interval_us)
    if case.fault is F.COMMUNICATION_FAILURE:
        if case.suspicion.at < parent.since or case.since > parent.since + slack_us:
            return False
        # Who has slept since it was heard, and did not wake, was silent before.
        heard_at = case.suspicion.evidence.last_heard_at or case.since
        return case.since - heard_at <= slack_us or case.since >= parent.since - slack_us
    return case.fault is F.LAMP_UNEXPECTED_ON and abs(case.since - parent.since) <= slack_us


def case_event(
    kind: AlarmEventKind,
    suspicion: Suspicion,
    now: int,
    *,
    cleared_at: int | None = None,
    parent_id: str | None = None,
    children: list[str] | None = None,
    held_by: int | None = None,
) -> AlarmEvent:
    """Return an event of the alarm that a suspicion has become."""
    return AlarmEvent(
        kind=kind,
        alarm_id=alarm_id(suspicion.fault, suspicion.scope.subject, suspicion.since),
        fault=suspicion.fault,
        severity=SEVERITY[suspicion.fault],
        scope=suspicion.scope,
        raised_at=suspicion.since,
        at=now,
        evidence=suspicion.evidence,
        cleared_at=cleared_at,
        parent_id=parent_id,
        children=tuple(sorted(children or ())[:CHILDREN_MAX]),
        held_by=held_by,
    )


def parent_event(
    kind: AlarmEventKind,
    parent: Parent,
    now: int,
    *,
    cleared_at: int | None = None,
    parent_id: str | None = None,
    children: list[str] | None = None,
    held_by: int | None = None,
) -> AlarmEvent:
    """Return an event of an outage's alarm."""
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
        children=tuple(sorted(children or ())[:CHILDREN_MAX]),
        held_by=held_by,
    )
