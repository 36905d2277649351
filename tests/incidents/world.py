"""Scopes and alarm events for the desk's tests: a cabinet C-1 with feeder C-1.F1 and lamps under gateway G-1."""

from city.alarm import SEVERITY, AlarmEvent, AlarmEventKind, Evidence, FaultClass, Scope, alarm_id
from city.asset import AssetKind
from city.clock import HOUR_US, MINUTE_US
from incidents.case import Case
from incidents.categories import BUILT_IN
from incidents.desk import DeskOptions, Report, ReportedScope, as_loaded, take_alarm, take_report

NOW = 1_795_000_000_000_000
OPTIONS = DeskOptions()
FAILURE, SILENT, BY_DAY, SUPPLY = (
    FaultClass.LAMP_FAILURE,
    FaultClass.COMMUNICATION_FAILURE,
    FaultClass.LAMP_UNEXPECTED_ON,
    FaultClass.SUPPLY_LOSS,
)
RAISED, FOLDED, CLEARED = AlarmEventKind.RAISED, AlarmEventKind.FOLDED, AlarmEventKind.CLEARED
HELD = AlarmEventKind.HELD


def lamp(number: int) -> Scope:
    return Scope(AssetKind.LAMP, f"L-{number}", "C-1", "S-1", "C-1.F1", "G-1")


FEEDER = Scope(AssetKind.FEEDER, "C-1.F1", "C-1", "S-1", "C-1.F1", "G-1")
GATEWAY = Scope(AssetKind.GATEWAY, "G-1", "G-1", "S-1", "", "G-1")


def event(
    kind: AlarmEventKind,
    fault: FaultClass,
    scope: Scope,
    at: int = NOW,
    *,
    raised_at: int = NOW - HOUR_US,
    cleared_at: int | None = None,
    parent: AlarmEvent | None = None,
    children: tuple[str, ...] = (),
    held_by: int | None = None,
) -> AlarmEvent:
    return AlarmEvent(
        kind,
        alarm_id(fault, scope.subject, raised_at),
        fault,
        SEVERITY[fault],
        scope,
        raised_at,
        at,
        Evidence("test-rule", 0.4, 36.0, "W"),
        cleared_at,
        None if parent is None else parent.alarm_id,
        children,
        held_by,
    )


def reported(
    scope: Scope, code: str = "lamp-out", report_id: int = 1, at: int = NOW, ticket: int | None = None
) -> Report:
    above = tuple(a for a in (scope.feeder_id, scope.root_id, scope.gateway_id) if a and a != scope.asset_id)
    about = ReportedScope(scope.kind, scope.asset_id, scope.root_id, above)
    return Report(report_id, BUILT_IN.by_code[code], about, at, ticket)


def after(*steps: AlarmEvent | Report, case: Case | None = None, now: int = NOW) -> Case:
    """Take steps one after the other, a minute apart, on what is stored."""
    case = case or Case()
    for number, step in enumerate(steps):
        if isinstance(step, AlarmEvent):
            take_alarm(case, step, now + number * MINUTE_US, OPTIONS)
        else:
            take_report(case, step, OPTIONS)
    return case


def stored(case: Case) -> Case:
    return as_loaded(case)
