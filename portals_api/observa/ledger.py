"""The ledger: what arrived from each gateway in each hour, and what became of it. Public, as page and open data."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from markupsafe import Markup

from city.clock import HOUR_US, to_datetime
from portals_api import days
from portals_api.answers.ledger import DeathList, LedgerPage, LedgerTotals
from portals_api.i18n import Words
from portals_api.network import registered_gateways
from portals_api.observa import ledger_rows
from portals_api.observa.bars import Bar, bar_chart
from portals_api.observa.ledger_rows import page_of, query_of, totals_of
from portals_api.paging import LIMIT_MAX
from portals_api.params import LIMIT_DEFAULT, Limit, NameQuery, Next, Since, Until
from portals_api.portal import Portal, address
from portals_api.routing import PortalDep, documented
from portals_api.visibility import visible
from stream.accounts import (
    LedgerHour,
    LedgerQuery,
    LedgerRow,
    check_balance,
    one_moment,
    read_deaths,
    read_hours,
    read_ledger,
)

router = APIRouter(tags=["ledger"])

_PAGE = 50
_DRAWN_HOURS = 48
_DEATHS_SHOWN = 10
_CSV_EXAMPLE = (
    "gateway,hour,appended,stored,duplicate,conflicting,quarantined,in_flight,missing,quarantined_by_reason,"
    "missing_numbers\r\nGW-01,2026-11-24T18:00:00Z,4800,4790,5,1,2,2,3,not-json=2,boot-7:5-7\r\n"
)
_CSV = {"content": {"text/csv": {"schema": {"type": "string"}, "example": _CSV_EXAMPLE}}}
_LINES = {
    "content": {
        "application/x-ndjson": {"schema": {"type": "string"}, "example": '{"gateway":"GW-01","appended":4800}\n'}
    }
}
_SomeLimit = Annotated[int | None, Query(ge=1, le=LIMIT_MAX, description="Rows; all that fit unless given")]
_Day = Annotated[str, Query(max_length=10)]


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

    In every row, at every moment: appended = stored + duplicate + conflicting + quarantined + in_flight.
    """
    return await ledger_rows.read_page(portal.pool, query_of(gateway, since, until, cursor, limit))


@router.get("/api/v1/ledger/totals", summary="Sum the ledger", **documented(LedgerTotals))
async def get_totals(
    portal: PortalDep, gateway: NameQuery = None, since: Since = None, until: Until = None
) -> dict[str, Any]:
    """Sum what fits: the same columns, and how many rows do not balance (always 0)."""
    async with one_moment(portal.pool) as connection:
        return totals_of(await check_balance(connection, query_of(gateway, since, until, None, 1)))


@router.get("/api/v1/ledger/broker-deaths", summary="List deaths of the broker", **documented(DeathList))
async def list_deaths(
    portal: PortalDep, limit: Limit = LIMIT_DEFAULT, since: Since = None, until: Until = None
) -> dict[str, Any]:
    """List when the broker died: gateways that number their messages sent again, of others something may be lost."""
    async with one_moment(portal.pool) as connection:
        found = await read_deaths(connection, query_of(None, since, until, None, limit))
    return {"items": [ledger_rows.death_of(death) for death in found], "next": None}


async def _rows_wanted(
    limit: _SomeLimit = None,
    cursor: Next = None,
    gateway: NameQuery = None,
    since: Since = None,
    until: Until = None,
) -> tuple[LedgerQuery, int | None]:
    """Return which rows of the list are to be taken away: all that fit, or with `limit` and `next` a page of them."""
    return query_of(gateway, since, until, cursor, LIMIT_DEFAULT), limit


_Wanted = Annotated[tuple[LedgerQuery, int | None], Depends(_rows_wanted)]


def _file(name: str, media_type: str, body: AsyncIterator[str]) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(body, media_type=media_type, headers=headers)


@router.get("/api/v1/ledger.csv", summary="Get the ledger as CSV", response_class=Response, responses={200: _CSV})
async def get_csv(portal: PortalDep, wanted: _Wanted) -> Response:
    """Return the rows of the list as a table: all that fit, or with `limit` and `next` a page of it."""
    return _file("ledger.csv", "text/csv; charset=utf-8", ledger_rows.stream_csv(portal.pool, *wanted))


@router.get(
    "/api/v1/ledger.jsonl", summary="Get the ledger as lines of JSON", response_class=Response, responses={200: _LINES}
)
async def get_lines(portal: PortalDep, wanted: _Wanted) -> Response:
    """Return the rows of the list, each as a line of JSON: all that fit, or with `limit` and `next` a page of them."""
    return _file("ledger.jsonl", "application/x-ndjson", ledger_rows.stream_lines(portal.pool, *wanted))


@router.get("/ledger", include_in_schema=False)
async def ledger_page(
    request: Request,
    portal: PortalDep,
    cursor: Next = None,
    gateway: NameQuery = None,
    since: Annotated[_Day, Query(alias="from")] = "",
    until: Annotated[_Day, Query(alias="to")] = "",
) -> Response:
    """Show a page of the ledger, with the sums of all that fits, all of one moment."""
    start, end = days.between(since, until, (await portal.installation()).timezone)
    query = query_of(gateway, start, end, cursor, _PAGE + 1)
    async with one_moment(portal.pool) as connection:
        rows = await read_ledger(connection, query)
        if not portal.wants_page(request):
            return JSONResponse(page_of(rows, _PAGE))
        balance = await check_balance(connection, query)
        hours = await read_hours(connection, replace(query, limit=_DRAWN_HOURS))
        died = await read_deaths(connection, replace(query, limit=_DEATHS_SHOWN))
    words = await portal.words(request)
    filters = {
        "gateway": gateway,
        "from": start.isoformat() if start else None,
        "to": end.isoformat() if end else None,
    }
    here = {**filters, "limit": str(_PAGE), "next": cursor}
    return await portal.page(
        request,
        "ledger.html",
        found=page_of(rows, _PAGE),
        known=await _with_pages(portal, rows, gateway),
        gateway=gateway,
        chosen={"gateway": gateway or "", "from": since, "to": until},
        balance=balance,
        accepted=_chart(words, hours),
        deaths=[ledger_rows.death_of(death) for death in died],
        more_url=address("/ledger", gateway=gateway, **{"from": since, "to": until}),
        json_url=address("/api/v1/ledger", **here),
        csv_url=address("/api/v1/ledger.csv", **here),
        all_csv_url=address("/api/v1/ledger.csv", **filters),
        all_json_url=address("/api/v1/ledger.jsonl", **filters),
    )


async def _with_pages(portal: Portal, rows: Sequence[LedgerRow], gateway: str | None) -> frozenset[str]:
    """Return the gateways that have a page which this viewer may open."""
    if not visible("gateway", await portal.viewer()):
        return frozenset()
    return await registered_gateways(portal.pool, [*(row.gateway_id for row in rows), gateway or ""])


def _chart(words: Words, hours: list[LedgerHour]) -> Markup | None:
    """Return bars of the last hours that fit; an hour in which nothing came is a gap."""
    if not hours:
        return None
    known = {one.hour: one for one in hours}
    newest = hours[0].hour
    first = max(hours[-1].hour, newest - (_DRAWN_HOURS - 1) * HOUR_US)
    bars: list[Bar] = [
        (to_datetime(hour), float(known[hour].appended) if hour in known else None)
        for hour in range(first, newest + HOUR_US, HOUR_US)
    ]
    return bar_chart(bars, unit="", title=words.text("Accepted by hour"), words=words, whole=True)
