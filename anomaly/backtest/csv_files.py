"""Files that others made: opened whatever they are packed with, columns demanded by name, mistakes told by line."""

import csv
import gzip
import io
import lzma
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, cast

from city.errors import Mistake, PackError, SettingsError

MISTAKES_MAX = 20
"""Told of one file; who has more mends these first."""
FIELD_CHARS_MAX = 10_000


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading, unpacked where it ends in .gz or .xz.

    Raises
    ------
    SettingsError
        It cannot be read.
    """
    try:
        match path.suffix:
            case ".gz":
                return cast(IO[bytes], gzip.open(path))
            case ".xz":
                return lzma.open(path)
            case _:
                return path.open("rb")
    except OSError as exc:
        raise SettingsError(f"{path} cannot be read: {exc.strerror or exc}") from exc


class Mistakes:
    """What is wrong in one file, up to `MISTAKES_MAX`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: list[Mistake] = []

    def add(self, line: int, text: str) -> None:
        """Note one."""
        if len(self._found) <= MISTAKES_MAX:
            self._found.append(Mistake(str(self._path), line, text))

    def demand_none(self) -> None:
        """Refuse the file if there is any.

        Raises
        ------
        PackError
            With all that were noted.
        """
        if self._found:
            raise PackError(self._found[:MISTAKES_MAX], f"{self._path.name}")


def rows(path: Path, needed: Sequence[str], optional: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and cells of each row of a small CSV file; columns in any order, others ignored.

    A cell of an optional column that is not there is empty.

    Raises
    ------
    SettingsError
        The file cannot be read, is not UTF-8, or lacks a column.
    """
    with open_bytes(path) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as text:
        try:
            reader = csv.reader(_without_nul(text), strict=True)
            header = [plain(name) for name in next(reader, [])]
            demand_columns(path, header, needed)
            wanted = {name: header.index(name) for name in (*needed, *optional) if name in header}
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    text_ = f"{len(cells)} cells where the header has {len(header)}: quote cells that hold a comma"
                    raise PackError([Mistake(str(path), reader.line_num, text_)], path.name)
                there = {name: cells[place].strip() for name, place in wanted.items()}
                yield reader.line_num, dict.fromkeys(optional, "") | there
        except UnicodeDecodeError as exc:
            raise SettingsError(f"{path} is not UTF-8: save it as such and try again") from exc
        except (csv.Error, EOFError, lzma.LZMAError, OSError) as exc:
            raise SettingsError(f"{path} is no CSV that can be read: {exc}") from exc


def plain(name: str) -> str:
    """Return the name of a column or metric as it is compared: letters' case and blanks around it tell nothing."""
    return name.strip().lower()


def demand_columns(path: Path, header: Sequence[str], needed: Sequence[str]) -> None:
    """Refuse a header that lacks a column or names one twice.

    Raises
    ------
    SettingsError
    """
    missing = [name for name in needed if name not in header]
    if missing:
        raise SettingsError(
            f"{path}:1: no column {', '.join(missing)}: the first line names the columns, {', '.join(needed)}"
        )
    twice = sorted({name for name in needed if header.count(name) > 1})
    if twice:
        raise SettingsError(f"{path}:1: column {', '.join(twice)} stands there twice: name each once")


def _without_nul(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if "\0" in line:
            raise csv.Error("a NUL byte: is it another kind of file?")
        yield line
