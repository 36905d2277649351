"""`citynerve maintenance …`: what operators say of works, and their change of mind."""

from datetime import datetime
from typing import Any, cast, get_args
from zoneinfo import ZoneInfo

from app import wiring
from app.commands.credentials import ACTOR
from app.commands.registry import opened
from app.settings import Settings
from city.clock import from_datetime, to_datetime
from city.errors import DataError, SettingsError
from portals_api import reads
from portals_api.operator import maintenance_rows
from storage.pool import Pool
from stream.maintenance import Announcement, Kind

_MOST = 1000


async def listed(settings: Settings, *, past: bool) -> list[dict[str, Any]]:
    """Return windows, the last announced first."""
    async with wiring.pool(wiring.database_url(settings)) as pool:
        now = to_datetime((await wiring.clock(pool)).now_us())
        found = await maintenance_rows.windows(pool, now, past=past, limit=_MOST, cursor=None)
        items: list[dict[str, Any]] = found["items"]
        return items


async def announced(
    settings: Settings, kind: str, target: str, times: tuple[datetime | None, datetime], why: str
) -> int:
    """Announce works; return the window's number.

    Raises
    ------
    DataError
        They make no sense.
    NotFoundError
        There is nothing of that kind and name.
    """
    if kind not in get_args(Kind):
        raise DataError(f"{kind!r} is no kind of place: say one of {', '.join(get_args(Kind))}")
    async with opened(settings) as registrar:
        zone = await _zone(registrar.pool)
        starts = registrar.clock.now_us() if times[0] is None else _us(times[0], zone)
        works = Announcement(cast(Kind, kind), target, starts, _us(times[1], zone), why)
        return await registrar.announce(works, ACTOR)


async def changed(settings: Settings, window: int, what: str) -> dict[str, Any]:
    """End, withdraw or reinstate a window; return it as it stands."""
    async with opened(settings) as registrar:
        await registrar.set_window(window, ACTOR, what)
        return await maintenance_rows.window(registrar.pool, to_datetime(registrar.clock.now_us()), window)


async def _zone(pool: Pool) -> ZoneInfo:
    row = await reads.installation(pool)
    if row is None:
        raise SettingsError("no city was imported into this database yet: start with `citynerve up`")
    return ZoneInfo(row["timezone"])


def _us(at: datetime, zone: ZoneInfo) -> int:
    return from_datetime(at if at.tzinfo else at.replace(tzinfo=zone))
