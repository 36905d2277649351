"""The portals over the small city, asked through ASGI."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from city import topics
from city.alarm import AlarmEvent
from city.clock import ManualClock
from incidents.store import Desk
from portals_api.deps import PortalDeps, PortalOptions
from portals_api.factory import create_app
from portals_api.meter import ApiMetrics
from storage.pool import Pool, open_pool, transaction
from stream.log import EventLog
from stream.logs.postgres import open_postgres_log
from tests.support.small_city import NOW, add_data, city_url, rows

__all__ = ["city_url", "rows"]


@dataclass
class Portals:
    """A client, and what stands behind it."""

    http: httpx2.AsyncClient
    pool: Pool
    log: EventLog
    clock: ManualClock

    async def alarm(self, *events: AlarmEvent) -> None:
        async with transaction(self.pool) as connection:
            await Desk(self.clock).take_alarms(connection, events)

    async def json(self, path: str, status: int = 200, **params: Any) -> Any:
        answer = await self.http.get(path, params=params)
        assert answer.status_code == status, answer.text
        return answer.json()


Open = Callable[..., AbstractAsyncContextManager[Portals]]


@pytest.fixture
def portals(city_url: str) -> Open:
    @asynccontextmanager
    async def opened(
        *, engines: Any = None, metrics: ApiMetrics | None = None, **options: Any
    ) -> AsyncIterator[Portals]:
        pool = await open_pool(city_url)
        log = await open_postgres_log(city_url)
        await log.create_topics(topics.PARTITIONS)
        clock = ManualClock(NOW)
        deps = PortalDeps(pool, log, clock, PortalOptions(**options), engines or {}, metrics or ApiMetrics())
        app = create_app(deps)
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            yield Portals(http, pool, log, clock)
        await log.close()
        await pool.close()

    return opened


@pytest.fixture
def data(city_url: str) -> None:
    add_data(city_url)
