"""Gateways' birth messages and last wills, kept as their state in the registry."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from time import monotonic

from city.clock import to_datetime
from city.errors import EngineError
from storage import queries
from storage.pool import Pool, transaction

logger = logging.getLogger(__name__)

_SQL = queries.load(Path(__file__).with_name("state.sql"))
_WAITING_MAX = 100_000


class StateStore:
    """Writes states. They are soft: while the database is away the newest of each gateway waits here.

    Parameters
    ----------
    answer_s : float
        A database that takes longer is taken to be away: acknowledgements of readings wait meanwhile.
    retry_s : float
        It is left alone for so long then.
    """

    def __init__(self, pool: Pool, *, answer_s: float = 1.0, retry_s: float = 5.0) -> None:
        self._pool = pool
        self._answer_s = answer_s
        self._retry_s = retry_s
        self._away_until = 0.0
        self._waiting: dict[str, tuple[str, int]] = {}

    @property
    def waiting(self) -> bool:
        """Whether a state waits that the database might take now."""
        return bool(self._waiting) and monotonic() >= self._away_until

    async def write(self, states: Mapping[str, str], at_us: int) -> None:
        """Store the newest state of each gateway, heard at `at_us` (µs UTC); unknown gateways are passed over."""
        for gateway, state in states.items():
            if len(self._waiting) < _WAITING_MAX or gateway in self._waiting:
                self._waiting[gateway] = (state, at_us)
        if not self.waiting:
            return
        writing = dict(self._waiting)
        try:
            async with asyncio.timeout(self._answer_s), transaction(self._pool) as connection:
                await connection.execute(
                    _SQL.set_states,
                    {
                        "gateways": list(writing),
                        "states": [state for state, _ in writing.values()],
                        "at": [to_datetime(at) for _, at in writing.values()],
                    },
                )
        except (EngineError, TimeoutError) as exc:
            self._away_until = monotonic() + self._retry_s
            logger.warning("states of gateways wait for the database", extra={"reason": str(exc)[:200]})
            return
        for gateway in writing:
            del self._waiting[gateway]
