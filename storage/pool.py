"""The pool of PostgreSQL connections, and the one place where the driver's errors become ours."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from city.errors import ConflictError, EngineError, SettingsError

Connection = AsyncConnection[TupleRow]
Pool = AsyncConnectionPool[Connection]


@contextmanager
def engine_errors() -> Iterator[None]:
    """Translate psycopg's errors: what another try may mend becomes EngineError.

    Raises
    ------
    EngineError
        The server is gone, overloaded, out of space, or two transactions got in each other's way.
    ConflictError
        A unique or foreign key refused the row.
    """
    try:
        yield
    except psycopg.errors.IntegrityError as exc:
        raise ConflictError(f"the database refused a row: {exc.diag.message_primary}") from exc
    except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.InternalError, PoolTimeout) as exc:
        raise EngineError(f"the database did not answer: {str(exc).strip()[:300]}") from exc


async def open_pool(url: str, *, size: int = 4, timeout_s: float = 10.0) -> Pool:
    """Open a pool of at most `size` connections, UTC, autocommit.

    Raises
    ------
    EngineError
        No connection within `timeout_s`.
    """
    pool: Pool = AsyncConnectionPool(
        url,
        min_size=1,
        max_size=size,
        timeout=timeout_s,
        open=False,
        reconnect_timeout=min(timeout_s, 5.0),  # its pauses double until then: keep them short, the server comes back
        check=AsyncConnectionPool.check_connection,
        kwargs={"autocommit": True, "options": "-c timezone=UTC -c jit=off", "application_name": "citynerve"},
    )
    try:
        with engine_errors():
            await pool.open(wait=True, timeout=timeout_s)
    except EngineError:
        await pool.close()
        raise
    return pool


async def connect(url: str, name: str) -> Connection:
    """Open one connection outside of any pool, autocommit, for what must live as long as it does (a session's lock).

    Raises
    ------
    SettingsError
        The address makes no sense.
    EngineError
        No connection.
    """
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError as exc:
        raise SettingsError(f"the database's address makes no sense: {exc}") from exc
    with engine_errors():
        return await AsyncConnection.connect(url, autocommit=True, options="-c timezone=UTC", application_name=name)


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """One transaction on one connection, with errors translated."""
    with engine_errors():
        async with pool.connection() as connection, connection.transaction():
            yield connection


async def ping(pool: Pool) -> None:
    """Return if the database answers, else raise EngineError."""
    with engine_errors():
        async with pool.connection() as connection:
            await connection.execute("SELECT 1")


async def fetch_all(pool: Pool, statement: Any, parameters: Any = None) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows."""
    with engine_errors():
        async with pool.connection() as connection:
            return await (await connection.execute(statement, parameters)).fetchall()
