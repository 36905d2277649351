"""Where compiled kernels are kept. Real compilation is slow and tested by every run of `up`."""

import os
from pathlib import Path

import pytest

from app import kernels, processes
from app.settings import Settings
from city.errors import SettingsError


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let monkeypatch put back what `_choose` sets."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")


def deny(monkeypatch: pytest.MonkeyPatch, *denied: Path) -> None:
    """Root may write anywhere, so that a read-only folder has to be played."""
    really = kernels._writable
    monkeypatch.setattr(kernels, "_writable", lambda folder: folder not in denied and really(folder))


def test_kernels_are_kept_beside_the_program(tmp_path: Path) -> None:
    assert kernels._choose(tmp_path, "anomaly") == Path(kernels.__file__).parents[1] / "anomaly" / "__pycache__"
    assert os.environ["NUMBA_CACHE_DIR"] == ""


def test_given_folder_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "given"))
    assert kernels._choose(tmp_path, "anomaly") == tmp_path / "given"


def test_read_only_program_keeps_its_kernels_with_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deny(monkeypatch, Path(kernels.__file__).parents[1] / "anomaly" / "__pycache__")
    assert kernels._choose(tmp_path, "anomaly") == tmp_path / "cache"
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path / "cache")


def test_read_only_image_brings_its_compiled_kernels_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = tmp_path / "image"
    (image / "anomaly_1").mkdir(parents=True)
    (image / "anomaly_1" / "kernel.nbc").write_bytes(b"compiled")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(image))
    deny(monkeypatch, image)
    chosen = kernels._choose(tmp_path / "data", "anomaly")
    assert (chosen / "anomaly_1" / "kernel.nbc").read_bytes() == b"compiled"


def test_nowhere_to_write_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_writable", lambda _: False)
    with pytest.raises(SettingsError, match="no folder may be written for compiled kernels: let this user write"):
        kernels._choose(tmp_path, "anomaly")


def test_kernels_of_another_release_are_compiled_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    (tmp_path / "ingest_1").mkdir()
    stale = tmp_path / "ingest_1" / "flat.nbi"
    stale.write_bytes(b"stale")
    other = tmp_path / "anomaly_1"
    other.mkdir()
    (other / "kernels.nbi").write_bytes(b"of detection")

    def compile_all() -> None:
        if stale.exists():
            raise AttributeError("Can't get attribute 'Heads' on a module that had it once")

    monkeypatch.setattr("ingest.warm.warm", compile_all)
    kernels.warm(tmp_path, "ingest")
    assert not stale.exists()
    assert (other / "kernels.nbi").exists()


def test_kernels_are_compiled_anew_when_a_source_of_theirs_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    program = tmp_path / "ingest"
    program.mkdir()
    called, helper, other = program / "flat.py", program / "words.py", program / "bridge.py"
    for source in (called, helper):
        source.write_text("from ingest.kernel import kernel\n")
    other.write_text("import asyncio\n")
    monkeypatch.setattr(kernels, "_folder_of", lambda _: program)
    compiled = tmp_path / "cache" / "ingest_1" / "flat.nbi"
    compiled.parent.mkdir(parents=True)

    def is_kept() -> bool:
        kernels.forget_changed("ingest", tmp_path / "cache")
        kept = compiled.exists()
        compiled.write_bytes(b"compiled")
        return kept

    assert not is_kept()
    assert is_kept()
    other.write_text("import os\n")
    assert is_kept()
    helper.write_text("from ingest.kernel import kernel  # another\n")
    assert not is_kept()
    assert is_kept()


@pytest.mark.parametrize("given", [True, False])
def test_kernels_in_a_folder_of_a_package_are_compiled_anew_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache") if given else "")
    program = tmp_path / "anomaly"
    lamps = program / "lamps"
    lamps.mkdir(parents=True)
    source = lamps / "power.py"
    source.write_text("from numba import njit\n")
    monkeypatch.setattr(kernels, "_folder_of", lambda _: program)
    folder = tmp_path / "cache" if given else program / "__pycache__"
    compiled = (folder / "lamps_1" if given else lamps / "__pycache__") / "power.nbc"
    compiled.parent.mkdir(parents=True)
    kernels.forget_changed("anomaly", folder)
    compiled.write_bytes(b"compiled")
    kernels.forget_changed("anomaly", folder)
    assert compiled.exists()
    source.write_text("from numba import njit  # another\n")
    kernels.forget_changed("anomaly", folder)
    assert not compiled.exists()


@pytest.mark.parametrize(("role", "packages"), [("ingest", ["ingest"]), ("detect", ["anomaly"])])
def test_a_worker_has_its_kernels_before_it_joins_its_group(
    role: str, packages: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    async def run(name: str, _: Settings) -> None:
        done.append(name)

    monkeypatch.setattr(kernels, "warm", lambda _, *names: done.extend(names))
    monkeypatch.setattr(processes, "_run", run)
    processes.run_role(role, Settings(data=tmp_path, mqtt_url="mqtt://localhost"))
    assert done == [*packages, role]
