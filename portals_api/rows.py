"""Runs one statement of the portals, and returns its rows in the shape of the API."""

from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from city.clock import from_datetime, isoformat
from city.errors import EngineError
from storage.pool import Pool, engine_errors

Row = dict[str, Any]


async def rows(pool: Pool, statement: Any, **parameters: Any) -> list[Row]:
    """Run one statement; return its rows as dictionaries, with times as text.

    Raises
    ------
    EngineError
        The database did not answer, or has no readings laid out yet.
    """
    with engine_errors():
        async with pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            try:
                # Not prepared: a plan for any filter is a bad plan for each.
                await cursor.execute(statement, parameters, prepare=False)
            except psycopg.errors.UndefinedTable as exc:
                raise EngineError("the tables are not laid out yet: wait until the workers have started") from exc
            found = await cursor.fetchall()
    return [{name: _plain(value) for name, value in row.items()} for row in found]


def _plain(value: Any) -> Any:
    return isoformat(from_datetime(value)) if isinstance(value, datetime) else value
