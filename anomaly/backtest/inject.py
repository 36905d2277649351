"""Plants faults into recorded readings, with labels: a series that nobody has labelled can be scored all the same."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from anomaly.backtest.fleet import Fleet, Member
from anomaly.backtest.labels import Label, in_order
from city.alarm import FaultClass
from city.asset import AssetKind
from city.clock import DAY_US, HOUR_US
from city.metric import ACTIVE_POWER, AIR_METRICS, KNOWN_METRICS
from city.reading import ReadingBatch

WARM_US = 21 * DAY_US
"""Nothing is planted before, so that what has to be learnt can be."""
SLOT_US = 14 * DAY_US
"""One fault of an asset at a time, and so long from one to the next."""
_ONSET_WITHIN_US = 4 * DAY_US
_SPIKE_READINGS = 3
_LIMITS = {metric.name: (metric.low, metric.high) for metric in (*KNOWN_METRICS, *AIR_METRICS)}
_PATTERNS = {
    "indoor_temperature_deg_c": FaultClass.TEMPERATURE_OUT_OF_PATTERN,
    "indoor_humidity_pct": FaultClass.HUMIDITY_OUT_OF_PATTERN,
    ACTIVE_POWER: FaultClass.ENERGY_OUT_OF_PATTERN,
}


class Injection(StrEnum):
    """What can be planted into any series."""

    SPIKE = "spike"
    """Three readings, eight standard deviations up or down."""
    SHIFT = "shift"
    """Four standard deviations up or down, for two days."""
    DRIFT = "drift"
    """Away by up to five standard deviations, within a week."""
    STUCK = "stuck"
    """One value, for two days."""
    GAP = "gap"
    """Nothing of the whole asset for a day and a half."""
    NOISE = "noise"
    """Four standard deviations of white noise on top, for two days."""


_LASTS_US = {
    Injection.SHIFT: 2 * DAY_US,
    Injection.DRIFT: 7 * DAY_US,
    Injection.STUCK: 2 * DAY_US,
    Injection.GAP: 36 * HOUR_US,
    Injection.NOISE: 2 * DAY_US,
}
_SIZE = {Injection.SPIKE: 8.0, Injection.SHIFT: 4.0, Injection.DRIFT: 5.0, Injection.NOISE: 4.0}


class SeriesStats:
    """Mean and spread of each series of a fleet, and when it was first and last heard.

    Attributes
    ----------
    count : int64[series]
        By series id, as the others.
    first_us, last_us : int
        Of all readings, µs UTC.
    """

    def __init__(self, fleet: Fleet) -> None:
        size = len(fleet.device_of)
        self.count: NDArray[np.int64] = np.zeros(size, np.int64)
        self._sum, self._square = np.zeros(size), np.zeros(size)
        self._origin = np.full(size, np.nan)
        self.first_us, self.last_us = 0, 0

    def see(self, batch: ReadingBatch) -> None:
        """Take readings in, in any order."""
        known = (batch.series_id >= 0) & (batch.series_id < len(self.count))
        series, value = batch.series_id[known], batch.value[known]
        if not len(series):
            return
        # Sums of squares about the first value of each series: counters stand at millions.
        new = np.isnan(self._origin[series])
        self._origin[series[new][::-1]] = value[new][::-1]
        value = value - self._origin[series]
        self.count += np.bincount(series, minlength=len(self.count))
        self._sum += np.bincount(series, value, len(self.count))
        self._square += np.bincount(series, value * value, len(self.count))
        first = int(batch.observed_at.min())
        self.first_us = first if self.first_us == 0 else min(self.first_us, first)
        self.last_us = max(self.last_us, int(batch.observed_at.max()))

    def spread(self, series: int) -> float:
        """Return the standard deviation of a series; 0 where it never changes or was never heard."""
        n = max(int(self.count[series]), 1)
        return float(np.sqrt(max(self._square[series] / n - (self._sum[series] / n) ** 2, 0.0)))


@dataclass(frozen=True, slots=True)
class Planted:
    """One fault that is planted.

    Attributes
    ----------
    series : tuple of int
        Series ids that it changes.
    size : float
        In the metric's unit, signed.
    low, high : float
        What the metric can be.
    """

    label: Label
    kind: Injection
    series: tuple[int, ...]
    size: float
    low: float
    high: float


def plan(fleet: Fleet, stats: SeriesStats, kinds: Sequence[Injection], seed: int) -> list[Planted]:
    """Draw what to plant: the kinds in turn, on every asset that was heard."""
    rng = random.Random(f"inject|{seed}")  # noqa: S311 - a drawing, not a secret
    found: list[Planted] = []
    number = 0
    for member in fleet.members:
        heard = [
            (name, one) for name, one in sorted(fleet.series[member.row]) if stats.count[one] and stats.spread(one) > 0
        ]
        for slot_us in range(stats.first_us + WARM_US, stats.last_us - SLOT_US + 1, SLOT_US):
            if heard and kinds:
                kind = kinds[number % len(kinds)]
                found.append(_planted(rng, member, kind, heard, stats, slot_us + rng.randrange(_ONSET_WITHIN_US)))
                number += 1
    return sorted(found, key=lambda one: (one.label.onset_us, one.label.asset))


def _planted(
    rng: random.Random,
    member: Member,
    kind: Injection,
    heard: Sequence[tuple[str, int]],
    stats: SeriesStats,
    onset_us: int,
) -> Planted:
    metric, one = heard[rng.randrange(len(heard))]
    size = _SIZE.get(kind, 0.0) * stats.spread(one) * rng.choice((-1.0, 1.0))
    end_us = onset_us + _LASTS_US.get(kind, _SPIKE_READINGS * member.interval_us)
    label = Label(onset_us, member.asset, str(_name(kind, metric, member.kind)), end_us)
    series = tuple(number for _, number in heard) if kind is Injection.GAP else (one,)
    return Planted(label, kind, series, size, *_LIMITS.get(metric, (-np.inf, np.inf)))


def _name(kind: Injection, metric: str, on: AssetKind) -> FaultClass:
    """Return what detection should call it."""
    match kind:
        case Injection.STUCK:
            return FaultClass.STUCK_SENSOR
        case Injection.GAP:
            return FaultClass.COMMUNICATION_FAILURE
    found = _PATTERNS.get(metric) if on is AssetKind.FACILITY else None
    return found or FaultClass.OUT_OF_PATTERN


class Injector:
    """Changes readings on their way, in the order of receipt.

    Parameters
    ----------
    planted : sequence of Planted
        In the order of their onsets.
    """

    def __init__(self, planted: Sequence[Planted], seed: int) -> None:
        self._coming = list(reversed(planted))
        self._active: list[Planted] = []
        self._held: dict[Planted, float] = {}
        self._rng = np.random.default_rng(seed)
        self.labels = in_order(one.label for one in planted)

    def change(self, batch: ReadingBatch) -> ReadingBatch:
        """Return readings with what is planted in them."""
        if not len(batch):
            return batch
        first, last = int(batch.observed_at.min()), int(batch.observed_at.max())
        while self._coming and self._coming[-1].label.onset_us <= last:
            self._active.append(self._coming.pop())
        # What ended is kept for a day: a back-log may still hold some of it.
        self._active = [one for one in self._active if one.label.ends_by(last) > first - DAY_US]
        value, kept = batch.value.copy(), np.ones(len(batch), np.bool_)
        for one, rows in self._hit(batch):
            if one.kind is Injection.GAP:
                kept[rows] = False
            else:
                value[rows] = np.clip(self._changed(one, value[rows], batch.observed_at[rows]), one.low, one.high)
        changed = ReadingBatch(
            batch.series_id, batch.gateway_id, batch.observed_at, batch.received_at, value, batch.quality
        )
        return changed if kept.all() else changed.take(kept)

    def _hit(self, batch: ReadingBatch) -> Iterator[tuple[Planted, NDArray[np.intp]]]:
        for one in self._active:
            times = (batch.observed_at >= one.label.onset_us) & (batch.observed_at < one.label.ends_by(1 << 62))
            if times.any():
                rows = np.flatnonzero(times & np.isin(batch.series_id, one.series))
                if len(rows):
                    yield one, rows

    def _changed(self, one: Planted, value: NDArray[np.float64], at: NDArray[np.int64]) -> NDArray[np.float64]:
        match one.kind:
            case Injection.STUCK:
                return np.full(len(value), self._held.setdefault(one, float(value[np.argmin(at)])))
            case Injection.DRIFT:
                length_us = one.label.ends_by(0) - one.label.onset_us
                return value + one.size * (at - one.label.onset_us) / length_us
            case Injection.NOISE:
                return value + one.size * self._rng.standard_normal(len(value))
        return value + one.size
