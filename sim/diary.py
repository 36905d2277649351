"""What simulated people remember over a restart: small values under names, on disk."""

import json
import sqlite3
from pathlib import Path
from typing import Any

from city.errors import EngineError
from storage import queries

_SQL = queries.load(Path(__file__).with_suffix(".sql"))


class Diary:
    """One SQLite file; without a path it lives in memory. For one thread at a time.

    Raises
    ------
    EngineError
        The file cannot be opened, read or written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=5, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error as exc:
            raise self._trouble(exc) from exc
        self._run(_SQL.create_diary)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def read(self, name: str) -> Any:
        """Return what stands under a name, as plain JSON values; None if nothing does."""
        row = self._run(_SQL.read, name=name).fetchone()
        return None if row is None else json.loads(row[0])

    def write(self, name: str, value: Any) -> None:
        """Remember a value."""
        self._run(_SQL.write, name=name, value=json.dumps(value))

    def forget(self, name: str) -> None:
        """Remember nothing under a name."""
        self._run(_SQL.forget, name=name)

    def _run(self, statement: str, **parameters: str) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, parameters)
        except sqlite3.Error as exc:
            raise self._trouble(exc) from exc

    def _trouble(self, exc: sqlite3.Error) -> EngineError:
        return EngineError(f"the simulator's file {self._path} cannot be used ({exc}): check path, rights and disk")
