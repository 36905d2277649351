"""One moment of correlation: what was suspected and counted up to a tick → alarms, one per cause (pure).

A whole city may fall dark at once: whatever is asked for each case or outage is looked up, never searched for.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from anomaly import held, life, networks, outage
from anomaly.causes import CHILDREN_MAX, Case, Parent, above, case_event, explains, parent_event, said_by
from anomaly.held import Windows
from anomaly.life import Rest, Rests
from anomaly.outage import Outage
from city.alarm import AlarmEvent, AlarmEventKind, CandidateKind, Census, FaultClass, GatewayCount, Suspicion
from city.asset import AssetKind
from city.clock import HOUR_US

ABANDONED_US = 72 * HOUR_US
"""An outage below which nothing was even expected for so long is of something that the city no longer has."""

Cases = dict[str, Case]
"""By fault, asset, and device where its asset has several."""
Parents = dict[str, Parent]
"""By alarm id."""


def decide(
    cases: Cases,
    parents: Parents,
    rests: Rests,
    suspicions: Iterable[Suspicion],
    census: Sequence[Census] | None,
    now: int,
    windows: Windows | None = None,
    gateways: Mapping[str, GatewayCount] | None = None,
) -> list[AlarmEvent]:
    """Decide on everything said up to `now`, µs UTC; `cases`, `parents` and `rests` change in place.

    Parameters
    ----------
    census : sequence of Census or None
        Of all partitions of `readings`; None where some did not count at this tick: half a count looks like an outage.
        Empty where none did: feeders are counted once a minute.
    windows : mapping, optional
        Maintenance windows that run or ended of late, by id.
    gateways : mapping, optional
        What was heard of every gateway of the city, by id; None where they were not counted at this tick.
    """
    windows = windows or {}
    events: list[AlarmEvent] = []
    held.release_cases(cases, windows, now)
    past: dict[str, list[Rest]] = defaultdict(list)
    for _, one in sorted(rests.items()):
        if one.suspicion.scope.kind in _WIDTH:
            past[one.suspicion.scope.root_id].append(one)
    heard = sorted(suspicions, key=lambda s: (s.at, s.scope.asset_id, s.fault, s.kind, s.since))
    events.extend(_tell_past(cases, parents, past, [one for one in heard if one.until is not None], now, windows))
    for suspicion in heard:
        _hear_suspicion(cases, rests, past, suspicion, now)
    if census:
        census = sorted(census, key=lambda c: (c.feeder.asset_id, c.feeder.gateway_id))
        below = _below(census)
        events.extend(_end_parents(cases, parents, rests, below, now, windows, gateways))
        events.extend(held.release_parents(parents, windows, below, now))
        found = held.outages(census, windows, now)
        wide = [] if gateways is None else networks.of_gateways(held.unattended(gateways, windows, now), now)
        wide += networks.of_cabinets(held.unattended_feeders(census, windows, now), found)
        events.extend(_begin_parents(cases, parents, rests, [*wide, *found], now, windows))
        _wait_on(cases, {c.feeder.asset_id for c in census if c.expected}, now)
        _doubt(cases, {c.feeder.asset_id for c in census if c.beside_the_hour}, now)
        _await(cases, {c.feeder.asset_id for c in census if outage.is_out(c)}, windows, now)
    events.extend(_end_cases(cases, parents, rests, now, windows))
    events.extend(_settle_cases(cases, parents, rests, now, windows))
    life.forget(rests, now)
    return events


# ------------------------------------------------------------ what detection says


def _key(suspicion: Suspicion) -> str:
    return f"{suspicion.fault}|{suspicion.scope.subject}"


def _tell_past(
    cases: Cases,
    parents: Parents,
    past: Mapping[str, Sequence[Rest]],
    heard: Sequence[Suspicion],
    now: int,
    windows: Windows,
) -> list[AlarmEvent]:
    """Tell what was over when it was found, unless an outage explains it."""
    gone = [one for one in heard if one.kind is CandidateKind.SUSPECT]
    events: list[AlarmEvent] = []
    over = _causes(cases, parents) if gone else {}
    for one in gone:
        case = Case(one, 0)
        standing = [p for name in above(one.scope) for p in over.get(name, ()) if explains(p, case)]
        found = [p for p in standing if _stands(p, cases)] or _ended(past, case)
        if found:
            cause = min((_width(p), p.alarm_id) for p in found)[1]
            events.append(case_event(AlarmEventKind.FOLDED, one, now, parent_id=cause))
            events.append(case_event(AlarmEventKind.CLEARED, one, now, cleared_at=one.until, parent_id=cause))
        else:
            by = held.holding(windows, one.scope, now)
            kind = AlarmEventKind.RAISED if by is None else AlarmEventKind.HELD
            events.append(case_event(kind, one, now, cleared_at=one.until, held_by=by))
    return events


def _ended(past: Mapping[str, Sequence[Rest]], case: Case) -> list[Case]:
    """Return what has cleared since a case began, and explains it."""
    here = [one for root in {case.scope.root_id, case.scope.gateway_id} for one in past.get(root, ())]
    ended = [Case(one.suspicion, 0) for one in here if one.cleared_at >= case.since]
    return [one for one in ended if explains(one, case)]


def _hear_suspicion(
    cases: Cases, rests: Rests, past: Mapping[str, Sequence[Rest]], suspicion: Suspicion, now: int
) -> None:
    key = _key(suspicion)
    case = cases.get(key)
    if suspicion.kind is CandidateKind.SUSPECT:
        if suspicion.until is not None:
            return
        if case is None:
            fresh = Case(life.again(rests, key, suspicion), now + life.wait_us(suspicion))
            if suspicion.fault is FaultClass.COMMUNICATION_FAILURE and _ended(past, fresh):
                # What silenced it has cleared meanwhile: it may not have had a chance to say so.
                fresh = replace(fresh, decide_at=now + life.return_wait_us(fresh), released=True, awake_at=now)
            cases[key] = fresh
        elif case.ends_at:
            cases[key] = replace(case, ends_at=0, until=0, by=said_by(suspicion))
        else:
            cases[key] = replace(life.grown(case, suspicion), by=case.stands_by | said_by(suspicion))
    elif case is None:
        return
    elif left := case.stands_by & ~said_by(suspicion):
        # That statistics no longer see anything odd is no end of what a rule has told, nor the other way round.
        cases[key] = replace(case, by=left)
    elif not case.raised:
        del cases[key]
    else:
        cases[key] = replace(case, ends_at=now + life.off_delay_us(suspicion), until=suspicion.until or now)


def _end_cases(cases: Cases, parents: Parents, rests: Rests, now: int, windows: Windows) -> list[AlarmEvent]:
    """Clear what has ended for long enough; whatever was folded into it stands on its own again."""
    over = sorted(key for key, case in cases.items() if 0 < case.ends_at <= now)
    events: list[AlarmEvent] = []
    gone: dict[str, Parent | Case] = {}
    for key in over:
        case = cases.pop(key)
        life.rest(rests, key, case.suspicion, now)
        events.append(case_event(AlarmEventKind.CLEARED, case.suspicion, now, cleared_at=case.until))
        if case.is_parent:
            gone[case.alarm_id] = case
    _release(cases, gone, now)
    for _, parent in sorted(parents.items()):
        if parent.folded_into in gone:
            events.append(held.told(parents, parent, windows, now))
    return events


def _release(cases: Cases, gone: Mapping[str, Parent | Case], now: int) -> None:
    """Let go of what was folded into what has cleared, and of who was missed in the same moment."""
    if not gone:
        return
    at: dict[str, list[Parent | Case]] = defaultdict(list)
    for one in gone.values():
        for name in {one.scope.asset_id, one.scope.root_id, *(one.members if isinstance(one, Parent) else ())}:
            at[name].append(one)
    for key, case in cases.items():
        missed = case.fault is FaultClass.COMMUNICATION_FAILURE and not case.raised and not case.released
        if case.parent_id in gone or (
            missed and any(explains(one, case) for name in above(case.scope) for one in at.get(name, ()))
        ):
            decide_at = now + life.return_wait_us(case)
            cases[key] = replace(case, parent_id=None, decide_at=decide_at, released=True, awake_at=now)


def _wait_on(cases: Cases, awake: set[str], now: int) -> None:
    """Let cases whose cause has cleared wait while their feeder is switched off: they cannot say that they are well."""
    for key, case in cases.items():
        if case.released and case.decide_at and case.scope.feeder_id:
            slept_us = 0 if case.scope.feeder_id in awake else now - case.awake_at
            cases[key] = replace(case, decide_at=case.decide_at + slept_us, awake_at=now)


def _doubt(cases: Cases, beside: set[str], now: int) -> None:
    """Let lamps that do what most of their feeder does beside the hour wait until the next day, or night, tells."""
    if not beside:
        return
    for key, case in cases.items():
        told = not case.raised and case.decide_at and case.parent_id is None
        if told and case.scope.feeder_id in beside and case.scope.kind is AssetKind.LAMP and case.fault in life.TIMED:
            cases[key] = replace(case, decide_at=max(case.decide_at, case.suspicion.at + life.DOUBT_US))


def _await(cases: Cases, out: set[str], windows: Windows, now: int) -> None:
    """Let lamps wait that fell silent with most of their feeder: what is above them is about to be told.

    Where works go on nothing will be.
    """
    if not out:
        return
    for key, case in cases.items():
        waits = not case.raised and case.decide_at and case.parent_id is None and case.scope.kind is AssetKind.LAMP
        silent = case.fault is FaultClass.COMMUNICATION_FAILURE and case.scope.feeder_id in out
        if not (waits and silent and now - case.suspicion.at <= life.AWAIT_US):
            continue
        if held.holding(windows, case.scope, now) is None:
            cases[key] = replace(case, decide_at=max(case.decide_at, now + life.WAIT_US))


# ------------------------------------------------------------ outages


def _below(census: Iterable[Census]) -> dict[str, list[Census]]:
    """Group what was counted by all that it hangs below."""
    below: dict[str, list[Census]] = defaultdict(list)
    for count in census:
        for name in above(count.feeder):
            below[name].append(count)
    return below


def _end_parents(
    cases: Cases,
    parents: Parents,
    rests: Rests,
    below: Mapping[str, Sequence[Census]],
    now: int,
    windows: Windows,
    gateways: Mapping[str, GatewayCount] | None,
) -> list[AlarmEvent]:
    over: list[Parent] = []
    for parent_id, parent in sorted(parents.items()):
        if networks.is_shared(parent.fault, parent.scope.kind):
            back = None if gateways is None else networks.back(parent.members, gateways)
            counted = back is not None
        else:
            counts = [c for name in parent.members or (parent.scope.asset_id,) for c in below.get(name, ())]
            back, counted = outage.recovered(counts), any(count.expected for count in counts)
        if counted:
            parents[parent_id] = replace(parent, counted_at=now)
        if back or now - parent.counted_at > ABANDONED_US:
            over.append(parent)
    if not over:
        return []
    feeders: dict[str, list[str]] = defaultdict(list)
    for parent_id, parent in sorted(parents.items()):
        if parent.folded_into is not None:
            feeders[parent.folded_into].append(parent_id)
    events: list[AlarmEvent] = []
    for parent in over:
        del parents[parent.alarm_id]
        said = parent.suspicion
        life.rest(rests, _key(said), said, now)
        events.append(parent_event(AlarmEventKind.CLEARED, parent, now, cleared_at=now))
        for feeder_id in feeders[parent.alarm_id]:
            feeder = parents.get(feeder_id)
            if feeder is not None:
                parents[feeder_id] = replace(feeder, folded_into=None)
                if not outage.recovered(below.get(feeder.scope.asset_id, ())):
                    events.append(held.told(parents, feeder, windows, now))
    _release(cases, {parent.alarm_id: parent for parent in over}, now)
    return events


def _begin_parents(
    cases: Cases, parents: Parents, rests: Rests, outages: Sequence[Outage], now: int, windows: Windows
) -> list[AlarmEvent]:
    standing = {parent.scope.asset_id for parent in parents.values()}
    fresh: list[Parent] = []
    for found in outages:
        scope = found.scope
        names = {scope.asset_id, scope.gateway_id} | ({scope.root_id} if scope.kind is AssetKind.FEEDER else set())
        if standing.isdisjoint(names):
            standing.add(scope.asset_id)
            said = Suspicion(
                CandidateKind.SUSPECT, found.fault, scope, found.since, now, found.evidence, None, found.interval_us
            )
            said = life.again(rests, _key(said), said)
            fresh.append(
                Parent(
                    found.fault,
                    scope,
                    said.since,
                    said.evidence,
                    now,
                    interval_us=found.interval_us,
                    members=found.members,
                )
            )
    if not fresh:
        return []
    at: dict[str, list[Case]] = defaultdict(list)
    for case in cases.values():
        for name in above(case.scope):
            at[name].append(case)
    narrower: dict[str, list[str]] = defaultdict(list)
    for parent_id, parent in sorted(parents.items()):
        for name in above(parent.scope) - {parent.scope.asset_id}:
            narrower[name].append(parent_id)
    events: list[AlarmEvent] = []
    for parent in fresh:
        children = [c.scope.asset_id for c in at[parent.scope.asset_id] if explains(parent, c)]
        children += parent.members
        causes: list[Parent | Case] = [p for _, p in sorted(parents.items()) if p.members and p.folded_into is None]
        causes += [c for n in above(parent.scope) for c in at[n] if c.is_parent and c.raised and c.parent_id is None]
        cause = min(((_width(c), c.alarm_id) for c in causes if explains(c, parent)), default=(0, None))[1]
        if cause is not None:
            parents[parent.alarm_id] = replace(parent, folded_into=cause)
            events.append(parent_event(AlarmEventKind.FOLDED, parent, now, parent_id=cause))
            continue
        event = held.told(parents, parent, windows, now)
        events.append(replace(event, children=tuple(sorted(children)[:CHILDREN_MAX])))
        under = sorted(parents) if parent.members else narrower[parent.scope.asset_id]
        events.extend(_fold_parents(parents, parent, under, now))
    return events


def _fold_parents(parents: Parents, wider: Parent | Case, below: Sequence[str], now: int) -> list[AlarmEvent]:
    """Fold outages into a wider one that turns out to explain them."""
    events: list[AlarmEvent] = []
    for parent_id in below:
        parent = parents[parent_id]
        if parent.folded_into is None and explains(wider, parent):
            parents[parent_id] = replace(parent, folded_into=wider.alarm_id)
            events.append(parent_event(AlarmEventKind.FOLDED, parent, now, parent_id=wider.alarm_id))
    return events


# ------------------------------------------------------------ cases


def _causes(cases: Cases, parents: Parents) -> dict[str, list[Parent | Case]]:
    """Return what may explain others, by its asset; a feeder by its cabinet, too."""
    over: dict[str, list[Parent | Case]] = defaultdict(list)
    for _, parent in sorted(parents.items()):
        for name in parent.members or (parent.scope.asset_id,):
            over[name].append(parent)
        if parent.scope.kind is AssetKind.FEEDER:
            over[parent.scope.root_id].append(parent)
    for _, case in sorted(cases.items()):
        if case.is_parent and case.parent_id is None:
            over[case.scope.asset_id].append(case)
            if case.scope.kind is AssetKind.FEEDER:
                over[case.scope.root_id].append(case)
    return over


def _settle_cases(cases: Cases, parents: Parents, rests: Rests, now: int, windows: Windows) -> list[AlarmEvent]:
    """Fold the children of what stands above them; raise what has waited long enough, the widest first."""
    over = _causes(cases, parents)
    alone = [key for key, case in cases.items() if case.parent_id is None]
    due = [key for key in alone if 0 < cases[key].decide_at <= now]
    late = life.held_back(cases, due) if due else set()
    events: list[AlarmEvent] = []
    # A cause is raised before its children are folded into it, and folded before anything is folded into it.
    for key in sorted(alone, key=lambda k: (_width(cases[k]), k)):
        case = cases[key]
        found = [p for name in above(case.scope) for p in over.get(name, ()) if explains(p, case)]
        # Of several the widest explains most; what is itself explained explains nothing.
        cause = min(((_width(p), p.alarm_id) for p in found if _stands(p, cases)), default=None)
        if cause is not None:
            cases[key] = replace(case, raised=True, parent_id=cause[1], held_by=None)
            events.append(case_event(AlarmEventKind.FOLDED, case.suspicion, now, parent_id=cause[1]))
        elif 0 < case.decide_at <= now and key not in late:
            by = held.holding(windows, case.scope, now)
            cases[key] = replace(case, raised=True, decide_at=0, released=False, held_by=by)
            kind = AlarmEventKind.RAISED if by is None else AlarmEventKind.HELD
            events.append(case_event(kind, case.suspicion, now, held_by=by))
            if case.is_parent:
                events.extend(_fold_past(rests, case, now))
                events.extend(_fold_parents(parents, case, sorted(parents), now))
    return events


def _fold_past(rests: Rests, cause: Case, now: int) -> list[AlarmEvent]:
    """Fold what had cleared when its cause was found: the first of several trips looked like an outage by itself."""
    past = [one.suspicion for _, one in sorted(rests.items()) if explains(cause, Case(one.suspicion, 0))]
    return [case_event(AlarmEventKind.FOLDED, said, now, parent_id=cause.alarm_id) for said in past]


_WIDTH = {
    AssetKind.NETWORK: -2,
    AssetKind.AREA: -2,
    AssetKind.SUBSTATION: -1,
    AssetKind.GATEWAY: 0,
    AssetKind.CABINET: 1,
    AssetKind.FEEDER: 2,
}


def _width(one: Parent | Case) -> int:
    return _WIDTH.get(one.scope.kind, 3)


def _stands(cause: Parent | Case, cases: Cases) -> bool:
    if isinstance(cause, Parent):
        return cause.folded_into is None
    now = cases[_key(cause.suspicion)]
    return now.parent_id is None and now.raised
