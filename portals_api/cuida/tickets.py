"""Tickets: list, one with its timeline, and what a crew does with it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from city.alarm import FaultClass
from city.errors import ConflictError, DataError
from city.metric import ACTIVE_POWER
from city.ticket import Actor, TicketState
from portals_api import codes, reads, ticket_reads
from portals_api.alarm_reads import us, window_of
from portals_api.answers.tickets import TicketPage, TicketWhole
from portals_api.bodies import checked, content_type, read_form, read_json
from portals_api.cuida.verdicts import (
    CAUSE_MISSING,
    FOUND_FIELDS,
    VERDICT_REQUEST,
    VERDICT_SHAPE,
    found_in_form,
    judge,
    may_judge,
    named_faults,
)
from portals_api.examples import TRANSITION_BODY
from portals_api.explain import explained, lamp_chart
from portals_api.i18n import Words
from portals_api.params import LIMIT_DEFAULT, Limit, NameQuery, Next, TicketId
from portals_api.portal import Portal, address
from portals_api.routing import PortalDep, documented
from portals_api.rows import Row
from portals_api.schemas import TransitionIn, VerdictIn
from portals_api.ticket_reads import TicketFilter

router = APIRouter(tags=["tickets"])

_PAGE = 50
_OPEN = "open"
"""Stands among the states of the filter for all that are not at their end."""
_THANKS = {
    "joined": codes.N_("Thank you. Your report has joined a ticket that is already open."),
    "opened": codes.N_("Thank you. Your report has opened this ticket."),
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["to", "version"],
                    "properties": {
                        "to": {"type": "string", "enum": list(TicketState)},
                        "version": {"type": "integer", "minimum": 1},
                        "reason": {"type": "string", "maxLength": 1000},
                        "verdict": VERDICT_SHAPE,
                    },
                },
                "example": TRANSITION_BODY,
            }
        },
    }
}


async def _move(portal: Portal, ticket_id: int, wanted: TransitionIn) -> None:
    """Do a crew's decision. Until crews have accounts, whoever reaches the portals acts as one."""
    if not portal.options.crew_without_account:
        raise HTTPException(403, "only a crew may do this: sign in")
    await ticket_reads.ticket(portal.pool, await portal.viewer(), ticket_id)
    desk = await portal.desk()
    verdict = None if wanted.verdict is None else wanted.verdict.as_verdict()
    await desk.move(portal.pool, ticket_id, wanted.to, wanted.version, Actor.CREW, wanted.reason, verdict)


async def _lamp_of_citizens(portal: Portal, words: Words, ticket: Row) -> Row | None:
    """Return the power of a lamp that only citizens speak of, around their first report."""
    power = await reads.series_of_asset(portal.pool, ticket["scope"]["id"], ACTIVE_POWER)
    if power is None or ticket["scope"]["kind"] != "lamp":
        return None
    window = window_of(
        {"raised_at": ticket["opened_at"], "cleared_at": ticket["closed_at"]}, portal.deps.clock.now_us()
    )
    return await lamp_chart(portal, words, ticket["scope"]["id"], power, window, [us(ticket["opened_at"])])


async def one_page(request: Request, portal: Portal, ticket_id: int, status: int = 200, problem: str = "") -> Response:
    """Show one ticket, and what was wrong with a form of it."""
    ticket = await ticket_reads.ticket(portal.pool, await portal.viewer(), ticket_id)
    words = await portal.words(request)
    return await portal.page(
        request,
        "ticket.html",
        status,
        ticket=ticket,
        why=await explained(portal, words, ticket["alarm_list"][0]) if ticket["alarm_list"] else None,
        chart=None if ticket["alarm_list"] else await _lamp_of_citizens(portal, words, ticket),
        problem=problem,
        thanks=_THANKS.get(request.query_params.get("thanks", ""), ""),
        may_act=portal.options.crew_without_account,
        may_judge=may_judge(request, portal, ticket),
        faults_named=named_faults(ticket),
        all_faults=[str(fault) for fault in FaultClass],
        json_url=f"/api/v1/tickets/{ticket_id}",
    )


@router.get("/api/v1/tickets", summary="List tickets", **documented(TicketPage, 400))
async def list_tickets(
    portal: PortalDep,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Next = None,
    state: TicketState | None = None,
    scope: NameQuery = None,
    category: NameQuery = None,
    district: NameQuery = None,
    open_only: Annotated[bool, Query(alias="open")] = False,
) -> dict[str, Any]:
    """List tickets, the newest number first."""
    wanted = TicketFilter(state, scope, category, district, open_only)
    return await ticket_reads.tickets(portal.pool, await portal.viewer(), wanted, limit=limit, cursor=cursor)


@router.get("/api/v1/tickets/{ticket_id}", summary="Get a ticket", **documented(TicketWhole, 404))
async def get_ticket(portal: PortalDep, ticket_id: TicketId) -> dict[str, Any]:
    """Return one ticket with alarms, reports and timeline."""
    return await ticket_reads.ticket(portal.pool, await portal.viewer(), ticket_id)


@router.post(
    "/api/v1/tickets/{ticket_id}/transitions",
    summary="Move a ticket",
    openapi_extra=_BODY,
    **documented(TicketWhole, 400, 403, 404, 409, 413, 415),
)
async def post_transition(request: Request, portal: PortalDep, ticket_id: TicketId) -> dict[str, Any]:
    """Move a ticket as a crew. `version` is the one that you saw; 409 if it has changed."""
    if content_type(request) != "application/json":
        raise HTTPException(415, "send application/json")
    await _move(portal, ticket_id, checked(TransitionIn, await read_json(request)))
    return await ticket_reads.ticket(portal.pool, await portal.viewer(), ticket_id)


@router.get("/tickets", include_in_schema=False)
async def tickets_page(
    request: Request,
    portal: PortalDep,
    cursor: Next = None,
    state: Annotated[str, Query(max_length=20)] = "",
    category: NameQuery = None,
    district: NameQuery = None,
) -> Response:
    """Show a page of tickets."""
    chosen = TicketState(state) if state in set(TicketState) else None
    wanted = TicketFilter(chosen, category=category, district=district, open_only=state == _OPEN)
    found = await ticket_reads.tickets(portal.pool, await portal.viewer(), wanted, limit=_PAGE, cursor=cursor)
    if not portal.wants_page(request):
        return JSONResponse(found)
    filters = {"category": category, "district": district}
    filters |= {"open": "true"} if state == _OPEN else {"state": chosen}
    return await portal.page(
        request,
        "tickets.html",
        found=found,
        more_url=address("/tickets", state=state, category=category, district=district),
        state=state,
        category=category,
        district=district,
        districts=await reads.districts(portal.pool),
        states=[_OPEN, *TicketState],
        json_url=address("/api/v1/tickets", **filters),
    )


@router.get("/tickets/{ticket_id}", include_in_schema=False)
async def ticket_page(request: Request, portal: PortalDep, ticket_id: TicketId) -> Response:
    """Show one ticket."""
    if not portal.wants_page(request):
        return JSONResponse(await ticket_reads.ticket(portal.pool, await portal.viewer(), ticket_id))
    return await one_page(request, portal, ticket_id)


@router.post("/tickets/{ticket_id}/transitions", include_in_schema=False)
async def transition_form(request: Request, portal: PortalDep, ticket_id: TicketId) -> Response:
    """Take a crew's decision from its form, and what it found if it says so."""
    fields = await read_form(request)
    told = {name: fields.pop(name, "") for name in FOUND_FIELDS}
    words = await portal.words(request)
    try:
        verdict = {"verdict": found_in_form(told)} if told["found"] else {}
        await _move(portal, ticket_id, checked(TransitionIn, {**fields, **verdict}))
    except ConflictError:
        return await one_page(request, portal, ticket_id, 409, words.text(codes.STATUSES[409]))
    except DataError:
        return await one_page(request, portal, ticket_id, 422, words.text(CAUSE_MISSING))
    return RedirectResponse(f"/tickets/{ticket_id}", 303)


@router.post(
    "/api/v1/tickets/{ticket_id}/verdicts",
    summary="Say what was found",
    openapi_extra=VERDICT_REQUEST,
    **documented(TicketWhole, 400, 401, 403, 404, 409, 413, 415, 429),
)
async def post_verdict(request: Request, portal: PortalDep, ticket_id: TicketId) -> dict[str, Any]:
    """Say what was found of a ticket's alarms: the fault (`true`), nothing (`false`), or something else (`other`).

    Saying another takes its place; the history keeps both. It decides nothing: precision is counted from it.
    """
    if content_type(request) != "application/json":
        raise HTTPException(415, "send application/json")
    wanted = checked(VerdictIn, await read_json(request))
    await judge(request, portal, ticket_id, wanted.as_verdict())
    return await ticket_reads.ticket(portal.pool, await portal.viewer(), ticket_id)


@router.post("/tickets/{ticket_id}/verdicts", include_in_schema=False)
async def verdict_form(request: Request, portal: PortalDep, ticket_id: TicketId) -> Response:
    """Take what was found from its form."""
    fields = await read_form(request)
    told = {name: fields.pop(name, "") for name in FOUND_FIELDS}
    words = await portal.words(request)
    try:
        await judge(request, portal, ticket_id, found_in_form(told).as_verdict())
    except ConflictError:
        return await one_page(request, portal, ticket_id, 409, words.text(codes.STATUSES[409]))
    except DataError:
        return await one_page(request, portal, ticket_id, 422, words.text(CAUSE_MISSING))
    return RedirectResponse(f"/tickets/{ticket_id}", 303)
