"""Which sessions a shared subscription deals to: who stops leaves it, and who is gone is emptied by the others.

A broker deals to a session that it keeps, whether somebody listens or not. So every session is written down before it
subscribes, with the name of what it shares; a process that stops leaves its part to the others and is crossed out.
Where one has not told for a while that it listens, the process that ticks enters its session, leaves what it shares,
takes what waits there, and ends it. Names under which a session stood before are left as well.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Protocol, runtime_checkable

from city.errors import CityNerveError, EngineError
from ingest.intake import Source
from ingest.metrics import IngestMetrics
from ingest.tasks import pause, together
from storage import queries
from storage.pool import Pool, transaction

logger = logging.getLogger(__name__)

_SQL = queries.load(Path(__file__).with_suffix(".sql"))


@runtime_checkable
class SharingSource(Source, Protocol):
    """A source whose session the broker keeps and may deal a part of the messages to."""

    @property
    def broker(self) -> str:
        """Where the broker is, ``host:port``."""

    @property
    def session(self) -> tuple[str, str]:
        """The client id under which the broker keeps the session, and the name of the shared subscription or none."""

    def of_gone(self, client_id: str, share: str) -> "SharingSource":
        """Return a source of what the broker keeps for a process that is gone."""

    def leave_shares(self, names: Sequence[str]) -> None:
        """Leave shared subscriptions of other names at every connection from the next one on."""

    async def withdraw(self, enough: asyncio.Event) -> bool:
        """Leave our part to the others, and wait until `take` gave all that we had of it; False where it did not."""

    async def run(self, stop: asyncio.Event) -> None:
        """Keep a connection until `stop` is set."""


class Shares:
    """Keeps the table of sessions for one process.

    Parameters
    ----------
    empty : coroutine function
        Takes what the broker holds for a session into the log, until told to stop; tells whether that is done.
    may_empty : coroutine function
        Of several processes one alone empties.
    tell_s : float
        How often this process tells that it listens.
    patience_s : float
        Who has not told for so long is gone. It returns to its session where it only looked so.
    """

    def __init__(
        self,
        pool: Pool,
        source: SharingSource,
        metrics: IngestMetrics,
        empty: Callable[[SharingSource, asyncio.Event], Awaitable[bool]],
        may_empty: Callable[[], Awaitable[bool]],
        *,
        tell_s: float = 3.0,
        patience_s: float = 30.0,
    ) -> None:
        self._pool = pool
        self._source = source
        self._metrics = metrics
        self._empty = empty
        self._may_empty = may_empty
        self._tell_s = tell_s
        self._patience_s = patience_s
        client_id, share = source.session
        self._who = {"client_id": client_id, "share": share, "patience_s": patience_s}
        self._former: list[str] = []
        self._waiting: dict[str, list[str]] = {}
        self._tried_at: dict[str, float] = {}
        self._since: float | None = None
        self._left = False

    async def begin(self) -> None:
        """Write down where this session will stand, and leave where it stood before.

        Raises
        ------
        EngineError
            The database did not answer.
        """
        async with transaction(self._pool) as connection:
            if self._source.shares:
                await connection.execute(_SQL.stand, self._who)
            await connection.execute(_SQL.tell, self._who)
            rows = await connection.execute(_SQL.former, self._who)
            self._former = [share for (share,) in await rows.fetchall()]
        self._source.leave_shares(self._former)

    async def run(self, stop: asyncio.Event) -> None:
        """Tell, look, and empty the sessions of who is gone until `stop` is set."""
        await together(self._look_on(stop), self._empty_on(stop))

    async def look(self) -> None:
        """Tell once, where we are subscribed, and look who has not told for long.

        Raises
        ------
        EngineError
            The database did not answer.
        """
        listening = self._source.listening
        self._since = (self._since or monotonic()) if listening else None
        async with transaction(self._pool) as connection:
            if listening:
                await connection.execute(_SQL.tell, self._who)
                if self._former:
                    # The broker has said that the session stands there no more.
                    await connection.execute(_SQL.left, {**self._who, "shares": self._former})
                    self._former = []
            await connection.execute(_SQL.forget)
            gone = await (await connection.execute(_SQL.gone, self._who)).fetchall()
        self._waiting = {client_id: shares for client_id, shares, emptied in gone if not emptied}
        if self._source.shares:
            self._metrics.missing_processes.set(len(gone))

    async def empty(self, stop: asyncio.Event) -> None:
        """Empty the sessions of who is gone.

        Raises
        ------
        CityNerveError
            Log or database did not answer; what was not taken waits in the session.
        """
        # Where the broker was away, nobody could listen: whoever is there has this long to come back.
        if self._since is None or monotonic() - self._since < self._patience_s or not await self._may_empty():
            return
        self._tried_at = {client_id: at for client_id, at in self._tried_at.items() if client_id in self._waiting}
        for client_id, shares in list(self._waiting.items()):
            # One that listens and cannot tell takes its session back: it is not fought with.
            if monotonic() - self._tried_at.get(client_id, float("-inf")) < self._patience_s:
                continue
            self._tried_at[client_id] = monotonic()
            logger.warning("an ingest process is gone, taking what waits for it", extra={"client_id": client_id})
            session = self._source.of_gone(client_id, shares[0])
            session.leave_shares(shares[1:])
            if stop.is_set() or not await self._empty(session, stop):
                continue
            async with transaction(self._pool) as connection:
                await connection.execute(_SQL.emptied, {**self._who, "gone": client_id})
            self._waiting.pop(client_id, None)
            logger.info("what waited for a process that is gone is on the log", extra={"client_id": client_id})

    async def leave(self, enough: asyncio.Event) -> None:
        """Leave our part to the others, and wait until what was dealt to us is taken, or for `enough`."""
        if self._source.shares:
            self._left = await self._source.withdraw(enough)

    async def depart(self) -> None:
        """Cross this session out, if it has left and the log has what it took; else the others will empty it."""
        if not self._left or not self._source.listening:
            return
        try:
            async with transaction(self._pool) as connection:
                await connection.execute(_SQL.left, {**self._who, "shares": [self._who["share"]]})
        except EngineError as exc:
            logger.warning("cannot cross this process out: it will count as missing", extra={"reason": str(exc)[:200]})

    async def _look_on(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.look()
            except EngineError as exc:
                logger.warning("cannot see which processes share", extra={"reason": str(exc)[:200]})
            await pause(stop, self._tell_s)

    async def _empty_on(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.empty(stop)
            except CityNerveError as exc:
                logger.warning("cannot take what waits for a process that is gone", extra={"reason": str(exc)[:200]})
            await pause(stop, self._tell_s)
