"""Brings a database to today's schema: the files of migrations/ in order, without gaps, one process at a time.

A migration and the note that it was applied are one transaction, so that a kill at any moment leaves either both or
neither; and the lock that keeps other processes waiting ends with its connection.
"""

import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg.rows import TupleRow

from city.errors import EngineError, SettingsError
from storage import queries

logger = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).with_name("migrations")
_SQL = queries.load(Path(__file__).with_name("migrate.sql"))
_FILE = re.compile(r"(\d{4})_(pre|post)_\w+")
_ALONE = re.compile(r"^-- transactional: false$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema.

    Attributes
    ----------
    name : str
        ``0007_pre_add_ticket_feeder`` goes before the new code starts, ``0008_post_drop_…`` after the old code ended.
    transactional : bool
        False for what PostgreSQL does not do within a transaction; such a file must take being run again.
    """

    name: str
    text: str
    transactional: bool

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrate(url: str, *, until: Literal["pre", "all"] = "all", folder: Path = MIGRATIONS) -> list[str]:
    """Apply what is missing; return the names of the migrations applied now. Many processes may call it at once.

    Parameters
    ----------
    url : str
        ``postgresql://…``
    until : "pre" or "all"
        "pre" stops before the first migration that the code before ours could not live with, for a rolling upgrade.

    Raises
    ------
    SettingsError
        The migrations have a gap, or the database is not of this program's line.
    EngineError
        The server did not answer or refused a statement.
    """
    migrations = read(folder)
    try:
        with psycopg.connect(url, autocommit=True) as connection, _alone(connection):
            connection.execute("SET client_min_messages = warning")
            connection.execute(_SQL.create_note)
            done: dict[str, str] = dict(connection.execute(_SQL.applied).fetchall())
            pending = to_apply(migrations, done, until)
            for migration in pending:
                _apply(connection, migration)
    except psycopg.Error as exc:
        raise EngineError(f"the database could not be migrated: {str(exc).strip()[:500]}") from exc
    return [migration.name for migration in pending]


def read(folder: Path) -> list[Migration]:
    """Read the migrations of a folder, in order.

    Raises
    ------
    SettingsError
        A name that is not one, or a number that is missing.
    """
    found = []
    for number, path in enumerate(sorted(folder.glob("*.sql")), start=1):
        match = _FILE.fullmatch(path.stem)
        if match is None:
            raise SettingsError(f"migration {path.name} is not named like 0007_pre_add_something.sql: rename it")
        if int(match[1]) != number:
            raise SettingsError(f"migration {number:04d} is missing before {path.name}: install citynerve again")
        text = path.read_text(encoding="utf-8")
        found.append(Migration(path.stem, text, _ALONE.search(text) is None))
    return found


def to_apply(migrations: Sequence[Migration], done: dict[str, str], until: Literal["pre", "all"]) -> list[Migration]:
    """Return what a database lacks, given name and checksum of what it has.

    Raises
    ------
    SettingsError
        It has a hole, something of a newer program that this one cannot live with, or another form of a migration.
    """
    known = {migration.name for migration in migrations}
    for name in sorted(done.keys() - known):
        # What a newer program adds beforehand, the program before it can live with.
        if "_pre_" not in name or name < max(known, default=""):
            raise SettingsError(f"the database has migration {name}, which this program does not know: use a newer one")
    for migration in migrations:
        if done.get(migration.name, migration.checksum) != migration.checksum:
            raise SettingsError(
                f"the database has another form of migration {migration.name}, made by a version that was never"
                " released: start with a new, empty database"
            )
    pending = [migration for migration in migrations if migration.name not in done]
    applied_last = max((migration.name for migration in migrations if migration.name in done), default="")
    if pending and pending[0].name < applied_last:
        raise SettingsError(
            f"the database lacks migration {pending[0].name} but has {applied_last}: restore it from a backup"
        )
    if until == "pre":
        stop = next((number for number, one in enumerate(pending) if "_post_" in one.name), len(pending))
        pending = pending[:stop]
    return pending


def _apply(connection: psycopg.Connection[TupleRow], migration: Migration) -> None:
    text: Any = migration.text
    note = {"name": migration.name, "checksum": migration.checksum}
    if migration.transactional:
        with connection.transaction():
            connection.execute(text)
            connection.execute(_SQL.note, note)
    else:
        for statement in re.split(r";[ \t]*$", text, flags=re.MULTILINE):
            if any(line.strip() and not line.lstrip().startswith("--") for line in statement.splitlines()):
                connection.execute(statement)
        connection.execute(_SQL.note, note)
    logger.info("migrated the database", extra={"migration": migration.name})


@contextmanager
def _alone(connection: psycopg.Connection[TupleRow]) -> Iterator[None]:
    """Wait for our turn; the server lets go of it when the connection ends, however it ends."""
    connection.execute(_SQL.take_turn)
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute(_SQL.end_turn)
