"""The supervisor with real processes that are not ours: small scripts stand for the roles."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import processes
from app.supervisor import Role, Supervisor
from city.errors import SettingsError
from tests.app.world import wait_for

SCRIPT = """
import os, signal, sys, time
name, behaviour = sys.argv[1:]
def end(*_):
    with open(os.environ["ORDER"], "a") as order:
        order.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if behaviour == "deaf" else end)
print(name, os.environ.get("EXTRA", ""), os.getpid(), flush=True)
if behaviour == "refuses":
    print("noise\\ncitynerve: choose another port", file=sys.stderr)
    sys.exit(2)
if behaviour == "dies":
    sys.exit(1)
while True:
    time.sleep(60)
"""


class Watched:
    """A supervisor whose children are scripts."""

    def __init__(self, folder: Path) -> None:
        self.logs = folder
        self.order = folder / "order"
        self._script = folder / "script.py"
        self._script.write_text(SCRIPT)
        self.supervisor: Supervisor

    def of(self, *names: str, upstream: int = 1, **behaviours: str) -> Supervisor:
        roles = [Role(name, (name, behaviours.get(name, "serves")), {"EXTRA": name.upper()}) for name in names]
        self.supervisor = Supervisor(
            roles[:upstream],
            roles[upstream:],
            {"ORDER": str(self.order)},
            self.logs,
            command=(sys.executable, str(self._script)),
        )
        return self.supervisor

    def said(self, name: str) -> str:
        path = self.logs / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def wait_until_all_run(self, *names: str) -> None:
        for name in names:
            wait_for(lambda name=name: self.said(name).endswith("\n"), lambda name=name: f"{name} does not run", 20)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    found = Watched(tmp_path)
    yield found
    found.supervisor.stop(0.0)


def test_all_run_with_their_environment_and_their_log(watched: Watched) -> None:
    supervisor = watched.of("first", "second")
    supervisor.start()
    watched.wait_until_all_run("first", "second")
    assert watched.said("first") == f"first FIRST {supervisor.pids['first']}\n"
    assert supervisor.watch() is None


def test_who_writes_first_ends_first(watched: Watched) -> None:
    supervisor = watched.of("first", "second", "third", upstream=2)
    supervisor.start()
    watched.wait_until_all_run("first", "second", "third")
    supervisor.stop()
    assert watched.order.read_text().split() == ["first", "second", "third"]
    assert supervisor.pids == {}


def test_child_that_does_not_end_in_time_is_killed(watched: Watched) -> None:
    supervisor = watched.of("first", "deaf", deaf="deaf")
    supervisor.start()
    watched.wait_until_all_run("first", "deaf")
    pid = supervisor.pids["deaf"]
    supervisor.stop(0.2)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_child_that_died_is_started_again_and_the_others_are_left_alone(watched: Watched) -> None:
    supervisor = watched.of("first", "second")
    supervisor.start()
    watched.wait_until_all_run("first", "second")
    before = supervisor.pids
    os.kill(before["second"], signal.SIGKILL)
    wait_for(
        lambda: supervisor.watch() is None and supervisor.pids.get("second") not in (None, before["second"]), str, 20
    )
    assert supervisor.pids["first"] == before["first"]
    assert supervisor.troubled() is None


def test_child_that_keeps_dying_is_told_and_waits_longer_each_time(watched: Watched) -> None:
    supervisor = watched.of("first", "second", second="dies")
    supervisor.start()
    told = wait_for(lambda: supervisor.watch() or supervisor.troubled(), str, 20)
    assert told.startswith("second keeps ending: second SECOND")
    assert len(watched.said("second").splitlines()) < 10


def test_last_words_of_a_child_that_refuses_its_settings_come_back(watched: Watched) -> None:
    (watched.logs / "second.log").write_text("citynerve: what an earlier run said\n")
    supervisor = watched.of("first", "second", second="refuses")
    supervisor.start()
    assert wait_for(supervisor.watch, str, 20) == "second cannot run: choose another port"


def test_long_log_is_put_aside_at_the_next_start(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.supervisor.LOG_BYTES_MAX", 4)
    (watched.logs / "first.log").write_text("long ago\n")
    supervisor = watched.of("first")
    supervisor.start()
    watched.wait_until_all_run("first")
    assert (watched.logs / "first.log.1").read_text() == "long ago\n"
    assert watched.said("first").startswith("first FIRST")


_PARENT = """
import os, subprocess, sys
code = (
    "import time; from app import processes; processes._die_with_supervisor();"
    " print('ready', flush=True); time.sleep(600)"
)
child = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "CITYNERVE_SUPERVISOR": str(os.getpid())})
print(child.pid, flush=True)
child.wait()
"""


def test_process_dies_with_its_killed_supervisor() -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True, cwd=root) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert parent.stdout.readline() == "ready\n"
        parent.kill()
    wait_for(lambda: not Path("/proc", str(child), "exe").exists(), lambda: f"{child} runs on", 20)


def test_process_whose_supervisor_is_gone_refuses_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITYNERVE_SUPERVISOR", "1")
    monkeypatch.setattr(processes, "_PR_SET_PDEATHSIG", 0)
    with pytest.raises(SettingsError, match="is gone"):
        processes._die_with_supervisor()
