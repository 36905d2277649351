"""Feeders, cabinets and gateways: lists, and each with what hangs below it. For staff, except in the simulated city."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from incidents.store import schedule_of
from portals_api import network, reads
from portals_api.answers.network import CabinetWhole, FeederWhole, GatewayWhole, NetworkPage
from portals_api.params import LIMIT_DEFAULT, Id, Limit, NameQuery, Next
from portals_api.portal import Portal, address
from portals_api.routing import PortalDep, documented
from portals_api.rows import Row
from portals_api.works import works_at
from storage.pool import transaction

router = APIRouter(tags=["network"])

_PAGE = 60


async def _feeder(portal: Portal, feeder_id: str) -> Row:
    found = await network.feeder(portal.pool, await portal.viewer(), feeder_id)
    async with transaction(portal.pool) as connection:
        schedule = await schedule_of(connection, "feeder", feeder_id)
    commanded = {"commanded_on": schedule.commanded_on(portal.deps.clock.now_us()) if schedule else None}
    return await _with_works(portal, {**found, **commanded})


async def _with_works(portal: Portal, one: Row) -> Row:
    return {**one, "works": await works_at(portal.pool, portal.deps.clock, one["id"])}


async def _listed(portal: Portal, kind: str, limit: int, cursor: str | None, district: str | None) -> Row:
    viewer = await portal.viewer()
    return await network.listed(portal.pool, viewer, kind, limit=limit, cursor=cursor, district=district)


async def _list_page(request: Request, portal: Portal, kind: str, cursor: str | None, district: str | None) -> Response:
    found = await _listed(portal, kind, _PAGE, cursor, district)
    if not portal.wants_page(request):
        return JSONResponse(found)
    path = f"/{network.PLURALS[kind]}"
    return await portal.page(
        request,
        "network.html",
        kind=kind,
        found=found,
        district=district,
        districts=await reads.districts(portal.pool),
        more_url=address(path, district=district),
        json_url=address(f"/api/v1{path}", district=district),
    )


async def _one_page(request: Request, portal: Portal, kind: str, one: Row) -> Response:
    if not portal.wants_page(request):
        return JSONResponse(one)
    return await portal.page(request, f"{kind}.html", one=one, json_url=f"/api/v1{one['url']}")


@router.get("/api/v1/feeders", summary="List feeders", **documented(NetworkPage, 400, 404))
async def list_feeders(
    portal: PortalDep, limit: Limit = LIMIT_DEFAULT, cursor: Next = None, district: NameQuery = None
) -> dict[str, Any]:
    """List feeders by id."""
    return await _listed(portal, "feeder", limit, cursor, district)


@router.get("/api/v1/cabinets", summary="List cabinets", **documented(NetworkPage, 400, 404))
async def list_cabinets(
    portal: PortalDep, limit: Limit = LIMIT_DEFAULT, cursor: Next = None, district: NameQuery = None
) -> dict[str, Any]:
    """List cabinets by id."""
    return await _listed(portal, "cabinet", limit, cursor, district)


@router.get("/api/v1/gateways", summary="List gateways", **documented(NetworkPage, 400, 404))
async def list_gateways(
    portal: PortalDep, limit: Limit = LIMIT_DEFAULT, cursor: Next = None, district: NameQuery = None
) -> dict[str, Any]:
    """List gateways by id."""
    return await _listed(portal, "gateway", limit, cursor, district)


@router.get("/api/v1/feeders/{feeder_id}", summary="Get a feeder", **documented(FeederWhole, 404))
async def get_feeder(portal: PortalDep, feeder_id: Id) -> dict[str, Any]:
    """Return one feeder: where it hangs, what its lamps do, its alarms and tickets."""
    return await _feeder(portal, feeder_id)


@router.get("/api/v1/cabinets/{cabinet_id}", summary="Get a cabinet", **documented(CabinetWhole, 404))
async def get_cabinet(portal: PortalDep, cabinet_id: Id) -> dict[str, Any]:
    """Return one cabinet with its feeders, alarms and tickets."""
    return await _with_works(portal, await network.cabinet(portal.pool, await portal.viewer(), cabinet_id))


@router.get("/api/v1/gateways/{gateway_id}", summary="Get a gateway", **documented(GatewayWhole, 404))
async def get_gateway(portal: PortalDep, gateway_id: Id) -> dict[str, Any]:
    """Return one gateway: connected or not, the devices it speaks for, its ledger of the last hours."""
    return await _with_works(portal, await network.gateway(portal.pool, await portal.viewer(), gateway_id))


@router.get("/feeders", include_in_schema=False)
async def feeders_page(
    request: Request, portal: PortalDep, cursor: Next = None, district: NameQuery = None
) -> Response:
    """Show a page of feeders."""
    return await _list_page(request, portal, "feeder", cursor, district)


@router.get("/cabinets", include_in_schema=False)
async def cabinets_page(
    request: Request, portal: PortalDep, cursor: Next = None, district: NameQuery = None
) -> Response:
    """Show a page of cabinets."""
    return await _list_page(request, portal, "cabinet", cursor, district)


@router.get("/gateways", include_in_schema=False)
async def gateways_page(
    request: Request, portal: PortalDep, cursor: Next = None, district: NameQuery = None
) -> Response:
    """Show a page of gateways."""
    return await _list_page(request, portal, "gateway", cursor, district)


@router.get("/feeders/{feeder_id}", include_in_schema=False)
async def feeder_page(request: Request, portal: PortalDep, feeder_id: Id) -> Response:
    """Show one feeder."""
    return await _one_page(request, portal, "feeder", await _feeder(portal, feeder_id))


@router.get("/cabinets/{cabinet_id}", include_in_schema=False)
async def cabinet_page(request: Request, portal: PortalDep, cabinet_id: Id) -> Response:
    """Show one cabinet."""
    return await _one_page(request, portal, "cabinet", await get_cabinet(portal, cabinet_id))


@router.get("/gateways/{gateway_id}", include_in_schema=False)
async def gateway_page(request: Request, portal: PortalDep, gateway_id: Id) -> Response:
    """Show one gateway."""
    return await _one_page(request, portal, "gateway", await get_gateway(portal, gateway_id))
