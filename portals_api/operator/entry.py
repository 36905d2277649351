"""The operators' way in and out, and what they see first."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from portals_api.bodies import read_form
from portals_api.codes import N_
from portals_api.network import registered_gateways
from portals_api.operator import session
from portals_api.operator.attention import attention
from portals_api.operator.gate import FRONT, SIGN_IN, OperatorDep, inside
from portals_api.portal import Portal
from portals_api.routing import PortalDep

router = APIRouter(tags=["operator"])

_PROBLEMS = {
    401: N_("That is not the operator's key."),
    429: N_("Too many wrong keys from here: wait a minute."),
}


@router.get(FRONT, include_in_schema=False)
async def front(request: Request, portal: PortalDep, operator: OperatorDep) -> Response:
    """Show what calls for an operator, and where an operator can go."""
    found = await attention(portal)
    if not portal.wants_page(request):
        pages = [link.href for door in portal.operator_doors for link in door.links]
        return JSONResponse({"pages": pages, **found})
    return await portal.page(
        request,
        "operator.html",
        signed_in=portal.gate.asks_for_a_key,
        found=found,
        known=await registered_gateways(portal.pool, (one["gateway"] for one in found["isolated"])),
    )


@router.get(SIGN_IN, include_in_schema=False)
async def sign_in_page(request: Request, portal: PortalDep) -> Response:
    """Show the form."""
    onward = inside(request.query_params.get("next", ""))
    if portal.gate.admits(request):
        return RedirectResponse(onward, 303)
    if not portal.gate.asks_for_a_key:
        raise HTTPException(404)
    return await _form(request, portal, onward)


@router.post(SIGN_IN, include_in_schema=False)
async def sign_in(request: Request, portal: PortalDep) -> Response:
    """Take the key from its form, and give a cookie that is not the key."""
    if not portal.gate.asks_for_a_key:
        raise HTTPException(404)
    fields = await read_form(request)
    onward = inside(fields.get("next", ""))
    try:
        portal.gate.try_key(request, fields.get("key", ""))
    except HTTPException as exc:
        if not portal.wants_page(request):
            raise
        return await _form(request, portal, onward, exc.status_code, dict(exc.headers or {}))
    answer = RedirectResponse(onward, 303)
    answer.set_cookie(
        session.COOKIE,
        portal.gate.sign_in(),
        max_age=session.LIFE_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/operator/sign-out", include_in_schema=False)
async def sign_out(request: Request, operator: OperatorDep) -> Response:
    """Take the cookie back."""
    answer = RedirectResponse("/", 303)
    answer.delete_cookie(session.COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return answer


async def _form(
    request: Request, portal: Portal, onward: str, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    problem = _PROBLEMS.get(status, "")
    return await portal.page(request, "sign_in.html", status, headers=headers, onward=onward, problem=problem)
