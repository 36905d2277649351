"""Maintenance windows: operators say where works go on, and change their mind; API and page."""

from datetime import datetime
from typing import Annotated, Any, Literal, cast, get_args
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from city.clock import from_datetime
from city.errors import CityNerveError, ConflictError, DataError, NotFoundError
from city.packfile import shown
from portals_api import reads
from portals_api.answers.maintenance import AnnouncedOut, WindowIn, WindowPage, WindowWhole
from portals_api.answers.shape import example_of
from portals_api.bodies import read_form
from portals_api.errors import status_of
from portals_api.operator import maintenance_rows
from portals_api.operator.gate import OperatorDep
from portals_api.operator.registry_writes import Mistaken
from portals_api.params import LIMIT_DEFAULT, Limit, Next
from portals_api.portal import Portal
from portals_api.routing import PortalDep, documented
from stream.maintenance import Announcement, Kind

router = APIRouter(tags=["operator"])

PAGE, API = "/operator/maintenance", "/api/v1/operator/maintenance"
_SHOWN = 50
WindowId = Annotated[int, Path(ge=1, lt=2**63)]
Past = Annotated[bool, Query(description="Those that are over or withdrawn")]
What = Literal["end", "withdraw", "reinstate"]
_SET = (401, 403, 404, 409)
_BODY = {"requestBody": {"content": {"application/json": {"example": example_of(WindowIn)}}}}


@router.get(API, summary="List maintenance windows", **documented(WindowPage, 400, 401))
async def list_windows(
    portal: PortalDep, operator: OperatorDep, limit: Limit = LIMIT_DEFAULT, cursor: Next = None, past: Past = False
) -> dict[str, Any]:
    """List windows that are planned or run, the last announced first."""
    return await maintenance_rows.windows(portal.pool, portal.now(), past=past, limit=limit, cursor=cursor)


@router.post(
    API,
    summary="Announce works",
    openapi_extra=_BODY,
    **documented(AnnouncedOut, 400, 401, 403, 404, 413, 415, status=201),
)
async def announce(portal: PortalDep, operator: OperatorDep, body: WindowIn) -> dict[str, Any]:
    """Let no ticket be opened for what comes at or below an asset, or in a district, while works go on.

    What was told before stays told; what is still wrong some time after the end is told then. Reports of citizens open
    tickets as ever.
    """
    times = from_datetime(body.starts_at), from_datetime(body.ends_at)
    works = Announcement(body.kind, body.target, *times, body.reason)
    return {"id": await portal.registrar.announce(works, operator.actor)}


@router.get(API + "/{window}", summary="Get a maintenance window", **documented(WindowWhole, 401, 404))
async def get_window(portal: PortalDep, operator: OperatorDep, window: WindowId) -> dict[str, Any]:
    """Return one window with the alarms that came during it."""
    return await maintenance_rows.window(portal.pool, portal.now(), window)


@router.post(API + "/{window}/end", summary="End works early", **documented(WindowWhole, *_SET))
async def end_window(portal: PortalDep, operator: OperatorDep, window: WindowId) -> dict[str, Any]:
    """End a window before its time: what stays wrong is told."""
    return await _set(portal, operator.actor, window, "end")


@router.post(API + "/{window}/withdraw", summary="Withdraw works", **documented(WindowWhole, *_SET))
async def withdraw_window(portal: PortalDep, operator: OperatorDep, window: WindowId) -> dict[str, Any]:
    """Let a window never have been: what it held is told at once."""
    return await _set(portal, operator.actor, window, "withdraw")


@router.post(API + "/{window}/reinstate", summary="Undo an end or a withdrawal", **documented(WindowWhole, *_SET))
async def reinstate_window(portal: PortalDep, operator: OperatorDep, window: WindowId) -> dict[str, Any]:
    """Undo an early end, or a withdrawal, as long as the time that was announced is not over."""
    return await _set(portal, operator.actor, window, "reinstate")


async def _set(portal: Portal, actor: str, window: int, what: What) -> dict[str, Any]:
    await portal.registrar.set_window(window, actor, what)
    return await maintenance_rows.window(portal.pool, portal.now(), window)


@router.get(PAGE, include_in_schema=False)
async def page(
    request: Request, portal: PortalDep, operator: OperatorDep, cursor: Next = None, kind: str = "", target: str = ""
) -> Response:
    """Show what is worked at, what will be, what was, and the form that announces works."""
    if not portal.wants_page(request):
        found = await maintenance_rows.windows(portal.pool, portal.now(), past=False, limit=_SHOWN, cursor=cursor)
        return JSONResponse(found)
    return await _page(request, portal, {"kind": kind, "target": target}, cursor)


@router.post(PAGE, include_in_schema=False)
async def announce_by_form(request: Request, portal: PortalDep, operator: OperatorDep) -> Response:
    """Announce works."""
    fields = {name: value.strip() for name, value in (await read_form(request)).items()}
    zone = (await portal.installation()).timezone
    try:
        kind, target = fields.get("kind", ""), fields.get("target", "")
        if fields.get("district") and not target:
            kind, target = "district", fields["district"]
        if kind not in get_args(Kind) or not target:
            raise DataError("say where: choose a kind and write its id, or choose a district")
        times = _moment(fields, "from", zone), _moment(fields, "to", zone)
        works = Announcement(cast(Kind, kind), target, *times, fields.get("reason", ""))
        number = await portal.registrar.announce(works, operator.actor)
    except (DataError, NotFoundError) as exc:
        return await _page(request, portal, fields, None, exc)
    return RedirectResponse(f"{PAGE}#window-{number}", 303)


@router.post(PAGE + "/{window}/{what}", include_in_schema=False)
async def set_by_form(
    request: Request, portal: PortalDep, operator: OperatorDep, window: WindowId, what: What
) -> Response:
    """End, withdraw or reinstate a window."""
    try:
        await portal.registrar.set_window(window, operator.actor, what)
    except ConflictError as exc:
        return await _page(request, portal, {}, None, exc)
    return RedirectResponse(f"{PAGE}#window-{window}", 303)


async def _page(
    request: Request,
    portal: Portal,
    given: dict[str, str],
    cursor: str | None,
    problem: CityNerveError | None = None,
) -> Response:
    now = portal.now()
    current = await maintenance_rows.windows(portal.pool, now, past=False, limit=200, cursor=None)
    past = await maintenance_rows.windows(portal.pool, now, past=True, limit=_SHOWN, cursor=cursor)
    holding = [one["id"] for one in (*current["items"], *past["items"]) if one["held"]]
    held = {number: (await maintenance_rows.window(portal.pool, now, number))["alarms"] for number in holding}
    city = await portal.installation()
    return await portal.page(
        request,
        "operator_maintenance.html",
        200 if problem is None else status_of(problem),
        current=current["items"],
        past=past,
        held=held,
        given=given,
        local_now=now.astimezone(ZoneInfo(city.timezone)).strftime("%Y-%m-%dT%H:%M"),
        kinds=[kind for kind in get_args(Kind) if kind != "district"],
        districts=await reads.districts(portal.pool),
        problem=None if problem is None else Mistaken([str(problem)]),
        more_url=PAGE,
        path=PAGE,
        json_url=API,
    )


def _moment(fields: dict[str, str], name: str, zone: str) -> int:
    """Return a time of the form, as it is in the city, µs UTC."""
    text = fields.get(name, "")
    try:
        at = datetime.fromisoformat(text)
        if not 1971 <= at.year <= 2199:
            raise ValueError
    except ValueError:
        raise DataError(f"{name} {shown(text)} is no day and time: write one such as 2026-11-24T08:30") from None
    return from_datetime(at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone)))
