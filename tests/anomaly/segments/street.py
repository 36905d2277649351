"""Streets as records of the log: cabinets, feeders and lamps as a test wants them, and what each lamp says."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from anomaly.correlate import CorrelateStage
from anomaly.detector import DetectStage
from city import topics
from city.alarm import AlarmEvent, AlarmEventKind, FaultClass, Scope
from city.asset import AssetKind, Switching
from city.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US, from_datetime
from city.lighting import LightingSchedule
from city.link import GatewayLink
from city.metric import ACTIVE_POWER, DIMMING_LEVEL, SUPPLY_VOLTAGE
from city.reading import Reading, ReadingBatch
from city.registry import DeviceDefinition, FaultRules, FeederDefinition, RootDefinition, SeriesDefinition
from stream import codec
from stream.codec import Tick
from stream.log import Append, Record, TopicPartition

SCHEDULE = LightingSchedule("sun", 43.54, -5.66, -0.833)
NOON = from_datetime(datetime(2026, 11, 23, 12, 0, tzinfo=UTC))
DUSK, DAWN = (int(edge[0]) for edge in SCHEDULE.periods(NOON, NOON + DAY_US))
MIDNIGHT = NOON + 12 * HOUR_US
RATED_W = 40.0
METRICS = (ACTIVE_POWER, SUPPLY_VOLTAGE, DIMMING_LEVEL)


@dataclass(frozen=True, slots=True)
class Bulb:
    """One lamp of a street."""

    name: str
    feeder: str
    cabinet: str
    place: int
    phase: str
    switched: bool


Said = tuple[float, float, float] | None
Says = Callable[[Bulb, int, bool], Said]
"""(lamp, at, commanded on) → power, volts, level; None: it is silent."""


def healthy(bulb: Bulb, at: int, on: bool) -> Said:
    if bulb.switched and not on:
        return None
    return (RATED_W, 231.0, 100.0) if on else (0.4, 232.0, 0.0)


def metered(value: float, metric: int, number: int, at: int) -> float:
    """What a meter shows of a value: its last digit is never still, or it would be stuck. Nothing stays nothing."""
    if METRICS[metric] == DIMMING_LEVEL or value == 0.0:
        return value
    return value + 0.001 * ((at // MINUTE_US * 7919 + number * 104_729) % 200)


@dataclass
class Street:
    """One partition: `cabinets` cabinets on one gateway, two feeders each, the second switched."""

    says: Says = healthy
    hours: float = 14
    lamps: int = 12
    cabinets: int = 2
    interval_s: int = 900
    phases: str = "RST"
    spread_min: int = 5
    """Controllers of a feeder speak within so many minutes."""
    rules: FaultRules = field(default_factory=FaultRules)
    links: Sequence[GatewayLink] = ()

    def bulbs(self) -> Iterator[Bulb]:
        for c in range(self.cabinets):
            for f in range(2):
                for n in range(self.lamps):
                    phase = self.phases[n % len(self.phases)] if self.phases else ""
                    yield Bulb(f"C{c}F{f}L{n:02d}", f"C{c}F{f}", f"C{c}", n, phase, f == 1)

    def roots(self) -> list[RootDefinition]:
        found = []
        bulbs = list(self.bulbs())
        for c in range(self.cabinets):
            name = f"C{c}"
            feeders = [
                FeederDefinition(
                    Scope(AssetKind.FEEDER, f"{name}F{f}", name, "north", f"{name}F{f}", "G0"),
                    Switching.SWITCHED if f else Switching.PERMANENT,
                    SCHEDULE,
                )
                for f in range(2)
            ]
            devices = [self._device(bulb, number) for number, bulb in enumerate(bulbs) if bulb.cabinet == name]
            found.append(
                RootDefinition(name, AssetKind.CABINET, "north", "v1", tuple(feeders), tuple(devices), self.rules)
            )
        return found

    def _device(self, bulb: Bulb, number: int) -> DeviceDefinition:
        series = tuple(
            SeriesDefinition(1 + len(METRICS) * number + k, f"D-{bulb.name}", metric)
            for k, metric in enumerate(METRICS)
        )
        scope = Scope(AssetKind.LAMP, bulb.name, bulb.cabinet, "north", bulb.feeder, "G0")
        return DeviceDefinition(f"D-{bulb.name}", scope, self.interval_s, 8.0, series, RATED_W, bulb.phase)

    def records(self) -> list[Record]:
        appends = list(self._appends())
        return [Record(topics.READINGS, 0, offset, kind, value, at) for offset, (kind, value, at) in enumerate(appends)]

    def _appends(self) -> Iterator[tuple[str, bytes, int]]:
        for root in self.roots():
            yield codec.REGISTRY, codec.encode(root), NOON
        bulbs = list(self.bulbs())
        for at in range(NOON, NOON + int(self.hours * 60) * MINUTE_US, MINUTE_US):
            links = tuple(link for link in self.links if at - MINUTE_US < link.since <= at)
            yield codec.TICK, codec.encode(Tick(at, MINUTE_US, None, links)), at
            on = SCHEDULE.commanded_on(at)
            readings = [
                Reading(1 + len(METRICS) * number + k, 0, at, at + 2 * SECOND_US, metered(value, k, number, at))
                for number, bulb in enumerate(bulbs)
                # Controllers of a street do not speak at one moment.
                if (at - NOON - bulb.place % self.spread_min * MINUTE_US) % (self.interval_s * SECOND_US) == 0
                for k, value in enumerate(self.says(bulb, at, on) or ())
            ]
            if readings:
                yield codec.BATCH, codec.encode_batch(ReadingBatch.of(readings)), at


def alarms(records: Sequence[Record], chunk: int = 200, save_every: int = 0) -> list[AlarmEvent]:
    """Run detection and correlation over the records; every `save_every` polls both go through their snapshots."""
    detect, correlate = DetectStage(1), CorrelateStage(1, 1)
    source, group = TopicPartition(topics.READINGS, 0), TopicPartition(topics.CANDIDATES, 0)
    state, seen = detect.open(source, None), correlate.open(group, None)
    events: list[AlarmEvent] = []
    for number, start in enumerate(range(0, len(records), chunk)):
        for append in detect.step(state, records[start : start + chunk]).appends:
            record = Record(topics.CANDIDATES, 0, 0, append.kind, append.value, append.at_us)
            events += [codec.decode(AlarmEvent, made.value) for made in correlate.step(seen, [record]).appends]
        if save_every and number % save_every == save_every - 1:
            state = detect.open(source, detect.snapshot(state))
            seen = correlate.open(group, correlate.snapshot(seen))
    return events


def raised(events: Sequence[AlarmEvent]) -> list[tuple[FaultClass, str]]:
    """Return what somebody is sent for in the end: raised and not folded since."""
    standing: dict[str, AlarmEvent] = {}
    for event in events:
        match event.kind:
            case AlarmEventKind.RAISED:
                standing[event.alarm_id] = event
            case AlarmEventKind.FOLDED:
                standing.pop(event.alarm_id, None)
    return sorted((event.fault, event.scope.asset_id) for event in standing.values())


__all__ = ["Append", "Bulb", "Street", "alarms", "healthy", "raised"]
