"""Statistics as a family of rules: every series of a facility that no rule names, judged by its own past."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly.facilities.layout import NONE
from anomaly.facilities.metrics import OTHER, PARTS
from anomaly.family import Context, Family, Layout, Learnt, Rows, carry
from anomaly.statistics.cells import hours_of_week
from anomaly.statistics.layout import CHANNELS, LEARNT, STATE, STUCK
from anomaly.statistics.parameters import Parameters
from anomaly.statistics.rows import judge_rows
from anomaly.statistics.tickets import CLOSED, EVENT, OPENED, WATCH, TicketRules
from city.alarm import CandidateKind, Evidence, FaultClass, Scope, Suspicion
from city.asset import AssetKind
from city.clock import isoformat
from city.metric import AIR_METRICS, KNOWN_METRICS

UNITS = {metric.name: metric.unit for metric in (*KNOWN_METRICS, *AIR_METRICS)}
FAULTS = (FaultClass.OUT_OF_PATTERN, FaultClass.STUCK_SENSOR)
"""What a series is told as. One that no longer moves is stuck, as a rule of facilities may say of it as well: both
speak of the same alarm."""
DEVICE = np.dtype([("since", "i8", len(FAULTS)), ("open", "i4", len(FAULTS)), ("surprise", "f4", len(FAULTS))])
"""Of what is told of a device, fault by fault: when it began, µs UTC, how many of its series are open, and the most
that one said."""
_PARAMETERS, _RULES = Parameters().row(), TicketRules().row()


@dataclass(slots=True)
class _Plan:
    """What rows mean: `names` of devices and their `scopes`, and of series their device, metric and name."""

    names: list[str] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)
    among: list[int] = field(default_factory=list)
    """Of each device, how many series are watched in its correlation group, here in this partition."""
    device_of: list[int] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    series_names: list[str] = field(default_factory=list)
    zone_of: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    zones: list[str] = field(default_factory=list)
    row_of: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    """By series id; −1 where a rule names the series, or it is not of a facility."""


@dataclass(frozen=True, slots=True)
class _Scored:
    """What the kernel said of one reading."""

    value: float
    expected: float
    channel: int
    score: float


class Statistics(Family):
    """Habits of series that no rule names."""

    name = "statistics"

    def __init__(self) -> None:
        self._plan = _Plan()
        self._states = np.zeros(0, STATE)
        self._watches = np.zeros(0, WATCH)
        self._named: NDArray[Any] = np.zeros(0, np.uint8)
        """By series, the number of the fault that it is told as while it is open."""
        self._told = np.zeros(0, DEVICE)

    def lay_out(self, layout: Layout, at: int) -> list[Suspicion]:
        before, told = self._plan, self._told
        plan = self._plan = _lay_out(layout)
        self._states = carry(before.series_names, self._states, plan.series_names, STATE)
        self._watches = carry(before.series_names, self._watches, plan.series_names, WATCH)
        self._named = carry(before.series_names, self._named, plan.series_names, np.dtype(np.uint8))
        self._told = carry(before.names, told, plan.names, DEVICE)
        places = {name: row for row, name in enumerate(plan.names)}
        device_of = np.array(plan.device_of, np.int64)
        still = np.zeros((len(plan.names), len(FAULTS)), np.int32)
        opened = self._watches["opened_at"] != 0
        np.add.at(still, (device_of[opened], self._named[opened]), 1)
        ended: list[Suspicion] = []
        for row, name in enumerate(before.names):
            now = places.get(name)
            stays = now is not None and plan.scopes[now] == before.scopes[row]
            for fault in range(len(FAULTS)):
                if not told["open"][row, fault]:
                    continue
                if now is not None and stays and still[now, fault]:
                    # A series that is no longer reported goes with what was open of it.
                    self._told["open"][now, fault] = still[now, fault]
                    continue
                since = int(told["since"][row, fault])
                evidence = Evidence("device-withdrawn", detail={"device": name})
                ended.append(_said(fault, before.scopes[row], since, at, evidence, until=at))
                if now is not None:
                    self._told["open"][now, fault] = 0
            if now is not None and not stays:
                self._watches["opened_at"][[i for i, d in enumerate(plan.device_of) if d == now]] = 0
        return ended

    def judge(self, rows: Rows, context: Context) -> list[Suspicion]:
        plan = self._plan
        if not len(plan.row_of):
            return []
        known = rows.series < len(plan.row_of)
        row = np.where(known, plan.row_of[np.where(known, rows.series, 0)], -1)
        mine = row >= 0
        if not mine.any():
            return []
        row, at, value = row[mine].astype(np.int32), rows.observed_at[mine], rows.value[mine]
        order = np.lexsort((at, row))
        row, at, value = row[order], at[order], value[order]
        cell = np.zeros(len(row), np.int16)
        zone = plan.zone_of[row]
        for number in np.unique(zone).tolist():
            cell[zone == number] = hours_of_week(at[zone == number], plan.zones[number])
        found = self._score(row, at, cell, value)
        return [one for event in sorted(found, key=lambda e: e[:5]) for one in self._tell(*event)]

    def _score(
        self, row: NDArray[np.int32], at: NDArray[np.int64], cell: NDArray[np.int16], value: NDArray[np.float64]
    ) -> list[tuple[int, int, int, int, int, _Scored]]:
        """Judge readings sorted by series and time; return (device, at, kind, row, since, what was said)."""
        n = len(row)
        score, news, expected = np.zeros(n, np.float32), np.zeros(n, np.float32), np.zeros(n, np.float32)
        channel, events, place = np.zeros(n, np.uint8), np.zeros(n, EVENT), np.zeros(n, np.int64)
        n_events = judge_rows(
            row, at, cell, value, self._states, _PARAMETERS, self._watches, _RULES, score, news, channel, expected,
            events, place,
        )  # fmt: skip
        found = []
        for event, i in zip(events[:n_events], place[:n_events].tolist(), strict=True):
            scored = _Scored(float(value[i]), float(expected[i]), int(channel[i]), float(event["surprise"]))
            number = int(event["row"])
            device = self._plan.device_of[number]
            found.append((device, int(event["at"]), int(event["kind"]), number, int(event["since"]), scored))
        return found

    def _tell(self, device: int, at: int, kind: int, row: int, since: int, scored: _Scored) -> list[Suspicion]:
        """Open a device's suspicion with its first series, say it anew when more is known, end it with the last."""
        if kind == CLOSED:
            return self._leave(device, at, row, scored)
        fault, ended = int(scored.channel == STUCK), []
        begins = kind == OPENED
        if not begins and self._named[row] != fault:
            # What seemed out of pattern turns out to be stuck, or what was stuck moves and is out of pattern.
            ended, begins = self._leave(device, at, row, scored), True
        told = self._told[device]
        if begins:
            self._named[row] = fault
            told["open"][fault] += 1
            if told["open"][fault] == 1:
                told["since"][fault], told["surprise"][fault] = since, 0.0
        if scored.score <= told["surprise"][fault]:
            return ended
        told["surprise"][fault] = scored.score
        evidence = self._evidence(device, at, row, scored)
        scope, began, among = self._plan.scopes[device], int(told["since"][fault]), self._plan.among[device]
        return [*ended, replace(_said(fault, scope, began, at, evidence), surprise=scored.score, among=among)]

    def _leave(self, device: int, at: int, row: int, scored: _Scored) -> list[Suspicion]:
        """Let a series no longer be told as what it was; the last of a device ends that."""
        fault, told = int(self._named[row]), self._told[device]
        told["open"][fault] -= 1
        if told["open"][fault]:
            return []
        evidence, since = self._evidence(device, at, row, scored), int(told["since"][fault])
        end = _said(fault, self._plan.scopes[device], since, at, evidence, until=at)
        return [replace(end, surprise=float(told["surprise"][fault]), among=self._plan.among[device])]

    def _evidence(self, device: int, at: int, row: int, scored: _Scored) -> Evidence:
        metric = self._plan.metrics[row]
        return Evidence(
            rule=f"unlike-its-past-{CHANNELS[scored.channel]}",
            observed=scored.value,
            expected=None if scored.channel == STUCK else scored.expected,
            unit=UNITS.get(metric, ""),
            last_heard_at=at,
            detail={
                "device": self._plan.names[device],
                "metric": metric,
                "score": round(scored.score, 1),
                "last_heard": isoformat(at),
            },
        )

    def tick(self, now: int, context: Context) -> list[Suspicion]:
        """Say nothing: series are judged by what they send."""
        return []

    def learnt(self) -> list[Learnt]:
        scopes = [self._plan.scopes[device] for device in self._plan.device_of]
        return [Learnt("statistics", self._states, self._plan.series_names, scopes, LEARNT)]

    def keep(self) -> list[NDArray[Any]]:
        return [self._states, self._watches, self._named, self._told]

    def restore(self, snapshot: bytes) -> None:
        n_series, n_devices = len(self._plan.series_names), len(self._plan.names)
        parts: list[NDArray[Any]] = []
        place = 0
        for size, dtype in ((n_series, STATE), (n_series, WATCH), (n_series, np.dtype(np.uint8)), (n_devices, DEVICE)):
            parts.append(np.frombuffer(snapshot, dtype, size, place).copy())
            place += parts[-1].nbytes
        self._states, self._watches, self._named, self._told = parts


def _lay_out(layout: Layout) -> _Plan:
    plan = _Plan()
    zones: dict[str, int] = {}
    zone_of: list[int] = []
    ids: list[int] = []
    for root, device in layout.devices:
        series = [one for one in device.series if PARTS.get(one.metric, OTHER).role == NONE]
        if device.asset.kind is not AssetKind.FACILITY or not series:
            continue
        zone = zones.setdefault(root.timezone, len(zones))
        plan.names.append(device.device_id)
        plan.scopes.append(device.asset)
        for one in series:
            ids.append(one.series_id)
            plan.device_of.append(len(plan.names) - 1)
            plan.metrics.append(one.metric)
            plan.series_names.append(f"{device.device_id}|{one.metric}")
            zone_of.append(zone)
    watched = Counter(plan.scopes[device].group for device in plan.device_of)
    plan.among = [watched[scope.group] for scope in plan.scopes]
    plan.zones = list(zones)
    plan.zone_of = np.array(zone_of, np.int32)
    plan.row_of = np.full(max(ids, default=-1) + 1, -1, np.int32)
    plan.row_of[ids] = np.arange(len(ids), dtype=np.int32)
    return plan


def _said(fault: int, scope: Scope, since: int, at: int, evidence: Evidence, until: int | None = None) -> Suspicion:
    kind = CandidateKind.SUSPECT if until is None else CandidateKind.CLEAR
    return Suspicion(kind, FAULTS[fault], scope, since, at, evidence, until)
