"""Writes down what the broker says it threw away, so that operators see it on a page, and not only on a graph."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from city.clock import Clock, from_datetime, to_datetime
from ingest.metrics import IngestMetrics
from storage import queries
from storage.pool import Connection, Pool, transaction
from stream.looking import look_until

_SQL = queries.load(Path(__file__).with_suffix(".sql"))
EVERY_S = 10.0


class Drops(NamedTuple):
    """Messages that a broker threw away since it started, by how many the count grew last, and when (µs UTC)."""

    broker: str
    dropped: int
    grew_by: int
    grew_at: int


class DropKeeper:
    """Writes the broker's count whenever it changed.

    Parameters
    ----------
    broker : str
        Where it is, without user and password.
    may_tell : coroutine function
        Of several processes one alone writes: what another heard earlier would look like a new life.
    """

    def __init__(
        self, pool: Pool, clock: Clock, broker: str, metrics: IngestMetrics, may_tell: Callable[[], Awaitable[bool]]
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._broker = broker
        self._metrics = metrics
        self._may_tell = may_tell
        self._told: int | None = None

    async def run(self, stop: asyncio.Event, every_s: float = EVERY_S) -> None:
        """Look until `stop` is set; a database that is away is told later."""
        await look_until(stop, self.look, every_s, "what the broker dropped")

    async def look(self) -> None:
        """Write the count if it is another.

        Raises
        ------
        EngineError
            The database did not answer.
        """
        dropped = self._metrics.dropped
        if dropped is None or dropped == self._told or not await self._may_tell():
            return
        what = {"broker": self._broker, "dropped": dropped, "at": to_datetime(self._clock.now_us())}
        async with transaction(self._pool) as connection:
            await connection.execute(_SQL.tell, what)
        self._told = dropped


async def read_drops(connection: Connection, since: int) -> list[Drops]:
    """Return where messages were lost in a broker after `since` (city time, µs UTC), the newest first."""
    rows = await (await connection.execute(_SQL.drops, {"since": to_datetime(since)})).fetchall()
    return [Drops(broker, dropped, grew_by, from_datetime(at)) for broker, dropped, grew_by, at in rows]
