"""Maintenance windows in the registry: each change is an event, and on the log with the cabinets that it concerns.

Whoever calls these publishes afterwards (`stream.publication.publish`). The reason is an operator's words and stays in
the database.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from city.clock import DAY_US, from_datetime, isoformat, to_datetime
from city.errors import ConflictError, DataError, NotFoundError
from city.maintenance import MaintenanceWindow
from city.packfile import shown
from storage import queries
from storage.pool import Connection
from stream import changes
from stream.changes import Author, ChangeReport

_SQL = queries.load(Path(__file__).with_suffix(".sql"))

KINDS = ("lamp", "feeder", "cabinet", "gateway", "facility", "district")
Kind = Literal["lamp", "feeder", "cabinet", "gateway", "facility", "district"]
LONGEST_US = 92 * DAY_US
"""Works that take longer are announced again: a window that somebody forgot would hide faults for years."""
REASON_MAX = 500
_KEPT_US = 2 * DAY_US


@dataclass(frozen=True, slots=True)
class Announcement:
    """Works as an operator announces them: where, from when until when (µs UTC), and why."""

    kind: Kind
    target_id: str
    starts_at: int
    ends_at: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Standing:
    kind: str
    target_id: str
    starts_at: datetime
    ends_at: datetime
    ended_at: datetime | None
    withdrawn: bool

    @property
    def over_at(self) -> int:
        return from_datetime(self.ended_at or self.ends_at)


async def announce(connection: Connection, works: Announcement, author: Author) -> tuple[int, ChangeReport]:
    """Let a window be; return its id.

    It counts from the moment at which detection hears of it: what was told before stays told.

    Raises
    ------
    DataError
        It makes no sense.
    NotFoundError
        There is nothing of that kind and name.
    """
    _demand_sound(works, author.at_us)
    async with changes.changing(connection):
        there = await (
            await connection.execute(_SQL.target, {"kind": works.kind, "target": works.target_id})
        ).fetchone()
        if there is None or not there[0]:
            raise NotFoundError(f"there is no {works.kind} {shown(works.target_id)}")
        values = {
            "kind": works.kind,
            "target": works.target_id,
            "starts_at": to_datetime(works.starts_at),
            "ends_at": to_datetime(works.ends_at),
            "reason": works.reason.strip(),
            "at": to_datetime(author.at_us),
        }
        row = await (await connection.execute(_SQL.insert, values)).fetchone()
        assert row is not None
        detail = {"starts_at": isoformat(works.starts_at), "ends_at": isoformat(works.ends_at)}
        return int(row[0]), await _noted(connection, author, "announced", int(row[0]), works, detail)


async def end(connection: Connection, window_id: int, author: Author) -> ChangeReport:
    """End a window before its time: what stays wrong is told from now on.

    Raises
    ------
    NotFoundError
        No such window.
    ConflictError
        It has not begun, or is over.
    """
    async with changes.changing(connection):
        one = await _standing(connection, window_id)
        if one.withdrawn or one.over_at <= author.at_us:
            raise ConflictError(f"window {window_id} is over: there is nothing to end")
        if from_datetime(one.starts_at) >= author.at_us:
            raise ConflictError(f"window {window_id} has not begun: withdraw it")
        at = to_datetime(author.at_us)
        return await _set(connection, author, "ended", window_id, replace(one, ended_at=at))


async def withdraw(connection: Connection, window_id: int, author: Author) -> ChangeReport:
    """Let a window never have been: what it held is told at once.

    Raises
    ------
    NotFoundError
        No such window.
    ConflictError
        It is over.
    """
    async with changes.changing(connection):
        one = await _standing(connection, window_id)
        if one.withdrawn or one.over_at <= author.at_us:
            raise ConflictError(f"window {window_id} is over: there is nothing to withdraw")
        return await _set(connection, author, "withdrawn", window_id, replace(one, withdrawn=True))


async def reinstate(connection: Connection, window_id: int, author: Author) -> ChangeReport:
    """Undo an early end, or a withdrawal.

    Raises
    ------
    NotFoundError
        No such window.
    ConflictError
        It stands, or its time as announced is over.
    """
    async with changes.changing(connection):
        one = await _standing(connection, window_id)
        if not one.withdrawn and one.ended_at is None:
            raise ConflictError(f"window {window_id} stands as announced: there is nothing to undo")
        if from_datetime(one.ends_at) <= author.at_us:
            raise ConflictError(f"window {window_id} would be over by now: announce another one")
        return await _set(connection, author, "reinstated", window_id, replace(one, ended_at=None, withdrawn=False))


async def of_roots(
    connection: Connection, only: Collection[str] | None, at_us: int
) -> dict[str, tuple[MaintenanceWindow, ...]]:
    """Return the windows of every cabinet and facility that has some, but those that ended long before `at_us`."""
    since = to_datetime(max(0, at_us - _KEPT_US))
    values = {"window": None, "since": since, "roots": None if only is None else sorted(only)}
    found: dict[str, list[MaintenanceWindow]] = defaultdict(list)
    for root, window_id, starts_at, ends_at, assets in await (await connection.execute(_SQL.meant, values)).fetchall():
        times = from_datetime(starts_at), from_datetime(ends_at)
        found[root].append(MaintenanceWindow(window_id, tuple(assets), *times))
    return {root: tuple(windows) for root, windows in found.items()}


def _demand_sound(works: Announcement, now: int) -> None:
    if works.ends_at <= works.starts_at:
        raise DataError("the works end before they begin: mend one of the two times")
    if works.ends_at <= now:
        raise DataError("the works are over already: a window changes nothing of what was told")
    if works.ends_at - works.starts_at > LONGEST_US:
        raise DataError(f"a window lasts {LONGEST_US // DAY_US} days at most: announce the rest when it comes")
    if not works.reason.strip():
        raise DataError("say why: the crew that sees a held alarm has to know")
    if len(works.reason) > REASON_MAX:
        raise DataError(f"the reason is longer than {REASON_MAX} characters")


async def _standing(connection: Connection, window_id: int) -> _Standing:
    row = await (await connection.execute(_SQL.window, {"window": window_id})).fetchone()
    if row is None:
        raise NotFoundError(f"there is no maintenance window {window_id}")
    return _Standing(*row)


async def _set(connection: Connection, author: Author, word: str, window_id: int, one: _Standing) -> ChangeReport:
    await connection.execute(_SQL.set, {"window": window_id, "ended_at": one.ended_at, "withdrawn": one.withdrawn})
    return await _noted(connection, author, word, window_id, one, {})


async def _noted(
    connection: Connection,
    author: Author,
    word: str,
    window_id: int,
    one: Announcement | _Standing,
    detail: dict[str, str],
) -> ChangeReport:
    version = await changes.next_version(connection)
    detail = {"kind": one.kind, "target": one.target_id, **detail}
    await changes.note(connection, author, word, ("maintenance", str(window_id)), detail, version)
    rows = await (await connection.execute(_SQL.meant, {"window": window_id, "since": None, "roots": None})).fetchall()
    return ChangeReport((), (str(window_id),), 0, version, frozenset(row[0] for row in rows))
