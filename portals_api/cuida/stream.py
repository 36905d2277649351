"""Changes as they happen, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.exceptions import HTTPException

from portals_api.live.board import TooManyListenersError
from portals_api.live.hub import Listener
from portals_api.routing import PortalDep

router = APIRouter(tags=["map"])

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_KIND = "text/event-stream"
_RETRY_MS = 2000


@router.get("/api/v1/stream", response_class=StreamingResponse)
async def stream(
    portal: PortalDep,
    request: Request,
    after: Annotated[str | None, Query(max_length=40, description="`at` of `/api/v1/map/states`")] = None,
    last_event_id: Annotated[str | None, Header(max_length=40)] = None,
) -> Response:
    """Stream the changes of the map: server-sent events, resumable by `Last-Event-ID`.

    `change` brings `lamps` (positions in `/api/v1/map/lamps`) with their new `states`, `tickets` that are new or
    have changed, the numbers of those `gone`, and the states of `places`. `reload` says that what you hold is no
    longer the truth: ask `/api/v1/map/states` again.
    """
    if request.scope.get("citynerve.bare"):
        return Response(media_type=_KIND, headers=_HEADERS)
    stack = AsyncExitStack()
    listeners = portal.deps.metrics.listeners
    try:
        listening = portal.board.listening(await portal.viewer(), last_event_id or after)
        listener = await stack.enter_async_context(listening)
    except TooManyListenersError as exc:
        raise HTTPException(503, str(exc), headers={"Retry-After": "30"}) from exc
    stack.enter_context(listeners.track_inprogress())
    frames = _frames(request, listener, stack, portal.board.options.heartbeat_s)
    return StreamingResponse(frames, media_type=_KIND, headers=_HEADERS)


async def _frames(
    request: Request, listener: Listener, stack: AsyncExitStack, heartbeat_s: float
) -> AsyncIterator[bytes]:
    async with stack:
        leaving = asyncio.create_task(_end_when_left(request, listener))
        try:
            yield b"retry: %d\n\n" % _RETRY_MS
            while True:
                try:
                    frame = await asyncio.wait_for(listener.frames.get(), heartbeat_s)
                except TimeoutError:
                    frame = b": still here\n\n"
                if frame is None:
                    return
                yield frame
        finally:
            leaving.cancel()


async def _end_when_left(request: Request, listener: Listener) -> None:
    """Let go of a listener at once when it hangs up: the next frame, which would show it, may be long in coming."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    listener.end()
