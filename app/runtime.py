"""What `up` notes in its data folder so that other commands find it, and the lock that keeps a second one out."""

import fcntl
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from city.errors import SettingsError

FREE_BYTES_MIN = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Note:
    """Where a running installation answers."""

    pid: int
    url: str
    mqtt_url: str
    database_url: str


def prepare_folder(data: Path) -> Path:
    """Make the data folder and return its absolute path.

    Raises
    ------
    SettingsError
        Not a folder, not writable, or no room.
    """
    data = data.expanduser().absolute()
    try:
        (data / "logs").mkdir(parents=True, exist_ok=True)
        (data / "run").mkdir(exist_ok=True)
        probe = data / "run" / f"probe-{os.getpid()}"
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except (FileExistsError, NotADirectoryError) as exc:
        raise SettingsError(f"{data} is a file, not a folder: choose another with DATA=… or --data") from exc
    except OSError as exc:
        raise SettingsError(
            f"cannot write to {data} ({exc.strerror}): give this user the right to, or choose another with DATA=…"
        ) from exc
    free = shutil.disk_usage(data).free
    if free < FREE_BYTES_MIN:
        raise SettingsError(
            f"only {free // 2**20} MB are free under {data}, {FREE_BYTES_MIN // 2**20} MB are needed: make room, or"
            " choose another disk with DATA=…"
        )
    return data


class FolderLock:
    """Held by the one `up` of a data folder; the kernel lets go when its process dies, however it dies."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._file: IO[str] = (data / "run" / "lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            note = read_note(data)
            who = f" (process {note.pid}, {note.url})" if note else ""
            raise SettingsError(
                f"citynerve already runs on {data}{who}: stop it with `citynerve down`, or choose another folder with"
                " DATA=…"
            ) from None

    def release(self) -> None:
        """Let another `up` in."""
        (self._data / "run" / "up.json").unlink(missing_ok=True)
        self._file.close()


def is_running(data: Path) -> bool:
    """Tell whether an `up` holds the folder's lock now."""
    path = data / "run" / "lock"
    if not path.exists():
        return False
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def write_note(data: Path, note: Note) -> None:
    """Tell other commands where we are."""
    path = data / "run" / "up.json"
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(note)), encoding="utf-8")
    draft.chmod(0o600)
    draft.replace(path)


def read_note(data: Path) -> Note | None:
    """Return the note of a running `up`, None where there is none."""
    try:
        return Note(**json.loads((data / "run" / "up.json").read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def running(data: Path) -> Note:
    """Return the note of the `up` that runs on `data`.

    Raises
    ------
    SettingsError
        None runs.
    """
    data = data.expanduser().absolute()
    note = read_note(data) if is_running(data) else None
    if note is None:
        raise SettingsError(
            f"nothing runs on {data}: start it with `make up`, name its folder with --data, or set"
            " CITYNERVE_DATABASE_URL and CITYNERVE_MQTT_URL"
        )
    return note
