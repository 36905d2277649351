"""What detection is measured with, as records: streets of lamps; a mix of lamps, buildings and air stations."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.detector import DetectStage
from anomaly.reorder import LATENESS_US
from anomaly.state import DetectorState
from city import topics
from city.alarm import Scope
from city.asset import AssetKind, Switching
from city.clock import HOUR_US, MINUTE_US, SECOND_US
from city.lighting import LightingSchedule
from city.metric import ACTIVE_POWER, DIMMING_LEVEL
from city.reading import ReadingBatch
from city.registry import DeviceDefinition, FaultRules, FeederDefinition, RootDefinition, SeriesDefinition
from stream import codec
from stream.codec import Tick
from stream.log import Record, TopicPartition

START = 1_795_000_000_000_000
SCHEDULE = LightingSchedule("sun", 43.54, -5.66, -0.833)
INTERVAL_US = 15 * MINUTE_US
TICK_US = 10 * SECOND_US
EVENING = START + 12 * HOUR_US
ROWS = 4_000
"""Readings of one record: what a busy partition sees in one flush."""
LAMPS = 250
BUILDING = (
    "indoor_temperature_deg_c", "indoor_humidity_pct", "active_power_w", "co2_ppm",
    "hot_water_temperature_deg_c", "cold_room_temperature_deg_c", "water_flow_m3_h", "active_energy_kwh",
)  # fmt: skip
STATION = ("no2_ug_m3", "o3_ug_m3", "pm10_ug_m3", "pm25_ug_m3")


@dataclass(frozen=True)
class City:
    """Roots, and of each series its number, its device, and what it usually says.

    Attributes
    ----------
    device, kind : int32[n], uint8[n]
        Of series 1 to n; kind 0: power of a lamp, 1: its level, 2: anything of a facility.
    """

    roots: list[RootDefinition]
    device: NDArray[np.int32]
    kind: NDArray[np.uint8]

    @property
    def series(self) -> int:
        """How many there are."""
        return len(self.device)


def street(number: int, first_series: int, lamps: int) -> RootDefinition:
    """Return a cabinet with one feeder that is always live, or, every second one, switched."""
    cabinet = f"C{number}"
    scope = Scope(AssetKind.FEEDER, f"{cabinet}F", cabinet, "g", f"{cabinet}F", f"G{number}")
    devices = []
    for n in range(lamps):
        base = first_series + 2 * n
        device = f"{cabinet}-{n}"
        series = (SeriesDefinition(base, device, ACTIVE_POWER), SeriesDefinition(base + 1, device, DIMMING_LEVEL))
        asset = Scope(AssetKind.LAMP, device, cabinet, "g", f"{cabinet}F", f"G{number}")
        devices.append(DeviceDefinition(device, asset, 900, 4.0, series, 40.0, "R"))
    feeder = FeederDefinition(scope, Switching.PERMANENT, SCHEDULE)
    return RootDefinition(cabinet, AssetKind.CABINET, "g", "v", (feeder,), tuple(devices), FaultRules())


def _facility(name: str, first_series: int, metrics: tuple[str, ...]) -> RootDefinition:
    scope = Scope(AssetKind.FACILITY, name, name, "g", "", "G0")
    series = tuple(SeriesDefinition(first_series + n, f"D-{name}", metric) for n, metric in enumerate(metrics))
    device = DeviceDefinition(f"D-{name}", scope, 900, 4.0, series)
    return RootDefinition(name, AssetKind.FACILITY, "g", "v", (), (device,), FaultRules(), timezone="Europe/Madrid")


def lamps(series: int) -> City:
    """Return a city of nothing but lamps, two series each."""
    roots = [street(n, 1 + 2 * n * LAMPS, LAMPS) for n in range(max(1, series // (2 * LAMPS)))]
    n = 2 * LAMPS * len(roots)
    return City(roots, np.arange(n, dtype=np.int32) // 2, (np.arange(n) % 2).astype(np.uint8))


def mixed(series: int) -> City:
    """Return a city of which nine series in ten are of lamps, and one in twenty each of buildings and of stations."""
    city = lamps(series * 9 // 10)
    roots, device, next_series = list(city.roots), [city.device], city.series + 1
    number = int(city.device[-1]) + 1
    for name, metrics in (("B", BUILDING), ("S", STATION)):
        for n in range(max(1, series // 20 // len(metrics))):
            roots.append(_facility(f"{name}{n}", next_series, metrics))
            device.append(np.full(len(metrics), number, np.int32))
            next_series, number = next_series + len(metrics), number + 1
    devices = np.concatenate(device)
    kind = np.concatenate([city.kind, np.full(len(devices) - city.series, 2, np.uint8)])
    return City(roots, devices, kind)


def records(city: City, readings: int, seed: int = 1) -> Iterator[Record]:
    """Yield batches in which every series speaks each quarter of an hour, devices in random order."""
    rng = np.random.default_rng(seed)
    by_device = np.argsort(city.device, kind="stable")
    devices = int(city.device[-1]) + 1
    size = np.bincount(city.device, minlength=devices)
    first = np.cumsum(size) - size
    level = rng.uniform(10.0, 60.0, city.series)
    offset, at, left = 0, START, readings
    rest = np.zeros(0, np.int64), np.zeros(0, np.int64)
    while left > 0:
        order = rng.permutation(devices)
        when = at + np.sort(rng.integers(0, INTERVAL_US, devices))
        begin = np.repeat(first[order] - np.cumsum(size[order]) + size[order], size[order])
        series = by_device[begin + np.arange(city.series)]
        series = np.concatenate([rest[0], series])
        times = np.concatenate([rest[1], np.repeat(when, size[order])])
        whole = len(series) // ROWS * ROWS
        for low in range(0, whole if left > len(series) else min(whole, -(-left // ROWS) * ROWS), ROWS):
            some = slice(low, low + ROWS)
            yield _record(city, series[some], times[some], level, rng, offset)
            offset += 1
        rest = series[whole:], times[whole:]
        left -= whole
        at += INTERVAL_US
        if whole == 0 and left <= 0:
            return


def quarter(city: City, number: int, seed: int = 1) -> Iterator[tuple[int, list[Record]]]:
    """Yield ten seconds after the other of a quarter of an hour at night: when they end, µs UTC, and their records.

    Each device speaks once in it, always as long after the quarter as it did before.
    """
    rng = np.random.default_rng(seed)
    devices = int(city.device[-1]) + 1
    phase = rng.integers(0, INTERVAL_US, devices)
    level = rng.uniform(10.0, 60.0, city.series)
    order = np.argsort(phase[city.device], kind="stable")
    begin = EVENING + number * INTERVAL_US
    times = begin + phase[city.device[order]]
    rng = np.random.default_rng([seed, number])
    for second in range(0, INTERVAL_US, TICK_US):
        low, high = np.searchsorted(times, [begin + second, begin + second + TICK_US]).tolist()
        made = []
        for first in range(low, high, ROWS):
            some = slice(first, min(first + ROWS, high))
            made.append(_record(city, order[some], times[some], level, rng, 0))
        yield begin + second + TICK_US, made


def _record(
    city: City,
    series: NDArray[np.int64],
    times: NDArray[np.int64],
    level: NDArray[np.float64],
    rng: np.random.Generator,
    offset: int,
) -> Record:
    on, off = SCHEDULE.periods(int(times[0]) - 48 * 60 * MINUTE_US, int(times[-1]))
    burns = np.searchsorted(on, times, "right") > np.searchsorted(off, times, "right")
    noise = rng.standard_normal(len(series))
    kind = city.kind[series]
    power = np.where(burns, 39.0 + 0.2 * noise, 0.3)
    values = np.where(kind == 0, power, np.where(kind == 1, 100.0 * burns, level[series] + 0.5 * noise))
    ids = (series + 1).astype(np.int32)
    gateway = (city.device[series] // LAMPS).astype(np.int32)
    batch = ReadingBatch(ids, gateway, times, times + 1000, values, np.zeros(len(ids), np.uint8))
    return Record(topics.READINGS, 0, offset, codec.BATCH, codec.encode_batch(batch), int(times[-1]))


def opened(stage: DetectStage, city: City) -> DetectorState:
    """Return the state of a partition that holds the city."""
    state = stage.open(TopicPartition(topics.READINGS, 0), None)
    for root in city.roots:
        state.install(root)
    state.settle()
    return state


def tick(at: int) -> Record:
    """Return a tick that makes everything observed up to `at` due."""
    at += LATENESS_US
    return Record(topics.READINGS, 0, 0, codec.TICK, codec.encode(Tick(at, 15 * MINUTE_US)), at)


def state_bytes(state: DetectorState) -> int:
    """Return how much memory its columns take: what is fixed of devices, and all that is kept."""
    columns = [state.states, state.lamps, state.devices, state.device_of, state.channel_of]
    return sum(c.nbytes for c in columns) + sum(piece.nbytes for family in state.families for piece in family.keep())
