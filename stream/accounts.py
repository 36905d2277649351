"""Reads the ledger: rows, totals and hours of one moment, so that the sum holds in all that is read together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from city.clock import from_datetime, to_datetime
from storage import queries
from storage.pool import Connection, Pool, transaction
from stream.ledger import Key

_SQL = queries.load(Path(__file__).with_name("accounts.sql"))
GAPS_MAX = 50
"""Ranges of missing numbers that a row names; all are counted."""


class Gap(NamedTuple):
    """Numbers `first` to `last`, both inclusive, of one run (`epoch`) that never came."""

    epoch: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One row as people read it; `hour` in µs UTC, `missing` counts messages that never came.

    Attributes
    ----------
    by_reason : dict
        What is quarantined, by reason.
    gaps : tuple of Gap
        The first `GAPS_MAX` ranges behind `missing`; where a gateway has very many, the oldest are only counted.
    """

    gateway_id: str
    hour: int
    appended: int
    stored: int
    duplicate: int
    conflicting: int
    quarantined: int
    missing: int
    by_reason: dict[str, int]
    gaps: tuple[Gap, ...]

    @property
    def in_flight(self) -> int:
        """Appended, and not yet arrived anywhere."""
        return self.appended - self.stored - self.duplicate - self.conflicting - self.quarantined


@dataclass(frozen=True, slots=True)
class LedgerQuery:
    """Which rows: hours in [since, until) µs UTC, of one gateway or all, after a row of the page before."""

    gateway_id: str | None = None
    since: int | None = None
    until: int | None = None
    after: Key | None = None
    limit: int = 100


class BrokerDeath(NamedTuple):
    """When a broker that died was last heard, and when it was back, µs UTC."""

    last_heard_at: int
    back_at: int


@dataclass(frozen=True, slots=True)
class Balance:
    """All that fits a query in one row.

    Attributes
    ----------
    forgotten_runs : int
        Runs of message numbers of which it is not known any more whether one is missing: gateways began too many.
    broken : int
        Rows with less appended than arrived, or a count below zero: always 0 unless this program is wrong.
    """

    appended: int
    stored: int
    duplicate: int
    conflicting: int
    quarantined: int
    missing: int
    forgotten_runs: int
    broken: int

    @property
    def in_flight(self) -> int:
        """Appended, and not yet arrived anywhere."""
        return self.appended - self.stored - self.duplicate - self.conflicting - self.quarantined


class LedgerHour(NamedTuple):
    """All gateways in one hour (µs UTC): appended, arrived in the database, kept aside."""

    hour: int
    appended: int
    arrived: int
    aside: int


@asynccontextmanager
async def one_moment(pool: Pool) -> AsyncIterator[Connection]:
    """Give a connection on which everything that is read is of the same moment.

    Raises
    ------
    EngineError
        The database did not answer.
    """
    async with transaction(pool) as connection:
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield connection


async def read_ledger(connection: Connection, query: LedgerQuery) -> list[LedgerRow]:
    """Return one page, newest hour first; the last row's gateway and hour are the next page's `after`."""
    after = query.after
    place = {
        "after_hour": None if after is None else to_datetime(after.hour),
        "after_gateway": None if after is None else after.gateway_id,
        "limit": query.limit,
        "gaps_max": GAPS_MAX,
    }
    cursor = await connection.execute(_SQL.read, {**_filters(query), **place}, prepare=False)
    return [_row(row) for row in await cursor.fetchall()]


async def check_balance(connection: Connection, query: LedgerQuery = LedgerQuery()) -> Balance:
    """Return the sums of what fits `query`; nothing is in flight once the sinks have caught up."""
    row = await (await connection.execute(_SQL.totals, _filters(query), prepare=False)).fetchone()
    assert row is not None
    return Balance(*(int(n) for n in row))


async def read_deaths(connection: Connection, query: LedgerQuery) -> list[BrokerDeath]:
    """Return the last `query.limit` deaths of the broker, the newest first."""
    cursor = await connection.execute(_SQL.deaths, {**_filters(query), "limit": query.limit}, prepare=False)
    return [BrokerDeath(from_datetime(heard), from_datetime(back)) for heard, back in await cursor.fetchall()]


async def read_hours(connection: Connection, query: LedgerQuery) -> list[LedgerHour]:
    """Return the last `query.limit` hours that have a row, the newest first."""
    cursor = await connection.execute(_SQL.hours, {**_filters(query), "limit": query.limit}, prepare=False)
    return [LedgerHour(from_datetime(hour), *(int(n) for n in rest)) for hour, *rest in await cursor.fetchall()]


def _row(row: tuple[Any, ...]) -> LedgerRow:
    gateway_id, hour, appended, stored, duplicate, conflicting, quarantined, missing, reasons, gaps = row
    return LedgerRow(
        gateway_id,
        from_datetime(hour),
        appended,
        stored,
        duplicate,
        conflicting,
        quarantined,
        missing,
        {reason: int(units) for reason, units in sorted((reasons or {}).items())},
        tuple(Gap(epoch, int(first), int(last)) for epoch, first, last in gaps or ()),
    )


def _filters(query: LedgerQuery) -> dict[str, Any]:
    return {"gateway_id": query.gateway_id, "since": _moment(query.since), "until": _moment(query.until)}


def _moment(at_us: int | None) -> datetime | None:
    return None if at_us is None else to_datetime(at_us)
