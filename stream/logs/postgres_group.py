"""Consumer groups of the PostgreSQL log: members with leases, handed over under the lock of the group's row."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from city.errors import EngineError, FencedError
from storage.pool import Connection, Pool, engine_errors, transaction
from stream.log import Bounds, Poll, Record, TopicPartition
from stream.logs.postgres_rows import SQL, PostgresLogOptions, check_position, to_record
from stream.logs.sharing import share

logger = logging.getLogger(__name__)

_POLL_INTERVAL_S_MIN = 0.01


@dataclass(slots=True)
class _Lease:
    """A partition of ours: the generation in which we got it, and where we read on."""

    generation: int
    position: int


async def join(pool: Pool, group: str, topics: Sequence[str], options: PostgresLogOptions) -> "PostgresConsumer":
    """Join a group as a new member.

    Raises
    ------
    EngineError
        The server did not answer.
    """
    consumer = PostgresConsumer(pool, group, topics, options)
    await consumer.rejoin()
    return consumer


class PostgresConsumer:
    """See `stream.log.Consumer`."""

    def __init__(self, pool: Pool, group: str, topics: Sequence[str], options: PostgresLogOptions) -> None:
        self._pool = pool
        self._group = group
        self._topics = sorted(topics)
        self._options = options
        self._session = timedelta(seconds=options.session_timeout_s)
        self._member = ""
        self._generation = -1
        self._leases: dict[TopicPartition, _Lease] = {}
        self._fresh = False
        """The assignment changed and no poll has told so yet."""
        self._turn = 0
        self._pause_s = _POLL_INTERVAL_S_MIN
        self._polled_at = time.monotonic()
        self._heart: asyncio.Task[None] | None = None
        self._closed = False

    async def rejoin(self) -> None:
        """Become a member under a new name; what a former one left unfinished is no longer ours."""
        member = f"{uuid.uuid4()}"
        async with transaction(self._pool) as connection:
            names = {"group": self._group, "member": member}
            await connection.execute(SQL.create_group, names)
            await connection.execute(SQL.lock_group, names)
            await connection.execute(SQL.add_member, names | {"topics": self._topics, "session": self._session})
            generation = await self._rebalance(connection)
            leases = await self._read_leases(connection, member)
        self._member = member
        self._leases = {}
        self._take(generation, leases)
        if self._heart is None:
            self._heart = asyncio.create_task(self._beat(), name=f"heartbeat of {self._group}")

    async def poll(self, *, max_records: int = 500, timeout_s: float = 0.1) -> Poll:
        deadline = time.monotonic() + timeout_s
        while True:
            self._polled_at = time.monotonic()
            if self._fresh:
                # Told before the first record, so that the caller can seek.
                self._fresh = False
                return self._answer({})
            records, changed = await self._look(max_records)
            if changed:
                await self._follow()
                continue
            if records:
                self._pause_s = _POLL_INTERVAL_S_MIN
                for source, found in records.items():
                    self._leases[source].position = found[-1].offset + 1
                return self._answer(records)
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return self._answer({})
            await asyncio.sleep(min(self._pause_s, left_s))
            self._pause_s = min(self._pause_s * 2, self._options.poll_interval_s_max)

    async def seek(self, source: TopicPartition, offset: int) -> None:
        if source in self._leases:
            self._leases[source].position = offset

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        if not offsets:
            return
        if not offsets.keys() <= self._leases.keys():
            raise FencedError(f"{self._group}: a partition belongs to another member now")
        sources = sorted(offsets)
        async with transaction(self._pool) as connection:
            cursor = await connection.execute(
                SQL.commit,
                {
                    "group": self._group,
                    "member": self._member,
                    "topics": [source.topic for source in sources],
                    "partitions": [source.partition for source in sources],
                    "generations": [self._leases[source].generation for source in sources],
                    "offsets": [offsets[source] for source in sources],
                },
            )
            if cursor.rowcount != len(sources):
                raise FencedError(f"{self._group}: a partition belongs to another member now")

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._heart is not None:
            self._heart.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._heart
        async with transaction(self._pool) as connection:
            names = {"group": self._group, "member": self._member}
            await connection.execute(SQL.lock_group, names)
            if (await connection.execute(SQL.drop_member, names)).rowcount:
                await self._rebalance(connection)

    async def _look(self, max_records: int) -> tuple[dict[TopicPartition, list[Record]], bool]:
        """Ask in one round trip for news of the group and for records of all our partitions."""
        sources = sorted(self._leases)
        self._turn += 1
        turn = self._turn % max(1, len(sources))
        sources = sources[turn:] + sources[:turn]  # who was last is first now: a busy partition starves no other
        where = {
            "topics": [source.topic for source in sources],
            "partitions": [source.partition for source in sources],
        }
        wanted = where | {
            "offsets": [self._leases[source].position for source in sources],
            "each": max(16, -(-2 * max_records // max(1, len(sources)))),
            "max_records": max_records,
            "max_bytes": self._options.fetch_bytes_max,
        }
        with engine_errors():
            async with self._pool.connection() as connection:
                async with connection.pipeline():
                    watch = await connection.execute(SQL.watch, {"group": self._group, "member": self._member})
                    fetch = await connection.execute(SQL.fetch, wanted, binary=True)
                    bounds = await connection.execute(SQL.bounds_of, where)
                news = await watch.fetchone()
                rows = await fetch.fetchall()
                known = await bounds.fetchall()
        if news is None or news[0] != self._generation or not news[1] or news[2]:
            return {}, True
        records: dict[TopicPartition, list[Record]] = {}
        for row in rows:
            records.setdefault(TopicPartition(row[0], row[1]), []).append(to_record(row))
        for topic, partition, begin, end in known:
            source = TopicPartition(topic, partition)
            check_position(source, self._leases[source].position, records.get(source, ()), Bounds(begin, end))
        return records, False

    async def _follow(self) -> None:
        """Find out what we own after a rebalance; make one if a member is overdue; join anew if we were."""
        names = {"group": self._group, "member": self._member}
        async with transaction(self._pool) as connection:
            locked = await (await connection.execute(SQL.lock_group, names)).fetchone()
            watch = await (await connection.execute(SQL.watch, names)).fetchone()
            alive = locked is not None and watch is not None and watch[1]
            if alive:
                assert locked is not None
                generation = locked[0]
                if watch is not None and watch[2]:
                    generation = await self._rebalance(connection)
                leases = await self._read_leases(connection, self._member)
        if alive:
            self._take(generation, leases)
        else:
            logger.info("membership expired, joining again", extra={"group": self._group})
            await self.rejoin()

    def _take(self, generation: int, leases: Mapping[TopicPartition, _Lease]) -> None:
        """Own `leases` from now on; what we had before goes on where we are, not where we committed."""
        for source, lease in leases.items():
            before = self._leases.get(source)
            if before is not None and before.generation == lease.generation:
                lease.position = before.position
        self._leases = dict(leases)
        self._generation = generation
        self._fresh = True

    async def _rebalance(self, connection: Connection) -> int:
        """Share the partitions among the members that are alive. The caller holds the group's lock."""
        names = {"group": self._group}
        await connection.execute(SQL.drop_expired, names)
        members = {
            member: frozenset(topics)
            for member, topics in await (await connection.execute(SQL.members, names)).fetchall()
        }
        topics = sorted(set().union(*members.values()))
        cursor = await connection.execute(SQL.owners, names | {"topics": topics})
        owners = {TopicPartition(topic, partition): member for topic, partition, member in await cursor.fetchall()}
        shared = share(members, owners)
        row = await (await connection.execute(SQL.next_generation, names)).fetchone()
        assert row is not None
        generation: int = row[0]
        await connection.execute(
            SQL.lease,
            names
            | {
                "generation": generation,
                "topics": [source.topic for source in shared],
                "partitions": [source.partition for source in shared],
                "members": list(shared.values()),
            },
        )
        return generation

    async def _read_leases(self, connection: Connection, member: str) -> dict[TopicPartition, _Lease]:
        cursor = await connection.execute(SQL.leases_of, {"group": self._group, "member": member})
        return {
            TopicPartition(topic, partition): _Lease(generation, position)
            for topic, partition, generation, position in await cursor.fetchall()
        }

    async def _beat(self) -> None:
        """Say that we live, as long as somebody polls: a member that hangs must not keep its partitions."""
        while True:
            await asyncio.sleep(self._options.session_timeout_s / 3)
            if not self._member or time.monotonic() - self._polled_at > self._options.poll_gap_s_max:
                continue
            names: dict[str, Any] = {"group": self._group, "member": self._member, "session": self._session}
            try:
                with engine_errors():
                    async with self._pool.connection() as connection:
                        await connection.execute(SQL.heartbeat, names)
            except EngineError as exc:
                # The next poll meets the same server and tells its caller.
                logger.info("heartbeat not sent", extra={"group": self._group, "reason": str(exc)})

    def _answer(self, records: Mapping[TopicPartition, Sequence[Record]]) -> Poll:
        return Poll(records, frozenset(self._leases), self._generation)
