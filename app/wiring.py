"""The only place that picks engines."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from app.settings import Settings
from city.clock import Clock
from city.errors import CityNerveError, EngineError
from storage.pool import Pool, connect, open_pool
from stream import installation
from stream.log import EventLog

T = TypeVar("T")

START_PATIENCE_S = 60.0
"""A process that starts beside its servers waits this long for them."""
COMMAND_PATIENCE_S = 3.0
"""A person who asks wants to know soon that a server does not answer."""


def database_url(settings: Settings) -> str:
    """Return where the database answers; `cli` has looked for a running `up` before."""
    assert settings.database_url is not None
    return settings.database_url


@asynccontextmanager
async def pool(url: str, size: int = 4, patience_s: float | None = None) -> AsyncIterator[Pool]:
    """Open a pool for the time of the block, waiting for a server that is still starting."""
    opened = await _patiently(lambda: _open_pool(url, size), patience_s)
    try:
        yield opened
    finally:
        await opened.close()


@asynccontextmanager
async def log(settings: Settings, shared: Pool, patience_s: float | None = None) -> AsyncIterator[EventLog]:
    """Open the event log that the settings name."""
    opened = await _patiently(lambda: _open_log(settings, shared), patience_s)
    try:
        yield opened
    finally:
        try:
            await opened.close()
        except EngineError:
            # The process is ending and the server is gone already: there is nothing left to hand back.
            return


async def clock(shared: Pool) -> Clock:
    """Return the installation's clock."""
    async with shared.connection() as connection:
        return await installation.load_clock(connection)


async def _open_pool(url: str, size: int) -> Pool:
    """Open a pool after a connection of its own: a pool cannot say why it gets none."""
    try:
        await (await connect(url, "citynerve")).close()
    except EngineError as exc:
        told = " ".join(str(exc).split())
        raise EngineError(f"{told}: start the server, or mend CITYNERVE_DATABASE_URL") from exc
    return await open_pool(url, size=size)


async def _open_log(settings: Settings, shared: Pool) -> EventLog:
    if settings.kafka is None:
        from stream.logs.postgres import open_postgres_log
        from stream.logs.postgres_rows import PostgresLogOptions

        return await open_postgres_log(shared, PostgresLogOptions(max_bytes=int(settings.log_max_gb * 2**30)))
    from stream.logs.kafka import open_kafka_log
    from stream.logs.kafka_records import KafkaLogOptions

    return await open_kafka_log(settings.kafka, KafkaLogOptions(prefix=settings.kafka_prefix))


async def _patiently(open_engine: Callable[[], Awaitable[T]], patience_s: float | None) -> T:
    """Call until it answers or patience ends; None means that of a person at a command line."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + (COMMAND_PATIENCE_S if patience_s is None else patience_s)
    while True:
        try:
            return await open_engine()
        except CityNerveError as exc:
            if not exc.retriable or loop.time() > deadline:
                raise
            await asyncio.sleep(0.5)
