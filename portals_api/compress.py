"""Compresses what is text; leaves streams, small answers and what is compressed already alone."""

import asyncio
import gzip

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SMALLEST = 1024
_LARGE = 64 * 1024
_KINDS = ("text/html", "text/css", "text/plain", "text/csv", "text/javascript", "application/json", "image/svg+xml")


class Compress:
    """ASGI middleware: gzip for an answer that comes in one piece; one in several pieces passes as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "gzip" not in accepted(Headers(scope=scope).get("accept-encoding")):
            await self._app(scope, receive, send)
            return
        start: Message | None = None

        async def compressing(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                if _compressible(Headers(raw=message["headers"])):
                    start = message  # Held back until the body shows whether it comes in one piece.
                    return
            elif start is not None:
                begin, start = start, None
                headers = MutableHeaders(raw=begin["headers"])
                headers.add_vary_header("Accept-Encoding")
                body = message.get("body", b"")
                if not message.get("more_body") and len(body) >= _SMALLEST:
                    packed = await asyncio.to_thread(_pack, body) if len(body) > _LARGE else _pack(body)
                    headers["Content-Encoding"] = "gzip"
                    headers["Content-Length"] = str(len(packed))
                    message = {**message, "body": packed}
                await send({**begin, "headers": headers.raw})
            await send(message)

        await self._app(scope, receive, compressing)


def accepted(header: str | None) -> frozenset[str]:
    """Return the encodings that a client takes."""
    found = set()
    for part in (header or "")[:512].split(","):
        name, _, rest = part.partition(";")
        if rest.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            found.add(name.strip().lower())
    return frozenset(found)


def _compressible(headers: Headers) -> bool:
    kind = headers.get("content-type", "").partition(";")[0].strip()
    return "content-encoding" not in headers and (kind in _KINDS or kind.endswith("+json"))


def _pack(body: bytes) -> bytes:
    return gzip.compress(body, 5, mtime=0)
