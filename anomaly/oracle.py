"""The rules in slow plain Python: what `kernels` must compute, bit by bit.

A schedule is given as two ascending lists, starts and ends of its burning periods; `deaf` are the periods in which
ingest did not listen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from anomaly import gaps_oracle
from anomaly.lamps.counters_oracle import judge_counters
from anomaly.lamps.energy_oracle import note_measured
from anomaly.lamps.oracle import is_open, judge_off, judge_on, judge_repeat
from anomaly.lamps.power import HOLD_CHANCE, NO_CELL, SUPPLIED_V
from anomaly.layout import CLEAR, COMMUNICATION_FAILURE, CURRENT, FACTOR, POWER, STUCK_SENSOR, SUSPECT, VOLTAGE
from anomaly.powered import ASLEEP, AWAKE, DAY_GUARD_US, DAY_US, SLOW_US

Period = tuple[int, int]


@dataclass(slots=True)
class Device:
    """The fixed part of a device; fields as in `layout.DEVICE`."""

    interval_us: int
    silence_us: int
    guard_us: int
    rated_w: float
    dark_below: float
    on_above_w: float
    on_share: float
    dark_readings: int
    on_readings: int
    lamp: int
    switched: int
    led: int = 1
    dimmed: int = 0
    early: int = 0
    scheduled: bool = True
    periods: Sequence[Period] = ()


def commanded_on(device: Device, at: int) -> bool:
    """Tell whether the schedule has the lamp on."""
    return any(on <= at < off for on, off in device.periods)


def powered_us(device: Device, start: int, end: int, guard_us: int) -> int:
    """Return how long the device had supply in [start, end), whatever the cabinet's clock is off by within a guard."""
    if end <= start:
        return 0
    if not device.switched:
        return end - start
    return sum(max(0, min(end, off - guard_us) - max(start, on + guard_us)) for on, off in device.periods)


def listened_us(device: Device, start: int, end: int, deaf: Sequence[Period]) -> int:
    """Return how long the device should have been heard in [start, end): it had supply, and ingest listened.

    What was due while nobody listened comes with the device's next report: it has one interval more for that.
    """
    excused = [(a, b + device.interval_us if start < b else b) for a, b in deaf]
    for k, (next_deaf, _) in enumerate(deaf[1:]):
        excused[k] = (excused[k][0], min(excused[k][1], next_deaf))
    unheard = sum(powered_us(device, max(start, a), min(end, b), device.guard_us) for a, b in excused)
    return powered_us(device, start, end, device.guard_us) - unheard


def powered_until(device: Device, start: int, amount_us: int) -> int:
    """Return when the device has had supply, beyond doubt, for `amount_us` since `start`.

    `start` where its schedule ends before.
    """
    if not device.switched:
        return start + amount_us
    for on, off in device.periods:
        from_us, until_us = max(start, on + device.guard_us), off - device.guard_us
        if from_us >= until_us:
            continue
        if until_us - from_us >= amount_us:
            return from_us + amount_us
        amount_us -= until_us - from_us
    return start


def command_at(device: Device, at: int) -> int | None:
    """Tell whether the schedule has the lamp on; None where a switching time lies within the guard."""
    if any(abs(edge - at) < device.guard_us for period in device.periods for edge in period):
        return None
    return int(commanded_on(device, at))


def awake(device: Device, by_day: int) -> Device:
    """Return the device as silence is counted for it: one that sleeps by day has no supply then, for all we know."""
    return replace(device, switched=1) if sleeps(device, by_day) else device


def sleeps(device: Device, by_day: int) -> bool:
    """Tell whether a controller says nothing by day."""
    unheard = by_day == ASLEEP or (by_day == 0 and device.interval_us >= SLOW_US)
    return device.switched != 0 or (device.scheduled and unheard)


def by_day_after(device: Device, by_day: int, heard: int, at: int) -> int:
    """Return what is known of whether a controller speaks by day."""
    if not device.scheduled or device.switched:
        return by_day
    near = any(abs(edge - at) < DAY_GUARD_US for period in device.periods for edge in period)
    if not near and not commanded_on(device, at):
        return AWAKE
    burned = sum(max(0, min(at, off) - max(heard, on)) for on, off in device.periods)
    return max(by_day - 1, ASLEEP) if heard and at - heard - burned > DAY_US else by_day


def judge_row(
    device: Device,
    rules: Any,
    state: dict[str, Any],
    lamp: dict[str, Any],
    at: int,
    received: int,
    values: dict[int, float],
    deaf: Sequence[Period],
    gap: dict[str, Any],
    beside: Sequence[dict[str, Any]] = (),
) -> list[dict[str, Any]] | None:
    """Judge all readings that a device made at one moment; return events, or None where the moment came too late.

    `gap` is what is known of its gaps; `beside` are the other lamps: how their counters count says how this one's do.
    """
    heard = state["heard_at"]
    if at <= heard:
        return None
    events = _return_from_silence(device, state, gap, at, deaf)
    state["by_day"] = by_day_after(device, state["by_day"], heard, at)
    state["heard_at"], state["received_at"] = at, received
    if device.lamp:
        known = {channel: value for channel, value in values.items() if not math.isnan(value)}
        events += _judge_lamp(device, rules, state, lamp, at, at - heard, known, beside)
    return events


def _return_from_silence(
    device: Device, state: dict[str, Any], gap: dict[str, Any], at: int, deaf: Sequence[Period]
) -> list[dict[str, Any]]:
    heard = state["heard_at"]
    if heard == 0:
        return []
    told_by_backlog = state["received_at"] >= at
    counted = awake(device, state["by_day"])
    silence = (
        powered_us(counted, heard, at, device.guard_us) if told_by_backlog else listened_us(counted, heard, at, deaf)
    )
    if silence > 2 * device.interval_us:
        state["judge_after"] = at + device.guard_us
    elif device.switched and powered_us(device, heard, at, 0) < at - heard:
        dusk = max((on for on, _ in device.periods if on <= at), default=at)
        state["judge_after"] = min(at, dusk + device.guard_us) + device.guard_us
    event = {"fault": COMMUNICATION_FAILURE, "until": at, "at": at, "heard_at": heard}
    told = bool(state["silent_open"]) or silence > max(device.silence_us, gap["patience_us"])
    gaps_oracle.note(gap, heard, at, silence, device.interval_us, told)
    if state["silent_open"]:
        state["silent_open"] = 0
        return [{**event, "kind": CLEAR, "since": state["silent_since"]}]
    if told:
        return [{**event, "kind": SUSPECT, "since": powered_until(counted, heard, device.interval_us)}]
    return []


def _judge_lamp(
    device: Device,
    rules: Any,
    state: dict[str, Any],
    lamp: dict[str, Any],
    at: int,
    gap: int,
    values: dict[int, float],
    beside: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    if POWER not in values and {VOLTAGE, CURRENT, FACTOR} <= set(values):
        values[POWER] = values[VOLTAGE] * values[CURRENT] * abs(values[FACTOR])
    if VOLTAGE in values and values[VOLTAGE] < SUPPLIED_V:
        return []
    before, command = lamp["power"], command_at(device, at)
    measured, stuck = POWER in values, is_open(lamp, STUCK_SENSOR)
    events = []
    if measured:
        note_measured(lamp)
        lit = command == 1 and values[POWER] > device.on_above_w
        events += judge_repeat(rules, lamp, at, lit, values)
    events += judge_counters(device, rules, state, lamp, at, values, measured, stuck, beside)
    if not measured:
        return events
    if lamp["chance"] < HOLD_CHANCE:
        lamp["known"] = 0
        return events
    if command is None or at < state["judge_after"]:
        lamp["last_cell"] = NO_CELL
        return events
    if command:
        events += judge_on(device, rules, state, lamp, at, gap, before, values)
    else:
        events += judge_off(device, state, lamp, at, values[POWER])
    return events


def judge_silence(
    device: Device, state: dict[str, Any], gap: dict[str, Any], now: int, deaf: Sequence[Period]
) -> dict[str, Any] | None:
    """Suspect a device that has been silent, in powered time while we listened, for longer than its profile allows.

    Silence runs from receipt: a device whose back-log is still coming in is not silent, however old the readings.
    """
    heard = state["heard_at"]
    if heard == 0 or state["silent_open"]:
        return None
    counted = awake(device, state["by_day"])
    if listened_us(counted, max(heard, state["received_at"]), now, deaf) <= max(device.silence_us, gap["patience_us"]):
        return None
    since = powered_until(counted, heard, device.interval_us)
    state["silent_open"], state["silent_since"] = 1, since
    return {
        "fault": COMMUNICATION_FAILURE,
        "kind": SUSPECT,
        "since": since,
        "at": now,
        "heard_at": heard,
    }
