"""A generated city with as many lamps as asked for, on an embedded database, its night already in the readings."""

import asyncio
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from app import setup
from app.settings import load_settings
from city.clock import HOUR_US, SystemClock, from_datetime, to_datetime
from city.pack import CityPack
from sim.city import generate_city, write_city
from storage.migrate import migrate
from stream import installation
from stream.packs import read_pack

NIGHT = from_datetime(datetime(2026, 11, 23, 20, 0, tzinfo=UTC))

READINGS = """
INSERT INTO readings (series_id, observed_at, received_at, value, quality)
SELECT s.series_id, at, at, CASE s.metric
         WHEN 'active_power_w' THEN (a.attributes ->> 'rated_w')::double precision * 0.97
         WHEN 'supply_voltage_v' THEN 229.5 ELSE 100 END, 0
  FROM series s JOIN devices d USING (device_id) JOIN assets a USING (asset_id)
 CROSS JOIN LATERAL generate_series(%(since)s::timestamptz, %(until)s::timestamptz, interval '15 minutes') AS t (at)
 WHERE a.kind = 'lamp'
"""


@dataclass(frozen=True)
class City:
    """A city in a database."""

    folder: Path
    url: str
    pack: CityPack
    environment: dict[str, str]


def make(folder: Path, url: str, lamps: int, *, speed: float, start_us: int, extra: dict[str, str]) -> City:
    """Generate the city, migrate the database and bring the registry in."""
    write_city(folder / "city", generate_city(33, lamps, 60))
    pack = read_pack(folder / "city")
    environment = {
        "CITYNERVE_DATABASE_URL": url,
        "CITYNERVE_DATA": str(folder),
        "CITYNERVE_CITY": str(folder / "city"),
        "CITYNERVE_SPEED": str(speed),
        **extra,
    }
    migrate(url)
    asyncio.run(_prepare(url, pack, environment, speed, start_us))
    return City(folder, url, pack, environment)


async def _prepare(url: str, pack: CityPack, environment: dict[str, str], speed: float, start_us: int) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await installation.ensure_installation(
            connection,
            city=pack.name,
            timezone=pack.timezone,
            simulated=True,
            speed=speed,
            city_us=start_us,
            real_us=SystemClock().now_us(),
        )
    flags = {name.removeprefix("CITYNERVE_").lower(): value for name, value in environment.items()}
    await setup.prepare(load_settings(**flags), url)


def add_night(city: City, hours: int = 2) -> None:
    """Let every lamp have burned for so long."""
    until = to_datetime(NIGHT)
    with psycopg.connect(city.url, autocommit=True) as connection:
        connection.execute("SELECT ensure_readings_partition('readings', %s)", (until,))
        connection.execute(READINGS, {"since": to_datetime(NIGHT - hours * HOUR_US), "until": until})
        connection.execute("ANALYZE")


@contextmanager
def processes(city: City, commands: Sequence[Sequence[str]]) -> Iterator[None]:
    """Run processes of the program beside us; the first named ends first."""
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "app", *command],
            env={**os.environ, **city.environment, "CITYNERVE_LOG_LEVEL": "ERROR"},
            stdin=subprocess.DEVNULL,
        )
        for command in commands
    ]
    try:
        yield
    finally:
        for process in running:
            process.terminate()
            process.wait(60)


def wait_for(url: str, timeout_s: float = 90.0) -> None:
    """Wait until an address answers."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.1)
    raise TimeoutError(f"{url} does not answer")
