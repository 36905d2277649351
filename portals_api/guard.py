"""What every request passes before a route: host, size, origin; and what every answer carries: headers that protect."""

import asyncio
import logging
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from portals_api.deps import PortalOptions
from portals_api.errors import error_json
from portals_api.hosts import host_name
from portals_api.webhook import PREFIX

logger = logging.getLogger(__name__)

_CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; worker-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(self), camera=(), microphone=()",
}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FOR_ANY_PAGE = ("/api/v1/", "/feeds/")
_NEVER_SHARED = "/api/v1/operator"
_LISTS = ("/operator/import/", *(f"/api/v1/operator/{kind}/import" for kind in ("devices", "gateways", "profiles")))
_SHARED = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Retry-After",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""Open data may be read by any web page; not where whoever asks counts as crew, for then it holds more."""


class _TooLargeError(Exception):
    """The body went over the limit while it was read."""


class _TooSlowError(Exception):
    """The body did not come in time."""


class Guard:
    """ASGI middleware around everything, so that a crash in a route answers in our shape as well."""

    def __init__(self, app: ASGIApp, options: PortalOptions) -> None:
        self._app = app
        self._options = options
        self._shared = not options.crew_without_account

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False
        bare = scope["method"] == "HEAD"
        if bare:
            # The same answer, headers and length, without its body; a stream must know, or it would never end.
            scope = {**scope, "method": "GET", "citynerve.bare": True}

        async def guarded_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.body" and bare:
                message = {**message, "body": b""}
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                if self._shared and scope["method"] == "GET" and _is_open(scope["path"]):
                    for name, value in _SHARED.items():
                        headers[name] = value
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refuse(scope)
        if refusal is not None:
            await error_json(*refusal)(scope, receive, guarded_send)
            return
        try:
            await self._app(scope, _limited(receive, self._most(scope), self._patience_s(scope)), guarded_send)
        except _TooLargeError:
            if started:
                raise
            await error_json(413, _too_large(self._most(scope)))(scope, receive, guarded_send)
        except _TooSlowError:
            if started:
                raise
            # Whatever is still to come of it would be taken for the next request.
            headers = {"Connection": "close", "Retry-After": "2"}
            await error_json(408, _too_slow(self._patience_s(scope)), headers)(scope, receive, guarded_send)
        except Exception:
            # The one place where anything is caught: an answer in our shape, and the trace in the journal.
            logger.exception("request crashed", extra={"path": scope["path"]})
            if started:
                raise
            await error_json(500, "something went wrong here; it has been noted")(scope, receive, guarded_send)

    def _refuse(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if "*" not in self._options.allowed_hosts and host_name(host) not in self._options.allowed_hosts:
            return 400, "these portals are not served under this host name: use the address that the city gives"
        length = headers.get("content-length", "0")
        most = self._most(scope)
        if not length.isdigit() or int(length) > most:
            return 413, _too_large(most)
        if scope["method"] not in _SAFE and not _same_origin(headers, host):
            return 403, "this form was sent from another site: open the page here and send it again"
        return None

    def _most(self, scope: Scope) -> int:
        """Return how many bytes a request may have: operators bring lists, gateways messages."""
        path: str = scope["path"]
        if path.startswith(PREFIX):
            return self._options.message_bytes_max
        return self._options.list_bytes_max if path.startswith(_LISTS) else self._options.body_bytes_max

    def _patience_s(self, scope: Scope) -> float:
        """Return for how long a body may come, from when somebody first wants it."""
        return self._options.list_s_max if scope["path"].startswith(_LISTS) else self._options.body_s_max


def _limited(receive: Receive, most: int, patience_s: float) -> Receive:
    seen = 0
    until: float | None = None
    whole = False

    async def limited() -> Message:
        nonlocal seen, until, whole
        if whole:
            return await receive()  # Whoever asks now waits for the end of the connection.
        until = asyncio.get_running_loop().time() + patience_s if until is None else until
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError as exc:
            raise _TooSlowError from exc
        whole = not message.get("more_body", False)
        seen += len(message.get("body", b""))
        if seen > most:
            raise _TooLargeError
        return message

    return limited


def _too_large(most: int) -> str:
    return f"the request is over {most} bytes: shorten the text, or send several"


def _too_slow(patience_s: float) -> str:
    return f"the request did not come within {patience_s:g} s: send it again, or less at once"


def _is_open(path: str) -> bool:
    return path.startswith(_FOR_ANY_PAGE) and not path.startswith(_NEVER_SHARED)


def _same_origin(headers: Headers, host: str) -> bool:
    """Tell whether a request that changes something came from our own pages, or from no browser at all.

    Browsers send at least one of the two headers with a post; programs send neither, and carry no cookie that could
    be abused.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == host
