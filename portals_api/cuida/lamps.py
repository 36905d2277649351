"""Street lights: list, one with what it was told and what it does."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from markupsafe import Markup

from city.clock import HOUR_US
from city.errors import NotFoundError
from city.lighting import LightingSchedule
from city.metric import ACTIVE_POWER
from incidents.store import schedule_of
from portals_api import reads
from portals_api.chart import line_chart
from portals_api.i18n import Words
from portals_api.params import LIMIT_DEFAULT, Id, Limit, NameQuery, Next
from portals_api.portal import Portal, address
from portals_api.reads import Row, TicketFilter
from storage.pool import transaction

_PAGE = 50
_CHART_US = 48 * HOUR_US
_LIT_SHARE = 0.2
"""Above this share of its rated power a lamp is shown as burning."""

LampState = Literal["ok", "faulty", "out"]


def seen(lamp: Row, series: list[Row]) -> Row | None:
    """Return the lamp's last power reading and whether that means that it burns; None if it was never heard."""
    power = next((s for s in series if s["metric"] == ACTIVE_POWER and s["value"] is not None), None)
    if power is None:
        return None
    return {"lit": power["value"] > _LIT_SHARE * (lamp["rated_w"] or 1.0), "value": power["value"], **power}


def routes(portal: Portal) -> APIRouter:
    """Return the routes of lamps."""
    router = APIRouter(tags=["lamps"])

    async def whole(lamp_id: str) -> tuple[Row, LightingSchedule | None]:
        viewer = await portal.viewer()
        lamp = await reads.lamp(portal.pool, viewer, lamp_id)
        async with transaction(portal.pool) as connection:
            schedule = await schedule_of(connection, "lamp", lamp_id)
        series = await reads.asset_series(portal.pool, lamp_id)
        now = portal.deps.clock.now_us()
        commanded = schedule.commanded_on(now) if schedule else None
        open_tickets = await reads.tickets(portal.pool, viewer, TicketFilter(scope=lamp_id), limit=20)
        return {
            **lamp,
            "commanded_on": commanded,
            "seen": seen(lamp, series),
            "series": series,
            "alarms": await reads.asset_alarms(portal.pool, lamp_id),
            "tickets": open_tickets["items"],
        }, schedule

    async def chart(lamp: Row, schedule: LightingSchedule | None, words: Words) -> Markup | None:
        power = next((s for s in lamp["series"] if s["metric"] == ACTIVE_POWER), None)
        if power is None:
            return None
        end = portal.deps.clock.now_us()
        start = end - _CHART_US
        points = await reads.series_history(portal.pool, power["series"], start)
        if not points:
            return None
        on, off = schedule.periods(start, end) if schedule else ((), ())
        bands = [(int(a), int(b)) for a, b in zip(on, off, strict=True)]
        title = words.text("Power over the last 48 hours")
        usual = lamp["rated_w"] or 0.0
        return line_chart(points, bands, start_us=start, end_us=end, usual=usual, unit="W", title=title, words=words)

    @router.get("/api/v1/lamps")
    async def list_lamps(
        limit: Limit = LIMIT_DEFAULT,
        cursor: Next = None,
        district: NameQuery = None,
        feeder: NameQuery = None,
        state: LampState | None = None,
    ) -> dict[str, Any]:
        """List lamps by id. `state`: ok, faulty (an open ticket of its own), out (its feeder or cabinet is)."""
        return await reads.lamps(
            portal.pool,
            await portal.viewer(),
            limit=limit,
            cursor=cursor,
            district=district,
            feeder=feeder,
            state=state,
        )

    @router.get("/api/v1/lamps/{lamp_id}")
    async def get_lamp(lamp_id: Id) -> dict[str, Any]:
        """Return one lamp: what it was told, what it was seen to do, its alarms and tickets."""
        return (await whole(lamp_id))[0]

    @router.get("/lamps", include_in_schema=False)
    async def lamps_page(
        request: Request,
        cursor: Next = None,
        number: Annotated[str, Query(alias="id", max_length=64)] = "",
        district: NameQuery = None,
        state: Annotated[str, Query(max_length=10)] = "",
    ) -> Response:
        viewer = await portal.viewer()
        problem = ""
        if number.strip():
            try:
                lamp = await reads.lamp(portal.pool, viewer, number.strip())
                return RedirectResponse(lamp["url"], 303)
            except NotFoundError as exc:
                problem = str(exc)
        chosen = state if state in ("ok", "faulty", "out") else None
        found = await reads.lamps(
            portal.pool,
            viewer,
            limit=_PAGE,
            cursor=cursor,
            district=district,
            state=chosen,
        )
        if not portal.wants_page(request):
            return JSONResponse(found)
        return await portal.page(
            request,
            "lamps.html",
            404 if problem else 200,
            found=found,
            number=number,
            problem=problem,
            district=district,
            districts=await reads.districts(portal.pool),
            state=chosen or "",
            more_url=address("/lamps", district=district, state=chosen),
            json_url=address("/api/v1/lamps", district=district, state=chosen),
        )

    @router.get("/lamps/{lamp_id}", include_in_schema=False)
    async def lamp_page(request: Request, lamp_id: Id) -> Response:
        lamp, schedule = await whole(lamp_id)
        if not portal.wants_page(request):
            return JSONResponse(lamp)
        words = await portal.words(request)
        return await portal.page(
            request,
            "lamp.html",
            lamp=lamp,
            chart=await chart(lamp, schedule, words),
            json_url=f"/api/v1/lamps/{lamp_id}",
        )

    return router
