"""The operators' pages of dead letters: a list with its search, one letter, and what is done with them."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import AfterValidator, ValidationError
from starlette.exceptions import HTTPException

from portals_api import days
from portals_api.bodies import read_form
from portals_api.network import registered_gateways
from portals_api.operator import letters
from portals_api.operator.gate import OperatorDep
from portals_api.operator.letter_rows import IDS_MAX, Marking, Replaying, Search, list_rows, whole_row
from portals_api.params import Id, Next, printable
from portals_api.portal import Portal, address
from portals_api.routing import PortalDep
from stream.letters import LetterState

router = APIRouter(tags=["operator"])

HOME = "/operator/letters"
_PAGE = 50
_FILTERS = ("reason", "gateway", "topic", "text", "from", "to")
_ID = "letter:"
"""What the name of a letter's box begins with; a form may hold no name twice."""
_ACTIONS = frozenset({"replay", "anew", "mark", "unmark"})
Words = Annotated[str, Query(max_length=200), AfterValidator(printable)]


@router.get(HOME, include_in_schema=False)
async def letters_page(
    request: Request,
    portal: PortalDep,
    operator: OperatorDep,
    cursor: Next = None,
    state: LetterState = LetterState.OPEN,
    reason: Words = "",
    gateway: Words = "",
    topic: Words = "",
    text: Words = "",
    since: Annotated[str, Query(alias="from", max_length=10)] = "",
    until: Annotated[str, Query(alias="to", max_length=10)] = "",
    ask: Words = "",
) -> Response:
    """Show what was set aside."""
    chosen = {"reason": reason, "gateway": gateway, "topic": topic, "text": text, "from": since, "to": until}
    search = await _search(portal, chosen)
    found = await list_rows(portal.pool, search.query(state, cursor, _PAGE))
    if not portal.wants_page(request):
        return JSONResponse(found)
    return await portal.page(
        request,
        "operator_letters.html",
        found=found,
        known=await registered_gateways(portal.pool, (one["gateway"] for one in found["items"])),
        state=state.value,
        chosen=chosen,
        ask=ask == "why",
        reasons=await letters.reasons(portal),
        more_url=address(HOME, **{"state": state.value, **chosen}),
        json_url=address(
            "/api/v1/operator/letters",
            **{"state": state.value, **search.model_dump(mode="json", by_alias=True, exclude_none=True)},
        ),
    )


@router.get(HOME + "/{letter_id}", include_in_schema=False)
async def letter_page(
    request: Request, portal: PortalDep, operator: OperatorDep, letter_id: Id, ask: Words = ""
) -> Response:
    """Show one letter: its bytes, what can be read in them, and what happened to it."""
    one, _ = await whole_row(portal.pool, letter_id)
    if not portal.wants_page(request):
        return JSONResponse(one)
    return await portal.page(
        request,
        "operator_letter.html",
        one=one,
        ask=ask == "why",
        known=await registered_gateways(portal.pool, [one["gateway"]]),
        json_url=f"/api/v1/operator/letters/{one['id']}",
    )


@router.post(HOME, include_in_schema=False)
async def act(request: Request, portal: PortalDep, operator: OperatorDep) -> Response:
    """Do what a form asks for with the letters that it names, or with all that its search finds, a page at a time."""
    fields = await read_form(request, fields_max=IDS_MAX)
    what, _, whole = fields.get("what", "").partition("-")
    if what not in _ACTIONS:
        raise HTTPException(422, "say what to do: replay, anew, mark or unmark")
    chosen = {name: fields.get(name, "") for name in _FILTERS}
    wanted: dict[str, Any] = {"ids": [name.removeprefix(_ID) for name in fields if name.startswith(_ID)]}
    if whole == "found":
        wanted = {"search": await _search(portal, chosen), "next": fields.get("next") or None}
    elif not wanted["ids"]:
        return RedirectResponse(address(HOME, state=fields.get("state", ""), **chosen), 303)
    if what == "mark" and not fields.get("why", "").strip() and portal.wants_page(request):
        return _ask_why(fields, chosen)
    try:
        if what in ("replay", "anew"):
            done = await letters.replay(portal, operator, Replaying(**wanted, anew=what == "anew"))
        else:
            marking = Marking(**wanted, reason=fields.get("why", ""))
            done = await letters.mark(portal, operator, marking, unwanted=what == "mark")
    except ValidationError as exc:
        raise RequestValidationError(exc.errors(include_url=False, include_input=False)) from exc
    if not portal.wants_page(request):
        return JSONResponse(done)
    return await portal.page(
        request,
        "operator_letters_done.html",
        what=what,
        whole=whole,
        done=done,
        chosen=chosen,
        search=(await _search(portal, chosen)).model_dump(mode="json", by_alias=True, exclude_none=True),
        why=fields.get("why", ""),
        state=fields.get("state", ""),
        back=address(HOME, state=fields.get("state", ""), **chosen),
        so_far={name: _number(fields.get(f"so-far-{name}")) + done.get(name, 0) for name in ("letters", "readings")},
    )


def _ask_why(fields: dict[str, str], chosen: dict[str, str]) -> Response:
    """Lead back to where the words are missing; browsers ask for them before they send the form."""
    one = fields.get("letter", "")
    if one:
        return RedirectResponse(f"{HOME}/{quote(one, safe='')}?ask=why", 303)
    return RedirectResponse(address(HOME, state=fields.get("state", ""), **chosen, ask="why"), 303)


async def _search(portal: Portal, chosen: dict[str, str]) -> Search:
    """Return a page's filters as a search; its days are the city's, the last one included."""
    since, until = days.between(chosen["from"], chosen["to"], (await portal.installation()).timezone)
    try:
        return Search(
            **{name: chosen[name] for name in ("reason", "gateway", "topic", "text")},
            since=since,
            until=until,
        )
    except ValidationError as exc:
        raise RequestValidationError(exc.errors(include_url=False, include_input=False)) from exc


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 12 else 0
