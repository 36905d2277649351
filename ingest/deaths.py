"""Deaths of the broker, kept where the ledger shows them."""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path
from time import monotonic

from city.clock import SECOND_US, Clock, to_datetime
from city.errors import EngineError
from ingest.broker_life import Death
from storage import queries
from storage.pool import Pool, transaction

logger = logging.getLogger(__name__)

_SQL = queries.load(Path(__file__).with_name("deaths.sql"))
_WAITING_MAX = 1_000
_KEPT_S = 600.0
"""A death waits so long for the database, or for this process to be the one that tells."""


class DeathStore:
    """Writes deaths; while the database is away they wait here.

    Parameters
    ----------
    answer_s : float
        A database that takes longer is taken to be away: acknowledgements of readings wait meanwhile.
    retry_s : float
        It is left alone for so long then.
    """

    def __init__(self, pool: Pool, clock: Clock, *, answer_s: float = 1.0, retry_s: float = 5.0) -> None:
        self._pool = pool
        self._clock = clock
        self._answer_s = answer_s
        self._retry_s = retry_s
        self._away_until = 0.0
        self._waiting: list[tuple[float, dict[str, object]]] = []

    @property
    def waiting(self) -> bool:
        """Whether a death waits that the database might take now."""
        return bool(self._waiting) and monotonic() >= self._away_until

    def note(self, deaths: Iterable[Death]) -> None:
        """Take deaths, by the city's time; those that it was not ours to tell are let go after a while."""
        now = monotonic()
        while self._waiting and now - self._waiting[0][0] > _KEPT_S:
            self._waiting.pop(0)
        for death in deaths:
            if len(self._waiting) < _WAITING_MAX:
                heard, back = (self._ago(seconds) for seconds in death)
                self._waiting.append((now, {"heard": heard, "back": back}))

    async def write(self) -> None:
        """Store what waits."""
        writing = [row for _, row in self._waiting]
        try:
            async with (
                asyncio.timeout(self._answer_s),
                transaction(self._pool) as connection,
                connection.cursor() as cursor,
            ):
                await cursor.executemany(_SQL.note, writing)
        except (EngineError, TimeoutError) as exc:
            self._away_until = monotonic() + self._retry_s
            logger.warning("deaths of the broker wait for the database", extra={"reason": str(exc)[:200]})
            return
        del self._waiting[: len(writing)]

    def _ago(self, seconds: float) -> object:
        return to_datetime(self._clock.now_us() - int(seconds * self._clock.speed * SECOND_US))
