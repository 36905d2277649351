"""The ledger in the shape of the API: rows, totals, and the same as CSV or a line of JSON each, streamed."""

import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from city.cells import harmless
from city.clock import from_datetime, isoformat
from portals_api.paging import decode_cursor, page
from portals_api.reads import cursor_moment
from storage.pool import Pool
from stream.accounts import Balance, BrokerDeath, LedgerQuery, LedgerRow, one_moment, read_ledger
from stream.ledger import Key

COLUMNS = ("appended", "stored", "duplicate", "conflicting", "quarantined", "in_flight", "missing")
CSV_COLUMNS = ("gateway", "hour", *COLUMNS, "quarantined_by_reason", "missing_numbers")
_STREAMED_AT_ONCE = 1000


def query_of(
    gateway: str | None, since: datetime | None, until: datetime | None, cursor: str | None, limit: int
) -> LedgerQuery:
    """Return what to read.

    Raises
    ------
    CursorError
        `cursor` is not of this list.
    """
    key = decode_cursor(cursor, str, int)
    if key is not None:
        cursor_moment(key[1])
    return LedgerQuery(
        gateway,
        None if since is None else from_datetime(since),
        None if until is None else from_datetime(until),
        None if key is None else Key(key[0], key[1]),
        limit,
    )


async def read_page(pool: Pool, query: LedgerQuery) -> dict[str, Any]:
    """Return one page, the newest hour first."""
    async with one_moment(pool) as connection:
        rows = await read_ledger(connection, replace(query, limit=query.limit + 1))
    return page_of(rows, query.limit)


def death_of(death: BrokerDeath) -> dict[str, str]:
    """Return a death of the broker."""
    return {"last_heard_at": isoformat(death.last_heard_at), "back_at": isoformat(death.back_at)}


def page_of(rows: Sequence[LedgerRow], limit: int) -> dict[str, Any]:
    """Return a page of rows, of which there is one more than `limit` where another page follows."""
    items = [row_of(row) for row in rows]
    return page(items, limit, lambda i: [i["gateway"], from_datetime(datetime.fromisoformat(i["hour"]))])


def row_of(row: LedgerRow) -> dict[str, Any]:
    """Return one row."""
    return {
        "gateway": row.gateway_id,
        "hour": isoformat(row.hour),
        **{name: getattr(row, name) for name in COLUMNS},
        "quarantined_by_reason": row.by_reason,
        "missing_numbers": [gap._asdict() for gap in row.gaps],
    }


def totals_of(balance: Balance) -> dict[str, Any]:
    """Return the sums."""
    told = {name: getattr(balance, name) for name in COLUMNS}
    return {**told, "forgotten_runs": balance.forgotten_runs, "broken": balance.broken}


async def stream_csv(pool: Pool, query: LedgerQuery, limit: int | None) -> AsyncIterator[str]:
    """Give the table in parts; a row is of one moment, the parts of successive ones."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    async for rows in _parts(pool, query, limit):
        for row in rows:
            writer.writerow(_cells(row))
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


async def stream_lines(pool: Pool, query: LedgerQuery, limit: int | None) -> AsyncIterator[str]:
    """Give every row as a line of JSON."""
    async for rows in _parts(pool, query, limit):
        yield "".join(json.dumps(row_of(row), separators=(",", ":"), ensure_ascii=False) + "\n" for row in rows)


async def _parts(pool: Pool, query: LedgerQuery, limit: int | None) -> AsyncIterator[list[LedgerRow]]:
    left = limit
    while left is None or left > 0:
        wanted = _STREAMED_AT_ONCE if left is None else min(left, _STREAMED_AT_ONCE)
        async with one_moment(pool) as connection:
            rows = await read_ledger(connection, replace(query, limit=wanted))
        if rows:
            yield rows
            query = replace(query, after=Key(rows[-1].gateway_id, rows[-1].hour))
        if len(rows) < wanted:
            return
        left = None if left is None else left - len(rows)


def _cells(row: LedgerRow) -> list[Any]:
    reasons = ";".join(f"{reason}={units}" for reason, units in row.by_reason.items())
    numbers = ";".join(f"{gap.epoch}:{gap.first}-{gap.last}" for gap in row.gaps)
    return [row.gateway_id, isoformat(row.hour), *(getattr(row, name) for name in COLUMNS), reasons, harmless(numbers)]
