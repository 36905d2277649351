"""What the portals read of tickets, in the shape of the API: lists, one with its timeline, and what crews do next."""

from dataclasses import dataclass
from pathlib import Path

from city.errors import NotFoundError
from city.ticket import TRANSITIONS, Actor, TicketState
from portals_api.paging import decode_cursor, page
from portals_api.rows import Row, rows
from portals_api.verdict_reads import verdict_of, with_verdicts
from portals_api.visibility import Viewer, hidden_kinds, visible
from storage import queries
from storage.pool import Pool

_SQL = queries.load(Path(__file__).with_suffix(".sql"))

_CREW_ORDER = (
    TicketState.IN_PROGRESS,
    TicketState.RESOLVED,
    TicketState.CLOSED,
    TicketState.ASSIGNED,
    TicketState.NEW,
)
"""Decisions of a crew, in the order of their buttons."""


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """Which tickets."""

    state: TicketState | None = None
    scope: str | None = None
    category: str | None = None
    district: str | None = None
    open_only: bool = False

    def states(self) -> list[str] | None:
        if self.state is not None:
            return [str(self.state)]
        return ["new", "assigned", "in_progress", "recovered", "resolved"] if self.open_only else None


async def tickets(pool: Pool, viewer: Viewer, wanted: TicketFilter, *, limit: int, cursor: str | None = None) -> Row:
    """Return one page of tickets, the newest number first.

    Raises
    ------
    CursorError
        `cursor` is not of this list.
    """
    after = decode_cursor(cursor, int)
    found = await _tickets(pool, viewer, wanted, limit=limit + 1, after=after[0] if after else None)
    return page(found, limit, lambda ticket: [ticket["id"]])


async def _tickets(
    pool: Pool,
    viewer: Viewer,
    wanted: TicketFilter,
    *,
    limit: int,
    ids: list[int] | None = None,
    after: int | None = None,
) -> list[Row]:
    found = await rows(
        pool,
        _SQL.tickets,
        hidden=hidden_kinds(viewer),
        ids=ids,
        state=wanted.states(),
        scope=wanted.scope,
        category=wanted.category,
        district=wanted.district,
        after=after,
        limit=limit,
    )
    return [_ticket(row, viewer) for row in found]


def _ticket(row: Row, viewer: Viewer) -> Row:
    state = TicketState(row["state"])
    scope = {"kind": row.pop("scope_kind"), "id": row.pop("scope_id")}
    scope |= {"name": row.pop("scope_name"), "street": row.pop("street")}
    place = row.pop("place")
    return {
        **row,
        "url": f"/tickets/{row['id']}",
        "open": row["closed_at"] is None,
        "scope": scope,
        "place": place if visible("report_text", viewer) else "",
        "crew_may": [str(t) for t in _CREW_ORDER if Actor.CREW in TRANSITIONS.get((state, t), ())],
    }


async def tickets_by_id(pool: Pool, viewer: Viewer, ids: list[int]) -> list[Row]:
    """Return these tickets, in this order; one that is gone or hidden is left out."""
    found = {t["id"]: t for t in await _tickets(pool, viewer, TicketFilter(), limit=len(ids), ids=ids)}
    return [found[number] for number in ids if number in found]


async def ticket(pool: Pool, viewer: Viewer, ticket_id: int) -> Row:
    """Return one ticket with its alarms, its reports and its timeline.

    Raises
    ------
    NotFoundError
        There is none of that number, or not for this viewer.
    """
    found = await _tickets(pool, viewer, TicketFilter(), limit=1, ids=[ticket_id])
    if not found:
        raise NotFoundError(f"there is no ticket {ticket_id}")
    one = found[0]
    one["alarm_list"] = await with_verdicts(pool, await rows(pool, _SQL.ticket_alarms, id=ticket_id))
    one["verdict"] = await verdict_of(pool, ticket_id)
    one["timeline"] = await rows(pool, _SQL.timeline, id=ticket_id)
    reports = await rows(pool, _SQL.ticket_reports, id=ticket_id)
    if not visible("report_text", viewer):
        for report in reports:
            report["place"] = report["description"] = ""
    one["report_list"] = reports
    return one


async def worklist(pool: Pool, viewer: Viewer, *, district: str | None, limit: int) -> list[Row]:
    """Return open tickets for crews, gravest first."""
    order = await rows(pool, _SQL.worklist, hidden=hidden_kinds(viewer), district=district, limit=limit)
    return await tickets_by_id(pool, viewer, [row["ticket_id"] for row in order])
