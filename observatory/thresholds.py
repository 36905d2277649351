"""Thresholds that verdicts speak for. Pure, and only a proposal: a person copies it into the city pack, or does not.

Only alarms are judged, never what stayed quiet: verdicts can say that a threshold is too eager, not that it is too
slack.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from city.alarm import FaultClass
from city.verdict import Finding
from observatory.precision import JUDGED_MIN

DROPPED_SHOWN = 20
_DIGITS = (2, 3, 4, 6, 9, 17)
"""Significant digits to try: the fewest that still part what is to be parted."""


class Why(StrEnum):
    """Why nothing is proposed."""

    NOT_ENOUGH = "not-enough-verdicts"
    NONE_FALSE = "no-false-alarm"
    NONE_TRUE = "no-true-alarm"
    """Then the rule, or its place, is wrong, and no threshold mends it."""
    MIXED = "true-and-false-alike"
    """Every value that drops a false alarm drops a true one as well."""


@dataclass(frozen=True, slots=True)
class JudgedAlarm:
    """An alarm with its verdict and its evidence, in the evidence's unit; `rated_w` of a lamp."""

    alarm_id: str
    fault: str
    rule: str
    finding: Finding
    observed: float | None
    expected: float | None
    rated_w: float | None
    learned: float = 0.0
    """What had been learnt of the device: of a lamp that burns while off, its standby in W."""


Statistic = Callable[[JudgedAlarm], float | None]
"""What a rule compares with its threshold; None where the evidence does not tell."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """One key of ``faults.toml`` and the rule that compares with it; the rule fires `above` it, else below."""

    key: str
    fault: FaultClass
    rule: str
    above: bool
    statistic: Statistic


def _observed(alarm: JudgedAlarm) -> float | None:
    return alarm.observed


def _of_expected(alarm: JudgedAlarm) -> float | None:
    return None if alarm.observed is None or not alarm.expected else alarm.observed / alarm.expected


def _above_standby(alarm: JudgedAlarm) -> float | None:
    if alarm.observed is None or not alarm.rated_w:
        return None
    return (alarm.observed - alarm.learned) / alarm.rated_w


def _fall(alarm: JudgedAlarm) -> float | None:
    share = _of_expected(alarm)
    return None if share is None else 1.0 - share


def _below_learnt(alarm: JudgedAlarm) -> float | None:
    return None if alarm.observed is None or alarm.expected is None else alarm.expected - alarm.observed


_F = FaultClass
THRESHOLDS = (
    Threshold("dark_below", _F.LAMP_FAILURE, "power-below-expected", False, _of_expected),
    Threshold("unexpected_on_w", _F.LAMP_UNEXPECTED_ON, "power-while-commanded-off", True, _observed),
    Threshold("unexpected_on_share", _F.LAMP_UNEXPECTED_ON, "power-while-commanded-off", True, _above_standby),
    Threshold("module_lost_share", _F.LED_MODULE_LOST, "power-stepped-down", True, _fall),
    Threshold("power_factor_low", _F.POWER_FACTOR_TOO_LOW, "power-factor-below-learned", False, _observed),
    Threshold("power_factor_drop", _F.POWER_FACTOR_TOO_LOW, "power-factor-below-learned", True, _below_learnt),
    Threshold("co2_ppm", _F.CO2_TOO_HIGH, "", True, _observed),
    Threshold("hot_water_deg_c", _F.HOT_WATER_TOO_COLD, "", False, _observed),
    Threshold("cold_room_deg_c", _F.COLD_ROOM_TOO_WARM, "", True, _observed),
)
"""Rules that compare with one threshold at a time; an empty rule: whichever raised the fault. What a city's rules do
not have is passed over."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What verdicts say of one threshold.

    Attributes
    ----------
    value : float or None
        Keeps every alarm that was right and drops as many false ones as that allows; None for the reason `why`.
    true, false, other : int
        Alarms judged so that the present value raises; `other` had another cause, and plays no part.
    false_dropped, other_dropped : int
        Of them the proposed value would not have raised these.
    dropped : tuple of str
        Their ids, the first `DROPPED_SHOWN`.
    """

    key: str
    fault: FaultClass
    rule: str
    current: float
    value: float | None
    why: Why | None
    true: int
    false: int
    other: int
    false_dropped: int = 0
    other_dropped: int = 0
    dropped: tuple[str, ...] = ()


def proposals(rules: Mapping[str, float], alarms: Sequence[JudgedAlarm]) -> list[Proposal]:
    """Return what verdicts say of each threshold of a city's rules."""
    return [propose(one, float(rules[one.key]), alarms) for one in THRESHOLDS if one.key in rules]


def propose(threshold: Threshold, current: float, alarms: Sequence[JudgedAlarm]) -> Proposal:
    """Return what verdicts say of one threshold.

    Parameters
    ----------
    current : float
        The value in force. Alarms that it would not raise, from before it was set, are left out.
    """
    sign = 1.0 if threshold.above else -1.0
    found: dict[Finding, list[tuple[float, str]]] = {finding: [] for finding in Finding}
    for alarm in alarms:
        if alarm.fault != threshold.fault or (threshold.rule and alarm.rule != threshold.rule):
            continue
        statistic = threshold.statistic(alarm)
        # Turned so that every rule fires above its threshold.
        if statistic is not None and sign * statistic > sign * current:
            found[alarm.finding].append((sign * statistic, alarm.alarm_id))
    true, false, other = (sorted(found[finding]) for finding in (Finding.TRUE, Finding.FALSE, Finding.OTHER))
    value, why = _between(sign * current, true, false, len(true) + len(false) + len(other))
    dropped = [] if value is None else [alarm_id for at, alarm_id in (*false, *other) if at <= value]
    lost = 0 if value is None else sum(at <= value for at, _ in false)
    return Proposal(
        threshold.key,
        threshold.fault,
        threshold.rule,
        current,
        None if value is None else sign * value,
        why,
        len(true),
        len(false),
        len(other),
        lost,
        len(dropped) - lost,
        tuple(dropped[:DROPPED_SHOWN]),
    )


def _between(
    current: float, true: Sequence[tuple[float, str]], false: Sequence[tuple[float, str]], judged: int
) -> tuple[float | None, Why | None]:
    """Return a value below every true alarm and not below as many false ones as may be, else why there is none."""
    if judged < JUDGED_MIN:
        return None, Why.NOT_ENOUGH
    if not false:
        return None, Why.NONE_FALSE
    if not true:
        return None, Why.NONE_TRUE
    least_true = true[0][0]
    droppable = [at for at, _ in false if at < least_true]
    if not droppable:
        return None, Why.MIXED
    # Half way, so that the next true alarm, a little weaker than all before, is still raised.
    low, middle = max(*droppable, current), (max(droppable) + least_true) / 2
    for digits in _DIGITS:
        rounded = float(f"{middle:.{digits}g}")
        if low <= rounded < least_true:
            return rounded, None
    assert math.isclose(low, least_true), "a value with all its digits lies between"
    return low, None
