"""`citynerve up`: every process of an installation beside its embedded engines, started, watched and stopped."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

logger = logging.getLogger(__name__)

SETTINGS_EXIT = 2
LOG_BYTES_MAX = 16 * 2**20
STEADY_S = 30.0
"""A child that ran this long is started again at once; one that keeps dying waits longer each time."""


@dataclass(slots=True)
class Child:
    """One process of ours."""

    role: str
    arguments: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    start_after: float = 0.0
    exits: list[int] = field(default_factory=list)


class Supervisor:
    """Keeps one process of each role running.

    Children run in sessions of their own, so that Ctrl-C reaches only us and they end in our order: who writes
    first ends first, and each is given time to finish what it accepted.
    """

    def __init__(
        self, roles: Sequence[tuple[str, tuple[str, ...]]], environment: Mapping[str, str], logs: Path
    ) -> None:
        self._children = [Child(role, arguments) for role, arguments in roles]
        self._environment = {**os.environ, **environment, "CITYNERVE_SUPERVISOR": str(os.getpid())}
        self._logs = logs

    @property
    def pids(self) -> dict[str, int]:
        """Return the processes that run now, by role."""
        return {c.role: c.process.pid for c in self._children if c.process is not None and c.process.poll() is None}

    def start(self) -> None:
        """Start all."""
        for child in self._children:
            self._start(child)

    def watch(self) -> str | None:
        """Start again what died; return the last words of a child that refused its settings, None while all is well."""
        now = time.monotonic()
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                code = child.process.returncode
                child.process = None
                child.exits.append(code)
                if code == SETTINGS_EXIT:
                    return f"{child.role} cannot run: {self._last_words(child)}"
                child.failures = 0 if now - child.started_at > STEADY_S else child.failures + 1
                child.start_after = now + min(0.2 * 2**child.failures, 10.0)
                logger.warning(
                    "process ended, starting it again",
                    extra={"role": child.role, "exit": code, "log": str(self._log_of(child))},
                )
            if child.process is None and now >= child.start_after:
                self._start(child)
        return None

    def stop(self, timeout_s: float = 20.0) -> None:
        """End all, one after the other, in the order in which they were given."""
        for child in self._children:
            process = child.process
            if process is None or process.poll() is not None:
                continue
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                logger.warning("process did not end in time, killed", extra={"role": child.role})
                process.kill()
                process.wait()

    def _start(self, child: Child) -> None:
        path = self._log_of(child)
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as log:
            child.process = subprocess.Popen(  # noqa: S603 - our own program and arguments
                [sys.executable, "-m", "app", *child.arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        child.started_at = time.monotonic()

    def _log_of(self, child: Child) -> Path:
        return self._logs / f"{child.role}.log"

    def _last_words(self, child: Child) -> str:
        lines = self._log_of(child).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
