"""The operators' pages of gateways: a list, a form that adds one, and one with its changes and what is done with it."""

import csv
import io
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import AfterValidator
from starlette.exceptions import HTTPException

from city.cells import harmless
from city.packlists import GATEWAY_COLUMNS
from portals_api import reads
from portals_api.bodies import read_form
from portals_api.operator import registry_rows, registry_writes
from portals_api.operator.gate import OperatorDep
from portals_api.operator.registry_writes import Mistaken
from portals_api.params import Id, Next, printable
from portals_api.portal import Portal, address
from portals_api.routing import PortalDep
from portals_api.visibility import visible

router = APIRouter(tags=["operator"])

HOME = "/operator/gateways"
_PAGE = 50
Words = Annotated[str, Query(max_length=128), AfterValidator(printable)]


@router.get(HOME, include_in_schema=False)
async def gateways_page(
    request: Request,
    portal: PortalDep,
    operator: OperatorDep,
    cursor: Next = None,
    text: Words = "",
    new: Words = "",
    added: Words = "",
) -> Response:
    """Show gateways, and the form that adds one: `new` is an unknown one's id, `added` one that was just added."""
    if not portal.wants_page(request):
        return JSONResponse(await registry_rows.gateways(portal.pool, limit=_PAGE, cursor=cursor, text=text or None))
    return await _page(request, portal, {"gateway_id": new}, cursor=cursor, text=text, added=added)


@router.post(HOME, include_in_schema=False)
async def add_gateway(request: Request, portal: PortalDep, operator: OperatorDep) -> Response:
    """Add one gateway from its form; what it had sent is read again."""
    fields = {name: value.strip() for name, value in (await read_form(request)).items()}
    try:
        await registry_writes.import_gateways(portal, operator.actor, _line_of(fields))
    except Mistaken as exc:
        return await _page(request, portal, fields, problem=exc)
    gateway = fields.get("gateway_id", "")
    return RedirectResponse(address(HOME, text=gateway, added=gateway), 303)


@router.get(HOME + "/{gateway}", include_in_schema=False)
async def gateway_page(request: Request, portal: PortalDep, operator: OperatorDep, gateway: Id) -> Response:
    """Show one gateway, its changes, and what can be done with it."""
    one = await registry_rows.gateway(portal.pool, gateway)
    if not portal.wants_page(request):
        return JSONResponse(one)
    has_page = visible("gateway", await portal.viewer()) and not one["retired"]
    districts = await reads.districts(portal.pool)
    return await portal.page(request, "operator_gateway.html", one=one, has_page=has_page, districts=districts)


@router.post(HOME + "/{gateway}/{what}", include_in_schema=False)
async def set_gateway(request: Request, portal: PortalDep, operator: OperatorDep, gateway: Id, what: Id) -> Response:
    """Retire a gateway, bring it back, or give it back to the pack."""
    registrar = portal.registrar
    work = {
        "retire": registrar.retire_gateway,
        "restore": registrar.restore_gateway,
        "release": registrar.release_gateway,
    }.get(what)
    if work is None:
        raise HTTPException(404)
    await work(gateway, operator.actor)
    return RedirectResponse(f"{HOME}/{gateway}", 303)


async def _page(
    request: Request,
    portal: Portal,
    given: Mapping[str, str],
    *,
    cursor: str | None = None,
    text: str = "",
    added: str = "",
    problem: Mistaken | None = None,
) -> Response:
    return await portal.page(
        request,
        "operator_gateways.html",
        422 if problem else 200,
        found=await registry_rows.gateways(portal.pool, limit=_PAGE, cursor=cursor, text=text or None),
        text=text,
        added=added,
        given=given,
        problem=problem,
        districts=await reads.districts(portal.pool),
        more_url=address(HOME, text=text),
        json_url=address("/api/v1/operator/gateways", part=text),
    )


def _line_of(fields: Mapping[str, str]) -> str:
    """Return a form as a list of one gateway, so that both are read by the same rules."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(GATEWAY_COLUMNS)
    writer.writerow(harmless(fields.get(column, "")) for column in GATEWAY_COLUMNS)
    return text.getvalue()
