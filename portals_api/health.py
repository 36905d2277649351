"""Whether the process lives, and whether all that it depends on answers."""

import asyncio
from functools import partial

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from city.errors import CityNerveError
from portals_api.answers.health import LiveOut, ReadyOut
from portals_api.deps import Ping
from portals_api.routing import PortalDep, documented
from storage import pool as pools

router = APIRouter(tags=["health"])


async def _ask(ping: Ping, timeout_s: float) -> str:
    try:
        await asyncio.wait_for(ping(), timeout_s)
    except TimeoutError:
        return "no answer in time"
    except CityNerveError as exc:
        return str(exc)
    return "ok"


@router.get("/health/live", summary="Is it alive?", **documented(LiveOut))
async def live() -> dict[str, str]:
    """Answer while the process runs."""
    return {"status": "live"}


@router.get("/health/ready", summary="Is it ready?", **documented(ReadyOut))
async def ready(portal: PortalDep) -> Response:
    """Answer 200 when every engine answers, else 503 with what is missing."""
    engines: dict[str, Ping] = {
        "database": partial(pools.ping, portal.pool),
        "log": portal.deps.log.ping,
        **portal.deps.engines,
    }
    answers = await asyncio.gather(*(_ask(ping, portal.options.ping_timeout_s) for ping in engines.values()))
    checks = dict(zip(engines, answers, strict=True))
    missing = [name for name, answer in checks.items() if answer != "ok"]
    if not missing:
        return JSONResponse({"status": "ready", "checks": checks})
    error = {
        "code": "unavailable",
        "message": f"not ready: {', '.join(missing)} does not answer",
        "status": 503,
    }
    return JSONResponse({"status": "not ready", "checks": checks, "error": error}, 503, headers={"Retry-After": "2"})
