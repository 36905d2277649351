"""What a verdict comes to: shares found, delays, rates of false tickets with their bounds (pure)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from anomaly.backtest.fleet import Fleet
from anomaly.backtest.labels import Label, in_order
from anomaly.backtest.matching import FAR_US, Found, Verdict
from anomaly.backtest.poisson import upper_bound
from anomaly.backtest.tickets import Ticket
from city.asset import AssetKind
from city.clock import DAY_US, HOUR_US, SECOND_US

YEAR_US = 365.25 * DAY_US
FAILING_SHARE = 0.01
"""Of the lamps, a year: what precision is stated for, however many faults a run has planted."""
OUTAGE = "supplyLoss"


@dataclass(slots=True)
class Kind:
    """One kind of fault at one cadence."""

    found: int = 0
    missed: int = 0
    folded: int = 0
    unobservable: int = 0
    delays_us: list[int] = field(default_factory=list)

    @property
    def observable(self) -> int:
        """Labels that count."""
        return self.found + self.missed

    def add(self, other: "Kind") -> None:
        """Take another run's counts in."""
        self.found += other.found
        self.missed += other.missed
        self.folded += other.folded
        self.unobservable += other.unobservable
        self.delays_us += other.delays_us


@dataclass(slots=True)
class Tally:
    """Counts of one run or of many, which `merge` adds up.

    Attributes
    ----------
    kinds : dict
        (fault, interval in seconds, or 0 for facilities) → its counts.
    false_sound, false_beside : dict
        Fault → tickets without a label, on what was sound, and beside a fault that was called something else or told
        twice.
    lamp_years, series_years : float
        Of lamps, and of the series of facilities.
    lamp_false, facility_false : int
    lamp_false_sound : int
    lamp_labels : int
        Observable labels of lamps and of what feeds them.
    outages, outages_single : int
        Observable outages of feeders, and those with one ticket and no other beside.
    lamp_taken_back : int
        Tickets of lamps and of what feeds them that were raised, and folded into their cause later.
    groups, groups_separate : int
        Two to four failures of lamps at a time on one feeder, and those of which each has its ticket and no feeder has.
    """

    kinds: dict[tuple[str, int], Kind] = field(default_factory=lambda: defaultdict(Kind))
    false_sound: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    false_beside: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    lamp_years: float = 0.0
    series_years: float = 0.0
    lamp_false: int = 0
    lamp_false_sound: int = 0
    facility_false: int = 0
    lamp_labels: int = 0
    lamp_found: int = 0
    outages: int = 0
    outages_single: int = 0
    groups: int = 0
    groups_separate: int = 0
    beyond: int = 0
    alarms: int = 0
    lamp_taken_back: int = 0

    def merge(self, other: "Tally") -> None:
        """Add another run."""
        for key, kind in other.kinds.items():
            self.kinds[key].add(kind)
        for mine, theirs in ((self.false_sound, other.false_sound), (self.false_beside, other.false_beside)):
            for fault, count in theirs.items():
                mine[fault] += count
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))


_SUMS = (
    "lamp_years", "series_years", "lamp_false", "lamp_false_sound", "facility_false", "lamp_labels", "lamp_found",
    "outages", "outages_single", "groups", "groups_separate", "beyond", "alarms",
    "lamp_taken_back",
)  # fmt: skip


def count(verdict: Verdict, fleet: Fleet, span_us: int, alarms: Collection[Ticket] = ()) -> Tally:
    """Count a verdict over `span_us` of data, in which there were `alarms`, folded ones too."""
    tally = Tally(alarms=len(alarms))
    tally.lamp_taken_back = sum(
        t.was_raised > 0 and t.parent_id is not None and t.scope.kind is not AssetKind.FACILITY for t in alarms
    )
    tally.lamp_years = fleet.lamps * span_us / YEAR_US
    tally.series_years = fleet.facility_series * span_us / YEAR_US
    for one in verdict.found:
        kind = tally.kinds[_key(one.label, fleet)]
        kind.found += 1
        kind.delays_us.append(one.delay_us)
    for labels, name in (
        (verdict.missed, "missed"),
        (verdict.folded, "folded"),
        (verdict.unobservable, "unobservable"),
    ):
        for label in labels:
            kind = tally.kinds[_key(label, fleet)]
            setattr(kind, name, getattr(kind, name) + 1)
    for wrong in verdict.false:
        counts = tally.false_sound if wrong.beside is None else tally.false_beside
        counts[wrong.ticket.fault] += 1
        if wrong.ticket.scope.kind is AssetKind.FACILITY:
            tally.facility_false += 1
        else:
            tally.lamp_false += 1
            tally.lamp_false_sound += wrong.beside is None
    tally.beyond = len(verdict.beyond)
    tally.lamp_found = sum(not _of_facility(one.label, fleet) for one in verdict.found)
    tally.lamp_labels = tally.lamp_found + sum(not _of_facility(label, fleet) for label in verdict.missed)
    _count_outages(tally, verdict, fleet)
    _count_groups(tally, verdict, fleet)
    return tally


def _key(label: Label, fleet: Fleet) -> tuple[str, int]:
    return label.fault, 0 if _of_facility(label, fleet) else fleet.interval_us(label.asset) // SECOND_US


def _of_facility(label: Label, fleet: Fleet) -> bool:
    return any(m.kind is AssetKind.FACILITY and m.asset == label.asset for m in fleet.below(label.asset))


def _is_feeder(asset: str, fleet: Fleet) -> bool:
    return any(m.feeder is not None and m.feeder.scope.asset_id == asset for m in fleet.below(asset))


def _count_outages(tally: Tally, verdict: Verdict, fleet: Fleet) -> None:
    beside = {wrong.beside for wrong in verdict.false if wrong.beside is not None}
    for one in verdict.found:
        if one.label.fault == OUTAGE and _is_feeder(one.label.asset, fleet):
            tally.outages += 1
            tally.outages_single += one.label not in beside
    tally.outages += sum(label.fault == OUTAGE and _is_feeder(label.asset, fleet) for label in verdict.missed)


def _count_groups(tally: Tally, verdict: Verdict, fleet: Fleet) -> None:
    """Count failures of two to four lamps that overlap on one feeder, where nothing above them is labelled."""
    found = {one.label for one in verdict.found}
    unobservable = set(verdict.unobservable)
    by_feeder: dict[str, list[Label]] = defaultdict(list)
    above: dict[str, list[Label]] = defaultdict(list)
    for label in in_order([*found, *verdict.missed, *verdict.folded, *verdict.unobservable]):
        members = fleet.below(label.asset)
        if len(members) == 1 and members[0].asset == label.asset and members[0].feeder is not None:
            by_feeder[members[0].feeder.scope.asset_id].append(label)
        else:
            above[label.asset].append(label)
    stray = [wrong.ticket for wrong in verdict.false]
    for feeder, labels in by_feeder.items():
        over = [label for name in fleet.above(feeder) for label in above.get(name, ())]
        for group in _overlapping(labels):
            if not 2 <= len(group) <= 4 or any(_overlap(a, b) for a in over for b in group):
                continue
            if any(label in unobservable for label in group):
                continue
            tally.groups += 1
            merged = any(t.asset == feeder and _during(t, group) for t in stray)
            tally.groups_separate += all(label in found for label in group) and not merged


def _overlapping(labels: Sequence[Label]) -> Iterable[list[Label]]:
    """Yield groups of labels that overlap one another in time, alone ones too."""
    group: list[Label] = []
    until_us = 0
    for label in in_order(labels):
        if group and label.onset_us >= until_us:
            yield group
            group = []
        group.append(label)
        until_us = max(until_us if len(group) > 1 else 0, label.ends_by(FAR_US))
    if group:
        yield group


def _overlap(a: Label, b: Label) -> bool:
    return a.onset_us < b.ends_by(FAR_US) and b.onset_us < a.ends_by(FAR_US)


def _during(ticket: Ticket, group: Sequence[Label]) -> bool:
    return any(label.onset_us <= ticket.raised_us < label.ends_by(FAR_US) for label in group)


# ------------------------------------------------------------ figures


def found_share(kinds: Iterable[Kind]) -> float | None:
    """Return the share of observable labels that was found; None where there are none."""
    found = missed = 0
    for kind in kinds:
        found, missed = found + kind.found, missed + kind.missed
    return found / (found + missed) if found + missed else None


def median_delay_h(kinds: Iterable[Kind]) -> float | None:
    """Return the median delay of what was found, hours; None where nothing was."""
    delays = [delay for kind in kinds for delay in kind.delays_us]
    return float(np.median(delays)) / HOUR_US if delays else None


def by_fault(tally: Tally) -> dict[str, Kind]:
    """Return counts by fault, all cadences together."""
    return _together(tally.kinds, 0)


def by_cadence(tally: Tally) -> dict[int, Kind]:
    """Return counts by interval in seconds, 0 for facilities, all faults together."""
    return _together(tally.kinds, 1)


def _together(kinds: Mapping[tuple[str, int], Kind], place: int) -> dict[Any, Kind]:
    found: dict[Any, Kind] = {}
    for key, kind in sorted(kinds.items()):
        found.setdefault(key[place], Kind()).add(kind)
    return found


def rate(events: int, years: float) -> tuple[float, float] | None:
    """Return events a year and the upper bound of that at 95 %; None without any time."""
    return (events / years, upper_bound(events) / years) if years > 0 else None


def precision(tally: Tally, failing_share: float = FAILING_SHARE) -> float | None:
    """Return the share of tickets that are right where so many lamps fail a year; None where nothing was labelled.

    Tickets on what is sound come by lamp-year, right ones and wrong ones beside a fault by fault: the run's own density
    of faults has no part in it.
    """
    if not tally.lamp_labels or tally.lamp_years <= 0:
        return None
    right = failing_share * tally.lamp_found / tally.lamp_labels
    beside = failing_share * (tally.lamp_false - tally.lamp_false_sound) / tally.lamp_labels
    sound = tally.lamp_false_sound / tally.lamp_years
    total = right + beside + sound
    return right / total if total else None


def delays_h(found: Iterable[Found]) -> dict[str, list[float]]:
    """Return delays by fault, hours, for a plot."""
    told: dict[str, list[float]] = defaultdict(list)
    for one in found:
        told[one.label.fault].append(one.delay_us / HOUR_US)
    return dict(told)
