"""Maintenance windows as rows, the same for API, page and command line."""

from datetime import datetime
from pathlib import Path

from city.errors import NotFoundError
from portals_api.paging import decode_cursor, page
from portals_api.rows import Row, rows
from storage import queries
from storage.pool import Pool

_SQL = queries.load(Path(__file__).with_name("maintenance.sql"))


async def windows(pool: Pool, now: datetime, *, past: bool, limit: int, cursor: str | None) -> Row:
    """Return one page of windows, the last announced first: those that are over or withdrawn, or the others."""
    after = decode_cursor(cursor, int)
    found = await rows(
        pool, _SQL.windows, now=now, past=past, window=None, after=after[0] if after else None, limit=limit + 1
    )
    return page(found, limit, lambda row: [row["id"]])


async def window(pool: Pool, now: datetime, window_id: int) -> Row:
    """Return one window with the alarms that came during it and got no ticket.

    Raises
    ------
    NotFoundError
        There is none of that number.
    """
    found = await rows(pool, _SQL.windows, now=now, past=None, window=window_id, after=None, limit=1)
    if not found:
        raise NotFoundError(f"there is no maintenance window {window_id}")
    held = await rows(pool, _SQL.held, window=window_id)
    return {**found[0], "alarms": [{**one, "url": f"/alarms/{one['id']}"} for one in held]}
