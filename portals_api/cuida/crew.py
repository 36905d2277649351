"""The crews' list: what is to be done, gravest first."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from portals_api import reads, ticket_reads
from portals_api.params import NameQuery
from portals_api.portal import address
from portals_api.routing import PortalDep

router = APIRouter(tags=["crew"])

_SHOWN_MAX = 200


@router.get("/crew", include_in_schema=False)
async def crew(portal: PortalDep, request: Request, district: NameQuery = None) -> Response:
    """Show what is to be done, gravest first."""
    viewer = await portal.viewer()
    found = await ticket_reads.worklist(portal.pool, viewer, district=district, limit=_SHOWN_MAX)
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
