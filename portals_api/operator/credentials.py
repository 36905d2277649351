"""Credentials: who may connect to the broker and publish and read where. A password is in one answer alone."""

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

from city.clock import DAY_US, HOUR_US, SystemClock
from ingest.credentials import reads, store
from ingest.credentials.model import FILTERS_MAX, LIFE_DAYS_MAX
from ingest.credentials.store import Change, Topics
from ingest.credentials.told import told, told_once
from portals_api.answers.credentials import (
    CredentialNew,
    CredentialOut,
    CredentialPageOut,
    CredentialWhole,
    RotatedOut,
)
from portals_api.bodies import content_type, read_json
from portals_api.operator.gate import Operator, OperatorDep
from portals_api.paging import LIMIT_DEFAULT, decode_cursor, page
from portals_api.params import Limit, NameQuery, Next, printable
from portals_api.portal import Portal
from portals_api.routing import PortalDep, documented
from storage.pool import engine_errors

router = APIRouter(tags=["operator"])

HOME = "/api/v1/operator/credentials"
TOGETHER_H_MAX = 90 * 24
CredentialId = Annotated[int, Path(ge=1, lt=2**63)]
Past = Annotated[bool, Query(description="Those that are over too")]
Filters = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=FILTERS_MAX)]
Body = TypeVar("Body", bound=BaseModel)
_FILTERS: dict[str, Any] = {"type": "array", "items": {"type": "string", "maxLength": 200}, "maxItems": FILTERS_MAX}


class TopicsIn(BaseModel):
    """Where a login publishes and what it reads; without `publish`, below its gateway's own name."""

    model_config = ConfigDict(extra="forbid")

    publish: Filters | None = None
    read: Filters = []

    def topics(self) -> Topics:
        return Topics(None if self.publish is None else tuple(self.publish), tuple(self.read))


class CreateIn(TopicsIn):
    """For whom, and for how long."""

    gateway: Annotated[str, Field(min_length=1, max_length=64), AfterValidator(printable)]
    days: Annotated[int | None, Field(ge=1, le=LIFE_DAYS_MAX)] = None


class RotateIn(BaseModel):
    """For how long old and new are valid together, and for how many days the new one; None: as many as the old had."""

    model_config = ConfigDict(extra="forbid")

    together_h: Annotated[float, Field(ge=0, le=TOGETHER_H_MAX, allow_inf_nan=False)] = 24.0
    days: Annotated[int | None, Field(ge=1, le=LIFE_DAYS_MAX)] = None


class RevokeIn(BaseModel):
    """Why, for its history; nobody's name."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=500), AfterValidator(printable)] = ""


def _body(example: dict[str, Any], *required: str, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}


@router.get(HOME, summary="List credentials", **documented(CredentialPageOut, 400, 401, 404))
async def get_credentials(
    portal: PortalDep,
    operator: OperatorDep,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Next = None,
    gateway: NameQuery = None,
    past: Past = False,
) -> dict[str, Any]:
    """List logins and certificates, the newest first: those that are valid, unless `past` asks for all."""
    return await list_rows(portal, limit, cursor, gateway, past=past)


@router.post(
    HOME,
    summary="Give a gateway a login and a password",
    openapi_extra=_body(
        {"gateway": "GW-01", "days": 365},
        "gateway",
        gateway={"type": "string", "maxLength": 64},
        publish=_FILTERS,
        read=_FILTERS,
        days={"type": "integer", "minimum": 1, "maximum": LIFE_DAYS_MAX},
    ),
    **documented(CredentialNew, 400, 401, 403, 404, 409, 413, 415, status=201),
)
async def post_credential(request: Request, portal: PortalDep, operator: OperatorDep) -> dict[str, Any]:
    """Give a gateway of the registry a login; the answer has its password, the only time that it is told."""
    return await create(portal, operator, await _read(request, CreateIn))


@router.get(HOME + "/{credential_id}", summary="Get a credential", **documented(CredentialWhole, 401, 404))
async def get_credential(portal: PortalDep, operator: OperatorDep, credential_id: CredentialId) -> dict[str, Any]:
    """Return one login or certificate with its history."""
    return await whole_row(portal, credential_id)


@router.post(
    HOME + "/{credential_id}/rotate",
    summary="Rotate a password",
    openapi_extra=_body(
        {"together_h": 24, "days": 365},
        together_h={"type": "number", "minimum": 0, "maximum": TOGETHER_H_MAX},
        days={"type": "integer", "minimum": 1, "maximum": LIFE_DAYS_MAX},
    ),
    **documented(RotatedOut, 400, 401, 403, 404, 409, 413, 415),
)
async def post_rotation(
    request: Request, portal: PortalDep, operator: OperatorDep, credential_id: CredentialId
) -> dict[str, Any]:
    """Give a new login and password in place of one; both are valid for `together_h` hours, then the old one ends.

    The new one ends after `days`, or lives as long as the old one was given. What is being replaced already is refused.
    """
    return await rotate(portal, operator, credential_id, await _read(request, RotateIn))


@router.post(
    HOME + "/{credential_id}/topics",
    summary="Say anew where a login publishes and what it reads",
    openapi_extra=_body({"publish": ["application/+/device/+/event/+"], "read": []}, publish=_FILTERS, read=_FILTERS),
    **documented(CredentialOut, 400, 401, 403, 404, 409, 413, 415),
)
async def post_topics(
    request: Request, portal: PortalDep, operator: OperatorDep, credential_id: CredentialId
) -> dict[str, Any]:
    """Replace both lists of topic filters; what is no longer there ends on open connections too.

    The broker is told within two seconds where it answers; `in_force_at` says when it was.
    """
    return await set_topics(portal, operator, credential_id, await _read(request, TopicsIn))


@router.post(
    HOME + "/{credential_id}/revoke",
    summary="Revoke a credential",
    openapi_extra=_body({"reason": "the gateway was stolen"}, reason={"type": "string", "maxLength": 500}),
    **documented(CredentialOut, 400, 401, 403, 404, 413, 415),
)
async def post_revocation(
    request: Request, portal: PortalDep, operator: OperatorDep, credential_id: CredentialId
) -> dict[str, Any]:
    """End a login or certificate; again has no effect.

    The broker is told within two seconds where it answers, and `in_force_at` says when it was: from then on the owner
    is disconnected and does not come back. Mosquitto learns of a certificate by its next list alone.
    """
    return await revoke(portal, operator, credential_id, await _read(request, RevokeIn))


async def list_rows(
    portal: Portal, limit: int, cursor: str | None, gateway: str | None, *, past: bool
) -> dict[str, Any]:
    """Return one page."""
    key = decode_cursor(cursor, int)
    now_us = SystemClock().now_us()
    before = None if key is None else key[0]
    with engine_errors():
        async with portal.pool.connection() as connection:
            found = await reads.page(connection, now_us, gateway_id=gateway, past=past, before=before, count=limit + 1)
    return page([told(one, now_us) for one in found], limit, lambda row: [row["id"]])


async def whole_row(portal: Portal, credential_id: int) -> dict[str, Any]:
    """Return a credential with its history."""
    with engine_errors():
        async with portal.pool.connection() as connection:
            found = told(await reads.one(connection, credential_id), SystemClock().now_us())
            return found | {"events": await reads.events(connection, credential_id)}


async def create(portal: Portal, operator: Operator, wanted: CreateIn) -> dict[str, Any]:
    """Make a login."""
    change = _change(operator)
    ends = None if wanted.days is None else change.now_us + wanted.days * DAY_US
    return told_once(await store.create(portal.pool, wanted.gateway, change, wanted.topics(), ends), change.now_us)


async def rotate(portal: Portal, operator: Operator, credential_id: int, wanted: RotateIn) -> dict[str, Any]:
    """Make a login in place of another."""
    change = _change(operator)
    life_us = None if wanted.days is None else wanted.days * DAY_US
    new, old = await store.rotate(portal.pool, credential_id, change, int(wanted.together_h * HOUR_US), life_us)
    return {"new": told_once(new, change.now_us), "old": told(old, change.now_us)}


async def set_topics(portal: Portal, operator: Operator, credential_id: int, wanted: TopicsIn) -> dict[str, Any]:
    """Replace a login's topics."""
    change = _change(operator)
    return told(await store.set_topics(portal.pool, credential_id, change, wanted.topics()), change.now_us)


async def revoke(portal: Portal, operator: Operator, credential_id: int, wanted: RevokeIn) -> dict[str, Any]:
    """End a credential."""
    change = _change(operator)
    return told(await store.revoke(portal.pool, credential_id, change, wanted.reason.strip()), change.now_us)


def _change(operator: Operator) -> Change:
    """Return a change of now; credentials live by the machine's clock, however fast the city's runs."""
    return Change(operator.actor, SystemClock().now_us())


async def _read(request: Request, model: type[Body]) -> Body:
    if content_type(request) != "application/json":
        raise HTTPException(415, "send application/json")
    return checked(model, await read_json(request))


def checked(model: type[Body], values: dict[str, Any]) -> Body:
    """Return what was sent, checked.

    Raises
    ------
    RequestValidationError
        It makes no sense.
    """
    try:
        return model.model_validate(values)
    except ValidationError as exc:
        raise RequestValidationError(exc.errors(include_url=False, include_input=False)) from exc
