"""`citynerve up`: prepares engines, registry and clock, then supervises every process until told to stop."""

import asyncio
import http.client
import logging
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from app import setup
from app.console import Bar
from app.doors import check_broker, check_free
from app.runtime import RESERVE_BYTES, FolderLock, Note, free_bytes, prepare_folder, write_note
from app.settings import Settings
from app.supervisor import Role, Supervisor
from city.errors import CityNerveError, SettingsError
from storage.embedded import EmbeddedPostgres

logger = logging.getLogger(__name__)

Tell = Callable[[str], None]
READY_TIMEOUT_S = 120.0
LOOK_EVERY_S = 0.1
AFTER_A_KILL_S = 10.0
"""The processes of an `up` that was killed end with it, but not in the same moment."""
_HTTP_WAY_OUT = "`make up PORT=8001` (CITYNERVE_PORT)"
_MQTT_WAY_OUT = "CITYNERVE_BROKER_PORT=1884"


def up(settings: Settings, tell: Tell) -> None:
    """Run an installation in the foreground until SIGINT or SIGTERM.

    Raises
    ------
    SettingsError
        Something that only the operator can mend, in one sentence.
    EngineError
        A server that the settings name does not answer.
    """
    data = prepare_folder(settings.data)
    stop = threading.Event()
    with _signals(stop) as signals, ExitStack() as stack:
        try:
            running = _bring_up(settings, data, stack)
        except KeyboardInterrupt:
            tell("stopped before it had started")
            return
        finally:
            signals.wait_for_stop()
        stack.callback(tell, "stopping: what was accepted is kept")
        _watch(running, stop, lambda: _announce(tell, settings, running))
    tell("stopped; start again with the same DATA and it goes on where it ended")


@dataclass(frozen=True, slots=True)
class _Running:
    """What is looked after."""

    data: Path
    note: Note
    prepared: setup.Prepared
    supervisor: Supervisor
    database: EmbeddedPostgres | None


class _Signals:
    """SIGINT and SIGTERM: while we prepare they break off, afterwards they only set `stop`."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._breaks_off = True

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        first, self._breaks_off = self._breaks_off, False
        self._stop.set()
        if first:
            raise KeyboardInterrupt

    def wait_for_stop(self) -> None:
        self._breaks_off = False


@contextmanager
def _signals(stop: threading.Event) -> Iterator[_Signals]:
    handler = _Signals(stop)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield handler
    finally:
        for number, was in before.items():
            signal.signal(number, was)


def _bring_up(settings: Settings, data: Path, stack: ExitStack) -> _Running:
    """Start everything; what must be ended later is on the stack."""
    lock = FolderLock(data)
    stack.callback(lock.release)
    patience_s = AFTER_A_KILL_S if lock.after_a_kill else 0.0
    if settings.mqtt_url is None and settings.broker_password is None:
        settings = settings.model_copy(update={"broker_password": secrets.token_hex(24)})
    check_free(settings.host, settings.port, _HTTP_WAY_OUT, patience_s)
    if settings.mqtt_url is None:
        check_broker(settings)
        check_free(settings.broker_host, settings.broker_port, _MQTT_WAY_OUT, patience_s)
    database = None
    database_url = settings.database_url
    if database_url is None:
        database = EmbeddedPostgres(data / "postgres")
        stack.callback(database.stop)
        database_url = database.start()
    with Bar(quiet=False) as advance:
        prepared = asyncio.run(setup.prepare(settings, database_url, advance))
    mqtt_url = settings.mqtt_url or settings.house_broker_url
    note = Note(os.getpid(), settings.pages_url, mqtt_url, database_url, settings.kafka, settings.kafka_prefix)
    supervisor = _supervise(settings, data, database_url, simulated=prepared.simulated)
    stack.callback(supervisor.stop)
    write_note(data, note)
    supervisor.start()
    return _Running(data, note, prepared, supervisor, database)


def _supervise(settings: Settings, data: Path, database_url: str, *, simulated: bool) -> Supervisor:
    upstream = ["sim"] if simulated and settings.simulate else []
    names = [*upstream, "ingest", "detect", "store", "desk", "api"]
    roles = [
        Role(
            name,
            ("sim",) if name == "sim" else ("run", name),
            {"CITYNERVE_METRICS_PORT": str(settings.metrics_port + number)} if settings.metrics_port else {},
        )
        for number, name in enumerate(names)
    ]
    first = len(upstream) + 1
    shared = settings.model_copy(update={"data": data, "city": settings.city.absolute(), "database_url": database_url})
    return Supervisor(roles[:first], roles[first:], shared.as_environment(), data / "logs")


def _watch(running: _Running, stop: threading.Event, announce: Callable[[], None]) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    announced = False
    while not stop.wait(LOOK_EVERY_S):
        _keep_room(running.data)
        if running.database is not None and running.database.pid is None:
            logger.warning("the embedded database ended, starting it again")
            running.database.stop()
            running.database.start()
        refused = running.supervisor.watch()
        if refused:
            raise SettingsError(refused)
        if not announced and _is_ready(running.note.url):
            announced = True
            announce()
        if not announced and time.monotonic() > deadline:
            told = running.supervisor.troubled() or "this machine may be too slow or too busy"
            raise CityNerveError(
                f"the pages did not come up within {READY_TIMEOUT_S:.0f} s ({told}): read the files in"
                f" {running.data / 'logs'}"
            )


def _keep_room(data: Path, reserve_bytes: int = RESERVE_BYTES) -> None:
    free = free_bytes(data)
    if free < reserve_bytes:
        raise SettingsError(
            f"the disk of {data} is almost full ({free // 2**20} MB left), so everything was stopped before something"
            " could be lost: make room and start again, it goes on where it ended"
        )


def _announce(tell: Tell, settings: Settings, running: _Running) -> None:
    prepared, url = running.prepared, running.note.url
    marked = ", simulated" if prepared.simulated else ""
    tell(f"{prepared.city}{marked}: {prepared.lamps} lamps, {prepared.facilities} facilities; {prepared.clock_told}")
    tell(f"  pages    {url}")
    tell(f"  crew     {url}/crew")
    tell(f"  ledger   {url}/ledger")
    tell(f"  API      {url}/api/v1/openapi.json")
    broker = settings.embedded_broker_url if settings.mqtt_url is None else "the broker of CITYNERVE_MQTT_URL"
    tell(f"  MQTT     {broker}  (topic citynerve/v1/GATEWAY/readings)")
    if settings.mqtt_url is None and not check_broker(settings):
        tell("           each gateway signs in: citynerve credentials create GATEWAY")
        if settings.broker_certificate is None:
            tell("           without TLS: passwords and readings can be read on the way (CITYNERVE_BROKER_CERTIFICATE)")
    tell(f"  logs     {running.data / 'logs'}")
    tell("Ctrl-C stops everything.")


def _is_ready(url: str) -> bool:
    """Ask the pages' process itself; proxies that the environment names are for the world outside."""
    place = url.removeprefix("http://")
    connection = http.client.HTTPConnection(place, timeout=1)
    try:
        # As `localhost`, because `public_hosts` need not have the address on which we ask.
        connection.request("GET", "/health/ready", headers={"Host": "localhost"})
        return connection.getresponse().status == 200
    except (http.client.HTTPException, OSError):
        return False
    finally:
        connection.close()
