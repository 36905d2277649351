"""A small town as records of the log: two cabinets with two feeders each, one night, faults where a test wants them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from anomaly.correlate import CorrelateStage, CorrelatorState
from anomaly.detector import DetectStage
from anomaly.state import DetectorState
from city import topics
from city.alarm import AlarmEvent, Scope
from city.asset import AssetKind, Switching
from city.clock import MINUTE_US, SECOND_US, from_datetime
from city.lighting import LightingSchedule
from city.maintenance import MaintenanceWindow
from city.metric import ACTIVE_POWER, DIMMING_LEVEL
from city.reading import Reading, ReadingBatch
from city.registry import DeviceDefinition, FaultRules, FeederDefinition, RootDefinition, SeriesDefinition
from stream import codec
from stream.codec import Tick
from stream.log import Append, Record, TopicPartition

SCHEDULE = LightingSchedule("sun", 43.54, -5.66, -0.833)
START = from_datetime(datetime(2026, 11, 23, 12, 0, tzinfo=UTC))
INTERVAL = 15 * MINUTE_US
RATED_W = 40.0
LAMPS = 8
"""Lamps of one feeder."""

Behaviour = Callable[[str, int, bool], float | None]
"""(lamp, at, commanded on) → watts, or None for silence."""


def healthy(lamp: str, at: int, on: bool) -> float | None:
    return RATED_W if on else 0.3


def root(number: int) -> RootDefinition:
    cabinet = f"C{number}"
    feeders, devices = [], []
    for f, switching in enumerate([Switching.PERMANENT, Switching.SWITCHED]):
        feeder = f"{cabinet}F{f}"
        scope = Scope(AssetKind.FEEDER, feeder, cabinet, "north", feeder, f"G{number}")
        feeders.append(FeederDefinition(scope, switching, SCHEDULE))
        for n in range(LAMPS):
            lamp = f"{feeder}L{n}"
            base = 1 + 2 * (n + LAMPS * (f + 2 * number))
            series = (
                SeriesDefinition(base, f"D-{lamp}", ACTIVE_POWER),
                SeriesDefinition(base + 1, f"D-{lamp}", DIMMING_LEVEL),
            )
            asset = Scope(AssetKind.LAMP, lamp, cabinet, "north", feeder, f"G{number}")
            devices.append(DeviceDefinition(f"D-{lamp}", asset, 900, 4.0, series, RATED_W, "RST"[n % 3]))
    return RootDefinition(cabinet, AssetKind.CABINET, "north", "v1", tuple(feeders), tuple(devices), FaultRules())


@dataclass
class Town:
    """Two partitions, one cabinet each."""

    behaviour: Behaviour = healthy
    hours: float = 14
    windows: tuple[MaintenanceWindow, ...] = ()
    """Of the first cabinet."""
    records: dict[int, list[Record]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for partition in range(2):
            cabinet = replace(root(partition), windows=() if partition else self.windows)
            appends = list(self._appends(cabinet))
            self.records[partition] = [
                Record(topics.READINGS, partition, offset, kind, value, at)
                for offset, (kind, value, at) in enumerate(appends)
            ]

    def _appends(self, cabinet: RootDefinition) -> Iterator[tuple[str, bytes, int]]:
        yield codec.REGISTRY, codec.encode(cabinet), START
        end = START + int(self.hours * 60) * MINUTE_US
        for at in range(START, end, MINUTE_US):
            yield codec.TICK, codec.encode(Tick(at, MINUTE_US)), at
            if (at - START) % INTERVAL == 0:
                batch = self._batch(cabinet, at)
                if len(batch):
                    yield codec.BATCH, codec.encode_batch(batch), at

    def _batch(self, cabinet: RootDefinition, at: int) -> ReadingBatch:
        on = SCHEDULE.commanded_on(at)
        switching = {f.scope.asset_id: f.switching for f in cabinet.feeders}
        readings = []
        for device in cabinet.devices:
            watts = self.behaviour(device.asset.asset_id, at, on)
            dead = switching[device.asset.feeder_id] is Switching.SWITCHED and not on
            if watts is None or dead:
                continue
            received = at + 2 * SECOND_US
            for series, value in zip(device.series, (watts, 100.0 if on else 0.0), strict=True):
                readings.append(Reading(series.series_id, int(cabinet.root_id[1:]), at, received, value))
        return ReadingBatch.of(readings)


def detect(
    records: Sequence[Record], state: DetectorState | None = None, chunk: int = 50
) -> tuple[DetectorState, list[Append]]:
    """Run detection over records in polls of `chunk`."""
    stage = DetectStage(candidate_partitions=1)
    if state is None:
        state = stage.open(TopicPartition(topics.READINGS, records[0].partition), None)
    appends: list[Append] = []
    for start in range(0, len(records), chunk):
        appends.extend(stage.step(state, records[start : start + chunk]).appends)
    return state, appends


def correlate(appends: Sequence[Append], state: CorrelatorState | None = None) -> tuple[CorrelatorState, list[bytes]]:
    """Run correlation over candidates in the order given; return the state and the alarms' bytes."""
    stage = CorrelateStage(reading_partitions=2, alarm_partitions=1)
    if state is None:
        state = stage.open(TopicPartition(topics.CANDIDATES, 0), None)
    records = [Record(topics.CANDIDATES, 0, i, a.kind, a.value, a.at_us) for i, a in enumerate(appends)]
    return state, [a.value for a in stage.step(state, records).appends]


def alarms(behaviour: Behaviour, hours: float = 14, windows: tuple[MaintenanceWindow, ...] = ()) -> list[AlarmEvent]:
    """Return all that the town's night leads to."""
    town = Town(behaviour, hours, windows)
    candidates = [a for records in town.records.values() for a in detect(records)[1]]
    return [codec.decode(AlarmEvent, value) for value in correlate(candidates)[1]]
