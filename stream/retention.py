"""Keeps the log within its time: what every group has read and is old enough goes. So do dead letters that came back.

The registry's records are put on the log anew before retention reaches the old ones: a group that starts later, or
that computes its state anew, would know no device otherwise.
"""

import asyncio
import logging

from city import topics
from city.clock import HOUR_US, Clock
from city.errors import EngineError
from storage.pool import Pool, transaction
from stream import letters, publication
from stream.log import EventLog

logger = logging.getLogger(__name__)

EVERY_S = 60.0


async def keep_log(
    pool: Pool,
    log: EventLog,
    clock: Clock,
    keep_h: float,
    stop: asyncio.Event,
    *,
    letters_h: float = float("inf"),
    every_s: float = EVERY_S,
) -> None:
    """Trim each topic, and the letters that came back, once a minute until `stop` is set.

    Parameters
    ----------
    keep_h, letters_h : float
        Hours of city time for which the log keeps what every group has read, and the database a letter of which every
        reading came back and is stored. Letters stay no shorter than the log, which may bring a replay's record again.

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
                if letters_h < float("inf"):
                    await forget_letters(pool, clock.now_us(), int(max(letters_h, keep_h) * HOUR_US))
            except EngineError as exc:
                logger.warning("cannot trim log or letters, trying again", extra={"reason": str(exc)})


async def trim_all(pool: Pool, log: EventLog, now_us: int, keep_us: int) -> None:
    """Trim every topic to the last `keep_us` before `now_us`, µs; the registry is never older than half of that.

    Raises
    ------
    EngineError
        Log or database did not answer.
    """
    renewed = await publication.publish(pool, log, now_us, renew_before_us=now_us - keep_us // 2)
    if renewed:
        logger.info("registry put on the log again", extra={"records": renewed})
    for topic in topics.PARTITIONS:
        begins = await log.trim(topic, now_us - keep_us)
        logger.debug("log trimmed", extra={"topic": topic, "begins": begins})


async def forget_letters(pool: Pool, now_us: int, keep_us: int) -> int:
    """Delete letters that were stored whole and last replayed longer ago than `keep_us`, µs; return how many.

    Letters that wait stay, and so do those that nobody wants: nothing is dropped.

    Raises
    ------
    EngineError
        The database did not answer.
    """
    gone = 0
    while True:
        async with transaction(pool) as connection:
            some = await letters.forget(connection, now_us - keep_us)
        gone += some
        if not some:
            break
    if gone:
        logger.info("letters that came back are forgotten", extra={"letters": gone})
    return gone
