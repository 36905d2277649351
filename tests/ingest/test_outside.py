"""The air outside on its way from the store into ticks."""

import asyncio

import psycopg
import pytest

from city.clock import HOUR_US, ManualClock
from city.errors import EngineError
from ingest.outside import OutsideWatch
from storage.pool import open_pool
from tests.support.small_city import NOW, add_data, make_city

STATIONS = """
INSERT INTO metrics (metric, unit, low, high) VALUES ('air_temperature_deg_c', 'Cel', -40, 60);
INSERT INTO series (device_id, metric) SELECT device_id, 'air_temperature_deg_c'
  FROM devices WHERE device_id IN ('S-SCHOOL', 'N-L-1', 'N-L-2');
INSERT INTO readings (series_id, observed_at, received_at, value, quality)
SELECT s.series_id, to_timestamp(1795472400) + at, to_timestamp(1795472400) + at, said.value, 0
  FROM series s JOIN (VALUES ('S-SCHOOL', interval '-20 minutes', 8.0), ('S-SCHOOL', interval '-80 minutes', 30.0),
       ('N-L-1', interval '-2 hours', 9.5), ('N-L-2', interval '-4 hours', 40.0)) AS said (device_id, at, value)
       USING (device_id)
 WHERE s.metric = 'air_temperature_deg_c';
"""


async def _yes() -> bool:
    return True


async def _no() -> bool:
    return False


@pytest.fixture
def city_url(database_url: str) -> str:
    """A fresh database with the city's assets, and what three stations said."""
    make_city(database_url)
    add_data(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute(STATIONS)
    return database_url


def test_who_ticks_knows_what_stations_lately_said(city_url: str) -> None:
    async def main() -> None:
        async with await open_pool(city_url) as pool:
            clock = ManualClock(NOW)
            air, other = OutsideWatch(pool, clock, _yes), OutsideWatch(pool, clock, _no)
            assert air.now_c() is None, "not asked yet"
            await air.look()
            await other.look()
            assert (air.now_c(), other.now_c()) == (8.75, None)
            clock.advance(1.5 * 3600)
            assert air.now_c() == 8.0
            clock.advance(2 * 3600)
            assert air.now_c() is None, f"nothing newer than {3 * HOUR_US} µs"

    asyncio.run(main())


def test_a_store_that_is_away_leaves_what_was_known(city_url: str) -> None:
    async def main() -> None:
        async with await open_pool(city_url, timeout_s=1.0) as pool:
            air = OutsideWatch(pool, ManualClock(NOW), _yes)
            await air.look()
            await pool.close()
            with pytest.raises(EngineError):
                await air.look()
            assert air.now_c() == 8.75

    asyncio.run(main())


def test_where_no_store_is_laid_out_nobody_knows(database_url: str) -> None:
    async def main() -> None:
        async with await open_pool(database_url) as pool:
            air = OutsideWatch(pool, ManualClock(NOW), _yes)
            await air.look()
            assert air.now_c() is None

    asyncio.run(main())
