"""Columns of facilities: what is fixed of a device and of a series, what they did last, and what a kernel tells."""

import numpy as np

NONE, INDOOR, TEMPERATURE, HUMIDITY, POWER, CO2, HOT_WATER, COLD_ROOM, FLOW, COUNTER, GENERAL = range(11)
"""Roles of series. `TEMPERATURE`: of anything but rooms; `GENERAL`: no rule names it."""

(
    WATER_LEAK,
    CO2_TOO_HIGH,
    HOT_WATER_TOO_COLD,
    COLD_ROOM_TOO_WARM,
    HEATING,
    TEMPERATURE_PATTERN,
    HUMIDITY_PATTERN,
    ENERGY_PATTERN,
    GENERAL_PATTERN,
    STUCK,
    COUNTER_RESET,
) = range(11)
FAULTS = 11

OPEN, CLOSED, NEAR, UNKNOWN = range(4)
"""What a facility is at a moment. `NEAR`: closed, but so little before or after that rooms are warming or cooling."""

DAY_TYPES, SLOTS = 5, 96
"""Kinds of days with habits of their own, and quarters of an hour of the local day."""
CELLS = DAY_TYPES * SLOTS
OFFSETS = 7
"""Recent departures from habit: while open, closed and near, or, where nobody knows, by quarters of the day."""
RING = 8
NIGHTS = 28

DEVICE = np.dtype(
    [
        ("interval_us", "i8"),
        ("co2_us", "i8"),
        ("hot_water_us", "i8"),
        ("cold_room_us", "i8"),
        ("pattern_us", "i8"),
        ("co2_ppm", "f8"),
        ("hot_water_deg_c", "f8"),
        ("cold_room_deg_c", "f8"),
        ("leak_ratio", "f8"),
        ("leak_nights", "i4"),
        ("indoor", "i4"),  # series that the rule of heating needs; -1: not measured
        ("power", "i4"),
        ("hours", "i4"),  # 1: opening hours are known
        ("first", "i4"),  # its series are the rows from `first` up to `last`
        ("last", "i4"),
        ("reserved", "i4"),
    ],
    align=True,
)
DEVICE_STATE = np.dtype(
    [
        ("heard_at", "i8"),
        ("changed_at", "i8"),  # since when the message is the same
        ("n", "i8"),
        ("begin_share", "f8"),  # of messages after which the next is the same
        ("run_length", "f8"),  # mean of runs of equal messages
        ("chance", "f8"),  # of the run that goes on
        ("held_since", "i8"),  # too much power that no rule has a name for yet; 0: none
        ("closed_excess", "f8"),
        ("open_excess", "f8"),
        ("run", "i4"),
        ("longest", "i4"),
        ("opened", "i4"),  # what it was at its last message
        ("closed_run", "i4"),  # messages since it was open; negative: since it was not
        ("zone", "i4"),  # by how many quarters of an hour its clock is ahead of UTC
        ("changes", "i4"),  # messages in a row that differ, since a stuck one
        ("zone_at", "i8"),  # when its clock was changed, µs UTC; 0: not since it was heard first
        ("first_bad", "i8", FAULTS),  # since when its condition holds without a break; 0: it does not
        ("since", "i8", FAULTS),  # of what is open; 0: not open
        ("quiet_us", "i8", FAULTS),
        ("quiet_at", "i8", FAULTS),  # when the quiet began
    ],
    align=True,
)

SERIES = np.dtype([("device", "i4"), ("role", "i4"), ("relative", "i8"), ("floor", "f8"), ("top", "f8")], align=True)
"""`floor`: noise that is always allowed for, in the metric's unit; `relative`: its noise grows with its value."""
SERIES_STATE = np.dtype(
    [
        ("observed_at", "i8"),
        ("first_at", "i8"),
        ("reset_at", "i8"),
        ("changed_at", "i8"),
        ("bad_since", "i8"),
        ("bad_until", "i8"),
        ("learnt_at", "i8"),
        ("back_at", "i8"),  # when it was learnt from again, after long enough for the weather to have changed
        ("shown_at", "i8"),  # when what is bad now began
        ("value", "f8"),
        ("expected", "f8"),
        ("raw", "f8"),  # distance from habit
        ("begin_share", "f8"),
        ("run_length", "f8"),
        ("chance", "f8"),
        ("top_short", "f8"),  # longest that a short, and a long, run of residuals has been, in units of noise
        ("top_long", "f8"),
        ("top_sum", "f8"),
        ("above", "f8"),  # of power: what the last residuals came to, less what is usual
        ("above_at", "i8"),  # since when
        ("drift", "f8"),  # smoothed residual
        ("warm", "f8"),  # of a room: how warm it is while people are there
        ("n", "i8"),
        ("run", "i4"),
        ("longest", "i4"),
        ("bad", "i4"),  # out of pattern: its sign; else 0
        ("doubt", "i4"),  # may be on its way out of pattern: nothing is learnt but what the weather does
        ("filled", "i4"),
        ("at_ring", "i4"),
        ("z", "f8", RING),
        ("residual", "f8", RING),
        ("z_at", "i8", RING),
        ("awaited", "f8", RING),  # what was expected
        ("spread", "f8", OFFSETS),
        ("offset", "f8", OFFSETS),
        ("visits", "i8", OFFSETS),
        ("heed", "f8", OFFSETS),  # how far it goes with the air outside, for each °C
        ("heed_weight", "f8", OFFSETS),  # of what taught it, °C²
        ("outside", "f8", OFFSETS),  # how far from its habit the air was while the recent departure was learnt
        ("hour_sum", "f8"),  # of a flow: this hour's, and the least whole hour of the night
        ("hour_n", "i4"),
        ("hour", "i4"),
        ("night_day", "i8"),
        ("night_at", "i8"),  # when the night's first reading was made, and that of the first night of a leak
        ("leak_at", "i8"),
        ("night_least", "f8"),
        ("night_z", "f8"),
        ("night_hours", "i4"),
        ("nights", "i4"),  # in the ring
        ("night_run", "i4"),  # nights in a row above the ratio
        ("night_ring", "i4"),
        ("night", "f8", NIGHTS),
        ("base", "f4", CELLS),
        ("deviation", "f4", CELLS),
        ("drift_of", "f4", SLOTS),  # what all kinds of days have lately in common at this quarter of an hour
        ("seen", "u1", CELLS),
    ],
    align=True,
)

LEARNT_DEVICE = "begin_share", "run_length", "longest"
LEARNT = (
    "begin_share", "run_length", "longest", "top_short", "top_long", "top_sum", "drift", "warm", "spread", "offset",
    "visits", "hour_sum", "hour_n", "night_least", "night_z", "night_hours", "nights", "night_run", "night_ring",
    "night", "base", "deviation", "drift_of", "seen", "heed", "heed_weight", "outside",
)  # fmt: skip
"""What is learnt of a device and of a series, the night that goes on among it; the other fields are what goes on."""

CLASSES = 4
"""What buildings have in common is learnt apart for those that are open, closed and near, and where nobody knows."""

EVENT = np.dtype(
    [
        ("since", "i8"),
        ("until", "i8"),
        ("at", "i8"),
        ("heard_at", "i8"),
        ("observed", "f8"),
        ("expected", "f8"),
        ("z", "f8"),
        ("device", "i4"),
        ("series", "i4"),  # -1: of the device as a whole
        ("fault", "i4"),
        ("clear", "i4"),
    ],
    align=True,
)
