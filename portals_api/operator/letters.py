"""Dead letters: found, looked at, sent back, taken out of the list where nobody wants them. Nothing is deleted here."""

import time
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, ValidationError
from starlette.exceptions import HTTPException

from portals_api.answers.letters import LetterPageOut, LetterWhole, MarkedOut, ReasonList, ReplayOut
from portals_api.bodies import content_type, read_json
from portals_api.operator.gate import Operator, OperatorDep
from portals_api.operator.letter_rows import (
    Marking,
    Replaying,
    Search,
    cursor_of,
    list_rows,
    reason_rows,
    replay_row,
    whole_row,
)
from portals_api.params import LIMIT_DEFAULT, Id, Limit, Next, Since, Until, printable
from portals_api.portal import Portal
from portals_api.routing import PortalDep, documented
from storage.pool import engine_errors
from stream import letters
from stream.letters import LetterState

router = APIRouter(tags=["operator"])

_COUNTED_FOR_S = 5.0
"""Counting a million letters takes part of a second; operators look at one page after the other."""
Body = TypeVar("Body", bound=BaseModel)
_NAMED = "Only of this gateway; `-`: only what names none"
Gateway = Annotated[str | None, Query(max_length=200, description=_NAMED), AfterValidator(printable)]
Part = Annotated[str | None, Query(max_length=200), AfterValidator(printable)]
_SEARCHED = {
    "type": "object",
    "properties": {
        **{name: {"type": "string", "maxLength": 200} for name in ("reason", "topic", "text")},
        "gateway": {"type": "string", "maxLength": 200, "description": _NAMED},
        **{name: {"type": "string", "format": "date-time"} for name in ("from", "to")},
    },
}
_CHOSEN = {
    "ids": {"type": "array", "items": {"type": "string"}, "maxItems": 500},
    "search": _SEARCHED,
    "next": {"type": "string"},
    "limit": {"type": "integer", "minimum": 1, "maximum": 500},
}
_REASON = {"reason": {"type": "string", "maxLength": 500}}


def _body(example: dict[str, Any], **more: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {**_CHOSEN, **more}}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}


@router.get("/api/v1/operator/letters", summary="List dead letters", **documented(LetterPageOut, 400, 401, 404))
async def list_letters(
    portal: PortalDep,
    operator: OperatorDep,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Next = None,
    state: LetterState = LetterState.OPEN,
    reason: Part = None,
    gateway: Gateway = None,
    topic: Part = None,
    text: Part = None,
    since: Since = None,
    until: Until = None,
) -> dict[str, Any]:
    """List what was set aside, the newest first: open ones unless `state` says otherwise.

    `topic` and `text` do not look into the bundles of isolated gateways: they are found by `gateway` and `reason`, and
    opened for whoever becomes known after them.
    """
    wanted = Search(reason=reason, gateway=gateway, topic=topic, text=text, since=since, until=until)
    return await list_rows(portal.pool, wanted.query(state, cursor, limit))


@router.get(
    "/api/v1/operator/letters/reasons", summary="Count dead letters by reason", **documented(ReasonList, 401, 404)
)
async def list_reasons(portal: PortalDep, operator: OperatorDep) -> dict[str, Any]:
    """Count what waits, by reason, with what to do about it."""
    return {"items": await reasons(portal), "next": None}


@router.get("/api/v1/operator/letters/{letter_id}", summary="Get a dead letter", **documented(LetterWhole, 401, 404))
async def get_letter(portal: PortalDep, operator: OperatorDep, letter_id: Id) -> dict[str, Any]:
    """Return one letter with its bytes, what can be read in them, and its history."""
    return (await whole_row(portal.pool, letter_id))[0]


@router.get(
    "/api/v1/operator/letters/{letter_id}/payload",
    summary="Get the bytes of a dead letter",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {"example": '{"device": "N-L-00007"}'}}}},
)
async def get_payload(portal: PortalDep, operator: OperatorDep, letter_id: Id) -> Response:
    """Return the bytes as they came, to be saved."""
    row, payload = await whole_row(portal.pool, letter_id)
    name = "".join(c for c in row["id"] if c.isalnum() or c == "-")
    headers = {"Content-Disposition": f'attachment; filename="{name}.bin"'}
    return Response(payload, media_type="application/octet-stream", headers=headers)


@router.post(
    "/api/v1/operator/letters/replay",
    summary="Replay dead letters",
    openapi_extra=_body({"search": {"reason": "unknown-device"}}, anew={"type": "boolean"}),
    **documented(ReplayOut, 400, 401, 403, 404, 413, 415),
)
async def post_replay(request: Request, portal: PortalDep, operator: OperatorDep) -> dict[str, Any]:
    """Read letters again with today's registry and formats: by `ids`, or a page of a `search`. Again has no effect.

    With `anew` all of an object of which something was set aside is read, whatever its values are called now.
    """
    return await replay(portal, operator, await _read(request, Replaying))


@router.post(
    "/api/v1/operator/letters/mark",
    summary="Mark dead letters as not wanted",
    openapi_extra=_body({"ids": ["5f1d2b7e-0-17"], "reason": "a test of the vendor"}, **_REASON),
    **documented(MarkedOut, 400, 401, 403, 404, 413, 415),
)
async def post_mark(request: Request, portal: PortalDep, operator: OperatorDep) -> dict[str, Any]:
    """Take letters out of the open list, with a reason; they stay quarantined and can be taken back."""
    return await mark(portal, operator, await _read(request, Marking), unwanted=True)


@router.post(
    "/api/v1/operator/letters/unmark",
    summary="Take dead letters back into the open list",
    openapi_extra=_body({"ids": ["5f1d2b7e-0-17"]}, **_REASON),
    **documented(MarkedOut, 400, 401, 403, 404, 413, 415),
)
async def post_unmark(request: Request, portal: PortalDep, operator: OperatorDep) -> dict[str, Any]:
    """Take back what was marked as not wanted."""
    return await mark(portal, operator, await _read(request, Marking), unwanted=False)


async def reasons(portal: Portal) -> list[dict[str, Any]]:
    """Return what waits by reason, counted a few seconds ago at most."""
    known = portal.letters_counted
    if known is None or time.monotonic() - known[0] > _COUNTED_FOR_S:
        with engine_errors():
            async with portal.pool.connection() as connection:
                known = portal.letters_counted = (time.monotonic(), await letters.open_by_reason(connection))
    return reason_rows(known[1])


async def replay(portal: Portal, operator: Operator, wanted: Replaying) -> dict[str, Any]:
    """Replay what was chosen, or a page of what is found."""
    portal.letters_counted = None
    if wanted.ids is not None:
        return replay_row(await portal.redelivery.replay(wanted.ids, operator.actor, whole=wanted.anew), None)
    assert wanted.search is not None
    query = wanted.search.query(LetterState.OPEN, wanted.next, wanted.limit)
    done = await portal.redelivery.replay_found(query, operator.actor, whole=wanted.anew)
    return replay_row(done.report, done.next)


async def mark(portal: Portal, operator: Operator, wanted: Marking, *, unwanted: bool) -> dict[str, Any]:
    """Mark what was chosen, or a page of what is found, as not wanted or as wanted again."""
    reason = wanted.reason.strip()
    if unwanted and not reason:
        raise HTTPException(422, "say why they are not wanted: `reason`")
    portal.letters_counted = None
    if wanted.ids is not None:
        ids, following = wanted.ids, None
        moved = await portal.redelivery.mark(ids, unwanted=unwanted, actor=operator.actor, reason=reason)
    else:
        assert wanted.search is not None
        query = wanted.search.query(LetterState.OPEN, wanted.next, wanted.limit)
        moved, following = await portal.redelivery.mark_found(
            query, unwanted=unwanted, actor=operator.actor, reason=reason
        )
    return {"letters": len(moved), "ids": moved, "next": cursor_of(following)}


async def _read(request: Request, model: type[Body]) -> Body:
    if content_type(request) != "application/json":
        raise HTTPException(415, "send application/json")
    body = await read_json(request)
    try:
        return model.model_validate(body)
    except ValidationError as exc:
        raise RequestValidationError(exc.errors(include_url=False, include_input=False)) from exc
