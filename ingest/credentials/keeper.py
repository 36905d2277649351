"""Keeps a broker in line with the table of credentials: the table is the truth, whatever the broker remembers."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from city.clock import SystemClock
from city.errors import CityNerveError, EngineError
from ingest.credentials import reads
from ingest.credentials.engine import AccessEngine
from ingest.credentials.metrics import AccessMetrics
from ingest.tasks import pause
from storage.pool import Pool, engine_errors, transaction

logger = logging.getLogger(__name__)

_BACKOFF_S_MAX = 10.0
_MACHINES_CLOCK = SystemClock()


class CredentialKeeper:
    """Tells the broker of every change within `poll_s`, of what runs out when it does, and of all each `again_s`.

    Parameters
    ----------
    again_s : float
        A broker that lost what it knew has it again after so long.
    alone : bool
        The broker is kept by several processes: one at a time tells it.
    public_key : bytes or None
        With which passwords are sealed for this keeper.
    notes : bool
        Write down, for operators, what the broker was told; not for doors beside the broker.
    now_us : function
        The machine's clock: credentials live in real time, however fast the city's clock runs.
    """

    def __init__(
        self,
        pool: Pool,
        engine: AccessEngine,
        metrics: AccessMetrics | None = None,
        *,
        poll_s: float = 0.5,
        again_s: float = 20.0,
        alone: bool = False,
        public_key: bytes | None = None,
        notes: bool = True,
        now_us: Callable[[], int] = _MACHINES_CLOCK.now_us,
    ) -> None:
        self._pool = pool
        self._engine = engine
        self._metrics = metrics or AccessMetrics()
        self._poll_s = poll_s
        self._again_s = again_s
        self._alone = alone
        self._public_key = public_key
        self._notes = notes
        self._now_us = now_us
        self._version = -1
        self._to_rotate: tuple[str, ...] = ()
        self._ends_at: int | None = None
        self._applied_at = float("-inf")

    async def start(self) -> None:
        """Tell the broker once.

        Raises
        ------
        CityNerveError
            Database or broker do not answer, or the broker refuses us.
        """
        async with transaction(self._pool) as connection:
            if self._alone and not await reads.take_turn(connection):
                return
            if self._public_key is not None:
                await reads.publish_keeper_key(connection, self._public_key)
            version = await reads.version(connection)
            grants, ends_at = await reads.grants(connection, self._now_us())
            # The turn ends with the transaction, so the broker is told within it.
            applied = await self._engine.apply(grants)
            if self._notes:
                await reads.note_told(connection, version, applied)
        self._version, self._ends_at = version, ends_at
        self._applied_at = asyncio.get_running_loop().time()
        self._metrics.valid.set(len(grants))
        self._metrics.behind.set(0)
        self._metrics.unknown.set(len(applied.to_rotate))
        if applied.changed:
            logger.info("credentials told to the broker", extra={"changed": applied.changed, "valid": len(grants)})
        if applied.to_rotate and applied.to_rotate != self._to_rotate:
            logger.error(
                "the broker cannot be given some passwords: rotate these credentials",
                extra={"logins": ", ".join(applied.to_rotate[:20]), "count": len(applied.to_rotate)},
            )

        self._to_rotate = applied.to_rotate

    async def begin(self) -> None:
        """Tell the broker once if it answers now; `run` does the rest."""
        try:
            await self.start()
        except CityNerveError as exc:
            self._failed(exc)

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the table until `stop` is set; while database or broker are away the broker knows what it knew."""
        backoff_s = self._poll_s
        while not stop.is_set():
            try:
                if await self._is_due():
                    await self.start()
                backoff_s = self._poll_s
            except CityNerveError as exc:
                self._failed(exc)
                backoff_s = min(backoff_s * 2, _BACKOFF_S_MAX)
            await pause(stop, backoff_s)
        with suppress(EngineError):
            await self._engine.close()

    def _failed(self, exc: CityNerveError) -> None:
        self._metrics.behind.set(1)
        self._version = -1
        logger.warning("the broker was not told of credentials", extra={"reason": str(exc)[:300]})

    async def _is_due(self) -> bool:
        if self._ends_at is not None and self._ends_at <= self._now_us():
            return True
        if asyncio.get_running_loop().time() - self._applied_at >= self._again_s:
            return True
        with engine_errors():
            async with self._pool.connection() as connection:
                return await reads.version(connection) != self._version
