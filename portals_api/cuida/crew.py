"""The crews' list: what is to be done, gravest first."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from portals_api import reads
from portals_api.params import NameQuery
from portals_api.portal import Portal, address

_SHOWN_MAX = 200


def routes(portal: Portal) -> APIRouter:
    """Return the routes of the crews' list."""
    router = APIRouter(tags=["crew"])

    @router.get("/crew", include_in_schema=False)
    async def crew(request: Request, district: NameQuery = None) -> Response:
        viewer = await portal.viewer()
        found = await reads.worklist(portal.pool, viewer, district=district, limit=_SHOWN_MAX)
        if not portal.wants_page(request):
            return JSONResponse({"items": found, "next": None})
        return await portal.page(
            request,
            "crew.html",
            tickets=found,
            shown_max=_SHOWN_MAX,
            district=district,
            districts=await reads.districts(portal.pool),
            json_url=address("/api/v1/tickets", open="true", district=district),
        )

    return router
