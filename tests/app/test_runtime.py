import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app import runtime
from app.runtime import (
    FolderLock,
    Note,
    attached,
    is_running,
    prepare_folder,
    read_note,
    running,
    running_pid,
    write_note,
)
from city.errors import SettingsError

NOTE = Note(os.getpid(), "http://127.0.0.1:8000", "mqtt://127.0.0.1:1883", "postgresql:///x", "k:9092", "prefix.")


def test_folder_is_made_and_told_by_its_full_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert prepare_folder(Path("a/b")) == tmp_path / "a" / "b"
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == ["logs", "run"]
    assert [path.name for path in (tmp_path / "a" / "b" / "run").iterdir()] == ["lock"]


@pytest.mark.parametrize("place", ["file", "file/below", "has-file"])
def test_file_in_the_way_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "has-file").mkdir()
    (tmp_path / "has-file" / "logs").write_text("mine")
    with pytest.raises(SettingsError, match=f"{place} is a file or lies in one: choose a folder"):
        prepare_folder(tmp_path / place)


def test_disk_without_room_is_refused_with_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "free_bytes", lambda _: 5 * 2**20)
    with pytest.raises(SettingsError, match=r"only 5 MB are free on the disk of .*, 4096 MB are needed: make room"):
        prepare_folder(tmp_path, 2**32)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (errno.ENOSPC, "disk of .* is full: make room"),
        (errno.EDQUOT, "disk of .* is full: make room"),
        (errno.EROFS, "may not write to .*: give it the right"),
        (errno.EACCES, "may not write to .*: give it the right"),
        (errno.ENAMETOOLONG, "cannot be used .*: choose another folder"),
        (errno.EIO, "cannot be used .*: choose another folder"),
    ],
)
def test_what_the_system_says_of_the_folder_becomes_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, told: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(SettingsError, match=told):
        prepare_folder(tmp_path)


def test_folder_has_one_up_at_a_time_and_the_other_is_told_who(tmp_path: Path) -> None:
    data = prepare_folder(tmp_path)
    lock = FolderLock(data)
    assert is_running(data)
    assert running_pid(data) == os.getpid()
    with pytest.raises(SettingsError, match=rf"already runs on {data} \(process {os.getpid()}\): stop it with"):
        FolderLock(data)
    write_note(data, NOTE)
    with pytest.raises(SettingsError, match=rf"\(process {os.getpid()}, http://127.0.0.1:8000\)"):
        FolderLock(data)
    assert running(data) == NOTE
    lock.release()
    assert not is_running(data)
    FolderLock(data).release()


_KILLED = """
import os, signal, sys
from pathlib import Path
from app.runtime import FolderLock, Note, prepare_folder, write_note
data = prepare_folder(Path(sys.argv[1]))
lock = FolderLock(data)
write_note(data, Note(os.getpid(), "u", "m", "d"))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_lock_and_note_of_a_killed_up_bar_nobody_and_are_taken_for_nobodys(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -9
    assert read_note(tmp_path) is not None
    with pytest.raises(SettingsError, match="nothing runs on"):
        running(tmp_path)
    lock = FolderLock(tmp_path)
    assert lock.after_a_kill
    with pytest.raises(SettingsError, match="is starting or stopping"):
        running(tmp_path)
    lock.release()
    again = FolderLock(tmp_path)
    assert not again.after_a_kill
    again.release()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": 1, "other": 2}'])
def test_note_that_makes_no_sense_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "up.json").write_text(text)
    assert read_note(tmp_path) is None


def test_note_is_for_its_owner_alone(tmp_path: Path) -> None:
    write_note(prepare_folder(tmp_path), NOTE)
    assert (tmp_path / "run" / "up.json").stat().st_mode & 0o077 == 0


def test_commands_use_the_engines_of_the_running_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CITYNERVE_DATABASE_URL", "CITYNERVE_MQTT_URL", "CITYNERVE_KAFKA"):
        monkeypatch.delenv(name, raising=False)
    lock = FolderLock(prepare_folder(tmp_path))
    write_note(tmp_path, NOTE)
    settings = attached(tmp_path, seed=7)
    assert (settings.database_url, settings.mqtt_url) == (NOTE.database_url, NOTE.mqtt_url)
    assert (settings.kafka, settings.kafka_prefix, settings.seed) == (NOTE.kafka, NOTE.kafka_prefix, 7)
    lock.release()
    monkeypatch.setenv("CITYNERVE_DATABASE_URL", "postgresql://elsewhere/x")
    assert attached(tmp_path).database_url == "postgresql://elsewhere/x"
