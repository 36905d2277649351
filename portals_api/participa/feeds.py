"""Feeds: follow a facility, a street or a district in any feed reader. They tell states, never a person's words."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from city.clock import DAY_US, isoformat
from city.errors import NotFoundError
from city.topics import is_name
from portals_api import codes, reads
from portals_api.codes import N_
from portals_api.i18n import Words, plain_text
from portals_api.labels import Labels
from portals_api.params import Id
from portals_api.participa.atom import MEDIA_TYPE, Entry, Feed, etag, matches, render
from portals_api.participa.status import SQL
from portals_api.portal import Portal, address
from portals_api.routing import PortalDep
from portals_api.rows import Row, rows
from portals_api.visibility import hidden_kinds

router = APIRouter(tags=["feeds"])

_ENTRIES_MAX = 50
_STREETS_SHOWN = 40
_FRESH_S = 60
_OF = {
    "facility": N_("What happens in this facility"),
    "street": N_("What happens to the lighting of this street"),
    "district": N_("What happens in this district"),
}
_ATOM: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}, "description": "Atom 1.0"},
    304: {"description": "Nothing new since the ETag in If-None-Match"},
}


async def _answer(
    portal: Portal, request: Request, kind: str, key: str, name: str, page: str, **scope: Any
) -> Response:
    words = await portal.words(request)
    city = await portal.installation()
    label = Labels(words, city.catalogue)
    filters: Row = {"facility": None, "district": None, "streets": None, **scope}
    hidden = hidden_kinds(await portal.viewer())
    events = await rows(portal.pool, SQL.events, hidden=hidden, limit=_ENTRIES_MAX, **filters)
    base = str(request.base_url).rstrip("/")
    path = f"/feeds/{kind}/{key}.atom"
    asked = request.query_params.get("lang")
    today = portal.deps.clock.now_us() // DAY_US * DAY_US
    feed = Feed(
        path,
        city.city,
        f"{name} · {city.city}",
        words.text(_OF[kind]),
        events[0]["at"] if events else isoformat(today),
        words.language,
        base + address(path, lang=words.language if asked == words.language else None),
        base + page,
        [_entry(event, base, words, label) for event in events],
    )
    body = render(feed)
    headers = {
        "ETag": etag(body),
        "Cache-Control": f"public, max-age={_FRESH_S}",
        "Vary": "Accept-Language, Cookie",
        "Content-Language": words.language,
    }
    if matches(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=f"{MEDIA_TYPE}; charset=utf-8", headers=headers)


async def _named(portal: Portal, statement: Any, key: str, what: str) -> str:
    found = await rows(portal.pool, statement, id=key) if is_name(key) else []
    if not found:
        raise NotFoundError(f"there is no {what} {key[:64]!r}: /follow lists what can be followed")
    return str(found[0]["name"])


@router.get("/feeds/facility/{facility_id}.atom", summary="Follow a facility", response_class=Response, responses=_ATOM)
async def facility_feed(portal: PortalDep, request: Request, facility_id: Id) -> Response:
    """Follow the tickets of one facility."""
    name = await _named(portal, SQL.facility_name, facility_id, "facility")
    return await _answer(
        portal, request, "facility", facility_id, name, f"/facilities/{facility_id}", facility=facility_id
    )


@router.get("/feeds/street/{street}.atom", summary="Follow a street", response_class=Response, responses=_ATOM)
async def street_feed(portal: PortalDep, request: Request, street: Id) -> Response:
    """Follow the lamps of one street and what feeds them."""
    names = (await portal.streets.by_slug()).get(street)
    if names is None:
        raise NotFoundError(f"there is no street {street[:64]!r}: /follow finds streets by their names")
    return await _answer(
        portal, request, "street", street, names[0], address("/follow", street=names[0]), streets=names
    )


@router.get("/feeds/district/{district_id}.atom", summary="Follow a district", response_class=Response, responses=_ATOM)
async def district_feed(portal: PortalDep, request: Request, district_id: Id) -> Response:
    """Follow the tickets of one district."""
    name = await _named(portal, SQL.district_name, district_id, "district")
    return await _answer(
        portal, request, "district", district_id, name, address("/observa", district=district_id), district=district_id
    )


@router.get("/follow", include_in_schema=False)
async def follow_page(
    portal: PortalDep, request: Request, street: Annotated[str, Query(max_length=80)] = ""
) -> Response:
    """Show what can be followed."""
    found = await portal.streets.like(street, _STREETS_SHOWN) if street.strip() else []
    facilities = (await reads.facilities(portal.pool, limit=1000))["items"]
    lists = {
        "streets": [_feed(f"/feeds/street/{key}.atom", name) for key, name in found],
        "districts": [
            _feed(f"/feeds/district/{one['district_id']}.atom", one["name"])
            for one in await reads.districts(portal.pool)
        ],
        "facilities": sorted(
            (_feed(f"/feeds/facility/{one['id']}.atom", one["name"]) for one in facilities),
            key=lambda one: plain_text(one["name"]),
        ),
    }
    if not portal.wants_page(request):
        return JSONResponse(lists)
    return await portal.page(request, "follow.html", lists=lists, street=street, shown_max=_STREETS_SHOWN)


def _feed(url: str, name: str) -> dict[str, str]:
    return {"name": name, "feed": url}


def _entry(event: Row, base: str, words: Words, label: Labels) -> Entry:
    """Return one change of a ticket; of the place only what the registry calls it."""
    kind = label.kind(event["scope_kind"])
    about = event["street"] or (event["scope_name"] if event["scope_kind"] == "facility" else "")
    where = kind if event["scope_kind"] == "place" else f"{kind} {event['scope_id']}"
    state = label.state(event["to_state"])
    lines = [f"{where}, {about}" if about else where, *([event["district_name"]] if event["district_name"] else [])]
    if event["from_state"]:
        lines.append(f"{label.state(event['from_state'])} → {state}")
    if event["reason"] in codes.REASONS:  # What a crew wrote is a person's words, and stays on the ticket.
        lines.append(label.reason({**event, "actor": "system"}))
    lines.append(words.moment(event["at"]))
    return Entry(
        f"ticket-events/{event['event_id']}",
        event["at"],
        f"{label.category(event['category'])}: {state} ({about or where})",
        "\n".join(lines),
        f"{base}/tickets/{event['ticket']}",
    )
