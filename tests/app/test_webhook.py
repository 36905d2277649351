"""The door for HTTPS as the web server's process opens it: real uvicorn, registry and credentials followed."""

import asyncio
from time import time

import httpx2
from prometheus_client import CollectorRegistry

from app.settings import Settings
from app.web import serve
from app.webhook import open_webhook
from city import topics
from city.clock import SystemClock
from city.profile import parse_pack
from ingest.credentials import store
from ingest.credentials.store import Change
from storage.layout import apply_layout
from storage.pool import open_pool, transaction
from stream import installation, registry
from stream.logs.postgres import open_postgres_log
from tests.city.packs import SMALL
from tests.support.servers import free_port

READING = b'{"device":"S-1","at":"2026-11-23T18:00:00Z","co2_ppm":600}'


def test_a_gateway_sends_over_http_as_soon_as_city_and_credential_are_there(database_url: str) -> None:
    async def main() -> None:
        pool = await open_pool(database_url)
        log = await open_postgres_log(pool)
        await log.create_topics(topics.PARTITIONS)
        port, stop = free_port(), asyncio.Event()
        webhook, beside = open_webhook(pool, log, SystemClock(), CollectorRegistry())
        tickets = topics.PARTITIONS[topics.TICKETS]
        settings = Settings(host="127.0.0.1", port=port)
        pages = serve(settings, pool, log, SystemClock(), tickets, stop, webhook=webhook)
        running = [asyncio.create_task(task) for task in (pages, *(run(stop) for run in beside))]
        transport = httpx2.AsyncHTTPTransport(retries=8)
        async with httpx2.AsyncClient(transport=transport, base_url=f"http://127.0.0.1:{port}") as http:
            assert (await http.post("/ingest/v1/GW-2/readings", content=READING)).status_code == 401
            pack = parse_pack(SMALL)
            async with transaction(pool) as connection:
                await installation.ensure_installation(
                    connection, city=pack.name, timezone=pack.timezone, simulated=True
                )
                await registry.import_pack(connection, pack, topics.PARTITIONS[topics.READINGS])
                await apply_layout(connection, pack.timezone)
            issued = await store.create(pool, "GW-2", Change("operator", int(time() * 1e6)))
            auth = (issued.credential.login, issued.password)
            for _ in range(100):
                answer = await http.post("/ingest/v1/GW-2/readings", content=READING, auth=auth)
                if answer.status_code == 200:
                    break
                assert answer.status_code in (401, 503)
                await asyncio.sleep(0.2)
            assert answer.json() == {"readings": 1, "set_aside": {}}
        stop.set()
        await asyncio.gather(*running)
        await log.close()
        await pool.close()

    asyncio.run(main())
