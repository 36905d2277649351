"""The operators' pages of the registry: devices, gateways, profiles, changes, and who waits to be claimed."""

from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import AfterValidator, BaseModel, ValidationError
from starlette.exceptions import HTTPException

from city.errors import NotFoundError
from city.topics import is_name
from portals_api.answers.registry import ClaimIn, DeviceIn
from portals_api.bodies import read_form
from portals_api.network import registered_gateways
from portals_api.operator import registry_rows, registry_writes
from portals_api.operator.gate import OperatorDep
from portals_api.operator.registry_writes import Mistaken
from portals_api.params import Id, Next, printable
from portals_api.portal import address
from portals_api.routing import PortalDep

router = APIRouter(tags=["operator"])

DEVICES, PROFILES = "/operator/devices", "/operator/profiles"
CHANGES, UNKNOWN = "/operator/changes", "/operator/unknown"
_PAGE = 50
_IMPORTS = {
    "devices": registry_writes.import_devices,
    "gateways": registry_writes.import_gateways,
    "profiles": registry_writes.import_profiles,
}
Words = Annotated[str, Query(max_length=128), AfterValidator(printable)]
B = TypeVar("B", bound=BaseModel)


@router.get(DEVICES, include_in_schema=False)
async def devices_page(
    request: Request,
    portal: PortalDep,
    operator: OperatorDep,
    cursor: Next = None,
    text: Words = "",
    gateway: Words = "",
    profile: Words = "",
    origin: Words = "",
    retired: bool = False,
) -> Response:
    """Show devices, and how to add some."""
    filters = {"text": text, "gateway": gateway, "profile": profile, "origin": origin}
    found = await registry_rows.devices(
        portal.pool, limit=_PAGE, cursor=cursor, retired=retired, **{k: v or None for k, v in filters.items()}
    )
    if not portal.wants_page(request):
        return JSONResponse(found)
    told = {**filters, "retired": "true" if retired else ""}
    return await portal.page(
        request,
        "operator_devices.html",
        found=found,
        chosen=told,
        profiles=await registry_rows.profiles(portal.pool),
        more_url=address(DEVICES, **told),
        json_url=address("/api/v1/operator/devices", **{**told, "text": ""}, part=text),
    )


@router.post(DEVICES, include_in_schema=False)
async def write_device(request: Request, portal: PortalDep, operator: OperatorDep) -> Response:
    """Write one device from its form."""
    fields = await read_form(request)
    device = fields.get("device", "").strip()
    try:
        await registry_writes.put_device(portal, operator.actor, device, _device_in(fields))
    except Mistaken as exc:
        return await _device_form(request, portal, device, fields, exc)
    return RedirectResponse(address(f"{DEVICES}/{device}"), 303)


@router.get(DEVICES + "/{device}", include_in_schema=False)
async def device_page(request: Request, portal: PortalDep, operator: OperatorDep, device: Id) -> Response:
    """Show a device, with its form, series and changes."""
    one = await registry_rows.device(portal.pool, device)
    if not portal.wants_page(request):
        return JSONResponse(one)
    return await _device_form(request, portal, device, one, None)


@router.post(DEVICES + "/{device}/{what}", include_in_schema=False)
async def set_device(request: Request, portal: PortalDep, operator: OperatorDep, device: Id, what: Id) -> Response:
    """Retire a device, or give it back to the pack."""
    work = {"retire": portal.registrar.retire, "release": portal.registrar.release}.get(what)
    if work is None:
        raise HTTPException(404)
    await work(device, operator.actor)
    return RedirectResponse(f"{DEVICES}/{device}", 303)


@router.get(PROFILES, include_in_schema=False)
async def profiles_page(request: Request, portal: PortalDep, operator: OperatorDep) -> Response:
    """Show profiles."""
    found = await registry_rows.profiles(portal.pool)
    if not portal.wants_page(request):
        return JSONResponse({"items": found, "next": None})
    return await portal.page(request, "operator_profiles.html", profiles=found, json_url="/api/v1/operator/profiles")


@router.post(PROFILES + "/{profile}/{what}", include_in_schema=False)
async def set_profile(request: Request, portal: PortalDep, operator: OperatorDep, profile: Id, what: Id) -> Response:
    """Retire a profile that no device has, bring it back, or give it back to the pack."""
    kind = {"retire": "retired", "restore": "restored", "release": "released"}.get(what)
    if kind is None:
        raise HTTPException(404)
    await portal.registrar.set_profile(profile, operator.actor, kind)
    return RedirectResponse(f"{PROFILES}#profile-{quote(profile, safe='')}", 303)


@router.post("/operator/import/{kind}", include_in_schema=False)
async def import_list(request: Request, portal: PortalDep, operator: OperatorDep, kind: Id) -> Response:
    """Say what a list would do; with `do` do it."""
    take = _IMPORTS.get(kind)
    if take is None:
        raise HTTPException(404)
    fields = await read_form(request)
    text, doing = fields.get("list", "").replace("\r\n", "\n"), fields.get("do") == "1"
    problem, report = None, None
    try:
        report = await take(portal, operator.actor, text, dry_run=not doing)
    except Mistaken as exc:
        problem = exc
    return await portal.page(
        request,
        "operator_import.html",
        422 if problem else 200,
        kind=kind,
        text=text,
        done=doing and not problem,
        problem=problem,
        report=report,
        back=f"/operator/{kind}",
        path=f"/operator/{kind}",
    )


@router.get(CHANGES, include_in_schema=False)
async def changes_page(
    request: Request,
    portal: PortalDep,
    operator: OperatorDep,
    cursor: Next = None,
    subject: Words = "",
    name: Words = "",
) -> Response:
    """Show who changed what."""
    found = await registry_rows.events(
        portal.pool, limit=_PAGE, cursor=cursor, subject=subject or None, subject_id=name or None
    )
    if not portal.wants_page(request):
        return JSONResponse(found)
    chosen = {"subject": subject, "name": name}
    return await portal.page(
        request,
        "operator_changes.html",
        found=found,
        chosen=chosen,
        more_url=address(CHANGES, **chosen),
        json_url=address("/api/v1/operator/registry/changes", **chosen),
    )


@router.get(UNKNOWN, include_in_schema=False)
async def unknown_page(request: Request, portal: PortalDep, operator: OperatorDep, text: Words = "") -> Response:
    """Show who sends and is not known."""
    found = await registry_writes.unknown_of(portal, text or None)
    if not portal.wants_page(request):
        return JSONResponse(found)
    return await portal.page(
        request,
        "operator_unknown.html",
        found=found,
        known=await registered_gateways(portal.pool, (one["gateway"] for one in found["devices"])),
        text=text,
        json_url=address("/api/v1/operator/unknown", part=text),
    )


@router.get(UNKNOWN + "/claim", include_in_schema=False)
async def claim_page(
    request: Request, portal: PortalDep, operator: OperatorDep, name: Words = "", gateway: Words = "", asset: Words = ""
) -> Response:
    """Show what an unknown device has sent, and the form that claims it."""
    given = {"address": name, "gateway": gateway, "asset": asset, "device": name if is_name(name) else ""}
    return await _claim_form(request, portal, given, None)


@router.post(UNKNOWN + "/claim", include_in_schema=False)
async def claim(request: Request, portal: PortalDep, operator: OperatorDep) -> Response:
    """Claim a device, and show what came back."""
    fields = {name: value.strip() for name, value in (await read_form(request)).items()}
    try:
        done = await registry_writes.claim(portal, operator.actor, _claim_in(fields))
    except Mistaken as exc:
        return await _claim_form(request, portal, fields, exc)
    return await portal.page(request, "operator_claimed.html", done=done)


async def _device_form(
    request: Request, portal: PortalDep, device: str, given: dict[str, Any], problem: Mistaken | None
) -> Response:
    known = None
    if is_name(device):
        try:
            known = await registry_rows.device(portal.pool, device)
        except NotFoundError:
            known = None
    return await portal.page(
        request,
        "operator_device.html",
        422 if problem else 200,
        one=known,
        given={**given, "device": device},
        problem=problem,
        profiles=await registry_rows.profiles(portal.pool),
        json_url=f"/api/v1/operator/devices/{device}" if known else None,
    )


async def _claim_form(request: Request, portal: PortalDep, given: dict[str, str], problem: Mistaken | None) -> Response:
    name, gateway = given.get("address", ""), given.get("gateway", "")
    seen = await registry_writes.look_at(portal, name, gateway)
    asset = given.get("asset", "")
    return await portal.page(
        request,
        "operator_claim.html",
        422 if problem else 200,
        given={"device": "", "asset": "", "profile": "", **given},
        seen=seen,
        assets=await registry_rows.assets_like(portal.pool, asset) if asset else [],
        problem=problem,
    )


def _device_in(fields: dict[str, str]) -> DeviceIn:
    return _checked(DeviceIn, {name: fields.get(name, "").strip() for name in DeviceIn.model_fields})


def _claim_in(fields: dict[str, str]) -> ClaimIn:
    return _checked(ClaimIn, {name: fields.get(name, "") for name in ClaimIn.model_fields})


def _checked(kind: type[B], values: dict[str, str]) -> B:
    try:
        return kind(**values)
    except ValidationError as exc:
        first = exc.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        empty = first["type"] == "string_too_short"
        raise Mistaken([f"{field} is missing: fill it in" if empty else f"{field}: {first['msg']}"]) from exc
