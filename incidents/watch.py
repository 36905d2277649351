"""Watches what the desk has to do: tickets by state, and the outbox."""

import asyncio
import time

from incidents.metrics import DeskMetrics
from incidents.rows import SQL
from storage.pool import Pool, fetch_all
from stream.looking import look_until

EVERY_S = 10.0


class DeskWatch:
    """Reads a handful of counts every few seconds."""

    def __init__(self, pool: Pool, metrics: DeskMetrics) -> None:
        self._pool = pool
        self._metrics = metrics
        self._empty_at = time.monotonic()

    async def run(self, stop: asyncio.Event, every_s: float = EVERY_S) -> None:
        """Look until `stop` is set; a database that is away is looked at again."""
        await look_until(stop, self.look, every_s, "tickets")

    async def look(self) -> None:
        """Set the gauges.

        Raises
        ------
        EngineError
            The database did not answer.
        """
        self._metrics.tell_tickets(dict(await fetch_all(self._pool, SQL.count_tickets)))
        ((waiting,),) = await fetch_all(self._pool, SQL.count_outbox)
        now = time.monotonic()
        if not waiting:
            self._empty_at = now
        self._metrics.outbox.set(waiting)
        self._metrics.outbox_lag_seconds.set(now - self._empty_at)
