"""Citizens' reports: the form, and the API behind every app."""

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from city.errors import ConflictError, DataError, NotFoundError
from incidents.store import Receipt
from portals_api import codes, labels
from portals_api.answers.tickets import ReceiptOut
from portals_api.bodies import FORM, content_type, read_form, read_json
from portals_api.cuida.map import TEXTS as MAP_TEXTS
from portals_api.examples import REPORT_BODY
from portals_api.portal import Portal
from portals_api.routing import PortalDep, documented
from portals_api.schemas import DESCRIPTION_MAX, ReportIn

router = APIRouter(tags=["reports"])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": ReportIn.model_json_schema(), "example": REPORT_BODY}
            for kind in ("application/json", "application/x-www-form-urlencoded")
        },
    }
}

_PICKING = ("loading", "failed", "picked_lamp", "picked_point")


async def _take(portal: Portal, wanted: ReportIn) -> Receipt:
    desk = await portal.desk()
    return await desk.take_report(portal.pool, wanted.as_report())


def _within_rate(portal: Portal, request: Request) -> None:
    address = request.client.host if request.client else ""
    wait_s = portal.limiter.retry_after_s(address)
    if wait_s:
        raise HTTPException(
            429, f"too many reports from here: wait {wait_s} seconds", headers={"Retry-After": str(wait_s)}
        )


async def _form_page(
    portal: Portal, request: Request, values: dict[str, Any], status: int = 200, problem: str = ""
) -> Response:
    city = await portal.installation()
    values = dict.fromkeys(ReportIn.model_fields, "") | values
    words = await portal.words(request)
    values["request_key"] = values["request_key"] or secrets.token_urlsafe(18)
    return await portal.page(
        request,
        "report.html",
        status,
        values=values,
        problem=problem,
        categories=list(city.catalogue.reportable),
        description_max=DESCRIPTION_MAX,
        map_texts={name: words.text(MAP_TEXTS[name]) for name in _PICKING},
    )


@router.post(
    "/api/v1/reports",
    summary="Report something",
    openapi_extra=_BODY,
    **documented(ReceiptOut, 400, 403, 404, 409, 413, 415, 429, status=201),
)
async def post_report(portal: PortalDep, request: Request) -> JSONResponse:
    """Report something; the answer names the ticket that it opened or joined.

    A `request_key` of your own makes it safe to send the same report again.
    """
    _within_rate(portal, request)
    kind = content_type(request)
    if kind == "application/json":
        body: dict[str, Any] = await read_json(request)
    elif kind in FORM:
        body = dict(await read_form(request))
    else:
        raise HTTPException(415, "send application/json or a form")
    try:
        wanted = ReportIn.model_validate(body)
    except ValidationError as exc:
        raise RequestValidationError(exc.errors(include_url=False, include_input=False)) from exc
    receipt = await _take(portal, wanted)
    url = f"/tickets/{receipt.ticket_id}"
    answer = {
        "report": receipt.report_id,
        "ticket": receipt.ticket_id,
        "url": url,
        "state": str(receipt.state),
        "joined": receipt.joined,
        "repeated": receipt.repeated,
    }
    return JSONResponse(answer, 201, headers={"Location": url})


@router.get("/report", include_in_schema=False)
async def report_page(
    portal: PortalDep,
    request: Request,
    lamp: Annotated[str, Query(max_length=64)] = "",
    category: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Show the form."""
    if not portal.wants_page(request):
        city = await portal.installation()
        found = [{"code": c.code, "names": dict(c.names)} for c in city.catalogue.reportable.values()]
        return JSONResponse({"post": "/api/v1/reports", "categories": found})
    return await _form_page(portal, request, {"lamp": lamp, "category": category})


@router.post("/report", include_in_schema=False)
async def report_form(portal: PortalDep, request: Request) -> Response:
    """Take the form; its answer is the ticket's page."""
    _within_rate(portal, request)
    form: dict[str, Any] = dict(await read_form(request))
    try:
        receipt = await _take(portal, ReportIn.model_validate(form))
    except ValidationError as exc:
        words = await portal.words(request)
        label = labels.Labels(words, (await portal.installation()).catalogue)
        return await _form_page(portal, request, form, 422, label.problem(exc.errors(include_url=False)))
    except (DataError, NotFoundError, ConflictError) as exc:
        told = {NotFoundError: codes.NO_LAMP, ConflictError: codes.SENT_BEFORE}.get(type(exc), str(exc))
        status = 409 if isinstance(exc, ConflictError) else 422
        return await _form_page(portal, request, form, status, (await portal.words(request)).text(told))
    thanks = "joined" if receipt.joined else "opened"
    return RedirectResponse(f"/tickets/{receipt.ticket_id}?thanks={thanks}", 303)
