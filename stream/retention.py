"""Keeps the log within its time: what every group has read and is old enough goes."""

import asyncio
import logging

from city import topics
from city.clock import HOUR_US, Clock
from city.errors import EngineError
from stream.log import EventLog

logger = logging.getLogger(__name__)

EVERY_S = 60.0


async def keep_log(log: EventLog, clock: Clock, keep_h: float, stop: asyncio.Event) -> None:
    """Trim each topic once a minute until `stop` is set."""
    while not stop.is_set():
        try:
            await asyncio.wait_for(stop.wait(), EVERY_S)
        except TimeoutError:
            await _trim_all(log, clock.now_us() - int(keep_h * HOUR_US))


async def _trim_all(log: EventLog, before_us: int) -> None:
    for topic in topics.PARTITIONS:
        try:
            begins = await log.trim(topic, before_us)
        except EngineError as exc:
            logger.warning("cannot trim the log, trying again", extra={"topic": topic, "reason": str(exc)})
            return
        logger.debug("log trimmed", extra={"topic": topic, "begins": begins})
