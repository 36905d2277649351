"""Reads what lamps lost: alarms of a period, the schedules that command their lamps, and the hours of the readings."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from city.alarm import FaultClass
from city.clock import HOUR_US, from_datetime, to_datetime
from city.errors import DataError
from city.lighting import LightingSchedule
from city.registry import FaultRules
from city.tariff import Tariff
from observatory.energy import LOSS_OF, Claim, Loss
from storage import queries
from storage.pool import Pool, fetch_all

_SQL = queries.load(Path(__file__).with_suffix(".sql"))

DEFAULT_SPAN = timedelta(days=30)
LONGEST = timedelta(days=92)


@dataclass(frozen=True, slots=True)
class WhichLosses:
    """Losses in [since, until), of the city, a district or one lamp; alarms of `hidden` kinds are not the asker's."""

    since: datetime
    until: datetime
    district: str | None = None
    lamp: str | None = None
    hidden: Sequence[str] = ()


def span(since: datetime | None, until: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """Return from when until when: the last 30 days unless told otherwise, and never beyond now.

    Raises
    ------
    DataError
        It is empty, or longer than 92 days.
    """
    end = min(until or now, now)
    begin = since if since is not None else end - DEFAULT_SPAN
    if begin >= end:
        raise DataError("that time is empty: let `from` lie before `to`, and not in the future")
    if end - begin > LONGEST:
        raise DataError(f"that is too long: ask for {LONGEST.days} days at most")
    return begin, end


async def tariff_of(pool: Pool) -> Tariff | None:
    """Return what the city says that electricity costs."""
    rows = await fetch_all(pool, _SQL.settings)
    told = rows[0][2] if rows else None
    return None if told is None else Tariff(float(told["price_per_kwh"]), str(told["currency"]))


async def claims(pool: Pool, wanted: WhichLosses) -> list[Claim]:
    """Return what the alarms of the period claim, lamp by lamp; those that people found false claim nothing.

    Raises
    ------
    EngineError
        The database did not answer.
    """
    settings = await fetch_all(pool, _SQL.settings)
    plain, rules = settings[0][:2] if settings else ((), {})
    parameters = {
        "faults": [str(fault) for fault in LOSS_OF],
        "since": wanted.since,
        "until": wanted.until,
        "district": wanted.district,
        "lamp": wanted.lamp,
        "hidden": list(wanted.hidden),
    }
    rows = await fetch_all(pool, _SQL.claims, parameters)
    hourly, least = await _hours(pool, wanted, sorted({r[9] for r in rows if r[9] is not None and _measured(r[0])}))
    known = _Known(
        {one["schedule_id"]: LightingSchedule.from_plain(one) for one in plain},
        float(rules.get("unexpected_on_w", FaultRules().unexpected_on_w)),
        hourly,
        least,
    )
    # A city that was dark claims tens of thousands of lamps: nobody else waits for that.
    return await asyncio.to_thread(lambda: [c for row in rows if (c := _claim(row, wanted, known))])


@dataclass(frozen=True, slots=True)
class _Known:
    """What claims are made with: schedules, what the rule tolerates of a lamp that is off, hours and least values."""

    schedules: Mapping[str, LightingSchedule]
    tolerated_w: float
    hourly: Mapping[int, Mapping[int, float]]
    least: Mapping[int, float]


def _claim(row: tuple[Any, ...], wanted: WhichLosses, known: _Known) -> Claim | None:
    fault, raised_at, cleared_at, observed_w, excess, lamp_id, district, rated_w, schedule_id, series = row
    if schedule_id not in known.schedules:
        return None
    return Claim(
        lamp_id,
        district,
        LOSS_OF[fault],
        from_datetime(max(raised_at, wanted.since)),
        from_datetime(min(cleared_at or wanted.until, wanted.until)),
        rated_w,
        known.schedules[schedule_id],
        observed_w,
        # A lamp that never was off in this time has no standby to see: no more than the rule tolerates.
        min(known.least.get(series, 0.0), known.tolerated_w),
        known.hourly.get(series, {}),
        series is not None,
        excess,
    )


def _measured(fault: str) -> bool:
    return LOSS_OF[FaultClass(fault)] is not Loss.NOT_DELIVERED


async def _hours(
    pool: Pool, wanted: WhichLosses, series: Sequence[int]
) -> tuple[dict[int, dict[int, float]], dict[int, float]]:
    """Return of each series the mean of every hour, by its start in µs UTC, and the least value of the time."""
    hourly: dict[int, dict[int, float]] = defaultdict(dict)
    least: dict[int, float] = {}
    if not series:
        return hourly, least
    since = to_datetime(from_datetime(wanted.since) // HOUR_US * HOUR_US)
    parameters: dict[str, Any] = {"series": list(series), "since": since, "until": wanted.until}
    for number, bucket, mean, minimum in await fetch_all(pool, _SQL.hours, parameters):
        hourly[number][from_datetime(bucket)] = float(mean)
        least[number] = min(least.get(number, float(minimum)), float(minimum))
    return hourly, least
