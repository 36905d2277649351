"""The real portals over the small registered city, served on a loopback port, by a clock that a test sets."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn

from city import topics
from city.alarm import AlarmEvent
from city.clock import ManualClock
from incidents.store import Desk
from portals_api.deps import PortalDeps
from portals_api.factory import create_app
from sim.portal import Portal
from storage.pool import open_pool, transaction
from stream.logs.postgres import open_postgres_log
from tests.support.small_city import NOW, city_url

__all__ = ["city_url"]


@dataclass
class Served:
    """Portals that answer, and what a test does behind them."""

    portal: Portal
    clock: ManualClock
    database_url: str

    @property
    def now_us(self) -> int:
        return self.clock.now_us()

    def alarm(self, *events: AlarmEvent) -> None:
        async def main() -> None:
            async with await open_pool(self.database_url) as pool, transaction(pool) as connection:
                await Desk(self.clock).take_alarms(connection, events)

        asyncio.run(main())

    def ticket(self, scope_id: str) -> dict[str, Any]:
        (found,) = [t for t in self.portal.open_tickets(100) if t["scope"]["id"] == scope_id]
        return self.portal.ticket(found["id"])


@pytest.fixture
def served(city_url: str) -> Iterator[Served]:
    clock = ManualClock(NOW)
    started, stop, ports = threading.Event(), threading.Event(), [0]

    async def serve() -> None:
        pool = await open_pool(city_url)
        log = await open_postgres_log(city_url)
        await log.create_topics(topics.PARTITIONS)
        app = create_app(PortalDeps(pool, log, clock))
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off", ws="none"))
        task = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        ports[0] = server.servers[0].sockets[0].getsockname()[1]
        started.set()
        await asyncio.to_thread(stop.wait)
        server.should_exit = True
        await task
        await log.close()
        await pool.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(30), "the portals did not start"
    yield Served(Portal(f"http://127.0.0.1:{ports[0]}"), clock, city_url)
    stop.set()
    thread.join(15)
