"""The board: inventory, burning lamps and open tickets together, as each kind of viewer may see them.

Nobody needs to run it: whoever asks brings it up to date. While somebody listens to its changes, one task does.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from city.clock import Clock, from_datetime, isoformat
from city.errors import CityNerveError
from city.topics import TICKETS
from portals_api.live.burning import Burning
from portals_api.live.hub import Hub, Listener
from portals_api.live.inventory import SQL, Inventory, Row, load_inventory
from portals_api.live.search import SearchIndex
from portals_api.live.view import View
from portals_api.visibility import Viewer, hidden_kinds
from storage.pool import Pool, transaction
from stream.log import EventLog

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BoardOptions:
    """How the board paces itself; seconds of the machine's clock.

    Attributes
    ----------
    every_s : float
        While somebody listens, the board looks for news so often.
    fresh_s : float
        An answer may be so old.
    slow_every_s : float
        What no feed tells (gateways, facilities, a new inventory) is asked for so often.
    listeners_max : int
        More are refused: each holds a connection.
    heartbeat_s : float
        A silent stream says that it lives so often.
    """

    every_s: float = 0.2
    fresh_s: float = 0.5
    slow_every_s: float = 3.0
    listeners_max: int = 500
    heartbeat_s: float = 15.0


@dataclass
class News:
    """What the board holds besides inventory and readings."""

    tickets: list[Row] = field(default_factory=list)
    gateways: dict[str, str] = field(default_factory=dict)
    alarmed: set[str] = field(default_factory=set)


class TooManyListenersError(CityNerveError):
    """No more listeners are taken; HTTP 503."""


class Board:
    """One board over one set of engines."""

    def __init__(self, pool: Pool, log: EventLog, clock: Clock, options: BoardOptions | None = None) -> None:
        self.options = options or BoardOptions()
        self._pool, self._log, self._clock = pool, log, clock
        self._turn = asyncio.Lock()
        self._inventory: Inventory | None = None
        self._search: SearchIndex | None = None
        self._burning: Burning | None = None
        self._news = News()
        self._ticket_ends: Any = None
        self._views: dict[tuple[str, ...], View] = {}
        self._advanced_at = self._slow_at = -1e9
        self._task: asyncio.Task[None] | None = None
        self._kept = 0
        self._closing = False

    # ------------------------------------------------------------ reading it

    async def view(self, viewer: Viewer) -> View:
        """Return the city of now as `viewer` may see it.

        Raises
        ------
        EngineError
            Database or log did not answer.
        """
        if time.monotonic() - self._advanced_at > self.options.fresh_s:
            async with self._turn:
                if time.monotonic() - self._advanced_at > self.options.fresh_s:
                    await self._advance()
        key = tuple(hidden_kinds(viewer))
        if key not in self._views:
            assert self._inventory is not None
            assert self._burning is not None
            self._views[key] = View(viewer, Hub())
            self._views[key].update(self._inventory, self._burning, self._news)
        return self._views[key]

    async def inventory(self) -> Inventory:
        """Return the inventory, at most a few seconds old.

        Raises
        ------
        EngineError
            Database or log did not answer.
        """
        await self.view(Viewer(staff=False, simulated=False))
        assert self._inventory is not None
        return self._inventory

    async def search_index(self) -> SearchIndex:
        """Return the names of the inventory, made for searching once for each version of it.

        Raises
        ------
        EngineError
            Database or log did not answer.
        """
        inventory = await self.inventory()
        if self._search is None or self._search.inventory is not inventory:
            self._search = SearchIndex(inventory)
        return self._search

    @property
    def running(self) -> bool:
        """Whether the board moves by itself."""
        return self._task is not None

    # ------------------------------------------------------------ listening to it

    @asynccontextmanager
    async def listening(self, viewer: Viewer, after: str | None) -> AsyncIterator[Listener]:
        """Hold a listener; the board moves by itself meanwhile.

        Raises
        ------
        TooManyListenersError
            As many listen as may.
        EngineError
            Database or log did not answer.
        """
        view = await self.view(viewer)
        if self._closing or sum(len(v.hub.listeners) for v in self._views.values()) >= self.options.listeners_max:
            raise TooManyListenersError("too many listen already: ask for the state every few seconds instead")
        async with self.kept():
            listener = view.hub.join(after)
            try:
                yield listener
            finally:
                view.hub.leave(listener)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep the board up to date as long as somebody is inside."""
        self._kept += 1
        if self._task is None:
            self._task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            self._kept -= 1
            if self._kept == 0 and self._task is not None:
                task, self._task = self._task, None
                task.cancel()

    def close(self) -> None:
        """Send every listener away, so that the server can end."""
        self._closing = True
        for view in self._views.values():
            for listener in view.hub.listeners:
                listener.end()

    async def _follow(self) -> None:
        pause_s = self.options.every_s
        while True:
            try:
                async with self._turn:
                    await self._advance()
                pause_s = self.options.every_s
            except CityNerveError as exc:
                logger.warning("the board stands still, trying again", extra={"reason": str(exc)})
                pause_s = min(pause_s * 2, 5.0)
            await asyncio.sleep(pause_s)

    # ------------------------------------------------------------ moving it

    async def _advance(self) -> None:
        now = time.monotonic()
        slow = now - self._slow_at > self.options.slow_every_s
        if slow:
            await self._renew()
        assert self._inventory is not None
        if self._burning is None or not await self._burning.follow(self._log):
            burning = Burning(self._inventory.lamps)
            await burning.load(self._pool, self._log, self._clock.now_us())
            self._burning = burning
            if not await burning.follow(self._log):
                # The store is hours behind the log: its picture is true, only old, and gets newer by itself.
                logger.warning("the board waits for the store")
        ends = await self._log.bounds(TICKETS)
        if slow or ends != self._ticket_ends:
            self._news.tickets = await self._open_tickets()
            self._ticket_ends = ends
        self._slow_at = now if slow else self._slow_at
        for view in self._views.values():
            view.update(self._inventory, self._burning, self._news)
        self._advanced_at = time.monotonic()

    async def _renew(self) -> None:
        """Ask for what no feed tells."""
        async with transaction(self._pool) as connection:
            version = await (await connection.execute(SQL.pulse)).fetchone()
            gateways = await (await connection.execute(SQL.gateway_states)).fetchall()
            alarmed = await (await connection.execute(SQL.facility_alarms)).fetchall()
        self._news.gateways = dict(gateways)
        self._news.alarmed = {row[0] for row in alarmed}
        if self._inventory is None or self._inventory.version != (-1 if version is None else version[0]):
            self._inventory = await load_inventory(self._pool)
            self._burning = None

    async def _open_tickets(self) -> list[Row]:
        async with transaction(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            return [_plain(row) for row in await (await cursor.execute(SQL.open_tickets)).fetchall()]


def _plain(row: Row) -> Row:
    return {k: isoformat(from_datetime(v)) if isinstance(v, datetime) else v for k, v in row.items()}
