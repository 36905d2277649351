"""Compiles kernels before they are used: one process at a time for each package, into a folder that may be written.

Numba's cache is known to break under concurrent writers, refuses to work where it cannot write at all, and stumbles
over what an earlier release has left there.
"""

import fcntl
import gc
import hashlib
import importlib
import importlib.util
import logging
import os
import pickle
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from city.errors import SettingsError

logger = logging.getLogger(__name__)

PACKAGES = ("anomaly", "ingest")
"""Those with kernels: each has a ``warm`` that compiles them."""

_CACHE = "NUMBA_CACHE_DIR"
_MADE_FROM = "citynerve-kernels-{}.sources"
"""In the cache: a digest of the sources that a package's kernels were compiled from."""
_STALE = (AttributeError, ImportError, EOFError, pickle.UnpicklingError)


def warm(data: Path, *packages: str) -> None:
    """Compile kernels, or load them where that was done before. Call it before anything imports Numba.

    Parameters
    ----------
    data : Path
        The data folder, for a cache where the program's own folder is read-only.
    packages : str
        Some of `PACKAGES`.

    Raises
    ------
    SettingsError
        There is no folder to write to.
    """
    for package in packages:
        folder = _choose(data.expanduser().absolute(), package)
        with _alone(folder, package):
            _compile(package, folder)
    # What Numba keeps of its kernels lives as long as the process: looking through it at each garbage collection took
    # a third of the time that ingest needs for its messages.
    gc.collect()
    gc.freeze()


def _compile(package: str, folder: Path) -> None:
    """Compile a package's kernels; what another release left in the cache may name what is no longer there."""
    forget_changed(package, folder)
    compile_all = importlib.import_module(f"{package}.warm").warm
    try:
        compile_all()
    except _STALE as exc:
        logger.info("kernels of another release are compiled anew", extra={"reason": str(exc)[:200]})
        _forget(package, folder)
        compile_all()


def forget_changed(package: str, folder: Path | None = None) -> None:
    """Throw a package's compiled kernels away if a source of theirs has changed since.

    Numba looks at the file of the kernel that is called, and not at those of the kernels which that one calls.
    """
    sources = _folder_of(package)
    given = os.environ.get(_CACHE)
    folder = folder or (Path(given) if given else sources / "__pycache__")
    digest = hashlib.sha256()
    for source in sorted(sources.rglob("*.py")):
        text = source.read_bytes()
        if b"kernel" in text or b"njit" in text:
            digest.update(source.relative_to(sources).as_posix().encode() + b"\0" + text + b"\0")
    noted = folder / _MADE_FROM.format(package)
    if not noted.is_file() or noted.read_text(encoding="ascii") != digest.hexdigest():
        _forget(package, folder)
        folder.mkdir(parents=True, exist_ok=True)
        noted.write_text(digest.hexdigest(), encoding="ascii")


def _forget(package: str, folder: Path) -> None:
    sources = _folder_of(package)
    for parts in (sources, *(found for found in sources.rglob("*") if found.is_dir() and found.name != "__pycache__")):
        # Given one folder, Numba keeps a folder in it for each of the program's, by its name; else each has its own.
        kept = folder.glob(f"{parts.name}_*/*.nb[ic]")
        if not os.environ.get(_CACHE):
            kept = (folder if parts == sources else parts / "__pycache__").glob("*.nb[ic]")
        for file in kept:
            file.unlink(missing_ok=True)


def _folder_of(package: str) -> Path:
    program = importlib.util.find_spec(package)
    assert program is not None
    assert program.origin is not None
    return Path(program.origin).parent


def _choose(data: Path, package: str) -> Path:
    """Return a cache that may be written: the given one, else beside the program, else under the data folder."""
    given = os.environ.get(_CACHE)
    usual = Path(given) if given else _folder_of(package) / "__pycache__"
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
def _alone(folder: Path, package: str) -> Iterator[None]:
    with (folder / f"citynerve-kernels-{package}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
