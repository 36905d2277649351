"""What statistics keep of one series: one packed record, hot scalars first, then cells and counts."""

import numpy as np

SEASON, LEVEL, DRIFT, SPREAD, TRANSITION, EXTREME, STUCK = range(7)
"""Channels: which of them weighed most is told with each score."""
CHANNELS = ("season", "level", "drift", "spread", "transition", "extreme", "stuck")
LEARNED = 5
"""Channels whose scale and tail are learned: those before `EXTREME`."""
DAY_CELLS = 24
WEEK_CELLS = 168
BINS = 16
RECENT = 8
RECENT_UNIT, RECENT_MOST = 1.0 / 512.0, 32_000
"""Distances are kept in whole units, as i2: up to 62 spreads."""
SHIFTED, MOVED, RESTLESS = range(3)
"""Lasting statistics, each judged by the largest of its days: six of eight readings off on one side, a day's mean off,
a day's readings far off on either side."""
LASTING = 3

STATE = np.dtype(
    [
        ("observed_at", "i8"),  # last reading judged, µs UTC
        ("origin", "f8"),  # first value; what follows is relative to it, so that f4 is fine enough
        ("level", "f4"),
        ("spread", "f4"),  # mean distance from the level
        ("low", "f4"),  # range seen
        ("high", "f4"),
        ("last", "f4"),
        ("interval_s", "f4"),  # learned time between readings
        ("level_z", "f4"),  # smoothed distance from the level, in spreads
        ("drift_z", "f4"),  # smoothed distance from the season, in spreads
        ("short", "f4"),  # mean |distance from the season| of late, in spreads
        ("surprise", "f4"),  # of transitions, smoothed
        ("surprise_mean", "f4"),
        ("record", "f4"),  # what evidence has to exceed to say something new
        ("habit", "f4"),  # mean of that record
        ("day_mean", "f4"),  # of a day: mean clipped distance from the season, in the metric's unit
        ("day_size", "f4"),  # of a day: mean size of that distance
        ("scale", "f4", LEARNED),  # mean |value| of each channel
        ("tail", "f4", LEARNED),  # −ln of the share of readings beyond `tail_from`
        ("slope", "f4", LEARNED),  # Hill's: mean of ln(z / tail_from) beyond it
        ("top", "f4", LEARNED),  # largest |value|
        ("n", "u4"),  # readings learned
        ("run", "u2"),  # repeats in a row
        ("longest", "u2"),  # longest run learned
        ("bin", "u1"),  # of the last reading
        ("frozen", "u1"),  # 1: judge, learn nothing
        ("visits", "u1", DAY_CELLS),  # readings learned by hour of the day, 255 at most
        ("calm", "u1"),  # withheld after a gap, in sixteenths of a nat
        ("reserved", "u1"),  # fills three cache lines
        ("day", "f4", (DAY_CELLS, 2)),  # baseline and spread by hour of the day
        ("week", "f4", WEEK_CELLS),  # what the hour of the week adds to the baseline
        ("counts", "u1", BINS * BINS),  # transitions from bin to bin
        ("recent", "i2", RECENT),  # last distances from the season, in `RECENT_UNIT` of a spread; a ring
        ("hold_until", "i8"),  # nothing is told before: the season is found anew after a gap, µs UTC
        ("typical", "f4"),  # mean distance from the season, in the metric's unit, all hours together
        ("absorbed", "f4"),  # what the season has moved of late, in the metric's unit
        ("day_of", "i4"),  # the day of `peak`, since 1970
        ("peak", "f4", LASTING),  # today's largest of each lasting statistic
        ("middle", "f4", LASTING),  # mean of the logarithm of a day's largest
        ("steep", "f4", LASTING),  # and its mean excess over that
        ("days", "u1"),  # learned, 255 at most
        ("turn", "u1"),  # where the ring goes on
        ("heard", "u1"),  # how much of the ring is filled
        ("spare", "u1", 21),  # fills the last cache line: rows stay aligned
    ]
)
LEARNT = tuple(name for name in STATE.names or () if name not in ("observed_at", "frozen"))
"""All of it is learnt but where time stands."""
