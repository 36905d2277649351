"""The columns of feeders' rules: what is fixed of a lamp's controller, what it said last, what a feeder comes to."""

import numpy as np

POWER, VOLTAGE, LEVEL, OTHER, HOURS = 0, 1, 2, 3, 4

NOMINAL_V = 230.0
GASP_BELOW = 0.5
"""Below this share of the nominal voltage there is no supply: what speaks then are a controller's last words."""
SLOW_RUN = 5
"""So many gaps in a row that are longer than the interval make a longer interval."""
LOSS_STEP = 0.02
LOSS_MOST = 0.9
LOST_MAX = 10
"""Messages in a row that are taken for lost, not for silence, when the share of lost ones is learnt."""
PAUSE_US = 2 * 3_600_000_000
"""A gap in which the schedule has the feeder off for longer was the day: the controller slept, and woke."""
FORGOTTEN_US = 14 * 86_400_000_000
"""A controller that has been silent for longer tells nothing new of its feeder."""

STOOD_US = 2 * 3_600_000_000
"""Who should have burned for so long and counted nothing was dark."""
COUNTED_H = 0.05
"""Hours that are rounded may seem to move by less."""

ABSENT, ASLEEP, HEARD, SILENT, LATE = 0, 1, 2, 3, 4
"""What a controller is at a moment: never heard, or long gone; without supply on purpose; heard as it should be; silent
in powered time; or neither yet."""

LAMP = np.dtype(
    [
        ("interval_us", "i8"),
        ("guard_us", "i8"),
        ("rated_w", "f8"),
        ("on_above_w", "f8"),
        ("lost_share", "f8"),
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
        ("interval_us", "i8"),  # as learnt; 0: not yet
        ("slow_us", "i8"),  # shortest of the gaps in a row that were too long
        ("missed_from", "i8"),  # the latest gap in powered time that was too long
        ("missed_until", "i8"),
        ("slept_at", "i8"),  # last heard, or lit, before the latest pause that the schedule makes, and first after it
        ("woke_at", "i8"),
        ("gasp_at", "i8"),
        ("power_at", "i8"),
        ("lit_at", "i8"),  # latest readings with power and without, where supply does not come with the command
        ("unlit_at", "i8"),
        ("dark_since", "i8"),
        ("live_since", "i8"),
        ("volts_at", "i8"),
        ("volts", "f8"),
        ("loss", "f8"),  # share of messages lost, as learnt from nothing
        ("slow_run", "i4"),
        ("dark_run", "i4"),  # readings in a row without power while told to burn
        ("live_run", "i4"),  # readings in a row with power, or with supply at all, while there should be none
        ("part", "i4"),  # belongs to a part of its feeder that is out
        ("hours_at", "i8"),  # when it said last how many hours it has burned, µs UTC; 0: never
        ("hours", "f8"),
        ("by_day", "i8"),  # whether it speaks by day, see `anomaly.powered.by_day_after`
    ],
    align=True,
)

NOW = np.dtype(
    [
        ("since", "i8"),  # when a silent one still had its supply, or should have woken, µs UTC
        ("missed", "i8"),
        ("before", "i4"),  # of these, before the feeder was last switched on
        ("state", "i4"),
    ],
    align=True,
)

COUNT = np.dtype(
    [
        ("heard_at", "i8"),  # latest of all
        ("volts_since", "i8"),  # when the first of the fresh readings was made that lie beyond a limit; 0: none does
        ("volts_until", "i8"),  # and the last
        ("dark_since", "i8"),
        ("live_since", "i8"),
        ("volts_sum", "f8"),
        ("known", "i4"),
        ("heard", "i4"),
        ("silent", "i4"),
        ("missed", "i4"),  # controllers that are back after a gap of late
        ("gasped", "i4"),
        ("powered", "i4"),  # whose power is known and fresh
        ("dark", "i4"),
        ("fresh", "i4"),  # spoke of late, whether or not they should
        ("live", "i4"),
        ("volts", "i4"),  # whose voltage is known and fresh
        ("over", "i4"),  # beyond the limits of the supply
        ("under", "i4"),
        ("high", "i4"),  # beyond ±10 % of what is usual
        ("low", "i4"),
    ],
    align=True,
)

LIMITS = np.dtype([("over", "f8"), ("under", "f8"), ("high", "f8"), ("low", "f8")], align=True)

TRIPS = 6
HOURS = 24
LEARNT = "interval_us", "slow_us", "slow_run", "loss"
LEARNT_FEEDER = "usual_v", "visits"
LEARNT_CABINET = "first_at", "nights", "right"
"""What is learnt of controllers, feeders and cabinets; the other fields are what goes on."""
FEEDER = np.dtype(
    [
        ("apart_since", "i8"),  # a fault is open since, µs UTC; 0: none is
        ("over_since", "i8"),
        ("under_since", "i8"),
        ("live_since", "i8"),
        ("off_since", "i8"),
        ("trips_since", "i8"),
        ("part_since", "i8"),
        ("part_fault", "i8"),  # 1: a phase, 2: a tail
        ("over_first", "i8"),  # beyond the limit since, not told yet
        ("under_first", "i8"),
        ("over_last", "i8"),
        ("under_last", "i8"),
        ("learnt_at", "i8"),  # hour of the latest lesson on the usual voltage
        ("trips", "i8", (TRIPS,)),  # latest losses of supply that came back by themselves, ascending
        ("usual_v", "f8", (HOURS,)),
        ("visits", "i8", (HOURS,)),
    ],
    align=True,
)

CABINET = np.dtype(
    [
        ("wrong_since", "i8"),  # its clock is wrong since; 0: it is not
        ("first_at", "i8"),  # the first of the nights in a row on which it was
        ("judged_at", "i8"),
        ("nights", "i8"),
        ("right", "i8"),  # nights in a row on which it was right
    ],
    align=True,
)
