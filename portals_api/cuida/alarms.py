"""Alarms one by one: why each was raised, and what was found in cases alike."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from portals_api import alarm_reads
from portals_api.answers.alarms import AlarmWhole
from portals_api.explain import explained
from portals_api.params import Id
from portals_api.portal import Portal
from portals_api.routing import PortalDep, documented

router = APIRouter(tags=["alarms"])


async def _whole(portal: Portal, alarm_id: str) -> dict[str, Any]:
    found = await alarm_reads.alarm(portal.pool, await portal.viewer(), alarm_id)
    label = await portal.labels(await portal.english())
    return await alarm_reads.whole(portal.pool, found, portal.deps.clock.now_us(), label.evidence(found))


@router.get("/api/v1/alarms/{alarm_id}", summary="Get an alarm", **documented(AlarmWhole, 404))
async def get_alarm(portal: PortalDep, alarm_id: Id) -> dict[str, Any]:
    """Return one alarm with its explanation, the readings around it, and what was found in cases alike."""
    return await _whole(portal, alarm_id)


@router.get("/alarms/{alarm_id}", include_in_schema=False)
async def alarm_page(request: Request, portal: PortalDep, alarm_id: Id) -> Response:
    """Explain one alarm."""
    if not portal.wants_page(request):
        return JSONResponse(await _whole(portal, alarm_id))
    found = await alarm_reads.alarm(portal.pool, await portal.viewer(), alarm_id)
    return await portal.page(
        request,
        "alarm.html",
        why=await explained(portal, await portal.words(request), found),
        alarm=found,
        json_url=f"/api/v1/alarms/{found['id']}",
    )
