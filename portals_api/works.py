"""Works that go on at an asset or are announced: told to everyone, without where exactly and why."""

from datetime import timedelta
from pathlib import Path

from city.clock import Clock, to_datetime
from portals_api.rows import Row, rows
from storage import queries
from storage.pool import Pool

_SQL = queries.load(Path(__file__).with_suffix(".sql"))
_SOON = timedelta(days=7)


async def works_at(pool: Pool, clock: Clock, asset_id: str) -> list[Row]:
    """Return works at an asset or at what it hangs on, the first to begin first: ``from``, ``to``, ``running``.

    Those of the next seven days, five at most. Which cabinet is worked at, and why, is for staff.
    """
    now = to_datetime(clock.now_us())
    return await rows(pool, _SQL.works, asset=asset_id, now=now, soon=now + _SOON)
