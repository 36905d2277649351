"""`citynerve letters …`: what was set aside, and its return."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from app import wiring
from app.commands.credentials import ACTOR
from app.settings import Settings
from city.errors import DataError, NotFoundError
from city.packfile import shown
from ingest.redeliver import Redelivery
from ingest.registry import RegistryFollower
from portals_api.operator.letter_rows import reason_rows, replay_row, row_of, whole_row
from stream import letters
from stream.letters import LetterQuery

Progress = Callable[[int, int], None]
"""(letters done, letters to do; 0 where that is not known)"""

PAGE = 500
_IN_A_LIST = ("id", "received_at", "gateway", "reason", "detail", "topic", "state", "tries", "bytes")


async def list_letters(settings: Settings, query: LetterQuery) -> list[dict[str, Any]]:
    """Return what fits, newest first, `query.limit` at most; a search goes on until it has that many."""
    found: list[dict[str, Any]] = []
    async with wiring.pool(wiring.database_url(settings)) as pool:
        while True:
            async with pool.connection() as connection:
                page = await letters.list_letters(connection, replace(query, limit=query.limit - len(found)))
            for one in page.items:
                row = row_of(one)
                found.append({"units": one.open_units, **{name: row[name] for name in _IN_A_LIST}})
            if page.next is None or len(found) >= query.limit:
                return found
            query = replace(query, after=page.next)


async def count_letters(settings: Settings) -> list[dict[str, Any]]:
    """Return by reason what waits, and what to do about it."""
    async with wiring.pool(wiring.database_url(settings)) as pool, pool.connection() as connection:
        return reason_rows(await letters.open_by_reason(connection))


async def show_letter(settings: Settings, letter_id: str) -> dict[str, Any]:
    """Return one letter with its bytes, what can be read in them, and its history.

    Raises
    ------
    NotFoundError
        No such letter.
    """
    async with wiring.pool(wiring.database_url(settings)) as pool:
        return (await whole_row(pool, letter_id))[0]


async def replay_letters(
    settings: Settings,
    ids: list[str],
    query: LetterQuery,
    progress: Progress = lambda done, total: None,
    *,
    anew: bool = False,
) -> dict[str, Any]:
    """Read letters again with today's registry and formats; return what became of them.

    Parameters
    ----------
    ids : list of str
        These; none: all that wait and fit `query`.
    anew : bool
        Read all of the objects that they are about, whatever their values are called now.

    Raises
    ------
    NotFoundError
        One of `ids` is no letter, and nothing was done; or none of them waits.
    """
    totals: dict[str, Any] = {"letters": 0, "readings": 0, "still_bad": 0}
    async with _redelivery(settings) as service:
        if ids:
            await _demand(service, ids)
            report = await service.replay(ids, ACTOR, whole=anew)
            if not report.letters:
                raise NotFoundError(
                    f"no letter {shown(', '.join(ids))} waits: `citynerve letters list` names those that do"
                )
            row = replay_row(report, None)
            return {**{name: row[name] for name in totals}, "results": row["results"]}
        query = replace(query, limit=PAGE)
        while True:
            done = await service.replay_found(query, ACTOR, whole=anew)
            for name in totals:
                totals[name] += getattr(done.report, name)
            progress(totals["letters"], 0)
            if done.next is None:
                return totals
            query = replace(query, after=done.next)


async def mark_letters(
    settings: Settings,
    ids: list[str],
    query: LetterQuery | None,
    *,
    unwanted: bool,
    reason: str,
    progress: Progress = lambda done, total: None,
) -> dict[str, int]:
    """Take letters out of the open list, or back; `query` where all that fit are meant. Return how many moved.

    Raises
    ------
    DataError
        Neither ids nor a query, or no reason.
    NotFoundError
        One of `ids` is no letter, and nothing was done.
    """
    if unwanted and not reason.strip():
        raise DataError("say why they are not wanted, with --why")
    if not ids and query is None:
        raise DataError("name letters, or say which with --reason, --gateway, --topic, --text, --since or --until")
    moved = 0
    async with _redelivery(settings) as service:
        if ids:
            await _demand(service, ids)
            return {"letters": len(await service.mark(ids, unwanted=unwanted, actor=ACTOR, reason=reason))}
        assert query is not None
        query = replace(query, limit=PAGE)
        while True:
            done = await service.mark_found(query, unwanted=unwanted, actor=ACTOR, reason=reason)
            moved += len(done.letter_ids)
            progress(moved, 0)
            if done.next is None:
                return {"letters": moved}
            query = replace(query, after=done.next)


async def _demand(service: Redelivery, ids: list[str]) -> None:
    async with service.pool.connection() as connection:
        known = await letters.states_of(connection, ids)
    missing = [one for one in ids if one not in known]
    if missing:
        raise NotFoundError(
            f"there is no letter {shown(', '.join(missing))}, and nothing was done: `citynerve letters list` names them"
        )


@asynccontextmanager
async def _redelivery(settings: Settings) -> AsyncIterator[Redelivery]:
    async with wiring.pool(wiring.database_url(settings)) as pool, wiring.log(settings, pool) as log:
        yield Redelivery(pool, log, await wiring.clock(pool), RegistryFollower(pool))
