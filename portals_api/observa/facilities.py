"""Facilities: list, one with what is open now and what its sensors say; and the air stations among them."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from portals_api import hours, network, reads, ticket_reads
from portals_api.answers.facilities import FacilityPage, FacilityWhole
from portals_api.chart import sparkline
from portals_api.history import latest_of
from portals_api.params import LIMIT_DEFAULT, Id, Limit, NameQuery, Next
from portals_api.portal import Portal
from portals_api.routing import PortalDep, documented
from portals_api.rows import Row
from portals_api.ticket_reads import TicketFilter
from portals_api.works import works_at

router = APIRouter(tags=["facilities"])

_PAGE = 50
_SPARK_POINTS = 192
"""Two days at a quarter of an hour; of an hourly sensor eight days."""
AIR_STATION = "air-station"


async def _whole(portal: Portal, facility_id: str) -> Row:
    found = await reads.facility(portal.pool, facility_id)
    viewer = await portal.viewer()
    tickets = await ticket_reads.tickets(portal.pool, viewer, TicketFilter(scope=facility_id), limit=20)
    series = await reads.asset_series(portal.pool, facility_id)
    city = await portal.installation()
    opening = hours.of(await reads.facility_hours(portal.pool, facility_id), portal.deps.clock.now_us(), city.timezone)
    heard = [one["observed_at"] for one in series if one["observed_at"]]
    return {
        **found,
        **opening,
        "heard_at": max(heard, default=None),
        "series": series,
        "devices": network.for_viewer(await network.devices_of(portal.pool, facility_id), viewer),
        "alarm_list": await reads.asset_alarms(portal.pool, facility_id),
        "tickets": tickets["items"],
        "works": await works_at(portal.pool, portal.deps.clock, facility_id),
    }


@router.get("/api/v1/facilities", summary="List facilities", **documented(FacilityPage, 400))
async def list_facilities(
    portal: PortalDep, limit: Limit = LIMIT_DEFAULT, cursor: Next = None, district: NameQuery = None
) -> dict[str, Any]:
    """List facilities by id."""
    return await reads.facilities(portal.pool, limit=limit, cursor=cursor, district=district)


@router.get("/api/v1/facilities/{facility_id}", summary="Get a facility", **documented(FacilityWhole, 404))
async def get_facility(portal: PortalDep, facility_id: Id) -> dict[str, Any]:
    """Return one facility: open or not, its sensors, alarms and tickets."""
    return await _whole(portal, facility_id)


@router.get("/facilities", include_in_schema=False)
async def facilities_page(request: Request, portal: PortalDep, cursor: Next = None) -> Response:
    """Show a page of facilities."""
    found = await reads.facilities(portal.pool, limit=_PAGE, cursor=cursor)
    if not portal.wants_page(request):
        return JSONResponse(found)
    return await portal.page(
        request, "facilities.html", found=found, more_url="/facilities", json_url="/api/v1/facilities"
    )


@router.get("/facilities/{facility_id}", include_in_schema=False)
async def facility_page(request: Request, portal: PortalDep, facility_id: Id) -> Response:
    """Show one facility."""
    facility = await _whole(portal, facility_id)
    if not portal.wants_page(request):
        return JSONResponse(facility)
    words = await portal.words(request)
    label = await portal.labels(words)
    lines = await latest_of(portal.pool, [one["series"] for one in facility["series"]], _SPARK_POINTS)
    sparks = {
        one["series"]: sparkline(
            lines[one["series"]],
            words.text("Course of the last readings: {what}").format(what=label.metric(one["metric"])),
        )
        for one in facility["series"]
    }
    return await portal.page(
        request,
        "facility.html",
        facility=facility,
        sparks=sparks,
        json_url=f"/api/v1/facilities/{facility_id}",
    )


@router.get("/air", include_in_schema=False)
async def air_page(request: Request, portal: PortalDep) -> Response:
    """Show the air stations, each with the histories of what it measures."""
    found = await reads.facilities(portal.pool, limit=_PAGE, kind=AIR_STATION)
    stations = [{**one, "series": await reads.asset_series(portal.pool, one["id"])} for one in found["items"]]
    if not portal.wants_page(request):
        return JSONResponse({"items": stations, "next": None})
    return await portal.page(request, "air.html", stations=stations)
