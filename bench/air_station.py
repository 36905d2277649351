"""``python -m bench.air_station FILE``: plays the recorded air station and writes what ``docs/air-station.md`` shows.

Once on the embedded engines and once on Mosquitto, Kafka and a database server (``--database``, TimescaleDB if it has
it), each through ``citynerve up``; the plot is drawn from what the first city keeps. Every figure is checked on the
way: a run whose ledger, alarms or sums differ from the file's ends with an error.
"""

import argparse
import asyncio
import json
import logging
import os
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.air_plot import draw
from bench.air_words import write_page
from city.clock import SystemClock
from storage import queries
from storage.pool import open_pool
from stream.rollups import RollupOptions, maintain
from tests.support.fix_kafka import make_kafka
from tests.support.fix_mosquitto import Mosquitto
from tests.support.fix_postgres import create_database, drop_database
from tests.support.recorded import GIJON, MAP, Recorded, Truth, read_truth
from tests.support.servers import free_port

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "bench" / "air_station.json"
SPEED = 1440
"""A day of the city in a minute: long enough for the file, short enough to see the station's silence after it."""
_TICKS_S = os.sysconf("SC_CLK_TCK")
_SQL = queries.load(Path(__file__).with_suffix(".sql"))

logger = logging.getLogger("bench")


class Cpu:
    """CPU seconds of named processes since the first look; one that has ended keeps what was seen of it."""

    def __init__(self, pids: Callable[[], Mapping[int, str]]) -> None:
        self._pids = pids
        self._first: dict[int, float] = {}
        self._last: dict[int, tuple[str, float]] = {}
        self.look(first=True)

    def look(self, *, first: bool = False) -> None:
        for pid, name in self._pids().items():
            used = _cpu_s(pid)
            if used is not None:
                # What begins during the run counts from its beginning.
                self._first.setdefault(pid, used if first else 0.0)
                self._last[pid] = (name, used)

    def spent(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for pid, (name, used) in self._last.items():
            found[name] = round(found.get(name, 0.0) + used - self._first[pid], 2)
        return found


def _cpu_s(pid: int) -> float | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return (int(fields[11]) + int(fields[12])) / _TICKS_S


def _roles(up: int) -> dict[int, str]:
    """Return the processes of an `up` by role."""
    found = {}
    for child in Path(f"/proc/{up}/task/{up}/children").read_text(encoding="ascii").split():
        words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
        if "run" in words:
            found[int(child)] = words[words.index("run") + 1]
    return found


@contextmanager
def city_wide(folder: Path, server: str) -> Iterator[tuple[dict[str, str], dict[int, str], Callable[[], int]]]:
    """Start Mosquitto and Kafka and make a database; give settings, server processes, and the size of the log."""
    for name in ("mosquitto", "kafka"):
        (folder / name).mkdir()
    mosquitto = Mosquitto(folder / "mosquitto", "/usr/sbin/mosquitto")
    kafka = make_kafka(folder / "kafka")
    mosquitto.start()
    kafka.start()
    name = f"air_{secrets.token_hex(4)}"
    try:
        environment = {
            "CITYNERVE_MQTT_URL": mosquitto.url,
            "CITYNERVE_KAFKA": kafka.bootstrap,
            "CITYNERVE_DATABASE_URL": create_database(server, name),
        }
        segments = folder / "kafka" / "data"
        yield (
            environment,
            {mosquitto.pid: "mosquitto", kafka.pid: "kafka"},
            lambda: sum(f.stat().st_size for f in segments.glob("citynerve.readings-*/*.log")),
        )
    finally:
        drop_database(server, name)
        kafka.stop()
        mosquitto.stop()


@contextmanager
def started(environment: Mapping[str, str], data: Path) -> Iterator[tuple[int, str]]:
    """Run `citynerve up` without the simulated lamps; give its process and its database."""
    port = free_port()
    full = {**os.environ, "CITYNERVE_SIMULATE": "false", "CITYNERVE_BROKER_PORT": str(free_port()), **environment}
    command = [sys.executable, "-m", "app", "up", "--port", str(port), "--data", str(data), "--speed", str(SPEED)]
    said = data.parent / "up.log"
    with said.open("wb") as log:
        process = subprocess.Popen(command, env=full, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
    try:
        ready = f"http://127.0.0.1:{port}/health/ready"
        wait(lambda: process.poll() is not None or _answers(ready), 120, "the city does not come up")
        if process.poll() is not None:
            raise RuntimeError(said.read_text(encoding="utf-8"))
        yield process.pid, json.loads((data / "run" / "up.json").read_text(encoding="utf-8"))["database_url"]
    finally:
        process.terminate()
        process.wait(60)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def wait(condition: Callable[[], bool], timeout_s: float, told: str) -> None:
    """Wait, or end the run."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(told)
        time.sleep(0.2)


def play(file: Path, mapping: Path, environment: Mapping[str, str], data: Path) -> dict[str, Any]:
    """Play the file as anyone would; return what the command says, with its CPU."""
    command = [sys.executable, "-m", "app", "play", str(file), "--map", str(mapping), "--data", str(data), "--json"]
    before = os.times()
    done = subprocess.run(command, env={**os.environ, **environment}, cwd=ROOT, capture_output=True, text=True)
    after = os.times()
    if done.returncode:
        raise RuntimeError(done.stderr)
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return {**json.loads(done.stdout), "cpu_s": round(used, 2)}


def measure(file: Path, truth: Truth, database_url: str, run_play: Callable[[], dict[str, Any]], cpu: Cpu) -> Any:
    """Play, watch until everything stands, and hold it against the file."""
    recorded = Recorded(database_url)
    began = time.monotonic()
    played = run_play()
    figures: dict[str, Any] = {"play": played}
    stands = {
        "stored": lambda: recorded.ledger() == truth.ledger,
        "alarms": lambda: recorded.silences()[: len(truth.gaps)] == list(truth.gaps),
        "rollups": lambda: recorded.rolled_up(truth.ledger.stored),
    }
    waiting = dict(stands)
    deadline = time.monotonic() + 400
    while waiting:
        for name in [name for name, condition in waiting.items() if condition()]:
            figures[f"{name}_s"] = round(time.monotonic() - began, 1)
            del waiting[name]
            cpu.look()
        if time.monotonic() > deadline:
            raise RuntimeError(f"{sorted(waiting)} differ from the file: {recorded.ledger()} {recorded.silences()}")
    figures["cpu_s"] = cpu.spent()
    figures["ledger"] = recorded.ledger()._asdict()
    figures["compared"] = equal_sums(recorded, file)
    return figures


def equal_sums(recorded: Recorded, file: Path) -> dict[str, Any]:
    """Compare readings, hours and days with the file's; end the run where they differ."""
    compared = recorded.compare(file)
    if not all(found.equal for found in compared.values()):
        raise RuntimeError(f"the city differs from the file: {compared}")
    return {name: found._asdict() for name, found in compared.items()}


def wait_for_ticket(recorded: Recorded, truth: Truth) -> dict[str, Any]:
    """Wait for the day after which the station counts as silent; return when its ticket came, in city time."""
    wait(lambda: len(recorded.rows(_SQL.ticket)) == 1, 240, "no ticket for the silent station")
    ((raised, opened, state),) = recorded.rows(_SQL.ticket)
    ((received,),) = recorded.rows(_SQL.last_receipt)
    if recorded.silences() != [*truth.gaps, (raised, None)] or len(recorded.tickets()) != 1:
        raise RuntimeError(f"more alarms or tickets than there should be: {recorded.silences()} {recorded.tickets()}")
    after_h = (opened - received).total_seconds() / 3600
    return {"since": raised.isoformat(), "hours_after_last_receipt": round(after_h, 1), "state": state}


def sizes(recorded: Recorded, log_bytes: int | None) -> dict[str, int]:
    """Return bytes on disk."""
    ((engine, _),) = recorded.rows(_SQL.layout)
    (row,) = recorded.rows(_SQL.plain_sizes if engine == "plain" else _SQL.timescale_sizes)
    readings, hours, days, log = row
    return {"readings": readings, "hours": hours, "days": days, "log": log if log_bytes is None else log_bytes}


async def compress(database_url: str) -> None:
    """Do at once what the store's maintenance does every ten minutes."""
    pool = await open_pool(database_url, size=1)
    try:
        while (await maintain(pool, RollupOptions(), SystemClock().now_us())).compressed:
            logger.info("  compressing")
    finally:
        await pool.close()


def one_run(
    file: Path,
    truth: Truth,
    folder: Path,
    engines: tuple[Mapping[str, str], Mapping[int, str], Callable[[], int] | None],
    plot: Path | None,
) -> dict[str, Any]:
    """Play to a fresh city on these engines; return its figures."""
    environment, servers, log_size = engines
    data = folder / "data"
    with started(environment, data) as (up, database_url):
        recorded = Recorded(database_url)

        def pids() -> dict[int, str]:
            backends = {pid: "database" for (pid,) in recorded.rows(_SQL.database_backends)}
            return {**backends, **_roles(up), **servers}

        figures: dict[str, Any] = measure(
            file, truth, database_url, lambda: play(file, MAP, environment, data), Cpu(pids)
        )
        figures["database"] = " ".join(recorded.rows(_SQL.layout)[0])
        figures["bytes"] = sizes(recorded, log_size and log_size())
        if plot is not None:
            draw(recorded, truth, plot)
        figures["ticket"] = wait_for_ticket(recorded, truth)
        if figures["database"].startswith("timescale"):
            asyncio.run(compress(database_url))
            equal_sums(recorded, file)
            figures["bytes_compressed"] = sizes(recorded, log_size and log_size())
    return figures


def main() -> None:
    """Run both sets of engines; without a database server, the embedded one only."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=GIJON)
    parser.add_argument("--database", help="URL of a server where databases may be made: runs Mosquitto and Kafka too")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    truth = read_truth(given.file)
    with tempfile.TemporaryDirectory(prefix="citynerve-air-") as name:
        folder = Path(name, "embedded")
        folder.mkdir()
        logger.info("embedded engines")
        _keep("embedded", one_run(given.file, truth, folder, ({}, {}, None), ROOT / "docs" / "air-station.png"))
        if given.database:
            folder = Path(name, "city-wide")
            folder.mkdir()
            logger.info("Mosquitto, Kafka and a database server")
            with city_wide(folder, given.database) as engines:
                _keep("city-wide", one_run(given.file, truth, folder, engines, None))
    write_page(ROOT / "docs" / "air-station.md", truth, json.loads(FIGURES.read_text(encoding="utf-8")))


def _keep(engines: str, figures: dict[str, Any]) -> None:
    """Write one run's figures at once: the other set of engines keeps what it had."""
    found = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    found[engines] = figures
    FIGURES.write_text(
        json.dumps(dict(sorted(found.items(), key=lambda item: item[0] != "embedded")), indent=1) + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
