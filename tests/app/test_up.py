"""`citynerve up` with real processes: it starts, goes on, says what is wrong, and leaves nothing behind."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import up as up_module
from city.errors import SettingsError
from tests.app.world import Up, bare_environment, listens, refusal, wait_for, write_pack
from tests.city.packs import changed
from tests.ingest.credentials.conftest import Client
from tests.support.servers import free_port

LIVE_S = 15.0
"""A second start shows pages and new readings within this time; the tests' limit leaves room for a busy machine."""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One installation for the whole file; a test leaves it running or stopped, the next one takes it as it is."""
    installation = Up(tmp_path_factory.mktemp("up"))
    yield installation
    installation.discard()


@pytest.fixture
def running(up: Up) -> Up:
    if up.ended:
        up.process = None
        up.start_ready()
    return up


def test_up_shows_where_to_look_and_readings_arrive(running: Up) -> None:
    for told in (f"http://127.0.0.1:{running.port}/crew", f"mqtt://127.0.0.1:{running.broker_port}", "simulated"):
        assert told in running.said
    assert wait_for(running.stored, running.words) > 0
    assert running.complained == ""


def test_simulated_gateways_sign_in_where_the_broker_is_open_to_others(tmp_path: Path) -> None:
    open_to_others = Up(tmp_path, CITYNERVE_BROKER_HOST="0.0.0.0")
    try:
        open_to_others.start_ready()
        assert "each gateway signs in: citynerve credentials create" in open_to_others.said
        assert "CITYNERVE_BROKER_CERTIFICATE" in open_to_others.said
        assert wait_for(open_to_others.stored, open_to_others.words) > 0
        made = json.loads(open_to_others.run("credentials", "create", "GW-1", "--json").stdout)
        assert made["login"] == "GW-1"
        stranger = Client(open_to_others.broker_port, None, None)
        assert not stranger.enter()
        stranger.leave()
    finally:
        open_to_others.discard()


def test_second_up_on_the_same_folder_is_refused_and_the_first_is_left_alone(running: Up) -> None:
    told = refusal(running.run("up", "--port", str(free_port())))
    assert running.process is not None
    assert f"already runs on {running.data} (process {running.process.pid}" in told
    assert "citynerve down" in told
    assert "DATA=" in told
    assert running.get("/health/ready")["status"] == "ready"


def test_taken_ports_are_named_with_the_way_out(running: Up, tmp_path: Path) -> None:
    second = Up(tmp_path, CITYNERVE_PORT=str(running.port))
    second.start()
    assert second.process is not None
    assert second.process.wait(60) == 2
    assert second.complained.startswith(f"citynerve: 127.0.0.1:{running.port} is taken")
    assert "PORT=8001" in second.complained
    second = Up(tmp_path, CITYNERVE_BROKER_PORT=str(running.broker_port))
    second.start()
    assert second.process is not None
    assert second.process.wait(60) == 2
    assert "CITYNERVE_BROKER_PORT=1884" in second.complained
    assert second.complained.count("\n") == 1


def test_every_process_that_is_killed_comes_back(running: Up) -> None:
    before = {name: running.role(name) for name in ("sim", "ingest", "store", "detect", "desk", "api")}
    for pid in before.values():
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    for name, pid in before.items():
        wait_for(lambda name=name, pid=pid: running.role(name) not in (None, pid), running.words)
    stored = wait_for(lambda: listens(running.port) and running.stored(), running.words)
    wait_for(lambda: running.stored() > stored, running.words)
    assert running.complained.count("process ended, starting it again") == len(before)


def test_database_that_is_killed_comes_back(running: Up) -> None:
    pid = int((running.data / "postgres" / "cluster" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: "the embedded database ended, starting it again" in running.complained, running.words)

    def stored() -> int:
        try:
            return running.stored()
        except OSError:
            return 0

    before = wait_for(stored, running.words)
    wait_for(lambda: stored() > before, running.words)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stop_leaves_nothing_behind_and_the_next_start_goes_on_where_it_ended(running: Up, number: int) -> None:
    wait_for(running.stored, running.words)
    assert running.end(number) == 0
    assert "stopped; start again" in running.said
    assert running.processes() == {}
    assert not listens(running.port)
    assert not listens(running.broker_port)
    left = {
        path.name for path in running.data.rglob("*") if path.is_socket() or path.name in ("up.json", "postmaster.pid")
    }
    assert left == set()
    began = time.monotonic()
    running.start_ready()
    before = running.stored()
    assert before > 0
    wait_for(lambda: running.stored() > before, running.words)
    assert time.monotonic() - began < 4 * LIVE_S
    wait_for(lambda: running.status()["ledger"]["in_flight"] == 0, running.words)


def test_down_ends_it_and_says_so(running: Up) -> None:
    assert running.process is not None
    done = running.run("down")
    assert (done.returncode, done.stdout) == (0, f"stopped (process {running.process.pid})\n")
    assert running.process.wait(10) == 0
    assert running.processes() == {}
    assert "nothing runs on" in refusal(running.run("down"))
    assert "nothing runs on" in refusal(running.run("status"))


def test_children_end_with_a_killed_up_and_the_next_start_works(running: Up) -> None:
    stored = wait_for(running.stored, running.words)
    assert running.end(signal.SIGKILL) == -signal.SIGKILL
    # At once, without waiting for what the killed one leaves behind.
    running.start_ready()
    assert running.stored() >= stored
    assert all(str(running.role(name)) for name in ("sim", "ingest", "store", "detect", "desk", "api"))
    assert len(running.processes()) == len(set(running.processes().values()))


_ORPHAN = """
import sys, time
from pathlib import Path
from storage import embedded_system
from storage.embedded import EmbeddedPostgres
embedded_system._TOOLS = ""  # as on a system without setpriv
EmbeddedPostgres(Path(sys.argv[1])).start()
print("started", flush=True)
time.sleep(600)
"""


def test_up_takes_over_from_a_database_that_was_left_behind(up: Up) -> None:
    up.discard()
    code = [sys.executable, "-c", _ORPHAN, str(up.data / "postgres")]
    with subprocess.Popen(code, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    orphan = int((up.data / "postgres" / "cluster" / "postmaster.pid").read_text().split()[0])
    os.kill(orphan, 0)
    up.start_ready()
    assert orphan not in up.processes()
    assert "left behind" in up.complained


def test_ctrl_c_while_it_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    early = Up(tmp_path)
    early.start()
    wait_for((early.data / "postgres" / "postgres.log").exists, early.words)
    assert early.end() == 0
    assert early.said.endswith("stopped before it had started\n")
    assert early.complained == ""
    assert early.processes() == {}


def test_child_that_refuses_its_settings_ends_up_with_its_sentence(tmp_path: Path) -> None:
    (tmp_path / "wrong.json").write_text("[{]", encoding="utf-8")
    wrong = Up(tmp_path, CITYNERVE_FAULTS=str(tmp_path / "wrong.json"))
    wrong.start()
    assert wrong.process is not None
    assert wrong.process.wait(60) == 2
    assert wrong.complained.startswith("citynerve: sim cannot run: ")
    assert "wrong.json" in wrong.complained
    assert wrong.complained.count("\n") == 1
    assert wrong.processes() == {}


def test_mistakes_of_a_pack_are_told_by_file_and_line_before_anything_starts(tmp_path: Path) -> None:
    wrong = Up(tmp_path)
    write_pack(wrong.pack, changed("lamps.csv", "L-2,CM-1-A", "L-2,CM-9-A"))
    wrong.start()
    assert wrong.process is not None
    assert wrong.process.wait(60) == 2
    assert "lamps.csv:3: " in wrong.complained
    assert "Traceback" not in wrong.complained
    assert wrong.processes() == {}


def test_file_in_place_of_the_data_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("mine")
    wrong = Up(tmp_path)
    wrong.start()
    assert wrong.process is not None
    assert wrong.process.wait(60) == 2
    assert wrong.complained.startswith(f"citynerve: {tmp_path / 'data'} is a file")
    assert (tmp_path / "data").read_text() == "mine"


def test_data_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    wrong = Up(tmp_path)
    wrong.data.mkdir(mode=0o555)
    command = [str(Path(sys.executable).with_name("citynerve")), "up"]
    if os.geteuid() == 0:
        command = [shutil.which("setpriv") or "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    done = subprocess.run(
        command, env=bare_environment(**wrong.environment), capture_output=True, text=True, cwd="/", check=False
    )
    assert "may not write" in refusal(done)


def test_starting_the_city_loads_no_kernels() -> None:
    """Who may not write beside the program has no place for what Numba compiles, and is told about his folder."""
    code = "import sys, app.up; print(*{m.partition('.')[0] for m in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "numba" not in done.stdout.split()


def test_nearly_full_disk_stops_before_anything_is_lost(tmp_path: Path) -> None:
    up_module._keep_room(tmp_path, 1)
    with pytest.raises(SettingsError, match=r"almost full .* start again, it goes on"):
        up_module._keep_room(tmp_path, 2**62)


def test_other_folders_called_like_our_packages_do_not_disturb(tmp_path: Path) -> None:
    for name in ("app", "city"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('not ours')")
    beside = Up(tmp_path / "sub")
    beside._folder = tmp_path
    with socket.create_server(("127.0.0.1", beside.port)):
        beside.start()
        assert beside.process is not None
        assert beside.process.wait(60) == 2
    assert "is taken" in beside.complained
