"""Keeps the registry that ingest looks up fresh: devices added to the city become known without a restart."""

import asyncio
import gc
import logging
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from city.errors import EngineError
from city.registry import IngestRegistry
from ingest.tasks import pause
from storage import queries
from storage.pool import Pool, engine_errors, fetch_all
from stream.registry import load_ingest_registry

logger = logging.getLogger(__name__)

_SQL = queries.load(Path(__file__).with_name("registry.sql"))

_REST = 2.0
"""For so many times what a look took, the next one waits at least."""


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
        # What is garbage now shall not be kept; of what is built next there is none, and no need to look through it.
        gc.collect(1)
        with engine_errors():
            async with self._pool.connection() as connection:
                self._current = await load_ingest_registry(connection)
        # It lives until the next one comes, and that may be weeks: no garbage collection need look through it.
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
        """Follow changes until `stop` is set; while the database is away the last registry holds.

        In a large city, where reading takes long, changes that follow each other soon are taken together.
        """
        while not stop.is_set():
            started = monotonic()
            try:
                await self.refresh()
            except EngineError as exc:
                logger.warning("cannot follow the registry, the last one holds", extra={"reason": str(exc)[:200]})
            await pause(stop, max(self._poll_s, _REST * (monotonic() - started)))
