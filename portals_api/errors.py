"""One JSON error shape for every status, and the same as a page for people."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from city.errors import CityNerveError, ConflictError, DataError, EngineError, NotFoundError, OverShareError
from portals_api.operator.gate import way_in
from portals_api.paging import CursorError
from portals_api.portal import Portal

logger = logging.getLogger(__name__)

CODES = {
    400: "bad-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    408: "timeout",
    409: "conflict",
    413: "too-large",
    415: "unsupported-media-type",
    422: "invalid",
    429: "too-many-requests",
    500: "internal",
    503: "unavailable",
}

_MESSAGES = {
    404: "there is nothing at this address",
    405: "this address does not take this method; see the header Allow",
    500: "something went wrong here; it has been noted",
}

_STATUS: tuple[tuple[type[CityNerveError], int], ...] = (
    (CursorError, 400),
    (NotFoundError, 404),
    (ConflictError, 409),
    (DataError, 422),
    (OverShareError, 429),
    (EngineError, 503),
)


def error_body(status: int, message: str) -> dict[str, Any]:
    """Return the shape: ``{"error": {"code", "message", "status"}}``."""
    return {"error": {"code": CODES.get(status, f"http-{status}"), "message": message, "status": status}}


def error_json(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return an error as JSON."""
    return JSONResponse(error_body(status, message), status, headers=headers)


def status_of(error: CityNerveError) -> int:
    """Return the HTTP status of one of our errors."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def install(app: FastAPI, portal: Portal) -> None:
    """Register the handlers."""

    async def answer(request: Request, status: int, message: str, headers: dict[str, str] | None = None) -> Response:
        if portal.wants_page(request) and "text/html" in request.headers.get("accept", ""):
            if status == 401:
                # What a form had in it is not sent again by itself: after signing in one begins on its page.
                onward = request.url.path if request.method == "GET" else ""
                return RedirectResponse(way_in(onward), 303)
            return await portal.error_page(request, status, message, headers)
        return error_json(status, message, headers)

    async def on_http(request: Request, exc: Exception) -> Response:
        assert isinstance(exc, HTTPException)
        message = _MESSAGES.get(exc.status_code, str(exc.detail))
        return await answer(request, exc.status_code, message, dict(exc.headers or {}))

    async def on_invalid(request: Request, exc: Exception) -> Response:
        assert isinstance(exc, RequestValidationError)
        return await answer(request, 422, explain(list(exc.errors())))

    async def on_ours(request: Request, exc: Exception) -> Response:
        assert isinstance(exc, CityNerveError)
        status = status_of(exc)
        if status >= 500:
            logger.warning("request failed", extra={"path": request.url.path, "reason": str(exc)})
        message = _MESSAGES[500] if status == 500 else str(exc)
        return await answer(request, status, message, {"Retry-After": "2"} if status in (429, 503) else None)

    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(CityNerveError, on_ours)


def explain(errors: list[Any]) -> str:
    """Return pydantic's findings as one sentence; what was sent is not repeated."""
    parts = []
    for error in errors[:8]:
        place = ".".join(str(p) for p in error["loc"] if p not in ("query", "path", "body"))
        text = str(error["msg"]).removeprefix("Value error, ")
        parts.append(f"{place}: {text}" if place else text)
    return "; ".join(parts)
