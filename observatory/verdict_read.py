"""Reads what people found of alarms: counts for precision, and single alarms for proposals of thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from city.verdict import Finding
from observatory.precision import Judged
from observatory.thresholds import THRESHOLDS, JudgedAlarm, Proposal, proposals
from storage import queries
from storage.pool import Pool, fetch_all

_SQL = queries.load(Path(__file__).with_suffix(".sql"))

_ALARMS_MAX = 100_000
"""The latest: what was found years ago says less of today's lamps."""


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


async def threshold_proposals(pool: Pool) -> list[Proposal]:
    """Return what the verdicts say of the city's thresholds; nothing is changed.

    Raises
    ------
    EngineError
        The database did not answer.
    """
    rules = await fetch_all(pool, _SQL.rules)
    faults = sorted({str(one.fault) for one in THRESHOLDS})
    rows = await fetch_all(pool, _SQL.single, {"faults": faults, "limit": _ALARMS_MAX})
    alarms = [
        JudgedAlarm(alarm_id, fault, rule or "", Finding(finding), observed, expected, rated_w, learned)
        for alarm_id, fault, rule, finding, observed, expected, rated_w, learned in rows
    ]
    return proposals(rules[0][0] if rules else {}, alarms)
