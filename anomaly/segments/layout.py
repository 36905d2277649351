"""The columns of feeders' rules: what is fixed of a lamp's controller, what it said last, what a feeder came to."""

import numpy as np

POWER, VOLTAGE, LEVEL, OTHER = 0, 1, 2, 3

NOMINAL_V = 230.0
GASP_BELOW = 0.5
"""Below this share of the nominal voltage there is no supply: what speaks then are a controller's last words."""

LAMP = np.dtype(
    [
        ("interval_us", "i8"),
        ("guard_us", "i8"),
        ("rated_w", "f8"),
        ("on_above_w", "f8"),
        ("loss", "f8"),  # share of its messages that a good day loses
        ("schedule", "i4"),  # -1: none
        ("feeder", "i4"),  # -1: not a lamp of a feeder
        ("gateway", "i4"),
        ("phase", "i4"),  # 0, 1, 2; -1: not known
        ("switched", "u1"),
    ],
    align=True,
)

SAID = np.dtype(
    [
        ("heard_at", "i8"),  # observed_at of the latest reading, µs UTC; 0: never heard
        ("received_at", "i8"),
        ("volts_at", "i8"),
        ("volts", "f8"),
    ],
    align=True,
)

FEEDER = np.dtype(
    [
        ("apart_since", "i8"),  # a lost neutral is open since, µs UTC; 0: none is
    ],
    align=True,
)

VOLTS = np.dtype(
    [
        ("since", "i8"),  # when the first of the fresh readings was made that lie beyond; 0: none does
        ("fresh", "i4"),
        ("high", "i4"),  # beyond +10 % of the nominal voltage
        ("low", "i4"),  # beyond −10 %
        ("reserved", "i4"),
    ],
    align=True,
)
