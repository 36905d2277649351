"""Readings as they are stored."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from portals_api import reads
from portals_api.answers.devices import ReadingPage
from portals_api.params import LIMIT_DEFAULT, Limit, NameQuery, Next, Since, Until
from portals_api.reads import ReadingFilter
from portals_api.routing import PortalDep, documented

router = APIRouter(tags=["readings"])


@router.get("/api/v1/readings", summary="List readings", **documented(ReadingPage, 400))
async def list_readings(
    portal: PortalDep,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Next = None,
    series: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
    device: NameQuery = None,
    metric: NameQuery = None,
    since: Since = None,
    until: Until = None,
) -> dict[str, Any]:
    """List readings: of a series, or of a device and metric, the newest first; else all by series and time."""
    wanted = ReadingFilter(series, device, metric, since, until)
    return await reads.readings(portal.pool, await portal.viewer(), wanted, limit=limit, cursor=cursor)
