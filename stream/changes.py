"""What all of operators' changes of the registry share: they hold it alone, move its version, and are written down."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString, NamedTuple

from psycopg.types.json import Jsonb

from city.clock import to_datetime
from city.errors import ConflictError, NotFoundError
from city.packfile import shown
from storage import queries
from storage.pool import Connection, engine_errors
from stream.lock import hold_registry

_SQL = queries.load(Path(__file__).with_suffix(".sql"))


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something, and when: city time, µs UTC."""

    actor: str
    at_us: int


@dataclass(frozen=True, slots=True)
class ChangeReport:
    """What a list did, or would do.

    Attributes
    ----------
    version : int
        Of the registry afterwards; 0 where nothing was changed.
    roots : frozenset of str
        Cabinets and facilities that detection must learn anew.
    revoked : int
        Credentials that ended with it.
    complete : bool
        False: of what waited for it more comes back later, by itself.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: int = 0
    version: int = 0
    roots: frozenset[str] = frozenset()
    revoked: int = 0
    complete: bool = True

    @property
    def touched(self) -> bool:
        """Whether there is anything to publish."""
        return bool(self.version)


class Subject(NamedTuple):
    """A kind of things in the registry: its word, and statements that hold them, set their standing, find roots."""

    word: str
    held: LiteralString
    set: LiteralString
    roots: LiteralString


_IS_DONE: dict[str, Callable[[bool, str], bool]] = {
    "retired": lambda retired, origin: retired and origin == "operator",
    "restored": lambda retired, origin: not retired,
    "released": lambda retired, origin: origin == "pack",
}
_RETIRED = {"retired": True, "restored": False, "released": None}
_ORIGIN = {"retired": "operator", "restored": "operator", "released": "pack"}


@asynccontextmanager
async def changing(connection: Connection) -> AsyncIterator[None]:
    """Hold the registry alone until all of a change is written."""
    with engine_errors():
        async with connection.transaction():
            await hold_registry(connection)
            yield


async def settle(connection: Connection, device_ids: Sequence[str]) -> None:
    """Give devices the intervals and series of their profiles."""
    for statement in (_SQL.settle_intervals, _SQL.settle_series, _SQL.settle_retired_series):
        await connection.execute(statement, {"devices": list(device_ids)})


async def next_version(connection: Connection) -> int:
    """Move the registry on, and return its version.

    Raises
    ------
    ConflictError
        Nothing was imported yet.
    """
    row = await (await connection.execute(_SQL.next_version)).fetchone()
    if row is None:
        raise ConflictError("no city was imported into this database yet: start with `citynerve up`")
    return int(row[0])


async def note(
    connection: Connection, author: Author, kind: str, subject: tuple[str, str], detail: dict[str, Any], version: int
) -> None:
    """Write down who changed what of one device, gateway or profile."""
    await connection.execute(
        _SQL.note,
        {
            "at": to_datetime(author.at_us),
            "actor": author.actor,
            "kind": kind,
            "subject": subject[0],
            "subject_id": subject[1],
            "detail": Jsonb(detail),
            "version": version,
        },
    )


async def set_standing(
    connection: Connection, names: Sequence[str], author: Author, kind: str, subject: Subject
) -> ChangeReport:
    """Retire, release or restore what has these names; what is so already stays.

    Parameters
    ----------
    kind : str
        ``retired``, ``released`` (to the city pack) or ``restored``.

    Raises
    ------
    NotFoundError
        One of them does not exist.
    """
    async with changing(connection):
        rows = await (await connection.execute(subject.held, {"names": list(names)})).fetchall()
        missing = sorted(set(names) - {row[0] for row in rows})
        if missing:
            raise NotFoundError(f"there is no {subject.word} {shown(missing[0])}")
        done = {name for name, retired, origin in rows if _IS_DONE[kind](retired, origin)}
        changed = tuple(name for name, _, _ in rows if name not in done)
        if not changed:
            return ChangeReport(unchanged=len(done))
        values = {"names": list(changed), "retired": _RETIRED[kind], "origin": _ORIGIN[kind]}
        await connection.execute(subject.set, values)
        version = await next_version(connection)
        for name in changed:
            await note(connection, author, kind, (subject.word, name), {}, version)
        roots = await (await connection.execute(subject.roots, {"names": list(changed)})).fetchall()
        return ChangeReport((), changed, len(done), version, frozenset(root for (root,) in roots))
