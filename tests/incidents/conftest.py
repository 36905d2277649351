"""A small registered city: feeder C-1.F1 of cabinet C-1 with twelve lamps 30 m apart, one facility."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg
import pytest

LAMP_LAT, LAMP_LON = 43.54, -5.66

_CITY = """
INSERT INTO installation (city, timezone, simulated, pack) VALUES ('Test', 'Europe/Madrid', true,
    '{"schedules": [{"schedule_id": "astro", "lat": 43.54, "lon": -5.66, "elevation_below_deg": -3.0}]}');
INSERT INTO districts (district_id, name) VALUES ('centre', 'Centre');
INSERT INTO assets (asset_id, kind, name, parent_id, root_id, correlation_group, gateway_id, district_id, lat, lon,
                    attributes) VALUES
    ('G-1', 'gateway', 'G-1', NULL, 'G-1', 'S-1', 'G-1', 'centre', 43.5, -5.6, '{}'),
    ('C-1', 'cabinet', 'C-1', NULL, 'C-1', 'S-1', 'G-1', 'centre', 43.5, -5.6, '{}'),
    ('C-1.F1', 'feeder', 'C-1.F1', 'C-1', 'C-1', 'S-1', 'G-1', 'centre', 43.5, -5.6, '{"schedule_id": "astro"}'),
    ('SCHOOL', 'facility', 'School', NULL, 'SCHOOL', 'SCHOOL', 'G-1', 'centre', 43.51, -5.61, '{"kind": "school"}');
INSERT INTO assets (asset_id, kind, name, parent_id, root_id, correlation_group, gateway_id, district_id, lat, lon,
                    attributes)
SELECT 'L-' || n, 'lamp', 'L-' || n, 'C-1.F1', 'C-1', 'S-1', 'G-1', 'centre', 43.54 + n * 0.0027, -5.66,
       '{"phase": "R", "lamp_type": "led", "rated_w": 36, "street": "Calle Uno"}'
  FROM generate_series(1, 12) AS n;
"""


@pytest.fixture
def city_url(database_url: str) -> str:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(_CITY)
    return database_url


@pytest.fixture
def rows(city_url: str) -> Callable[[str], list[tuple[Any, ...]]]:
    """Query the test's database."""

    def query(statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(city_url, autocommit=True) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[call-overload, no-any-return]

    return query


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 60))
