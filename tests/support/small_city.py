"""A small registered city: feeder C-1.F1 of cabinet C-1 with twelve lamps 300 m apart, one school, two days of data."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg
import pytest

from city.clock import to_datetime
from observatory.keep import count_figures
from storage.layout import apply_layout
from storage.pool import open_pool
from stream.rollups import refresh

LAMP_LAT, LAMP_LON = 43.5427, -5.66
NOW = 1_795_472_400_000_000
"""2026-11-23 22:20 UTC: night in the city."""

CITY = """
INSERT INTO installation (city, timezone, simulated, pack) VALUES ('Test', 'Europe/Madrid', true,
    '{"languages": ["es", "ast", "en"],
      "schedules": [{"schedule_id": "astro", "lat": 43.54, "lon": -5.66, "elevation_below_deg": -3.0}]}');
INSERT INTO districts (district_id, name) VALUES ('centre', 'Centro'), ('east', 'Este');
INSERT INTO assets (asset_id, kind, name, parent_id, root_id, correlation_group, gateway_id, district_id, lat, lon,
                    attributes) VALUES
    ('G-1', 'gateway', 'G-1', NULL, 'G-1', 'S-1', 'G-1', 'centre', 43.5, -5.6, '{}'),
    ('C-1', 'cabinet', 'C-1', NULL, 'C-1', 'S-1', 'G-1', 'centre', 43.5, -5.6, '{}'),
    ('C-1.F1', 'feeder', 'C-1.F1', 'C-1', 'C-1', 'S-1', 'G-1', 'centre', 43.5, -5.6, '{"schedule_id": "astro"}'),
    ('SCHOOL', 'facility', 'Colegio Uno', NULL, 'SCHOOL', 'SCHOOL', 'G-1', 'east', 43.51, -5.61, '{"kind": "school"}');
INSERT INTO assets (asset_id, kind, name, parent_id, root_id, correlation_group, gateway_id, district_id, lat, lon,
                    attributes)
SELECT 'L-' || n, 'lamp', 'L-' || n, 'C-1.F1', 'C-1', 'S-1', 'G-1', 'centre', 43.54 + n * 0.0027, -5.66,
       '{"phase": "R", "lamp_type": "led", "rated_w": 36, "street": "Calle Uno"}'
  FROM generate_series(1, 12) AS n;
INSERT INTO gateways (gateway_id, state) VALUES ('G-1', 'online');
"""

DATA = """
INSERT INTO shards (shard, partition) VALUES (0, 0);
INSERT INTO metrics (metric, unit, low, high) VALUES
    ('active_power_w', 'W', -5, 5000), ('supply_voltage_v', 'V', 0, 500), ('co2_ppm', '[ppm]', 0, 20000);
INSERT INTO devices (device_id, asset_id, gateway_id, profile_id, shard, report_interval_s, silence_intervals)
SELECT 'N-L-' || n, 'L-' || n, 'G-1', 'lamp', 0, 900, 4 FROM generate_series(1, 12) AS n
UNION ALL SELECT 'S-SCHOOL', 'SCHOOL', 'G-1', 'school', 0, 900, 4;
INSERT INTO series (device_id, metric)
SELECT 'N-L-' || n, metric FROM generate_series(1, 12) AS n, unnest(ARRAY['active_power_w', 'supply_voltage_v']) metric
UNION ALL SELECT 'S-SCHOOL', 'co2_ppm';
INSERT INTO readings (series_id, observed_at, received_at, value, quality)
SELECT s.series_id, at, at + interval '2 seconds',
       CASE WHEN s.metric = 'supply_voltage_v' THEN 230 + sin(n) * 2
            WHEN s.metric = 'co2_ppm' THEN 600 + 100 * sin(n / 9.0)
            WHEN (extract(hour FROM at) >= 18 OR extract(hour FROM at) < 7) AND NOT (n > 188 AND s.device_id = 'N-L-1')
                 THEN 35 + sin(n)
            ELSE 0.4 END, 0
  FROM series s, generate_series(0, 191) AS n, LATERAL (SELECT to_timestamp(1795472400 - (191 - n) * 900) AS at) t;
INSERT INTO ledger (gateway_id, hour, appended, stored, duplicate, conflicting, quarantined)
SELECT g, to_timestamp(1795471200 - h * 3600), 4800, 4790 - h, 5 + h, 1, CASE WHEN h = 0 AND g = 'G-1' THEN 2 ELSE 4 END
  FROM unnest(ARRAY['G-1', 'G-2']) AS g, generate_series(0, 29) AS h;
INSERT INTO ledger_gaps (gateway_id, epoch, numbers, hour) VALUES ('G-1', 'a', '[5,8)', to_timestamp(1795471200));
"""


STORED_UNTIL = """
INSERT INTO checkpoints (worker_group, topic, partition, generation, log_identity, code_version, ticked_at)
VALUES ('store', 'readings', %(partition)s, 1, 'log', '1', %(at)s)
ON CONFLICT (worker_group, topic, partition) DO UPDATE SET ticked_at = EXCLUDED.ticked_at
"""


def make_city(url: str) -> None:
    """Register the city in a migrated database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(CITY)


def add_data(url: str) -> None:
    """Add devices, two days of readings and thirty hours of ledger."""

    async def lay_out() -> None:
        pool = await open_pool(url)
        async with pool.connection() as connection:
            await apply_layout(connection, "Europe/Madrid")
        await pool.close()

    asyncio.run(lay_out())
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT to_regproc('ensure_readings_partition')").fetchone() != (None,):
            for shift in (0, 1, 2):
                at = f"to_timestamp({NOW // 1_000_000} - {shift} * 86400)"
                connection.execute(f"SELECT ensure_readings_partition('readings', {at})")  # type: ignore[call-overload]
        connection.execute(DATA)


def add_figures(url: str, now_us: int = NOW) -> None:
    """Roll up the readings that `add_data` added, and count the figures of every hour that has ended."""

    async def count() -> None:
        async with await open_pool(url) as pool:
            async with pool.connection() as connection:
                await connection.execute(
                    "INSERT INTO rollups_touched (hour, block)"
                    " SELECT DISTINCT date_trunc('hour', observed_at), series_id / 256 FROM readings"
                )
                await connection.execute(STORED_UNTIL, {"partition": 0, "at": to_datetime(now_us)})
            await refresh(pool)
            while await count_figures(pool, now_us):
                pass

    asyncio.run(count())


@pytest.fixture
def city_url(database_url: str) -> str:
    """A fresh database with the city's assets."""
    make_city(database_url)
    return database_url


@pytest.fixture
def rows(city_url: str) -> Callable[[str], list[tuple[Any, ...]]]:
    """Query the test's database."""

    def query(statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(city_url, autocommit=True) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[call-overload, no-any-return]

    return query


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine within a minute."""
    asyncio.run(asyncio.wait_for(main, 60))
