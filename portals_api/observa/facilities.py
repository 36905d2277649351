"""Facilities: list, one with the last value of each sensor."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from portals_api import reads
from portals_api.params import LIMIT_DEFAULT, Id, Limit, NameQuery, Next
from portals_api.portal import Portal
from portals_api.reads import Row, TicketFilter

_PAGE = 50


def routes(portal: Portal) -> APIRouter:
    """Return the routes of facilities."""
    router = APIRouter(tags=["facilities"])

    async def whole(facility_id: str) -> Row:
        found = await reads.facility(portal.pool, facility_id)
        tickets = await reads.tickets(portal.pool, await portal.viewer(), TicketFilter(scope=facility_id), limit=20)
        return {
            **found,
            "series": await reads.asset_series(portal.pool, facility_id),
            "alarm_list": await reads.asset_alarms(portal.pool, facility_id),
            "tickets": tickets["items"],
        }

    @router.get("/api/v1/facilities")
    async def list_facilities(
        limit: Limit = LIMIT_DEFAULT, cursor: Next = None, district: NameQuery = None
    ) -> dict[str, Any]:
        """List facilities by id."""
        return await reads.facilities(portal.pool, limit=limit, cursor=cursor, district=district)

    @router.get("/api/v1/facilities/{facility_id}")
    async def get_facility(facility_id: Id) -> dict[str, Any]:
        """Return one facility with its sensors, alarms and tickets."""
        return await whole(facility_id)

    @router.get("/facilities", include_in_schema=False)
    async def facilities_page(request: Request, cursor: Next = None) -> Response:
        found = await reads.facilities(portal.pool, limit=_PAGE, cursor=cursor)
        if not portal.wants_page(request):
            return JSONResponse(found)
        return await portal.page(
            request, "facilities.html", found=found, more_url="/facilities", json_url="/api/v1/facilities"
        )

    @router.get("/facilities/{facility_id}", include_in_schema=False)
    async def facility_page(request: Request, facility_id: Id) -> Response:
        facility = await whole(facility_id)
        if not portal.wants_page(request):
            return JSONResponse(facility)
        return await portal.page(
            request, "facility.html", facility=facility, json_url=f"/api/v1/facilities/{facility_id}"
        )

    return router
