"""Readings a second through detection, decoding included, on one core; beside the same rules in plain Python."""

import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from anomaly import oracle
from anomaly.detector import DetectStage
from anomaly.gaps import GAP
from anomaly.lamps.layout import RULES
from anomaly.lamps.oracle import blank
from anomaly.layout import DIMMING, POWER, STATE
from anomaly.state import rules_row
from app import kernels
from bench.detection_city import ROWS, SCHEDULE, START, City, lamps, mixed, opened, records, state_bytes, tick
from bench.detection_growth import growth
from bench.detection_life import life
from bench.result import Result
from city.clock import HOUR_US, MINUTE_US, SECOND_US
from city.registry import FaultRules

RECORDS_A_TICK = 25
"""What a partition of a large city sees between two ticks: 10,000 readings a second for ten seconds."""
ROUNDS = 3


def run() -> list[dict[str, Any]]:
    """Measure hot series, many series, a city's mix, what state takes, how both grow, and how a worker lives."""
    # As workers do: what is compiled here is what they find.
    kernels.warm(Path("data"), "anomaly")
    plain = statistics.median(_plain_rate(100_000) for _ in range(ROUNDS))
    results = [
        _rated("detect.rate.hot", lamps(1_000), 1_000_000, "≥ 4000000", plain),
        _rated("detect.rate.random", lamps(200_000), 1_600_000, "≥ 1500000", plain),
        _rated("detect.rate.mixed", mixed(200_000), 1_600_000, "", plain),
        Result("detect.tick_ms", _tick_ms(100_000), "ms a tick over 100,000 devices"),
        _state_bytes(200_000),
        *life(),
        *growth(),
    ]
    return [result.plain() for result in results]


def _rate(city: City, readings: int) -> tuple[float, float]:
    """Return readings a second, by the clock and by the CPU that they took."""
    stage = DetectStage(1)
    state = opened(stage, city)
    made = list(records(city, readings))
    stage.step(state, [*made[:2], tick(made[1].at_us)])
    start, cpu = time.perf_counter(), time.process_time()
    for first in range(2, len(made), RECORDS_A_TICK):
        some = made[first : first + RECORDS_A_TICK]
        stage.step(state, [*some, tick(some[-1].at_us)])
    rows = (len(made) - 2) * ROWS
    return rows / (time.perf_counter() - start), rows / (time.process_time() - cpu)


def _rated(name: str, city: City, readings: int, wanted: str, plain: float) -> Result:
    runs = [_rate(city, readings) for _ in range(ROUNDS)]
    by_clock, by_cpu = (sorted(run[k] for run in runs) for k in (0, 1))
    note = (
        f"{city.series} series of {len(city.roots)} cabinets and facilities, {ROUNDS} runs: {by_clock[0]:.4g} to"
        f" {by_clock[-1]:.4g} by the clock, {by_cpu[0]:.4g} to {by_cpu[-1]:.4g} by CPU time"
    )
    return Result(name, statistics.median(by_clock), "readings/s", "the rules in plain Python", plain, note, wanted)


def _tick_ms(devices: int) -> float:
    """Return what a tick takes on which all devices are found well."""
    stage, city = DetectStage(1), lamps(2 * devices)
    state = opened(stage, city)
    last = START
    for record in records(city, 2 * devices):
        stage.step(state, [record])
        last = record.at_us
    stage.step(state, [tick(last)])
    took = []
    for second in range(10, 110, 10):
        now = tick(last + second * SECOND_US)
        start = time.perf_counter()
        stage.step(state, [now])
        took.append(time.perf_counter() - start)
    return 1000 * statistics.median(took)


def _state_bytes(series: int) -> Result:
    city, stage = mixed(series), DetectStage(1)
    state = opened(stage, city)
    return Result(
        "detect.state_bytes",
        state_bytes(state) / city.series,
        "B/series",
        wanted="≤ 1500 B",
        note=f"all columns of {city.series} series: nine in ten are power and level of lamps, one in twenty each of"
        f" buildings and of air stations; a city of nothing but such lamps takes"
        f" {state_bytes(opened(stage, lamps(series))) / lamps(series).series:.0f} B",
    )


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
    state, lamp, gap = dict.fromkeys(STATE.names or (), 0), blank(), dict.fromkeys(GAP.names or (), 0)
    rules = np.array([rules_row(FaultRules())], RULES)[0]
    start = time.perf_counter()
    for n in range(moments):
        at = START + n * 1_000_000
        oracle.judge_row(device, rules, state, lamp, at, at, {POWER: 39.0, DIMMING: 100.0}, [], gap)
    return 2 * moments / (time.perf_counter() - start)
