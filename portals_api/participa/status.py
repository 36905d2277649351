"""Status: every facility as it is now; open or closed, what its sensors say, what is wrong."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from city.clock import from_datetime, isoformat
from city.opening import from_plain, is_open, next_change
from portals_api import reads
from portals_api.answers.facilities import StatusPage
from portals_api.i18n import plain_text
from portals_api.labels import Labels
from portals_api.paging import decode_cursor, page
from portals_api.params import LIMIT_DEFAULT, Limit, NameQuery, Next
from portals_api.portal import Portal, address
from portals_api.routing import PortalDep, documented
from portals_api.rows import Row, rows
from storage import queries

router = APIRouter(tags=["status"])

SQL = queries.load(Path(__file__).with_suffix(".sql"))

_SHOWN_MAX = 300


async def read_status(
    portal: Portal,
    *,
    limit: int,
    cursor: str | None = None,
    district: str | None = None,
    kind: str | None = None,
    sensors: bool = True,
) -> Row:
    """Return one page of facilities as they are now, by id; without `sensors` nobody is asked for the last readings.

    Raises
    ------
    CursorError
        `cursor` is not of this list.
    EngineError
        The database did not answer.
    """
    after = decode_cursor(cursor, str)
    now = portal.now()
    timezone = (await portal.installation()).timezone
    found = await rows(
        portal.pool, SQL.status, district=district, kind=kind, after=after[0] if after else None, limit=limit + 1
    )
    shown = {facility["id"]: facility for facility in found}
    for facility in found:
        facility["opening"] = opening(facility.pop("hours"), now, timezone)
        facility |= {"sensors": [], "heard_at": None, "url": f"/facilities/{facility['id']}"}
        facility["feed"] = f"/feeds/facility/{facility['id']}.atom"
    for row in await rows(portal.pool, SQL.sensors, ids=list(shown)) if sensors else ():
        facility = shown[row.pop("asset_id")]
        silent_after = timedelta(seconds=row.pop("silent_after_s"))
        at = row["observed_at"]
        row["silent"] = at is None or now - datetime.fromisoformat(at) > silent_after
        facility["sensors"].append(row)
        facility["heard_at"] = max(filter(None, (facility["heard_at"], at)), default=None)
    for facility in found:
        facility["state"] = _state(facility)
    return {**page(found, limit, lambda facility: [facility["id"]]), "at": isoformat(from_datetime(now))}


def opening(hours: Row | None, now: datetime, timezone: str) -> Row:
    """Return whether it is open, and until when that stays so; `open` is null where nobody gave hours."""
    if hours is None:
        return {"open": None, "until": None}
    plain, now_us = from_plain(hours), from_datetime(now)
    change = next_change(plain, now_us, timezone)
    return {"open": is_open(plain, now_us, timezone), "until": None if change is None else isoformat(change)}


def _state(facility: Row) -> str:
    """Return what matters most of a facility."""
    if facility["alarms"]:
        return "alarm"
    if not facility["sensors"]:
        return "no-sensors"
    return "silent" if all(sensor["silent"] for sensor in facility["sensors"]) else "ok"


def count(facilities: list[Row]) -> Row:
    """Return how many are open, and how many are in each state."""
    return {
        "facilities": len(facilities),
        "open": sum(one["opening"]["open"] is True for one in facilities),
        "closed": sum(one["opening"]["open"] is False for one in facilities),
        "alarm": sum(one["state"] == "alarm" for one in facilities),
        "silent": sum(one["state"] == "silent" for one in facilities),
    }


@router.get("/api/v1/status", summary="List the status of facilities", **documented(StatusPage, 400))
async def list_status(
    portal: PortalDep,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Next = None,
    district: NameQuery = None,
    kind: NameQuery = None,
) -> dict[str, Any]:
    """List every facility as it is now: open or closed, sensors, alarms, last heard."""
    return await read_status(portal, limit=limit, cursor=cursor, district=district, kind=kind)


async def _shown(
    portal: Portal, request: Request, template: str, district: str | None, kind: str | None, **more: Any
) -> Response:
    found = await read_status(portal, limit=_SHOWN_MAX, district=district, kind=kind)
    if not portal.wants_page(request):
        return JSONResponse(found)
    label = await portal.labels(await portal.words(request))
    shown = sorted(found["items"], key=lambda one: (one["state"] != "alarm", plain_text(one["name"])))
    kinds = [row["kind"] for row in await rows(portal.pool, SQL.kinds)]
    return await portal.page(
        request,
        template,
        found=found,
        facilities=shown,
        groups=_by_kind(shown, label),
        counts=count(found["items"]),
        district=district,
        kind=kind,
        kinds=sorted(kinds),
        districts=await reads.districts(portal.pool),
        more_url=address("/api/v1/status", district=district, kind=kind),
        json_url=address("/api/v1/status", district=district, kind=kind),
        **more,
    )


def _by_kind(shown: list[Row], label: Labels) -> list[tuple[str, str, list[Row]]]:
    """Return name, code and facilities of each kind, kinds by name."""
    kinds = {one["kind"] or "": label.facility_kind(one["kind"]) for one in shown}
    ordered = sorted(kinds, key=lambda kind: plain_text(kinds[kind]))
    return [(kinds[kind], kind, [one for one in shown if (one["kind"] or "") == kind]) for kind in ordered]


@router.get("/status", include_in_schema=False)
async def status_page(
    portal: PortalDep, request: Request, district: NameQuery = None, kind: NameQuery = None
) -> Response:
    """Show every facility as it is now."""
    return await _shown(portal, request, "status.html", district, kind)


@router.get("/participa", include_in_schema=False)
async def participa_page(portal: PortalDep, request: Request) -> Response:
    """Show Participa's door."""
    return await _shown(portal, request, "participa.html", None, None)
