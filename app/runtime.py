"""What `up` notes in its data folder so that other commands find it, and the lock that keeps a second one out."""

import errno
import fcntl
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from app.settings import Settings, load_settings
from city.errors import SettingsError

FREE_BYTES_MIN = 256 * 2**20
"""With less room than this, `up` does not start."""
RESERVE_BYTES = 96 * 2**20
"""With less room than this, a running `up` stops: a full disk would end the database in the middle of a write."""
_LOCK_PATIENCE_S = 0.5
"""Other commands look at the lock for a moment; that is not another `up`."""


@dataclass(frozen=True, slots=True)
class Note:
    """Where a running installation answers, and which engines it chose."""

    pid: int
    url: str
    mqtt_url: str
    database_url: str
    kafka: str | None = None
    kafka_prefix: str = ""


def prepare_folder(data: Path, free_bytes_min: int = FREE_BYTES_MIN) -> Path:
    """Make the data folder and return its absolute path.

    Raises
    ------
    SettingsError
        Not a folder, not writable, or no room.
    """
    data = data.expanduser().absolute()
    try:
        for folder in (data / "logs", data / "run"):
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f"probe-{os.getpid()}"
            try:
                probe.write_bytes(b"x" * 4096)
            finally:
                probe.unlink(missing_ok=True)
        (data / "run" / "lock").open("a").close()
    except OSError as exc:
        raise SettingsError(_explain(exc, data)) from exc
    free = free_bytes(data)
    if free < free_bytes_min:
        raise SettingsError(
            f"only {free // 2**20} MB are free on the disk of {data}, {free_bytes_min // 2**20} MB are needed: make"
            " room, or choose a folder on another disk with DATA=…"
        )
    return data


def free_bytes(data: Path) -> int:
    """Return how much room is left for us on the disk of a folder."""
    return shutil.disk_usage(data).free


class FolderLock:
    """Held by the one `up` of a data folder; the kernel lets go when its process dies, however it dies.

    Attributes
    ----------
    after_a_kill : bool
        The `up` before us had no time to tidy: its processes may need a moment to end.
    """

    def __init__(self, data: Path) -> None:
        self._note = data / "run" / "up.json"
        self._file: IO[str] = (data / "run" / "lock").open("a+")
        deadline = time.monotonic() + _LOCK_PATIENCE_S
        while not _try_lock(self._file):
            if time.monotonic() > deadline:
                self._file.close()
                note, pid = read_note(data), _holder(data)
                who = f" (process {pid}{f', {note.url}' if note else ''})" if pid else ""
                raise SettingsError(
                    f"citynerve already runs on {data}{who}: stop it with `citynerve down --data {data}`, or choose"
                    " another folder with DATA=…"
                )
            time.sleep(0.05)
        self.after_a_kill = self._note.exists()
        # Nobody may take the note of the one before for ours.
        self._note.unlink(missing_ok=True)
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def release(self) -> None:
        """Let another `up` in."""
        self._note.unlink(missing_ok=True)
        self._file.truncate(0)
        self._file.close()


def is_running(data: Path) -> bool:
    """Tell whether an `up` holds the folder's lock now.

    Raises
    ------
    SettingsError
        It is another user's.
    """
    try:
        with (data / "run" / "lock").open("r+") as file:
            return not _try_lock(file)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError as exc:
        raise SettingsError(_explain(exc, data)) from exc


def write_note(data: Path, note: Note) -> None:
    """Tell other commands where we are."""
    path = data / "run" / "up.json"
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(note)), encoding="utf-8")
    draft.chmod(0o600)
    draft.replace(path)


def read_note(data: Path) -> Note | None:
    """Return the note of a running `up`, None where there is none that may be read."""
    try:
        return Note(**json.loads((data / "run" / "up.json").read_text(encoding="utf-8")))
    except (FileNotFoundError, PermissionError, ValueError, TypeError):
        return None


def running(data: Path) -> Note:
    """Return the note of the `up` that runs on `data`.

    Raises
    ------
    SettingsError
        None runs, or it is only starting.
    """
    data = data.expanduser().absolute()
    if not is_running(data):
        raise SettingsError(
            f"nothing runs on {data}: start it with `make up`, name its folder with --data, or set"
            " CITYNERVE_DATABASE_URL and CITYNERVE_MQTT_URL"
        )
    note = read_note(data)
    if note is None:
        raise SettingsError(f"citynerve is starting or stopping on {data}: try again in a moment")
    return note


def attached(data: Path | None, **flags: Any) -> Settings:
    """Return settings whose engines are known: from the environment, or from the `up` that runs on the folder.

    Raises
    ------
    SettingsError
        Neither names a database.
    """
    settings = load_settings(data=data, **flags)
    if settings.database_url is not None:
        return settings
    note = running(settings.data)
    return settings.model_copy(
        update={
            "database_url": note.database_url,
            "mqtt_url": settings.mqtt_url or note.mqtt_url,
            "kafka": note.kafka,
            "kafka_prefix": note.kafka_prefix or settings.kafka_prefix,
        }
    )


def running_pid(data: Path) -> int:
    """Return the process of the `up` that runs on `data`, also of one that is only starting.

    Raises
    ------
    SettingsError
        None runs.
    """
    data = data.expanduser().absolute()
    pid = _holder(data) if is_running(data) else None
    return pid if pid is not None else running(data).pid


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(data: Path) -> int | None:
    try:
        told = (data / "run" / "lock").read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
    return int(told) if told.isdecimal() else None


def _explain(exc: OSError, data: Path) -> str:
    if exc.errno in (errno.EEXIST, errno.ENOTDIR):
        return f"{data} is a file or lies in one: choose a folder with DATA=… or --data"
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk of {data} is full: make room, or choose a folder on another disk with DATA=…"
    if exc.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"this user may not write to {data}: give it the right to, or choose another folder with DATA=…"
    return f"{data} cannot be used ({exc.strerror}): choose another folder with DATA=… or --data"
