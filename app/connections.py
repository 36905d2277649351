"""Connections of the web server within bounds: how many there are, and how long a request may take to begin.

uvicorn's own limits have no answer that says when to come again, and no end for who never finishes his headers.
"""

import asyncio
import json
from dataclasses import dataclass

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from portals_api.errors import error_body, error_json


@dataclass(frozen=True, slots=True)
class ConnectionBounds:
    """How many connections there may be, and what each may ask of us before it has asked for anything.

    Attributes
    ----------
    connections_max : int
        Who comes beyond these is told to come again (503); those that are there are served.
    unanswered_max : int
        Beyond these many more nobody is told anything: a file stays free for database and log.
    head_s : float
        From a connection, or from a request's first byte, to the end of its headers; and for the rest of a body that
        nobody reads, because the request is answered already.
    head_bytes_max : int
        Of a request line and headers.
    keep_alive_s : float
        A connection without a request stays open so long.
    """

    connections_max: int = 768
    unanswered_max: int = 128
    head_s: float = 10.0
    head_bytes_max: int = 32 * 1024
    keep_alive_s: int = 5


def protocol_within(bounds: ConnectionBounds) -> type[H11Protocol]:
    """Return uvicorn's protocol, held within bounds."""

    class Bounded(_BoundedProtocol):
        _bounds = bounds

    return Bounded


class _BoundedProtocol(H11Protocol):
    """One deadline, while nothing of ours is under way on a connection that has said something."""

    _bounds: ConnectionBounds
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        beyond = len(self.connections) - self._bounds.connections_max
        if beyond > self._bounds.unanswered_max:
            transport.abort()
            return
        if beyond > 0:
            self.app = _FULL
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._let_go()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Begin or end the deadline; data that trickle in do not move it."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._let_go()
        elif self._deadline is None and self.timeout_keep_alive_task is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(self._bounds.head_s, self._too_late)

    def _let_go(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self.transport.write(_TOO_LATE)
        self.transport.close()


def _late_answer() -> bytes:
    body = json.dumps(error_body(408, "the request took too long to begin: send it again")).encode()
    head = (
        "HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nConnection: close\r\nRetry-After: 2\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


_TOO_LATE = _late_answer()
_FULL = error_json(
    503, "too many connections are open: come again in a moment", {"Retry-After": "5", "Connection": "close"}
)
