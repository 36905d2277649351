"""Reads a city pack's folder, and reports on it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from city.errors import Mistake, PackError
from city.profile import CODEC_SUFFIX, FILES, OPTIONAL, CityPack, parse_pack

_FILE_BYTES_MAX = 256 * 1024 * 1024
_SUFFIXES = (".toml", ".csv", ".geojson", CODEC_SUFFIX)


@dataclass(frozen=True, slots=True)
class PackReport:
    """What `citynerve city check` prints.

    Attributes
    ----------
    mistakes : tuple of Mistake
        Sorted by file and line; empty where the pack is sound.
    counts : dict
        What a sound pack holds, by kind.
    """

    path: Path
    mistakes: tuple[Mistake, ...]
    counts: dict[str, int]
    version: str

    @property
    def sound(self) -> bool:
        """Whether the pack may be used."""
        return not self.mistakes

    def lines(self) -> Iterator[str]:
        """Yield the report as lines for people."""
        for mistake in self.mistakes:
            yield str(mistake)
        if self.mistakes:
            yield f"{self.path}: {len(self.mistakes)} mistakes"
        else:
            told = ", ".join(f"{count} {kind}" for kind, count in self.counts.items())
            yield f"{self.path}: sound; {told}"


def read_files(path: Path) -> dict[str, str]:
    """Return the texts of a pack's folder. Folders in it and files of other kinds are not part of the pack.

    Raises
    ------
    PackError
        No such folder, a file that cannot be read, is too large, or is not UTF-8.
    """
    if not path.is_dir():
        raise PackError(
            [Mistake(str(path), 0, "there is no such folder: give the folder of a city, such as cities/gijon")]
        )
    files: dict[str, str] = {}
    mistakes: list[Mistake] = []
    for file in sorted(path.iterdir()):
        if file.name in (*FILES, *OPTIONAL) or (file.suffix in _SUFFIXES and file.is_file()):
            text = _read(file)
            if isinstance(text, Mistake):
                mistakes.append(text)
            else:
                files[file.name] = text
    if mistakes:
        raise PackError(mistakes)
    return files


def read_pack(path: Path) -> CityPack:
    """Read a folder as a city pack.

    Raises
    ------
    PackError
        With every mistake.
    """
    return parse_pack(read_files(path))


def check_pack(path: Path) -> PackReport:
    """Report on a folder: every mistake, or what a sound pack holds."""
    try:
        pack = read_pack(path)
    except PackError as exc:
        return PackReport(path, exc.mistakes, {}, "")
    counts = {
        "districts": len(pack.districts),
        "gateways": len(pack.gateways),
        "cabinets": len(pack.cabinets),
        "feeders": len(pack.feeders),
        "lamps": len(pack.lamps),
        "facilities": len(pack.facilities),
        "devices": len(pack.devices),
        "metrics": len(pack.metrics),
        "integrations": len(pack.integrations),
        "categories": len(pack.categories),
    }
    return PackReport(path, (), counts, pack.version)


def _read(file: Path) -> str | Mistake:
    try:
        if file.stat().st_size > _FILE_BYTES_MAX:
            return Mistake(file.name, 0, f"the file is over {_FILE_BYTES_MAX >> 20} MB: this cannot be a city's list")
        body = file.read_bytes()
    except OSError as exc:
        return Mistake(file.name, 0, f"the file cannot be read ({exc.strerror}): check its permissions")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = body.count(b"\n", 0, exc.start) + 1
        return Mistake(file.name, line, f"byte {body[exc.start]:#04x} is not UTF-8: save the file as UTF-8")
