"""Keeps the registry that ingest looks up fresh: devices added to the city become known without a restart."""

import asyncio
import gc
import logging
from collections.abc import Callable
from pathlib import Path

from city.errors import EngineError
from city.registry import IngestRegistry
from ingest.tasks import pause
from storage import queries
from storage.pool import Pool, engine_errors, fetch_all
from stream.registry import load_ingest_registry

logger = logging.getLogger(__name__)

_SQL = queries.load(Path(__file__).with_name("registry.sql"))


class RegistryFollower:
    """The newest registry; the database is asked each `poll_s` whether there is a newer one.

    Parameters
    ----------
    changed : callable, optional
        Is given each registry as soon as it is read.
    """

    def __init__(
        self, pool: Pool, *, poll_s: float = 1.0, changed: Callable[[IngestRegistry], None] | None = None
    ) -> None:
        self._pool = pool
        self._poll_s = poll_s
        self._changed = changed
        self._current = IngestRegistry({}, {}, -1)

    def current(self) -> IngestRegistry:
        """Return the registry as last read; empty before `start`."""
        return self._current

    async def start(self) -> None:
        """Read the registry once, so that no message meets an empty one.

        Raises
        ------
        SettingsError
            Nothing was imported yet.
        EngineError
            The database did not answer.
        """
        with engine_errors():
            async with self._pool.connection() as connection:
                self._current = await load_ingest_registry(connection)
        # It lives until the next one comes, and that may be weeks: no garbage collection need look through it.
        gc.collect(1)
        gc.freeze()
        if self._changed is not None:
            self._changed(self._current)
        logger.info("registry read", extra={"version": self._current.version})

    async def refresh(self) -> None:
        """Read the registry again where there is a newer one.

        Raises
        ------
        EngineError
            The database did not answer.
        """
        rows = await fetch_all(self._pool, _SQL.version)
        if rows and rows[0][0] != self._current.version:
            await self.start()

    async def run(self, stop: asyncio.Event) -> None:
        """Follow changes until `stop` is set; while the database is away the last registry holds."""
        while not stop.is_set():
            try:
                await self.refresh()
            except EngineError as exc:
                logger.warning("cannot follow the registry, the last one holds", extra={"reason": str(exc)[:200]})
            await pause(stop, self._poll_s)
