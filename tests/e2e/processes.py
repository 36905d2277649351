"""An installation as real processes that a test starts, kills and starts again."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Process:
    """One `citynerve` process."""

    def __init__(self, name: str, arguments: list[str], environment: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self._arguments = arguments
        self._environment = {**os.environ, **environment}
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app", *self._arguments],
                env=self._environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        assert self._process is not None
        assert self._process.poll() is None, f"{self.name} ended by itself:\n{self.log.read_text()[-3000:]}"
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None


class Installation:
    """All processes of one city."""

    def __init__(self, environment: Mapping[str, str], folder: Path, *, roles: tuple[str, ...]) -> None:
        commands = {role: ["run", role] for role in roles} | {"sim": ["sim"]}
        self.processes = {name: Process(name, words, environment, folder) for name, words in commands.items()}
        self._folder = folder

    def __enter__(self) -> "Installation":
        for name, process in self.processes.items():
            if name != "sim":
                process.start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes.values()):
            process.stop()

    def words(self) -> str:
        """Return the end of every log, for a test that fails."""
        return "\n".join(f"--- {n}\n{p.log.read_text()[-1500:]}" for n, p in self.processes.items() if p.log.exists())


def kill_at_random(
    installation: Installation,
    seed: int,
    kills: int,
    pause_s: tuple[float, float],
    between: Mapping[int, Callable[[], None]],
) -> list[str]:
    """Kill a random process again and again, and start it anew at once; return their names.

    `between` holds what else happens before the kill of that number.
    """
    chance = random.Random(seed)
    names = sorted(installation.processes)
    killed = []
    for number in range(kills):
        time.sleep(chance.uniform(*pause_s))
        between.get(number, lambda: None)()
        # Everyone is killed at least once; chance decides the rest.
        name = names[number] if number < len(names) else chance.choice(names)
        installation.processes[name].kill()
        installation.processes[name].start()
        killed.append(name)
    return killed


def wait_until(condition: Callable[[], bool], timeout_s: float, told: Callable[[], str]) -> None:
    """Wait for a state of the outside world, which has no other way to tell."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.25)
