"""The door for HTTPS in the web server's process, and what keeps its knowledge of credentials and devices fresh."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry

from city.clock import Clock
from city.errors import CityNerveError
from ingest.credentials.keeper import CredentialKeeper
from ingest.registry import RegistryFollower
from ingest.state import StateStore
from ingest.tasks import pause
from ingest.web.access import WebAccess
from ingest.web.door import Door
from ingest.web.metrics import WebMetrics
from portals_api.webhook import Webhook
from storage.pool import Pool
from stream.log import EventLog

logger = logging.getLogger(__name__)

Run = Callable[[asyncio.Event], Awaitable[None]]


def open_webhook(pool: Pool, log: EventLog, clock: Clock, metrics: CollectorRegistry) -> tuple[Webhook, list[Run]]:
    """Return the door, and what has to run beside the web server."""
    access = WebAccess()
    keeper = CredentialKeeper(pool, access, notes=False)
    follower = RegistryFollower(pool)
    door = Door(log, follower.current, clock, metrics=WebMetrics(metrics), states=StateStore(pool))

    async def follow(stop: asyncio.Event) -> None:
        """Read the registry as soon as there is one, then follow it; until then the door stays closed."""
        while not stop.is_set():
            try:
                await follower.start()
                break
            except CityNerveError as exc:
                logger.warning("messages over HTTPS wait for the registry", extra={"reason": str(exc)[:200]})
                await pause(stop, 2.0)
        await follower.run(stop)

    return Webhook(access, door), [keeper.run, follow, door.run]
