"""Writes down what the broker says it threw away, so that operators see it on a page, and not only on a graph."""

import asyncio
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

    client_id: str
    dropped: int
    grew_by: int
    grew_at: int


class DropKeeper:
    """Writes the broker's count whenever it changed."""

    def __init__(self, pool: Pool, clock: Clock, client_id: str, metrics: IngestMetrics) -> None:
        self._pool = pool
        self._clock = clock
        self._client_id = client_id
        self._metrics = metrics
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
        if dropped is None or dropped == self._told:
            return
        what = {"client_id": self._client_id, "dropped": dropped, "at": to_datetime(self._clock.now_us())}
        async with transaction(self._pool) as connection:
            await connection.execute(_SQL.tell, what)
        self._told = dropped


async def read_drops(connection: Connection) -> list[Drops]:
    """Return where messages were lost in a broker, the newest first."""
    rows = await (await connection.execute(_SQL.drops)).fetchall()
    return [Drops(client, dropped, grew_by, from_datetime(at)) for client, dropped, grew_by, at in rows]
