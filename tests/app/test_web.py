"""The pages behind a web server, on a real uvicorn: whose word on who asks is believed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx2
import pytest

from app.connections import ConnectionBounds
from app.settings import Settings
from app.web import serve
from city import topics
from city.clock import ManualClock
from portals_api.deps import PortalOptions
from storage.pool import open_pool
from stream.logs.postgres import open_postgres_log
from tests.support.servers import free_port
from tests.support.small_city import NOW, city_url

__all__ = ["city_url"]

LIMIT = PortalOptions().reports_per_minute
PROXY, STRANGER = "127.0.0.1", "127.0.0.2"

Serving = Callable[..., AbstractAsyncContextManager[Callable[..., httpx2.AsyncClient]]]


@pytest.fixture
def serving(city_url: str) -> Serving:
    @asynccontextmanager
    async def served(
        host: str = "127.0.0.1", bounds: ConnectionBounds | None = None, **settings: str
    ) -> AsyncIterator[Callable[..., httpx2.AsyncClient]]:
        pool = await open_pool(city_url)
        log = await open_postgres_log(city_url)
        await log.create_topics(topics.PARTITIONS)
        port = free_port()
        stop = asyncio.Event()
        chosen = Settings(host=host, port=port, **settings)
        running = asyncio.create_task(
            serve(chosen, pool, log, ManualClock(NOW), topics.PARTITIONS[topics.TICKETS], stop, bounds=bounds)
        )

        def client(address: str = PROXY) -> httpx2.AsyncClient:
            """Return a client whose connections come from `address`, tried until the server listens."""
            transport = httpx2.AsyncHTTPTransport(local_address=address, retries=8)
            return httpx2.AsyncClient(transport=transport, base_url=f"http://127.0.0.1:{port}")

        try:
            yield client
        finally:
            stop.set()
            await running
            await log.close()
            await pool.close()

    return served


async def _report(client: httpx2.AsyncClient, forwarded_for: str | None) -> int:
    """Send a report that is refused for what it says, unless it is refused for how many there were."""
    headers = {} if forwarded_for is None else {"X-Forwarded-For": forwarded_for}
    return (await client.post("/api/v1/reports", json={}, headers=headers)).status_code


async def _use_up(client: httpx2.AsyncClient, forwarded_for: Callable[[int], str | None]) -> None:
    assert [await _report(client, forwarded_for(n)) for n in range(LIMIT)] == [422] * LIMIT


def test_behind_a_proxy_every_citizen_has_reports_of_his_own(serving: Serving) -> None:
    async def main() -> None:
        async with serving() as client, client(PROXY) as proxy:
            await _use_up(proxy, lambda _: "203.0.113.1")
            assert await _report(proxy, "203.0.113.1") == 429
            assert await _report(proxy, "203.0.113.2") == 422
            # What a citizen wrote before the proxy's own entry is what he likes to call himself.
            assert await _report(proxy, "198.51.100.7, 203.0.113.1") == 429
            assert await _report(proxy, "127.0.0.1, 203.0.113.1") == 429

    asyncio.run(main())


def test_header_from_elsewhere_does_not_count(serving: Serving) -> None:
    async def main() -> None:
        async with serving() as client, client(PROXY) as proxy, client(STRANGER) as stranger:
            await _use_up(stranger, lambda n: f"203.0.113.{n}")
            assert await _report(stranger, "203.0.113.200") == 429
            assert await _report(stranger, None) == 429
            # Nor can he use up what is another's.
            assert await _report(proxy, "203.0.113.1") == 422

    asyncio.run(main())


def test_a_chain_of_proxies_is_followed_to_the_first_that_is_none(serving: Serving) -> None:
    async def main() -> None:
        async with (
            serving(proxies="127.0.0.2,10.1.0.0/16") as client,
            client(STRANGER) as proxy,
            client(PROXY) as other,
        ):
            await _use_up(proxy, lambda n: f"203.0.113.{n}, 198.51.100.1, 10.1.2.{n}")
            assert await _report(proxy, "198.51.100.1, 10.1.9.9") == 429
            # The default is gone where something else was chosen.
            await _use_up(other, lambda n: f"203.0.113.{n}")
            assert await _report(other, "203.0.113.201") == 429

    asyncio.run(main())


def test_a_server_on_ipv6_knows_its_ipv4_proxy(serving: Serving) -> None:
    async def main() -> None:
        async with serving("::") as client, client(PROXY) as proxy:
            await _use_up(proxy, lambda n: f"203.0.113.{n}")
            assert await _report(proxy, "203.0.113.201") == 422

    asyncio.run(main())


async def _front(client: httpx2.AsyncClient, **headers: str) -> int:
    return (await client.get("/operator", headers={"Accept": "text/html", **headers})).status_code


def test_operators_pages_without_a_key_are_for_this_machine_alone(serving: Serving) -> None:
    async def main() -> None:
        async with serving() as client, client(PROXY) as here, client(STRANGER) as near:
            assert await _front(here) == await _front(near) == 200
            assert await _front(here, **{"X-Forwarded-For": "203.0.113.1"}) == 404
            assert await _front(here, **{"X-Forwarded-For": "127.0.0.1"}) == 404
            # As web servers ask what is behind them, unless they are told otherwise.
            reader, writer = await asyncio.open_connection("127.0.0.1", here.base_url.port)
            writer.write(b"GET /operator HTTP/1.0\r\nHost: 127.0.0.1:8000\r\nConnection: close\r\n\r\n")
            assert b" 404 " in await reader.readline()
            writer.close()
        for elsewhere in ({"host": "0.0.0.0"}, {"public_hosts": "luz.city.example"}, {"public_hosts": "*"}):
            async with serving(**elsewhere) as client, client(PROXY) as here:
                assert await _front(here) == 404, elsewhere

    asyncio.run(main())


def test_operators_key_opens_their_pages_wherever_they_are_served(serving: Serving) -> None:
    async def main() -> None:
        key = "correct-horse-battery-staple"
        async with serving("0.0.0.0", operator_key=key, public_hosts="luz.city.example") as client, client() as here:
            told = {"Host": "luz.city.example", "X-Forwarded-For": "203.0.113.1", "X-Forwarded-Proto": "https"}
            assert await _front(here, **told) == 303
            assert await _front(here, **told, Authorization=f"Bearer {key}") == 200
            wrong = {**told, "Authorization": "Bearer wrong"}
            tries = PortalOptions().operator_tries_per_minute
            assert [await _front(here, **wrong) for _ in range(tries + 1)] == [303] * tries + [429]
            # Counted by who asks, not by the web server between.
            assert (
                await _front(here, **{**told, "X-Forwarded-For": "203.0.113.2"}, Authorization=f"Bearer {key}") == 200
            )

    asyncio.run(main())


def test_addresses_in_feeds_are_secure_where_the_proxy_is(serving: Serving) -> None:
    async def main() -> None:
        secure = {"X-Forwarded-Proto": "https"}
        async with serving() as client, client(PROXY) as proxy, client(STRANGER) as stranger:
            for asking, scheme in ((proxy, "https"), (stranger, "http")):
                page = await asking.get("/developers", headers={**secure, "Accept": "text/html"})
                assert f"{scheme}://127.0.0.1" in page.text
                assert ("https://127.0.0.1" in page.text) == (scheme == "https")

    asyncio.run(main())


ASKS = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


async def _connect(client: httpx2.AsyncClient) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", client.base_url.port)


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, drops: bytes) -> bytes:
    """Send a byte now and then; return all that is answered until the connection is closed."""
    told = asyncio.create_task(reader.read())
    for drop in drops:
        if told.done():
            break
        writer.write(bytes([drop]))
        await asyncio.sleep(0.1)
    async with asyncio.timeout(5):
        answer = await told
    writer.close()
    return answer


def test_a_request_that_does_not_begin_is_not_waited_for(serving: Serving) -> None:
    async def main() -> None:
        async with serving(bounds=ConnectionBounds(head_s=0.5)) as client, client() as here:
            assert await _front(here) == 200
            assert await _drip(*await _connect(here), b"") == b""
            assert (await _drip(*await _connect(here), b"GET / HTTP/1.1" * 9)).startswith(b"HTTP/1.1 408 ")
            reader, writer = await _connect(here)
            writer.write(ASKS)
            assert b" 200 " in await reader.readline()
            assert b"HTTP/1.1 408 " in await _drip(reader, writer, b"GET / HTTP/1.1" * 9)
            reader, writer = await _connect(here)
            writer.write(b"POST /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000\r\n\r\n")
            assert b" 404 " in await reader.readline()
            assert b"408" not in await _drip(reader, writer, b" " * 200), "it was answered, and is let go"

    asyncio.run(main())


def test_beyond_so_many_connections_one_is_told_to_come_again(serving: Serving) -> None:
    async def main() -> None:
        async with serving(bounds=ConnectionBounds(connections_max=3, unanswered_max=1)) as client, client() as here:
            assert await _front(here) == 200  # Its connection stays open, and is the first.
            others = [await _connect(here) for _ in range(2)]
            reader, writer = await _connect(here)
            writer.write(ASKS)
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 5" in answer.lower()
            writer.close()
            assert await _front(here) == 200, "who is there is served"
            crowd = [await _connect(here) for _ in range(2)]
            assert await crowd[1][0].read() == b""
            for _, gone in (*others, *crowd):
                gone.close()
            await asyncio.sleep(0.2)
            reader, writer = await _connect(here)
            writer.write(ASKS)
            assert b" 200 " in await reader.readline()
            writer.close()

    asyncio.run(main())
