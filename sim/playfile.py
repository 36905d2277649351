"""Reads the rows of a CSV file, packed or not, as observations; what is wrong is noted with its line."""

import gzip
import lzma
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, cast
from zoneinfo import ZoneInfo

from city.clock import SECOND_US, from_datetime, isoformat
from city.errors import SettingsError
from city.packfile import shown
from city.topics import is_name
from sim.playlines import BadRows, csv_rows
from sim.playmap import PlayMap

__all__ = ["BadRows", "Row", "read_rows"]


@dataclass(frozen=True, slots=True)
class Row:
    """One observation and where it stood."""

    at_us: int
    line: int
    observation: dict[str, Any]

    @property
    def readings(self) -> int:
        """How many values it carries."""
        return len(self.observation) - 2


def read_rows(path: Path, play_map: PlayMap, bad: BadRows) -> Iterator[Row]:
    """Yield the observations of a file in the map's order.

    A bad cell costs its reading, a row without a time costs the row; both are noted. A packed file that breaks off
    is noted too, and what came before stands.

    Raises
    ------
    SettingsError
        The file cannot be opened, or its header lacks a column of the map.
    """
    rows = _rows(path, play_map, bad)
    if play_map.order == "time":
        return iter(sorted(rows, key=lambda row: row.at_us))
    return rows


def _open(path: Path) -> IO[bytes]:
    try:
        match path.suffix:
            case ".xz":
                return lzma.open(path)
            case ".gz":
                return cast(IO[bytes], gzip.open(path))
        return path.open("rb")
    except OSError as exc:
        raise SettingsError(f"{path} cannot be read ({exc.strerror}): check its name and permissions") from exc


def _rows(path: Path, play_map: PlayMap, bad: BadRows) -> Iterator[Row]:
    with _open(path) as raw, TextIOWrapper(raw, play_map.encoding, "surrogateescape", newline="") as text:
        rows = csv_rows(text, play_map.delimiter, bad)
        _, header = next(rows, (0, None))
        if header is None:
            why = f" ({bad.noted[0][1]})" if bad.noted else ""
            raise SettingsError(f"{path} has no header: its first line must name the columns{why}")
        parser = _Parser(play_map, path, header, bad)
        for line, row in rows:
            parsed = parser.row(line, row)
            if parsed is not None:
                yield parsed


class _Parser:
    """Knows where the columns stand, and each device's time before: it tells the two hours of an autumn night apart."""

    def __init__(self, play_map: PlayMap, path: Path, header: Sequence[str], bad: BadRows) -> None:
        self._map = play_map
        self._bad = bad
        self._width = len(header)
        self._zone = ZoneInfo(play_map.timezone)
        self._before_us: dict[str, int] = {}
        wanted = [play_map.time_column, *(c.column for c in play_map.columns)]
        wanted += [play_map.device_column] if play_map.device_column else []
        missing = sorted({column for column in wanted if column not in header})
        if missing:
            raise SettingsError(
                f"{path} has no column {', '.join(missing)}; it has {shown(', '.join(header))}: mend the map, or its"
                " delimiter"
            )
        for column in wanted:
            if header.count(column) > 1:
                raise SettingsError(f"{path} has the column {shown(column)[1:-1]} twice: give one of them another name")
        self._time = header.index(play_map.time_column)
        self._device = header.index(play_map.device_column) if play_map.device_column else -1
        self._columns = [(c, header.index(c.column)) for c in play_map.columns]

    def row(self, line: int, cells: Sequence[str]) -> Row | None:
        """Return the row's observation, or None where it has none."""
        if not cells:
            return None
        if len(cells) != self._width:
            self._bad.add(line, f"{len(cells)} fields where the header has {self._width}: the row is left out")
            return None
        device = self._map.device or cells[self._device].strip()
        try:
            at_us = self._at(cells[self._time].strip(), device)
            at = isoformat(at_us)  # refuses what no calendar holds
        except (ValueError, OverflowError):
            self._bad.add(line, f"{shown(cells[self._time])} is not a time as the map has it: the row is left out")
            return None
        if not is_name(device):
            self._bad.add(line, f"{shown(device)} cannot be a device: the row is left out")
            return None
        self._before_us[device] = at_us
        observation: dict[str, Any] = {"device": device, "at": at}
        for column, index in self._columns:
            text = cells[index].strip()
            if text in self._map.missing:
                continue
            value = self._number(text)
            if value is None:
                self._bad.add(line, f"{column.column} {shown(text)} is not a number: the reading is left out")
                continue
            if column.scale != 1.0 or column.offset != 0.0:
                value = value * column.scale + column.offset
            observation[column.metric] = value
        return Row(at_us, line, observation) if len(observation) > 2 else None

    def _number(self, text: str) -> float | None:
        if self._map.decimal != ".":
            text = text.replace(self._map.decimal, ".") if "." not in text else ""
        try:
            value = float(text) if text.isascii() and "_" not in text else math.nan
        except ValueError:
            return None
        return value if math.isfinite(value) else None

    def _at(self, text: str, device: str) -> int:
        match self._map.time_format:
            case "unix":
                return round(float(text) * SECOND_US)
            case "unix_ms":
                return int(text) * 1000
            case "iso":
                return self._zoned(datetime.fromisoformat(text), device)
            case pattern:
                return self._zoned(datetime.strptime(text, pattern), device)  # noqa: DTZ007 - the map's zone follows

    def _zoned(self, at: datetime, device: str) -> int:
        if at.tzinfo is not None:
            return from_datetime(at)
        first = from_datetime(at.replace(tzinfo=self._zone))
        second = from_datetime(at.replace(tzinfo=self._zone, fold=1))
        if second < first:
            raise ValueError(f"{at} does not exist: the clock was put forward")
        # The hour that comes twice: the second time it is later than the device's row before.
        return second if first <= self._before_us.get(device, first - 1) < second else first
