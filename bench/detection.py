"""Readings a second through detection, decoding included, on one core; beside the same rules in plain Python."""

import statistics
import time
from typing import Any

import numpy as np

from anomaly import oracle
from anomaly.detector import DetectStage
from anomaly.lamps.layout import LAMP, RULES
from anomaly.lamps.oracle import blank
from anomaly.layout import DIMMING, POWER, STATE
from anomaly.reorder import LATENESS_US
from anomaly.state import DetectorState, rules_row
from anomaly.warm import warm
from bench.result import Result
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
ROWS = 4_000
"""Readings of one record: what a busy partition sees in one flush."""
RECORDS_A_TICK = 25
"""What a partition of a large city sees between two ticks: 10,000 readings a second for ten seconds."""
LAMPS = 250
ROUNDS = 3


def run() -> list[dict[str, Any]]:
    """Measure hot series, many series, and the state that one device takes."""
    warm()
    hot = [_rate(1_000, 1_000_000) for _ in range(ROUNDS)]
    many = [_rate(200_000, 1_600_000) for _ in range(ROUNDS)]
    plain = [_plain_rate(100_000) for _ in range(ROUNDS)]
    peer = statistics.median(plain)
    results = [
        Result("detect.rate.hot", statistics.median(hot), "readings/s", "the rules in plain Python", peer),
        Result("detect.rate.random", statistics.median(many), "readings/s", "the rules in plain Python", peer),
        Result("detect.tick_ms", _tick_ms(100_000), "ms a tick over 100,000 devices"),
        Result("detect.state_bytes", (STATE.itemsize + LAMP.itemsize) / 2, "B/series"),
    ]
    return [result.plain() for result in results]


def _root(number: int, lamps: int) -> RootDefinition:
    cabinet = f"C{number}"
    scope = Scope(AssetKind.FEEDER, f"{cabinet}F", cabinet, "g", f"{cabinet}F", f"G{number}")
    devices = []
    for n in range(lamps):
        base = 1 + 2 * (number * lamps + n)
        device = f"{cabinet}-{n}"
        series = (SeriesDefinition(base, device, ACTIVE_POWER), SeriesDefinition(base + 1, device, DIMMING_LEVEL))
        asset = Scope(AssetKind.LAMP, device, cabinet, "g", f"{cabinet}F", f"G{number}")
        devices.append(DeviceDefinition(device, asset, 900, 4.0, series, 40.0, "R"))
    feeder = FeederDefinition(scope, Switching.PERMANENT, SCHEDULE)
    return RootDefinition(cabinet, AssetKind.CABINET, "g", "v", (feeder,), tuple(devices), FaultRules())


def _records(series: int, readings: int) -> list[Record]:
    """Return batches in which every series speaks each quarter of an hour, devices in random order."""
    rng = np.random.default_rng(1)
    devices = series // 2
    records: list[Record] = []
    at = START
    order = np.zeros(0, np.int64)
    moments = np.zeros(0, np.int64)
    while len(order) < readings // 2:
        order = np.concatenate([order, rng.permutation(devices)])
        moments = np.concatenate([moments, at + np.sort(rng.integers(0, 15 * MINUTE_US, devices))])
        at += 15 * MINUTE_US
    on, off = SCHEDULE.periods(START, at)
    for offset, start in enumerate(range(0, readings // 2, ROWS // 2)):
        chosen, when = order[start : start + ROWS // 2], moments[start : start + ROWS // 2]
        ids = np.stack([1 + 2 * chosen, 2 + 2 * chosen], 1).ravel().astype(np.int32)
        times = np.repeat(when, 2)
        burns = np.searchsorted(on, times, "right") > np.searchsorted(off, times, "right")
        values = np.where(burns, 39.0, 0.3)
        values[1::2] = 100.0 * burns[1::2]
        gateway = (ids // 500).astype(np.int32)
        batch = ReadingBatch(ids, gateway, times, times + 1000, values, np.zeros(len(ids), np.uint8))
        records.append(Record(topics.READINGS, 0, offset, codec.BATCH, codec.encode_batch(batch), int(times[-1])))
    return records


def _rate(series: int, readings: int) -> float:
    stage = DetectStage(1)
    state = _open(stage, series)
    records = _records(series, readings)
    stage.step(state, [*records[:2], _tick(records[1].at_us)])
    start = time.perf_counter()
    for first in range(2, len(records), RECORDS_A_TICK):
        some = records[first : first + RECORDS_A_TICK]
        stage.step(state, [*some, _tick(some[-1].at_us)])
    elapsed = time.perf_counter() - start
    return (len(records) - 2) * ROWS / elapsed


def _open(stage: DetectStage, series: int) -> DetectorState:
    state = stage.open(TopicPartition(topics.READINGS, 0), None)
    for number in range(max(1, series // (2 * LAMPS))):
        state.install(_root(number, LAMPS))
    state.settle()
    return state


def _tick(at: int) -> Record:
    """Return a tick that makes everything observed up to `at` due."""
    at += LATENESS_US
    return Record(topics.READINGS, 0, 0, codec.TICK, codec.encode(Tick(at, 15 * MINUTE_US)), at)


def _tick_ms(devices: int) -> float:
    """Return what a tick takes on which all devices are found well."""
    stage = DetectStage(1)
    state = _open(stage, 2 * devices)
    last = START
    for record in _records(2 * devices, 2 * devices):
        stage.step(state, [record])
        last = record.at_us
    stage.step(state, [_tick(last)])
    took = []
    for second in range(10, 110, 10):
        tick = _tick(last + second * SECOND_US)
        start = time.perf_counter()
        stage.step(state, [tick])
        took.append(time.perf_counter() - start)
    return 1000 * statistics.median(took)


def _plain_rate(moments: int) -> float:
    on, off = SCHEDULE.periods(START, START + 48 * HOUR_US)
    device = oracle.Device(
        15 * MINUTE_US,
        HOUR_US,
        15 * MINUTE_US,
        40.0,
        0.2,
        4.0,
        0.1,
        3,
        3,
        1,
        0,
        periods=list(zip(on.tolist(), off.tolist(), strict=True)),
    )
    state, lamp = dict.fromkeys(STATE.names or (), 0), blank()
    rules = np.array([rules_row(FaultRules())], RULES)[0]
    start = time.perf_counter()
    for n in range(moments):
        at = START + n * 1_000_000
        oracle.judge_row(device, rules, state, lamp, at, at, {POWER: 39.0, DIMMING: 100.0}, [])
    return 2 * moments / (time.perf_counter() - start)
