"""The process in which codecs run (`ingest.sandbox`), seen from ingest: asked with a time limit, and killed past it."""

import json
import logging
import os
import select
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from time import clock_gettime, monotonic
from typing import Any

logger = logging.getLogger(__name__)

_SCRIPT = str(Path(__file__).with_name("sandbox.py"))
_START_S = 5.0
_START_AGAIN_S = 30.0


class NoProcessError(Exception):
    """The process does not start; it is tried again after some seconds."""


class TookTooLongError(Exception):
    """No answer came in time; the process is gone with all that it held.

    Attributes
    ----------
    used_s : float
        CPU that it used meanwhile.
    """

    def __init__(self, used_s: float) -> None:
        super().__init__("no answer")
        self.used_s = used_s


class CodecProcess:
    """The sandbox's process, started when it is first needed and again after it had to be killed.

    Attributes
    ----------
    sent : set of str
        Names of the codecs whose text it has.
    """

    def __init__(self) -> None:
        self.sent: set[str] = set()
        self._running: subprocess.Popen[bytes] | None = None
        self._end: Callable[[], object] = lambda: None
        self._next_start = float("-inf")

    def ask(self, request: dict[str, Any], answer_s: float, patience_s: float) -> dict[str, Any]:
        """Return the answer to one request.

        Parameters
        ----------
        answer_s : float
            Of the process's CPU: where a machine is busy, it is not the codec that takes long.
        patience_s : float
            Of the clock.

        Raises
        ------
        TookTooLongError
            It took longer than either.
        ConnectionError
            The process died.
        NoProcessError
            There is no process, and none could be started.
        """
        if self._running is None:
            self._start()
        return self._exchange(request, answer_s, patience_s)

    def _exchange(self, request: dict[str, Any], answer_s: float, patience_s: float) -> dict[str, Any]:
        running = self._running
        assert running is not None
        assert running.stdin is not None
        assert running.stdout is not None
        deadline, cpu_s = monotonic() + patience_s, _cpu_s(running.pid)
        asked, answer = memoryview(json.dumps(request).encode() + b"\n"), bytearray()
        try:
            while not answer.endswith(b"\n"):
                waiting = select.poll()
                waiting.register(*((running.stdin, select.POLLOUT) if asked else (running.stdout, select.POLLIN)))
                if not waiting.poll(min(answer_s, patience_s) * 1000):
                    used_s = _cpu_s(running.pid) - cpu_s
                    if used_s >= 0.9 * answer_s or monotonic() >= deadline:
                        raise TookTooLongError(used_s)
                elif asked:
                    asked = asked[os.write(running.stdin.fileno(), asked[: select.PIPE_BUF]) :]
                elif part := os.read(running.stdout.fileno(), 65_536):
                    answer += part
                else:
                    raise ConnectionError("the process ended")
        except TookTooLongError:
            self.end()
            raise
        except OSError as exc:
            self.end()
            raise ConnectionError("the process ended") from exc
        told: dict[str, Any] = json.loads(answer)
        return told

    def _start(self) -> None:
        """Start the process and wait for its first word; after a failure, not again for some seconds."""
        now = monotonic()
        if now < self._next_start:
            raise NoProcessError
        try:
            running = subprocess.Popen(  # noqa: S603 - our own script, on our own interpreter
                [sys.executable, "-I", "-B", _SCRIPT],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"TZ": "UTC", "LC_ALL": "C.UTF-8"},
                cwd="/",
                # What interrupts us must not interrupt it: it is asked for the last messages, too.
                start_new_session=True,
            )
            self._running = running
            self._end = weakref.finalize(self, _kill, running)
            self._exchange({}, _START_S, _START_S)
        except (OSError, TookTooLongError) as exc:
            self.end()
            self._next_start = now + _START_AGAIN_S
            logger.error("the process for codecs does not start: is memory short?", extra={"reason": str(exc)[:200]})
            raise NoProcessError from exc

    def end(self) -> None:
        """Kill the process, if there is one."""
        self._running = None
        self.sent.clear()
        self._end()


def _cpu_s(pid: int) -> float:
    """Return the CPU that a process has used, in seconds; where the system keeps no such clock, the time."""
    try:
        return clock_gettime(~pid << 3 | 2)  # As clock_getcpuclockid(3) makes it on Linux; Python has no name for it.
    except OSError:
        return monotonic()


def _kill(running: "subprocess.Popen[bytes]") -> None:
    running.kill()
    for pipe in (running.stdin, running.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                continue  # What could not be written before has nobody left to read it.
    running.wait()
