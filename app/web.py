"""Serves the portals with uvicorn, inside the event loop that holds their engines."""

import asyncio
import contextlib
from collections.abc import Iterator

import uvicorn

from app.settings import Settings
from city.clock import Clock
from portals_api.deps import PortalDeps, PortalOptions
from portals_api.factory import create_app
from storage.pool import Pool
from stream.log import EventLog


async def serve(
    settings: Settings, pool: Pool, log: EventLog, clock: Clock, ticket_partitions: int, stop: asyncio.Event
) -> None:
    """Serve until `stop` is set; requests under way are finished."""
    hosts = tuple(name.strip() for name in settings.public_hosts.split(",") if name.strip())
    options = PortalOptions(allowed_hosts=hosts, ticket_partitions=ticket_partitions)
    app = create_app(PortalDeps(pool, log, clock, options))
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    serving = asyncio.ensure_future(server.serve())
    waiting = asyncio.ensure_future(stop.wait())
    await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    server.should_exit = True
    await serving


class _Server(uvicorn.Server):
    """Leaves signals to the process, which has more to stop than the web server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
