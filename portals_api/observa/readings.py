"""Readings as they are stored."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from portals_api import reads
from portals_api.params import LIMIT_DEFAULT, Limit, NameQuery, Next, Since, Until
from portals_api.portal import Portal
from portals_api.reads import ReadingFilter


def routes(portal: Portal) -> APIRouter:
    """Return the routes of readings."""
    router = APIRouter(tags=["readings"])

    @router.get("/api/v1/readings")
    async def list_readings(
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

    return router
