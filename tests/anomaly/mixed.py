"""One partition of all that there is, as records of the log: lamps of each cadence, streets, a building, a station."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from city import topics
from city.alarm import Scope
from city.asset import AssetKind, Switching
from city.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from city.metric import (
    ACTIVE_ENERGY,
    ACTIVE_POWER,
    DIMMING_LEVEL,
    OPERATING_HOURS,
    SUPPLY_VOLTAGE,
    SWITCH_ON_COUNT,
)
from city.reading import Reading, ReadingBatch
from city.registry import DeviceDefinition, FaultRules, FeederDefinition, RootDefinition, SeriesDefinition
from stream import codec
from stream.codec import Tick
from stream.log import Record
from tests.anomaly.facilities.world import HEALTHY, HOURS, MADRID, START, Course, hour_of
from tests.anomaly.world import SCHEDULE

TICK = 5 * MINUTE_US
STEP = 15 * MINUTE_US
LEARNT = START + 15 * DAY_US
"""From then on everything may be said."""
W = 40.0
POWERED = (ACTIVE_POWER, SUPPLY_VOLTAGE, DIMMING_LEVEL)
COUNTED = (ACTIVE_ENERGY, OPERATING_HOURS, SWITCH_ON_COUNT)
CADENCES = {"quick": (STEP, POWERED), "hourly": (HOUR_US, POWERED), "counted": (6 * HOUR_US, COUNTED)}
NO2: dict[str, Course] = {"no2_ug_m3": lambda at, chance: 20 + 10 * (7 <= hour_of(at) < 20) + chance.gauss(0, 2)}


@dataclass
class Mixed:
    """The partition, with one fault of each family that begins in [`LEARNT`, + a day), drawn from `seed`.

    Attributes
    ----------
    late : bool
        Some messages come when later ones have been judged, and some of the log comes twice.
    """

    seed: int
    until: int
    late: bool = False
    _series: int = 0
    _ids: dict[tuple[str, str], int] = field(default_factory=dict)
    _counters: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        draw = random.Random(self.seed)
        self.onset = {name: LEARNT + draw.randrange(DAY_US // STEP) * STEP for name in FAULTS}
        self._noise = random.Random(self.seed + 1)
        self.roots = [self._street(0), self._street(1), self._building(), self._station()]

    def broken(self, fault: str, at: int) -> bool:
        return at >= self.onset[fault]

    # ------------------------------------------------------------ what there is

    def _device(
        self, name: str, asset: Scope, interval_us: int, metrics: Sequence[str], rated: float = 0.0
    ) -> DeviceDefinition:
        series = []
        for metric in metrics:
            self._series += 1
            self._ids[name, metric] = self._series
            series.append(SeriesDefinition(self._series, name, metric))
        return DeviceDefinition(name, asset, interval_us // SECOND_US, 4.0, tuple(series), rated, "R", "LED")

    def _street(self, number: int) -> RootDefinition:
        name = f"C{number}"
        feeders, devices = [], []
        for f, switching in enumerate((Switching.PERMANENT, Switching.SWITCHED)):
            scope = Scope(AssetKind.FEEDER, f"{name}F{f}", name, "north", f"{name}F{f}", f"G{number}")
            feeders.append(FeederDefinition(scope, switching, SCHEDULE))
            for n in range(5):
                cadence = "quick" if n < 3 else "hourly" if n == 3 else "counted"
                lamp = f"{name}F{f}L{n}"
                asset = Scope(AssetKind.LAMP, lamp, name, "north", f"{name}F{f}", f"G{number}")
                devices.append(self._device(f"D-{lamp}", asset, *CADENCES[cadence], W))
        return RootDefinition(
            name, AssetKind.CABINET, "north", "v1", tuple(feeders), tuple(devices), FaultRules(), timezone=MADRID
        )

    def _building(self) -> RootDefinition:
        return self._facility("B0", HEALTHY, hours=True)

    def _station(self) -> RootDefinition:
        return self._facility("S0", NO2, hours=False)

    def _facility(self, name: str, courses: dict[str, Course], *, hours: bool) -> RootDefinition:
        scope = Scope(AssetKind.FACILITY, name, name, "north", "", "G2")
        device = self._device(f"D-{name}", scope, STEP, tuple(courses))
        opening = HOURS if hours else None
        return RootDefinition(
            name, AssetKind.FACILITY, "north", "v1", (), (device,), FaultRules(), opening=opening, timezone=MADRID
        )

    # ------------------------------------------------------------ what is said

    def records(self, begin: int = START) -> list[Record]:
        made = [Record(topics.READINGS, 0, n, kind, value, at) for n, (kind, value, at) in enumerate(self._appends())]
        return [record for record in made if record.at_us >= begin]

    def _appends(self) -> Iterator[tuple[str, bytes, int]]:
        for root in self.roots:
            yield codec.REGISTRY, codec.encode(root), START
        kept: list[bytes] = []
        for at in range(START, self.until, TICK):
            yield codec.TICK, codec.encode(Tick(at, TICK)), at
            readings = [*self._lamps(at), *self._facilities(at)]
            if self.late and readings and self._noise.random() < 0.05:
                kept.append(codec.encode_batch(ReadingBatch.of(readings)))
                continue
            if readings:
                yield codec.BATCH, codec.encode_batch(ReadingBatch.of(readings)), at
            if kept and self._noise.random() < 0.1:
                yield codec.BATCH, kept[0], at
                if self._noise.random() < 0.5:
                    kept.pop(0)

    def _lamps(self, at: int) -> Iterator[Reading]:
        on = SCHEDULE.commanded_on(at)
        number = 0
        for root in self.roots[:2]:
            for device in root.devices:
                number += 1
                lamp, switched = device.asset.asset_id, device.asset.feeder_id.endswith("F1")
                interval = device.report_interval_s * SECOND_US
                dark = lamp in ("C0F0L0", "C0F0L3", "C1F0L4") and self.broken("lamp", at)
                self._count(lamp, on, dark)
                if (at - START - number % 3 * TICK) % interval or (switched and not on):
                    continue
                if lamp.startswith("C1F1") and self.broken("feeder", at):
                    continue
                watts = (W * (0.01 if dark else 1.0) if on else 0.4) + self._noise.gauss(0, 0.2)
                if lamp == "C1F0L1" and self.broken("day", at):
                    watts = W + self._noise.gauss(0, 0.2)
                said = (max(watts, 0.0), 231 + self._noise.gauss(0, 1), 100.0 * on)
                values = said if device.series[0].metric == ACTIVE_POWER else self._counters[lamp][:3]
                for series, value in zip(device.series, values, strict=True):
                    yield Reading(series.series_id, number // 11, at, at + 2 * SECOND_US, float(value))

    def _count(self, lamp: str, on: bool, dark: bool) -> None:
        counters = self._counters.setdefault(lamp, [100.0, 1_000.0, 10.0, 0.0])
        if on and not counters[3]:
            counters[2] += 1
        counters[3] = float(on)
        if on and not dark:
            counters[0] += W / 1000 * TICK / HOUR_US
            counters[1] += TICK / HOUR_US

    def _facilities(self, at: int) -> Iterator[Reading]:
        if (at - START) % STEP:
            return
        for root, courses in zip(self.roots[2:], (HEALTHY, NO2), strict=True):
            (device,) = root.devices
            for series in device.series:
                value = courses[series.metric](at, self._noise)
                assert value is not None
                if series.metric == "cold_room_temperature_deg_c" and self.broken("cold", at):
                    value = -5.0 + self._noise.gauss(0, 0.3)
                if series.metric == "no2_ug_m3" and self.broken("air", at):
                    value += 120 + 10 * math.sin(at / HOUR_US)
                yield Reading(series.series_id, 3, at, at + SECOND_US, value)


FAULTS = ("lamp", "feeder", "day", "cold", "air")
