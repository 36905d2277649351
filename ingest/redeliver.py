"""Replays and marks the dead letters that a search finds, a page at a time: whoever asks goes on with what comes next.

Nothing runs on by itself: a page is a second's work, repeating it has no effect, a caller that dies has lost nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from city.clock import Clock
from ingest.births import load_book
from ingest.codec_accounts import CodecOptions
from ingest.codecs import Codecs
from ingest.registry import RegistryFollower
from ingest.replay import anew, resolve_letter
from storage.pool import Pool, engine_errors, transaction
from stream import letters, newcomers, redelivery
from stream.codec import DeadLetter
from stream.letters import Key, LetterQuery, LetterState
from stream.log import EventLog
from stream.newcomers import Due, Newcomers
from stream.redelivery import ReplayReport, Resolution

_CODECS = CodecOptions(owed_s_max=5.0, owed_s_max_together=20.0)
"""Nobody waits for a replay but who asked for it: letters that came over a week must not pause their codec."""


class Replayed(NamedTuple):
    """What a page of a replay did, and where the next one begins; None: there is none."""

    report: ReplayReport
    next: Key | None


class Marked(NamedTuple):
    """Letters that were moved, and where the next page begins; None: there is none."""

    letter_ids: list[str]
    next: Key | None


@dataclass(frozen=True, slots=True)
class Redelivery:
    """What it takes to send letters back: engines, and today's registry."""

    pool: Pool
    log: EventLog
    clock: Clock
    registry: RegistryFollower

    async def replay(self, letter_ids: Sequence[str], actor: str, *, whole: bool = False) -> ReplayReport:
        """Read these letters again with today's registry and formats; `whole`: all of their objects."""
        return await self._replay(letter_ids, actor, None, whole=whole)

    async def open_bundles(self, bundles: Sequence[Due], actor: str) -> ReplayReport:
        """Read of these bundles what is of devices and gateways that became known after them; the rest stays."""
        letter_ids = [one.letter_id for one in bundles]
        with engine_errors():
            async with self.pool.connection() as connection:
                known_since = await newcomers.load(connection, letter_ids)
        report = await self._replay(letter_ids, actor, known_since)
        await newcomers.opened(self.pool, bundles)
        return report

    async def _replay(
        self, letter_ids: Sequence[str], actor: str, known_since: Newcomers | None, *, whole: bool = False
    ) -> ReplayReport:
        await self.registry.refresh()
        known = self.registry.current()
        with engine_errors():
            async with self.pool.connection() as connection:
                births = await load_book(connection, letter_ids)

        def resolve(letter: DeadLetter) -> Resolution:
            only_of = None if known_since is None else known_since.after(letter)
            return resolve_letter(anew(letter) if whole else letter, known, codecs, births, only_of)

        codecs = Codecs(_CODECS)
        try:
            return await redelivery.replay(
                self.pool,
                self.log,
                letter_ids,
                resolve,
                at_us=self.clock.now_us(),
                actor=actor,
            )
        finally:
            codecs.close()

    async def replay_found(self, query: LetterQuery, actor: str, *, whole: bool = False) -> Replayed:
        """Replay one page of what waits and fits `query`."""
        page = await self._find(replace(query, state=LetterState.OPEN))
        report = await self.replay([one.letter_id for one in page.items], actor, whole=whole)
        return Replayed(report, page.next)

    async def mark(self, letter_ids: Sequence[str], *, unwanted: bool, actor: str, reason: str) -> list[str]:
        """Take letters out of the open list, or back into it; return which were moved."""
        at_us = self.clock.now_us()
        async with transaction(self.pool) as connection:
            return await letters.mark(
                connection, letter_ids, unwanted=unwanted, actor=actor, reason=reason, at_us=at_us
            )

    async def mark_found(self, query: LetterQuery, *, unwanted: bool, actor: str, reason: str) -> Marked:
        """Mark one page of what fits `query` and is not marked so yet."""
        state = LetterState.OPEN if unwanted else LetterState.NOT_WANTED
        page = await self._find(replace(query, state=state))
        ids = [one.letter_id for one in page.items]
        return Marked(await self.mark(ids, unwanted=unwanted, actor=actor, reason=reason), page.next)

    async def _find(self, query: LetterQuery) -> letters.LetterPage:
        with engine_errors():
            async with self.pool.connection() as connection:
                return await letters.list_letters(connection, query)
