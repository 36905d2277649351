"""Facilities as a family of rules: lays their columns out, feeds the kernels, and says in words what those find."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly.facilities import evidence, kernels
from anomaly.facilities.calendar import Calendar
from anomaly.facilities.layout import (
    CLASSES,
    DEVICE,
    DEVICE_STATE,
    EVENT,
    FAULTS,
    INDOOR,
    LEARNT,
    LEARNT_DEVICE,
    POWER,
    SERIES,
    SERIES_STATE,
)
from anomaly.facilities.metrics import OTHER, PARTS
from anomaly.facilities.weather import WEATHER, take
from anomaly.family import Context, Family, Layout, Learnt, Rows, carry
from city.alarm import Scope, Suspicion
from city.asset import AssetKind
from city.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from city.opening import OpeningHours
from city.registry import DeviceDefinition, RootDefinition

PIECE_ROWS = 8_192
FRESH_US = HOUR_US


@dataclass(slots=True)
class _Plan:
    """What rows mean.

    Attributes
    ----------
    scopes, names, calendar_of : list
        By row of `devices`.
    series_names, metrics : list
        By row of `series`; a series is named by device and metric, so that it keeps its state whatever its number is.
    """

    devices: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, DEVICE))
    series: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, SERIES))
    scopes: list[Scope] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    calendars: list[Calendar] = field(default_factory=list)
    calendar_of: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    series_names: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    row_of: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    """By row of the partition's devices; −1: not of a facility."""
    series_row_of: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    """By series id."""


class Facilities(Family):
    """Rules and habits of facilities in one partition."""

    name = "facilities"

    def __init__(self) -> None:
        self._plan = _Plan()
        self._states = np.zeros(0, DEVICE_STATE)
        self._columns = np.zeros(0, SERIES_STATE)
        self._common = np.zeros((2, CLASSES))
        self._weather = np.zeros(1, WEATHER)
        self._weather["departure"] = np.nan

    def lay_out(self, layout: Layout, at: int) -> list[Suspicion]:
        before, states, columns = self._plan, self._states, self._columns
        plan = self._plan = _lay_out(layout)
        self._states = carry(before.names, states, plan.names, DEVICE_STATE)
        self._columns = carry(before.series_names, columns, plan.series_names, SERIES_STATE)
        stays = dict(zip(plan.names, range(len(plan.names)), strict=True))
        ended: list[Suspicion] = []
        for row, name in enumerate(before.names):
            now = stays.get(name)
            if now is not None and plan.scopes[now] == before.scopes[row]:
                continue
            ended += evidence.withdrawn(states[row], name, before.scopes[row], at)
            if now is not None:
                self._states["since"][now] = 0
        return ended

    def judge(self, rows: Rows, context: Context) -> list[Suspicion]:
        plan = self._plan
        if not plan.names:
            return []
        device = plan.row_of[rows.device]
        mine = device >= 0
        if not mine.any():
            return []
        device, at = device[mine], rows.observed_at[mine]
        series, value = plan.series_row_of[rows.series[mine]], rows.value[mine]
        order = np.lexsort((series, at, device))
        device, at, series, value = device[order], at[order], series[order], value[order]
        day, kind = np.zeros(len(at), np.int64), np.zeros(len(at), np.int32)
        slot, opened = np.zeros(len(at), np.int32), np.zeros(len(at), np.int32)
        # What comes late was made in another weather.
        outside = np.where(np.abs(context.tick_at - at) < FRESH_US, self._weather["departure"][0], np.nan)
        calendar = plan.calendar_of[device]
        for number in np.unique(calendar).tolist():
            some = calendar == number
            told = plan.calendars[number].at(at[some])
            day[some], slot[some], kind[some], opened[some] = told.day, told.slot, told.day_type, told.opened
        found: list[Suspicion] = []
        for low, high in _pieces(device, at):
            part = slice(low, high)
            events = np.zeros((2 + FAULTS) * (high - low), EVENT)
            n_events, _late = kernels.judge_rows(
                device[part], series[part], at[part], day[part], slot[part], kind[part], opened[part], value[part],
                outside[part], plan.devices, self._states, plan.series, self._columns, self._common, events,
            )  # fmt: skip
            found += [self._suspicion(event) for event in events[:n_events]]
        return found

    def tick(self, now: int, context: Context) -> list[Suspicion]:
        """Compare buildings with each other; facilities are judged by what they send, silence has a rule of its own."""
        if len(self._columns):
            take(self._weather[0], now, context.outside_c)
            kernels.share(now, self._states, self._plan.series, self._columns, self._common)
        return []

    def learnt(self) -> list[Learnt]:
        plan = self._plan
        of_series = [plan.scopes[device] for device in plan.series["device"].tolist()]
        return [
            Learnt("facilities", self._states, plan.names, plan.scopes, LEARNT_DEVICE),
            Learnt("facility-series", self._columns, plan.series_names, of_series, LEARNT),
        ]

    def keep(self) -> list[NDArray[Any]]:
        return [self._common, self._weather, self._states, self._columns]

    def restore(self, snapshot: bytes) -> None:
        sizes = (2 * CLASSES, 1, len(self._plan.names), len(self._plan.series_names))
        parts, place = [], 0
        for size, dtype in zip(sizes, (np.dtype(np.float64), WEATHER, DEVICE_STATE, SERIES_STATE), strict=True):
            parts.append(np.frombuffer(snapshot, dtype, size, place).copy())
            place += parts[-1].nbytes
        self._common = parts[0].reshape(2, CLASSES)
        self._weather, self._states, self._columns = parts[1:]

    def _suspicion(self, event: NDArray[np.void]) -> Suspicion:
        device, series = int(event["device"]), int(event["series"])
        metric = "" if series < 0 else self._plan.metrics[series]
        return evidence.of_event(event, self._plan.names[device], self._plan.scopes[device], metric)


def _lay_out(layout: Layout) -> _Plan:
    plan = _Plan()
    calendars: dict[tuple[OpeningHours | None, str], int] = {}
    devices: list[tuple[float, ...]] = []
    series: list[tuple[float, ...]] = []
    calendar_of: list[int] = []
    ids: list[int] = []
    plan.row_of = np.full(len(layout.devices), -1, np.int32)
    for row, (root, device) in enumerate(layout.devices):
        if device.asset.kind is not AssetKind.FACILITY or not device.series:
            continue
        plan.row_of[row] = len(devices)
        key = (root.opening, root.timezone)
        if key not in calendars:
            calendars[key] = len(calendars)
            plan.calendars.append(Calendar(*key))
        calendar_of.append(calendars[key])
        devices.append(_device_row(root, device, len(series)))
        plan.names.append(device.device_id)
        plan.scopes.append(device.asset)
        for one in device.series:
            part = PARTS.get(one.metric, OTHER)
            ids.append(one.series_id)
            top = 100.0 if one.metric.endswith("_pct") else np.inf
            series.append((len(devices) - 1, part.role, part.relative, part.floor, top))
            plan.series_names.append(f"{device.device_id}|{one.metric}")
            plan.metrics.append(one.metric)
    plan.devices, plan.series = np.array(devices, DEVICE), np.array(series, SERIES)
    plan.calendar_of = np.array(calendar_of, np.int32)
    plan.series_row_of = np.full(max(ids, default=-1) + 1, -1, np.int32)
    plan.series_row_of[ids] = np.arange(len(ids), dtype=np.int32)
    return plan


def _device_row(root: RootDefinition, device: DeviceDefinition, first: int) -> tuple[float, ...]:
    """Return the fields of `layout.DEVICE` in their order."""
    rules = root.rules
    roles = [PARTS.get(one.metric, OTHER).role for one in device.series]
    return (
        device.report_interval_s * SECOND_US,
        rules.co2_min * MINUTE_US,
        rules.hot_water_min * MINUTE_US,
        rules.cold_room_min * MINUTE_US,
        rules.pattern_days * DAY_US,
        rules.co2_ppm,
        rules.hot_water_deg_c,
        rules.cold_room_deg_c,
        rules.leak_ratio,
        rules.leak_nights,
        first + roles.index(INDOOR) if INDOOR in roles else -1,
        first + roles.index(POWER) if POWER in roles else -1,
        int(root.opening is not None),
        first,
        first + len(roles),
        0,
    )


def _pieces(device: NDArray[np.int32], at: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows that hold whole moments of devices: room for events is made for one at a time."""
    begins = np.flatnonzero(np.r_[True, (np.diff(device) != 0) | (np.diff(at) != 0)])
    low = 0
    while low < len(at):
        following = np.searchsorted(begins, low + PIECE_ROWS)
        high = int(begins[following]) if following < len(begins) else len(at)
        yield low, high
        low = high
