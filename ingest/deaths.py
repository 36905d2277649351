"""Keeps the broker's life in the database: its deaths where the ledger shows them, and since when it lives.

So a death is seen although ingest was started anew in the meantime, and told once although several processes see it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from time import monotonic

from city.clock import SECOND_US, Clock, SystemClock, from_datetime, to_datetime
from ingest.broker_life import BrokerLife
from storage import queries
from storage.pool import Pool, fetch_all, transaction
from stream.looking import look_until

_SQL = queries.load(Path(__file__).with_name("deaths.sql"))
_MACHINES_CLOCK = SystemClock()
EVERY_S = 1.0


class LifeKeeper:
    """Writes down what is known of the broker's life, for the process that comes after this one.

    Parameters
    ----------
    clock : Clock
        The city's: by it deaths are published.
    life : BrokerLife or None
        None: the broker acknowledges after the append, so nothing is lost with it.
    may_tell : coroutine function
        Of several processes one alone writes.
    """

    def __init__(
        self, pool: Pool, clock: Clock, life: BrokerLife | None, may_tell: Callable[[], Awaitable[bool]]
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._life = life
        self._may_tell = may_tell

    async def start(self) -> None:
        """Take up what an earlier process knew.

        Raises
        ------
        EngineError
            The database did not answer.
        """
        if self._life is None:
            return
        for alive_at, started_at in await fetch_all(self._pool, _SQL.known):
            self._life.resume(self._seconds(alive_at), self._seconds(started_at))

    async def run(self, stop: asyncio.Event, every_s: float = EVERY_S) -> None:
        """Write until `stop` is set, and once more then; while the database is away it is tried again."""
        await look_until(stop, self.look, every_s, "the broker's life")

    async def look(self) -> None:
        """Write what is known now.

        Raises
        ------
        EngineError
            The database did not answer.
        """
        life = self._life
        if life is None or life.unsure or life.started_s is None or life.alive_s is None:
            return
        if not await self._may_tell():
            return
        deaths = life.deaths()
        async with transaction(self._pool) as connection:
            for death in deaths:
                alive, back = self._moments(death.alive_s), self._moments(death.started_s)
                # Brokers tell whole seconds: a start may look up to one earlier than it was.
                what = {"alive": alive[0], "back": max(alive[0], back[0]), "started": back[1]}
                await connection.execute(_SQL.died, what)
            known = {"alive": self._moments(life.alive_s)[1], "started": self._moments(life.started_s)[1]}
            await connection.execute(_SQL.lives, known)
        life.written(len(deaths))

    def _moments(self, at_s: float) -> tuple[datetime, datetime]:
        """Return a moment of the process's clock by the city's and by the machine's."""
        ago_us = int((monotonic() - at_s) * SECOND_US)
        city = to_datetime(self._clock.now_us() - int(ago_us * self._clock.speed))
        return city, to_datetime(_MACHINES_CLOCK.now_us() - ago_us)

    def _seconds(self, at: datetime) -> float:
        """Return a moment of the machine's clock by the process's."""
        return monotonic() - (_MACHINES_CLOCK.now_us() - from_datetime(at)) / SECOND_US
