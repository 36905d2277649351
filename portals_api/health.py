"""Whether the process lives, and whether all that it depends on answers."""

import asyncio

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from city.errors import CityNerveError
from portals_api.answers import LiveOut, ReadyOut
from portals_api.deps import Ping
from portals_api.portal import Portal
from portals_api.routing import documented
from storage import pool as pools


def routes(portal: Portal) -> APIRouter:
    """Return the routes of health."""
    router = APIRouter(tags=["health"])

    async def ask(ping: Ping) -> str:
        try:
            await asyncio.wait_for(ping(), portal.options.ping_timeout_s)
        except TimeoutError:
            return "no answer in time"
        except CityNerveError as exc:
            return str(exc)
        return "ok"

    async def ping_database() -> None:
        await pools.ping(portal.pool)

    @router.get("/health/live", summary="Is it alive?", **documented(LiveOut))
    async def live() -> dict[str, str]:
        """Answer while the process runs."""
        return {"status": "live"}

    @router.get("/health/ready", summary="Is it ready?", **documented(ReadyOut))
    async def ready() -> Response:
        """Answer 200 when every engine answers, else 503 with what is missing."""
        engines = {"database": ping_database, "log": portal.deps.log.ping, **portal.deps.engines}
        answers = await asyncio.gather(*(ask(ping) for ping in engines.values()))
        checks = dict(zip(engines, answers, strict=True))
        missing = [name for name, answer in checks.items() if answer != "ok"]
        if not missing:
            return JSONResponse({"status": "ready", "checks": checks})
        error = {
            "code": "unavailable",
            "message": f"not ready: {', '.join(missing)} does not answer",
            "status": 503,
        }
        return JSONResponse(
            {"status": "not ready", "checks": checks, "error": error}, 503, headers={"Retry-After": "2"}
        )

    return router
