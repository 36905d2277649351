"""What people found, for the ticket and for each of its alarms."""

from pathlib import Path

from portals_api.rows import Row, rows
from storage import queries
from storage.pool import Pool

_SQL = queries.load(Path(__file__).with_suffix(".sql"))


async def with_verdicts(pool: Pool, alarms: list[Row]) -> list[Row]:
    """Return these alarms, each with its page and its standing verdict; None where nobody has said one."""
    found = await rows(pool, _SQL.of_alarms, alarms=[alarm["id"] for alarm in alarms]) if alarms else []
    by_alarm = {row.pop("alarm_id"): row for row in found}
    return [{**alarm, "url": f"/alarms/{alarm['id']}", "verdict": by_alarm.get(alarm["id"])} for alarm in alarms]


async def verdict_of(pool: Pool, ticket_id: int) -> Row | None:
    """Return what was said last of a ticket."""
    found = await rows(pool, _SQL.of_ticket, ticket=ticket_id)
    return found[0] if found else None
