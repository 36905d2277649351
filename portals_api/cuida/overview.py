"""Cuida's front page: what is broken, how to report, what was mended."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from observatory.figures import FIGURES
from observatory.periods import Step
from portals_api import ticket_reads
from portals_api.observa.figures import card_of, read_period
from portals_api.portal import Portal
from portals_api.routing import PortalDep
from portals_api.rows import Row, rows
from portals_api.visibility import hidden_kinds
from storage import queries

router = APIRouter(tags=["tickets"])

_SQL = queries.load(Path(__file__).with_suffix(".sql"))
_FIGURES = ("tickets-open", "tickets-opened", "tickets-solved", "repair-time")
_DAYS = 7
_GRAVEST = 6
_MENDED = 8


async def broken(portal: Portal) -> Row:
    """Return open tickets by category, and how many there are.

    Raises
    ------
    EngineError
        The database did not answer.
    """
    found = await rows(portal.pool, _SQL.categories, hidden=hidden_kinds(await portal.viewer()))
    return {"open": sum(row["open"] for row in found), "categories": found}


async def mended(portal: Portal, limit: int = _MENDED) -> list[Row]:
    """Return the latest closed tickets with `repaired_at` and the hours until then.

    Raises
    ------
    EngineError
        The database did not answer.
    """
    viewer = await portal.viewer()
    found = await rows(portal.pool, _SQL.mended, hidden=hidden_kinds(viewer), limit=limit)
    times = {row["id"]: {"repaired_at": row["repaired_at"], "hours": row["hours"]} for row in found}
    return [
        {**ticket, **times[ticket["id"]]}
        for ticket in await ticket_reads.tickets_by_id(portal.pool, viewer, list(times))
    ]


@router.get("/cuida", include_in_schema=False)
async def cuida_page(portal: PortalDep, request: Request) -> Response:
    """Show what is broken and what was mended."""
    viewer = await portal.viewer()
    since = portal.now() - timedelta(days=_DAYS)
    figures = [FIGURES[name] for name in _FIGURES]
    wanted, found, _ = await read_period(portal, figures, Step.HOUR, None, since, None, 31 * 24)
    values: dict[str, Any] = {
        **await broken(portal),
        "gravest": await ticket_reads.worklist(portal.pool, viewer, district=None, limit=_GRAVEST),
        "mended": await mended(portal),
    }
    if not portal.wants_page(request):
        totals = {name: one.total.value for name, one in found.items()}
        return JSONResponse({**values, "week": totals})
    words = await portal.words(request)
    cards = {name: card_of(one, words, wanted) for name, one in found.items()}
    return await portal.page(
        request,
        "cuida.html",
        overview=values,
        cards=cards,
        json_url="/api/v1/tickets?open=true",
    )
