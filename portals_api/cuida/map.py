"""The live map: its page, what it draws, and the list that says the same without a map."""

from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from city.asset import AssetKind
from portals_api import codes, labels, lamplist
from portals_api.codes import N_
from portals_api.compress import accepted
from portals_api.lamplist import ListQuery
from portals_api.live.inventory import Packed
from portals_api.live.view import STATES, View
from portals_api.params import LIMIT_DEFAULT, Limit, NameQuery
from portals_api.portal import Portal, address
from portals_api.routing import PortalDep
from portals_api.visibility import visible

router = APIRouter(tags=["map"])

_PAGE = 100
_VERSION_MAX = 32

TEXTS = {
    "lamp": N_("Street light"),
    "facility": N_("Facility"),
    "cabinet": N_("Cabinet"),
    "gateway": N_("Gateway"),
    "feeder": N_("Feeder"),
    "district": N_("District"),
    "street": N_("Street"),
    "ticket": N_("Ticket"),
    "place": N_("Place"),
    "open_page": N_("Open its page"),
    "report": N_("Report it"),
    "alarm": N_("An alarm stands"),
    "ok": N_("No alarm"),
    "online": N_("Online"),
    "offline": N_("Offline"),
    "its_lamps": N_("Its street lights"),
    "search": N_("Search"),
    "none_named": N_("There is nothing of that name in this city."),
    "not_open": N_("This ticket is not open."),
    "close": N_("Close"),
    "live": N_("Live: changes appear by themselves."),
    "lost": N_("Connection lost: what you see may be old. Trying again …"),
    "full": N_("Too many people watch the changes; this map renews itself twice a minute."),
    "loading": N_("Loading the map …"),
    "failed": N_("The map could not be loaded. The list says the same."),
    "no_webgl": N_("This browser cannot draw the map. The list says the same."),
    "nothing": N_("Nothing found."),
    "here": N_("You are here"),
    "no_position": N_("Your position could not be found."),
    "lamps_together": N_("Street lights here: {n}"),
    "picked_lamp": N_("Street light {n} chosen."),
    "picked_point": N_("Point chosen: no street light was near."),
    "nothing_here": N_("There is nothing at the middle of the map. Zoom in, or move it."),
}
"""What the map's scripts say."""

Version = Annotated[str, Query(max_length=_VERSION_MAX, description="the version that `/api/v1/map/states` names")]
Street = Annotated[str | None, Query(max_length=200)]


async def _view(portal: Portal) -> View:
    return await portal.board.view(await portal.viewer())


def _packed(request: Request, document: Packed, version: str) -> Response:
    """Answer a document that changes with the inventory only."""
    keep = "private, max-age=31536000, immutable" if version == document.tag else "no-cache"
    headers = {"ETag": f'"{document.tag}"', "Cache-Control": keep, "Vary": "Accept-Encoding"}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in accepted(request.headers.get("accept-encoding")):
        headers["Content-Encoding"] = "gzip"
        return Response(document.packed, headers=headers, media_type="application/json")
    return Response(document.body, headers=headers, media_type="application/json")


@router.get("/api/v1/map/lamps")
async def map_lamps(portal: PortalDep, request: Request, v: Version = "") -> Response:
    """Return every lamp in columns: id, position, street, district, in an order that `states` follows.

    `ids` are single ids or runs `[prefix, first number, digits, count]`; `lat` and `lon` are differences from the
    lamp before, in 1/`scale` degrees; `street` and `district` are runs `[position in the names, count]`.
    """
    return _packed(request, (await portal.board.inventory()).lamps_document, v)


@router.get("/api/v1/map/places")
async def map_places(portal: PortalDep, request: Request, v: Version = "") -> Response:
    """Return districts with their outlines, facilities, and what else this viewer may know of."""
    return _packed(request, (await _view(portal)).places_document, v)


@router.get("/api/v1/map/states")
async def map_states(portal: PortalDep) -> dict[str, Any]:
    """Return the state of every lamp as one digit, in the order of `lamps`, and what is open.

    The digits are positions in `state_names`. `at` names the last change included: give it to `/api/v1/stream` as
    `after`, and nothing between the two is missed.
    """
    seen = await _view(portal)
    inventory = await portal.board.inventory()
    return {
        "at": seen.hub.last_id,
        "versions": {"lamps": inventory.lamps_document.tag, "places": seen.places_document.tag},
        "state_names": STATES,
        "states": seen.codes,
        "counts": seen.counts(),
        "tickets": list(seen.tickets.values()),
        "places": seen.places,
    }


@router.get("/map", include_in_schema=False)
async def map_page(portal: PortalDep, request: Request) -> Response:
    """Show the live map."""
    seen = await _view(portal)
    if not portal.wants_page(request):
        return JSONResponse(await map_states(portal))
    city = await portal.installation()
    words = await portal.words(request)
    label = labels.Labels(words, city.catalogue)
    inventory = await portal.board.inventory()
    texts = {name: words.text(text) for name, text in TEXTS.items()}
    texts |= {f"state_{name}": label.map_state(name) for name in STATES}
    data = {
        "versions": {"lamps": inventory.lamps_document.tag, "places": seen.places_document.tag},
        "texts": texts,
        "categories": {code: label.category(code) for code in city.catalogue.by_code},
        "ticket_states": {code: words.text(text) for code, text in codes.STATES.items()},
        "kinds": {code: words.text(text) for code, text in codes.FACILITY_KINDS.items()},
    }
    return await portal.page(
        request,
        "map.html",
        data=data,
        counts=seen.counts(),
        staff=visible("gateway", seen.viewer),
        tickets=len(seen.tickets),
        json_url="/api/v1/map/states",
    )


async def _found(
    portal: Portal, state: str | None, district: str | None, street: str | None, after: str | None, limit: int
) -> dict[str, Any]:
    return lamplist.lamps_by_place(await _view(portal), ListQuery(state, district, street, after, limit))


@router.get("/api/v1/map/list")
async def map_list(
    portal: PortalDep,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Annotated[str | None, Query(alias="next", max_length=2048)] = None,
    state: Annotated[str | None, Query(pattern="^(unknown|off|lit|silent|faulty|out)?$")] = None,
    district: NameQuery = None,
    street: Street = None,
) -> dict[str, Any]:
    """List what the map shows: lamps by district, street and number, with the counts of what fits the filters."""
    return await _found(portal, state or None, district, street or None, cursor, limit)


@router.get("/map/list", include_in_schema=False)
async def list_page(
    portal: PortalDep,
    request: Request,
    cursor: Annotated[str | None, Query(alias="next", max_length=2048)] = None,
    state: Annotated[str, Query(max_length=10)] = "",
    district: NameQuery = None,
    street: Street = None,
) -> Response:
    """Show what the map shows, as text."""
    chosen = state if state in STATES else None
    filters = {"state": chosen, "district": district, "street": street or None}
    body = await _found(portal, chosen, district, street or None, cursor, _PAGE)
    if not portal.wants_page(request):
        return JSONResponse(body)
    seen = await _view(portal)
    inventory = await portal.board.inventory()
    return await portal.page(
        request,
        "map_list.html",
        found=body,
        groups=[
            (*place, list(items)) for place, items in groupby(body["items"], lambda i: (i["district"], i["street"]))
        ],
        districts=lamplist.by_district(seen),
        names={d["id"]: d["name"] for d in inventory.districts},
        states=STATES,
        state=chosen or "",
        district=district,
        street=street or "",
        tickets=lamplist.tickets_of(seen, district),
        facilities=[p for p in inventory.places if p["kind"] == AssetKind.FACILITY],
        facility_states=seen.places,
        more_url=address("/map/list", **filters),
        json_url=address("/api/v1/map/list", **filters),
    )
