"""What the log allows, asked until it answers: one that is away when a door opens holds senders back, as always."""

import asyncio
import logging

from city.errors import EngineError
from city.topics import DEAD_LETTERS, READINGS
from ingest.meta import FlushOptions
from ingest.tasks import pause
from stream.log import EventLog

logger = logging.getLogger(__name__)


async def limits_of(log: EventLog, stop: asyncio.Event, *, retry_s: float = 0.5) -> FlushOptions | None:
    """Return what the log allows; None if `stop` was set before it answered.

    Raises
    ------
    CityNerveError
        Not retriable: the log's topics are missing.
    """
    while not stop.is_set():
        try:
            readings, letters = await log.partitions(READINGS), await log.partitions(DEAD_LETTERS)
        except EngineError as exc:
            logger.warning("the log does not answer yet, senders wait", extra={"reason": str(exc)[:300]})
            await pause(stop, retry_s)
        else:
            return FlushOptions(readings, letters, log.max_record_bytes)
    return None
