"""Compiles the detection kernels before they are used: one process at a time, into a folder that may be written.

Numba's cache is known to break under concurrent writers, and refuses to work where it cannot write at all.
"""

import fcntl
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from city.errors import SettingsError

_CACHE = "NUMBA_CACHE_DIR"


def warm(data: Path) -> None:
    """Compile the kernels, or load them where that was done before. Call it before anything imports `anomaly`.

    Parameters
    ----------
    data : Path
        The data folder, for a cache where the program's own folder is read-only.

    Raises
    ------
    SettingsError
        There is no folder to write to.
    """
    folder = _choose(data.expanduser().absolute())
    with _alone(folder):
        from anomaly.warm import warm as compile_all

        compile_all()


def _choose(data: Path) -> Path:
    """Return a cache that may be written: the given one, else beside the program, else under the data folder."""
    given = os.environ.get(_CACHE)
    program = importlib.util.find_spec("anomaly")
    assert program is not None
    assert program.origin is not None
    usual = Path(given) if given else Path(program.origin).parent / "__pycache__"
    if _writable(usual):
        return usual
    for other in (data / "cache", Path(tempfile.gettempdir()) / f"citynerve-kernels-{os.getuid()}"):
        if _writable(other):
            if given and usual.is_dir():
                # An image brings its kernels compiled, in a layer that nobody may write.
                shutil.copytree(usual, other, dirs_exist_ok=True)
            os.environ[_CACHE] = str(other)
            return other
    raise SettingsError(
        f"no folder may be written for compiled kernels: let this user write to {data}, or set {_CACHE}"
    )


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder.stat().st_uid == os.getuid() or os.getuid() == 0
    except OSError:
        return False


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "citynerve-kernels.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
