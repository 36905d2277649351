"""Reads what people found of alarms: counts for precision, and single alarms for proposals of thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from observatory.precision import Judged
from storage import queries
from storage.pool import Pool, fetch_all

_SQL = queries.load(Path(__file__).with_suffix(".sql"))


@dataclass(frozen=True, slots=True)
class WhichAlarms:
    """Alarms raised in [since, until); `hidden` are the kinds of asset that the asker may not see."""

    since: datetime | None = None
    until: datetime | None = None
    fault: str | None = None
    district: str | None = None
    vendor: str | None = None
    hidden: Sequence[str] = ()


async def judged_alarms(pool: Pool, wanted: WhichAlarms) -> list[Judged]:
    """Return how many alarms of each fault, district and make were judged how.

    Raises
    ------
    EngineError
        The database did not answer.
    """
    parameters = {
        "since": wanted.since,
        "until": wanted.until,
        "fault": wanted.fault,
        "district": wanted.district,
        "vendor": wanted.vendor,
        "hidden": list(wanted.hidden),
    }
    return [Judged(*row) for row in await fetch_all(pool, _SQL.judged, parameters)]
