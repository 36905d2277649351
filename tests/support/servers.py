"""What the fixtures of real servers share: they start on free loopback ports and end with the test run."""

import os
import queue
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, NoReturn

import pytest

CACHE = Path(__file__).resolve().parents[2] / ".cache"


def unavailable(reason: str) -> NoReturn:
    """End the test because a server cannot be had: skip it on a laptop, fail it in CI."""
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(f"{reason} (CI needs it)", pytrace=False)
    pytest.skip(reason)


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path, timeout_s: float = 60.0) -> None:
    """Wait until a server listens; say what it said if it ended instead."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"server ended with {process.returncode}:\n{log.read_text()[-3000:]}")
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise RuntimeError(f"server did not listen within {timeout_s} s:\n{log.read_text()[-3000:]}")


def spawn(command: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a server that the kernel kills when the test run dies, however it dies.

    The kernel's death signal follows the thread that made the child; a thread that stays makes it.
    """
    tool = shutil.which("setpriv")
    prefix = [tool, "--pdeathsig", "KILL", "--"] if tool else []
    made: queue.SimpleQueue[subprocess.Popen[bytes] | OSError] = queue.SimpleQueue()

    def spawn_and_wait() -> None:
        try:
            process = subprocess.Popen(
                [*prefix, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        except OSError as exc:
            made.put(exc)
            return
        made.put(process)
        process.wait()

    threading.Thread(target=spawn_and_wait, daemon=True).start()
    result = made.get()
    if isinstance(result, OSError):
        raise result
    return result


class Server:
    """A server that a test may kill and start again on the same port and folder."""

    def __init__(self, folder: Path, port: int, command: Callable[[], Sequence[str]]) -> None:
        self.port = port
        self._folder = folder
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self._folder / "server.log"

    @property
    def pid(self) -> int:
        assert self._process is not None, "it does not run"
        return self._process.pid

    def start(self) -> None:
        assert self._process is None, "it runs already"
        with self.log.open("ab") as log:
            process = spawn(self._command(), log)
        wait_for_port(self.port, process, self.log)
        self._process = process

    def ensure_started(self) -> None:
        """Start it if a test left it dead."""
        if self._process is None:
            self.start()

    def kill(self) -> None:
        """SIGKILL: no goodbye, nothing written down."""
        assert self._process is not None, "it does not run"
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self, timeout_s: float = 10.0) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
