"""A generated city with as many lamps as asked for, in a database, and the program's processes over it."""

import asyncio
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from app import setup
from app.settings import load_settings
from city.clock import HOUR_US, SystemClock, to_datetime
from city.pack import CityPack
from sim.city import GIJON_SEED, generate_city, write_city
from storage.migrate import migrate
from stream import installation
from stream.packs import read_pack
from tests.support.servers import free_port

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

    url: str
    pack: CityPack
    environment: dict[str, str]

    @property
    def address(self) -> str:
        """Where its portals are."""
        return f"http://127.0.0.1:{self.environment['CITYNERVE_PORT']}"

    def clock(self) -> Any:
        """Return the city's clock."""

        async def load() -> Any:
            async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
                return await installation.load_clock(connection)

        return asyncio.run(load())


def make(folder: Path, url: str, *, lamps: int, speed: float, start_us: int) -> City:
    """Generate a city of so many lamps and bring it into an empty database."""
    write_city(folder / "city", generate_city(GIJON_SEED, lamps, 60))
    environment = {
        "CITYNERVE_DATABASE_URL": url,
        "CITYNERVE_DATA": str(folder),
        "CITYNERVE_CITY": str(folder / "city"),
        "CITYNERVE_SPEED": str(speed),
        "CITYNERVE_PORT": str(free_port()),
        "CITYNERVE_BROKER_PORT": str(free_port()),
        "CITYNERVE_FAULTS": str(folder / "faults.json"),
        "CITYNERVE_SIM_PEOPLE": "false",
    }
    city = City(url, read_pack(folder / "city"), environment)
    migrate(url)
    asyncio.run(_prepare(city, speed, start_us))
    return city


async def _prepare(city: City, speed: float, start_us: int) -> None:
    async with await psycopg.AsyncConnection.connect(city.url, autocommit=True) as connection:
        await installation.ensure_installation(
            connection,
            city=city.pack.name,
            timezone=city.pack.timezone,
            simulated=True,
            speed=speed,
            city_us=start_us,
            real_us=SystemClock().now_us(),
        )
    flags = {name.removeprefix("CITYNERVE_").lower(): value for name, value in city.environment.items()}
    await setup.prepare(load_settings(**flags), city.url)


def add_night(city: City, until_us: int, hours: int = 2) -> None:
    """Let every lamp have burned for so long."""
    until = to_datetime(until_us)
    with psycopg.connect(city.url, autocommit=True) as connection:
        connection.execute("SELECT ensure_readings_partition('readings', %s)", (until,))
        connection.execute(READINGS, {"since": to_datetime(until_us - hours * HOUR_US), "until": until})
        connection.execute("ANALYZE")


@contextmanager
def processes(city: City, commands: Sequence[Sequence[str]]) -> Iterator[None]:
    """Run processes of the program beside us until the portals answer and the caller is done; the first ends first."""
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "app", *command],
            env={**os.environ, **city.environment, "CITYNERVE_LOG_LEVEL": "ERROR"},
            stdin=subprocess.DEVNULL,
        )
        for command in commands
    ]
    try:
        _wait_for(f"{city.address}/health/live")
        yield
    finally:
        for process in running:
            process.terminate()
            process.wait(60)


def _wait_for(url: str, timeout_s: float = 90.0) -> None:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.1)
    raise TimeoutError(f"{url} does not answer")
