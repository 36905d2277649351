"""Reads the texts of a city pack (CSV, TOML, GeoJSON) and notes every mistake with its file and line."""

import csv
import io
import json
import math
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from city.cells import as_meant
from city.errors import Mistake
from city.topics import is_name

TEXT_MAX = 200
_LINE = re.compile(r"line (\d+)")
_SHOWN = 60

E = TypeVar("E", bound=StrEnum)


def shown(value: object) -> str:
    """Return what was found, quoted and short enough for a sentence."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


class Notes:
    """Collects mistakes; reading goes on after each."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    def add(self, file: str, line: int, text: str) -> None:
        """Note one mistake."""
        self.mistakes.append(Mistake(file, line, text))


class Cells:
    """Named values of one row or table, each checked as it is taken.

    Every method returns a usable value even when it has noted a mistake; `sound` tells whether none was noted.
    """

    def __init__(self, notes: Notes, file: str, line: int, values: Mapping[str, Any], lines: Mapping[str, int]) -> None:
        self.file = file
        self.line = line
        self.values = values
        self.sound = True
        self.notes = notes
        self._lines = lines

    def line_of(self, column: str) -> int:
        """Return the line on which a value stands, as far as it is known."""
        return self._lines.get(column, self.line)

    def wrong(self, column: str, text: str) -> None:
        """Note a mistake of one value."""
        self.sound = False
        self.notes.add(self.file, self.line_of(column), text)

    def name(self, column: str) -> str:
        """Take an id that is safe in topics, URLs, file names and SQL."""
        value = self._string(column)
        if value is not None and not is_name(value):
            self.wrong(
                column,
                f"{column} {shown(value)} is not an id: use letters, digits, '.', '_', ':' and '-', 64 at most, and"
                " begin with a letter or digit",
            )
        return value or ""

    def text(self, column: str) -> str:
        """Take words for people."""
        value = self._string(column)
        if value is None:
            return ""
        if not value.strip():
            self.wrong(column, f"{column} is empty: write what people should read")
        elif len(value) > TEXT_MAX:
            self.wrong(column, f"{column} has {len(value)} characters: shorten it to {TEXT_MAX}")
        elif not value.isprintable():
            self.wrong(column, f"{column} {shown(value)} holds a control character: remove it")
        return value

    def number(self, column: str, low: float, high: float, *, above_low: bool = False) -> float:
        """Take a finite number from `low` (or above it) to `high`."""
        value = self.values.get(column)
        try:
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                raise ValueError(value)
            if isinstance(value, str) and ("_" in value or not value.isascii()):
                raise ValueError(value)
            number = float(value)
        except (ValueError, OverflowError):
            found = "is missing" if value in (None, "") else f"{shown(value)} is not a number"
            self.wrong(column, f"{column} {found}: write one such as 12.5, with a point")
            return low
        if not math.isfinite(number) or not low <= number <= high or (above_low and number == low):
            least = f"above {low:g}" if above_low else f"{low:g} or more"
            self.wrong(column, f"{column} {shown(value)} is out of range: it must be {least} and at most {high:g}")
            return low
        return number

    def whole(self, column: str, low: int, high: int) -> int:
        """Take a whole number from `low` to `high`."""
        number = self.number(column, low, high)
        if number != int(number):
            self.wrong(column, f"{column} {shown(self.values.get(column))} is not a whole number: drop the fraction")
        return int(number)

    def choice(self, column: str, kind: type[E]) -> E:
        """Take one of the words of `kind`."""
        value = self.values.get(column)
        words = [str(member) for member in kind]
        if isinstance(value, str) and value in words:
            return kind(value)
        self.wrong(column, f"{column} {shown(value)} is not known: write one of {', '.join(words)}")
        return next(iter(kind))

    def names(self, column: str, *, empty: bool = False) -> tuple[str, ...]:
        """Take a list of ids or words."""
        value = self.values.get(column)
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value) or not (value or empty):
            self.wrong(column, f'{column} must be a list of words, such as ["a", "b"]')
            return ()
        if len(set(value)) != len(value):
            self.wrong(column, f"{column} names something twice: keep one of each")
        return tuple(value)

    def flag(self, column: str) -> bool:
        """Take true or false."""
        value = self.values.get(column)
        if not isinstance(value, bool):
            self.wrong(column, f"{column} must be true or false")
        return value is True

    def only(self, required: Sequence[str], optional: Sequence[str] = ()) -> bool:
        """Refuse missing and unknown keys of a table; tell whether the required ones are there."""
        for key in self.values:
            if key not in required and key not in optional:
                known = ", ".join([*required, *optional])
                self.wrong(key, f"{shown(key)} is not known here: remove it, or write one of {known}")
        missing = [key for key in required if key not in self.values]
        for key in missing:
            self.wrong("", f"{key} is missing: add it")
        return not missing

    def _string(self, column: str) -> str | None:
        value = self.values.get(column)
        if isinstance(value, str) and value:
            return value
        self.wrong(column, f"{column} is missing: fill it in" if value in (None, "") else f"{column} must be text")
        return None


def rows(
    notes: Notes, file: str, text: str | None, columns: Sequence[str], optional: Sequence[str] = ()
) -> tuple[list[Cells], bool]:
    """Return the rows of a CSV file and whether these are all.

    Its header names exactly `columns`, in any order, and as many of `optional` as it likes.
    """
    if text is None:
        return [], False
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[Cells] = []
    try:
        header = next(reader, None)
        if not header:
            notes.add(file, 1, f"the first line must name the columns: {','.join(columns)}")
            return found, False
        if not _header_stands(notes, file, header, columns, optional):
            return found, False
        line = reader.line_num + 1
        for cells in reader:
            if len(cells) == len(header):
                values = dict(zip(header, map(as_meant, cells), strict=True))
                found.append(Cells(notes, file, line, values, {}))
            elif cells:
                notes.add(file, line, f"the row has {len(cells)} fields, the header {len(header)}: add or remove some")
            line = reader.line_num + 1
    except csv.Error as exc:
        notes.add(file, max(reader.line_num, 1), f"not CSV ({exc}): check quotes and commas here")
        return found, False
    return found, True


def _header_stands(
    notes: Notes, file: str, header: Sequence[str], columns: Sequence[str], optional: Sequence[str]
) -> bool:
    missing = [c for c in columns if c not in header]
    unknown = [c for c in header if c not in columns and c not in optional]
    for column in missing:
        notes.add(file, 1, f"column {column} is missing: the columns are {','.join(columns)}")
    for column in unknown:
        known = ",".join((*columns, *optional))
        notes.add(file, 1, f"column {shown(column)} is not known: the columns are {known}")
    doubled = sorted({c for c in header if header.count(c) > 1} - set(unknown))
    for column in doubled:
        notes.add(file, 1, f"column {column} stands twice: keep one")
    return not (missing or unknown or doubled)


def toml(notes: Notes, file: str, text: str) -> dict[str, Any] | None:
    """Read TOML; None after a mistake of syntax."""
    body: dict[str, Any] | None = _guarded(notes, file, "TOML", lambda: tomllib.loads(text), text)
    return body


def table(notes: Notes, file: str, text: str, body: object, path: tuple[str, ...] = ()) -> Cells:
    """Return one table of a TOML file, with the lines on which its keys stand as far as they can be found."""
    lines = text.splitlines()
    start = 0
    if path:
        heading = re.compile(r"\s*\[\s*" + r"\s*\.\s*".join(f'"?{re.escape(part)}"?' for part in path) + r"\s*\]")
        start = next((number for number, line in enumerate(lines) if heading.match(line)), 0)
    found: dict[str, int] = {}
    for number, line in enumerate(lines[start + bool(path) :], start + bool(path) + 1):
        if line.lstrip().startswith("["):
            break
        key = line.split("=")[0].strip().strip("\"'")
        found.setdefault(key, number)
    if isinstance(body, dict):
        return Cells(notes, file, start + 1, body, found)
    cells = Cells(notes, file, start + 1, {}, found)
    cells.wrong("", f"{'.'.join(path)} must be a table: write [{'.'.join(path)}] and its keys below")
    return cells


def geojson(notes: Notes, file: str, text: str) -> Any:
    """Read JSON; None after a mistake of syntax."""
    return _guarded(notes, file, "JSON", lambda: json.loads(text, parse_constant=_refuse_constant), text)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")


def _guarded(notes: Notes, file: str, kind: str, read: Callable[[], Any], text: str) -> Any:
    try:
        return read()
    except RecursionError:
        notes.add(file, 1, f"not {kind}: nested too deep, write it flat")
    except ValueError as exc:
        found = _LINE.search(str(exc))
        last = max(len(text.splitlines()), 1)
        line = int(found[1]) if found else last if "end of document" in str(exc) else 1
        notes.add(file, line, f"not {kind} ({' '.join(str(exc).split())[:200]}): mend the syntax")
    return None


def clean_text(notes: Notes, file: str, text: str) -> str | None:
    """Drop a byte order mark; None after noting an empty file or one that no database could keep."""
    text = text.removeprefix("\ufeff")
    if not text.strip():
        notes.add(file, 0, "the file is empty: write at least its header or its keys")
        return None
    for number, line in enumerate(text.split("\n"), 1):
        if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in line):
            notes.add(file, number, "the line holds a NUL or half a character: save the file as UTF-8 text")
            return None
    return text
