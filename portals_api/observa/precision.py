"""How often alarms are right: as a page, as JSON and as CSV, by fault, district and make of device."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from city.alarm import FaultClass
from city.clock import from_datetime, isoformat
from observatory import precision
from observatory.precision import JUDGED_MIN, By, Judged, Precision
from observatory.read import districts
from observatory.verdict_read import WhichAlarms, judged_alarms
from portals_api.answers.precision import PrecisionPage
from portals_api.i18n import plain_text
from portals_api.observa.csv_answers import csv_answer, described
from portals_api.params import NameQuery, Since, Until
from portals_api.portal import Portal, address
from portals_api.routing import PortalDep, documented
from portals_api.visibility import hidden_kinds

router = APIRouter(tags=["precision"])

NOT_ENOUGH = "not-enough-verdicts"
_COLUMNS = ("by", "key", "name", "true", "false", "other", "judged", "precision_pct", "low_pct", "high_pct", "why")
ByQuery = Annotated[By, Query(description="what it is told by; vendor is the make of device, a profile")]


async def _judged(
    portal: Portal,
    fault: FaultClass | None,
    district: str | None,
    profile: str | None,
    since: datetime | None,
    until: datetime | None,
) -> list[Judged]:
    hidden = hidden_kinds(await portal.viewer())
    return await judged_alarms(portal.pool, WhichAlarms(since, until, fault, district, profile, hidden))


def _numbers(one: Precision) -> dict[str, Any]:
    shares = {"precision_pct": one.value, "low_pct": one.low, "high_pct": one.high}
    return {
        "true": one.true,
        "false": one.false,
        "other": one.other,
        "judged": one.judged,
        **{name: None if share is None else round(100 * share, 2) for name, share in shares.items()},
        "why": NOT_ENOUGH if one.value is None else None,
    }


def _items(by: By, judged: list[Judged], names: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "name": names.get(key, key), **_numbers(one)} for key, one in precision.by(by, judged).items()]


def _time(at: datetime | None) -> str | None:
    return None if at is None else isoformat(from_datetime(at))


@router.get("/api/v1/precision", summary="How often alarms are right", **documented(PrecisionPage))
async def get_precision(
    portal: PortalDep,
    by: ByQuery = By.FAULT,
    fault: FaultClass | None = None,
    district: NameQuery = None,
    profile: NameQuery = None,
    since: Since = None,
    until: Until = None,
) -> dict[str, Any]:
    """Return the share of judged alarms that were as they said, with its 95 % interval after Wilson.

    Judged are alarms raised in that time of which a crew or an operator has said what was found; of fewer than ten
    there is no share.
    """
    judged = await _judged(portal, fault, district, profile, since, until)
    return {
        "by": str(by),
        "from": _time(since),
        "to": _time(until),
        "judged_min": JUDGED_MIN,
        "all": _numbers(precision.together(judged)),
        "items": _items(by, judged, await districts(portal.pool)),
        "next": None,
    }


@router.get(
    "/api/v1/precision.csv",
    summary="How often alarms are right, as CSV",
    response_class=Response,
    responses={200: described(_COLUMNS)},
)
async def precision_csv(
    portal: PortalDep,
    by: ByQuery = By.FAULT,
    fault: FaultClass | None = None,
    district: NameQuery = None,
    profile: NameQuery = None,
    since: Since = None,
    until: Until = None,
) -> Response:
    """Return the same as CSV, a row a fault, district or make."""
    judged = await _judged(portal, fault, district, profile, since, until)
    items = _items(by, judged, await districts(portal.pool))
    return csv_answer(f"precision-by-{by}", _COLUMNS, [{"by": str(by), **item} for item in items])


@router.get("/precision", include_in_schema=False)
async def precision_page(portal: PortalDep, request: Request, district: NameQuery = None) -> Response:
    """Show how often alarms are right."""
    if not portal.wants_page(request):
        return JSONResponse(await get_precision(portal, district=district))
    judged = await _judged(portal, None, district, None, None, None)
    names = await districts(portal.pool)
    return await portal.page(
        request,
        "precision.html",
        all=precision.together(judged),
        ways=[(str(by), precision.by(by, judged)) for by in By],
        judged_min=JUDGED_MIN,
        names=names,
        district=district,
        districts=sorted(names.items(), key=lambda one: plain_text(one[1])),
        csv_urls={str(by): address("/api/v1/precision.csv", by=str(by), district=district) for by in By},
        json_url=address("/api/v1/precision", district=district),
    )
