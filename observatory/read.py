"""Reads the figures: over time, by district, and of the whole period."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from observatory.figures import FIGURES, Figure, Kind, Source, Sums, Value, Why, value_of
from observatory.periods import Period
from storage import queries
from storage.pool import Pool, fetch_all

_SQL = queries.load(Path(__file__).with_suffix(".sql"))

Key = datetime | str | None
"""A bucket's start, a district ('' for none), or None for the whole."""


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


async def districts(pool: Pool) -> dict[str, str]:
    """Return the name of every district by its id."""
    return {str(key): str(name) for key, name in await fetch_all(pool, _SQL.districts)}


async def read_figures(pool: Pool, wanted: Wanted, *, by_district: bool = True) -> dict[str, FigureRead]:
    """Return each figure by its id.

    Raises
    ------
    EngineError
        The database did not answer.
    """
    begins = (await fetch_all(pool, _SQL.begins))[0][0]
    over_time = await _sums(pool, wanted, "time")
    whole = await _sums(pool, wanted, "all")
    split = await _sums(pool, wanted, "district") if by_district and wanted.district is None else {}
    known = sorted(await districts(pool)) if split or (by_district and wanted.district is None) else []
    found: dict[str, FigureRead] = {}
    for figure in wanted.figures:
        sums = split.get(figure.figure_id, {})
        places = [*known, *([""] if "" in sums else [])]
        total = _judged(figure, whole[figure.figure_id].get(None), wanted.period.until, begins)
        found[figure.figure_id] = FigureRead(
            figure,
            total,
            tuple(_points(figure, over_time[figure.figure_id], wanted, begins)),
            {place: _judged(figure, sums.get(place), wanted.period.until, begins) for place in places},
        )
    return found


def _points(figure: Figure, sums: Mapping[Key, Sums], wanted: Wanted, begins: datetime | None) -> list[Point]:
    return [Point(start, end, _judged(figure, sums.get(start), end, begins)) for start, end in wanted.period.buckets()]


def _judged(figure: Figure, sums: Sums | None, until: datetime, begins: datetime | None) -> Value:
    """Return the value; before the city was connected there is none, whatever the tables do not hold."""
    if begins is None or until <= begins:
        return Value(None, None, 0.0, Why.NOT_RUNNING)
    return value_of(figure, sums)


async def _sums(pool: Pool, wanted: Wanted, by: str) -> dict[str, dict[Key, Sums]]:
    """Return the sums of every figure by bucket, by district, or in one."""
    found: dict[str, dict[Key, Sums]] = {name: {} for name in FIGURES}
    parameters: dict[str, Any] = {
        "by": by,
        "since": wanted.period.since,
        "until": wanted.period.until,
        "step": str(wanted.period.step),
        "timezone": wanted.period.timezone,
        "district": wanted.district,
        "hidden": list(wanted.hidden),
    }
    names = [figure.figure_id for figure in wanted.figures]
    telemetry = [name for name in names if FIGURES[name].source is Source.TELEMETRY]
    if telemetry:
        for name, bucket, place, part, counted in await fetch_all(
            pool, _SQL.telemetry, {**parameters, "figures": telemetry}
        ):
            found[name][_key(by, bucket, place)] = Sums(part, counted)
    if {"tickets-opened", "found-by-sensors", "tickets-open"} & set(names):
        for bucket, place, opened, by_sensor in await fetch_all(pool, _SQL.opened, parameters):
            key = _key(by, bucket, place)
            found["tickets-opened"][key] = Sums(opened)
            found["found-by-sensors"][key] = Sums(by_sensor, opened)
    if {"tickets-solved", "repair-time", "tickets-open"} & set(names):
        for bucket, place, solved, median_h in await fetch_all(pool, _SQL.solved, parameters):
            key = _key(by, bucket, place)
            found["tickets-solved"][key] = Sums(solved)
            found["repair-time"][key] = Sums(median_h, solved)
    if "tickets-open" in names:
        found["tickets-open"] = await _standing(pool, wanted, by, found, parameters)
    return found


async def _standing(
    pool: Pool, wanted: Wanted, by: str, found: Mapping[str, Mapping[Key, Sums]], parameters: Mapping[str, Any]
) -> dict[Key, Sums]:
    """Return how many tickets stood open: at the end of each bucket from what stood before it, else at the end."""
    at = wanted.period.since if by == "time" else wanted.period.until
    rows = await fetch_all(pool, _SQL.standing, {**parameters, "at": at})
    if by == "district":
        return {place: Sums(count) for place, count in rows}
    standing = float(sum(count for _, count in rows))
    if by == "all":
        return {None: Sums(standing)}
    told: dict[Key, Sums] = {}
    for start, _ in wanted.period.buckets():
        standing += found["tickets-opened"].get(start, _NONE).part or 0
        standing -= found["tickets-solved"].get(start, _NONE).part or 0
        told[start] = Sums(standing)
    return told


_NONE = Sums(0.0)


def _key(by: str, bucket: datetime | None, place: str | None) -> Key:
    return bucket if by == "time" else place if by == "district" else None


def latest(read: FigureRead) -> Point | None:
    """Return the last bucket that has a value."""
    return next((point for point in reversed(read.points) if point.value.value is not None), None)


__all__ = ["FigureRead", "Kind", "Point", "Wanted", "districts", "latest", "read_figures"]
