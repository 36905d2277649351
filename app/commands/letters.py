"""`citynerve letters …`: what was set aside, and its return."""

from collections.abc import Callable
from typing import Any

from app import wiring
from app.settings import Settings
from city.clock import isoformat
from city.errors import NotFoundError
from city.packfile import shown
from ingest.codecs import Codecs
from ingest.replay import resolve_letter
from stream import deadletter, redelivery, registry
from stream.deadletter import LetterQuery

Progress = Callable[[int, int], None]
"""(letters done, letters to do; 0 where that is not known)"""

PAGE = 1000


async def list_letters(settings: Settings, reason: str | None, limit: int) -> list[dict[str, Any]]:
    """Return letters that wait, newest first."""
    async with wiring.pool(wiring.database_url(settings)) as pool, pool.connection() as connection:
        found = await deadletter.list_letters(connection, LetterQuery(reason=reason, limit=limit))
    return [
        {
            "id": letter.letter_id,
            "received_at": isoformat(letter.received_at),
            "gateway": letter.gateway_id,
            "reason": letter.reason,
            "units": letter.open_units,
            "detail": letter.detail,
            "topic": letter.topic,
        }
        for letter in found
    ]


async def replay_letters(
    settings: Settings, ids: list[str], reason: str | None, progress: Progress = lambda done, total: None
) -> dict[str, int]:
    """Read letters again with today's registry and formats; return what became of them.

    Raises
    ------
    NotFoundError
        None of `ids` waits.
    """
    totals = {"letters": 0, "readings": 0, "still_bad": 0}
    async with wiring.pool(wiring.database_url(settings)) as pool, wiring.log(settings, pool) as log:
        clock = await wiring.clock(pool)
        async with pool.connection() as connection:
            known = await registry.load_ingest_registry(connection)
        codecs = Codecs()
        after: tuple[int, str] | None = None
        while True:
            query = LetterQuery(reason=reason, letter_ids=tuple(ids) or None, after=after, limit=PAGE)
            async with pool.connection() as connection:
                page = await deadletter.list_letters(connection, query)
            if not page:
                if ids and not totals["letters"]:
                    raise NotFoundError(
                        f"no letter {shown(', '.join(ids))} waits: `citynerve letters list` names those that do"
                    )
                return totals
            report = await redelivery.replay(
                pool,
                log,
                [letter.letter_id for letter in page],
                lambda letter: resolve_letter(letter, known, codecs),
                at_us=clock.now_us(),
            )
            for name in totals:
                totals[name] += getattr(report, name)
            progress(totals["letters"], 0)
            after = (page[-1].received_at, page[-1].letter_id)
