"""How warm it is outside, for the ticks: the process that ticks asks the store, where all stations come together."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg

from city.clock import Clock, from_datetime, to_datetime
from city.outside import AIR_TEMPERATURE, FRESH_US, middle
from ingest.tasks import pause
from storage import queries
from storage.pool import Pool, engine_errors
from stream.looking import look_until

_SQL = queries.load(Path(__file__).with_suffix(".sql"))
EVERY_CITY_S = 300.0
EVERY_S_MIN = 1.0


class OutsideWatch:
    """What stations lately said; a store that does not answer leaves what was known until it is old.

    Parameters
    ----------
    may_tick : coroutine function
        Only who ticks has to know.
    """

    def __init__(self, pool: Pool, clock: Clock, may_tick: Callable[[], Awaitable[bool]]) -> None:
        self._pool = pool
        self._clock = clock
        self._may_tick = may_tick
        self._latest: list[tuple[int, float]] = []

    def now_c(self) -> float | None:
        """Return the median of fresh stations, °C; None where there is none."""
        return middle(self._latest, self._clock.now_us())

    async def run(self, stop: asyncio.Event) -> None:
        """Ask every few minutes of the city's time until `stop` is set."""
        # Whoever has just come up gets the lock a moment later.
        await pause(stop, EVERY_S_MIN)
        every_s = max(EVERY_CITY_S / self._clock.speed, EVERY_S_MIN)
        await look_until(stop, self.look, every_s, "how warm it is outside")

    async def look(self) -> None:
        """Ask once.

        Raises
        ------
        EngineError
            The database did not answer.
        """
        if not await self._may_tick():
            return
        now = self._clock.now_us()
        what = {"metric": AIR_TEMPERATURE, "since": to_datetime(now - FRESH_US), "now": to_datetime(now)}
        with engine_errors():
            async with self._pool.connection() as connection:
                try:
                    rows = await (await connection.execute(_SQL.latest, what)).fetchall()
                except psycopg.errors.UndefinedTable:
                    return  # Nobody has laid the store out yet: nothing was ever measured.
        self._latest = [(from_datetime(at), value) for at, value in rows]
