"""Reads the figures: over time, by district, and of the whole period."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from observatory.figures import Figure, Source, Sums, Value, Why, value_of
from observatory.periods import Period
from storage import queries
from storage.pool import Pool, fetch_all

_SQL = queries.load(Path(__file__).with_suffix(".sql"))

Key = datetime | str | None
"""A bucket's start, a district ('' for none), or None for the whole."""
_HOUR = timedelta(hours=1)
_WAYS = ("time", "district", "all")
_Sums = dict[str, dict[str, dict[Key, Sums]]]
"""By figure, way and key."""


@dataclass(frozen=True, slots=True)
class Point:
    """One bucket of a figure."""

    since: datetime
    until: datetime
    value: Value


@dataclass(frozen=True, slots=True)
class FigureRead:
    """A figure in a period."""

    figure: Figure
    total: Value
    points: tuple[Point, ...]
    districts: Mapping[str, Value]
    """By district id; '' is what belongs to none. Empty where one district was asked for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which figures, where and when; `hidden` are the asset kinds whose tickets the asker may not see."""

    figures: Sequence[Figure]
    period: Period
    now: datetime
    hidden: Sequence[str] = ()
    district: str | None = None


@dataclass(frozen=True, slots=True)
class _Progress:
    """How far there is anything to tell.

    Attributes
    ----------
    begins : datetime or None
        When the city was connected.
    stored : datetime or None
        City time up to which every reading that came is stored.
    waiting : sequence of datetime
        Starts of hours before that which have still to be counted, ascending.
    """

    begins: datetime | None
    stored: datetime | None
    waiting: Sequence[datetime]

    def has_counted(self, since: datetime, until: datetime) -> bool:
        """Tell whether any hour of [since, until) has been counted."""
        if self.stored is None:
            return False
        hours = (min(until, self.stored) - since) // _HOUR
        return hours > bisect_left(self.waiting, until) - bisect_left(self.waiting, since)


async def districts(pool: Pool) -> dict[str, str]:
    """Return the name of every district by its id."""
    return {str(key): str(name) for key, name in await fetch_all(pool, _SQL.districts)}


async def read_figures(pool: Pool, wanted: Wanted) -> dict[str, FigureRead]:
    """Return each figure by its id.

    Raises
    ------
    EngineError
        The database did not answer.
    """
    progress = await _progress(pool, wanted.period)
    known = sorted(await districts(pool)) if wanted.district is None else []
    sums = _Sums({figure.figure_id: {by: {} for by in _WAYS} for figure in wanted.figures})
    await _add_telemetry(pool, wanted, sums)
    for by in _WAYS:
        await _add_tickets(pool, wanted, by, sums)
    found: dict[str, FigureRead] = {}
    whole = (wanted.period.since, wanted.period.until)
    for figure in wanted.figures:
        told = sums[figure.figure_id]
        split = told["district"] if wanted.district is None else {}
        found[figure.figure_id] = FigureRead(
            figure,
            _judged(figure, told["all"].get(None), whole, progress),
            tuple(_points(figure, told["time"], wanted, progress)),
            {
                place: _judged(figure, split.get(place), whole, progress)
                for place in [*known, *([""] if "" in split else [])]
            },
        )
    return found


async def _progress(pool: Pool, span: Period) -> _Progress:
    # What waits is read first: what is counted meanwhile only makes it say too little.
    waiting = await fetch_all(pool, _SQL.waiting, {"since": span.since, "until": span.until})
    begins = (await fetch_all(pool, _SQL.begins))[0][0]
    stored = (await fetch_all(pool, _SQL.stored))[0][0]
    return _Progress(begins, stored, [hour for (hour,) in waiting if stored is not None and hour + _HOUR <= stored])


def _points(figure: Figure, sums: Mapping[Key, Sums], wanted: Wanted, progress: _Progress) -> list[Point]:
    buckets = wanted.period.buckets()
    return [Point(*bucket, _judged(figure, sums.get(bucket[0]), bucket, progress)) for bucket in buckets]


def _judged(figure: Figure, sums: Sums | None, span: tuple[datetime, datetime], progress: _Progress) -> Value:
    """Return the value; before the city was connected there is none, whatever the tables do not hold."""
    if progress.begins is None or span[1] <= progress.begins:
        return Value(None, None, 0.0, Why.NOT_RUNNING)
    if sums is None and figure.source is Source.TELEMETRY and not progress.has_counted(*span):
        return Value(None, None, 0.0, Why.NOT_COUNTED)
    return value_of(figure, sums)


async def _add_telemetry(pool: Pool, wanted: Wanted, sums: _Sums) -> None:
    names = [figure.figure_id for figure in wanted.figures if figure.source is Source.TELEMETRY]
    if not names:
        return
    for name, bucket, place, part, whole in await fetch_all(
        pool, _SQL.telemetry, {**_parameters(wanted, "time"), "figures": names}
    ):
        ways: tuple[tuple[str, Key], ...] = (("time", bucket), ("district", place), ("all", None))
        for by, key in ways:
            before = sums[name][by].get(key, _NONE)
            sums[name][by][key] = Sums((before.part or 0) + (part or 0), before.whole + whole)


async def _add_tickets(pool: Pool, wanted: Wanted, by: str, sums: _Sums) -> None:
    """Add the sums of the tickets one way; medians do not add up, so that each way asks anew."""
    parameters = _parameters(wanted, by)
    opened: dict[Key, Sums] = {}
    solved: dict[Key, Sums] = {}
    if {"tickets-opened", "found-by-sensors", "tickets-open"} & set(sums):
        for bucket, place, count, by_sensor in await fetch_all(pool, _SQL.opened, parameters):
            opened[_key(by, bucket, place)] = Sums(by_sensor, count)
    if {"tickets-solved", "repair-time", "tickets-open"} & set(sums):
        for bucket, place, count, median_h in await fetch_all(pool, _SQL.solved, parameters):
            solved[_key(by, bucket, place)] = Sums(median_h, count)
    flows = {key: Sums(told.whole) for key, told in opened.items()}
    ends = {key: Sums(told.whole) for key, told in solved.items()}
    told = {"tickets-opened": flows, "found-by-sensors": opened, "tickets-solved": ends, "repair-time": solved}
    for name in sums.keys() & told.keys():
        sums[name][by] = told[name]
    if "tickets-open" in sums:
        sums["tickets-open"][by] = await _standing(pool, wanted, by, flows, ends)


async def _standing(
    pool: Pool, wanted: Wanted, by: str, opened: Mapping[Key, Sums], solved: Mapping[Key, Sums]
) -> dict[Key, Sums]:
    """Return how many tickets stood open: at the end of each bucket from what stood before it, else at the end."""
    at = wanted.period.since if by == "time" else wanted.period.until
    rows = await fetch_all(pool, _SQL.standing, {**_parameters(wanted, by), "at": at})
    if by == "district":
        return {place: Sums(count) for place, count in rows}
    standing = float(sum(count for _, count in rows))
    if by == "all":
        return {None: Sums(standing)}
    told: dict[Key, Sums] = {}
    for start, _ in wanted.period.buckets():
        standing += (opened.get(start, _NONE).part or 0) - (solved.get(start, _NONE).part or 0)
        told[start] = Sums(standing)
    return told


def _parameters(wanted: Wanted, by: str) -> dict[str, Any]:
    return {
        "by": by,
        "since": wanted.period.since,
        "until": wanted.period.until,
        "step": str(wanted.period.step),
        "timezone": wanted.period.timezone,
        "district": wanted.district,
        "hidden": list(wanted.hidden),
    }


_NONE = Sums(0.0)


def _key(by: str, bucket: datetime | None, place: str | None) -> Key:
    return bucket if by == "time" else place if by == "district" else None


def latest(read: FigureRead) -> Point | None:
    """Return the last bucket that has a value."""
    return next((point for point in reversed(read.points) if point.value.value is not None), None)
