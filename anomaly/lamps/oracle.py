"""The rules of lamps' power in slow plain Python: what `anomaly.lamps.power` must compute, bit by bit.

A lamp's columns are a dictionary by the names of `layout.LAMP`; what single precision stores is rounded as it is there.
"""

import math
from typing import Any

import numpy as np

from anomaly.lamps.layout import CELLS, LAMP, LEVELS
from anomaly.lamps.power import (
    ABRUPT,
    CALM,
    COARSE,
    DIM_ALIKE,
    DIM_ALIKE_W,
    DIM_APART,
    FULL_ALIKE,
    LEARN_CHANCE,
    LEAST_W,
    MENDED_US,
    NIGHT_US,
    NIGHTS_US,
    NO_CELL,
    PARTIAL,
    QUANTUM_W,
    REPEATS_MIN,
    SETTLE_US,
    SETTLED,
    SHIFT_US,
    WARY_PARTIAL,
    WARY_RELIT,
)
from anomaly.layout import (
    CLEAR,
    CURRENT,
    CYCLING_FAILURE,
    DARK,
    DIMMING,
    DIMMING_FAILURE,
    FACTOR,
    FACTOR_TOO_LOW,
    FLICKER,
    LAMP_FAILURE,
    LAMP_UNEXPECTED_ON,
    LEARNT_AGAIN,
    LIT,
    MODULE_LOST,
    OFF,
    POWER,
    POWER_TOO_HIGH,
    POWER_TOO_LOW,
    STUCK_SENSOR,
    SUSPECT,
    VOLTAGE,
)
from city.clock import HOUR_US

Events = list[dict[str, Any]]
Columns = dict[str, Any]


def blank() -> Columns:
    """Return the columns of a lamp of which nothing is known."""
    lamp: Columns = {}
    for name in LAMP.names or ():
        kind, shape = LAMP[name].base, LAMP[name].shape
        zero = 0.0 if kind.kind == "f" else 0
        lamp[name] = [zero] * shape[0] if shape else zero
    return lamp


def suspected(
    lamp: Columns, fault: int, rule: int, since: int, at: int, observed: float, expected: float, **more: Any
) -> Events:
    """Open a fault; return its event."""
    lamp["open"] |= 1 << fault
    lamp["opened"][fault] = since
    event = {"fault": fault, "rule": rule, "kind": SUSPECT, "since": since, "until": 0, "at": at, "heard_at": at}
    return [{**event, "observed": observed, "expected": expected, **more}]


def cleared(lamp: Columns, fault: int, rule: int, at: int, observed: float, expected: float) -> Events:
    """Close a fault; return its event, if it was open."""
    if not is_open(lamp, fault):
        return []
    lamp["open"] -= 1 << fault
    event = {"fault": fault, "rule": rule, "kind": CLEAR, "since": lamp["opened"][fault], "until": at, "at": at}
    return [{**event, "heard_at": at, "observed": observed, "expected": expected}]


def is_open(lamp: Columns, *faults: int) -> bool:
    """Tell whether any of these faults is open."""
    return any(lamp["open"] >> fault & 1 for fault in faults)


def judge_repeat(rules: Any, lamp: Columns, at: int, lit: bool, values: dict[int, float]) -> Events:
    """Look whether a sensor repeats itself beyond what it is used to."""
    power, voltage = values[POWER], values.get(VOLTAGE)
    same_power = bool(lamp["seen"]) and power == lamp["power"]
    same_voltage = voltage is not None and lamp["seen"] == 3 and voltage == lamp["voltage"]
    watched = [("repeat_power", same_power)] if lit else []
    if voltage is not None:
        watched.insert(0, ("repeat_voltage", same_voltage))
    if not lamp["seen"]:
        lamp["repeat_power"] = lamp["repeat_voltage"] = 0.9
        lamp["chance"] = 1.0
    elif lamp["chance"] > LEARN_CHANCE:
        for name, same in watched:
            lamp[name] += (float(same) - lamp[name]) / 64.0
    odds = 1.0
    for name, _ in watched:
        odds *= max(lamp[name], 0.05)
    lamp["power"], lamp["seen"] = power, 1
    if voltage is not None:
        lamp["voltage"], lamp["seen"] = voltage, 3
    if not (same_power and (voltage is None or same_voltage)):
        lamp["chance"], lamp["repeat_n"] = 1.0, 0
        return cleared(lamp, STUCK_SENSOR, STUCK_SENSOR, at, power, 0.0)
    if lamp["repeat_n"] == 0:
        lamp["repeat_since"] = at
    lamp["repeat_n"] = min(lamp["repeat_n"] + 1, 60000)
    lamp["chance"] *= max(odds, 0.02)
    if lamp["chance"] >= rules["stuck"] or lamp["repeat_n"] < REPEATS_MIN or is_open(lamp, STUCK_SENSOR):
        return []
    return suspected(
        lamp, STUCK_SENSOR, STUCK_SENSOR, lamp["repeat_since"], at, power, power,
        voltage=voltage or 0.0, count=lamp["repeat_n"],
    )  # fmt: skip


def judge_off(device: Any, state: Columns, lamp: Columns, at: int, power: float) -> Events:
    """Judge a lamp that is commanded off."""
    state["lamp"], lamp["last_cell"] = OFF, NO_CELL
    if device.switched:
        return []
    learned = lamp["standby_n"] >= 4
    bound = max(
        device.on_above_w, lamp["standby"] + device.on_share * device.rated_w if learned else 0.35 * device.rated_w
    )
    event = {"fault": LAMP_UNEXPECTED_ON, "at": at, "heard_at": at, "observed": power, "expected": 0.0}
    if power > bound:
        if state["on_run"] == 0:
            state["on_since"] = at
        state["on_run"] += 1
        if state["on_run"] < device.on_readings - device.early or state["on_open"]:
            return []
        state["on_open"] = 1
        more = {"kind": SUSPECT, "since": state["on_since"], "count": state["on_run"], "learned": lamp["standby"]}
        return [{**event, **more}]
    lamp["standby_n"] = min(lamp["standby_n"] + 1, 64)
    lamp["standby"] += (power - lamp["standby"]) / lamp["standby_n"]
    state["on_run"] = 0
    if not state["on_open"]:
        return []
    state["on_open"] = 0
    return [{**event, "kind": CLEAR, "since": state["on_since"], "until": at}]


def judge_on(
    device: Any, rules: Any, state: Columns, lamp: Columns, at: int, gap: int, before: float, values: dict[int, float]
) -> Events:
    """Judge a lamp that is commanded on."""
    level, power, voltage = values.get(DIMMING), values[POWER], values.get(VOLTAGE)
    if level is not None and level <= 0.0:
        return []
    cell = at // HOUR_US % CELLS if level is None else min(int(level * 0.15), LEVELS - 1)
    learned = lamp["cell"][cell]
    expected = device.rated_w if level is None else device.rated_w * level / 100.0
    if lamp["cell_n"][cell] >= rules["learn"]:
        expected = learned
    if power < device.dark_below * expected:
        return _dark(device, rules, state, lamp, at, gap, power, expected, voltage)
    was, state["lamp"] = state["lamp"], LIT
    events: Events = []
    if state["dark_run"] > 0:
        events += _come_back(rules, state, lamp, was, at, power, expected, voltage)
    sure = lamp["cell_n"][cell] >= rules["learn"]
    lamp["wary"] = max(lamp["wary"] - 1, 0)
    lamp["calm"] = min(lamp["calm"] + 1, 255)
    if lamp["calm"] >= CALM and is_open(lamp, CYCLING_FAILURE):
        lamp["extra"] = 0
        events += cleared(lamp, CYCLING_FAILURE, CYCLING_FAILURE, at, power, expected)
    most = max((w for w, seen in zip(lamp["cell"], lamp["cell_n"], strict=True) if seen >= rules["learn"]), default=0.0)
    if level >= 70.0 if level is not None else sure and power >= 0.85 * most:
        events += _factor(device, rules, lamp, at, power, values)
    return events + _power(device, rules, lamp, at, before, power, level, voltage, cell, sure, learned)


def _dark(
    device: Any, rules: Any, state: Columns, lamp: Columns, at: int, gap: int, power: float, expected: float,
    voltage: float | None,
) -> Events:  # fmt: skip
    state["lamp"] = DARK
    for name in ("known", "run", "side", "partial", "calm", "jumps", "factor_run"):
        lamp[name] = 0
    if state["dark_run"] == 0:
        state["dark_since"] = at
        lamp["after_gap"] = int(gap > 1.5 * device.interval_us)
    state["dark_run"] += 1
    cycles = is_open(lamp, CYCLING_FAILURE)
    needed = device.dark_readings - (device.early if device.led else 0)
    needed = max(needed, 8) if cycles else needed + (2 if lamp["wary"] else 0)
    if state["dark_open"]:
        return []
    if state["dark_run"] >= needed:
        state["dark_open"] = 1
        event = {"fault": LAMP_FAILURE, "kind": SUSPECT, "since": state["dark_since"], "at": at, "heard_at": at}
        event |= {"observed": power, "expected": expected, "count": state["dark_run"], "voltage": voltage or 0.0}
        return [event, *cleared(lamp, CYCLING_FAILURE, CYCLING_FAILURE, at, power, expected)]
    total = lamp["dark_total"] + state["dark_run"]
    if lamp["relit"] == 0 or lamp["after_gap"] or at - lamp["relit_since"] >= NIGHT_US or cycles:
        return []
    if state["dark_run"] < 2 or total < 5:
        return []
    return suspected(
        lamp, CYCLING_FAILURE, CYCLING_FAILURE, lamp["relit_since"], at, power, expected,
        voltage=voltage or 0.0, count=total,
    )  # fmt: skip


def _come_back(
    rules: Any, state: Columns, lamp: Columns, was: int, at: int, power: float, expected: float, voltage: float | None
) -> Events:
    run, state["dark_run"] = state["dark_run"], 0
    events: Events = []
    if state["dark_open"]:
        state["dark_open"] = 0
        event = {"fault": LAMP_FAILURE, "kind": CLEAR, "since": state["dark_since"], "until": at, "at": at}
        events.append({**event, "heard_at": at, "observed": power, "expected": expected})
        if at - state["dark_since"] > MENDED_US:
            lamp["cell_n"] = [0] * CELLS
            return events
    if lamp["after_gap"] or was == OFF:
        return events
    if lamp["relit"] == 0 or state["dark_since"] - lamp["relit_since"] > NIGHTS_US:
        lamp["relit"], lamp["dark_total"], lamp["relit_since"] = 0, 0, state["dark_since"]
    lamp["relit"] = min(lamp["relit"] + 1, 100)
    lamp["dark_total"] = min(lamp["dark_total"] + run, 100)
    lamp["wary"] = WARY_RELIT
    night = at - lamp["relit_since"] <= NIGHT_US and lamp["dark_total"] >= 4
    enough = rules["relit"] if night else rules["relit"] + 1
    if lamp["relit"] < enough or is_open(lamp, CYCLING_FAILURE):
        return events
    return events + suspected(
        lamp, CYCLING_FAILURE, CYCLING_FAILURE, lamp["relit_since"], at, power, expected,
        voltage=voltage or 0.0, count=lamp["relit"],
    )  # fmt: skip


def _fresh(device: Any, rules: Any, lamp: Columns, fault: int, at: int) -> bool:
    return bool(at - lamp["opened"][fault] <= (rules["confirm"] + 1) * device.interval_us)


def _factor(device: Any, rules: Any, lamp: Columns, at: int, power: float, values: dict[int, float]) -> Events:
    voltage = values.get(VOLTAGE)
    factor = values.get(FACTOR)
    if factor is None:
        apparent = (voltage or 0.0) * values.get(CURRENT, 0.0)
        if not apparent > 5.0:
            return []
        factor = power / apparent
    factor = abs(factor)
    sure = lamp["factor_n"] >= rules["learn"]
    low = factor < rules["factor_low"]
    low = low and (factor < lamp["factor"] - rules["factor_drop"] if sure else not device.led)
    if low:
        if lamp["factor_run"] == 0:
            lamp["factor_since"] = at
        lamp["factor_run"] = min(lamp["factor_run"] + 1, 255)
        lamp["factor_sound"] = 0
        if lamp["factor_run"] < rules["confirm"] - device.early or is_open(lamp, FACTOR_TOO_LOW):
            return []
        return suspected(
            lamp, FACTOR_TOO_LOW, FACTOR_TOO_LOW, lamp["factor_since"], at, factor,
            lamp["factor"] if sure else rules["factor_low"],
            learned=lamp["factor"], voltage=voltage or 0.0, count=lamp["factor_run"],
        )  # fmt: skip
    lamp["factor_run"] = 0
    if is_open(lamp, FACTOR_TOO_LOW):
        lamp["factor_sound"] += 1
        if lamp["factor_sound"] < rules["confirm"] and not _fresh(device, rules, lamp, FACTOR_TOO_LOW, at):
            return []
        return cleared(lamp, FACTOR_TOO_LOW, FACTOR_TOO_LOW, at, factor, lamp["factor"])
    lamp["factor_n"] = min(lamp["factor_n"] + 1, 64)
    lamp["factor"] += (factor - lamp["factor"]) / lamp["factor_n"]
    return []


def _shift(rules: Any, lamp: Columns, voltage: float | None) -> float | None:
    if voltage is None:
        return 0.0
    if lamp["volt_n"] < rules["learn"]:
        lamp["volt_n"] += 1
        lamp["volt"] += (voltage - lamp["volt"]) / lamp["volt_n"]
        return 0.0
    shift = (voltage - lamp["volt"]) / lamp["volt"]
    bound: float = rules["voltage_off"]
    if abs(shift) > bound:
        lamp["volt"] += math.copysign(bound, shift) * lamp["volt"] / 512.0
        return None
    lamp["volt"] += (voltage - lamp["volt"]) / 256.0
    return float(shift)


def _power(
    device: Any, rules: Any, lamp: Columns, at: int, before: float, power: float, level: float | None,
    voltage: float | None, cell: int, sure: bool, learned: float,
) -> Events:  # fmt: skip
    shift = _shift(rules, lamp, voltage)
    if shift is None:
        lamp["known"] = lamp["run"] = 0
        return []
    slope = (lamp["covariance"] + (0.0 if device.led else 6e-6)) / (lamp["variance"] + 4e-6)
    scale = 1.0 + min(max(slope, 0.0), 2.5) * shift
    wrong = is_open(lamp, MODULE_LOST, POWER_TOO_LOW, POWER_TOO_HIGH, FLICKER, DIMMING_FAILURE)
    if not sure:
        seen, count = power / scale, lamp["cell_n"][cell]
        if wrong:
            pass
        elif count == 0 or abs(seen - learned) > 0.1 * learned:
            lamp["cell"][cell], lamp["cell_n"][cell] = float(np.float32(seen)), 1
        else:
            lamp["cell_n"][cell] = count + 1
            lamp["cell"][cell] = float(np.float32(learned + (seen - learned) / (count + 1)))
        lamp["known"] = 0
        return []
    expected = learned * scale
    if not expected > LEAST_W:
        lamp["known"] = 0
        return []
    r = power / expected - 1.0
    sigma = max(1.25 * lamp["sigma"], 0.004 + QUANTUM_W / expected)
    allowed = max(0.5 * rules["power_off"], 3.0 * sigma)
    if not device.led and r < PARTIAL and lamp["partial"] < 3:
        lamp["partial"] += 1
        lamp["wary"] = max(lamp["wary"], WARY_PARTIAL)
        lamp["known"] = 0
        return []
    if r >= PARTIAL:
        lamp["partial"] = 0
    other = _other_level(lamp, rules, at, cell, level, before, power, r, sigma, scale)
    if other is not None:
        return _wrong_level(device, rules, lamp, at, level, power, expected, other, voltage, cell)
    events: Events = []
    if not is_open(lamp, DIMMING_FAILURE):
        lamp["dim_run"] = 0 if level is not None or abs(r) <= allowed else lamp["dim_run"]
    elif cell == lamp["dim_cell"]:
        lamp["dim_sound"] = lamp["dim_sound"] + 1 if abs(r) <= allowed else 0
        if lamp["dim_sound"] >= (1 if _fresh(device, rules, lamp, DIMMING_FAILURE, at) else 2):
            lamp["dim_run"] = 0
            events += cleared(lamp, DIMMING_FAILURE, DIMMING_FAILURE, at, power, expected)
    like_before = bool(lamp["known"]) and abs(r - lamp["residual"]) <= max(0.03, 3.0 * sigma)
    same_side = bool(lamp["known"]) and (r < 0.0) == (lamp["residual"] < 0.0)
    normal = lamp["known"] and lamp["last_cell"] == cell and not lamp["offs"] and not lamp["jumps"]
    fell = lamp["residual"] - r >= max(ABRUPT * rules["module_lost"], 5.0 * sigma) + 1.0 / expected
    abrupt = bool(device.led and level is not None and normal and fell)
    leapt = _leap(rules, lamp, at, r, sigma)
    lamp["offs"] = (lamp["offs"] * 2 + (abs(r) > allowed)) % 64
    lamp["residual"], lamp["known"], lamp["last_cell"] = r, 1, cell
    events += _flicker(device, rules, lamp, at, power, expected, learned, voltage, leapt)
    if not is_open(lamp, FLICKER):
        events += _drift(
            device,
            rules,
            lamp,
            at,
            power,
            level,
            expected,
            learned,
            voltage,
            r,
            sigma,
            allowed,
            like_before,
            abrupt,
        )
    wrong = is_open(lamp, MODULE_LOST, POWER_TOO_LOW, POWER_TOO_HIGH, FLICKER, DIMMING_FAILURE)
    if not wrong and lamp["jumps"] == 0:
        _learn(device, lamp, cell, power, learned, scale, shift, r, sigma, allowed, same_side)
    return events


def _learn(
    device: Any, lamp: Columns, cell: int, power: float, learned: float, scale: float, shift: float, r: float,
    sigma: float, allowed: float, same_side: bool,
) -> None:  # fmt: skip
    if abs(r) <= allowed or not same_side:
        lamp["sigma"] += (min(abs(r), 4.0 * sigma) - lamp["sigma"]) / 64.0
    if abs(r) > allowed:
        return
    lamp["level"] += (r - lamp["level"]) / 3.0
    lamp["cell_n"][cell] = min(lamp["cell_n"][cell] + 1, 255)
    weight = max(min(device.interval_us / (60.0 * HOUR_US), 0.0625), 1.0 / lamp["cell_n"][cell])
    lamp["cell"][cell] = float(np.float32(learned + weight * (power / scale - learned)))
    if shift != 0.0:
        lamp["covariance"] += weight * (shift * (power / learned - 1.0) - lamp["covariance"])
        lamp["variance"] += weight * (shift * shift - lamp["variance"])


def _other_level(
    lamp: Columns, rules: Any, at: int, cell: int, level: float | None, before: float, power: float, r: float,
    sigma: float, scale: float,
) -> float | None:  # fmt: skip
    if abs(r) < max(DIM_APART, 5.0 * sigma) or is_open(lamp, POWER_TOO_HIGH):
        return None
    too_much = r > 0.0 and lamp["side"] > 0 and lamp["run"] > 0
    if too_much and abs(r - lamp["recent"]) <= max(DIM_ALIKE, 3.0 * sigma):
        return None
    if level is None and r < 0.0 and lamp["dim_run"] and at - lamp["dim_since"] >= SHIFT_US:
        return None
    if level is not None and r < 0.0 and lamp["dim_run"] == 0:
        moved = lamp["known"] and lamp["last_cell"] not in (cell, NO_CELL)
        if not moved or abs(power - before) > max(DIM_ALIKE * power, DIM_ALIKE_W):
            return None
    others = [lamp["cell"][c] * scale for c in range(CELLS) if c != cell and lamp["cell_n"][c] >= rules["learn"]]
    alike = (w for w in others if abs(w - power) <= max(DIM_ALIKE * w, DIM_ALIKE_W))
    found = next(alike, None)
    if found is None and r > 0.0 and level is not None and level < 95.0:
        full = power / (1.0 + r) / (0.03 + 0.0097 * level)
        found = full if abs(full - power) <= max(FULL_ALIKE * full, DIM_ALIKE_W) else None
    return found if found is not None and found > 0.0 else None


def _wrong_level(
    device: Any, rules: Any, lamp: Columns, at: int, level: float | None, power: float, expected: float, other: float,
    voltage: float | None, cell: int,
) -> Events:  # fmt: skip
    if lamp["dim_run"] == 0:
        lamp["dim_since"], lamp["dim_cell"] = at, cell
    lamp["dim_run"] = min(lamp["dim_run"] + 1, 255)
    for name in ("dim_sound", "run", "side", "known"):
        lamp[name] = 0
    if is_open(lamp, DIMMING_FAILURE) or lamp["dim_run"] < rules["confirm"] - device.early:
        return []
    if at - lamp["dim_since"] + device.early * device.interval_us < rules["dimming_us"]:
        return []
    if level is None and at - lamp["dim_since"] < SHIFT_US:
        return []
    return suspected(
        lamp, DIMMING_FAILURE, DIMMING_FAILURE, lamp["dim_since"], at, power, expected,
        learned=other, voltage=voltage or 0.0, count=lamp["dim_run"],
    )  # fmt: skip


def _leap(rules: Any, lamp: Columns, at: int, r: float, sigma: float) -> bool:
    jump = r - lamp["residual"]
    leapt = bool(lamp["known"]) and abs(jump) > max(rules["flicker"], 6.0 * sigma)
    back = False
    if leapt:
        sign = 1 if jump > 0 else -1
        back = lamp["jump_sign"] == -sign and lamp["jump_age"] <= 3
        if back and lamp["jumps"] == 0:
            lamp["jump_since"] = at
        lamp["jump_sign"], lamp["jump_age"] = sign, 0
    lamp["jump_age"] = min(lamp["jump_age"] + 1, 100)
    lamp["jumps"] = (lamp["jumps"] * 2 + back) % 64
    return leapt


def _flicker(
    device: Any, rules: Any, lamp: Columns, at: int, power: float, expected: float, learned: float,
    voltage: float | None, leapt: bool,
) -> Events:  # fmt: skip
    if is_open(lamp, FLICKER):
        lamp["sound_run"] = 0 if leapt else lamp["sound_run"] + 1
        if lamp["sound_run"] < SETTLED:
            return []
        return cleared(lamp, FLICKER, FLICKER, at, power, expected)
    leaps = lamp["jumps"].bit_count()
    wary = not device.led and (lamp["wary"] > 0 or lamp["offs"].bit_count() < 4)
    if leaps < rules["flicker_leaps"] or wary or is_open(lamp, CYCLING_FAILURE):
        return []
    events: Events = []
    for fault in (MODULE_LOST, POWER_TOO_LOW, POWER_TOO_HIGH):
        events += cleared(lamp, fault, FLICKER, at, power, expected)
    lamp["sound_run"] = lamp["run"] = lamp["side"] = 0
    return events + suspected(
        lamp, FLICKER, FLICKER, lamp["jump_since"], at, power, expected,
        learned=learned, voltage=voltage or 0.0, count=leaps,
    )  # fmt: skip


def _needed(device: Any, rules: Any, lamp: Columns, level: float | None) -> int:
    confirm: int = rules["confirm"] - device.early
    known = [w for w, n in zip(lamp["cell"], lamp["cell_n"], strict=True) if n >= rules["learn"]]
    if level is not None or (len(known) >= 6 and max(known) - min(known) <= 0.1 * max(known)):
        return confirm
    return int(max(rules["confirm"], HOUR_US // device.interval_us + 2))


def _drift(
    device: Any, rules: Any, lamp: Columns, at: int, power: float, level: float | None, expected: float,
    learned: float, voltage: float | None, r: float, sigma: float, allowed: float, like_before: bool,
    abrupt: bool,
) -> Events:  # fmt: skip
    side = 0 if abs(r) <= allowed else int(math.copysign(1, r))
    turned = side != lamp["side"]
    if turned or lamp["run"] == 0 or not like_before:
        before = lamp["level"] if turned else lamp["recent"]
        fresh = turned or at - lamp["side_since"] <= 2 * device.interval_us
        stepped = fresh and before - r >= 0.8 * rules["module_lost"]
        lamp["step"] = 2 if abrupt else int(stepped or (not turned and bool(lamp["step"])))
        lamp["run"], lamp["run_since"], lamp["recent"] = 0, at, r
    if turned:
        lamp["side"], lamp["side_since"], lamp["start"] = side, at, r
    lamp["run"] = min(lamp["run"] + 1, 255)
    lamp["recent"] += 0.5 * (r - lamp["recent"])
    opened = [fault for fault in (POWER_TOO_LOW, POWER_TOO_HIGH, MODULE_LOST) if is_open(lamp, fault)]
    if opened:
        return _follow(device, rules, lamp, at, power, expected, r, allowed, opened[0])
    if not side or lamp["jumps"]:
        return []
    low = MODULE_LOST if device.led and lamp["step"] else POWER_TOO_LOW
    fault = POWER_TOO_HIGH if side > 0 else low
    share = rules["module_lost"] if fault == MODULE_LOST else rules["power_off"]
    bound = max(share, 4.0 * sigma) + QUANTUM_W / expected
    small = fault == MODULE_LOST and lamp["step"] == 2 and abs(lamp["recent"]) < bound
    if small:
        bound = max(ABRUPT * share, 4.0 * sigma) + QUANTUM_W / expected
    if abs(lamp["recent"]) < bound:
        _settle(lamp, at, r, sigma)
        return []
    least = rules["confirm"] if fault == POWER_TOO_LOW else 2
    if small or (fault == MODULE_LOST and 3.0 * sigma > COARSE):
        least = rules["confirm"] + 1
    if lamp["run"] < max(least, _needed(device, rules, lamp, level)):
        return []
    lamp["sound_run"], lamp["small"] = 0, int(small)
    return suspected(
        lamp, fault, fault, lamp["run_since"], at, power, expected,
        learned=learned, voltage=voltage or 0.0, count=lamp["run"],
    )  # fmt: skip


def _settle(lamp: Columns, at: int, r: float, sigma: float) -> None:
    if at - lamp["side_since"] < SETTLE_US:
        return
    if abs(r - lamp["start"]) > max(0.03, 3.0 * sigma):
        lamp["side_since"], lamp["start"] = at, r
        return
    lamp["cell"] = [float(np.float32(watts * (1.0 + lamp["recent"]))) for watts in lamp["cell"]]
    lamp["side"] = lamp["run"] = 0
    lamp["level"] = 0.0


def _follow(
    device: Any, rules: Any, lamp: Columns, at: int, power: float, expected: float, r: float, allowed: float, fault: int
) -> Events:
    normal = abs(r) <= max(allowed, 0.67 * rules["power_off"])
    if fault == MODULE_LOST and lamp["small"]:
        normal = abs(r) <= 0.5 * ABRUPT * rules["module_lost"] + QUANTUM_W / expected
    lamp["sound_run"] = lamp["sound_run"] + 1 if normal else 0
    mistaken = lamp["run"] <= 1 and _fresh(device, rules, lamp, fault, at)
    if lamp["sound_run"] >= rules["confirm"] or mistaken:
        return cleared(lamp, fault, fault, at, power, expected)
    if at - lamp["opened"][fault] <= rules["relearn_us"]:
        return []
    lamp["cell_n"], lamp["level"] = [0] * CELLS, 0.0
    return cleared(lamp, fault, LEARNT_AGAIN, at, power, expected)
