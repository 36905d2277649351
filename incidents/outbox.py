"""Publishes the outbox: what transactions promised to tell goes to the log, in order, at least once."""

import asyncio
import logging
from dataclasses import dataclass

from city.errors import EngineError
from incidents.metrics import DeskMetrics
from incidents.rows import SQL, fetch
from incidents.store import Desk
from storage.pool import Pool, transaction
from stream.log import Append, EventLog

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OutboxOptions:
    """How the publisher paces itself; seconds of the machine's clock."""

    pause_s: float = 0.25
    backoff_s_max: float = 5.0
    batch: int = 500
    verify_every_s: float = 5.0


async def publish_once(pool: Pool, log: EventLog, batch: int = 500) -> int:
    """Append what waits, then delete it; return how many records. Another publisher at work: none.

    A crash between the two makes the next publisher append again: records carry ids by which readers can tell.

    Raises
    ------
    EngineError
        Database or log did not answer; nothing is lost.
    """
    async with transaction(pool) as connection:
        if not (await fetch(connection, SQL.publish_lock))[0][0]:
            return 0
        rows = await fetch(connection, SQL.outbox, limit=batch)
        if rows:
            await log.append([Append(r[1], r[2], r[3], bytes(r[4]), r[5]) for r in rows])
            await connection.execute(SQL.delete_outbox, {"ids": [row[0] for row in rows]})
        return len(rows)


async def publish(
    pool: Pool,
    log: EventLog,
    stop: asyncio.Event,
    options: OutboxOptions | None = None,
    metrics: DeskMetrics | None = None,
) -> None:
    """Publish until `stop` is set, then once more what is left."""
    options = options or OutboxOptions()
    metrics = metrics or DeskMetrics()
    backoff_s = options.pause_s
    while True:
        last = stop.is_set()
        try:
            published = await publish_once(pool, log, options.batch)
            metrics.published.inc(published)
            backoff_s = options.pause_s
        except EngineError as exc:
            metrics.publish_failures.inc()
            if last:
                logger.warning("the outbox keeps what the log did not take", extra={"reason": str(exc)})
                return
            logger.warning("publishing failed, trying again", extra={"reason": str(exc)})
            published, backoff_s = 0, min(backoff_s * 2, options.backoff_s_max)
        if last and published < options.batch:
            return
        if published < options.batch:
            await _pause(stop, backoff_s)


async def verify(pool: Pool, desk: Desk, stop: asyncio.Event, options: OutboxOptions | None = None) -> None:
    """Look after repairs that are due for verification until `stop` is set."""
    options = options or OutboxOptions()
    while not stop.is_set():
        try:
            await desk.verify_due(pool)
        except EngineError as exc:
            logger.warning("verification failed, trying again", extra={"reason": str(exc)})
        await _pause(stop, options.verify_every_s)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
