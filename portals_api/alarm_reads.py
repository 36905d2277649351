"""What the portals read of one alarm: what was measured around it, and what crews found in cases alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from city.alarm import FaultClass
from city.clock import HOUR_US, from_datetime, isoformat
from city.errors import NotFoundError
from city.metric import ACTIVE_POWER
from portals_api import reads
from portals_api.rows import Row, rows
from portals_api.verdict_reads import with_verdicts
from portals_api.visibility import Viewer, hidden_kinds
from storage import queries
from storage.pool import Pool

_SQL = queries.load(Path(__file__).with_suffix(".sql"))

SIMILAR = 5
BEFORE_US, AFTER_US = 24 * HOUR_US, 24 * HOUR_US
"""Around the moment at which the fault began: the same hours of the day before are in it."""
_WINDOW_US_MAX = 8 * 24 * HOUR_US
"""A long fault is shown by its beginning."""
_POINTS_MAX = 1500


@dataclass(frozen=True, slots=True)
class Window:
    """From when until when an alarm's readings are shown, µs UTC."""

    start_us: int
    end_us: int


def us(at: str) -> int:
    """Return a time of a row, µs UTC."""
    return from_datetime(datetime.fromisoformat(at))


def window_of(alarm: Mapping[str, Any], now_us: int) -> Window:
    """Return the hours around an alarm: from a day before it to a day after its end, not beyond now."""
    raised = us(alarm["raised_at"])
    start = raised - BEFORE_US
    ended = us(alarm["cleared_at"]) + AFTER_US if alarm["cleared_at"] else now_us
    end = min(max(ended, raised + AFTER_US), start + _WINDOW_US_MAX, now_us)
    return Window(start, max(end, start + 1))


async def alarm(pool: Pool, viewer: Viewer, alarm_id: str) -> Row:
    """Return one alarm with its verdict and its ticket.

    Raises
    ------
    NotFoundError
        There is none of that id, or not for this viewer.
    """
    found = await rows(pool, _SQL.alarm, alarm=alarm_id, hidden=hidden_kinds(viewer)) if alarm_id.isalnum() else []
    if not found:
        raise NotFoundError(f"there is no alarm {alarm_id[:64]!r}")
    return (await with_verdicts(pool, found))[0]


async def measured(pool: Pool, found: Mapping[str, Any]) -> Row | None:
    """Return the series that an alarm speaks of: of the metric that it names, else in its unit, else its power."""
    evidence = found["evidence"]
    known = await rows(pool, _SQL.series_of_asset, asset=found["scope_id"])
    detail = evidence.get("detail") or {}
    known = [s for s in known if s["device"] == detail.get("device")] or known
    named = detail.get("metric")
    choices = [s for s in known if s["metric"] == named]
    if found["fault"] == FaultClass.LAMP_FAILURE or evidence.get("unit") == "W":
        choices += [s for s in known if s["metric"] == ACTIVE_POWER]
    choices += [s for s in known if evidence.get("unit") and s["unit"] == evidence["unit"]]
    choices += [s for s in known if s["metric"] == ACTIVE_POWER]
    return choices[0] if choices else None


async def first_child(pool: Pool, alarm_id: str) -> Row | None:
    """Return the alarm of the first lamp that an alarm explains."""
    found = await rows(pool, _SQL.first_child, alarm=alarm_id)
    return found[0] if found else None


async def points(pool: Pool, series: Row, window: Window) -> list[tuple[int, float]]:
    """Return (µs UTC, value) of the readings around an alarm, oldest first."""
    return await reads.series_history(pool, series["series"], window.start_us, window.end_us, _POINTS_MAX)


async def similar(pool: Pool, alarm: Mapping[str, Any]) -> tuple[list[Row], dict[str, int]]:
    """Return the latest alarms like this one with what was found, and how many of all alike were judged how."""
    found = await rows(
        pool, _SQL.similar, alarm=alarm["id"], fault=alarm["fault"], kind=alarm["scope_kind"], limit=SIMILAR
    )
    names = ("alike", "n_true", "n_false", "n_other")
    counts = {name.removeprefix("n_"): found[0][name] if found else 0 for name in names}
    cases = []
    for row in found:
        said = {"finding": row.pop("finding"), "fault": row.pop("found"), "actor": row.pop("actor")}
        said["at"] = row.pop("said_at")
        for name in names:
            del row[name]
        cases.append({**row, "url": f"/alarms/{row['id']}", "verdict": said if said["finding"] else None})
    return cases, counts


async def whole(pool: Pool, found: Row, now_us: int, says: str) -> Row:
    """Return an alarm (a row of `alarm`) as the API tells it, with all that explains it."""
    window, series = window_of(found, now_us), await measured(pool, found)
    measured_points = await points(pool, series, window) if series else []
    cases, counts = await similar(pool, found)
    evidence = found["evidence"]
    explanation = {
        "says": says,
        "rule": evidence.get("rule", ""),
        "observed": evidence.get("observed"),
        "expected": evidence.get("expected"),
        "unit": evidence.get("unit", ""),
        "since": found["raised_at"],
        "until": found["cleared_at"],
        "metric": series and series["metric"],
        "series": series and series["series"],
        "from": isoformat(window.start_us),
        "to": isoformat(window.end_us),
        "points": [{"at": isoformat(at), "value": value} for at, value in measured_points],
    }
    return {
        **found,
        "url": f"/alarms/{found['id']}",
        "explanation": explanation,
        "similar": cases,
        "similar_counts": counts,
    }
