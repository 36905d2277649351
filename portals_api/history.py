"""Histories of series: which resolution serves a chart best, and its points with mean, least and greatest."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import psycopg

from city.clock import from_datetime
from city.errors import DataError, EngineError, NotFoundError
from portals_api.rows import Row, rows
from portals_api.visibility import Viewer, hidden_kinds
from storage import queries
from storage.pool import Pool, engine_errors

_SQL = queries.load(Path(__file__).with_suffix(".sql"))

POINTS_DEFAULT, POINTS_MAX = 1000, 5000
_HOURS_TOGETHER_MAX = 6
"""Beyond it, days are as good, and a tenth of the rows."""
_SPARE = 2
"""Buckets on both borders of a span that belong to it in part."""
_DAY_ORIGIN = datetime(2000, 1, 1, 12, tzinfo=UTC)
"""Days begin at a city's midnight, which summer time moves by an hour: noon is far enough from it anywhere near UTC."""
_HOUR_ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)


class Resolution(StrEnum):
    """What one point stands for."""

    RAW = "raw"
    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Span:
    """From when, until when (exclusive), and in how many points at most."""

    since: datetime
    until: datetime
    points: int = POINTS_DEFAULT


@dataclass(frozen=True, slots=True)
class Step:
    """The resolution that serves a span, and how many of its buckets make one point."""

    resolution: Resolution
    width: timedelta


def step_for(span: Span, report_interval_s: int) -> Step:
    """Return a fine step that keeps to the points asked for.

    Raw while the device cannot have reported more than that; else hours, days, or several of them together.
    """
    length = max(span.until - span.since, timedelta(0))
    if length <= timedelta(seconds=max(report_interval_s, 1)) * span.points:
        return Step(Resolution.RAW, timedelta(0))
    for resolution, unit in ((Resolution.HOUR, timedelta(hours=1)), (Resolution.DAY, timedelta(days=1))):
        together = -(-length // (unit * span.points))
        if resolution is Resolution.DAY or together <= _HOURS_TOGETHER_MAX:
            return Step(resolution, unit * max(together, 1))
    raise AssertionError("days serve any span")


async def series(pool: Pool, viewer: Viewer, series_id: int) -> Row:
    """Return one series: device, metric, unit, what it measures.

    Raises
    ------
    NotFoundError
        There is none of that number, or not for this viewer.
    """
    found = await rows(pool, _SQL.series, series=series_id, hidden=hidden_kinds(viewer))
    if not found:
        raise NotFoundError(f"there is no series {series_id}")
    return {**found[0], "url": f"/series/{series_id}"}


async def siblings(pool: Pool, device: str) -> list[Row]:
    """Return the series of one device by metric."""
    return await rows(pool, _SQL.siblings, device=device)


async def reach(pool: Pool, series_id: int) -> tuple[datetime, datetime] | None:
    """Return the first and the last moment of a series; None while it has no reading."""
    found = await rows(pool, _SQL.reach, series=series_id)
    first, last = found[0]["first"], found[0]["last"]
    if first is None or last is None:
        return None
    return datetime.fromisoformat(first), datetime.fromisoformat(last)


async def points(
    pool: Pool, one: Row, *, since: datetime | None, until: datetime | None, points_max: int = POINTS_DEFAULT
) -> Row:
    """Return the points of a series (a row of `series`) as columns.

    Returns
    -------
    dict
        ``at_s`` (Unix seconds), ``n``, ``mean``, ``minimum``, ``maximum``: lists of equal length in order of time; with
        ``resolution``, ``step_s`` (0 where raw), ``from`` and ``to``. What is not given reaches to the end of what is
        there.

    Raises
    ------
    DataError
        `since` is not before `until`.
    """
    known = await reach(pool, one["id"]) if since is None or until is None else None
    if since is not None and until is not None and since >= until:
        raise DataError("`from` must be before `to`")
    columns: Row = {"at_s": [], "n": [], "mean": [], "minimum": [], "maximum": []}
    if known is not None:
        since = since or known[0]
        until = until or max(known[1] + timedelta(seconds=1), since + timedelta(seconds=1))
    if since is None or until is None:
        return {**_about(one, None, None, Step(Resolution.RAW, timedelta(0))), **columns}
    span = Span(since, until, points_max)
    step = step_for(span, one["report_interval_s"])
    for at, *values in await _fetch(pool, one["id"], span, step):
        columns["at_s"].append(from_datetime(at) // 1_000_000)
        for name, value in zip(("n", "mean", "minimum", "maximum"), values, strict=True):
            columns[name].append(round(value, 4) if isinstance(value, float) else value)
    return {**_about(one, since, until, step), **columns}


def _about(one: Row, since: datetime | None, until: datetime | None, step: Step) -> Row:
    told = {name: one[name] for name in ("device", "metric", "unit")}
    return {
        "series": one["id"],
        **told,
        "resolution": str(step.resolution),
        "step_s": int(step.width.total_seconds()),
        "from": since and since.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "to": until and until.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }


async def _fetch(pool: Pool, series_id: int, span: Span, step: Step) -> list[tuple[Any, ...]]:
    statement = {
        Resolution.RAW: _SQL.points_raw,
        Resolution.HOUR: _SQL.points_hour,
        Resolution.DAY: _SQL.points_day,
    }[step.resolution]
    # A bucket that the span begins in belongs to it.
    early = timedelta(0) if step.resolution is Resolution.RAW else step.width
    parameters = {
        "series": series_id,
        "since": span.since - early,
        "until": span.until,
        "step": step.width,
        "origin": _DAY_ORIGIN if step.resolution is Resolution.DAY else _HOUR_ORIGIN,
        "limit": span.points + _SPARE,
    }
    with engine_errors():
        async with pool.connection() as connection:
            try:
                cursor = await connection.execute(statement, parameters, prepare=False)
            except psycopg.errors.UndefinedTable as exc:
                raise EngineError("the tables are not laid out yet: wait until the workers have started") from exc
            return await cursor.fetchall()


async def latest_of(pool: Pool, series_ids: list[int], limit: int) -> dict[int, list[tuple[int, float]]]:
    """Return the latest raw values of several series: (µs UTC, value), oldest first."""
    found: dict[int, list[tuple[int, float]]] = {number: [] for number in series_ids}
    for row in await rows(pool, _SQL.latest_of, series=series_ids, limit=limit):
        at = from_datetime(datetime.fromisoformat(row["observed_at"]))
        found[row["series"]].append((at, float(row["value"])))
    return found
