"""Heating while closed, told from waste and from odd rooms: the same readings, named by what else is seen (kernels)."""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
from numba import njit

from anomaly.facilities import pattern
from anomaly.facilities.layout import (
    CLOSED,
    ENERGY_PATTERN,
    HEATING,
    OPEN,
    SLOTS,
    TEMPERATURE_PATTERN,
    UNKNOWN,
)

SILENT = -1
SET_BACK, RISEN_SHARE, OVER = 2.5, 0.4, 1.5
"""Rooms that should by now be cooler than by day by this, °C, tell whether they are heated; above the day's warmth by
more than this they are hot, not heated."""
WARM_UP, WARM_DOWN = 0.004, 0.02
MORNING, NOON = 40, 52
HELD_US, HOT_US = 86_400_000_000, 21_600_000_000
"""Too much power waits so long for its name, and a room that is as warm as by day so long for its meter to show why."""
FULL_SHARE = 0.55
"""Of the full load: a heating plant draws less than this."""
PLANT_SHARE = 0.9
"""Of what is expected at night: a plant that was left on draws more. Of less the load by day tells."""
WITH_LOAD = 1.5
"""What grows with the load so many times from night to day is waste; a plant left on draws the same."""
SEEN_SHARE = 0.2
"""A plant that shows at night alone, or that a room shows, draws at least so much of what is expected then."""


@njit(cache=True)
def _full(s):
    """Return what is habitually drawn at most on working days."""
    full = 0.0
    for k in range(SLOTS):
        if s.seen[k] >= pattern.VISITS_MIN:
            full = max(full, float(s.base[k]))
    return full


@njit(cache=True)
def warm(s, day_type, slot, opened, value):
    """Learn how warm a room is at least while people are there; where nobody knows, late on working mornings."""
    if opened == OPEN or (opened == UNKNOWN and day_type == 0 and MORNING <= slot < NOON):
        rate = WARM_DOWN if value < s.warm else WARM_UP
        s.warm = value if s.warm == 0.0 else s.warm + rate * (value - s.warm)


@njit(cache=True)
def _by_load(state, p, opened):
    """Name too much power where rooms do not tell; `SILENT` until it was seen by day and by night, or is clear."""
    excess, expected = pattern.mean_excess(p)
    if excess >= FULL_SHARE * _full(p):
        return ENERGY_PATTERN
    if opened == OPEN:
        state.open_excess = excess
        if state.closed_excess > 0.0:
            return ENERGY_PATTERN if excess >= WITH_LOAD * state.closed_excess else HEATING
        return SILENT
    if state.closed_run < pattern.SHORT:
        return SILENT
    if excess >= PLANT_SHARE * expected:
        return HEATING
    if opened == CLOSED:
        state.closed_excess = excess
        if state.open_excess > 0.0:
            return ENERGY_PATTERN if state.open_excess >= WITH_LOAD * excess else HEATING
    return SILENT


@njit(cache=True)
def _by_contrast(state, p, opened):
    """Name power that was too much and no longer is beyond doubt, from what it is at the other time of the day."""
    excess, expected = pattern.mean_excess(p)
    if opened == OPEN and state.closed_run <= -pattern.LONG and state.closed_excess > SEEN_SHARE * expected:
        # As usual when open, too much when closed: that is what the rule says.
        return ENERGY_PATTERN if excess >= WITH_LOAD * state.closed_excess else HEATING
    if opened == CLOSED and state.closed_run >= pattern.SHORT and state.open_excess > 0.0:
        return ENERGY_PATTERN if state.open_excess >= WITH_LOAD * excess else HEATING
    return SILENT


@njit(cache=True)
def judge(device, state, states, at, opened):
    """Return what an odd room and odd power are called, `SILENT` for not yet, and which fault must be now, if any.

    References
    ----------
    docs/detection.md, Facilities
    """
    indoor, power = TEMPERATURE_PATTERN, ENERGY_PATTERN
    state.closed_run = min(state.closed_run, 0) - 1 if opened == OPEN else max(state.closed_run, 0) + 1
    t, p = states[max(device.indoor, 0)], states[max(device.power, 0)]
    hot = device.indoor >= 0 and t.bad > 0
    much = device.power >= 0 and p.bad > 0
    if state.since[HEATING] != 0:
        return (HEATING if hot else indoor), (HEATING if much else power), SILENT
    if not hot and not much:
        if state.held_since == 0:
            return indoor, power, SILENT
        now = _by_contrast(state, p, opened)
        over = at - state.held_since > HELD_US
        excess, expected = pattern.mean_excess(p)
        if now == SILENT and over and excess >= SEEN_SHARE * expected:
            now = ENERGY_PATTERN
        if now != SILENT or over:
            state.held_since, state.closed_excess, state.open_excess = 0, 0.0, 0.0
        return indoor, power, now
    telling, risen = False, 0.0
    # A room cools for an hour before it tells anything.
    if device.indoor >= 0 and t.observed_at == at and state.closed_run >= pattern.SHORT:
        telling = t.warm != 0.0 and t.warm - t.expected >= SET_BACK
        risen = t.value - t.expected
    if hot and t.value <= t.warm + OVER:
        excess, expected = pattern.mean_excess(p)
        if telling and (device.power < 0 or much or excess >= SEEN_SHARE * expected):
            indoor = HEATING
        elif device.power >= 0 and not much and state.since[indoor] == 0 and at - t.shown_at < HOT_US:
            indoor = SILENT
    if not much or state.since[ENERGY_PATTERN] != 0:
        return indoor, power, SILENT
    if device.indoor < 0:
        power = ENERGY_PATTERN
    elif telling and hot:
        power = HEATING
    elif telling and risen < RISEN_SHARE * (t.warm - t.expected):
        power = ENERGY_PATTERN
    elif telling or device.hours == 1:
        # Neither hot nor cool: on a mild evening a room stays warm by itself.
        power = _by_load(state, p, opened) if device.hours == 1 else SILENT
        if power == SILENT and state.held_since != 0 and at - state.held_since > HELD_US:
            power = ENERGY_PATTERN
    if power == SILENT:
        state.held_since = state.held_since if state.held_since != 0 else at
    else:
        state.held_since, state.closed_excess, state.open_excess = 0, 0.0, 0.0
    return indoor, power, SILENT
