"""A building as records of the log: quarter-hourly readings of habits, with faults where a test wants them."""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from anomaly.detector import DetectStage
from anomaly.state import DetectorState
from city import topics
from city.alarm import CandidateBatch, CandidateKind, FaultClass, Scope, Suspicion
from city.asset import AssetKind
from city.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US, from_datetime
from city.opening import OpeningHours, parse_hours
from city.reading import Reading, ReadingBatch
from city.registry import DeviceDefinition, FaultRules, RootDefinition, SeriesDefinition
from stream import codec
from stream.codec import Tick
from stream.log import Append, Record, TopicPartition

MADRID = "Europe/Madrid"
HOURS = OpeningHours(parse_hours(["mon-fri 08:00-18:00"]), ("12-08",))
START = from_datetime(datetime(2026, 11, 2, tzinfo=UTC))
"""A Monday."""
STEP = 15 * MINUTE_US

Course = Callable[[int, random.Random], float | None]
"""(µs UTC, chance) → value; None: nothing is heard of it."""


def hour_of(at: int) -> float:
    """Return the local hour in winter."""
    return (at + HOUR_US) % DAY_US / HOUR_US


def is_open(at: int) -> bool:
    day = (at + HOUR_US) // DAY_US
    return (day + 3) % 7 < 5 and 8 <= hour_of(at) < 18


def indoor(at: int, chance: random.Random) -> float:
    return (21.0 if is_open(at) else 16.0) + chance.gauss(0, 0.3)


def humidity(at: int, chance: random.Random) -> float:
    return 45 + chance.gauss(0, 1.5)


def power(at: int, chance: random.Random) -> float:
    return (15_000 if is_open(at) else 2_500) * (1 + chance.gauss(0, 0.05))


def co2(at: int, chance: random.Random) -> float:
    return (750 if is_open(at) else 430) + chance.gauss(0, 12)


def hot_water(at: int, chance: random.Random) -> float:
    return 60 + chance.gauss(0, 0.5)


def cold_room(at: int, chance: random.Random) -> float:
    return -19.5 + chance.gauss(0, 0.4)


def flow(at: int, chance: random.Random) -> float:
    return max(0.3 + 3 * max(math.sin((hour_of(at) - 6) / 24 * 2 * math.pi), 0) + chance.gauss(0, 0.03), 0)


def energy(at: int, chance: random.Random) -> float:
    return (at - START) / HOUR_US * 4 + 1_000


HEALTHY: Mapping[str, Course] = {
    "indoor_temperature_deg_c": indoor,
    "indoor_humidity_pct": humidity,
    "active_power_w": power,
    "co2_ppm": co2,
    "hot_water_temperature_deg_c": hot_water,
    "cold_room_temperature_deg_c": cold_room,
    "water_flow_m3_h": flow,
    "active_energy_kwh": energy,
}


@dataclass
class Building:
    """One facility with one device.

    Attributes
    ----------
    changes : mapping
        Metric → what it does instead of its healthy course.
    outside : callable or None
        µs UTC → how warm the ticks say it is outside, °C.
    late : tuple of (int, int) or None
        What is observed between these comes all at once at the second.
    """

    days: float = 30
    changes: Mapping[str, Course] = field(default_factory=dict)
    hours: OpeningHours | None = HOURS
    metrics: Sequence[str] = tuple(HEALTHY)
    late: tuple[int, int] | None = None
    outside: Callable[[int], float] | None = None
    seed: int = 1

    @property
    def root(self) -> RootDefinition:
        scope = Scope(AssetKind.FACILITY, "EQ-1", "EQ-1", "EQ-1", "", "GW-1")
        series = tuple(SeriesDefinition(i + 1, "D-1", name) for i, name in enumerate(self.metrics))
        device = DeviceDefinition("D-1", scope, 900, 8.0, series)
        return RootDefinition("EQ-1", AssetKind.FACILITY, "EQ-1", "v1", (), (device,), FaultRules(), self.hours, MADRID)

    def records(self) -> list[Record]:
        chance = random.Random(self.seed)
        appends: list[tuple[str, bytes, int]] = [(codec.REGISTRY, codec.encode(self.root), START)]
        held: list[Reading] = []
        for at in range(START, START + int(self.days * DAY_US), STEP):
            held += self._readings(at, chance)
            if self.late is None or not self.late[0] <= at < self.late[1]:
                batch = ReadingBatch.of([self._received(one, at + 2 * SECOND_US) for one in held])
                appends.append((codec.BATCH, codec.encode_batch(batch), at))
                held = []
            tick = at + STEP // 2
            outside_c = None if self.outside is None else self.outside(tick)
            appends.append((codec.TICK, codec.encode(Tick(tick, STEP, outside_c)), tick))
        return [Record(topics.READINGS, 0, n, kind, value, at) for n, (kind, value, at) in enumerate(appends)]

    def _readings(self, at: int, chance: random.Random) -> list[Reading]:
        found = []
        for number, name in enumerate(self.metrics):
            value = self.changes.get(name, HEALTHY.get(name, humidity))(at, chance)
            if value is not None:
                found.append(Reading(number + 1, 1, at, 0, round(value, 2)))
        return found

    @staticmethod
    def _received(one: Reading, at: int) -> Reading:
        return Reading(one.series_id, one.gateway_id, one.observed_at, at, one.value)


def detect(
    records: Sequence[Record], state: DetectorState | None = None, chunk: int = 200
) -> tuple[DetectorState, list[Append]]:
    """Run detection over records in polls of `chunk`."""
    stage = DetectStage(candidate_partitions=1)
    if state is None:
        state = stage.open(TopicPartition(topics.READINGS, 0), None)
    appends: list[Append] = []
    for start in range(0, len(records), chunk):
        appends.extend(stage.step(state, records[start : start + chunk]).appends)
    return state, appends


def said(appends: Sequence[Append]) -> list[Suspicion]:
    """Return all suspicions and their ends in order."""
    return [s for append in appends for s in codec.decode(CandidateBatch, append.value).suspicions]


def suspected(building: Building) -> list[Suspicion]:
    """Return what detection suspects of a building."""
    return [s for s in said(detect(building.records())[1]) if s.kind is CandidateKind.SUSPECT]


def names(building: Building) -> list[FaultClass]:
    return [s.fault for s in suspected(building)]
