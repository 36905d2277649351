"""Maintenance windows in correlation: alarms of what is worked at are held, and told when the works are over (pure).

A window is a cause of its own: what comes below it while it runs is shown and raised no further. When it ends, whatever
was held has as long to come to rest as the children of an outage have that cleared; what does not is raised then.
"""

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import replace

from anomaly import life, outage
from anomaly.causes import Case, Parent, parent_event
from anomaly.outage import Outage
from city.alarm import AlarmEvent, AlarmEventKind, Census, GatewayCount, Scope
from city.maintenance import MaintenanceWindow

Windows = Mapping[int, MaintenanceWindow]
"""By id, those that run or ended of late."""


def joined(windows: Iterable[MaintenanceWindow]) -> dict[int, MaintenanceWindow]:
    """Return windows by id; each root of the city knows its own part of one."""
    found: dict[int, MaintenanceWindow] = {}
    for one in windows:
        known = found.get(one.window_id)
        assets = one.assets if known is None else tuple(sorted({*known.assets, *one.assets}))
        found[one.window_id] = replace(one, assets=assets)
    return found


def holding(windows: Windows, scope: Scope, now: int) -> int | None:
    """Return the window that runs and covers an asset, the one that ends last; None: nobody works there."""
    found = [(w.ends_at, w.window_id) for w in windows.values() if w.runs(now) and w.covers(scope)]
    return max(found)[1] if found else None


def release_cases(cases: MutableMapping[str, Case], windows: Windows, now: int) -> None:
    """Let cases wait for their own end whose window is over, or was withdrawn."""
    for key, case in cases.items():
        if case.held_by is None or holding(windows, case.scope, now) is not None:
            continue
        # What a window that was withdrawn had held has waited long enough.
        wait_us = life.return_wait_us(case) if case.held_by in windows else 0
        cases[key] = replace(case, held_by=None, decide_at=now + wait_us, released=wait_us > 0, awake_at=now)


def release_parents(
    parents: MutableMapping[str, Parent], windows: Windows, below: Mapping[str, Sequence[Census]], now: int
) -> list[AlarmEvent]:
    """Raise the outages whose window is over and that have not ended although something below should be heard."""
    events: list[AlarmEvent] = []
    for parent_id, parent in sorted(parents.items()):
        if parent.held_by is None or holding(windows, parent.scope, now) is not None:
            continue
        counts = below.get(parent.scope.asset_id, ())
        window = windows.get(parent.held_by)
        wait_us = max(life.RETURN_WAIT_US, life.RETURN_INTERVALS * parent.interval_us)
        if not any(c.expected for c in counts) or (window is not None and now < window.ends_at + wait_us):
            continue
        parents[parent_id] = replace(parent, held_by=None)
        if parent.folded_into is None:
            events.append(parent_event(AlarmEventKind.RAISED, parent, now))
    return events


def told(parents: MutableMapping[str, Parent], parent: Parent, windows: Windows, now: int) -> AlarmEvent:
    """Return the event by which an outage stands on its own: raised, or held while works go on."""
    held_by = holding(windows, parent.scope, now)
    parents[parent.alarm_id] = replace(parent, folded_into=None, held_by=held_by)
    kind = AlarmEventKind.RAISED if held_by is None else AlarmEventKind.HELD
    return parent_event(kind, parent, now, held_by=held_by)


def unattended(gateways: Mapping[str, GatewayCount], windows: Windows, now: int) -> dict[str, GatewayCount]:
    """Return the gateways at which nobody works."""
    running = [w for w in windows.values() if w.starts_at <= now]
    return {name: one for name, one in gateways.items() if not any(name in w.assets for w in running)}


def unattended_feeders(census: Sequence[Census], windows: Windows, now: int) -> list[Census]:
    """Return the feeders at which, or above which, nobody works."""
    running = [w for w in windows.values() if w.starts_at <= now]
    return [c for c in census if not any(w.covers(c.feeder) for w in running)]


def outages(census: Sequence[Census], windows: Windows, now: int) -> list[Outage]:
    """Return the outages that counts show; what works have made silent says nothing of what nobody works at."""
    found = outage.find(census, now)
    running = [w for w in windows.values() if w.starts_at <= now]
    if not running:
        return found

    def covered(scope: Scope) -> bool:
        return any(w.covers(scope) for w in running)

    mine = [one for one in found if covered(one.scope)]
    rest = [c for c in census if not (covered(c.feeder) and outage.is_out(c))]
    return sorted(
        [*mine, *(one for one in outage.find(rest, now) if not covered(one.scope))],
        key=lambda one: (one.scope.kind != "gateway", one.scope.asset_id),
    )
