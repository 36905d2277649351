"""A fleet as scoring sees it: what hangs below what, who reports how often, and when its lamps should burn."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from city.asset import AssetKind
from city.clock import SECOND_US
from city.registry import FeederDefinition, RootDefinition


@dataclass(frozen=True, slots=True)
class Member:
    """One device of the fleet.

    Attributes
    ----------
    feeder : FeederDefinition or None
        What feeds it, where that is known.
    """

    row: int
    asset: str
    kind: AssetKind
    interval_us: int
    metrics: frozenset[str]
    feeder: FeederDefinition | None


class Fleet:
    """All devices of some roots.

    Attributes
    ----------
    members : list of Member
        By row.
    device_of : int32[]
        Series id → row; −1 where the series is not of this fleet.
    series : list of tuple
        By row: (metric, series id) of the device.
    """

    def __init__(self, roots: Iterable[RootDefinition]) -> None:
        self.members: list[Member] = []
        self.series: list[tuple[tuple[str, int], ...]] = []
        self._below: dict[str, list[int]] = defaultdict(list)
        self._above: dict[str, tuple[str, ...]] = {}
        self._intervals: dict[str, int] = {}
        series: list[tuple[int, int]] = []
        for root in roots:
            self._add(root, series)
        size = 1 + max((number for number, _ in series), default=-1)
        self.device_of: NDArray[np.int32] = np.full(size, -1, np.int32)
        for number, row in series:
            self.device_of[number] = row

    def _add(self, root: RootDefinition, series: list[tuple[int, int]]) -> None:
        feeders = {feeder.scope.asset_id: feeder for feeder in root.feeders}
        self._above[root.root_id] = (root.root_id,)
        for name, feeder in feeders.items():
            self._above[name] = (name, root.root_id, feeder.scope.gateway_id)
        for device in root.devices:
            scope, row = device.asset, len(self.members)
            above = (scope.asset_id, scope.feeder_id, scope.root_id, scope.gateway_id)
            place = tuple(dict.fromkeys(name for name in above if name))
            self._above.setdefault(scope.asset_id, place)
            self._above.setdefault(scope.gateway_id, (scope.gateway_id,))
            for name in place:
                self._below[name].append(row)
            interval_us = device.report_interval_s * SECOND_US
            metrics = frozenset(s.metric for s in device.series)
            self.members.append(
                Member(row, scope.asset_id, scope.kind, interval_us, metrics, feeders.get(scope.feeder_id))
            )
            self.series.append(tuple((one.metric, one.series_id) for one in device.series))
            series += [(one.series_id, row) for one in device.series]

    def __contains__(self, asset: object) -> bool:
        """Tell whether anything of the fleet has this name: asset, feeder, cabinet or gateway."""
        return asset in self._above

    def below(self, asset: str) -> list[Member]:
        """Return the devices of an asset and of all that hangs below it."""
        return [self.members[row] for row in self._below.get(asset, ())]

    def above(self, asset: str) -> tuple[str, ...]:
        """Return an asset's own name and those of what it hangs below."""
        return self._above.get(asset, (asset,))

    def interval_us(self, asset: str) -> int:
        """Return how often the devices of an asset report; the shortest interval, 0 where there is none."""
        if asset not in self._intervals:
            self._intervals[asset] = min((member.interval_us for member in self.below(asset)), default=0)
        return self._intervals[asset]

    @property
    def lamps(self) -> int:
        """How many lamps have a device."""
        return len({member.asset for member in self.members if member.kind is AssetKind.LAMP})

    @property
    def facility_series(self) -> int:
        """How many series facilities have."""
        return sum(len(member.metrics) for member in self.members if member.kind is AssetKind.FACILITY)
