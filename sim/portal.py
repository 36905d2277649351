"""The city's public API as simulated people use it: over HTTP, like any client."""

import http.client
import json
import logging
from typing import Any
from urllib.parse import urlencode, urlsplit

from city.errors import CityNerveError, ConflictError, DataError, EngineError, NotFoundError, SettingsError

logger = logging.getLogger(__name__)

_ANSWER_BYTES_MAX = 4 << 20
_PAGE = 200
_BUSY = frozenset({408, 429})


class Portal:
    """A client of one installation; each call is one connection, and nothing is kept between calls.

    Every method raises `EngineError` where the API is away or asks to wait, `ConflictError` where somebody was
    faster, `NotFoundError` where there is no such thing, and `DataError` where what was sent makes no sense.

    Raises
    ------
    SettingsError
        The address makes no sense.
    """

    def __init__(self, url: str, timeout_s: float = 5.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError(f"{url!r} is not the address of the portals: write it as http://127.0.0.1:8000")
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port, self._timeout_s = parts.hostname, parts.port, timeout_s

    def open_tickets(self, most: int) -> list[dict[str, Any]]:
        """Return the open tickets, `most` of them at most, the newest number first."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while len(found) < most:
            query = {"open": "true", "limit": str(min(_PAGE, most - len(found)))} | ({"next": cursor} if cursor else {})
            answer = self._ask("GET", f"/api/v1/tickets?{urlencode(query)}")
            found += answer["items"]
            cursor = answer["next"]
            if not cursor:
                break
        return found

    def ticket(self, ticket_id: int) -> dict[str, Any]:
        """Return one ticket."""
        return self._ask("GET", f"/api/v1/tickets/{ticket_id}")

    def move(
        self, ticket: dict[str, Any], to: str, reason: str, verdict: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Move a ticket as a crew, and say what was found; return it as it is then."""
        path = f"/api/v1/tickets/{ticket['id']}/transitions"
        body = {"to": to, "version": ticket["version"], "reason": reason}
        if verdict is not None:
            try:
                return self._ask("POST", path, {**body, "verdict": verdict})
            except DataError as exc:
                # An outage may have come to explain the alarm since the crew looked at the ticket.
                logger.info("a verdict was refused", extra={"ticket": ticket["id"], "reason": str(exc)})
        return self._ask("POST", path, body)

    def report(self, **fields: str) -> dict[str, Any]:
        """Report something as a citizen."""
        return self._ask("POST", "/api/v1/reports", fields)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        connection = self._kind(self._host, self._port, timeout=self._timeout_s)
        # By a name that is always served, because `public_hosts` need not have the address on which we ask.
        headers = {"Host": "localhost", "Accept": "application/json", "User-Agent": "citynerve-sim"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read(_ANSWER_BYTES_MAX)
            found = json.loads(text) if answer.status < 300 else None
        except (OSError, http.client.HTTPException, ValueError) as exc:
            raise EngineError(f"the portals do not answer ({exc})") from exc
        finally:
            connection.close()
        if isinstance(found, dict):
            return found
        told = f"{method} {path.split('?')[0]} was answered {answer.status}: {text[:200].decode(errors='replace')}"
        if answer.status == 409:
            raise ConflictError(told)
        if answer.status == 404:
            raise NotFoundError(told)
        if answer.status == 422:
            raise DataError(told)
        if answer.status >= 500 or answer.status in _BUSY:
            raise EngineError(told)
        raise CityNerveError(told)
