"""`citynerve log …` and `citynerve replay`: the log, and what stands on it."""

from typing import Any

from anomaly.replay import Progress
from anomaly.replay import replay as run_replay
from app import wiring
from app.settings import Settings
from city.errors import SettingsError
from storage.pool import transaction
from stream import checkpoint

GROUPS = ("detect", "correlate")


async def adopt(settings: Settings) -> int:
    """Let all checkpoints go on with the log that the settings name; return how many did."""
    async with (
        wiring.pool(wiring.database_url(settings)) as pool,
        wiring.log(settings, pool) as log,
        transaction(pool) as connection,
    ):
        return await checkpoint.adopt(connection, log.identity)


async def rebuild(settings: Settings, group: str) -> int:
    """Forget the states of a worker group; return how many.

    Raises
    ------
    SettingsError
        A group that has no state of its own.
    """
    if group not in GROUPS:
        raise SettingsError(f"{group!r} has no state to rebuild: say {' or '.join(GROUPS)}")
    async with wiring.pool(wiring.database_url(settings)) as pool, transaction(pool) as connection:
        return await checkpoint.forget(connection, group)


async def replay(settings: Settings, progress: Progress) -> dict[str, Any]:
    """Decide everything again from the log, and compare."""
    async with wiring.pool(wiring.database_url(settings)) as pool, wiring.log(settings, pool) as log:
        report = await run_replay(log, progress)
    return {
        "alarm_events": len(report.events),
        "same": report.same,
        "only_replayed": report.only_replayed,
        "only_recorded": report.only_recorded,
        "begins_at_offset": report.begins_at_offset,
    }
