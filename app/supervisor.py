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


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of process.

    Attributes
    ----------
    arguments : tuple of str
        What follows `citynerve`.
    environment : mapping
        What differs from the environment that all share.
    """

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Child:
    """One process of ours."""

    role: Role
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    start_after: float = 0.0
    said_before: int = 0


class Supervisor:
    """Keeps one process of each role running.

    Children run in sessions of their own, so that Ctrl-C reaches only us and they end in our order: who writes
    first ends first, and each is given time to finish what it accepted.

    Parameters
    ----------
    upstream : sequence of Role
        In the order in which readings pass them; ended one after the other.
    others : sequence of Role
        Ended together, after those upstream. All start in the opposite order: who reads is there before who writes.
    command : sequence of str
        The program.
    """

    def __init__(
        self,
        upstream: Sequence[Role],
        others: Sequence[Role],
        environment: Mapping[str, str],
        logs: Path,
        # -P: a folder called `app` or `city` in the current folder is not ours.
        command: Sequence[str] = (sys.executable, "-P", "-m", "app"),
    ) -> None:
        self._upstream = [Child(role) for role in upstream]
        self._others = [Child(role) for role in others]
        self._children = [*reversed(self._others), *reversed(self._upstream)]
        self._environment = {**os.environ, **environment, "CITYNERVE_SUPERVISOR": str(os.getpid())}
        self._logs = logs
        self._command = tuple(command)

    @property
    def pids(self) -> dict[str, int]:
        """Return the processes that run now, by role."""
        return {
            c.role.name: c.process.pid for c in self._children if c.process is not None and c.process.poll() is None
        }

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
                if code == SETTINGS_EXIT:
                    return f"{child.role.name} cannot run: {self._last_words(child)}"
                child.failures = 0 if now - child.started_at > STEADY_S else child.failures + 1
                child.start_after = now + min(0.1 * 2**child.failures, 10.0)
                logger.warning(
                    "process ended, starting it again",
                    extra={"role": child.role.name, "exit": code, "log": str(self._log_of(child))},
                )
            if child.process is None and now >= child.start_after:
                self._start(child)
        return None

    def troubled(self) -> str | None:
        """Return what a child that keeps dying said last, None where none does."""
        for child in self._children:
            if child.failures > 1:
                return f"{child.role.name} keeps ending: {self._last_words(child)}"
        return None

    def stop(self, timeout_s: float = 20.0) -> None:
        """End all in their order and wait for them; who does not end in time is killed."""
        for child in self._upstream:
            self._end([child], timeout_s)
        self._end(self._others, timeout_s)

    def _end(self, children: Sequence[Child], timeout_s: float) -> None:
        running = [c for c in children if c.process is not None and c.process.poll() is None]
        for child in running:
            assert child.process is not None
            child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + timeout_s
        for child in running:
            assert child.process is not None
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.warning("process did not end in time, killed", extra={"role": child.role.name})
                child.process.kill()
                child.process.wait()

    def _start(self, child: Child) -> None:
        path = self._log_of(child)
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as log:
            child.said_before = log.tell()
            child.process = subprocess.Popen(  # noqa: S603 - our own program and arguments
                [*self._command, *child.role.arguments],
                env={**self._environment, **child.role.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        child.started_at = time.monotonic()

    def _log_of(self, child: Child) -> Path:
        return self._logs / f"{child.role.name}.log"

    def _last_words(self, child: Child) -> str:
        """Return the last line of the newest run, without what marks it as ours."""
        with self._log_of(child).open("rb") as log:
            log.seek(child.said_before)
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1].removeprefix("citynerve: ") if lines else f"it said nothing, see {self._log_of(child)}"
