"""Serves the portals with uvicorn, inside the event loop that holds their engines."""

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import Iterator, Sequence

import uvicorn

from app.connections import ConnectionBounds, protocol_within
from app.doors import listen
from app.proxies import forwarded_allow_ips
from app.settings import Settings
from city.clock import Clock
from portals_api.deps import PortalDeps, PortalOptions
from portals_api.factory import create_app
from portals_api.hosts import LOOPBACK_NAMES
from portals_api.meter import ApiMetrics
from portals_api.webhook import Webhook
from storage.pool import Pool
from stream.log import EventLog

logger = logging.getLogger(__name__)


async def serve(
    settings: Settings,
    pool: Pool,
    log: EventLog,
    clock: Clock,
    ticket_partitions: int,
    stop: asyncio.Event,
    metrics: ApiMetrics | None = None,
    webhook: Webhook | None = None,
    bounds: ConnectionBounds | None = None,
) -> None:
    """Serve until `stop` is set; requests under way are finished.

    Parameters
    ----------
    webhook : Webhook, optional
        Takes messages of gateways.

    Raises
    ------
    SettingsError
        The port is taken or may not be used.
    """
    # Who watches us from this machine asks by its loopback names, whatever the public ones are.
    named = [name.strip() for name in settings.public_hosts.split(",") if name.strip()]
    hosts = tuple(dict.fromkeys([*named, *LOOPBACK_NAMES]))
    options = PortalOptions(
        allowed_hosts=hosts,
        operator_key=settings.operator_key,
        operator_on_loopback=_serves_only_itself(settings.host, named),
        ticket_partitions=ticket_partitions,
    )
    if options.operator_key is None and not options.operator_on_loopback:
        logger.warning("operators' pages are closed: set CITYNERVE_OPERATOR_KEY, others than this machine come here")
    bounds = bounds or ConnectionBounds()
    app = create_app(PortalDeps(pool, log, clock, options, metrics=metrics or ApiMetrics(), webhook=webhook))
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        # From anybody else these headers are what he likes to call himself.
        forwarded_allow_ips=forwarded_allow_ips(settings.proxies),
        timeout_graceful_shutdown=5,
        http=protocol_within(bounds),
        h11_max_incomplete_event_size=bounds.head_bytes_max,
        timeout_keep_alive=bounds.keep_alive_s,
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


def _serves_only_itself(host: str, named: Sequence[str]) -> bool:
    """Tell whether the pages listen on loopback, and under no name that others use."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    return loopback and set(named) <= set(LOOPBACK_NAMES)


class _Server(uvicorn.Server):
    """Leaves signals to the process, which has more to stop than the web server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
