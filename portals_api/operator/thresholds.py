"""What verdicts say of the thresholds: shown to operators, who change the city pack by hand or not at all."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from observatory.verdict_read import threshold_proposals
from portals_api.answers.thresholds import ThresholdPage
from portals_api.codes import N_
from portals_api.operator.gate import OperatorDep
from portals_api.operator.threshold_rows import proposal_row
from portals_api.portal import Portal
from portals_api.routing import PortalDep, documented

router = APIRouter(tags=["operator"])

WHYS = {
    "not-enough-verdicts": N_("not enough verdicts yet"),
    "no-false-alarm": N_("no alarm of it was false: nothing to gain"),
    "no-true-alarm": N_("no alarm of it was right: the rule does not fit here, and no threshold mends that"),
    "true-and-false-alike": N_(
        "right and false alarms look alike: every value that drops a false one drops a right one"
    ),
}
"""Why nothing is proposed, in words."""


async def _found(portal: Portal) -> dict[str, Any]:
    return {"items": [proposal_row(one) for one in await threshold_proposals(portal.pool)], "next": None}


@router.get(
    "/api/v1/operator/thresholds", summary="List proposals of thresholds", **documented(ThresholdPage, 401, 429)
)
async def list_thresholds(portal: PortalDep, operator: OperatorDep) -> dict[str, Any]:
    """List what verdicts say of the thresholds of the rules. Nothing is changed: `toml` is a line for `faults.toml`.

    A proposed value keeps every alarm that was right and drops as many false ones as that allows.
    """
    return await _found(portal)


@router.get("/operator/thresholds", include_in_schema=False)
async def thresholds_page(request: Request, portal: PortalDep, operator: OperatorDep) -> Response:
    """Show what verdicts say of the thresholds."""
    found = await _found(portal)
    if not portal.wants_page(request):
        return JSONResponse(found)
    return await portal.page(
        request, "operator_thresholds.html", found=found["items"], whys=WHYS, json_url="/api/v1/operator/thresholds"
    )
