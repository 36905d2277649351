"""Databases laid out both ways: what a test promises on one it promises on the other."""

import asyncio

import pytest

from storage.layout import LayoutEngine, apply_layout
from storage.migrate import migrate
from storage.pool import open_pool
from tests.stream.harness import TIMEZONE, seed


@pytest.fixture(params=[engine.value for engine in LayoutEngine])
def layout_engine(request: pytest.FixtureRequest) -> LayoutEngine:
    return LayoutEngine(request.param)


@pytest.fixture
def bare_url(layout_engine: LayoutEngine, request: pytest.FixtureRequest) -> str:
    """A migrated database without a layout, on a server with or without TimescaleDB."""
    if layout_engine is LayoutEngine.PLAIN:
        url: str = request.getfixturevalue("database_url")
        return url
    url = request.getfixturevalue("timescale_url")
    migrate(url)
    return url


@pytest.fixture
def store_url(bare_url: str, layout_engine: LayoutEngine) -> str:
    """A laid out database with gateways G-1 … G-3 (numbers 1 … 3) and series 1 … 8; 1 and 2 report each minute."""

    async def main() -> None:
        pool = await open_pool(bare_url)
        async with pool, pool.connection() as connection:
            layout = await apply_layout(connection, TIMEZONE)
            assert layout.engine is layout_engine
            await seed(connection)

    asyncio.run(main())
    return bare_url
