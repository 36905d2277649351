"""One moment of correlation: what was suspected and counted up to a tick → alarms, one per cause (pure).

A whole city may fall dark at once: whatever is asked for each case or outage is looked up, never searched for.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from anomaly import outage
from anomaly.causes import FOLD_SLACK_US, Case, Parent, case_event, explains, parent_event
from anomaly.outage import Outage
from city.alarm import AlarmEvent, AlarmEventKind, CandidateKind, Census, FaultClass, Suspicion
from city.asset import AssetKind
from city.clock import HOUR_US, MINUTE_US

WAIT_US = 15 * MINUTE_US
"""A child's alarm waits this long for a parent that explains it: one interval of a lamp."""
RETURN_WAIT_US = 45 * MINUTE_US
"""After a parent has cleared, a child that was folded has this long to be heard and lit again."""
ABANDONED_US = 72 * HOUR_US
"""An outage below which nothing was even expected for so long is of something that the city no longer has."""

Cases = dict[str, Case]
"""By fault and asset."""
Parents = dict[str, Parent]
"""By alarm id."""


def decide(
    cases: Cases, parents: Parents, suspicions: Iterable[Suspicion], census: Sequence[Census] | None, now: int
) -> list[AlarmEvent]:
    """Decide on everything said up to `now`, µs UTC; `cases` and `parents` change in place.

    Parameters
    ----------
    census : sequence of Census or None
        Of all partitions of `readings`; None where some did not count at this tick: half a count looks like an outage.
    """
    events: list[AlarmEvent] = []
    for suspicion in sorted(suspicions, key=lambda s: (s.at, s.scope.asset_id, s.fault, s.kind, s.since)):
        events.extend(_hear_suspicion(cases, suspicion, now))
    if census is not None:
        census = sorted(census, key=lambda c: c.feeder.asset_id)
        events.extend(_end_parents(cases, parents, _below(census), now))
        events.extend(_begin_parents(cases, parents, outage.find(census), now))
    events.extend(_settle_cases(cases, parents, now))
    return events


def _hear_suspicion(cases: Cases, suspicion: Suspicion, now: int) -> list[AlarmEvent]:
    key = f"{suspicion.fault}|{suspicion.scope.asset_id}"
    if suspicion.kind is CandidateKind.SUSPECT:
        if suspicion.until is not None:
            return [case_event(AlarmEventKind.RAISED, suspicion, now, cleared_at=suspicion.until)]
        if key not in cases:
            # What is said of a whole feeder has been judged from all its lamps: nothing above it is waited for.
            wait = WAIT_US if _may_have_parent(suspicion) else 0
            cases[key] = Case(suspicion, now + wait)
        return []
    case = cases.pop(key, None)
    if case is None or not case.raised:
        return []
    return [case_event(AlarmEventKind.CLEARED, case.suspicion, now, cleared_at=suspicion.until)]


def _may_have_parent(suspicion: Suspicion) -> bool:
    """Tell whether an outage could explain it: nothing explains what a facility says of itself but its silence."""
    if suspicion.scope.kind is AssetKind.FACILITY:
        return suspicion.fault is FaultClass.COMMUNICATION_FAILURE
    return suspicion.scope.kind not in (AssetKind.FEEDER, AssetKind.CABINET)


def _below(census: Iterable[Census]) -> dict[str, list[Census]]:
    """Group what was counted by all that it hangs below."""
    below: dict[str, list[Census]] = defaultdict(list)
    for count in census:
        for above in {count.feeder.asset_id, count.feeder.gateway_id}:
            below[above].append(count)
    return below


def _end_parents(cases: Cases, parents: Parents, below: Mapping[str, Sequence[Census]], now: int) -> list[AlarmEvent]:
    over: list[Parent] = []
    for parent_id, parent in sorted(parents.items()):
        counts = below.get(parent.scope.asset_id, ())
        if counts:
            parents[parent_id] = replace(parent, counted_at=now)
        if outage.recovered(counts) or now - parent.counted_at > ABANDONED_US:
            over.append(parent)
    if not over:
        return []
    folded: dict[str, list[str]] = defaultdict(list)
    for key, case in cases.items():
        if case.parent_id is not None:
            folded[case.parent_id].append(key)
    feeders: dict[str, list[str]] = defaultdict(list)
    for parent_id, parent in sorted(parents.items()):
        if parent.folded_into is not None:
            feeders[parent.folded_into].append(parent_id)
    events: list[AlarmEvent] = []
    for parent in over:
        del parents[parent.alarm_id]
        events.append(parent_event(AlarmEventKind.CLEARED, parent, now, cleared_at=now))
        # What was folded into it stands on its own again.
        for key in folded[parent.alarm_id]:
            cases[key] = replace(cases[key], parent_id=None, decide_at=now + RETURN_WAIT_US)
        for feeder_id in feeders[parent.alarm_id]:
            feeder = parents.get(feeder_id)
            if feeder is not None:
                parents[feeder_id] = replace(feeder, folded_into=None)
                if not outage.recovered(below.get(feeder.scope.asset_id, ())):
                    events.append(parent_event(AlarmEventKind.RAISED, feeder, now))
    return events


def _begin_parents(cases: Cases, parents: Parents, outages: Sequence[Outage], now: int) -> list[AlarmEvent]:
    standing = {parent.scope.asset_id for parent in parents.values()}
    fresh: list[Parent] = []
    for found in outages:
        if standing.isdisjoint((found.scope.asset_id, found.scope.gateway_id)):
            standing.add(found.scope.asset_id)
            fresh.append(Parent(found.fault, found.scope, found.since, found.evidence, now))
    if not fresh:
        return []
    at: dict[str, list[Case]] = defaultdict(list)
    for case in cases.values():
        for above in {case.suspicion.scope.feeder_id, case.suspicion.scope.gateway_id}:
            at[above].append(case)
    feeders: dict[str, list[str]] = defaultdict(list)
    for parent_id, parent in sorted(parents.items()):
        if parent.scope.kind is AssetKind.FEEDER:
            feeders[parent.scope.gateway_id].append(parent_id)
    events: list[AlarmEvent] = []
    for parent in fresh:
        children = [c.suspicion.scope.asset_id for c in at[parent.scope.asset_id] if explains(parent, c)]
        parents[parent.alarm_id] = parent
        events.append(parent_event(AlarmEventKind.RAISED, parent, now, children=children))
        if parent.scope.kind is AssetKind.GATEWAY:
            events.extend(_fold_feeders(parents, parent, feeders[parent.scope.asset_id], now))
    return events


def _fold_feeders(parents: Parents, gateway: Parent, feeders: Sequence[str], now: int) -> list[AlarmEvent]:
    """Fold feeder outages into a gateway's that turns out to explain them."""
    events: list[AlarmEvent] = []
    for feeder_id in feeders:
        feeder = parents[feeder_id]
        if feeder.since >= gateway.since - FOLD_SLACK_US:
            parents[feeder_id] = replace(feeder, folded_into=gateway.alarm_id)
            events.append(parent_event(AlarmEventKind.FOLDED, feeder, now, parent_id=gateway.alarm_id))
    return events


def _settle_cases(cases: Cases, parents: Parents, now: int) -> list[AlarmEvent]:
    """Fold the children of open outages; raise what has waited long enough."""
    over: dict[str, list[Parent]] = defaultdict(list)
    for _, parent in sorted(parents.items()):
        over[parent.scope.asset_id].append(parent)
    events: list[AlarmEvent] = []
    for key in sorted(key for key, case in cases.items() if case.parent_id is None):
        case = cases[key]
        scope = case.suspicion.scope
        above = [*over.get(scope.feeder_id, ()), *over.get(scope.gateway_id, ())]
        cause = min((p.alarm_id for p in above if explains(p, case)), default=None)
        if cause is not None:
            cases[key] = replace(case, raised=True, parent_id=cause)
            events.append(case_event(AlarmEventKind.FOLDED, case.suspicion, now, parent_id=cause))
        elif 0 < case.decide_at <= now:
            cases[key] = replace(case, raised=True, decide_at=0)
            events.append(case_event(AlarmEventKind.RAISED, case.suspicion, now))
    return events
