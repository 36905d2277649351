"""`citynerve` as an operator runs it: real processes on free ports, a small city, and folders of the test."""

import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any
from unittest import mock

from app.cli import main
from tests.city.packs import SMALL
from tests.support.servers import free_port

COMMAND = str(Path(sys.executable).with_name("citynerve"))
WAIT_S = 60.0


def write_pack(folder: Path, files: Mapping[str, str] = SMALL) -> Path:
    """Write a city pack."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def let_everybody_pass(folder: Path) -> None:
    """Open the way to a folder, as it is where people keep their data; pytest's temporary folders are root's alone."""
    for step in (folder, *folder.parents):
        if not step.stat().st_mode & 0o001:
            step.chmod(step.stat().st_mode | 0o001)


def bare_environment(**more: str) -> dict[str, str]:
    """Return our environment without any setting, and then `more`."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CITYNERVE_")} | more


def citynerve(*words: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Any:
    """Run a command to its end."""
    return subprocess.run(
        [COMMAND, *words],
        env=bare_environment(**(env or {})),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )


def called(*words: str, env: Mapping[str, str] | None = None) -> Any:
    """Run a command within this process, which is fast; return what `citynerve` returns."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        mock.patch.dict(os.environ, bare_environment(**(env or {})), clear=True),
        mock.patch.object(sys, "argv", ["citynerve", *words]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as exc:
            code = exc.code
        finally:
            root.handlers[:] = handlers
            root.setLevel(level)
    return subprocess.CompletedProcess(words, code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())


def refusal(done: Any, code: int = 2) -> str:
    """Return the one sentence of a command that refused; fail where it said anything else."""
    assert done.returncode == code, done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("citynerve: ")
    return str(lines[0])


def wait_for(condition: Callable[[], Any], what: Callable[[], str], timeout_s: float = WAIT_S) -> Any:
    """Wait for a process outside, which has no other way to tell; return what is true at last."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)
    return found


class Up:
    """`citynerve up` on one data folder, again and again."""

    def __init__(self, folder: Path, **environment: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        let_everybody_pass(folder)
        self.data = folder / "data"
        self.pack = write_pack(folder / "city")
        faults = folder / "faults.json"
        faults.write_text("[]", encoding="utf-8")
        self.port, self.broker_port = free_port(), free_port()
        self.environment = {
            "CITYNERVE_PORT": str(self.port),
            "CITYNERVE_BROKER_PORT": str(self.broker_port),
            "CITYNERVE_DATA": str(self.data),
            "CITYNERVE_CITY": str(self.pack),
            "CITYNERVE_SPEED": "600",
            "CITYNERVE_SIM_RESEND_S": "5",
            "CITYNERVE_FAULTS": str(faults),
            **environment,
        }
        self._folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it as the leader of a process group, as a shell does."""
        assert self.process is None
        with (self._folder / "out").open("wb") as out, (self._folder / "err").open("wb") as err:
            self.process = subprocess.Popen(
                [COMMAND, "up"],
                env=bare_environment(**self.environment),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def start_ready(self) -> None:
        """Start it and wait until it says where to look."""
        self.start()
        wait_for(lambda: "Ctrl-C stops everything." in self.said or self.ended, self.words)
        assert not self.ended, self.words()

    @property
    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    @property
    def said(self) -> str:
        return (self._folder / "out").read_text(encoding="utf-8")

    @property
    def complained(self) -> str:
        return (self._folder / "err").read_text(encoding="utf-8")

    def words(self) -> str:
        """Return all that was said, for a test that fails."""
        logs = [f"--- {p.name}\n{p.read_text()[-1000:]}" for p in sorted((self.data / "logs").glob("*.log"))]
        return "\n".join([self.said, self.complained, *logs])

    def end(self, number: int = signal.SIGINT) -> int:
        """Send a signal to the whole group, as a terminal does with Ctrl-C; return the exit code."""
        assert self.process is not None
        process, self.process = self.process, None
        os.killpg(process.pid, number)
        try:
            return process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise

    def discard(self) -> None:
        """End it if a test left it running."""
        if not self.ended:
            with suppress(ProcessLookupError):
                self.end()
        self.process = None

    def run(self, *words: str) -> Any:
        """Run another command on the folder."""
        return citynerve(*words, "--data", str(self.data))

    def status(self) -> dict[str, Any]:
        done = self.run("status", "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def get(self, path: str) -> Any:
        """Return an answer of the API."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.load(answer)

    def stored(self) -> int:
        """Return how many readings the public ledger says are stored."""
        return sum(row["stored"] for row in self.get("/api/v1/ledger?limit=1000")["items"])

    def processes(self) -> dict[int, str]:
        """Return every process that works on the folder: what it runs, by pid."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                told = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            except OSError:
                continue
            if os.fsencode(self.data) in told:
                words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
                found[int(folder.name)] = " ".join(words)
        return found

    def role(self, name: str) -> int | None:
        """Return the process of a role."""
        ending = "app sim" if name == "sim" else f"app run {name}"
        return next((pid for pid, words in self.processes().items() if words.strip().endswith(ending)), None)


def listens(port: int) -> bool:
    """Tell whether somebody listens on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
