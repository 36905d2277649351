"""The ledger: what arrived from each gateway in each hour, and what became of it. Public."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from portals_api import reads
from portals_api.answers.ledger import LedgerPage
from portals_api.params import LIMIT_DEFAULT, Limit, NameQuery, Next, Since, Until
from portals_api.portal import address
from portals_api.routing import PortalDep, documented

router = APIRouter(tags=["ledger"])

_PAGE = 50


@router.get("/api/v1/ledger", summary="List the ledger", **documented(LedgerPage, 400))
async def list_ledger(
    portal: PortalDep,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Next = None,
    gateway: NameQuery = None,
    since: Since = None,
    until: Until = None,
) -> dict[str, Any]:
    """List the ledger, the newest hour of receipt first.

    In every row: appended = stored + duplicate + conflicting + quarantined + in_flight.
    """
    return await reads.ledger(portal.pool, limit=limit, cursor=cursor, gateway=gateway, since=since, until=until)


@router.get("/ledger", include_in_schema=False)
async def ledger_page(request: Request, portal: PortalDep, cursor: Next = None, gateway: NameQuery = None) -> Response:
    """Show a page of the ledger, with the sums of the whole."""
    found = await reads.ledger(portal.pool, limit=_PAGE, cursor=cursor, gateway=gateway)
    if not portal.wants_page(request):
        return JSONResponse(found)
    balance = await reads.balance(portal.pool)
    return await portal.page(
        request,
        "ledger.html",
        found=found,
        gateway=gateway,
        balance=balance,
        more_url=address("/ledger", gateway=gateway),
        json_url=address("/api/v1/ledger", gateway=gateway),
    )
