"""What energy counters add in some hours in slow plain Python: what `energy` must compute, bit by bit."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from anomaly.lamps.energy import ALIKE, FASTEST, KNOWN_SHARE, PRESENT_H, SPAN_H, SPANS, VISITS
from anomaly.lamps.layout import CELLS
from anomaly.lamps.oracle import Columns, Events, cleared, is_open, suspected
from anomaly.layout import (
    DIMMING_FAILURE,
    ENERGY_FULL,
    ENERGY_HIGH,
    ENERGY_LOW,
    ENERGY_STEP,
    LEARNT_AGAIN,
    MODULE_LOST,
    POWER_TOO_HIGH,
    POWER_TOO_LOW,
)
from city.clock import HOUR_US


def note_measured(lamp: Columns) -> None:
    """Note that power is measured."""
    if not lamp["measured"] and lamp["rate_n"]:
        lamp["cell_n"] = [0] * CELLS
    lamp["measured"] = 1


def judge_energy(device: Any, rules: Any, lamp: Columns, at: int, doubt: float) -> Events:
    """Judge the mean power of what was added up since ``sum_from``, and begin anew."""
    kw = lamp["sum_kwh"] / lamp["sum_h"]
    short = abs(lamp["sum_h"] - lamp["told_h"]) > 0.1 * lamp["told_h"]
    hours = _burning_by_hour(device.periods, lamp["sum_from"], at)
    lamp["sum_kwh"] = lamp["sum_h"] = lamp["told_h"] = 0.0
    if math.isnan(kw) or short:
        return []
    watts = 1000.0 * kw
    lamp["rate_n"] = min(lamp["rate_n"] + 1, FASTEST)
    usual = _usual(lamp, hours, 0)
    as_ever = _covers_as_ever(lamp, hours, at)
    if not (as_ever and usual > 0.0):
        if not is_open(lamp, DIMMING_FAILURE, POWER_TOO_HIGH, POWER_TOO_LOW, MODULE_LOST):
            _learn(lamp, hours, watts, kw)
        return []
    shifted = [w for w in (_usual(lamp, hours, -1), _usual(lamp, hours, 1)) if w > 0.0]
    r = min((watts / w - 1.0 for w in (usual, *shifted)), key=abs)
    before, lamp["rate_level"] = lamp["rate_level"], r
    sigma = 1.25 * lamp["rate_sigma"]
    bound = max(rules["power_off"], 4.0 * sigma) + doubt
    for fault in (DIMMING_FAILURE, POWER_TOO_HIGH, POWER_TOO_LOW, MODULE_LOST):
        if is_open(lamp, fault):
            return _follow(rules, lamp, at, hours, watts, usual, r, bound, fault)
    lamp["rate_sigma"] += (min(abs(r), 0.2) - lamp["rate_sigma"]) / 32.0
    if r >= 0.0:
        most = max((cell for cell, n in zip(lamp["cell"], lamp["cell_n"], strict=True) if n >= VISITS), default=0.0)
        wrong_level = most >= (1.0 + bound) * usual and abs(watts - most) <= ALIKE * most
        full = device.dimmed or wrong_level
        fault, rule = (DIMMING_FAILURE, ENERGY_FULL) if full else (POWER_TOO_HIGH, ENERGY_HIGH)
    elif device.led and before - r >= 0.8 * rules["module_lost"]:
        fault, rule, bound = MODULE_LOST, ENERGY_STEP, max(rules["module_lost"], 4.0 * sigma) + doubt
    else:
        fault, rule = POWER_TOO_LOW, ENERGY_LOW
    hour = at // HOUR_US % CELLS
    if abs(r) < bound:
        if hour == lamp["rate_hour"]:
            lamp["rate_high"] = 0
        _learn(lamp, hours, watts, kw)
        return []
    if r > 0.0 and not lamp["rate_high"]:
        lamp["rate_high"], lamp["rate_hour"] = 1, hour
        return []
    lamp["rate_high"] = lamp["rate_sound"] = 0
    if fault == DIMMING_FAILURE:
        present = [cell for cell, burnt in enumerate(hours) if burnt >= PRESENT_H]
        lamp["dim_cell"] = min(present, key=lambda cell: lamp["cell"][cell], default=0)
    return suspected(lamp, fault, rule, at, at, watts, usual, learned=usual)


def _burning_by_hour(periods: Sequence[tuple[int, int]], start: int, end: int) -> list[float]:
    hours = [0.0] * CELLS
    for on, off in periods:
        at, until = max(start, on), min(end, off)
        while at < until:
            turn = min(until, (at // HOUR_US + 1) * HOUR_US)
            hours[at // HOUR_US % CELLS] += (turn - at) / HOUR_US
            at = turn
    return hours


def _covers_as_ever(lamp: Columns, hours: Sequence[float], at: int) -> bool:
    hour = at // HOUR_US % CELLS
    span = min((at - lamp["sum_from"] + HOUR_US // 2) // HOUR_US, 255)
    before, seen = lamp["span_h"][hour], lamp["span_n"][hour]
    if seen and abs(span - before) <= SPAN_H:
        lamp["span_h"][hour], lamp["span_n"][hour] = span, min(seen + 1, SPANS)
        return True
    if seen > 1:
        lamp["span_n"][hour] = seen - 1
        return False
    lamp["span_h"][hour], lamp["span_n"][hour] = span, 1
    for cell, burnt in enumerate(hours):
        if burnt > 0.0:
            lamp["cell_n"][cell] = min(lamp["cell_n"][cell], 1)
    return False


def _usual(lamp: Columns, hours: Sequence[float], shift: int) -> float:
    total = known = energy = 0.0
    for hour, burnt in enumerate(hours):
        total += burnt
        cell = (hour + shift) % CELLS
        if lamp["cell_n"][cell] >= VISITS:
            known += burnt
            energy += burnt * lamp["cell"][cell]
    return energy / known if known > 0.0 and known >= KNOWN_SHARE * total else 0.0


def _learn(lamp: Columns, hours: Sequence[float], watts: float, kw: float) -> None:
    total = energy = 0.0
    for cell, burnt in enumerate(hours):
        if lamp["cell_n"][cell]:
            total += burnt
            energy += burnt * lamp["cell"][cell]
    ratio = watts * total / energy if energy > 0.0 else 1.0
    for cell, burnt in enumerate(hours):
        if burnt > 0.0:
            learned, before = lamp["cell"][cell], lamp["cell_n"][cell]
            lamp["cell_n"][cell] = n = min(before + max(1, int(burnt + 0.5)), FASTEST)
            now = learned + (learned * ratio - learned) / n if before else watts
            lamp["cell"][cell] = float(np.float32(now))
    lamp["rate"] = kw if lamp["rate_n"] <= 1 else lamp["rate"] + (kw - lamp["rate"]) / lamp["rate_n"]


def _follow(
    rules: Any, lamp: Columns, at: int, hours: Sequence[float], watts: float, usual: float, r: float, bound: float,
    fault: int,
) -> Events:  # fmt: skip
    if fault != DIMMING_FAILURE or hours[lamp["dim_cell"]] >= PRESENT_H:
        lamp["rate_sound"] = lamp["rate_sound"] + 1 if abs(r) <= 0.67 * bound else 0
    rule = ENERGY_LOW if fault in (POWER_TOO_LOW, MODULE_LOST) else ENERGY_HIGH
    normal = at - lamp["opened"][fault] > rules["relearn_us"]
    if normal:
        lamp["cell_n"] = [0] * CELLS
        lamp["rate_n"], rule = 0, LEARNT_AGAIN
    if not normal and lamp["rate_sound"] < 2:
        return []
    lamp["rate_level"] = 0.0
    return cleared(lamp, fault, rule, at, watts, usual)
