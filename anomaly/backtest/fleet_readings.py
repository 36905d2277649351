"""Reads ``readings.csv`` of any size in pieces: what is understood is spilled, what is not is told or counted."""

import codecs
import csv
import io
import lzma
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv as pacsv

from anomaly.backtest.csv_files import demand_columns, open_bytes, plain
from anomaly.backtest.moments import EARLIEST_US, HINT, LATEST_US, parse_column
from anomaly.backtest.spill import ROW, Spill
from city.clock import MINUTE_US
from city.errors import Mistake, PackError, SettingsError
from city.metric import AIR_METRICS, KNOWN_METRICS

COLUMNS, RECEIVED = ("asset", "metric", "observed_at", "value"), "received_at"
AHEAD_US = 5 * MINUTE_US
_BLOCK_BYTES = 8 << 20
_NAMES_MAX = 20
_NOTHING = pa.array(["", "nan", "na", "n/a", "null", "none", "-"])
"""What others write where there is no value."""

Progress = Callable[[int, int], None]
"""(bytes read, bytes to read)"""


@dataclass(slots=True)
class ReadReport:
    """What a file of readings had.

    Attributes
    ----------
    unknown_metrics, unknown_assets : Counter
        Name → rows skipped.
    empty : int
        Rows without a value, skipped.
    out_of_range : int
        Rows whose value the metric cannot have, skipped, as ingest sets them aside.
    retimed : int
        Observed before 2001 or more than five minutes after receipt: they have the time of receipt, as ingest has it.
    pairs : set
        (asset, metric) of which there is something.
    """

    rows: int = 0
    unknown_metrics: Counter[str] = field(default_factory=Counter)
    unknown_assets: Counter[str] = field(default_factory=Counter)
    empty: int = 0
    out_of_range: int = 0
    retimed: int = 0
    first_us: int = LATEST_US
    last_us: int = 0
    pairs: set[tuple[int, int]] = field(default_factory=set)

    @property
    def skipped(self) -> int:
        """Rows that were left out."""
        return self.empty + self.out_of_range + self.unknown_metrics.total() + self.unknown_assets.total()


def read_readings(
    path: Path,
    assets: Mapping[str, int],
    metrics: Mapping[str, int],
    spill: Spill,
    progress: Progress | None = None,
) -> ReadReport:
    """Read a file into the spill.

    Parameters
    ----------
    assets, metrics : mapping
        Name → number.

    Raises
    ------
    SettingsError
        The file cannot be read, lacks a column, or a cell is neither number nor time: told by its line.
    """
    report = ReadReport()
    total = path.stat().st_size if path.is_file() else 0
    limits = np.array([(m.low, m.high) for m in (*KNOWN_METRICS, *AIR_METRICS)], np.float64)
    reading = _Reading(path, assets, metrics, limits, report)
    with open_bytes(path) as raw:
        try:
            header = _header(path)
            reader = pacsv.open_csv(
                pa.PythonFile(_Text(path, raw), mode="r"),
                # One thread: only then a wrong row has a number.
                pacsv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
                pacsv.ParseOptions(invalid_row_handler=reading.refuse_row, ignore_empty_lines=True),
                pacsv.ConvertOptions(
                    column_types={name: pa.string() for name in header if plain(name) in (*COLUMNS, RECEIVED)},
                    strings_can_be_null=False,
                    null_values=[],
                ),
            )
            names = [plain(name) for name in reader.schema.names]
            demand_columns(path, names, (*COLUMNS, RECEIVED) if RECEIVED in names else COLUMNS)
            for batch in reader:
                spill.add(reading.take(batch))
                if progress is not None and total:
                    progress(min(raw.tell(), total), total)
            reading.demand_whole_rows()
        except (pa.ArrowException, OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as exc:
            raise SettingsError(f"{path} is no CSV that can be read: {' '.join(str(exc).split())[:300]}") from exc
    if report.rows == 0 or spill.rows == 0:
        raise SettingsError(f"{path} has no reading of any asset and metric that is known: {_why(report)}")
    return report


def _header(path: Path) -> list[str]:
    """Return the names of the columns, as they are written."""
    with open_bytes(path) as raw:
        first = raw.readline(_BLOCK_BYTES).decode("utf-8-sig", "replace")
    return next(csv.reader([first.rstrip("\r\n")]), [])


def _why(report: ReadReport) -> str:
    if not report.rows:
        return "it has no rows at all"
    names = [*report.unknown_assets, *report.unknown_metrics][:_NAMES_MAX]
    return f"{report.rows} rows, all skipped; unknown: {', '.join(names) or 'none'}"


class _Text(io.RawIOBase):
    """Bytes on their way to the reader, which must be UTF-8: it stumbles over others in a way that nobody can tell."""

    def __init__(self, path: Path, raw: IO[bytes]) -> None:
        self._path, self._raw = path, raw
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        piece = self._raw.read(size)
        try:
            self._decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as exc:
            raise SettingsError(f"{self._path} is not UTF-8: save it as such and try again") from exc
        return piece


class _Reading:
    """One file, piece by piece."""

    def __init__(
        self,
        path: Path,
        assets: Mapping[str, int],
        metrics: Mapping[str, int],
        limits: NDArray[np.float64],
        report: ReadReport,
    ) -> None:
        self._path, self._assets, self._metrics, self._limits = path, assets, metrics, limits
        self._report = report
        self._cells_wrong: Mistake | None = None

    def refuse_row(self, row: pacsv.InvalidRow) -> str:
        """Note the first row with too few or too many cells; the next piece stops for it."""
        if self._cells_wrong is None:
            text = f"{row.actual_columns} cells where the header has {row.expected_columns}: {(row.text or '')[:80]!r}"
            self._cells_wrong = Mistake(str(self._path), row.number or 0, text)
        return "skip"

    def demand_whole_rows(self) -> None:
        """Refuse the file if a row had too few or too many cells."""
        if self._cells_wrong is not None:
            raise PackError([self._cells_wrong], self._path.name)

    def take(self, batch: pa.RecordBatch) -> NDArray[np.void]:
        """Return the rows of one piece that are understood."""
        self.demand_whole_rows()
        report, before = self._report, self._report.rows
        report.rows += len(batch)
        names = [plain(name) for name in batch.schema.names]
        columns = {name: batch.column(names.index(name)) for name in (*COLUMNS, RECEIVED) if name in names}
        columns.setdefault(RECEIVED, pa.repeat("", len(batch)))
        asset = self._numbers(columns["asset"], self._assets, report.unknown_assets)
        metric = self._numbers(columns["metric"], self._metrics, Counter(), plain)
        strange = (asset >= 0) & (metric < 0)
        if strange.any():
            self._count_unknown(columns["metric"], strange)
        kept = np.flatnonzero((asset >= 0) & (metric >= 0))
        given = pc.utf8_lower(pc.utf8_trim_whitespace(columns["value"].take(pa.array(kept))))
        told = ~np.asarray(pc.is_in(given, _NOTHING).to_numpy(zero_copy_only=False))
        report.empty += int((~told).sum())
        kept = kept[told]
        return self._rows(columns, kept, asset[kept], metric[kept], before)

    def _rows(
        self,
        columns: Mapping[str, pa.Array],
        kept: NDArray[np.intp],
        asset: NDArray[np.int32],
        metric: NDArray[np.int32],
        before: int,
    ) -> NDArray[np.void]:
        report = self._report
        rows = np.zeros(len(kept), ROW)
        if not len(kept):
            return rows
        some = {name: columns[name].take(pa.array(kept)) for name in ("observed_at", "received_at", "value")}
        rows["asset"], rows["metric"] = asset, metric
        rows["value"] = self._values(some["value"], kept, before)
        rows["observed_at"] = self._moments("observed_at", some["observed_at"], kept, before)
        empty = np.asarray(pc.equal(some["received_at"], "").to_numpy(zero_copy_only=False))
        rows["received_at"] = rows["observed_at"]
        heard = np.flatnonzero(~empty)
        if len(heard):
            told = some["received_at"].take(pa.array(heard))
            rows["received_at"][heard] = self._moments("received_at", told, kept[heard], before)
        self._demand_our_time(rows["received_at"], kept, before)
        wrong = (rows["observed_at"] < EARLIEST_US) | (rows["observed_at"] > rows["received_at"] + AHEAD_US)
        rows["observed_at"][wrong] = rows["received_at"][wrong]
        report.retimed += int(wrong.sum())
        low, high = self._limits[metric].T
        sound = (rows["value"] >= low) & (rows["value"] <= high)
        report.out_of_range += int((~sound).sum())
        rows = np.compress(sound, rows)
        if len(rows):
            report.first_us = min(report.first_us, int(rows["received_at"].min()))
            report.last_us = max(report.last_us, int(rows["received_at"].max()))
            pairs = np.unique(rows["asset"].astype(np.int64) * len(self._limits) + rows["metric"])
            report.pairs |= {divmod(pair, len(self._limits)) for pair in pairs.tolist()}
        return rows

    def _numbers(
        self,
        column: pa.Array,
        known: Mapping[str, int],
        unknown: Counter[str],
        read: Callable[[str], str] = str.strip,
    ) -> NDArray[np.int32]:
        coded = pc.dictionary_encode(column)
        names = [read(name) for name in coded.dictionary.to_pylist()]
        table = np.array([known.get(name, -1) for name in names], np.int32)
        codes = coded.indices.to_numpy()
        for place in np.flatnonzero(table < 0).tolist():
            unknown[names[place]] += int((codes == place).sum())
        out: NDArray[np.int32] = table[codes] if len(table) else np.zeros(0, np.int32)
        return out

    def _count_unknown(self, column: pa.Array, which: NDArray[np.bool_]) -> None:
        for one in pc.value_counts(column.filter(pa.array(which))).to_pylist():
            self._report.unknown_metrics[one["values"].strip()] += one["counts"]

    def _values(self, column: pa.Array, kept: NDArray[np.intp], before: int) -> NDArray[np.float64]:
        try:
            out: NDArray[np.float64] = pc.cast(pc.utf8_trim_whitespace(column), pa.float64()).to_numpy(
                zero_copy_only=False
            )
        except pa.ArrowInvalid:
            for place, text in enumerate(column.to_pylist()):
                try:
                    float(text)
                except ValueError:
                    self._refuse(before, kept[place], f"value is {text[:40]!r}: write a number, or nothing")
            raise
        return np.where(np.isfinite(out), out, np.inf)

    def _moments(self, name: str, column: pa.Array, kept: NDArray[np.intp], before: int) -> NDArray[np.int64]:
        moments, wrong = parse_column(column)
        if wrong is not None:
            self._refuse(before, kept[wrong], f"{name} is {column[wrong].as_py()[:40]!r}: {HINT}")
        return moments

    def _demand_our_time(self, received: NDArray[np.int64], kept: NDArray[np.intp], before: int) -> None:
        wrong = np.flatnonzero((received < EARLIEST_US) | (received >= LATEST_US))
        if len(wrong):
            self._refuse(before, kept[wrong[0]], f"it was received before 2001 or after 2099: {HINT}")

    def _refuse(self, before: int, place: int, text: str) -> NoReturn:
        # Line 1 is the header; empty lines, which are passed over, make a file's own numbers larger.
        raise PackError([Mistake(str(self._path), before + int(place) + 2, text)], self._path.name)
