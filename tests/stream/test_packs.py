"""Folders as city packs, and the report on them."""

from pathlib import Path

import pytest

from city.profile import FILES, PackError
from stream.packs import check_pack, read_files, read_pack
from tests.city.packs import SMALL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in SMALL.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_sound_folder_is_counted(folder: Path) -> None:
    report = check_pack(folder)
    assert report.sound
    assert report.counts["lamps"] == 3
    assert report.version == read_pack(folder).version
    (line,) = report.lines()
    assert "sound; 1 districts, 2 gateways" in line


def test_folders_and_other_files_beside_the_pack_are_not_read(folder: Path) -> None:
    (folder / "play").mkdir()
    (folder / "play" / "x.toml").write_text("not a pack")
    (folder / "README.md").write_text("words")
    assert set(read_files(folder)) == set(FILES)


def test_every_mistake_is_a_line_of_the_report(folder: Path) -> None:
    (folder / "lamps.csv").write_text(SMALL["lamps.csv"].replace("150", "-1").replace(",T,", ",X,"))
    report = check_pack(folder)
    assert not report.sound
    first, second, total = report.lines()
    assert first.startswith("lamps.csv:3: rated_w")
    assert second.startswith("lamps.csv:4: phase")
    assert total.endswith("2 mistakes")


def test_bytes_that_are_not_utf8_are_told_with_their_line(folder: Path) -> None:
    (folder / "lamps.csv").write_bytes(SMALL["lamps.csv"].replace("Menor", "Ñora").encode("latin-1"))
    assert next(iter(check_pack(folder).lines())).startswith("lamps.csv:4: byte 0xd1 is not UTF-8")


def test_a_folder_in_place_of_a_file_is_told(folder: Path) -> None:
    (folder / "lamps.csv").unlink()
    (folder / "lamps.csv").mkdir()
    assert next(iter(check_pack(folder).lines())).startswith("lamps.csv: the file cannot be read")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="there is no such folder"):
        read_pack(tmp_path / "atlantis")
