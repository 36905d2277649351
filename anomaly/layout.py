"""The columns of a detector: what is fixed of a device, what it did last, and the events that a kernel writes."""

import numpy as np

POWER, VOLTAGE, DIMMING, CURRENT, FACTOR, ENERGY, HOURS, SWITCHES, OTHER = 0, 1, 2, 3, 4, 5, 6, 7, 8
"""Channels that the rules of lamps tell apart."""
CHANNELS = 9

LAMP_FAILURE, LAMP_UNEXPECTED_ON, COMMUNICATION_FAILURE = 0, 1, 2
DIMMING_FAILURE, CYCLING_FAILURE, FLICKER, FACTOR_TOO_LOW, MODULE_LOST = 3, 4, 5, 6, 7
POWER_TOO_LOW, POWER_TOO_HIGH, STUCK_SENSOR, COUNTER_RESET = 8, 9, 10, 11
"""Faults of single devices; as a rule's number, the rule that sees the fault in readings of power."""
HOURS_STAND, HOURS_WHILE_OFF, SWITCH_ONS, COUNTERS_STAND, ENERGY_LOW, ENERGY_HIGH, ENERGY_STEP, ENERGY_FULL = (
    *range(32, 40),
)
LEARNT_AGAIN = 40
"""Further rules, which see the same faults in counters, or their end in what has become normal."""
SUSPECT, CLEAR = 0, 1
UNKNOWN, DARK, LIT, OFF = 0, 1, 2, 3

DEVICE = np.dtype(
    [
        ("interval_us", "i8"),
        ("silence_us", "i8"),  # powered time without a reading after which it counts as silent, at the soonest
        ("guard_us", "i8"),
        ("rated_w", "f8"),
        ("dark_below", "f8"),
        ("on_above_w", "f8"),
        ("on_share", "f8"),
        ("dark_readings", "i4"),
        ("on_readings", "i4"),
        ("schedule", "i4"),  # -1: no schedule, always powered
        ("feeder", "i4"),  # -1: none
        ("lamp", "u1"),
        ("switched", "u1"),
        ("led", "u1"),
        ("dimmed", "u1"),  # its schedule has lower levels
        ("rules", "i4"),
        ("gateway", "i4"),  # that speaks for it, by number
        ("early", "u1"),  # readings of a confirmation that may come while correlation waits
    ],
    align=True,
)

STATE = np.dtype(
    [
        ("heard_at", "i8"),  # observed_at of the last reading judged, µs UTC; 0: never heard
        ("received_at", "i8"),
        ("judge_after", "i8"),  # nothing is judged before: a boot or a return of supply
        ("dark_since", "i8"),
        ("on_since", "i8"),
        ("silent_since", "i8"),
        ("dark_run", "i4"),
        ("on_run", "i4"),
        ("dark_open", "u1"),
        ("on_open", "u1"),
        ("silent_open", "u1"),
        ("lamp", "u1"),  # UNKNOWN, DARK, LIT or OFF at the last reading judged
        ("by_day", "u1"),  # whether it speaks by day, see `anomaly.powered.by_day_after`
        ("spare", "u1"),
        ("reserved", "u2"),  # fills one cache line: padding would not be the same in every snapshot
    ],
    align=True,
)

EVENT = np.dtype(
    [
        ("since", "i8"),
        ("until", "i8"),  # 0: not known to have ended
        ("at", "i8"),
        ("heard_at", "i8"),
        ("observed", "f8"),
        ("expected", "f8"),
        ("learned", "f8"),  # power in W, power factor or kW; 0: nothing was learnt
        ("voltage", "f8"),  # 0: not measured
        ("device", "i4"),
        ("count", "i4"),  # readings that confirm it; 0: not counted
        ("fault", "u1"),
        ("kind", "u1"),
        ("rule", "u1"),
    ],
    align=True,
)
