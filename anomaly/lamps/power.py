"""The rules of a lamp's power as Numba kernels: dark, lit by day, wrong level, steps, drifts, flicker, cycling.

Residuals are relative to the power that was learnt of this lamp at this level, corrected by its voltage. `oracle` is
the same in plain Python.
"""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
import numpy as np
from numba import njit

from anomaly.lamps.layout import CELLS, LEVELS
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
from anomaly.powered import emit
from city.clock import HOUR_US

SUPPLIED_V = 50.0
"""Below it a controller tells of its last moment, not of its lamp."""
HOLD_CHANCE = 0.025
"""A sensor that repeats itself against such odds is not believed."""
LEARN_CHANCE = 1e-4
REPEATS_MIN = 6
NIGHT_US, NIGHTS_US = 12 * HOUR_US, 60 * HOUR_US
SETTLE_US = 40 * HOUR_US
MENDED_US = 3 * HOUR_US
"""Who burns again sooner was not mended: nobody has been there."""
WARY_PARTIAL, WARY_RELIT = 4, 40
CALM = 24
DIM_APART, DIM_ALIKE, DIM_ALIKE_W, FULL_ALIKE = 0.12, 0.06, 1.5, 0.08
PARTIAL = -0.40
SETTLED = 12
NO_CELL = 255
"""The reading before was not of the same night."""
QUANTUM_W = 0.3
"""Standard deviation of what is rounded to a watt."""
LEAST_W = 0.5
"""No lamp draws less; what was learnt of one that does says nothing."""
COARSE = 0.03
"""Readings that are alike to within more than this are alike by chance, now and then."""
ABRUPT = 0.08 / 0.15
"""Of `module_lost_share`, enough where power fell between two readings of a night: nobody changes lamps then."""
SHIFT_US = 6 * HOUR_US // 4
"""Programs that go by local clocks shift by an hour twice a year, for all lamps that do not report their level."""
_OFF_POWER = (1 << MODULE_LOST) | (1 << POWER_TOO_LOW) | (1 << POWER_TOO_HIGH)
_TEACHES_NOTHING = _OFF_POWER | (1 << FLICKER) | (1 << DIMMING_FAILURE)
"""While one of these stands, power is no habit: not at a level or in an hour that is new, either."""


@njit(cache=True)
def suspect(events, n, d, lamp, fault, rule, since, at, observed, expected, learned, voltage, count):
    """Open a fault of a lamp."""
    lamp.open |= 1 << fault
    lamp.opened[fault] = since
    n = emit(events, n, d, fault, SUSPECT, since, 0, at, at, observed, expected)
    event = events[n - 1]
    event.learned, event.voltage, event.count, event.rule = learned, voltage if voltage == voltage else 0.0, count, rule
    return n


@njit(cache=True)
def clear(events, n, d, lamp, fault, rule, at, observed, expected):
    """Close a fault of a lamp if it is open."""
    if not lamp.open & (1 << fault):
        return n
    lamp.open &= ~(1 << fault)
    n = emit(events, n, d, fault, CLEAR, lamp.opened[fault], at, at, at, observed, expected)
    events[n - 1].rule = rule
    return n


@njit(cache=True, forceinline=True)
def judge_repeat(d, rules, lamp, at, lit, values, events, n):
    """Look whether a sensor repeats itself beyond what it is used to.

    Voltage never rests, whatever the lamp does; power is reckoned with only while it burns.
    """
    power, voltage = values[POWER], values[VOLTAGE]
    has_voltage = voltage == voltage
    same_power = (lamp.seen & 1) != 0 and power == lamp.power
    same_voltage = has_voltage and (lamp.seen & 2) != 0 and voltage == lamp.voltage
    odds = 1.0
    if lamp.chance > LEARN_CHANCE or lamp.seen == 0:
        if lamp.seen == 0:
            lamp.repeat_power, lamp.repeat_voltage, lamp.chance = 0.9, 0.9, 1.0
        else:
            if lit:
                lamp.repeat_power += ((1.0 if same_power else 0.0) - lamp.repeat_power) / 64.0
            if has_voltage:
                lamp.repeat_voltage += ((1.0 if same_voltage else 0.0) - lamp.repeat_voltage) / 64.0
    if has_voltage:
        odds *= max(lamp.repeat_voltage, 0.05)
    if lit:
        odds *= max(lamp.repeat_power, 0.05)
    lamp.power, lamp.seen = power, 1
    if has_voltage:
        lamp.voltage, lamp.seen = voltage, 3
    if not same_power or (has_voltage and not same_voltage):
        lamp.chance, lamp.repeat_n = 1.0, 0
        return clear(events, n, d, lamp, STUCK_SENSOR, STUCK_SENSOR, at, power, 0.0)
    if lamp.repeat_n == 0:
        lamp.repeat_since = at
    lamp.repeat_n = min(lamp.repeat_n + 1, 60000)
    lamp.chance *= max(odds, 0.02)
    if lamp.chance < rules.stuck and lamp.repeat_n >= REPEATS_MIN and not lamp.open & (1 << STUCK_SENSOR):
        since, count = lamp.repeat_since, lamp.repeat_n
        return suspect(events, n, d, lamp, STUCK_SENSOR, STUCK_SENSOR, since, at, power, power, 0.0, voltage, count)
    return n


@njit(cache=True, forceinline=True)
def judge_off(d, device, state, lamp, at, power, events, n):
    """Judge a lamp that is commanded off."""
    state.lamp = OFF
    lamp.last_cell = NO_CELL
    if device.switched:
        return n
    bound = max(device.on_above_w, lamp.standby + device.on_share * device.rated_w)
    if lamp.standby_n < 4:
        bound = max(device.on_above_w, 0.35 * device.rated_w)
    if power > bound:
        if state.on_run == 0:
            state.on_since = at
        state.on_run += 1
        if state.on_run >= device.on_readings - device.early and not state.on_open:
            state.on_open = 1
            n = emit(events, n, d, LAMP_UNEXPECTED_ON, SUSPECT, state.on_since, 0, at, at, power, 0.0)
            events[n - 1].count, events[n - 1].learned = state.on_run, lamp.standby
        return n
    lamp.standby_n = min(lamp.standby_n + 1, 64)
    lamp.standby += (power - lamp.standby) / lamp.standby_n
    state.on_run = 0
    if state.on_open:
        state.on_open = 0
        n = emit(events, n, d, LAMP_UNEXPECTED_ON, CLEAR, state.on_since, at, at, at, power, 0.0)
    return n


@njit(cache=True, forceinline=True)
def judge_on(d, device, rules, state, lamp, at, gap, before, values, events, n):
    """Judge a lamp that is commanded on."""
    level, power, voltage = values[DIMMING], values[POWER], values[VOLTAGE]
    if level <= 0.0:
        return n
    cell = min(int(level * 0.15), LEVELS - 1) if level == level else (at // HOUR_US) % CELLS
    learned = np.float64(lamp.cell[cell])
    sure = lamp.cell_n[cell] >= rules.learn
    expected = learned
    if not sure:
        expected = device.rated_w * level / 100.0 if level == level else device.rated_w
    if power < device.dark_below * expected:
        return _judge_dark(d, device, rules, state, lamp, at, gap, power, expected, voltage, events, n)
    was, state.lamp = state.lamp, LIT
    if state.dark_run > 0:
        n = _come_back(d, rules, state, lamp, was, at, power, expected, voltage, events, n)
        sure = lamp.cell_n[cell] >= rules.learn
    lamp.wary = max(lamp.wary, 1) - 1
    lamp.calm = min(lamp.calm + 1, 255)
    if lamp.calm >= CALM and lamp.open & (1 << CYCLING_FAILURE):
        lamp.extra = 0
        n = clear(events, n, d, lamp, CYCLING_FAILURE, CYCLING_FAILURE, at, power, expected)
    full = level >= 70.0 if level == level else sure and power >= 0.85 * _most(rules, lamp)
    if full:
        n = _judge_factor(d, device, rules, lamp, at, power, values, events, n)
    return _judge_power(d, device, rules, lamp, at, before, power, level, voltage, cell, sure, learned, events, n)


@njit(cache=True)
def _judge_dark(d, device, rules, state, lamp, at, gap, power, expected, voltage, events, n):
    state.lamp = DARK
    lamp.known = lamp.run = lamp.side = lamp.partial = lamp.calm = 0
    lamp.jumps = lamp.factor_run = 0
    if state.dark_run == 0:
        state.dark_since = at
        lamp.after_gap = gap > device.interval_us + device.interval_us // 2
    state.dark_run += 1
    cycles = lamp.open & (1 << CYCLING_FAILURE) != 0
    needed = device.dark_readings - (device.early if device.led else 0)
    if cycles:
        needed = max(needed, 8)
    elif lamp.wary > 0:
        needed += 2
    if state.dark_open:
        return n
    if state.dark_run >= needed:
        state.dark_open = 1
        n = emit(events, n, d, LAMP_FAILURE, SUSPECT, state.dark_since, 0, at, at, power, expected)
        event = events[n - 1]
        event.count, event.voltage = state.dark_run, voltage if voltage == voltage else 0.0
        return clear(events, n, d, lamp, CYCLING_FAILURE, CYCLING_FAILURE, at, power, expected)
    again = lamp.relit > 0 and not lamp.after_gap and at - lamp.relit_since < NIGHT_US and not cycles
    if again and state.dark_run >= 2 and lamp.dark_total + state.dark_run >= 5:
        since, count = lamp.relit_since, lamp.dark_total + state.dark_run
        return suspect(
            events, n, d, lamp, CYCLING_FAILURE, CYCLING_FAILURE, since, at, power, expected, 0.0, voltage, count
        )
    return n


@njit(cache=True)
def _come_back(d, rules, state, lamp, was, at, power, expected, voltage, events, n):
    """Judge a lamp that burns and was dark at its last reading."""
    dark_run = state.dark_run
    state.dark_run = 0
    if state.dark_open:
        state.dark_open = 0
        n = emit(events, n, d, LAMP_FAILURE, CLEAR, state.dark_since, at, at, at, power, expected)
        if at - state.dark_since > MENDED_US:
            lamp.cell_n[:] = 0  # What burns now may be another lamp.
            return n
    if lamp.after_gap or was == OFF:
        return n  # It was switched off meanwhile, and did not come back by itself.
    if lamp.relit == 0 or state.dark_since - lamp.relit_since > NIGHTS_US:
        lamp.relit = lamp.dark_total = 0
        lamp.relit_since = state.dark_since
    lamp.relit = min(lamp.relit + 1, 100)
    lamp.dark_total = min(lamp.dark_total + dark_run, 100)
    lamp.wary = WARY_RELIT
    night = at - lamp.relit_since <= NIGHT_US and lamp.dark_total >= 4
    often = lamp.relit >= rules.relit if night else lamp.relit > rules.relit
    if often and not lamp.open & (1 << CYCLING_FAILURE):
        since, count = lamp.relit_since, np.int64(lamp.relit)
        return suspect(
            events, n, d, lamp, CYCLING_FAILURE, CYCLING_FAILURE, since, at, power, expected, 0.0, voltage, count
        )
    return n


@njit(cache=True)
def _fresh(device, rules, lamp, fault, at):
    """Tell whether a fault began so short a time ago that correlation may still wait."""
    return at - lamp.opened[fault] <= (rules.confirm + 1) * device.interval_us


@njit(cache=True)
def _judge_factor(d, device, rules, lamp, at, power, values, events, n):
    factor, voltage = values[FACTOR], values[VOLTAGE]
    if factor != factor:
        apparent = voltage * values[CURRENT]
        if not apparent > 5.0:
            return n
        factor = power / apparent
    factor = abs(factor)
    sure = lamp.factor_n >= rules.learn
    low = factor < rules.factor_low
    if low:
        low = factor < lamp.factor - rules.factor_drop if sure else not device.led
    opened = lamp.open & (1 << FACTOR_TOO_LOW) != 0
    if low:
        if lamp.factor_run == 0:
            lamp.factor_since = at
        lamp.factor_run = min(lamp.factor_run + 1, 255)
        lamp.factor_sound = 0
        if lamp.factor_run >= rules.confirm - device.early and not opened:
            since, count = lamp.factor_since, np.int64(lamp.factor_run)
            wanted = lamp.factor if sure else rules.factor_low
            return suspect(
                events, n, d, lamp, FACTOR_TOO_LOW, FACTOR_TOO_LOW, since, at, factor, wanted, lamp.factor, voltage,
                count,
            )  # fmt: skip
        return n
    lamp.factor_run = 0
    if opened:
        lamp.factor_sound += 1
        if lamp.factor_sound >= rules.confirm or _fresh(device, rules, lamp, FACTOR_TOO_LOW, at):
            return clear(events, n, d, lamp, FACTOR_TOO_LOW, FACTOR_TOO_LOW, at, factor, lamp.factor)
        return n
    lamp.factor_n = min(lamp.factor_n + 1, 64)
    lamp.factor += (factor - lamp.factor) / lamp.factor_n
    return n


@njit(cache=True, forceinline=True)
def _voltage_shift(rules, lamp, voltage):
    """Return the voltage relative to what was learnt, NaN where it is too far off to judge power by; learn it."""
    if voltage != voltage:
        return 0.0
    if lamp.volt_n < rules.learn:
        lamp.volt_n += 1
        lamp.volt += (voltage - lamp.volt) / lamp.volt_n
        return 0.0
    shift = (voltage - lamp.volt) / lamp.volt
    if abs(shift) > rules.voltage_off:
        lamp.volt += (rules.voltage_off if shift > 0.0 else -rules.voltage_off) * lamp.volt / 512.0
        return np.nan
    lamp.volt += (voltage - lamp.volt) / 256.0
    return shift


@njit(cache=True)
def _most(rules, lamp):
    """Return the most power that was learnt, W."""
    most = 0.0
    for c in range(CELLS):
        if lamp.cell_n[c] >= rules.learn:
            most = max(most, np.float64(lamp.cell[c]))
    return most


@njit(cache=True, forceinline=True)
def _judge_power(d, device, rules, lamp, at, before, power, level, voltage, cell, sure, learned, events, n):
    shift = _voltage_shift(rules, lamp, voltage)
    if shift != shift:
        lamp.known = lamp.run = 0
        return n
    slope = (lamp.covariance + (0.0 if device.led else 6e-6)) / (lamp.variance + 4e-6)
    scale = 1.0 + min(max(slope, 0.0), 2.5) * shift
    if not sure:
        if lamp.open & _TEACHES_NOTHING == 0:
            _learn_first(lamp, cell, learned, power / scale)
        lamp.known = 0
        return n
    expected = learned * scale
    if not expected > LEAST_W:
        lamp.known = 0
        return n
    r = power / expected - 1.0
    sigma = max(1.25 * lamp.sigma, 0.004 + QUANTUM_W / expected)
    allowed = max(0.5 * rules.power_off, 3.0 * sigma)
    if not device.led and r < PARTIAL and lamp.partial < 3:
        lamp.partial += 1
        lamp.wary = max(lamp.wary, WARY_PARTIAL)
        lamp.known = 0
        return n
    if r >= PARTIAL:
        lamp.partial = 0
    other = _other_level(lamp, rules, at, cell, level, before, power, r, sigma, scale)
    if other > 0.0:
        return _wrong_level(d, device, rules, lamp, at, level, power, expected, other, voltage, cell, events, n)
    if not lamp.open & (1 << DIMMING_FAILURE):
        # Too little for longer than a program shifts is too little until it is normal again.
        if level == level or abs(r) <= allowed:
            lamp.dim_run = 0
    elif cell == lamp.dim_cell:
        lamp.dim_sound = lamp.dim_sound + 1 if abs(r) <= allowed else 0
        if lamp.dim_sound >= (1 if _fresh(device, rules, lamp, DIMMING_FAILURE, at) else 2):
            lamp.dim_run = 0
            n = clear(events, n, d, lamp, DIMMING_FAILURE, DIMMING_FAILURE, at, power, expected)
    like_before = lamp.known != 0 and abs(r - lamp.residual) <= max(0.03, 3.0 * sigma)
    same_side = lamp.known != 0 and (r < 0.0) == (lamp.residual < 0.0)
    abrupt = _is_abrupt(device, rules, lamp, level, cell, r, sigma, expected)
    leapt = _leap(rules, lamp, at, r, sigma)
    lamp.offs = ((lamp.offs << 1) | (abs(r) > allowed)) & 0x3F
    lamp.residual, lamp.known, lamp.last_cell = r, 1, cell
    n = _judge_flicker(d, device, rules, lamp, at, power, expected, learned, voltage, leapt, events, n)
    if not lamp.open & (1 << FLICKER):
        n = _judge_drift(
            d, device, rules, lamp, at, power, level, expected, learned, voltage, r, sigma, allowed, like_before,
            abrupt, events, n,
        )  # fmt: skip
    if lamp.open & _TEACHES_NOTHING == 0 and lamp.jumps == 0:
        _learn(device, lamp, cell, power, learned, scale, shift, r, sigma, allowed, same_side)
    return n


@njit(cache=True, forceinline=True)
def _is_abrupt(device, rules, lamp, level, cell, r, sigma, expected):
    """Tell whether the power of an LED that was normal fell between two readings of a night, told the same level."""
    if not device.led or level != level or lamp.known == 0 or lamp.last_cell != cell:
        return False
    # What drifts falls by a watt at once, where watts are told.
    least = max(ABRUPT * rules.module_lost, 5.0 * sigma) + 1.0 / expected
    return lamp.offs == 0 and lamp.jumps == 0 and lamp.residual - r >= least


@njit(cache=True)
def _learn_first(lamp, cell, learned, power):
    if lamp.cell_n[cell] == 0 or abs(power - learned) > 0.1 * learned:
        lamp.cell[cell], lamp.cell_n[cell] = power, 1
    else:
        lamp.cell_n[cell] += 1
        lamp.cell[cell] = learned + (power - learned) / lamp.cell_n[cell]


@njit(cache=True, forceinline=True)
def _learn(device, lamp, cell, power, learned, scale, shift, r, sigma, allowed, same_side):
    if abs(r) <= allowed or not same_side:
        # What is off to the same side again and again is no noise.
        lamp.sigma += (min(abs(r), 4.0 * sigma) - lamp.sigma) / 64.0
    if abs(r) > allowed:
        return
    lamp.level += (r - lamp.level) / 3.0
    lamp.cell_n[cell] = min(lamp.cell_n[cell] + 1, 255)
    weight = max(min(device.interval_us / (60.0 * HOUR_US), 0.0625), 1.0 / lamp.cell_n[cell])
    lamp.cell[cell] = learned + weight * (power / scale - learned)
    if shift != 0.0:
        lamp.covariance += weight * (shift * (power / learned - 1.0) - lamp.covariance)
        lamp.variance += weight * (shift * shift - lamp.variance)


@njit(cache=True, forceinline=True)
def _other_level(lamp, rules, at, cell, level, before, power, r, sigma, scale):
    """Return the learned power of another level that a lamp draws instead of its own, 0 where it does not.

    Too little is a wrong level only where power did not follow a new command: a part of the LEDs may have failed. Where
    no level is reported, it is one for no longer than clocks shift programs.
    """
    if abs(r) < max(DIM_APART, 5.0 * sigma) or lamp.open & (1 << POWER_TOO_HIGH):
        return 0.0
    if r > 0.0 and lamp.side > 0 and lamp.run > 0 and abs(r - lamp.recent) <= max(DIM_ALIKE, 3.0 * sigma):
        return 0.0  # It was too much by as much at another level.
    if level != level:
        if r < 0.0 and lamp.dim_run > 0 and at - lamp.dim_since >= SHIFT_US:
            return 0.0
    elif r < 0.0 and lamp.dim_run == 0:
        same = abs(power - before) <= max(DIM_ALIKE * power, DIM_ALIKE_W)
        if lamp.known == 0 or lamp.last_cell == cell or lamp.last_cell == NO_CELL or not same:
            return 0.0
    for c in range(CELLS):
        if c != cell and lamp.cell_n[c] >= rules.learn:
            other = np.float64(lamp.cell[c]) * scale
            if abs(other - power) <= max(DIM_ALIKE * other, DIM_ALIKE_W):
                return other
    if r > 0.0 and level < 95.0:
        # Nights may be too short to have learnt the full level.
        full = power / (1.0 + r) / (0.03 + 0.0097 * level)
        if abs(full - power) <= max(FULL_ALIKE * full, DIM_ALIKE_W):
            return full
    return 0.0


@njit(cache=True)
def _wrong_level(d, device, rules, lamp, at, level, power, expected, other, voltage, cell, events, n):
    opened = lamp.open & (1 << DIMMING_FAILURE) != 0
    if lamp.dim_run == 0:
        lamp.dim_since, lamp.dim_cell = at, cell
    lamp.dim_run = min(lamp.dim_run + 1, 255)
    lamp.dim_sound = lamp.run = lamp.side = lamp.known = 0
    lasted_us = at - lamp.dim_since + device.early * device.interval_us
    if opened or lamp.dim_run < rules.confirm - device.early or lasted_us < rules.dimming_us:
        return n
    if level != level and at - lamp.dim_since < SHIFT_US:
        return n
    since, count = lamp.dim_since, np.int64(lamp.dim_run)
    return suspect(
        events, n, d, lamp, DIMMING_FAILURE, DIMMING_FAILURE, since, at, power, expected, other, voltage, count
    )


@njit(cache=True, forceinline=True)
def _leap(rules, lamp, at, r, sigma):
    """Tell whether power leapt; note whether it leapt back."""
    leapt, back = False, 0
    if lamp.known:
        jump = r - lamp.residual
        leapt = abs(jump) > max(rules.flicker, 6.0 * sigma)
        if leapt:
            sign = 1 if jump > 0.0 else -1
            if lamp.jump_sign == -sign and lamp.jump_age <= 3:
                back = 1
                if lamp.jumps == 0:
                    lamp.jump_since = at
            lamp.jump_sign, lamp.jump_age = sign, 0
    lamp.jump_age = min(lamp.jump_age + 1, 100)
    lamp.jumps = ((lamp.jumps << 1) | back) & 0x3F
    return leapt


@njit(cache=True, forceinline=True)
def _judge_flicker(d, device, rules, lamp, at, power, expected, learned, voltage, leapt, events, n):
    if lamp.open & (1 << FLICKER):
        lamp.sound_run = 0 if leapt else lamp.sound_run + 1
        if lamp.sound_run >= SETTLED:
            return clear(events, n, d, lamp, FLICKER, FLICKER, at, power, expected)
        return n
    if lamp.jumps == 0:
        return n
    leaps, offs = 0, 0
    for bit in range(6):
        leaps += (lamp.jumps >> bit) & 1
        offs += (lamp.offs >> bit) & 1
    # A discharge lamp that runs up again and again burns as it should in between.
    if (
        leaps < rules.flicker_leaps
        or (not device.led and offs < 4)
        or (not device.led and lamp.wary > 0)
        or lamp.open & (1 << CYCLING_FAILURE)
    ):
        return n
    for fault in (MODULE_LOST, POWER_TOO_LOW, POWER_TOO_HIGH):
        n = clear(events, n, d, lamp, fault, FLICKER, at, power, expected)
    lamp.sound_run = lamp.run = lamp.side = 0
    since = lamp.jump_since
    return suspect(events, n, d, lamp, FLICKER, FLICKER, since, at, power, expected, learned, voltage, leaps)


@njit(cache=True)
def _needed(device, rules, lamp, level):
    """Return how many readings confirm a drift.

    Where no level is reported, and the lamp draws less at some hours, the hour of a step may move with the clocks: it
    has to be seen in more than one hour.
    """
    if level == level:
        return rules.confirm - device.early
    least, most, cells = np.inf, 0.0, 0
    for c in range(CELLS):
        if lamp.cell_n[c] >= rules.learn:
            least, most, cells = min(least, np.float64(lamp.cell[c])), max(most, np.float64(lamp.cell[c])), cells + 1
    if cells >= 6 and most - least <= 0.1 * most:
        return rules.confirm - device.early
    return max(rules.confirm, HOUR_US // device.interval_us + 2)


@njit(cache=True, forceinline=True)
def _judge_drift(
    d, device, rules, lamp, at, power, level, expected, learned, voltage, r, sigma, allowed, like_before, abrupt,
    events, n,
):  # fmt: skip
    side = 0
    if abs(r) > allowed:
        side = -1 if r < 0.0 else 1
    if side != lamp.side or lamp.run == 0 or not like_before:
        # The first of a run: where power was before tells whether this is a step. What has left its normal long
        # ago, and falls on, is none.
        before = lamp.level if side != lamp.side else lamp.recent
        fresh = side != lamp.side or at - lamp.side_since <= 2 * device.interval_us
        stepped = fresh and before - r >= 0.8 * rules.module_lost
        lamp.step = 2 if abrupt else 1 if stepped or (side == lamp.side and lamp.step != 0) else 0
        if side != lamp.side:
            lamp.side, lamp.side_since, lamp.start = side, at, r
        lamp.run, lamp.run_since, lamp.recent = 0, at, r
    lamp.run = min(lamp.run + 1, 255)
    lamp.recent += 0.5 * (r - lamp.recent)
    if lamp.open & _OFF_POWER:
        return _follow_drift(d, device, rules, lamp, at, power, expected, r, allowed, events, n)
    if side == 0 or lamp.jumps != 0:
        return n
    step = QUANTUM_W / expected
    bound = max(rules.power_off, 4.0 * sigma) + step
    fault, small = POWER_TOO_HIGH, False
    if side < 0:
        fault = POWER_TOO_LOW
        if device.led and lamp.step:
            fault, bound = MODULE_LOST, max(rules.module_lost, 4.0 * sigma) + step
            small = lamp.step == 2 and abs(lamp.recent) < bound
            if small:
                bound = max(ABRUPT * rules.module_lost, 4.0 * sigma) + step
    if abs(lamp.recent) < bound:
        _settle(lamp, at, r, sigma)
        return n
    count = np.int64(lamp.run)
    # A discharge lamp that flickers may draw the same little twice, and so may a small one in steps of a watt.
    least = rules.confirm if fault == POWER_TOO_LOW else 2
    if small or (fault == MODULE_LOST and 3.0 * sigma > COARSE):
        least = rules.confirm + 1
    if count < least or count < _needed(device, rules, lamp, level):
        return n
    lamp.sound_run, lamp.small = 0, small
    return suspect(events, n, d, lamp, fault, fault, lamp.run_since, at, power, expected, learned, voltage, count)


@njit(cache=True)
def _settle(lamp, at, r, sigma):
    """Learn what stands off, by less than is told, from one night to the next: a lamp that was replaced, say."""
    if at - lamp.side_since < SETTLE_US:
        return
    if abs(r - lamp.start) <= max(0.03, 3.0 * sigma):
        for c in range(CELLS):
            lamp.cell[c] = np.float64(lamp.cell[c]) * (1.0 + lamp.recent)
        lamp.side, lamp.run, lamp.level = 0, 0, 0.0
    else:
        lamp.side_since, lamp.start = at, r


@njit(cache=True)
def _follow_drift(d, device, rules, lamp, at, power, expected, r, allowed, events, n):
    fault = MODULE_LOST
    if lamp.open & (1 << POWER_TOO_LOW):
        fault = POWER_TOO_LOW
    elif lamp.open & (1 << POWER_TOO_HIGH):
        fault = POWER_TOO_HIGH
    normal = abs(r) <= max(allowed, 0.67 * rules.power_off)
    if fault == MODULE_LOST and lamp.small:
        normal = abs(r) <= 0.5 * ABRUPT * rules.module_lost + QUANTUM_W / expected
    lamp.sound_run = lamp.sound_run + 1 if normal else 0
    # A step that does not last was none: correlation waits for this one reading more.
    mistaken = lamp.run <= 1 and _fresh(device, rules, lamp, fault, at)
    if lamp.sound_run >= rules.confirm or mistaken:
        return clear(events, n, d, lamp, fault, fault, at, power, expected)
    if at - lamp.opened[fault] > rules.relearn_us:
        lamp.cell_n[:] = 0
        lamp.level = 0.0
        return clear(events, n, d, lamp, fault, LEARNT_AGAIN, at, power, expected)
    return n
