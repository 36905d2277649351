"""From counters and alarms to lives: what each lamp has burnt, what failed, and what is expected of it."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from city.alarm import FaultClass
from city.clock import DAY_US, HOUR_US, from_datetime
from city.tariff import RelampingPrices
from observatory.lives import ANY, PRIORS, Fit, Lives, fit, remaining, shrunk
from observatory.relamping import Life, Round, plan
from storage import queries
from storage.pool import Pool, fetch_all

_SQL = queries.load(Path(__file__).with_suffix(".sql"))

FAILURES = frozenset({FaultClass.LAMP_FAILURE, FaultClass.LED_MODULE_LOST})
"""Ends of a lamp's life; whatever is over within `REPAIRED_US` was none: nobody was there to change it."""
REPAIRED_US = 2 * HOUR_US
DRIFTS = frozenset({FaultClass.CYCLING_FAILURE, FaultClass.LAMP_POWER_TOO_LOW, FaultClass.LAMP_POWER_TOO_HIGH})
"""What goes before failures: worn discharge lamps cycle, drivers and lamps drift in power."""
OWN_WEIGHT, GROUP_WEIGHT = 3.0, 10.0
"""So many failures is it worth that a lamp is like its type, and that drifting or much switched lamps are."""
OFTEN = 1.5
"""Switch-ons for each hour of burning, beyond the median of its type by this factor."""
RISK_LEAST, RISK_MOST = 0.25, 8.0
USUAL_HOURS_A_YEAR = 4_100.0
"""Of street light from dusk to dawn at any latitude where people live; for who was counted for less than a month."""
_COUNTED_DAYS = 28.0
_LEAST_H = 1.0


@dataclass(frozen=True, slots=True)
class CityLives:
    """What a city's lamps are expected to do.

    Attributes
    ----------
    lives : tuple of Life
        By id; lamps whose hours nobody counts are not among them.
    fits : dict
        Type → posterior of its life.
    rounds : tuple of Round
        What to change this year.
    """

    lives: tuple[Life, ...]
    fits: dict[str, Fit]
    rounds: tuple[Round, ...]
    prices: RelampingPrices | None

    def of(self, lamp_id: str) -> Life | None:
        """Return what is expected of one lamp; None where nobody counts its hours."""
        return next((one for one in self.lives if one.lamp_id == lamp_id), None)


@dataclass(slots=True)
class _Lamp:
    """What was read of one lamp; ages are what its counter said, hours of burning."""

    lamp_id: str
    district: str
    lamp_type: str
    first_h: float
    last_h: float
    hours_a_year: float
    switches_an_hour: float | None
    failures: list[tuple[float, float]]
    """When it failed, and when it was repaired."""
    drifts: list[float]
    """When something was seen that goes before failures."""
    dark: bool = False
    """It has failed and is not repaired."""

    def spans(self) -> list["_Span"]:
        """Return its lives, as far as they were seen."""
        found, new_at, since = [], 0.0, self.first_h
        for failed_h, repaired_h in self.failures:
            if failed_h - since >= _LEAST_H:
                found.append(_Span(new_at, since, failed_h, failed=True))
            new_at = since = max(repaired_h, since)
        if self.last_h - since >= _LEAST_H:
            found.append(_Span(new_at, since, self.last_h, failed=False))
        return found

    @property
    def new_at(self) -> float:
        return max((repaired for _, repaired in self.failures), default=0.0)

    @property
    def drifts_now(self) -> bool:
        return any(at >= self.new_at for at in self.drifts)


@dataclass(frozen=True, slots=True)
class _Span:
    """One life by the counter, hours: when it was new, from when until when it was seen, and how that ended."""

    new_at: float
    begin: float
    end: float
    failed: bool


async def city_lives(pool: Pool) -> CityLives:
    """Read all lamps and say how long they may last.

    Raises
    ------
    EngineError
        The database did not answer.
    """
    settings = await fetch_all(pool, _SQL.settings)
    told = settings[0][0] if settings else None
    prices = None if told is None else RelampingPrices(float(told["planned"]), float(told["fault"]), told["currency"])
    rows = await fetch_all(pool, _SQL.lamps)
    alarms = await fetch_all(pool, _SQL.alarms, {"faults": sorted(FAILURES | DRIFTS)})
    # Seconds for a large city: nobody else waits for that.
    return await asyncio.to_thread(forecast, _lamps(rows, alarms), prices)


def forecast(lamps: Sequence[_Lamp], prices: RelampingPrices | None) -> CityLives:
    """Return what is expected of lamps (pure)."""
    by_type: dict[str, list[_Lamp]] = defaultdict(list)
    for lamp in lamps:
        by_type[lamp.lamp_type].append(lamp)
    fits: dict[str, Fit] = {}
    lives: list[Life] = []
    for name, members in sorted(by_type.items()):
        spans = [span for lamp in members for span in lamp.spans()]
        table = np.array([(one.begin - one.new_at, one.end - one.new_at) for one in spans]).reshape(-1, 2)
        seen = Lives(table[:, 0], table[:, 1], np.array([one.failed for one in spans], bool))
        fits[name] = fit(seen, PRIORS.get(name, ANY))
        lives += _of_type(name, members, fits[name])
    lives.sort(key=lambda one: one.lamp_id)
    return CityLives(tuple(lives), fits, tuple(plan(lives, fits, prices)), prices)


def _of_type(name: str, lamps: Sequence[_Lamp], fitted: Fit) -> list[Life]:
    observed = np.array([float(len(lamp.failures)) for lamp in lamps])
    expected = np.array([_expected(fitted, lamp.spans()) for lamp in lamps])
    often = _often(lamps)
    drifts = np.array([lamp.drifts_now for lamp in lamps])
    risk = shrunk(observed, expected, OWN_WEIGHT)
    risk = np.where(drifts, risk * _drift_risk(fitted, lamps), risk)
    if often.any():
        alike = shrunk(observed[often].sum(keepdims=True), expected[often].sum(keepdims=True), GROUP_WEIGHT)
        risk = np.where(often, risk * alike[0], risk)
    risk = np.clip(risk, RISK_LEAST, RISK_MOST)
    ages = np.array([lamp.last_h - lamp.new_at for lamp in lamps])
    yearly = np.array([lamp.hours_a_year for lamp in lamps])
    told = remaining(fitted, ages, risk, yearly)
    found = [
        Life(
            lamp.lamp_id, lamp.district, name, float(ages[i]), lamp.hours_a_year, len(lamp.failures), float(risk[i]),
            float(told.low_h[i]), float(told.median_h[i]), float(told.high_h[i]), float(told.within[i]),
            bool(drifts[i]), bool(often[i]), lamp.dark,
        )
        for i, lamp in enumerate(lamps)
    ]  # fmt: skip
    return [replace(one, low_h=0.0, median_h=0.0, high_h=0.0, within_year=1.0) if one.dark else one for one in found]


def _expected(fitted: Fit, spans: Sequence[_Span]) -> float:
    """Return how many failures a type would have had in the ages that were seen."""
    ages = np.array([age - one.new_at for one in spans for age in (one.begin, one.end)])
    hazard = fitted.hazard(ages) if len(ages) else ages
    return float(hazard[1::2].sum() - hazard[::2].sum())


def _drift_risk(fitted: Fit, lamps: Sequence[_Lamp]) -> float:
    """Return by how much more lamps fail once they have drifted or cycled, over all of a type."""
    after = [
        replace(one, begin=max(one.begin, drifts[0]))
        for lamp in lamps
        for one in lamp.spans()
        if (drifts := [at for at in lamp.drifts if one.new_at <= at < one.end])
    ]
    observed, expected = float(sum(one.failed for one in after)), _expected(fitted, after)
    return float(shrunk(np.array([observed]), np.array([expected]), GROUP_WEIGHT)[0])


def _often(lamps: Sequence[_Lamp]) -> Any:
    rates = np.array([np.nan if lamp.switches_an_hour is None else lamp.switches_an_hour for lamp in lamps])
    known = rates[np.isfinite(rates)]
    usual = float(np.median(known)) if len(known) else 0.0
    return np.isfinite(rates) & (usual > 0) & (np.nan_to_num(rates) > OFTEN * usual)


def _lamps(rows: Sequence[tuple[Any, ...]], alarms: Sequence[tuple[Any, ...]]) -> list[_Lamp]:
    told: dict[str, list[tuple[FaultClass, datetime, datetime | None]]] = defaultdict(list)
    for lamp_id, fault, raised_at, cleared_at in alarms:
        told[lamp_id].append((FaultClass(fault), raised_at, cleared_at))
    return [_lamp(row, told[row[0]]) for row in rows]


def _lamp(row: tuple[Any, ...], alarms: Sequence[tuple[FaultClass, datetime, datetime | None]]) -> _Lamp:
    lamp_id, district, lamp_type, first_at, first_h, last_at, last_h, begun, ended = row
    days = (from_datetime(last_at) - from_datetime(first_at)) / DAY_US
    burnt = max(last_h - first_h, 0.0)
    yearly = burnt / days * 365.25 if days >= _COUNTED_DAYS and burnt else USUAL_HOURS_A_YEAR
    switches = None if begun is None or burnt < _LEAST_H else max(ended - begun, 0.0) / burnt

    def age(at: datetime) -> float:
        """Return what its counter said at a time, hours; between the days that are known it went on evenly."""
        ago_days = (from_datetime(last_at) + DAY_US - from_datetime(at)) / DAY_US
        return float(min(max(last_h - ago_days * yearly / 365.25, first_h), last_h))

    ends = [(raised, cleared) for fault, raised, cleared in alarms if fault in FAILURES]
    failures = [
        (age(raised), age(cleared))
        for raised, cleared in ends
        if cleared is not None and from_datetime(cleared) - from_datetime(raised) >= REPAIRED_US
    ]
    standing = [age(raised) for raised, cleared in ends if cleared is None]
    if standing:
        failures.append((standing[0], last_h))
    drifts = [age(raised) for fault, raised, _ in alarms if fault in DRIFTS]
    return _Lamp(lamp_id, district, lamp_type, first_h, last_h, yearly, switches, failures, drifts, dark=bool(standing))
