"""Districts: all in figures, and one with its lamps by state, tickets and facilities."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from portals_api import network
from portals_api.answers.districts import DistrictPage, DistrictWhole
from portals_api.params import Id
from portals_api.routing import PortalDep, documented

router = APIRouter(tags=["districts"])


@router.get("/api/v1/districts", summary="List districts", **documented(DistrictPage))
async def list_districts(portal: PortalDep) -> dict[str, Any]:
    """List all districts by name, with their lamps, facilities and open tickets."""
    return {"items": await network.districts(portal.pool, await portal.viewer()), "next": None}


@router.get("/api/v1/districts/{district_id}", summary="Get a district", **documented(DistrictWhole, 404))
async def get_district(portal: PortalDep, district_id: Id) -> dict[str, Any]:
    """Return one district: lamps by state, open tickets, facilities."""
    return await network.district(portal.pool, await portal.viewer(), district_id)


@router.get("/districts", include_in_schema=False)
async def districts_page(request: Request, portal: PortalDep) -> Response:
    """Show all districts."""
    found = await list_districts(portal)
    if not portal.wants_page(request):
        return JSONResponse(found)
    return await portal.page(request, "districts.html", found=found["items"], json_url="/api/v1/districts")


@router.get("/districts/{district_id}", include_in_schema=False)
async def district_page(request: Request, portal: PortalDep, district_id: Id) -> Response:
    """Show one district."""
    one = await get_district(portal, district_id)
    if not portal.wants_page(request):
        return JSONResponse(one)
    return await portal.page(request, "district.html", one=one, json_url=f"/api/v1/districts/{district_id}")
