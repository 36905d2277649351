"""Energy that faults of lamps cost, and light that they kept back: by alarms, schedules and hours of readings. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache

from city.alarm import FaultClass
from city.clock import HOUR_US
from city.lighting import FULL_PCT, LightingSchedule

_WH_PER_KWH = 1000.0


class Loss(StrEnum):
    """What a fault does to the energy of a lamp."""

    BY_DAY = "burnt-by-day"
    OVER_POWER = "over-power"
    NOT_DELIVERED = "not-delivered"
    """Nothing was spent, and no light given: what the lamp would have taken."""


_F = FaultClass
LOSS_OF = {
    **dict.fromkeys((_F.LAMP_UNEXPECTED_ON, _F.SWITCHING_ERROR_ON), Loss.BY_DAY),
    **dict.fromkeys((_F.LAMP_POWER_TOO_HIGH, _F.DIMMING_FAILURE), Loss.OVER_POWER),
    **dict.fromkeys((_F.LAMP_FAILURE, _F.SUPPLY_LOSS, _F.CIRCUIT_BREAKER_TRIPPED), Loss.NOT_DELIVERED),
    **dict.fromkeys((_F.SWITCHING_ERROR_OFF, _F.CABLE_THEFT), Loss.NOT_DELIVERED),
}


@dataclass(frozen=True, slots=True)
class Claim:
    """One lamp and the time in which an alarm says that it lost energy, [since_us, until_us), µs UTC.

    Attributes
    ----------
    rated_w : float or None
        None: the inventory does not say, and nothing that needs it is counted.
    observed_w : float or None
        What the alarm saw; it stands for the parts of hours that a switching time or the alarm divides.
    standby_w : float
        What the lamp draws while it is off.
    hourly_w : mapping
        Start of an hour, µs UTC → mean power in it; an hour of which nothing was heard counts nothing.
    measured : bool
        Its power is measured. Where counters alone are, it is taken for what the inventory says: an estimate.
    excess : float or None
        Share of what it draws that is too much, as the alarm saw it beside what was learnt of this lamp; None: nobody
        learnt it, and the inventory has to tell.
    """

    lamp_id: str
    district: str
    loss: Loss
    since_us: int
    until_us: int
    rated_w: float | None
    schedule: LightingSchedule
    observed_w: float | None = None
    standby_w: float = 0.0
    hourly_w: Mapping[int, float] = field(default_factory=dict)
    measured: bool = True
    excess: float | None = None


def kwh_of(claim: Claim) -> float:
    """Return the energy of one claim, kWh, never below zero."""
    if claim.until_us <= claim.since_us:
        return 0.0
    match claim.loss:
        case Loss.NOT_DELIVERED:
            hours = full_hours(claim.schedule, claim.since_us, claim.until_us)
            return (claim.rated_w or 0.0) * hours / _WH_PER_KWH
        case Loss.BY_DAY:
            off = _off(claim.schedule, claim.since_us, claim.until_us)
            if not claim.measured:
                burnt_w = max((claim.rated_w or 0.0) - claim.standby_w, 0.0)
                return sum(b - a for a, b in off) / HOUR_US * burnt_w / _WH_PER_KWH
            pieces = ((a, b, claim.standby_w) for a, b in off)
        case Loss.OVER_POWER:
            return _over_power(claim)
    return sum(_above(claim, *piece) for piece in pieces) / _WH_PER_KWH


def _over_power(claim: Claim) -> float:
    """Return what a lamp drew too much while it was to burn, kWh."""
    rated_w, excess = claim.rated_w or 0.0, claim.excess
    if excess is not None and not claim.measured:
        hours = full_hours(claim.schedule, claim.since_us, claim.until_us)
        return rated_w * hours * excess / (1.0 - excess) / _WH_PER_KWH
    levels = _levels(claim.schedule, claim.since_us, claim.until_us)
    if excess is not None:
        return sum(_above(claim, a, b, 0.0) for a, b, _ in levels) * excess / _WH_PER_KWH
    if not rated_w:
        return 0.0
    return sum(_above(claim, a, b, rated_w * level / FULL_PCT) for a, b, level in levels) / _WH_PER_KWH


@lru_cache(maxsize=4096)
def full_hours(schedule: LightingSchedule, since_us: int, until_us: int) -> float:
    """Return for how many hours lamps were to burn, an hour at half the level counting as half of one.

    The lamps of a feeder that is out share schedule and time, so that a street costs what one lamp costs.
    """
    return sum((b - a) * level for a, b, level in _levels(schedule, since_us, until_us)) / FULL_PCT / HOUR_US


def disjoint(claims: Iterable[Claim]) -> list[Claim]:
    """Return the claims so that nothing counts twice that a lamp's own alarm and its feeder's both say."""
    found: list[Claim] = []
    reach: dict[tuple[str, Loss], int] = {}
    for claim in sorted(claims, key=lambda c: (c.lamp_id, c.loss, c.since_us, c.observed_w is None)):
        key = (claim.lamp_id, claim.loss)
        begin = max(claim.since_us, reach.get(key, claim.since_us))
        if begin < claim.until_us:
            found.append(replace(claim, since_us=begin))
            reach[key] = claim.until_us
    return found


@dataclass(frozen=True, slots=True)
class Lost:
    """What one loss comes to in one district: kWh, and the number of lamps."""

    loss: Loss
    district: str
    lamps: int
    kwh: float


def by_district(claims: Iterable[Claim]) -> list[Lost]:
    """Return what each loss comes to in each district, the largest first."""
    energy: dict[tuple[Loss, str], float] = {}
    lamps: dict[tuple[Loss, str], set[str]] = {}
    for claim in disjoint(claims):
        kwh = kwh_of(claim)
        if kwh > 0:
            key = (claim.loss, claim.district)
            energy[key] = energy.get(key, 0.0) + kwh
            lamps.setdefault(key, set()).add(claim.lamp_id)
    found = [Lost(loss, district, len(lamps[loss, district]), kwh) for (loss, district), kwh in energy.items()]
    order = list(Loss)
    return sorted(found, key=lambda one: (order.index(one.loss), -one.kwh, one.district))


def together(lost: Iterable[Lost]) -> list[Lost]:
    """Return the sum of each loss over all districts, of every loss one."""
    lost = list(lost)
    return [
        Lost(loss, "", sum(o.lamps for o in lost if o.loss is loss), sum(o.kwh for o in lost if o.loss is loss))
        for loss in Loss
    ]


def _above(claim: Claim, begin: int, end: int, level_w: float) -> float:
    """Return the energy above a level between two moments, Wh: hour by hour."""
    total = 0.0
    for hour in range(begin - begin % HOUR_US, end, HOUR_US):
        a, b = max(begin, hour), min(end, hour + HOUR_US)
        mean_w = claim.hourly_w.get(hour)
        # In an hour that is divided, the mean is of both parts: what the alarm saw says more of its part.
        seen_w = mean_w if b - a == HOUR_US or claim.observed_w is None else claim.observed_w
        if seen_w is not None:
            total += max(seen_w - level_w, 0.0) * (b - a) / HOUR_US
    return total


def _levels(schedule: LightingSchedule, since_us: int, until_us: int) -> Iterator[tuple[int, int, int]]:
    """Yield the stretches in which lamps are to burn, cut to a time: from, to, level in percent."""
    for begin, end, level in schedule.levels(since_us, until_us):
        a, b = max(begin, since_us), min(end, until_us)
        if a < b:
            yield a, b, level


def _off(schedule: LightingSchedule, since_us: int, until_us: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches in which lamps are to be off, cut to a time."""
    on, off = schedule.periods(since_us, until_us)
    at = since_us
    for begin, end in zip(on.tolist(), off.tolist(), strict=True):
        if at < begin:
            yield at, min(begin, until_us)
        at = max(at, end)
    if at < until_us:
        yield at, until_us
