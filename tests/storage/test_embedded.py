import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from city.errors import SettingsError
from storage import embedded_system as system
from storage.embedded import EmbeddedOptions, EmbeddedPostgres, running_url

ROOT = Path(__file__).resolve().parents[2]

_SUPERVISOR = """
import sys, time
from pathlib import Path
from storage import embedded_system
from storage.embedded import EmbeddedPostgres
if sys.argv[2] == "orphan":
    embedded_system._TOOLS = ""  # as on a system without setpriv
server = EmbeddedPostgres(Path(sys.argv[1]))
print(server.start(), server.pid, flush=True)
time.sleep(600)
"""


@contextlib.contextmanager
def supervisor(folder: Path, mode: str = "") -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """Run the server under another process; give that process, the server's URL and its pid."""
    with subprocess.Popen(
        [sys.executable, "-c", _SUPERVISOR, str(folder), mode], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            assert process.stdout is not None
            url, pid = process.stdout.readline().split()
            yield process, url, int(pid)
        finally:
            process.kill()


def write(url: str, value: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (value integer)")
        connection.execute("INSERT INTO kept VALUES (%s)", (value,))


def read(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT value FROM kept ORDER BY value")]


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 30
    while Path("/proc", str(pid)).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path("/proc", str(pid)).exists()


def test_what_was_written_is_there_after_stop_and_start(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "database")
    write(server.start(), 1)
    server.stop()
    server.stop()
    write(server.start(), 2)
    assert read(server.url) == [1, 2]
    pid = server.pid
    server.stop()
    assert pid is not None
    assert server.pid is None
    assert not Path("/proc", str(pid)).exists()


def test_server_listens_on_its_socket_only_and_flushes_to_disk(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server, psycopg.connect(server.url) as connection:
        names = ("listen_addresses", "fsync", "full_page_writes", "synchronous_commit")
        assert [connection.execute(f"SHOW {name}").fetchone() for name in names] == [("",), ("on",), ("on",), ("on",)]  # type: ignore[arg-type]
        assert connection.execute("SELECT lower('ÑÁ')").fetchone() == ("ñá",)
        assert (tmp_path / "run").stat().st_mode & 0o077 == 0


def test_other_processes_find_the_running_server(tmp_path: Path) -> None:
    assert running_url(tmp_path) is None
    with EmbeddedPostgres(tmp_path) as server:
        assert running_url(tmp_path) == server.url
    assert running_url(tmp_path) is None


def test_folder_in_use_by_a_living_process_is_refused_by_its_number(tmp_path: Path) -> None:
    with supervisor(tmp_path) as (process, url, _):
        with pytest.raises(SettingsError, match=rf"in use by process {process.pid}.*choose another"):
            EmbeddedPostgres(tmp_path).start()
        write(url, 1)


def test_server_ends_with_its_killed_supervisor_and_what_was_committed_stays(tmp_path: Path) -> None:
    with supervisor(tmp_path) as (process, url, pid):
        write(url, 1)
        process.kill()
        process.wait()
        wait_for_end(pid)
    with EmbeddedPostgres(tmp_path) as server:
        assert read(server.url) == [1]


def test_orphan_of_a_killed_supervisor_is_stopped_before_the_next_start(tmp_path: Path) -> None:
    with supervisor(tmp_path, "orphan") as (process, url, pid):
        write(url, 1)
        process.kill()
        process.wait()
    assert Path("/proc", str(pid)).exists()
    with EmbeddedPostgres(tmp_path) as server:
        assert not system.is_postmaster(pid, tmp_path / "cluster")
        assert read(server.url) == [1]


def test_killed_server_recovers_at_the_next_start(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    url = server.start()
    write(url, 1)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    with EmbeddedPostgres(tmp_path) as again:
        assert read(again.url) == [1]


def test_pid_file_that_names_a_stranger_is_ignored_and_the_stranger_left_alone(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    write(server.start(), 1)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    pid_file = tmp_path / "cluster" / "postmaster.pid"
    with subprocess.Popen(["sleep", "600"]) as stranger:
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]))
        with EmbeddedPostgres(tmp_path) as again:
            assert read(again.url) == [1]
        assert stranger.poll() is None
        stranger.kill()


def test_half_made_cluster_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "cluster.new" / "base").mkdir(parents=True)
    with EmbeddedPostgres(tmp_path) as server:
        write(server.url, 1)
    assert not (tmp_path / "cluster.new").exists()


def test_path_too_long_for_a_socket_gets_one_elsewhere_that_does_not_stay(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 20) / "a, b 'c' ñ"
    server = EmbeddedPostgres(folder)
    write(server.start(), 1)
    assert server._socket_folder is not None
    elsewhere = server._socket_folder
    assert elsewhere.stat().st_mode & 0o077 == 0
    assert running_url(folder) == server.url
    server.stop()
    assert not elsewhere.exists()


def test_folder_name_may_hold_spaces_and_quotes(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "a 'b' ñ%") as server:
        write(server.url, 1)
        assert read(server.url) == [1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission_says_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SettingsError, match=r"no permission to write.*choose another"):
        EmbeddedPostgres(tmp_path / "database").start()


def test_folder_that_is_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="not a folder that citynerve made"):
        EmbeddedPostgres(tmp_path / "file").start()


def test_cluster_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster" / "letter.txt").write_text("dear")
    with pytest.raises(SettingsError, match="not a folder that citynerve made"):
        EmbeddedPostgres(tmp_path).start()
    assert (tmp_path / "cluster" / "letter.txt").read_text() == "dear"


def test_disk_with_too_little_room_says_so_and_lets_go_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"MiB are free.*make room"):
        EmbeddedPostgres(tmp_path, EmbeddedOptions(free_bytes_min=1 << 60)).start()
    with EmbeddedPostgres(tmp_path):
        pass


def test_data_of_another_version_says_so(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path):
        pass
    (tmp_path / "cluster" / "PG_VERSION").write_text("11\n")
    with pytest.raises(SettingsError, match="another version of PostgreSQL"):
        EmbeddedPostgres(tmp_path).start()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('FATAL:  could not write lock file "postmaster.pid": No space left on device', "disk of /data is full"),
        ("initdb: error: could not create directory: Permission denied", "no permission to write in /data"),
        ("LOG:  starting\nFATAL:  bogus data in lock file\n", "does not start: FATAL:  bogus data in lock file; see"),
    ],
)
def test_what_the_server_said_becomes_one_sentence(said: str, told: str) -> None:
    assert told in str(system.explain(said, Path("/data"), Path("/data/postgres.log")))
