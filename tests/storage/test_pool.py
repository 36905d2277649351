import asyncio

import pytest

from city.errors import ConflictError, EngineError
from storage.pool import fetch_all, open_pool, ping, transaction


def test_missing_server_is_an_engine_error() -> None:
    async def main() -> None:
        with pytest.raises(EngineError, match="did not answer"):
            await open_pool("postgresql://citynerve@/x?host=/nowhere", timeout_s=0.5)

    asyncio.run(main())


def test_refused_row_is_a_conflict_and_the_transaction_leaves_nothing(database_url: str) -> None:
    async def main() -> None:
        pool = await open_pool(database_url)
        insert = "INSERT INTO districts (district_id, name) VALUES (%s, %s)"

        async def write_twice() -> None:
            async with transaction(pool) as connection:
                await connection.execute(insert, ("centre", "Centre"))
                await connection.execute(insert, ("centre", "Again"))

        with pytest.raises(ConflictError):
            await write_twice()
        assert await fetch_all(pool, "SELECT count(*) FROM districts") == [(0,)]
        await pool.close()

    asyncio.run(main())


def test_connection_that_the_server_cut_is_replaced(database_url: str) -> None:
    async def main() -> None:
        pool = await open_pool(database_url, size=1)
        with pytest.raises(EngineError):
            await fetch_all(pool, "SELECT pg_terminate_backend(pg_backend_pid())")
        await ping(pool)
        assert await fetch_all(pool, "SHOW timezone") == [("UTC",)]
        await pool.close()

    asyncio.run(main())
