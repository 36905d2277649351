"""Serves the portals with uvicorn, inside the event loop that holds their engines."""

import asyncio
import contextlib
from collections.abc import Iterator

import uvicorn

from app.doors import listen
from app.proxies import forwarded_allow_ips
from app.settings import Settings
from city.clock import Clock
from portals_api.deps import PortalDeps, PortalOptions
from portals_api.factory import create_app
from portals_api.meter import ApiMetrics
from storage.pool import Pool
from stream.log import EventLog

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


async def serve(
    settings: Settings,
    pool: Pool,
    log: EventLog,
    clock: Clock,
    ticket_partitions: int,
    stop: asyncio.Event,
    metrics: ApiMetrics | None = None,
) -> None:
    """Serve until `stop` is set; requests under way are finished.

    Raises
    ------
    SettingsError
        The port is taken or may not be used.
    """
    # Who watches us from this machine asks by its loopback names, whatever the public ones are.
    named = [name.strip() for name in settings.public_hosts.split(",") if name.strip()]
    hosts = tuple(dict.fromkeys([*named, *LOOPBACK_NAMES]))
    options = PortalOptions(allowed_hosts=hosts, ticket_partitions=ticket_partitions)
    app = create_app(PortalDeps(pool, log, clock, options, metrics=metrics or ApiMetrics()))
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        # From anybody else these headers are what he likes to call himself.
        forwarded_allow_ips=forwarded_allow_ips(settings.proxies),
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    # uvicorn would end the process with a traceback of its own where it cannot listen.
    with listen(settings.host, settings.port, "CITYNERVE_PORT") as door:
        serving = asyncio.ensure_future(server.serve(sockets=[door]))
        waiting = asyncio.ensure_future(stop.wait())
        # The board is kept up to date even while nobody looks, so that the first who does need not wait for it.
        async with app.state.board.kept():
            await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        app.state.board.close()
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """Leaves signals to the process, which has more to stop than the web server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
