"""What is true of a recorded file, found without the product, and what a city made of it."""

import csv
import lzma
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, NamedTuple

import psycopg

from storage import queries

ROOT = Path(__file__).resolve().parents[2]
GIJON = ROOT.parent / "shared" / "data" / "gijon" / "gijon_aire_constitucion_horario_2008_2017.csv.xz"
SAMPLE = ROOT / "tests" / "data" / "air_sample.csv"
MAP = ROOT / "cities" / "gijon" / "play" / "air-station.toml"
STATION, FACILITY = "EST-CONSTITUCION", "EA-CONSTITUCION"
HOUR = timedelta(hours=1)
LONG_H = 24
"""The city pack calls the station silent when so many hours are missing."""

_SQL = queries.load(Path(__file__).with_suffix(".sql"))


class Gap(NamedTuple):
    """A silence of the station: the first hour that is missing, and the first that is there again."""

    start: datetime
    end: datetime

    @property
    def hours(self) -> int:
        return (self.end - self.start) // HOUR


class Ledger(NamedTuple):
    """Readings of one gateway; `missing` are messages."""

    appended: int
    stored: int
    duplicate: int
    conflicting: int
    quarantined: int
    in_flight: int
    missing: int


class Comparison(NamedTuple):
    """Rows on both sides, and those that only one side has."""

    in_file: int
    in_city: int
    only_in_file: int
    only_in_city: int

    @property
    def equal(self) -> bool:
        return self.in_file == self.in_city > 0 and not self.only_in_file and not self.only_in_city


@dataclass(frozen=True, slots=True)
class Truth:
    """What the file says, cell by cell.

    Attributes
    ----------
    gaps : tuple of Gap
        Hours in which no channel has a value, `LONG_H` or more in a row, in order of time.
    gaps_as_filed : tuple of Gap
        What a reader who takes the rows as they stand sees: a row that is not newer than one before tells it nothing.
    """

    rows: int
    readings: int
    duplicate: int
    conflicting: int
    first: datetime
    last: datetime
    gaps: tuple[Gap, ...]
    gaps_as_filed: tuple[Gap, ...]

    @property
    def ledger(self) -> Ledger:
        stored = self.readings - self.duplicate - self.conflicting
        return Ledger(self.readings, stored, self.duplicate, self.conflicting, 0, 0, 0)


def read_truth(path: Path) -> Truth:
    """Read a file with plain Python: csv, a dictionary and a sorted list."""
    first_of: dict[tuple[datetime, str], str] = {}
    heard: list[datetime] = []
    rows = readings = duplicate = conflicting = 0
    with open_file(path) as file:
        for row in csv.DictReader(line.decode() for line in file):
            rows += 1
            at = datetime.fromisoformat(row.pop("date_time_utc")).replace(tzinfo=UTC)
            cells = {channel: text for channel, text in row.items() if text}
            readings += len(cells)
            heard += [at] if cells else []
            for channel, text in cells.items():
                kept = first_of.get((at, channel))
                if kept is None:
                    first_of[at, channel] = text
                elif float(kept) == float(text):
                    duplicate += 1
                else:
                    conflicting += 1
    in_time = sorted(set(heard))
    return Truth(
        rows,
        readings,
        duplicate,
        conflicting,
        in_time[0],
        in_time[-1],
        tuple(_gaps(in_time)),
        tuple(_gaps(list(_newer(heard)))),
    )


def open_file(path: Path) -> IO[bytes]:
    """Open a file, packed or not."""
    return lzma.open(path) if path.suffix == ".xz" else path.open("rb")


def _newer(times: list[datetime]) -> Iterator[datetime]:
    latest = datetime.min.replace(tzinfo=UTC)
    for at in times:
        if at > latest:
            latest = at
            yield at


def _gaps(times: list[datetime]) -> Iterator[Gap]:
    for before, after in pairwise(times):
        gap = Gap(before + HOUR, after)
        if gap.hours >= LONG_H:
            yield gap


class Recorded:
    """Looks into the database of a city that a file was played to."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url

    def rows(self, statement: Any, **parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._url, autocommit=True, options="-c timezone=UTC") as connection:
            return connection.execute(statement, parameters or None).fetchall()

    def ledger(self) -> Ledger:
        return Ledger(*self.rows(_SQL.ledger, gateway=STATION)[0])

    def rolled_up(self, readings: int) -> bool:
        """Tell whether the days hold all readings and no bucket waits."""
        return self.rows(_SQL.rolled_up, device=STATION) == [(readings, 0)]

    def silences(self) -> list[tuple[datetime, datetime | None]]:
        """Return the station's communication failures; an alarm of any other kind is a mistake."""
        rows = self.rows(_SQL.alarms)
        assert {(fault, scope) for fault, scope, _, _ in rows} <= {("communicationFailure", FACILITY)}, rows
        return [(raised, cleared) for _, _, raised, cleared in rows]

    def positions(self) -> list[tuple[str, int, int, datetime]]:
        """Return group, partitions, records done and last checkpoint of each worker, for a test that fails."""
        return [(group, count, done, at) for group, count, done, at in self.rows(_SQL.positions)]

    def tickets(self) -> list[tuple[str, str, str, int]]:
        """Return fault, scope, state and number of alarms of each ticket."""
        return [(fault, scope, state, count) for fault, scope, state, count in self.rows(_SQL.tickets)]

    def compare(self, path: Path) -> dict[str, Comparison]:
        """Load the file into a table of its own with COPY, sum it up in SQL, and compare both ways."""
        with psycopg.connect(self._url, options="-c timezone=UTC") as connection:
            connection.execute(_SQL.drop_file)
            connection.execute(_SQL.create_file)
            with connection.cursor().copy(_SQL.copy_file) as copy, open_file(path) as file:
                shutil.copyfileobj(file, copy)
            connection.execute(_SQL.create_values)
            found = {}
            for name in ("readings", "hours", "days"):
                row = connection.execute(getattr(_SQL, f"compare_{name}"), {"device": STATION}).fetchone()
                assert row is not None
                found[name] = Comparison(*row)
            connection.execute(_SQL.drop_file)
        return found
