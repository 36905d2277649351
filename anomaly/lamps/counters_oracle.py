"""The rules of lamps' counters in slow plain Python: what `anomaly.lamps.counters` must compute, bit by bit."""

import math
from collections.abc import Sequence
from typing import Any

from anomaly.lamps.counters import (
    BACK,
    COMMANDS,
    DIGITS,
    IDLE_H,
    JITTER_H,
    NIGHT_H,
    NIGHTS,
    REST_H,
    STAND_H,
    STAND_US,
    STEP_SHARE,
)
from anomaly.lamps.energy_oracle import judge_energy
from anomaly.lamps.layout import CELLS
from anomaly.lamps.oracle import Columns, Events, cleared, is_open, suspected
from anomaly.lamps.power import MENDED_US
from anomaly.layout import (
    CLEAR,
    COUNTER_RESET,
    COUNTERS_STAND,
    CYCLING_FAILURE,
    ENERGY,
    HOURS,
    HOURS_STAND,
    HOURS_WHILE_OFF,
    LAMP_FAILURE,
    LAMP_UNEXPECTED_ON,
    STUCK_SENSOR,
    SUSPECT,
    SWITCH_ONS,
    SWITCHES,
)
from anomaly.powered import ASLEEP, SLOW_US
from anomaly.schedules import LOOK_BACK_US
from city.clock import HOUR_US

_NAMES = {ENERGY: ("energy", 1), HOURS: ("hours", 2), SWITCHES: ("switches", 4)}


def judge_counters(
    device: Any,
    rules: Any,
    state: Columns,
    lamp: Columns,
    at: int,
    values: dict[int, float],
    measured: bool,
    stuck: bool,
    beside: Sequence[Columns] = (),
) -> Events:
    """Judge what counters have added since they were last read."""
    known = sum(bit for channel, (_, bit) in _NAMES.items() if channel in values)
    had, start = lamp["counters"], lamp["counted_at"]
    if not known or had & ~known:
        return []
    added = {
        channel: values[channel] - lamp[name] if had & bit else math.nan for channel, (name, bit) in _NAMES.items()
        if channel in values
    }  # fmt: skip
    for channel in added:
        lamp[_NAMES[channel][0]] = values[channel]
    for channel, name in ((ENERGY, "energy_digits"), (HOURS, "hours_digits")):
        if channel in values:
            lamp[name] = max(lamp[name], _digits(values[channel]))
    lamp["counted_at"], lamp["counters"] = at, known
    if not had:
        lamp["moved_at"] = at
        return []
    energy = values.get(ENERGY, math.nan)
    back = {channel for channel, more in added.items() if more < -BACK}
    if back & {HOURS, SWITCHES} or (back and energy < 0.9 * (energy - added[ENERGY])):
        return _begin_again(rules, lamp, at)
    events: Events = []
    if is_open(lamp, COUNTER_RESET) and at - lamp["reset_at"] > 2 * rules["reset_us"]:
        events += cleared(lamp, COUNTER_RESET, COUNTER_RESET, at, 0.0, 0.0)
    if not device.scheduled or at - start > LOOK_BACK_US:
        _forget_sums(lamp)
        return events
    guard = device.guard_us
    ons, offs = [on for on, _ in device.periods], [off for _, off in device.periods]
    dusks = _within(ons, start - guard, at + guard)
    burning_us = sum(max(0, min(at, off) - max(start, on)) for on, off in device.periods)
    burning_h = burning_us / HOUR_US
    added_kwh, added_h, added_on = (added.get(c, math.nan) for c in (ENERGY, HOURS, SWITCHES))
    caught_up = added_h > (at - start) / HOUR_US + 0.5 or stuck
    if not caught_up:
        events += _switching(rules, lamp, at, dusks, added_on, burning_h, measured)
    if measured:
        return events
    edges = dusks + _within(offs, start - guard, at + guard)
    slack_h = edges * (guard / HOUR_US)
    if math.isnan(added_h):
        added_h = _hours_of(lamp, added_kwh)
        caught_up = added_h > (at - start) / HOUR_US + 0.5 or stuck
    unheard = state["by_day"] == ASLEEP or (state["by_day"] == 0 and device.interval_us >= SLOW_US)
    asleep = device.switched or (device.scheduled and unheard)
    powered_us = burning_us if asleep else at - start
    missed = powered_us > device.interval_us * 8 // 5
    sure = _within(ons, lamp["moved_at"] + guard, at - guard) > 0
    recent = lamp["reset_at"] > 0 and at - lamp["reset_at"] <= rules["reset_us"]
    if not (recent or is_open(lamp, COUNTER_RESET)):
        events += _standing(state, lamp, at, added_h, added_kwh, added_on, burning_h - slack_h, missed, sure, beside)
    if caught_up:
        _forget_sums(lamp)
        return events
    if not device.switched:
        rest_h = (at - start) / HOUR_US - burning_h - slack_h
        events += _idle(state, lamp, at, added_h - burning_h - slack_h, rest_h)
    wrong = state["dark_open"] or state["on_open"] or is_open(lamp, CYCLING_FAILURE, STUCK_SENSOR)
    if wrong or lamp["measured"]:
        _forget_sums(lamp)
        return events
    if lamp["told_h"] == 0.0:
        lamp["sum_from"] = start
    lamp["sum_kwh"] += added_kwh
    lamp["sum_h"] += added_h if had & 2 else burning_h
    lamp["told_h"] += burning_h
    if lamp["sum_h"] >= NIGHT_H and (doubt := _step_share(lamp)) <= STEP_SHARE:
        events += judge_energy(device, rules, lamp, at, doubt)
    return events


def _forget_sums(lamp: Columns) -> None:
    lamp["sum_kwh"] = lamp["sum_h"] = lamp["told_h"] = 0.0


def _digits(value: float) -> int:
    for digits in range(DIGITS):
        scaled = value * 10.0**digits
        if abs(scaled - math.floor(scaled + 0.5)) < 1e-4:
            return digits
    return DIGITS


def _step_share(lamp: Columns) -> float:
    share = 0.0
    if lamp["counters"] & 2 and lamp["hours_digits"] < DIGITS:
        share += 10.0 ** -float(lamp["hours_digits"]) / lamp["sum_h"]
    if lamp["energy_digits"] < DIGITS:
        kwh = max(lamp["sum_kwh"], lamp["rate"] * lamp["sum_h"])
        share += 10.0 ** -float(lamp["energy_digits"]) / kwh if kwh > 0.0 else math.inf
    return share


def _within(edges: Sequence[int], after: int, until: int) -> int:
    return sum(after < edge <= until for edge in edges)


def _begin_again(rules: Any, lamp: Columns, at: int) -> Events:
    before, lamp["reset_at"] = lamp["reset_at"], at
    _forget_sums(lamp)
    lamp["stand_h"] = 0.0
    if before <= 0 or at - before > rules["reset_us"] or is_open(lamp, COUNTER_RESET):
        return []
    return suspected(lamp, COUNTER_RESET, COUNTER_RESET, before, at, 2.0, 0.0, count=2)


def _hours_of(lamp: Columns, added_kwh: float) -> float:
    if added_kwh == 0.0:
        return 0.0
    return float(added_kwh / lamp["rate"]) if lamp["rate_n"] >= NIGHTS and lamp["rate"] > 0.0 else math.nan


def _switching(
    rules: Any, lamp: Columns, at: int, dusks: int, added_on: float, burning_h: float, measured: bool
) -> Events:
    if math.isnan(added_on):
        return []
    if dusks:
        lamp["extra"] = 0
    more = int(added_on) - dusks
    if more > 0:
        lamp["extra"] = min(lamp["extra"] + more, 10_000)
        lamp["rest_h"], lamp["calm"] = 0.0, 0
    else:
        lamp["rest_h"] = min(lamp["rest_h"] + burning_h, 1000.0)
    if is_open(lamp, CYCLING_FAILURE):
        over = not measured and lamp["rest_h"] >= REST_H and lamp["extra"] < rules["switch_ons"]
        return cleared(lamp, CYCLING_FAILURE, SWITCH_ONS, at, 0.0, 0.0) if over else []
    if lamp["extra"] < rules["switch_ons"]:
        return []
    extra = lamp["extra"]
    return suspected(lamp, CYCLING_FAILURE, SWITCH_ONS, at, at, float(extra + dusks), float(dusks), count=extra)


def _standing(
    state: Columns, lamp: Columns, at: int, added_h: float, added_kwh: float, added_on: float, burning_h: float,
    missed: bool, sure: bool, beside: Sequence[Columns],
) -> Events:  # fmt: skip
    events: Events = []
    moved = {"hours_at": added_h > JITTER_H, "switched_at": added_on > 0.0}
    moved["moved_at"] = added_h > 0.0 or added_on > 0.0 or added_kwh > 0.0
    for name, yes in moved.items():
        if yes:
            lamp[name] = at
    if moved["moved_at"] and is_open(lamp, STUCK_SENSOR) and added_h < 0.5 * lamp["stand_h"]:
        lamp["resumed"] = min(lamp["resumed"] + 1, 100)
    if moved["moved_at"]:
        events += cleared(lamp, STUCK_SENSOR, COUNTERS_STAND, at, added_h, burning_h)
    if burning_h <= 0.0 or math.isnan(added_h):
        return events
    event = {"fault": LAMP_FAILURE, "rule": HOURS_STAND, "at": at, "heard_at": at}
    if added_h > 0.1 * burning_h:
        lamp["stand_h"] = 0.0
        if state["dark_open"] and added_h >= 0.5 * burning_h:
            state["dark_open"] = 0
            end = {"kind": CLEAR, "since": state["dark_since"], "until": at}
            if at - state["dark_since"] > MENDED_US and not lamp["measured"]:
                lamp["cell_n"] = [0] * CELLS
                lamp["rate_n"] = 0
            events.append({**event, **end, "observed": added_h, "expected": burning_h})
        return events
    last = lamp["switched_at"]
    if last > lamp["hours_at"] and last > lamp["commands_at"] and at - last >= STAND_US:
        lamp["commands"], lamp["commands_at"] = min(lamp["commands"] + 1, COMMANDS), last
    if lamp["stand_h"] == 0.0:
        if missed:
            return events
        lamp["stand_since"] = at
    lamp["stand_h"] = min(lamp["stand_h"] + burning_h, 1000.0)
    if lamp["stand_h"] < STAND_H or state["dark_open"] or is_open(lamp, STUCK_SENSOR):
        return events
    since, stand_h = lamp["stand_since"], lamp["stand_h"]
    fleet = {id(one): one for one in (lamp, *beside)}.values()
    resumed, nights = sum(one["resumed"] for one in fleet), sum(one["commands"] for one in fleet)
    burning = resumed > 0 and resumed >= nights
    if added_on <= 0.0 and lamp["switched_at"] <= lamp["hours_at"] and not burning:
        if sure:
            events += suspected(lamp, STUCK_SENSOR, COUNTERS_STAND, since, at, 0.0, stand_h)
        return events
    state["dark_open"], state["dark_since"] = 1, since
    events.append({**event, "kind": SUSPECT, "since": since, "observed": 0.0, "expected": stand_h})
    return events


def _idle(state: Columns, lamp: Columns, at: int, extra_h: float, rest_h: float) -> Events:
    idle = rest_h > 0.0 and not math.isnan(extra_h)
    lamp["idle_h"] = lamp["idle_h"] + rest_h if idle else 0.0
    lamp["idle_burned_h"] = lamp["idle_burned_h"] + max(extra_h, 0.0) if idle else 0.0
    if not idle or lamp["idle_h"] < IDLE_H:
        return []
    rest_h, extra_h = lamp["idle_h"], lamp["idle_burned_h"]
    lamp["idle_h"] = lamp["idle_burned_h"] = 0.0
    event = {"fault": LAMP_UNEXPECTED_ON, "rule": HOURS_WHILE_OFF, "at": at, "heard_at": at, "observed": extra_h}
    event |= {"expected": 0.0}
    if extra_h >= 0.6 * rest_h:
        if state["on_open"]:
            return []
        state["on_open"], state["on_since"] = 1, at
        return [{**event, "kind": SUSPECT, "since": at}]
    if state["on_open"] and extra_h < 0.2 * rest_h:
        state["on_open"] = 0
        return [{**event, "kind": CLEAR, "since": state["on_since"], "until": at}]
    return []
