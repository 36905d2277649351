"""What `apply_layout` makes of a database, with and without TimescaleDB."""

import asyncio

import pytest

from city.errors import SettingsError
from storage.layout import LayoutEngine, apply_layout, read_layout
from tests.stream.harness import TIMEZONE, opened, rows


def test_laying_out_again_changes_nothing(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool, pool.connection() as connection:
            before = await read_layout(connection)
            assert await apply_layout(connection, TIMEZONE) == before

    asyncio.run(main())


def test_processes_that_start_together_lay_out_once(bare_url: str, layout_engine: LayoutEngine) -> None:
    async def main() -> None:
        async with opened(bare_url, size=4) as pool:

            async def start() -> LayoutEngine:
                async with pool.connection() as connection:
                    return (await apply_layout(connection, TIMEZONE)).engine

            assert await asyncio.gather(*(start() for _ in range(4))) == [layout_engine] * 4

    asyncio.run(main())


def test_both_layouts_show_the_same_columns(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            found = await rows(
                pool,
                "SELECT c.relname, string_agg(a.attname || ' ' || a.atttypid::regtype, ', ' ORDER BY a.attnum)"
                "  FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0"
                " WHERE c.relnamespace = 'public'::regnamespace"
                "   AND c.relname IN ('readings', 'readings_hourly', 'readings_daily', 'readings_minutely')"
                " GROUP BY 1 ORDER BY 1",
            )
            rollup = (
                "series_id integer, bucket timestamp with time zone, n bigint, sum double precision,"
                " mean double precision, minimum double precision, maximum double precision"
            )
            assert found == [
                (
                    "readings",
                    "series_id integer, observed_at timestamp with time zone, received_at timestamp with time zone,"
                    " value double precision, quality smallint",
                ),
                ("readings_daily", rollup),
                ("readings_hourly", rollup),
                ("readings_minutely", rollup),
            ]

    asyncio.run(main())


def test_another_time_zone_is_refused_because_days_were_cut(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool, pool.connection() as connection:
            with pytest.raises(SettingsError, match="cut in Europe/Madrid, the city pack says Atlantic/Canary"):
                await apply_layout(connection, "Atlantic/Canary")

    asyncio.run(main())


@pytest.mark.parametrize("name", ["Madrid", "", "../etc/passwd", "Europe/'; DROP TABLE readings; --"])
def test_a_time_zone_that_is_none_is_refused(bare_url: str, name: str) -> None:
    async def main() -> None:
        async with opened(bare_url) as pool, pool.connection() as connection:
            with pytest.raises(SettingsError, match="IANA name"):
                await apply_layout(connection, name)

    asyncio.run(main())


def test_a_zone_that_shifts_by_half_an_hour_is_refused(bare_url: str) -> None:
    async def main() -> None:
        async with opened(bare_url) as pool, pool.connection() as connection:
            with pytest.raises(SettingsError, match="parts of an hour"):
                await apply_layout(connection, "Australia/Lord_Howe")

    asyncio.run(main())


def test_a_zone_off_the_full_hour_has_its_own_hours_on_plain_tables(bare_url: str) -> None:
    async def main() -> None:
        async with opened(bare_url) as pool, pool.connection() as connection:
            layout = await apply_layout(connection, "Asia/Kolkata")
            assert layout.engine is LayoutEngine.PLAIN
            assert layout.hour_offset.total_seconds() == 1800

    asyncio.run(main())
