"""What correlation keeps open: cases that have not ended, outages that explain them, and the events told of both."""

from dataclasses import dataclass

from city.alarm import SEVERITY, AlarmEvent, AlarmEventKind, Evidence, FaultClass, Scope, Suspicion, alarm_id
from city.asset import AssetKind
from city.clock import MINUTE_US

FOLD_SLACK_US = 60 * MINUTE_US
"""A child that failed up to this much before its parent is the parent's doing; earlier ones have their own cause."""
CHILDREN_MAX = 8_000
"""Names of children in one event, which has to fit into a record; each child's own event names its parent as well."""


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
    """An open outage.

    Attributes
    ----------
    counted_at : int
        Last tick at which anything below it was expected to be heard, µs UTC.
    """

    fault: FaultClass
    scope: Scope
    since: int
    evidence: Evidence
    counted_at: int
    folded_into: str | None = None

    @property
    def alarm_id(self) -> str:
        return alarm_id(self.fault, self.scope.asset_id, self.since)


def explains(parent: Parent, case: Case) -> bool:
    """Tell whether an outage is the cause of a case: below it, and not older than it."""
    scope, fault = case.suspicion.scope, case.suspicion.fault
    if fault is FaultClass.LAMP_UNEXPECTED_ON:
        return False
    if parent.scope.kind is AssetKind.GATEWAY:
        below = scope.gateway_id == parent.scope.asset_id and fault is FaultClass.COMMUNICATION_FAILURE
    else:
        below = scope.feeder_id == parent.scope.asset_id
    return below and case.suspicion.since >= parent.since - FOLD_SLACK_US


def case_event(
    kind: AlarmEventKind,
    suspicion: Suspicion,
    now: int,
    *,
    cleared_at: int | None = None,
    parent_id: str | None = None,
) -> AlarmEvent:
    """Return an event of the alarm that a suspicion has become."""
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


def parent_event(
    kind: AlarmEventKind,
    parent: Parent,
    now: int,
    *,
    cleared_at: int | None = None,
    parent_id: str | None = None,
    children: list[str] | None = None,
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
    )
