"""Who ticks: of several ingest processes only the holder of one advisory lock of the database."""

import asyncio
import logging
from pathlib import Path

from city.errors import EngineError
from ingest.tasks import pause
from storage import queries
from storage.pool import Connection, connect, engine_errors

logger = logging.getLogger(__name__)

_SQL = queries.load(Path(__file__).with_name("ticker.sql"))


class TickLease:
    """Leadership on a connection of its own: the lock lives exactly as long as the connection does.

    Parameters
    ----------
    database_url : str
    retry_s : float
        How often one without the lock asks for it.
    answer_s : float
        A database that takes longer counts as lost.
    """

    def __init__(self, database_url: str, *, retry_s: float = 1.0, answer_s: float = 2.0) -> None:
        self._url = database_url
        self._retry_s = retry_s
        self._answer_s = answer_s
        self._connection: Connection | None = None
        self._held = False
        self.away = False
        """True while the database does not answer: nobody else can take the lock then."""
        self._busy = asyncio.Lock()

    async def held(self) -> bool:
        """Tell whether the lock is ours now; asks the database, since a lost connection is lost leadership."""
        if not self._held:
            return False
        async with self._busy:
            await self._ask()
        return self._held

    async def run(self, stop: asyncio.Event) -> None:
        """Go after the lock until `stop` is set, then let it go."""
        while not stop.is_set():
            if not self._held:
                async with self._busy:
                    await self._ask()
            await pause(stop, self._retry_s)
        await self._close()

    async def _ask(self) -> None:
        """Try for the lock, or see that it is still ours."""
        try:
            async with asyncio.timeout(self._answer_s):
                with engine_errors():
                    if self._connection is None:
                        self._connection = await connect(self._url, "citynerve ingest ticks")
                    statement = _SQL.ping if self._held else _SQL.try_lock
                    row = await (await self._connection.execute(statement)).fetchone()
        except (EngineError, TimeoutError) as exc:
            self.away = True
            if self._held:
                logger.warning("lost the lock for ticks with its connection", extra={"reason": str(exc)[:200]})
            await self._close()
            return
        self.away = False
        if not self._held and row is not None and row[0]:
            self._held = True
            logger.info("this process ticks")

    async def _close(self) -> None:
        self._held = False
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
