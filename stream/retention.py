"""Keeps the log within its time: what every group has read and is old enough goes.

The registry's records are put on the log anew before retention reaches the old ones: a group that starts later, or
that computes its state anew, would know no device otherwise.
"""

import asyncio
import logging

from city import topics
from city.clock import HOUR_US, Clock
from city.errors import EngineError
from storage.pool import Pool
from stream import registry
from stream.log import EventLog

logger = logging.getLogger(__name__)

EVERY_S = 60.0


async def keep_log(
    pool: Pool, log: EventLog, clock: Clock, keep_h: float, stop: asyncio.Event, *, every_s: float = EVERY_S
) -> None:
    """Trim each topic once a minute until `stop` is set.

    Raises
    ------
    SettingsError
        The registry no longer fits on the log.
    """
    while not stop.is_set():
        try:
            await asyncio.wait_for(stop.wait(), every_s)
        except TimeoutError:
            try:
                await trim_all(pool, log, clock.now_us(), int(keep_h * HOUR_US))
            except EngineError as exc:
                logger.warning("cannot trim the log, trying again", extra={"reason": str(exc)})


async def trim_all(pool: Pool, log: EventLog, now_us: int, keep_us: int) -> None:
    """Trim every topic to the last `keep_us` before `now_us`, µs; the registry is never older than half of that.

    Raises
    ------
    EngineError
        Log or database did not answer.
    """
    renewed = await registry.publish(pool, log, now_us, renew_before_us=now_us - keep_us // 2)
    if renewed:
        logger.info("registry put on the log again", extra={"records": renewed})
    for topic in topics.PARTITIONS:
        begins = await log.trim(topic, now_us - keep_us)
        logger.debug("log trimmed", extra={"topic": topic, "begins": begins})
