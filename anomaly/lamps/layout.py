"""The columns of lamps: what was learnt of each, and what is going on with it; thresholds of the rules."""

import numpy as np

CELLS, LEVELS = 24, 16
"""Learned powers of one lamp: one for each of `LEVELS` steps of dimming, or for each hour (UTC) where no level is
reported."""

FAULTS = 12
"""Length of `opened`: one more than the highest number of a fault of single devices in `anomaly.layout`."""

LAMP = np.dtype(
    [
        ("cell", "f4", (CELLS,)),  # learned power, W
        ("cell_n", "u1", (CELLS,)),  # readings in it; below `learn_readings` it is not judged by
        ("volt", "f8"),  # learned voltage while lit
        ("covariance", "f8"),  # of voltage and power, both relative to what was learnt
        ("variance", "f8"),  # of voltage
        ("sigma", "f8"),  # running mean of |residual|; 0: none yet
        ("residual", "f8"),  # of the last reading judged
        ("level", "f8"),  # running mean of residuals while nothing is wrong
        ("recent", "f8"),  # the same within a run
        ("start", "f8"),  # residual with which power left its normal
        ("factor", "f8"),  # learned power factor
        ("power", "f8"),  # of the last reading
        ("voltage", "f8"),
        ("repeat_power", "f8"),  # share of readings that repeat the one before; 0: none yet
        ("repeat_voltage", "f8"),
        ("chance", "f8"),  # that a sound sensor repeats itself as this one does
        ("standby", "f8"),  # learned power while off
        ("repeat_since", "i8"),
        ("run_since", "i8"),
        ("side_since", "i8"),
        ("open", "u2"),  # a bit for each fault
        ("repeat_n", "u2"),
        ("volt_n", "u1"),
        ("factor_n", "u1"),
        ("standby_n", "u1"),
        ("seen", "u1"),  # 1: `power` is known, 2: `voltage`
        ("known", "u1"),  # `residual` is that of the reading before
        ("last_cell", "u1"),
        ("run", "u1"),  # readings off by about the same
        ("side", "i1"),  # -1 below its normal, 1 above
        ("step", "u1"),  # the run began with a step: 1, or with one between two readings of a night: 2
        ("jumps", "u1"),  # a bit for each of the last readings: power leapt back
        ("offs", "u1"),  # the same: it was off its normal
        ("jump_sign", "i1"),
        ("jump_age", "u1"),
        ("sound_run", "u1"),
        ("dim_run", "u1"),
        ("dim_cell", "u1"),
        ("dim_sound", "u1"),
        ("factor_run", "u1"),
        ("factor_sound", "u1"),
        ("partial", "u1"),  # readings that look like a lamp running up, in a row
        ("wary", "u1"),  # readings for which a dark lamp may be one that cycles
        ("relit", "u1"),  # times that it came back by itself
        ("dark_total", "u1"),
        ("after_gap", "u1"),  # a report was missing before it went dark
        ("calm", "u1"),  # lit readings since it was dark
        ("reserved", "u1", (3,)),  # padding would not be the same in every snapshot
        # What is seldom read.
        ("jump_since", "i8"),
        ("dim_since", "i8"),
        ("factor_since", "i8"),
        ("relit_since", "i8"),
        ("opened", "i8", (FAULTS,)),
        ("counted_at", "i8"),
        ("reset_at", "i8"),
        ("stand_since", "i8"),
        ("energy", "f8"),
        ("hours", "f8"),
        ("switches", "f8"),
        ("stand_h", "f8"),  # commanded hours in which the counters stood
        ("rest_h", "f8"),  # hours without a switch-on too many
        ("idle_h", "f8"),  # hours commanded off that are not judged yet
        ("idle_burned_h", "f8"),  # hours counted in them
        ("sum_kwh", "f8"),
        ("sum_h", "f8"),
        ("told_h", "f8"),  # commanded hours of the same time
        ("rate", "f8"),  # learned kW
        ("rate_sigma", "f8"),
        ("rate_level", "f8"),  # residual of the night before
        ("sum_from", "i8"),  # when what is added up began
        ("moved_at", "i8"),  # when any counter was last seen to move
        ("hours_at", "i8"),  # when hours were
        ("switched_at", "i8"),  # when switch-ons were
        ("commands_at", "i8"),  # the last of them that counts in `commands`
        ("extra", "i4"),  # switch-ons of this night that nobody commanded
        ("counters", "u1"),  # which are known: 1 energy, 2 hours, 4 switches
        ("rate_n", "u1"),
        ("rate_sound", "u1"),
        ("small", "u1"),  # the module that was told lost was seen by its step alone
        ("span_h", "u1", (CELLS,)),  # by the hour at which it is judged: hours that what was added up usually covers
        ("span_n", "u1", (CELLS,)),
        ("hours_digits", "u1"),  # behind the point, as shown so far
        ("energy_digits", "u1"),
        ("commands", "u1"),  # nights in which it was dead and counted that it was switched on
        ("resumed", "u1"),  # times that its counters stood, and went on from there
        ("measured", "u1"),  # power was: its learned powers go by level, and its energy is judged by nobody
        ("rate_high", "u1"),  # energy was too much, once
        ("rate_hour", "u1"),  # and when that was judged
        ("spare", "u1", (1,)),
    ],
    align=True,
)
assert sum(LAMP[name].itemsize for name in LAMP.names or ()) == LAMP.itemsize

LEARNT = (
    "cell", "cell_n", "volt", "covariance", "variance", "sigma", "level", "factor", "repeat_power", "repeat_voltage",
    "standby", "volt_n", "factor_n", "standby_n", "sum_from", "sum_kwh", "sum_h", "told_h", "idle_h", "idle_burned_h",
    "rate", "rate_sigma", "rate_level", "rate_n", "span_h", "span_n",
)  # fmt: skip
"""What is learnt of a lamp, sums of this night among it; the other fields are what goes on."""

RULES = np.dtype(
    [
        ("confirm", "i8"),
        ("learn", "i8"),
        ("power_off", "f8"),
        ("module_lost", "f8"),
        ("flicker", "f8"),
        ("flicker_leaps", "i8"),
        ("dimming_us", "i8"),
        ("factor_low", "f8"),
        ("factor_drop", "f8"),
        ("relit", "i8"),
        ("switch_ons", "i8"),
        ("stuck", "f8"),
        ("reset_us", "i8"),
        ("relearn_us", "i8"),
        ("voltage_off", "f8"),
    ],
    align=True,
)
"""One row for each distinct `city.registry.FaultRules`; its attributes say what the fields mean."""
