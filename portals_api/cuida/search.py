"""The search box: one question, every kind of answer, as JSON and as a page for who has no JavaScript."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from portals_api.live.search import QUERY_MAX
from portals_api.portal import Portal, address
from portals_api.routing import PortalDep

router = APIRouter(tags=["map"])

_PAGE = 50


async def _find(portal: Portal, query: str, limit: int) -> dict[str, Any]:
    found = (await portal.board.search_index()).find(query, await portal.viewer(), limit)
    return {"items": [{**one, "map": _on_map(one)} for one in found], "next": None}


@router.get("/api/v1/search")
async def search(
    portal: PortalDep,
    q: Annotated[str, Query(max_length=QUERY_MAX, description="part of a number or a name")],
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> dict[str, Any]:
    """Find lamps and equipment by number, streets, facilities and districts by name, without accents, even misspelt."""
    return await _find(portal, q, limit)


@router.get("/search", include_in_schema=False)
async def search_page(
    portal: PortalDep, request: Request, q: Annotated[str, Query(max_length=QUERY_MAX)] = ""
) -> Response:
    """Show what was found."""
    found = await _find(portal, q, _PAGE)
    if not portal.wants_page(request):
        return JSONResponse(found)
    return await portal.page(request, "search.html", q=q, found=found, json_url=address("/api/v1/search", q=q or " "))


def _on_map(one: dict[str, Any]) -> str | None:
    """Return where the map shows it."""
    return None if one["lat"] is None else f"/map#/{one['kind']}/{quote(one['id'], safe='')}"
