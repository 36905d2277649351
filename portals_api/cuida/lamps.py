"""Street lights: list, one with what it was told and what it does."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from city.errors import NotFoundError
from city.lighting import LightingSchedule
from city.metric import ACTIVE_POWER
from incidents.store import schedule_of
from observatory.energy import together
from portals_api import network, reads, ticket_reads
from portals_api.answers.lamps import LampPage, LampWhole
from portals_api.explain import explained
from portals_api.observa.energy import LOSSES, read_losses
from portals_api.observa.lives import life_of
from portals_api.params import LIMIT_DEFAULT, Id, Limit, NameQuery, Next
from portals_api.portal import Portal, address
from portals_api.power import NIGHTS_US, expected_w, power_chart
from portals_api.routing import PortalDep, documented
from portals_api.rows import Row
from portals_api.ticket_reads import TicketFilter
from portals_api.works import works_at
from storage.pool import transaction

router = APIRouter(tags=["lamps"])

_PAGE = 50
_LIT_SHARE = 0.2
"""Above this share of its rated power a lamp is shown as burning."""
_STATES = ("ok", "faulty", "out")

LampState = Literal["ok", "faulty", "out"]


def seen(lamp: Row, series: list[Row]) -> Row | None:
    """Return the lamp's last power reading and whether that means that it burns; None if it was never heard."""
    power = next((s for s in series if s["metric"] == ACTIVE_POWER and s["value"] is not None), None)
    if power is None:
        return None
    return {"lit": power["value"] > _LIT_SHARE * (lamp["rated_w"] or 1.0), "value": power["value"], **power}


async def _schedule(portal: Portal, lamp_id: str) -> LightingSchedule | None:
    async with transaction(portal.pool) as connection:
        return await schedule_of(connection, "lamp", lamp_id)


async def _whole(portal: Portal, lamp_id: str) -> tuple[Row, LightingSchedule | None]:
    viewer = await portal.viewer()
    lamp = await reads.lamp(portal.pool, viewer, lamp_id)
    schedule = await _schedule(portal, lamp_id)
    series = await reads.asset_series(portal.pool, lamp_id)
    level = schedule.dimming_level(portal.deps.clock.now_us()) if schedule else None
    tickets = await ticket_reads.tickets(portal.pool, viewer, TicketFilter(scope=lamp_id), limit=20)
    return {
        **lamp,
        "commanded_on": None if level is None else level > 0,
        "commanded_level_pct": level,
        "expected_w": None if level is None or lamp["rated_w"] is None else expected_w(lamp["rated_w"], level),
        "seen": seen(lamp, series),
        "series": series,
        "devices": network.for_viewer(await network.devices_of(portal.pool, lamp_id), viewer),
        "neighbours": await network.neighbours(portal.pool, viewer, lamp),
        "alarms": await reads.asset_alarms(portal.pool, lamp_id),
        "tickets": tickets["items"],
        "works": await works_at(portal.pool, portal.deps.clock, lamp_id),
    }, schedule


async def _lost(portal: Portal, lamp_id: str) -> Row:
    """Return what the lamp's faults lost in the last thirty days, for its page."""
    _, lost, tariff = await read_losses(portal, None, None, lamp=lamp_id)
    return {
        "lost": [(LOSSES[one.loss][0], one.kwh, tariff and tariff.cost(one.kwh)) for one in together(lost) if one.kwh],
        "tariff": tariff,
    }


@router.get("/api/v1/lamps", summary="List lamps", **documented(LampPage, 400))
async def list_lamps(
    portal: PortalDep,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Next = None,
    district: NameQuery = None,
    feeder: NameQuery = None,
    state: LampState | None = None,
) -> dict[str, Any]:
    """List lamps by id. `state`: ok, faulty (an open ticket of its own), out (its feeder or cabinet is)."""
    viewer = await portal.viewer()
    return await reads.lamps(
        portal.pool, viewer, limit=limit, cursor=cursor, district=district, feeder=feeder, state=state
    )


@router.get("/api/v1/lamps/{lamp_id}", summary="Get a lamp", **documented(LampWhole, 404))
async def get_lamp(portal: PortalDep, lamp_id: Id) -> dict[str, Any]:
    """Return one lamp: what it was told, what it was seen to do, its alarms and tickets."""
    return (await _whole(portal, lamp_id))[0]


@router.get("/lamps", include_in_schema=False)
async def lamps_page(
    request: Request,
    portal: PortalDep,
    cursor: Next = None,
    number: Annotated[str, Query(alias="id", max_length=64)] = "",
    district: NameQuery = None,
    state: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Show a page of lamps; a number that is one leads to it."""
    viewer = await portal.viewer()
    problem = ""
    if number.strip():
        try:
            return RedirectResponse((await reads.lamp(portal.pool, viewer, number.strip()))["url"], 303)
        except NotFoundError as exc:
            problem = str(exc)
    chosen = state if state in _STATES else None
    found = await reads.lamps(portal.pool, viewer, limit=_PAGE, cursor=cursor, district=district, state=chosen)
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
async def lamp_page(request: Request, portal: PortalDep, lamp_id: Id) -> Response:
    """Show one lamp."""
    lamp, schedule = await _whole(portal, lamp_id)
    if not portal.wants_page(request):
        return JSONResponse(lamp)
    words = await portal.words(request)
    power = next((s for s in lamp["series"] if s["metric"] == ACTIVE_POWER), None)
    end = portal.deps.clock.now_us()
    chart = None
    if power is not None:
        chart = await power_chart(portal.pool, words, lamp, power["series"], schedule, end - NIGHTS_US, end)
    # The one that stands and is its own comes first, then the latest.
    told = min(lamp["alarms"], key=lambda a: (a["cleared_at"] is not None, a["parent"] is not None), default=None)
    return await portal.page(
        request,
        "lamp.html",
        lamp=lamp,
        power=power,
        chart=chart,
        **await _lost(portal, lamp_id),
        life=await life_of(portal, lamp_id),
        why=None if told is None else await explained(portal, words, told),
        json_url=f"/api/v1/lamps/{lamp_id}",
    )
