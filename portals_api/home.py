"""The front page: what this is, and the city in a few figures."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from city.clock import DAY_US
from portals_api import reads
from portals_api.portal import Portal


def routes(portal: Portal) -> APIRouter:
    """Return the routes of the front page."""
    router = APIRouter(tags=["home"])

    @router.get("/", include_in_schema=False)
    async def home(request: Request) -> Response:
        since = portal.deps.clock.now_us() - DAY_US
        figures = await reads.figures(portal.pool, await portal.viewer(), since)
        if not portal.wants_page(request):
            city = await portal.installation()
            return JSONResponse({"city": city.city, "simulated": city.simulated, "figures": figures})
        return await portal.page(request, "home.html", figures=figures)

    return router
