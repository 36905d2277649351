"""What the portals count of their answers."""

import asyncio
from typing import Any

from prometheus_client import CollectorRegistry
from starlette.types import Message

from portals_api.meter import ApiMetrics, Meter
from tests.portals_api.conftest import Open
from tests.support.exposition import sample


def test_answers_are_counted_by_route_and_never_by_address(portals: Open, data: None) -> None:
    registry = CollectorRegistry()

    async def main() -> None:
        async with portals(metrics=ApiMetrics(registry)) as p:
            await p.json("/api/v1/lamps", limit=1)
            lamps = (await p.json("/api/v1/lamps", limit=2))["items"]
            for lamp in lamps:
                await p.http.get(f"/lamps/{lamp['id']}")
            await p.http.head("/api/v1/lamps")
            for path in ("/nothing", "/other-nothing", "/static/icon.svg", "/static/absent.css"):
                await p.http.get(path)
            await p.http.get("/", headers={"host": "elsewhere.example"})
            await p.http.request("INVENTED", "/")

    asyncio.run(main())
    told: list[dict[str, str]] = [
        {**one.labels, "count": str(int(one.value))}
        for family in registry.collect()
        for one in family.samples
        if one.name == "citynerve_api_requests_total"
    ]
    assert {"route": "/api/v1/lamps", "method": "GET", "status": "200", "count": "2"} in told
    assert {"route": "/api/v1/lamps", "method": "HEAD", "status": "200", "count": "1"} in told
    assert {"route": "/lamps/{lamp_id}", "method": "GET", "status": "200", "count": "2"} in told
    assert {"route": "none", "method": "GET", "status": "404", "count": "2"} in told
    assert {"route": "none", "method": "GET", "status": "400", "count": "1"} in told
    assert {"route": "/static/{name:path}", "method": "GET", "status": "200", "count": "1"} in told
    assert {one["method"] for one in told} == {"GET", "HEAD", "other"}
    assert {one["route"] for one in told} == {"/api/v1/lamps", "/lamps/{lamp_id}", "none", "/static/{name:path}", "/"}
    assert sample(registry, "citynerve_api_request_seconds_count", route="/api/v1/lamps", method="GET") == 2
    assert sample(registry, "citynerve_api_requests_under_way") == 0


def test_public_site_has_no_metrics(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            assert (await p.http.get("/metrics")).status_code == 404

    asyncio.run(main())


def test_long_stream_is_measured_to_its_beginning_and_a_client_that_left_counts_as_499() -> None:
    registry = CollectorRegistry()
    began = asyncio.Event()

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        began.set()
        await asyncio.Event().wait()

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        began.set()
        await asyncio.Event().wait()

    async def nowhere(message: Message) -> None:
        return

    async def leave(app: Any) -> None:
        began.clear()
        scope = {"type": "http", "method": "GET", "path": "/x"}
        request = asyncio.ensure_future(Meter(app, metrics)(scope, None, nowhere))  # type: ignore[arg-type]
        await began.wait()
        assert sample(registry, "citynerve_api_requests_under_way") == 1
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)

    async def main() -> None:
        await leave(stream)
        await leave(silent)

    metrics = ApiMetrics(registry)
    asyncio.run(main())
    for status in ("200", "499"):
        assert sample(registry, "citynerve_api_requests_total", route="none", method="GET", status=status) == 1
    assert sample(registry, "citynerve_api_requests_under_way") == 0
