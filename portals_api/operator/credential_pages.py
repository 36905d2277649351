"""The operators' pages of credentials: a list, a new one, one with its history, and what is done with it."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from city.errors import ConflictError, DataError, NotFoundError
from portals_api.bodies import read_form
from portals_api.errors import explain
from portals_api.network import registered_gateways
from portals_api.operator import credentials
from portals_api.operator.credentials import CreateIn, CredentialId, RevokeIn, RotateIn, TopicsIn, checked
from portals_api.operator.gate import OperatorDep
from portals_api.params import NameQuery, Next
from portals_api.portal import Portal, address
from portals_api.routing import PortalDep

router = APIRouter(tags=["operator"])

HOME = "/operator/credentials"
_PAGE = 50
_TOGETHER_H = {"0", "1", "24", "168", "720"}
All = Annotated[str, Query(alias="all", max_length=1)]


@router.get(HOME, include_in_schema=False)
async def credentials_page(
    request: Request,
    portal: PortalDep,
    operator: OperatorDep,
    cursor: Next = None,
    gateway: NameQuery = None,
    past: All = "",
) -> Response:
    """Show who has a credential, and the form that gives one."""
    if not portal.wants_page(request):
        return JSONResponse(await credentials.list_rows(portal, _PAGE, cursor, gateway, past=past == "1"))
    return await _list_page(request, portal, cursor=cursor, gateway=gateway, past=past)


@router.post(HOME, include_in_schema=False)
async def create(request: Request, portal: PortalDep, operator: OperatorDep) -> Response:
    """Give a gateway a login, and show its password."""
    fields = await read_form(request)
    wanted: dict[str, Any] = {"gateway": fields.get("gateway", "").strip(), "read": _lines(fields, "read")}
    if _lines(fields, "publish"):
        wanted["publish"] = _lines(fields, "publish")
    if fields.get("days", "").strip():
        wanted["days"] = fields["days"].strip()
    try:
        made = await credentials.create(portal, operator, checked(CreateIn, wanted))
    except (NotFoundError, DataError, ConflictError, RequestValidationError) as exc:
        if not portal.wants_page(request):
            raise
        unknown = isinstance(exc, NotFoundError)
        detail = explain(list(exc.errors())) if isinstance(exc, RequestValidationError) else str(exc)
        problem = {"unknown": unknown, "detail": detail, "gateway": wanted["gateway"]}
        return await _list_page(request, portal, given=fields, problem=problem, status=404 if unknown else 422)
    return await _show_once(request, portal, made, None)


async def _list_page(
    request: Request,
    portal: Portal,
    *,
    cursor: str | None = None,
    gateway: str | None = None,
    past: str = "",
    given: Mapping[str, str] | None = None,
    problem: Mapping[str, Any] | None = None,
    status: int = 200,
) -> Response:
    found = await credentials.list_rows(portal, _PAGE, cursor, gateway, past=past == "1")
    filters = {"gateway": gateway, "all": past}
    return await portal.page(
        request,
        "operator_credentials.html",
        status,
        found=found,
        known=await registered_gateways(portal.pool, (one["gateway"] for one in found["items"])),
        gateway=gateway or "",
        past=past == "1",
        given={"gateway": gateway or "", "publish": "", "read": "", "days": "", **(given or {})},
        problem=problem,
        more_url=address(HOME, **filters),
        json_url=address(credentials.HOME, gateway=gateway, past="true" if past == "1" else None),
    )


@router.get(HOME + "/{credential_id}", include_in_schema=False)
async def credential_page(
    request: Request, portal: PortalDep, operator: OperatorDep, credential_id: CredentialId
) -> Response:
    """Show one credential, its history, and what can be done with it."""
    one = await credentials.whole_row(portal, credential_id)
    if not portal.wants_page(request):
        return JSONResponse(one)
    return await portal.page(
        request,
        "operator_credential.html",
        one=one,
        known=await registered_gateways(portal.pool, [one["gateway"]]),
        json_url=f"{credentials.HOME}/{credential_id}",
    )


@router.post(HOME + "/{credential_id}/rotate", include_in_schema=False)
async def rotate(request: Request, portal: PortalDep, operator: OperatorDep, credential_id: CredentialId) -> Response:
    """Give a new login and password, and show them."""
    fields = await read_form(request)
    together_h = fields.get("together_h", "")
    if together_h not in _TOGETHER_H:
        raise HTTPException(422, "choose for how long old and new are valid together")
    days = fields.get("days", "").strip() or None
    wanted = checked(RotateIn, {"together_h": together_h, "days": days})
    done = await credentials.rotate(portal, operator, credential_id, wanted)
    return await _show_once(request, portal, done["new"], done["old"])


@router.post(HOME + "/{credential_id}/topics", include_in_schema=False)
async def set_topics(
    request: Request, portal: PortalDep, operator: OperatorDep, credential_id: CredentialId
) -> Response:
    """Say anew where a login publishes and what it reads."""
    fields = await read_form(request)
    publish = _lines(fields, "publish")
    wanted = checked(TopicsIn, {"read": _lines(fields, "read"), **({"publish": publish} if publish else {})})
    changed = await credentials.set_topics(portal, operator, credential_id, wanted)
    return _then(request, portal, changed, credential_id)


@router.get(HOME + "/{credential_id}/revoke", include_in_schema=False)
async def revoke_page(
    request: Request, portal: PortalDep, operator: OperatorDep, credential_id: CredentialId
) -> Response:
    """Ask whether it is meant."""
    one = await credentials.whole_row(portal, credential_id)
    if not portal.wants_page(request):
        return JSONResponse(one)
    return await portal.page(request, "operator_credential_revoke.html", one=one)


@router.post(HOME + "/{credential_id}/revoke", include_in_schema=False)
async def revoke(request: Request, portal: PortalDep, operator: OperatorDep, credential_id: CredentialId) -> Response:
    """End a credential now."""
    wanted = checked(RevokeIn, {"reason": (await read_form(request)).get("reason", "")})
    return _then(request, portal, await credentials.revoke(portal, operator, credential_id, wanted), credential_id)


async def _show_once(request: Request, portal: PortalDep, made: dict[str, Any], old: dict[str, Any] | None) -> Response:
    """Show a password; nothing leads back to this page."""
    if not portal.wants_page(request):
        return JSONResponse({"new": made, "old": old} if old else made)
    return await portal.page(request, "operator_credential_new.html", made=made, old=old)


def _then(request: Request, portal: PortalDep, changed: dict[str, Any], credential_id: int) -> Response:
    if not portal.wants_page(request):
        return JSONResponse(changed)
    return RedirectResponse(f"{HOME}/{credential_id}", 303)


def _lines(fields: dict[str, str], name: str) -> list[str]:
    """Return the topic filters of a field, one a line."""
    return [line.strip() for line in fields.get(name, "").splitlines() if line.strip()]
