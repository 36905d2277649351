"""The loop that counts each hour's figures once its rollups stand, and again when late readings change them."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from city.clock import HOUR_US, Clock, from_datetime, to_datetime
from city.errors import EngineError
from city.lighting import LightingSchedule
from observatory.figures import CO2_PPM_MAX, LIT_SHARE_MIN
from storage import queries
from storage.pool import Connection, Pool, transaction

logger = logging.getLogger(__name__)

_SQL = queries.load(Path(__file__).with_suffix(".sql"))


@dataclass(frozen=True, slots=True)
class KeepOptions:
    """How often the figures follow, and how far back.

    Attributes
    ----------
    reach_days : int
        Readings that come later than this change no figure any more.
    hours_max : int
        Hours counted in one round.
    """

    every_s: float = 5.0
    reach_days: int = 35
    hours_max: int = 24


async def count_figures(pool: Pool, now_us: int, options: KeepOptions | None = None) -> int:
    """Count the hours that have ended and whose rollups changed, the newest first; return how many.

    Each hour is a transaction of its own. 0 also while another process is at it.

    Parameters
    ----------
    now_us : int
        City time, µs UTC.
    """
    options = options or KeepOptions()
    ended = to_datetime(now_us - HOUR_US)
    reach = to_datetime(now_us) - timedelta(days=options.reach_days)
    done = 0
    while done < options.hours_max:
        async with transaction(pool) as connection:
            row = await (await connection.execute(_SQL.alone)).fetchone()
            if row is None or not row[0]:
                return done
            await connection.execute(_SQL.forget_old, {"reach": reach})
            taken = await connection.execute(_SQL.take_hour, {"ended": ended, "reach": reach})
            marks = await taken.fetchall()
            if not marks:
                return done
            await _count(connection, marks[0][0])
        done += 1
    return done


async def _count(connection: Connection, hour: datetime) -> None:
    await connection.execute(_SQL.clear_hour, {"hour": hour})
    parameters = {
        "hour": hour,
        "burning": await _burning(connection, hour),
        "lit_share": LIT_SHARE_MIN,
        "co2_ppm": CO2_PPM_MAX,
    }
    # Not prepared: a plan made for an empty city is a bad plan for a full one.
    await connection.execute(_SQL.count_hour, parameters, prepare=False)


async def _burning(connection: Connection, hour: datetime) -> list[str]:
    """Return the schedules that have their lamps on for the whole hour."""
    row = await (await connection.execute(_SQL.schedules)).fetchone()
    start_us = from_datetime(hour)
    burning = []
    for one in row[0] if row else ():
        schedule = LightingSchedule.from_plain(one)
        on, off = schedule.periods(start_us, start_us + HOUR_US)
        if bool(((on <= start_us) & (off >= start_us + HOUR_US)).any()):
            burning.append(schedule.schedule_id)
    return burning


class FigureKeeper:
    """The loop of the store process that keeps the figures."""

    def __init__(self, pool: Pool, clock: Clock, options: KeepOptions | None = None) -> None:
        self._pool = pool
        self._clock = clock
        self._options = options or KeepOptions()

    async def run(self, stop: asyncio.Event) -> None:
        """Count until `stop` is set; a database that is away is waited for."""
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            started = loop.time()
            try:
                hours = await count_figures(self._pool, self._clock.now_us(), self._options)
                if hours:
                    logger.debug("figures counted", extra={"hours": hours})
            except EngineError as exc:
                logger.warning("figures wait for the database", extra={"reason": str(exc)})
            # A large city's hour takes its time: leave the database to others for most of it.
            pause = max(self._options.every_s, 4 * (loop.time() - started))
            try:
                await asyncio.wait_for(stop.wait(), pause)
            except TimeoutError:
                continue
