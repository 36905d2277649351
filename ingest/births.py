"""Keeps what Sparkplug's births told, so that data that came without one can be read when they are replayed."""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from psycopg.types.json import Jsonb

from city.clock import from_datetime, to_datetime
from city.errors import EngineError
from ingest.bundle import bundle_topic, unpack
from ingest.formats.sparkplug_births import Birth, BirthBook, BirthTold, Definition, NodeKey
from ingest.formats.sparkplug_topics import place_of
from storage import queries
from storage.pool import Connection, Pool, transaction

logger = logging.getLogger(__name__)

_SQL = queries.load(Path(__file__).with_name("births.sql"))
_WAITING_MAX = 10_000
_KEPT = 20
"""Different births of a node or device that are kept."""


class BirthStore:
    """Writes births. They are soft: while the database is away the newest of each node and device waits here.

    Parameters
    ----------
    answer_s : float
        A database that takes longer is taken to be away: acknowledgements wait meanwhile.
    retry_s : float
        It is left alone for so long then.
    """

    def __init__(self, pool: Pool, *, answer_s: float = 1.0, retry_s: float = 5.0) -> None:
        self._pool = pool
        self._answer_s = answer_s
        self._retry_s = retry_s
        self._away_until = 0.0
        self._waiting: dict[tuple[str, str, str], BirthTold] = {}

    @property
    def waiting(self) -> bool:
        """Whether a birth waits that the database might take now."""
        return bool(self._waiting) and monotonic() >= self._away_until

    async def write(self, births: Iterable[BirthTold]) -> None:
        """Store the newest birth of each node and device."""
        for told in births:
            key = (*told.node, told.device)
            if len(self._waiting) < _WAITING_MAX or key in self._waiting:
                self._waiting[key] = told
        if not self.waiting:
            return
        writing = dict(sorted(self._waiting.items()))
        try:
            async with asyncio.timeout(self._answer_s), transaction(self._pool) as connection:
                await keep(connection, list(writing.values()))
        except (EngineError, TimeoutError) as exc:
            self._away_until = monotonic() + self._retry_s
            logger.warning("births of Sparkplug nodes wait for the database", extra={"reason": str(exc)[:200]})
            return
        for key in writing:
            del self._waiting[key]


async def keep(connection: Connection, births: Sequence[BirthTold]) -> None:
    """Store births; one that says what the last one said makes that one's time longer."""
    async with connection.cursor() as cursor:
        rows = [_row(told) for told in births]
        await cursor.executemany(_SQL.keep, rows)
        await cursor.executemany(_SQL.forget, [{**row, "kept": _KEPT} for row in rows])


def _row(told: BirthTold) -> dict[str, Any]:
    birth = told.birth
    metrics = {name: [definition.datatype, definition.unit] for name, definition in birth.definitions.items()}
    aliases = {str(alias): name for alias, name in birth.aliases.items()}
    return {
        "group_id": told.node[0],
        "edge_id": told.node[1],
        "device_id": told.device,
        "at": to_datetime(told.first_at),
        "told": Jsonb({"metrics": metrics, "aliases": aliases}),
    }


async def load_book(connection: Connection, letter_ids: Sequence[str]) -> BirthBook:
    """Return the births of all nodes from which these dead letters, or the messages of these bundles, came."""
    nodes: dict[NodeKey, None] = {}
    async with connection.transaction(), connection.cursor(name="letters") as letters:
        # One at a time: bundles are large.
        await letters.execute(_SQL.topics, {"letter_ids": list(letter_ids), "bundles": bundle_topic("%")})
        letters.itersize = 20
        async for topic, bundle in letters:
            found = _nodes(topic, bundle)
            nodes |= dict.fromkeys(list(found) if bundle is None else await asyncio.to_thread(list, found))
    groups, edges = [group for group, _ in nodes], [edge for _, edge in nodes]
    cursor = await connection.execute(_SQL.of_nodes, {"groups": groups, "edges": edges})
    return BirthBook(
        BirthTold((group, edge), device, _birth(told), from_datetime(first), from_datetime(last))
        for group, edge, device, first, last, told in await cursor.fetchall()
    )


def _nodes(topic: str, bundle: bytes | None) -> Iterator[NodeKey]:
    topics = [topic]
    if bundle is not None:
        try:
            topics = [one.topic for one in unpack(bundle)]
        except ValueError:
            return  # Replay says what is wrong with it.
    for one in topics:
        place = place_of(one)
        if place is not None:
            yield place.node


def _birth(told: dict[str, Any]) -> Birth:
    definitions = {name: Definition(datatype, unit) for name, (datatype, unit) in told["metrics"].items()}
    return Birth(definitions, {int(alias): name for alias, name in told["aliases"].items()})
