"""One lamp for some weeks: what its controller says, and what the kernels make of it."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from anomaly import layout
from anomaly.lamps.layout import RULES
from anomaly.layout import DIMMING, ENERGY, FACTOR, HOURS, POWER, SWITCHES, VOLTAGE
from anomaly.oracle import Device
from anomaly.state import WAIT_US, rules_row
from anomaly.suspicions import FAULTS
from anomaly.suspicions import RULES as NAMES
from city.clock import DAY_US, HOUR_US, MINUTE_US
from city.registry import FaultRules
from tests.anomaly.lamps.test_oracle import by_kernels
from tests.anomaly.lamps.worlds import Moment

QUARTER = 15 * MINUTE_US
NIGHT_H = 12
ONSET = 14 * DAY_US + 6 * HOUR_US
"""Two weeks are quiet; then something happens, by day."""


@dataclass(frozen=True)
class Lamp:
    """What a lamp draws while it burns, W, as a share of 90 W, and what else can be wrong."""

    share: Callable[[int], float] = lambda _at: 1.0
    level: Callable[[int], float] = lambda _at: 100.0
    told: Callable[[int], float] | None = None
    factor: Callable[[int], float] = lambda _at: 0.93
    shift_v: Callable[[int], float] = lambda _at: 0.0
    exponent: float = 0.0
    day_w: Callable[[int], float] = lambda _at: 0.4
    frozen_from: int | None = None


def device(days: int, **changes: Any) -> Device:
    """Return a lamp whose nights are the second half of each day."""
    periods = [(d * DAY_US + 12 * HOUR_US, (d + 1) * DAY_US) for d in range(days)]
    plain = Device(
        QUARTER, 8 * QUARTER, QUARTER, 100.0, 0.2, 10.0, 0.1, 3, 3, 1, 0, led=1, early=1, periods=periods
    )  # fmt: skip
    return replace(plain, **changes)


def is_on(watched: Device, at: int) -> bool:
    return any(begin <= at < end for begin, end in watched.periods)


def readings(
    watched: Device, lamp: Lamp, seed: int = 1, channels: Sequence[int] = (POWER, VOLTAGE, DIMMING, FACTOR)
) -> list[Moment]:
    """Return every reading until the last night has ended: noise of half a per cent, steps of a watt, none lost."""
    rng = random.Random(seed)
    told: list[Moment] = []
    drift = 0.0
    for at in range(watched.interval_us, watched.periods[-1][1], watched.interval_us):
        drift = 0.9 * drift + 0.1 * rng.gauss(0.0, 0.01)
        voltage = round(230.0 + rng.gauss(0.0, 1.2) + lamp.shift_v(at), 1)
        on = is_on(watched, at)
        level = lamp.level(at) if on else 0.0
        power = 90.0 * lamp.share(at) * level / 100.0 * (voltage / 230.0) ** lamp.exponent if on else lamp.day_w(at)
        said = lamp.told or lamp.level
        values = {
            POWER: float(round(power * (1.0 + drift + rng.gauss(0.0, 0.004)))),
            VOLTAGE: voltage,
            DIMMING: said(at) if on else 0.0,
            FACTOR: lamp.factor(at),
        }
        if lamp.frozen_from is not None and at >= lamp.frozen_from:
            values[POWER], values[VOLTAGE] = told[-1][1][POWER], told[-1][1][VOLTAGE]
        told.append((at, {channel: values[channel] for channel in channels}))
    return told


@dataclass(frozen=True)
class Count:
    """What a lamp with counters adds in one interval: hours of burning, watts, switch-ons."""

    burns: Callable[[int, bool], bool] = lambda _at, on: on
    watts: Callable[[int], float] = lambda _at: 90.0
    more_switch_ons: Callable[[int], int] = lambda _at: 0
    resets: Sequence[int] = ()
    frozen: tuple[int, int] = (0, 0)
    hour_step: float = 0.01
    kwh_step: float = 0.001
    again_at: int | None = None
    """Frozen from then on as well, for as long."""
    forgets: bool = False
    """What would have been counted meanwhile never was: it did not burn, and nothing counts commands."""


def counters(watched: Device, count: Count) -> list[Moment]:
    """Return what counters say, stepped by minutes of five."""
    told: list[Moment] = []
    energy, hours, switches = 500.0, 6_000.0, 600.0
    step = 5 * MINUTE_US
    shown = real = (energy, hours, switches)
    for at in range(step, watched.periods[-1][1], step):
        on = is_on(watched, at)
        if on and not is_on(watched, at - step):
            switches += 1
        switches += count.more_switch_ons(at)
        if count.burns(at, on):
            hours += step / HOUR_US
            energy += count.watts(at) / 1000.0 * step / HOUR_US
        if at in count.resets:
            energy = hours = switches = 0.0
        length = count.frozen[1] - count.frozen[0]
        before = count.again_at is not None and count.again_at <= at < count.again_at + length
        if before or count.frozen[0] <= at < count.frozen[1]:
            if count.forgets:
                energy, hours, switches = real
        else:
            real = (energy, hours, switches)
            shown = (
                round(energy // count.kwh_step * count.kwh_step, 3),
                hours // count.hour_step * count.hour_step,
                switches,
            )
        if at % watched.interval_us == 0 and (on or not watched.switched):
            told.append((at, dict(zip((ENERGY, HOURS, SWITCHES), shown, strict=True))))
    return told


def said(watched: Device, told: list[Moment], rules: FaultRules | None = None) -> list[tuple[str, str, str, int]]:
    """Return what lamps' rules say: suspect or clear, fault, rule, and when."""
    table = np.array([rules_row(rules or FaultRules())], RULES)
    events, _, _ = by_kernels(watched, table, told, 64)
    kinds = {layout.SUSPECT: "suspect", layout.CLEAR: "clear"}
    return [
        (kinds[e["kind"]], str(FAULTS[e["fault"]]), NAMES[e["rule"]][0], e["at"])
        for e in events
        if e["fault"] != layout.COMMUNICATION_FAILURE
    ]


def suspected(watched: Device, told: list[Moment], rules: FaultRules | None = None) -> list[str]:
    """Return the faults that are suspected, each once for each time, and not withdrawn while correlation waits."""
    standing: list[tuple[str, int]] = []
    for kind, fault, _, at in said(watched, told, rules):
        if kind == "suspect":
            standing.append((fault, at))
        else:
            withdrawn = [one for one in standing if one[0] == fault and at - one[1] <= WAIT_US]
            standing = [one for one in standing if one not in withdrawn]
    return [fault for fault, _ in standing]
