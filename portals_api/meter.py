"""Counts what the portals answer, by route and never by address: what is asked for is nobody's business here."""

import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NOTE = "citynerve.route"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class ApiMetrics:
    """What an operator watches of API and pages; without a registry it counts nowhere."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.requests = Counter(
            "citynerve_api_requests_total",
            "Requests answered, by the template of their route",
            ("route", "method", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "citynerve_api_request_seconds",
            "Time until the answer begins",
            ("route", "method"),
            buckets=(0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=registry,
        )
        self.under_way = Gauge("citynerve_api_requests_under_way", "Requests being answered", registry=registry)
        self.listeners = Gauge("citynerve_api_listeners", "Open streams of changes (SSE)", registry=registry)


class Meter:
    """ASGI middleware around everything else: it sees the answers to refused requests too."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found: dict[str, Any] = {}
        started = time.monotonic()
        begun: tuple[int, float] | None = None

        async def metered_send(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start" and begun is None:
                begun = message["status"], time.monotonic() - started
            await send(message)

        with self._metrics.under_way.track_inprogress():
            try:
                await self._app({**scope, _NOTE: found}, receive, metered_send)
            finally:
                # A client that left before the answer has none; 499 is what others call that.
                status, seconds = begun or (499, time.monotonic() - started)
                route = found.get("template") or _unrouted(scope["path"])
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._metrics.requests.labels(route, method, str(status)).inc()
                self._metrics.seconds.labels(route, method).observe(seconds)


class RouteNote:
    """ASGI middleware next to the router: tells `Meter`, through copies of the scope, which route was taken."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        finally:
            if _NOTE in scope and "route" in scope:
                scope[_NOTE]["template"] = getattr(scope["route"], "path", None)


def _unrouted(path: str) -> str:
    """Return one word for all paths without a route of their own: strangers must not make series."""
    return "/static" if path.startswith("/static/") else "none"
