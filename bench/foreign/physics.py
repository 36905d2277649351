"""What a lamp's controller measures, and when it says so."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.foreign.faults import HOUR, Fault
from bench.foreign.street import COUNTING, DAY, Floats, Lamp, Town

Bools = NDArray[np.bool_]
DEAD = ("supplyLoss", "circuitBreakerTripped", "cableTheft")


@dataclass(frozen=True, slots=True)
class Context:
    """What the lamps of one town share.

    Attributes
    ----------
    wander : float64[n_feeders, n_hours], V
        Slow changes of each feeder's voltage, from the town's start on.
    messages : int
        A night, where counters alone are sent; else 0.
    """

    town: Town
    wander: Floats
    cadence: float
    messages: int
    hour_step: float
    counts_commands: bool
    """Switch-ons are counted whether or not the lamp follows: makers differ."""


def inside(t: Floats, faults: list[Fault], *kinds: str) -> Bools:
    """Return where one of these kinds is there."""
    there = np.zeros(len(t), np.bool_)
    for one in faults:
        if one.kind in kinds:
            there |= (t >= one.onset) & (t < one.end)
    return there


def _without(spans: Floats, a: float, b: float) -> Floats:
    left = np.column_stack((spans[:, 0], np.minimum(spans[:, 1], a)))
    right = np.column_stack((np.maximum(spans[:, 0], b), spans[:, 1]))
    both = np.concatenate((left, right))
    return both[both[:, 1] > both[:, 0]]


def _joined(spans: Floats) -> Floats:
    spans = spans[np.argsort(spans[:, 0])]
    reach = np.maximum.accumulate(spans[:, 1])
    first = np.flatnonzero(np.r_[True, spans[1:, 0] > reach[:-1]])
    return np.column_stack((spans[first, 0], reach[np.r_[first[1:] - 1, len(spans) - 1]]))


def nights(town: Town, lamp: Lamp, faults: list[Fault]) -> Floats:
    """When its cabinet says that it should burn, s, [n, 2]."""
    cabinet = town.cabinets[town.feeders[lamp.feeder].cabinet]
    spans = np.column_stack((cabinet.on, cabinet.off)).copy()
    for one in faults:
        if one.kind == "cabinetClockWrong":
            spans[(spans >= one.onset) & (spans < one.end)] += one.size
    return spans


def supply(rng: np.random.Generator, town: Town, lamp: Lamp, faults: list[Fault]) -> Floats:
    """When there is voltage at the lamp, s, [n, 2]."""
    feeder = town.feeders[lamp.feeder]
    spans = (
        nights(town, lamp, faults)
        if feeder.switched
        else np.array([[town.start - DAY, town.start + (town.days + 1) * DAY]])
    )
    for one in faults:
        if one.kind == "switchingErrorOn":
            spans = _joined(np.concatenate((spans, [[one.onset, one.end]])))
    for one in faults:
        if one.kind in DEAD or (one.kind == "switchingErrorOff" and feeder.switched):
            on_phase = one.kind != "circuitBreakerTripped" or int(one.size) == lamp.phase
            behind = one.kind != "cableTheft" or lamp.rank >= one.size * len(feeder.lamps)
            if on_phase and behind:
                spans = _without(spans, one.onset, one.end)
        elif one.kind == "residualCurrentReclosing":
            shared = np.random.default_rng(int(one.onset))
            for night in np.arange(np.floor(one.onset / DAY), np.ceil(one.end / DAY)):
                inner = nights(town, lamp, faults)
                inner = inner[(inner[:, 0] >= (night - 0.5) * DAY) & (inner[:, 0] < (night + 0.5) * DAY)]
                for share in shared.uniform(0.1, 0.9, 4):
                    for a, b in inner:
                        cut = a + share * (b - a)
                        if one.onset <= cut < one.end:
                            spans = _without(spans, cut, cut + 1_500.0)
    return spans[np.argsort(spans[:, 0])]


def report_times(rng: np.random.Generator, c: Context, lamp: Lamp, spans: Floats, faults: list[Fault]) -> Floats:
    """When it speaks, s."""
    if c.messages:
        slots = nights(c.town, lamp, faults)
        shares = (np.arange(c.messages) + 0.6) / c.messages
        t = (slots[:, :1] + shares * (slots[:, 1:] - slots[:, :1])).ravel() + rng.normal(
            0.0, 300.0, len(slots) * c.messages
        )
    else:
        begin, cadence = spans[:, 0] + rng.uniform(2.0, 40.0), c.cadence
        wait = rng.uniform(0.0, cadence)
        if lamp.maker.on_the_clock:
            first = np.ceil(begin / cadence) * cadence + wait * 0.05
        elif lamp.maker.greets:
            first = begin + 15.0
        else:
            first = begin + wait
        count = np.maximum(np.ceil((spans[:, 1] - first) / cadence), 0).astype(np.int64)
        k = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        t = np.repeat(first, count) + k * cadence + rng.normal(0.0, cadence * 0.01, len(k)).clip(-60, 60)
    at = np.searchsorted(spans[:, 0], t, "right") - 1
    t = t[(at >= 0) & (t < spans[np.maximum(at, 0), 1])]
    t = np.sort(t[(t >= c.town.start) & (t < c.town.start + c.town.days * DAY)])
    return t[~inside(t, [one for one in faults if one.scope == "lamp"], "communicationFailure")]


@dataclass(frozen=True, slots=True)
class State:
    """What a lamp does at some moments."""

    burns: Bools
    told: Bools
    level: Floats
    power: Floats
    volts: Floats
    factor: Floats


def state(rng: np.random.Generator, c: Context, lamp: Lamp, spans: Floats, faults: list[Fault], t: Floats) -> State:
    """Return what it does at these moments; nothing where it has no supply."""
    town, feeder = c.town, c.town.feeders[lamp.feeder]
    slots = nights(town, lamp, faults)
    at = np.maximum(np.searchsorted(slots[:, 0], t + lamp.clock_s, "right") - 1, 0)
    told = (t + lamp.clock_s >= slots[at, 0]) & (t + lamp.clock_s < slots[at, 1])
    has = np.maximum(np.searchsorted(spans[:, 0], t, "right") - 1, 0)
    supplied = (t >= spans[has, 0]) & (t < spans[has, 1])
    told = supplied if feeder.switched else told & ~inside(t, faults, "switchingErrorOff")
    burns = (told | inside(t, faults, "lampUnexpectedOn")) & supplied & ~inside(t, faults, "lampFailure")
    hour = town.local_hour(t + lamp.clock_s)
    level = np.ones(len(t))
    if lamp.profile:
        (_, _), (late, low), (early, _) = lamp.profile
        level[(hour >= late) | (hour < early)] = low
    dim = level.copy()
    if lamp.by_midnight:
        from_middle = t - slots[at].mean(axis=1)
        dim[(from_middle > -2 * HOUR) & (from_middle < 3 * HOUR)] = 0.6
    age = t - np.maximum(slots[at, 0], spans[has, 0])
    gain = np.full(len(t), lamp.gain) * (1.0 + lamp.clo * (t - town.start) / (365.0 * DAY))
    for one in faults:
        there = (t >= one.onset) & (t < one.end)
        if one.kind == "dimmingFailure":
            dim[there] = one.size
        elif one.kind in ("ledModuleLost", "lampPowerTooLow", "lampPowerTooHigh"):
            gain[there] *= one.size
        elif one.kind == "flicker":
            gain[there] *= np.where(rng.random(there.sum()) < 0.5, 1.0 - one.size, 1.0)
        elif one.kind == "cyclingFailure":
            burns &= ~(there & ((age + one.onset) % one.size > 0.62 * one.size))
    volts = _volts(rng, c, lamp, faults, t, hour, burns) * supplied
    power = _power(rng, lamp, dim, age, volts) * gain * burns + lamp.standby_w * (~burns & supplied) * (
        lamp.kind == "led"
    )
    factor = np.where(burns, 0.90 - (0.12 * (1 - dim) if lamp.kind == "led" else 0.0), 0.25) + rng.normal(
        0, 0.006, len(t)
    )
    for one in faults:
        if one.kind == "powerFactorTooLow":
            factor[(t >= one.onset) & (t < one.end) & burns] = one.size
    return State(burns, told, level * told, power, volts, np.clip(factor, 0.0, 1.0))


def _volts(
    rng: np.random.Generator, c: Context, lamp: Lamp, faults: list[Fault], t: Floats, hour: Floats, burns: Bools
) -> Floats:
    feeder = c.town.feeders[lamp.feeder]
    hours = (t - c.town.start) / HOUR + 24
    slow = np.interp(hours, np.arange(c.wander.shape[1]), c.wander[lamp.feeder])
    volts = (
        feeder.nominal_v + slow - 3.5 * np.exp(-(((hour - 20.5) / 2.2) ** 2)) + 1.5 * np.cos((hour - 4) * np.pi / 12)
    )
    volts += (
        (lamp.phase - 1) * 0.8 - burns * feeder.drop_v * lamp.rank / len(feeder.lamps) + rng.normal(0.0, 0.5, len(t))
    )
    if feeder.reduced:
        volts[(hour >= 23.5) | (hour < 5.5)] -= 42.0
    for one in faults:
        there = (t >= one.onset) & (t < one.end)
        if one.kind in ("supplyVoltageTooLow", "supplyVoltageTooHigh"):
            volts[there] *= one.size
        elif one.kind == "lostNeutral":
            volts[there] *= (1.18, 0.82, 1.05)[(lamp.phase + int(one.onset)) % 3]
    return volts


def _power(rng: np.random.Generator, lamp: Lamp, dim: Floats, age: Floats, volts: Floats) -> Floats:
    noise = 1.0 + rng.normal(0.0, 0.006, len(dim))
    if lamp.kind == "led":
        return lamp.watt * (0.06 + 0.94 * dim**1.07) * (1.0 + 0.02 * np.exp(-age / 1_200.0)) * noise
    warm = 1.0 - 0.6 * np.exp(-np.maximum(age, 0.0) / 130.0)
    power: Floats = 1.13 * lamp.watt * warm * np.power(np.maximum(volts, 1.0) / 231.0, 1.75) * noise
    return power


def measured(
    rng: np.random.Generator, c: Context, lamp: Lamp, spans: Floats, faults: list[Fault], t: Floats
) -> dict[str, Floats]:
    """Return what it says at `t`, metric by metric."""
    now = state(rng, c, lamp, spans, faults, t)
    shown = np.round(now.power / lamp.maker.step_w) * lamp.maker.step_w
    said: dict[str, Floats] = {
        "active_power_w": shown,
        "supply_voltage_v": np.round(now.volts, 1 if lamp.maker.step_w < 1 else 0),
        "power_factor": np.round(now.factor, 2),
        "dimming_level_pct": np.round(100.0 * now.level),
        "supply_current_a": np.round(now.power / np.maximum(now.volts * now.factor, 1.0), 3),
        "controller_temperature_deg_c": np.round(20.0 + 18.0 * now.burns + rng.normal(0, 1.0, len(t))),
    }
    if set(lamp.maker.metrics) & set(COUNTING):
        grid = np.arange(c.town.start, c.town.start + c.town.days * DAY + 300.0, 300.0)
        then = state(rng, c, lamp, spans, faults, grid)
        base = rng.uniform(50.0, 4_000.0)
        counted = then.burns | (then.told & inside(grid, faults, "lampFailure")) if c.counts_commands else then.burns
        starts = np.cumsum(np.diff(counted.astype(np.int8), prepend=0) > 0)
        sums = {
            "active_energy_kwh": (base + np.cumsum(then.power) / 12_000.0, 0.01),
            "operating_hours_h": (base * 10 + np.cumsum(then.burns) / 12.0, c.hour_step),
            "switch_on_count": (np.floor(base / 3) + starts, 1.0),
        }
        for name, (total, step) in sums.items():
            value = np.interp(t, grid, total)
            for one in faults:
                if one.kind == "counterReset":
                    there = (t >= one.onset) & (t < one.end)
                    every = np.floor(t[there] / (2 * HOUR)) * 2 * HOUR
                    value[there] -= np.interp(every, grid, total)
            said[name] = np.floor(value / step + 1e-9) * step
    said = {name: said[name] for name in lamp.maker.metrics}
    for one in faults:
        if one.kind == "stuckSensor":
            first = int(np.searchsorted(t, one.onset)) - 1
            if first >= 0:
                for values in said.values():
                    values[(t >= one.onset) & (t < one.end)] = values[first]
    return said
