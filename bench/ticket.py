"""From a fault to its ticket: the seconds that our own stages add, on the embedded engines, as whole processes.

A lamp's alarm waits for its readings and for the wait that lets a parent explain it; those are city time and chosen.
What is measured here is the machine's time from the record that decides (the tick on the log) to the ticket's row.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from app import setup
from app.settings import load_settings
from bench.result import Result
from city.clock import HOUR_US, MINUTE_US, SystemClock, from_datetime
from sim.city import GIJON_SEED, generate_city, write_city
from sim.faults import plant, write_labels
from storage.embedded import EmbeddedPostgres
from storage.migrate import migrate
from stream import installation
from stream.packs import read_pack
from tests.support.servers import free_port

ROOT = Path(__file__).resolve().parents[1]
SPEED = 240.0
START = from_datetime(datetime(2026, 11, 23, 13, 0, tzinfo=UTC))
END = START + 7 * HOUR_US
FAULTS = 18


def run() -> list[dict[str, Any]]:
    """Let 18 lamps fail in a simulated city of 2,000 and take the time of each ticket."""
    with tempfile.TemporaryDirectory(prefix="citynerve-bench-") as name:
        folder = Path(name)
        with EmbeddedPostgres(folder / "postgres") as server:
            delays, waits = _measure(folder, server.url)
    return [
        Result(
            "ticket.after_decision_s.p50",
            statistics.median(delays),
            "s",
            note="from the tick that decides, appended by ingest, to the ticket's row: detect, correlate and desk",
        ).plain(),
        Result("ticket.after_decision_s.max", max(delays), "s").plain(),
        Result(
            "ticket.after_onset_city_min.p50",
            statistics.median(waits),
            "min",
            note="city time from the planted onset to the ticket: readings each quarter of an hour, three in a row"
            " (or two hours of silence), then a quarter of an hour in which a parent may explain it",
        ).plain(),
    ]


def _measure(folder: Path, url: str) -> tuple[list[float], list[float]]:
    write_city(folder / "city", generate_city(GIJON_SEED, lamps=2000, facilities=12, mixed=False))
    pack = read_pack(folder / "city")
    faults = plant(pack, seed=3, onset_us=START + 90 * MINUTE_US, lamp_faults=FAULTS, outages=0, spread_us=HOUR_US)
    write_labels(folder / "faults.json", faults)
    environment = {
        "CITYNERVE_DATABASE_URL": url,
        "CITYNERVE_DATA": str(folder),
        "CITYNERVE_CITY": str(folder / "city"),
        "CITYNERVE_SPEED": str(SPEED),
        "CITYNERVE_BROKER_PORT": str(free_port()),
        "CITYNERVE_FAULTS": str(folder / "faults.json"),
        "CITYNERVE_SIM_PEOPLE": "false",
        "CITYNERVE_SIM_REALISM": "perfect",
    }
    migrate(url)
    asyncio.run(_prepare(url, pack.name, pack.timezone, environment))
    onset = {fault.asset_id: fault.onset_us for fault in faults}
    seen: dict[str, tuple[float, float]] = {}
    with _processes(environment), psycopg.connect(url, autocommit=True) as connection:
        clock = asyncio.run(_clock(url))
        while clock.now_us() < END and len(seen) < len(faults):
            for scope, at_us in connection.execute(
                """SELECT t.scope_id, (extract(epoch FROM e.at) * 1000000)::bigint
                     FROM tickets AS t JOIN ticket_alarms USING (ticket_id)
                     JOIN alarm_events AS e USING (alarm_id) WHERE e.kind = 'raised'"""
            ).fetchall():
                if scope not in seen:
                    now_us = clock.now_us()
                    seen[scope] = ((now_us - at_us) / 1e6 / SPEED, (now_us - onset.get(scope, now_us)) / 60e6)
            time.sleep(0.02)
    return [delay for delay, _ in seen.values()], [wait for _, wait in seen.values()]


async def _prepare(url: str, city: str, timezone: str, environment: dict[str, str]) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await installation.ensure_installation(
            connection,
            city=city,
            timezone=timezone,
            simulated=True,
            speed=SPEED,
            city_us=START,
            real_us=SystemClock().now_us(),
        )
    flags = {name.removeprefix("CITYNERVE_").lower(): value for name, value in environment.items()}
    await setup.prepare(load_settings(**flags), url)


async def _clock(url: str) -> Any:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        return await installation.load_clock(connection)


@contextmanager
def _processes(environment: dict[str, str]) -> Iterator[None]:
    commands = [["sim"], *(["run", role] for role in ("ingest", "store", "detect", "desk"))]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "app", *command],
            env={**os.environ, **environment, "CITYNERVE_LOG_LEVEL": "ERROR"},
            stdin=subprocess.DEVNULL,
        )
        for command in commands
    ]
    try:
        yield
    finally:
        for process in running:  # who writes first ends first
            process.terminate()
            process.wait(60)
