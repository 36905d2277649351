"""Which of the processes that divide gateways by name listen: the first takes what the missing would hear."""

import asyncio
import logging
from pathlib import Path

from city.errors import EngineError
from ingest.division import Division
from ingest.intake import Source
from ingest.metrics import IngestMetrics
from ingest.tasks import pause
from storage import queries
from storage.pool import Pool, transaction

logger = logging.getLogger(__name__)

_SQL = queries.load(Path(__file__).with_suffix(".sql"))


class Presence:
    """Tells the other processes that this one listens, and its division which of them do.

    Parameters
    ----------
    tell_s : float
        How often.
    patience_s : float
        Who has not told for so long is missing. Until then its session keeps its messages with the broker; it must
        keep them longer than this.
    """

    def __init__(
        self,
        pool: Pool,
        division: Division,
        source: Source,
        metrics: IngestMetrics,
        *,
        tell_s: float = 3.0,
        patience_s: float = 30.0,
    ) -> None:
        self._pool = pool
        self._division = division
        self._source = source
        self._metrics = metrics
        self._tell_s = tell_s
        self._patience_s = patience_s

    async def look(self) -> None:
        """Tell once, where we are subscribed, and look who else is.

        Raises
        ------
        EngineError
            The database did not answer.
        """
        split = self._division.split
        who = {"processes": split.processes, "number": split.number}
        async with transaction(self._pool) as connection:
            if self._source.listening:
                await connection.execute(_SQL.tell, who)
            rows = await connection.execute(_SQL.present, {**who, "patience_s": self._patience_s})
            present = frozenset(number for (number,) in await rows.fetchall())
        missing = sorted(set(range(1, split.processes + 1)) - present - {split.number})
        if present != self._division.present and missing:
            logger.warning("processes of the division do not listen", extra={"missing": str(missing)})
        self._division.present = present
        self._metrics.missing_processes.set(len(missing))

    async def run(self, stop: asyncio.Event) -> None:
        """Tell and look until `stop` is set; while the database is away what was seen last holds."""
        while not stop.is_set():
            try:
                await self.look()
            except EngineError as exc:
                logger.warning("cannot see which processes listen", extra={"reason": str(exc)[:200]})
            await pause(stop, self._tell_s)
