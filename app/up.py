"""`citynerve up`: prepares engines, registry and clock, then supervises every process until told to stop."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from app import setup
from app.runtime import FolderLock, Note, prepare_folder, write_note
from app.settings import Settings
from app.supervisor import Supervisor
from city.errors import SettingsError
from storage.embedded import EmbeddedPostgres

logger = logging.getLogger(__name__)

Tell = Callable[[str], None]
READY_TIMEOUT_S = 60.0


def up(settings: Settings, tell: Tell) -> None:
    """Run an installation in the foreground until SIGINT or SIGTERM.

    Raises
    ------
    SettingsError
        Something that only the operator can mend, in one sentence.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    data = prepare_folder(settings.data)
    with ExitStack() as stack:
        lock = FolderLock(data)
        stack.callback(lock.release)
        _check_ports(settings)
        warming = _start_warming()
        stack.callback(_end, warming)
        database_url = settings.database_url
        if database_url is None:
            database_url = stack.enter_context(EmbeddedPostgres(data / "postgres")).url
        prepared = asyncio.run(setup.prepare(settings, database_url))
        if _wait_for(warming, stop):
            return
        supervisor = _supervise(settings, data, database_url, simulated=prepared.simulated)
        mqtt_url = settings.mqtt_url or settings.embedded_broker_url
        url = f"http://{settings.host}:{settings.port}"
        write_note(data, Note(os.getpid(), url, mqtt_url, database_url))
        supervisor.start()
        stack.callback(supervisor.stop)
        stack.callback(tell, "stopping: what was accepted is kept")
        _watch(supervisor, stop, url, lambda: _announce(tell, settings, prepared, url, mqtt_url, data))
    tell("stopped; start again with the same DATA and it goes on where it ended")


def _supervise(settings: Settings, data: Path, database_url: str, *, simulated: bool) -> Supervisor:
    roles: list[tuple[str, tuple[str, ...]]] = [(r, ("run", r)) for r in ("ingest", "store", "detect", "desk", "api")]
    if simulated and settings.simulate:
        roles.insert(0, ("sim", ("sim",)))
    environment = {
        "CITYNERVE_DATABASE_URL": database_url,
        "CITYNERVE_DATA": str(data),
        "CITYNERVE_CITY": str(settings.city),
        "CITYNERVE_HOST": settings.host,
        "CITYNERVE_PORT": str(settings.port),
        "CITYNERVE_BROKER_HOST": settings.broker_host,
        "CITYNERVE_BROKER_PORT": str(settings.broker_port),
        "CITYNERVE_PUBLIC_HOSTS": settings.public_hosts,
        "CITYNERVE_SEED": str(settings.seed),
        "CITYNERVE_LOG_LEVEL": settings.log_level,
        "CITYNERVE_LOG_FORMAT": settings.log_format,
    }
    return Supervisor(roles, environment, data / "logs")


def _watch(supervisor: Supervisor, stop: threading.Event, url: str, announce: Callable[[], None]) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    announced = False
    while not stop.wait(0.2):
        refused = supervisor.watch()
        if refused:
            raise SettingsError(refused)
        if not announced and _is_ready(url):
            announced = True
            announce()
        if not announced and time.monotonic() > deadline:
            raise SettingsError(f"the pages did not come up within {READY_TIMEOUT_S:.0f} s: read the files under logs/")


def _announce(tell: Tell, settings: Settings, prepared: setup.Prepared, url: str, mqtt_url: str, data: Path) -> None:
    marked = ", simulated" if prepared.simulated else ""
    tell(f"{prepared.city}{marked}: {prepared.lamps} lamps, {prepared.facilities} facilities; {prepared.clock_told}")
    tell(f"  pages    {url}")
    tell(f"  crew     {url}/crew")
    tell(f"  ledger   {url}/ledger")
    tell(f"  API      {url}/api/v1/openapi.json")
    tell(f"  MQTT     {mqtt_url}  (topic citynerve/v1/GATEWAY/readings)")
    tell(f"  logs     {data / 'logs'}")
    tell("Ctrl-C stops everything.")


def _check_ports(settings: Settings) -> None:
    wanted = [(settings.host, settings.port, "make up PORT=8001, or CITYNERVE_PORT")]
    if settings.mqtt_url is None:
        wanted.append((settings.broker_host, settings.broker_port, "CITYNERVE_BROKER_PORT=1884"))
    for host, port, way_out in wanted:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as exc:
                raise SettingsError(
                    f"cannot listen on {host}:{port} ({exc.strerror}): stop what uses it, or choose another with"
                    f" {way_out}"
                ) from exc


def _start_warming() -> subprocess.Popen[bytes]:
    """Compile the kernels into their cache before any worker loads them: the cache takes one writer at a time."""
    return subprocess.Popen([sys.executable, "-m", "app", "warm"], start_new_session=True)


def _wait_for(process: subprocess.Popen[bytes], stop: threading.Event) -> bool:
    """Wait for the kernels; return True if told to stop meanwhile."""
    while process.poll() is None:
        if stop.wait(0.05):
            return True
    if process.returncode != 0:
        raise SettingsError("the detection kernels could not be compiled: run `citynerve warm` to see why")
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=1) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
