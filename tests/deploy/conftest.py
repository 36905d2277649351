"""The deployment as it is after its first step, in a folder of its own; and a city that runs for real."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.app.world import bare_environment, called, write_pack
from tests.e2e.processes import Process, wait_until
from tests.support.exposition import scrape
from tests.support.fix_postgres import create_database, drop_database
from tests.support.servers import free_port, unavailable

ROOT = Path(__file__).resolve().parents[2]


def tool(name: str) -> str:
    """Return a program of Debian's that the tests need."""
    found = shutil.which(name, path=f"/usr/sbin:/usr/bin:/usr/local/bin:{os.environ.get('PATH', '')}")
    if found is None:
        unavailable(f"no {name}: run tests/support/engines.sh")
    return found


@dataclass(frozen=True)
class Folder:
    """A copy of what is deployed."""

    path: Path

    def prepare(self, *words: str, path: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Run deploy/prepare.sh; `path` is where it finds programs."""
        tool("openssl")
        command = ["sh", str(self.path / "deploy" / "prepare.sh"), *words]
        env = {**os.environ, "PATH": path or os.environ["PATH"]}
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=180, env=env)

    def compose(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run docker-compose, without any setting of ours from outside."""
        command = [tool("docker-compose"), "--profile", "simulation", *words]
        return subprocess.run(
            command, cwd=self.path, env=bare_environment(), capture_output=True, text=True, check=False, timeout=180
        )

    def settings(self) -> dict[str, str]:
        """Return what stands in .env."""
        lines = (self.path / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def copy_deployment(folder: Path) -> Folder:
    """Copy the files that are deployed, without secrets of this machine."""
    for name in ("docker-compose.yml", ".env.example"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "deploy", folder / "deploy", ignore=shutil.ignore_patterns("secrets"))
    return Folder(folder)


@pytest.fixture
def deployment(tmp_path: Path) -> Folder:
    """A copy, not prepared."""
    return copy_deployment(tmp_path)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A prepared copy, for tests that leave it as it is."""
    folder = copy_deployment(tmp_path_factory.mktemp("deployment"))
    done = folder.prepare("broker.example")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def compose(prepared: Folder) -> dict[str, Any]:
    """The compose file as docker-compose understands it."""
    done = prepared.compose("config")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


@dataclass(frozen=True)
class RunningCity:
    """Every process of the small town, and where each tells its metrics."""

    database_url: str
    ports: Mapping[str, int]
    pages_port: int


@pytest.fixture(scope="session")
def running_city(
    postgres_url: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningCity]:
    folder = tmp_path_factory.mktemp("running-city")
    name = "running_city"
    url = create_database(postgres_url, name, template_database)
    roles = {role: ["run", role] for role in ("ingest", "store", "detect", "desk", "api")} | {"sim": ["sim"]}
    ports = {role: free_port() for role in roles}
    env = {
        "CITYNERVE_DATABASE_URL": url,
        "CITYNERVE_CITY": str(write_pack(folder / "city")),
        "CITYNERVE_DATA": str(folder / "data"),
        "CITYNERVE_BROKER_PORT": str(free_port()),
        "CITYNERVE_PORT": str(free_port()),
        "CITYNERVE_SPEED": "60",
    }
    done = called("setup", env=env)
    assert done.returncode == 0, done.stderr
    processes = [
        Process(role, words, {**env, "CITYNERVE_METRICS_PORT": str(ports[role])}, folder)
        for role, words in roles.items()
    ]
    try:
        for process in processes:
            process.start()

        def told() -> str:
            return "\n".join(f"--- {p.name}\n{p.log.read_text()[-1500:]}" for p in processes)

        # What is told only while it works is there once readings are stored and the desk has counted.
        def works() -> bool:
            found = {role: scrape(port) for role, port in ports.items()}
            stored = found["store"].get("citynerve_store_readings_total", [])
            return (
                all("citynerve_city_time_seconds" in one for one in found.values())
                and any(value > 0 for _, value in stored)
                and "citynerve_worker_lag_records" in found["detect"]
                and "citynerve_desk_tickets" in found["desk"]
            )

        wait_until(works, 200, told)
        yield RunningCity(url, ports, int(env["CITYNERVE_PORT"]))
    finally:
        for process in reversed(processes):
            process.stop()
        drop_database(postgres_url, name)
