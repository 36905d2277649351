"""Lays out the columns of feeders' rules from what a partition watches."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from anomaly.family import Layout
from anomaly.segments.layout import HOURS, LAMP, LEVEL, OTHER, POWER, VOLTAGE
from anomaly.segments.shape import orders_of
from city.alarm import Scope
from city.asset import AssetKind, Switching
from city.clock import SECOND_US
from city.metric import ACTIVE_POWER, DIMMING_LEVEL, OPERATING_HOURS, SUPPLY_VOLTAGE
from city.registry import DeviceDefinition, FaultRules, FeederDefinition, RootDefinition

CHANNELS = {ACTIVE_POWER: POWER, SUPPLY_VOLTAGE: VOLTAGE, DIMMING_LEVEL: LEVEL, OPERATING_HOURS: HOURS}
_PHASES = {"R": 0, "S": 1, "T": 2}


@dataclass(slots=True)
class Feeder:
    """What is fixed of a feeder.

    Attributes
    ----------
    rows : int64[n]
        Of its lamps.
    cabinet : int
        Number of its cabinet.
    interval_us : int
        The longest of its lamps.
    """

    scope: Scope
    switched: bool
    schedule: int
    rules: FaultRules
    cabinet: int
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    interval_us: int = 0
    metered: int = 0
    """How many of its lamps measure their voltage."""
    _names: tuple[str, ...] = ()
    _place: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    _orders: list[NDArray[np.int64]] | None = None

    def orders(self) -> list[NDArray[np.int64]]:
        """Return how its cable may run, as places in `rows`; worked out when first asked for."""
        if self._orders is None:
            self._orders = orders_of(self._names, self._place[:, 0], self._place[:, 1])
        return self._orders


@dataclass(slots=True)
class Columns:
    """What is fixed of all feeders of a partition."""

    device_ids: list[str] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)
    lamps: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, LAMP))
    feeders: list[Feeder] = field(default_factory=list)
    cabinets: list[Scope] = field(default_factory=list)
    gateways: list[str] = field(default_factory=list)
    channel_of: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    beside: list[list[int]] = field(default_factory=list)
    """Cabinet → its feeders."""
    groups: list[tuple[int, Scope]] = field(default_factory=list)
    """Feeders, once for each gateway that hears some of their lamps: number, and scope by way of that gateway."""
    group_of: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    """By lamp; −1: not one of a feeder."""
    heard_by: list[NDArray[np.int64]] = field(default_factory=list)
    """Gateway → rows of the lamps of feeders that it hears."""

    @classmethod
    def of(cls, layout: Layout) -> "Columns":
        """Lay out what a partition watches."""
        devices = [device for _, device in layout.devices]
        made = cls([device.device_id for device in devices], [device.asset for device in devices])
        number: dict[str, int] = {}
        definitions: dict[str, FeederDefinition] = {}
        for root in layout.roots:
            if not root.feeders:
                continue
            gateway = root.feeders[0].scope.gateway_id
            made.cabinets.append(Scope(AssetKind.CABINET, root.root_id, root.root_id, root.group, "", gateway))
            made.beside.append([])
            for feeder in root.feeders:
                name = feeder.scope.asset_id
                number[name] = len(made.feeders)
                definitions[name] = feeder
                made.beside[-1].append(number[name])
                switched = feeder.switching == Switching.SWITCHED
                schedule = layout.schedules[feeder.schedule]
                made.feeders.append(Feeder(feeder.scope, switched, schedule, root.rules, len(made.cabinets) - 1))
        made._hang(layout, number)
        return made

    def _hang(self, layout: Layout, number: dict[str, int]) -> None:
        gateways: dict[str, int] = {}
        lamps: list[tuple[float, ...]] = []
        on: list[list[int]] = [[] for _ in self.feeders]
        for row, (root, device) in enumerate(layout.devices):
            gateway = gateways.setdefault(device.asset.gateway_id, len(gateways))
            place = number.get(device.asset.feeder_id, -1) if device.asset.kind == AssetKind.LAMP else -1
            lamps.append(_lamp(root, device, self.feeders[place] if place >= 0 else None, place, gateway))
            if place >= 0:
                on[place].append(row)
        self.lamps = np.array(lamps, LAMP)
        self.gateways = list(gateways)
        self.group_of = np.full(len(lamps), -1, np.int32)
        hung = np.flatnonzero(self.lamps["feeder"] >= 0)
        hung = hung[np.argsort(self.lamps["gateway"][hung], kind="stable")]
        begins = np.searchsorted(self.lamps["gateway"][hung], np.arange(1, len(gateways)))
        self.heard_by = np.split(hung, begins) if gateways else []
        for feeder, rows in zip(self.feeders, on, strict=True):
            feeder.rows = np.array(rows, np.int64)
            feeder.interval_us = int(self.lamps["interval_us"][feeder.rows].max(initial=0))
            heard_by = self.lamps["gateway"][feeder.rows]
            for gateway in np.unique(heard_by).tolist():
                self.group_of[feeder.rows[heard_by == gateway]] = len(self.groups)
                scope = replace(feeder.scope, gateway_id=self.gateways[gateway])
                self.groups.append((number[feeder.scope.asset_id], scope))
            devices = [layout.devices[row][1] for row in rows]
            feeder._names = tuple(device.asset.asset_id for device in devices)
            feeder.metered = sum(any(s.metric == SUPPLY_VOLTAGE for s in d.series) for d in devices)
            nowhere = float("nan")
            places = [(nowhere, nowhere) if d.lat is None or d.lon is None else (d.lat, d.lon) for d in devices]
            feeder._place = np.array(places, np.float64).reshape(-1, 2)
        series = {s.series_id: CHANNELS.get(s.metric, OTHER) for _, device in layout.devices for s in device.series}
        self.channel_of = np.full(1 + max(series, default=-1), OTHER, np.uint8)
        self.channel_of[list(series)] = list(series.values())


def _lamp(
    root: RootDefinition, device: DeviceDefinition, feeder: Feeder | None, number: int, gateway: int
) -> tuple[float, ...]:
    """Return the fields of `layout.LAMP` in their order."""
    rules = root.rules
    return (
        device.report_interval_s * SECOND_US,
        rules.guard_s * SECOND_US,
        device.rated_w,
        max(rules.unexpected_on_w, rules.unexpected_on_share * device.rated_w),
        max(rules.lost_share, 0.01),
        feeder.schedule if feeder else -1,
        number,
        gateway,
        _PHASES.get(device.phase, -1),
        feeder is not None and feeder.switched,
    )
