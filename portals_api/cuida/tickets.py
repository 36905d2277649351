"""Tickets: list, one with its timeline, and what a crew does with it."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from city.errors import ConflictError
from city.ticket import Actor, TicketState
from portals_api import labels, reads
from portals_api.bodies import content_type, read_form, read_json
from portals_api.params import LIMIT_DEFAULT, Limit, NameQuery, Next, TicketId
from portals_api.portal import Portal, address
from portals_api.reads import TicketFilter
from portals_api.schemas import TransitionIn

_PAGE = 50
_OPEN = "open"
"""Stands among the states of the filter for all that are not at their end."""
_THANKS = {
    "joined": labels.N_("Thank you. Your report has joined a ticket that is already open."),
    "opened": labels.N_("Thank you. Your report has opened this ticket."),
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
                    },
                }
            }
        },
    }
}


def _transition(fields: Mapping[str, Any]) -> TransitionIn:
    try:
        return TransitionIn.model_validate(fields)
    except ValidationError as exc:
        raise RequestValidationError(exc.errors(include_url=False, include_input=False)) from exc


def routes(portal: Portal) -> APIRouter:
    """Return the routes of tickets."""
    router = APIRouter(tags=["tickets"])

    async def move(ticket_id: int, wanted: TransitionIn) -> None:
        """Do a crew's decision. Until crews have accounts, whoever reaches the portals acts as one."""
        if not portal.options.crew_without_account:
            raise HTTPException(403, "only a crew may do this: sign in")
        await reads.ticket(portal.pool, await portal.viewer(), ticket_id)
        desk = await portal.desk()
        await desk.move(portal.pool, ticket_id, wanted.to, wanted.version, Actor.CREW, wanted.reason)

    async def one_page(request: Request, ticket_id: int, status: int = 200, problem: str = "") -> Response:
        ticket = await reads.ticket(portal.pool, await portal.viewer(), ticket_id)
        return await portal.page(
            request,
            "ticket.html",
            status,
            ticket=ticket,
            problem=problem,
            thanks=_THANKS.get(request.query_params.get("thanks", ""), ""),
            may_act=portal.options.crew_without_account,
            json_url=f"/api/v1/tickets/{ticket_id}",
        )

    @router.get("/api/v1/tickets")
    async def list_tickets(
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
        return await reads.tickets(portal.pool, await portal.viewer(), wanted, limit=limit, cursor=cursor)

    @router.get("/api/v1/tickets/{ticket_id}")
    async def get_ticket(ticket_id: TicketId) -> dict[str, Any]:
        """Return one ticket with alarms, reports and timeline."""
        return await reads.ticket(portal.pool, await portal.viewer(), ticket_id)

    @router.post("/api/v1/tickets/{ticket_id}/transitions", openapi_extra=_BODY)
    async def post_transition(request: Request, ticket_id: TicketId) -> dict[str, Any]:
        """Move a ticket as a crew. `version` is the one that you saw; 409 if it has changed."""
        if content_type(request) != "application/json":
            raise HTTPException(415, "send application/json")
        await move(ticket_id, _transition(await read_json(request)))
        return await reads.ticket(portal.pool, await portal.viewer(), ticket_id)

    @router.get("/tickets", include_in_schema=False)
    async def tickets_page(
        request: Request,
        cursor: Next = None,
        state: Annotated[str, Query(max_length=20)] = "",
        category: NameQuery = None,
    ) -> Response:
        chosen = TicketState(state) if state in set(TicketState) else None
        wanted = TicketFilter(chosen, category=category, open_only=state == _OPEN)
        found = await reads.tickets(portal.pool, await portal.viewer(), wanted, limit=_PAGE, cursor=cursor)
        if not portal.wants_page(request):
            return JSONResponse(found)
        filters = {"category": category, "open": "true"} if state == _OPEN else {"category": category, "state": chosen}
        return await portal.page(
            request,
            "tickets.html",
            found=found,
            more_url=address("/tickets", state=state, category=category),
            state=state,
            category=category,
            states=[_OPEN, *TicketState],
            json_url=address("/api/v1/tickets", **filters),
        )

    @router.get("/tickets/{ticket_id}", include_in_schema=False)
    async def ticket_page(request: Request, ticket_id: TicketId) -> Response:
        if not portal.wants_page(request):
            return JSONResponse(await reads.ticket(portal.pool, await portal.viewer(), ticket_id))
        return await one_page(request, ticket_id)

    @router.post("/tickets/{ticket_id}/transitions", include_in_schema=False)
    async def transition_form(request: Request, ticket_id: TicketId) -> Response:
        wanted = _transition(await read_form(request))
        try:
            await move(ticket_id, wanted)
        except ConflictError:
            return await one_page(request, ticket_id, 409, (await portal.words(request)).text(labels.STATUSES[409]))
        return RedirectResponse(f"/tickets/{ticket_id}", 303)

    return router
