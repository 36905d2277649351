"""The operators' API of the registry: devices, gateways, profiles, each change an event; and claims."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import AfterValidator, BaseModel
from starlette.exceptions import HTTPException

from city.packlists import DEVICE_COLUMNS
from portals_api.answers.registry import (
    ChangedOut,
    ChangePage,
    ClaimedOut,
    ClaimIn,
    DeviceIn,
    ProfileList,
    RegistryDevicePage,
    RegistryDeviceWhole,
    RegistryGatewayPage,
    RetiredOut,
    UnknownOut,
)
from portals_api.answers.shape import example_of
from portals_api.bodies import content_type
from portals_api.operator import registry_rows, registry_writes
from portals_api.operator.gate import OperatorDep
from portals_api.params import LIMIT_DEFAULT, Id, Limit, NameQuery, Next, printable
from portals_api.portal import Portal
from portals_api.routing import PortalDep, documented
from stream.changes import ChangeReport

router = APIRouter(tags=["operator"])

_AT = "/api/v1/operator"
_ERRORS = (400, 401, 403, 404, 413, 415)
_SET = (401, 403, 404, 409)
_CSV = "text/csv"
_TOML = "application/toml"
Part = Annotated[
    str | None,
    Query(max_length=128, description="Part of an id, a name on the wire or an asset"),
    AfterValidator(printable),
]
DryRun = Annotated[bool, Query(description="Only say what it would do")]
Whose = Annotated[Literal["pack", "operator"] | None, Query(description="Whose word it is")]


def _text_body(media_type: str, example: str) -> dict[str, Any]:
    content = {media_type: {"schema": {"type": "string"}, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def _json_body(model: type[BaseModel]) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"example": example_of(model)}}}}


_DEVICES_CSV = _text_body(_CSV, f"{','.join(DEVICE_COLUMNS)}\nN-L-9,L-1,GW-1,lamp,A84041FFFF123456\n")
_GATEWAYS_CSV = _text_body(_CSV, "gateway_id,name,lat,lon,district_id\nGW-9,Calle Nueve,43.5,-5.6,centre\n")
_PROFILES_TOML = _text_body(
    _TOML, '[acme]\nmetrics = ["active_power_w"]\nreport_interval_s = 900\nsilence_intervals = 8.0\n'
)


@router.get(_AT + "/devices", summary="List devices", **documented(RegistryDevicePage, 400, 401, 404))
async def list_devices(
    portal: PortalDep,
    operator: OperatorDep,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Next = None,
    part: Part = None,
    gateway: NameQuery = None,
    profile: NameQuery = None,
    origin: Whose = None,
    retired: bool = False,
) -> dict[str, Any]:
    """List devices by id."""
    return await registry_rows.devices(
        portal.pool,
        limit=limit,
        cursor=cursor,
        text=part or None,
        gateway=gateway,
        profile=profile,
        origin=origin,
        retired=retired,
    )


@router.get(
    _AT + "/devices.csv",
    summary="Export devices",
    response_class=Response,
    responses={200: {"content": {_CSV: {"example": f"{','.join(DEVICE_COLUMNS)}\nN-L-9,L-1,GW-1,lamp,A84041\n"}}}},
)
async def export_devices(portal: PortalDep, operator: OperatorDep) -> Response:
    """Return all devices that are not retired, in the form that an import takes."""
    headers = {"Content-Disposition": 'attachment; filename="devices.csv"'}
    return StreamingResponse(portal.registrar.devices_csv(), media_type=_CSV, headers=headers)


@router.post(
    _AT + "/devices/import",
    summary="Import devices",
    openapi_extra=_DEVICES_CSV,
    **documented(ChangedOut, *_ERRORS),
)
async def import_devices(
    request: Request, portal: PortalDep, operator: OperatorDep, dry_run: DryRun = False
) -> dict[str, Any]:
    """Add or change devices by CSV, all or none of them."""
    return await _imported(request, _CSV, portal, operator.actor, registry_writes.import_devices, dry_run=dry_run)


@router.get(_AT + "/devices/{device}", summary="Get a device", **documented(RegistryDeviceWhole, 401, 404))
async def get_device(portal: PortalDep, operator: OperatorDep, device: Id) -> dict[str, Any]:
    """Return a device with its series and changes."""
    return await registry_rows.device(portal.pool, device)


@router.put(
    _AT + "/devices/{device}",
    summary="Write a device",
    openapi_extra=_json_body(DeviceIn),
    **documented(ChangedOut, *_ERRORS),
)
async def put_device(portal: PortalDep, operator: OperatorDep, device: Id, body: DeviceIn) -> dict[str, Any]:
    """Add a device, or change it; it is in force within a second, and no import changes it."""
    return _told(await registry_writes.put_device(portal, operator.actor, device, body))


@router.post(_AT + "/devices/{device}/retire", summary="Retire a device", **documented(ChangedOut, *_ERRORS))
async def retire_device(portal: PortalDep, operator: OperatorDep, device: Id) -> dict[str, Any]:
    """Take a device out: its readings are set aside from now on, its history stays. Writing it undoes that."""
    return _told(await portal.registrar.retire(device, operator.actor))


@router.post(
    _AT + "/devices/{device}/release", summary="Give a device back to the pack", **documented(ChangedOut, *_ERRORS)
)
async def release_device(portal: PortalDep, operator: OperatorDep, device: Id) -> dict[str, Any]:
    """Let the next import of the city pack say what the device is."""
    return _told(await portal.registrar.release(device, operator.actor))


@router.get(_AT + "/gateways", summary="List gateways", **documented(RegistryGatewayPage, 400, 401, 404))
async def list_gateways(
    portal: PortalDep, operator: OperatorDep, limit: Limit = LIMIT_DEFAULT, cursor: Next = None, part: Part = None
) -> dict[str, Any]:
    """List gateways by id."""
    return await registry_rows.gateways(portal.pool, limit=limit, cursor=cursor, text=part or None)


@router.post(
    _AT + "/gateways/import",
    summary="Import gateways",
    openapi_extra=_GATEWAYS_CSV,
    **documented(ChangedOut, *_ERRORS),
)
async def import_gateways(
    request: Request, portal: PortalDep, operator: OperatorDep, dry_run: DryRun = False
) -> dict[str, Any]:
    """Add or change gateways by CSV, all or none of them."""
    return await _imported(request, _CSV, portal, operator.actor, registry_writes.import_gateways, dry_run=dry_run)


@router.get(
    _AT + "/gateways.csv",
    summary="Export gateways",
    response_class=Response,
    responses={
        200: {
            "content": {_CSV: {"example": "gateway_id,name,lat,lon,district_id\nGW-9,Calle Nueve,43.5,-5.6,centre\n"}}
        }
    },
)
async def export_gateways(portal: PortalDep, operator: OperatorDep) -> Response:
    """Return all gateways that are not retired, in the form that an import takes."""
    headers = {"Content-Disposition": 'attachment; filename="gateways.csv"'}
    return StreamingResponse(portal.registrar.gateways_csv(), media_type=_CSV, headers=headers)


@router.post(_AT + "/gateways/{gateway}/retire", summary="Retire a gateway", **documented(RetiredOut, *_SET))
async def retire_gateway(portal: PortalDep, operator: OperatorDep, gateway: Id) -> dict[str, Any]:
    """Take a gateway out and revoke all of its credentials; what it still sends is set aside."""
    report = await portal.registrar.retire_gateway(gateway, operator.actor)
    return _told(report) | {"revoked": report.revoked}


@router.post(_AT + "/gateways/{gateway}/restore", summary="Restore a gateway", **documented(ChangedOut, *_SET))
async def restore_gateway(portal: PortalDep, operator: OperatorDep, gateway: Id) -> dict[str, Any]:
    """Bring a retired gateway back, and what it had sent meanwhile; it needs new credentials."""
    return _told(await portal.registrar.restore_gateway(gateway, operator.actor))


@router.post(
    _AT + "/gateways/{gateway}/release", summary="Give a gateway back to the pack", **documented(ChangedOut, *_SET)
)
async def release_gateway(portal: PortalDep, operator: OperatorDep, gateway: Id) -> dict[str, Any]:
    """Let the next import of the city pack say what the gateway is."""
    return _told(await portal.registrar.release_gateway(gateway, operator.actor))


@router.get(_AT + "/profiles", summary="List profiles", **documented(ProfileList, 401, 404))
async def list_profiles(portal: PortalDep, operator: OperatorDep) -> dict[str, Any]:
    """List what devices of each make report, and what they call it."""
    return {"items": await registry_rows.profiles(portal.pool), "next": None}


@router.post(
    _AT + "/profiles/import",
    summary="Import profiles",
    openapi_extra=_PROFILES_TOML,
    **documented(ChangedOut, *_ERRORS),
)
async def import_profiles(
    request: Request, portal: PortalDep, operator: OperatorDep, dry_run: DryRun = False
) -> dict[str, Any]:
    """Add or change profiles by TOML, in the form of the pack's profiles.toml."""
    return await _imported(request, _TOML, portal, operator.actor, registry_writes.import_profiles, dry_run=dry_run)


@router.get(
    _AT + "/profiles.toml",
    summary="Export profiles",
    response_class=Response,
    responses={200: {"content": {_TOML: {"example": '["acme"]\nmetrics = ["active_power_w"]\n'}}}},
)
async def export_profiles(portal: PortalDep, operator: OperatorDep) -> Response:
    """Return all profiles that are not retired, in the form that an import takes."""
    headers = {"Content-Disposition": 'attachment; filename="profiles.toml"'}
    return Response(await portal.registrar.profiles_toml(), media_type=_TOML, headers=headers)


@router.post(_AT + "/profiles/{profile}/retire", summary="Retire a profile", **documented(ChangedOut, *_SET))
async def retire_profile(portal: PortalDep, operator: OperatorDep, profile: Id) -> dict[str, Any]:
    """Take a profile out that no device has any more."""
    return _told(await portal.registrar.set_profile(profile, operator.actor, "retired"))


@router.post(_AT + "/profiles/{profile}/restore", summary="Restore a profile", **documented(ChangedOut, *_SET))
async def restore_profile(portal: PortalDep, operator: OperatorDep, profile: Id) -> dict[str, Any]:
    """Bring a retired profile back."""
    return _told(await portal.registrar.set_profile(profile, operator.actor, "restored"))


@router.post(
    _AT + "/profiles/{profile}/release", summary="Give a profile back to the pack", **documented(ChangedOut, *_SET)
)
async def release_profile(portal: PortalDep, operator: OperatorDep, profile: Id) -> dict[str, Any]:
    """Let the next import of the city pack say what the profile is."""
    return _told(await portal.registrar.set_profile(profile, operator.actor, "released"))


@router.get(_AT + "/registry/changes", summary="List changes", **documented(ChangePage, 400, 401, 404))
async def list_changes(
    portal: PortalDep,
    operator: OperatorDep,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Next = None,
    subject: Annotated[Literal["pack", "device", "gateway", "profile", "maintenance"] | None, Query()] = None,
    name: NameQuery = None,
) -> dict[str, Any]:
    """List who changed what in the registry, the newest first."""
    return await registry_rows.events(portal.pool, limit=limit, cursor=cursor, subject=subject, subject_id=name)


@router.get(_AT + "/unknown", summary="List who is unknown", **documented(UnknownOut, 401, 404))
async def list_unknown(portal: PortalDep, operator: OperatorDep, part: Part = None) -> dict[str, Any]:
    """List devices and gateways that send and that nobody knows, those for whom most waits first."""
    return await registry_writes.unknown_of(portal, part or None)


@router.post(
    _AT + "/unknown/claim",
    summary="Claim a device",
    openapi_extra=_json_body(ClaimIn),
    **documented(ClaimedOut, *_ERRORS),
)
async def claim(portal: PortalDep, operator: OperatorDep, body: ClaimIn) -> dict[str, Any]:
    """Say which device of the city an unknown one is; what it has sent goes into place."""
    return await registry_writes.claim(portal, operator.actor, body)


async def _imported(
    request: Request,
    kind: str,
    portal: Portal,
    actor: str,
    take: Callable[..., Awaitable[ChangeReport]],
    *,
    dry_run: bool,
) -> dict[str, Any]:
    if content_type(request) != kind:
        raise HTTPException(415, f"send the list as {kind}")
    try:
        text = (await request.body()).decode()
    except ValueError as exc:
        raise HTTPException(400, "the list is not UTF-8: save it as such and send it again") from exc
    return _told(await take(portal, actor, text, dry_run=dry_run))


def _told(change: ChangeReport) -> dict[str, Any]:
    return {
        "added": list(change.added),
        "changed": list(change.changed),
        "unchanged": change.unchanged,
        "version": change.version,
        "complete": change.complete,
    }
