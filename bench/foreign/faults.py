"""What goes wrong in a street, and how a naive labeller writes it down: at the physical moment, shown or not."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.foreign.street import COUNTING, DAY, Floats, Lamp, Town

QUIET_DAYS = 15.0
SLOT_DAYS = 8.0
HOUR = 3_600.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes
    ----------
    scope : str
        lamp, feeder, cabinet or gateway; `index` counts among these.
    onset, end : float
        s since 1970.
    size : float
        What it means depends on the kind: a share, a phase, a rank.
    mended : bool
        Whether the labeller knows an end.
    """

    kind: str
    scope: str
    index: int
    asset: str
    onset: float
    end: float
    size: float
    mended: bool = True


def plan(rng: np.random.Generator, town: Town, cadence: float, counters: bool, messages: int) -> list[Fault]:
    """Deal faults, kind by kind in turn, into slots of eight days; at most one thing at a time below one feeder."""
    found: list[Fault] = []
    stop = town.start + town.days * DAY
    dealt: dict[str, int] = {}
    slot = town.start + QUIET_DAYS * DAY
    while slot + SLOT_DAYS * DAY <= stop:
        last = slot + 2 * SLOT_DAYS * DAY > stop
        for gateway in range(town.gateways):
            cabinets = [c for c, one in enumerate(town.cabinets) if one.gateway == gateway]
            onset = slot + rng.uniform(0.0, 2.0) * DAY
            if rng.random() < 0.08:
                found.append(
                    Fault(
                        "communicationFailure",
                        "gateway",
                        gateway,
                        f"GW{gateway + 1}",
                        onset,
                        onset + rng.uniform(8, 50) * HOUR,
                        0.0,
                    )
                )
                continue
            for c in cabinets:
                onset = slot + rng.uniform(0.0, 2.0) * DAY
                if rng.random() < 0.12:
                    found.append(_of_cabinet(rng, town, c, onset, counters))
                else:
                    for f in town.cabinets[c].feeders:
                        of_feeder = _of_feeder(rng, town, f, slot, dealt, cadence, counters, messages)
                        found += [
                            replace(one, mended=not (last and one.scope == "lamp" and rng.random() < 0.4))
                            for one in of_feeder
                        ]
        slot += SLOT_DAYS * DAY
    return [one if one.mended else replace(one, end=stop + DAY) for one in found]


def _turn(rng: np.random.Generator, dealt: dict[str, int], kinds: Iterable[str]) -> str:
    """Return the kind that was dealt least."""
    kinds = sorted(kinds)
    rng.shuffle(kinds)
    kind = min(kinds, key=lambda one: dealt.get(one, 0))
    dealt[kind] = dealt.get(kind, 0) + 1
    return kind


def _of_cabinet(rng: np.random.Generator, town: Town, c: int, onset: float, counters: bool) -> Fault:
    name = town.cabinets[c].name
    if rng.random() < 0.5 and not counters:
        wrong = float(rng.choice([-1, 1])) * rng.uniform(25.0, 70.0) * 60.0
        return Fault("cabinetClockWrong", "cabinet", c, name, onset, onset + rng.uniform(4, 6) * DAY, wrong)
    return Fault("supplyLoss", "cabinet", c, name, onset, onset + rng.uniform(14, 60) * HOUR, 0.0)


def _of_feeder(
    rng: np.random.Generator, town: Town, f: int, slot: float, dealt: dict[str, int], cadence: float, counters: bool,
    messages: int,
) -> list[Fault]:  # fmt: skip
    feeder = town.feeders[f]
    onset = slot + rng.uniform(0.0, 2.0) * DAY
    chance = rng.random()
    if chance < 0.35:
        volts = all("supply_voltage_v" in town.lamps[i].maker.metrics for i in feeder.lamps)
        kinds = {"supplyLoss", "circuitBreakerTripped", "cableTheft"}
        kinds |= {"switchingErrorOn"} if feeder.switched else {"switchingErrorOff"}
        kinds |= {"supplyVoltageTooLow", "supplyVoltageTooHigh", "lostNeutral"} if volts else set()
        kinds |= {"residualCurrentReclosing"} if cadence <= 900 and not counters else set()
        kind = _turn(rng, dealt, kinds)
        hours = (
            rng.uniform(40.0, 100.0)
            if counters or kind in ("cableTheft", "residualCurrentReclosing")
            else rng.uniform(20.0, 70.0)
        )
        size = {
            "circuitBreakerTripped": float(rng.integers(0, 3)),
            "cableTheft": float(rng.uniform(0.3, 0.7)),
            "supplyVoltageTooLow": rng.uniform(0.80, 0.87),
            "supplyVoltageTooHigh": rng.uniform(1.12, 1.16),
        }.get(kind, 0.0)
        return [Fault(kind, "feeder", f, feeder.name, onset, onset + hours * HOUR, size)]
    if chance < 0.5:
        lamps = rng.choice(feeder.lamps, int(rng.integers(2, 5)), replace=False)
        return [_of_lamp(rng, town.lamps[i], int(i), "lampFailure", onset + rng.uniform(0, 20) * HOUR) for i in lamps]
    found = []
    for i in rng.choice(feeder.lamps, min(4, len(feeder.lamps)), replace=False):
        kind = _turn(rng, dealt, _kinds(town, town.lamps[i], cadence, counters, messages))
        found.append(_of_lamp(rng, town.lamps[i], int(i), kind, slot + rng.uniform(0.0, 2.0) * DAY))
    return found


def _kinds(town: Town, lamp: Lamp, cadence: float, counters: bool, messages: int) -> set[str]:
    """Return what this lamp's messages can show at all."""
    has = set(lamp.maker.metrics)
    kinds = {"lampFailure", "lampPowerTooHigh", "communicationFailure", "stuckSensor"}
    kinds |= {"ledModuleLost"} if lamp.kind == "led" else {"cyclingFailure", "lampPowerTooLow"}
    if not town.feeders[lamp.feeder].switched:
        kinds.add("lampUnexpectedOn")
    if not counters:
        kinds.add("flicker")
    if "power_factor" in has and lamp.kind == "hps":
        kinds.add("powerFactorTooLow")
    if lamp.profile and "dimming_level_pct" in has:
        kinds.add("dimmingFailure")
    if has & set(COUNTING) and (cadence <= 3_600 if not counters else messages >= 3):
        kinds.add("counterReset")
    return kinds


def _of_lamp(rng: np.random.Generator, lamp: Lamp, i: int, kind: str, onset: float) -> Fault:
    size = {
        "ledModuleLost": 1 - rng.uniform(0.16, 0.5),
        "lampPowerTooLow": rng.uniform(0.55, 0.80),
        "lampPowerTooHigh": rng.uniform(1.20, 1.45),
        "flicker": rng.uniform(0.3, 0.6),
        "cyclingFailure": rng.uniform(1_200.0, 3_000.0),
        "powerFactorTooLow": rng.uniform(0.38, 0.52),
        "dimmingFailure": float(rng.choice([1.0, lamp.profile[1][1]])) if lamp.profile else 1.0,
    }.get(kind, 0.0)
    return Fault(kind, "lamp", i, lamp.name, onset, onset + rng.uniform(3.0, 5.5) * DAY, size)


def of_lamp(town: Town, faults: list[Fault]) -> list[list[Fault]]:
    """Return what each lamp feels: its own, its feeder's, its cabinet's, its gateway's."""
    felt: list[list[Fault]] = [[] for _ in town.lamps]
    for one in faults:
        for i, lamp in enumerate(town.lamps):
            cabinet = town.feeders[lamp.feeder].cabinet
            above = {"lamp": i, "feeder": lamp.feeder, "cabinet": cabinet, "gateway": town.cabinets[cabinet].gateway}
            if above[one.scope] == one.index:
                felt[i].append(one)
    return felt


def inside_spans(t: Floats, faults: list[Fault]) -> NDArray[np.bool_]:
    """Return where any of these faults is there, whatever its kind."""
    there = np.zeros(len(t), np.bool_)
    for one in faults:
        there |= (t >= one.onset) & (t < one.end)
    return there
