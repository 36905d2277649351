"""Weeks of one lamp with one trouble after another, as moments of readings; drawn from a seed."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from anomaly.layout import CURRENT, DIMMING, ENERGY, FACTOR, HOURS, POWER, SWITCHES, VOLTAGE
from anomaly.oracle import Device
from city.clock import DAY_US, HOUR_US, MINUTE_US

Moment = tuple[int, dict[int, float]]
"""When, µs; value by channel."""

TROUBLES = (
    "none", "none", "dark", "day", "flicker", "low", "ramp", "high", "level", "level", "factor", "stuck", "voltage",
    "cycling", "reset", "nan",
)  # fmt: skip
MAKES = {
    "power": (POWER,),
    "plain": (POWER, VOLTAGE, DIMMING, FACTOR),
    "full": (POWER, VOLTAGE, DIMMING, FACTOR, ENERGY, HOURS, SWITCHES),
    "counters": (ENERGY, HOURS, SWITCHES),
    "energy": (ENERGY,),
    "current": (VOLTAGE, CURRENT, FACTOR),
    "currents": (POWER, VOLTAGE, CURRENT),
}
FULL_W = 90.0


def device_of(rng: random.Random) -> Device:
    days = rng.choice([6, 20])
    interval_us = rng.choice([15, 60, 240]) * MINUTE_US
    return Device(
        interval_us=interval_us,
        silence_us=8 * interval_us,
        guard_us=15 * MINUTE_US,
        rated_w=100.0,
        dark_below=0.2,
        on_above_w=10.0,
        on_share=0.1,
        dark_readings=3,
        on_readings=3,
        lamp=1,
        switched=rng.choice([0, 1]),
        led=rng.choice([0, 1]),
        dimmed=rng.choice([0, 1]),
        early=int(interval_us <= 15 * MINUTE_US),
        periods=[(d * DAY_US + 17 * HOUR_US, d * DAY_US + 31 * HOUR_US) for d in range(days)],
    )


@dataclass(frozen=True)
class Stand:
    """What a lamp has counted and shown so far."""

    energy: float = 0.0
    hours: float = 0.0
    switches: float = 0.0
    burned: bool = False
    power: float = FULL_W
    voltage: float = 230.0


def moments(rng: random.Random, device: Device) -> Iterator[Moment]:
    """Yield what the controller says, some of it lost."""
    channels = MAKES[rng.choice(sorted(MAKES))]
    trouble, stand, said = "none", Stand(), dict.fromkeys(range(8), 0.0)
    for at in range(device.interval_us, device.periods[-1][1], device.interval_us):
        if rng.random() < min(0.02 * device.interval_us / (15 * MINUTE_US), 0.12):
            trouble = rng.choice(TROUBLES)
        on = any(begin <= at < end for begin, end in device.periods)
        if (device.switched and not on) or rng.random() < 0.1:
            stand = replace(stand, burned=on)
            continue
        level = (50.0 if at // HOUR_US % 24 < 5 else 100.0) if on else 0.0
        stand = _go_on(rng, device, stand, trouble, at, level)
        if trouble != "stuck":
            said = {
                POWER: stand.power, VOLTAGE: stand.voltage, FACTOR: 0.45 if trouble == "factor" else 0.93,
                ENERGY: stand.energy, HOURS: stand.hours, SWITCHES: stand.switches,
            }  # fmt: skip
            said[CURRENT] = stand.power / stand.voltage / said[FACTOR]
        said[DIMMING] = level
        values = {channel: said[channel] for channel in sorted(channels)}
        if trouble == "nan":
            values[rng.choice(channels)] = math.nan
        yield at, values


def _go_on(rng: random.Random, device: Device, stand: Stand, trouble: str, at: int, level: float) -> Stand:
    on = level > 0.0
    lit = (on and trouble != "dark") or trouble == "day"
    switched = float(on and not stand.burned)
    if trouble == "cycling":
        lit = lit and rng.random() < 0.6
        switched += rng.choice([0, 1, 2])
    share = {"low": 0.75, "high": 1.25, "flicker": rng.uniform(0.5, 1.0)}.get(trouble, 1.0)
    if trouble == "ramp":
        share = 1.0 - 0.005 * (at // HOUR_US % 24)
    told = 1.0 if trouble == "level" or not on else level / 100.0
    power = FULL_W * share * told if lit else 0.4
    passed_h = device.interval_us / HOUR_US if lit else 0.0
    begun = trouble == "reset" and rng.random() < 0.3
    return Stand(
        energy=0.0 if begun else stand.energy + power * passed_h / 1000.0,
        hours=0.0 if begun else stand.hours + passed_h,
        switches=0.0 if begun else stand.switches + switched,
        burned=on,
        power=float(round(power * (1.0 + rng.gauss(0.0, 0.01)))),
        voltage=round(230.0 + rng.gauss(0.0, 1.0) - (30.0 if trouble == "voltage" else 0.0), 1),
    )
