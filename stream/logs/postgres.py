"""The event log on PostgreSQL tables: for one machine, durable, with nothing else to install."""

from collections.abc import Mapping, Sequence
from typing import Any

from city.errors import (
    LogFullError,
    NotFoundError,
    RecordTooLargeError,
    SettingsError,
)
from city.topics import DEAD_LETTERS, READINGS
from storage.pool import Pool, fetch_all, open_pool, ping, transaction
from stream.log import Append, Bounds, Consumer, Record, TopicPartition
from stream.logs.postgres_group import join
from stream.logs.postgres_rows import SQL, PostgresLogOptions, check_position, to_record

_OVERHEAD_BYTES = 96
"""What a record takes beside its value and meta, roughly; counted towards the size limit."""

_DOORS = {READINGS, DEAD_LETTERS}
_ROOM_OF_STAGES = 1.1
"""What stages make of readings may exceed the limit by a tenth: a full log is only emptied behind those who go on."""


async def open_postgres_log(pool_or_url: Pool | str, options: PostgresLogOptions | None = None) -> "PostgresLog":
    """Open the log in a migrated database; a pool that is given stays the caller's to close.

    Raises
    ------
    EngineError
        The server did not answer.
    SettingsError
        The database was not migrated.
    """
    options = options or PostgresLogOptions()
    own = isinstance(pool_or_url, str)
    if isinstance(pool_or_url, str):
        pool = await open_pool(pool_or_url, size=options.pool_size, timeout_s=options.timeout_s)
    else:
        pool = pool_or_url
    try:
        async with transaction(pool) as connection:
            await connection.execute(SQL.create_identity)
            if options.max_bytes is not None:
                await connection.execute(SQL.set_size_limit, {"max_bytes": options.max_bytes})
            row = await (await connection.execute(SQL.read_identity)).fetchone()
    except BaseException:
        if own:
            await pool.close()
        raise
    assert row is not None
    return PostgresLog(pool, str(row[0]), options, owns_pool=own)


class PostgresLog:
    """See `stream.log.EventLog`."""

    def __init__(self, pool: Pool, identity: str, options: PostgresLogOptions, *, owns_pool: bool) -> None:
        self._pool = pool
        self._identity = identity
        self._options = options
        self._owns_pool = owns_pool
        self._partitions: dict[str, int] = {}

    @property
    def identity(self) -> str:
        return self._identity

    @property
    def max_record_bytes(self) -> int:
        return self._options.max_record_bytes

    async def create_topics(self, partitions: Mapping[str, int]) -> None:
        async with transaction(self._pool) as connection:
            await connection.execute(SQL.lock_topics)
            cursor = await connection.execute(SQL.count_partitions, {"topics": list(partitions)})
            found: dict[str, int] = dict(await cursor.fetchall())
            for topic, count in partitions.items():
                if found.get(topic, count) != count:
                    raise SettingsError(
                        f"topic {topic} has {found[topic]} partitions, the settings say {count}: set it back, they"
                        " cannot be changed by a setting"
                    )
            missing = [
                {"topic": topic, "partition": partition}
                for topic, count in partitions.items()
                if topic not in found
                for partition in range(count)
            ]
            if missing:
                await connection.cursor().executemany(SQL.create_partition, missing)
        self._partitions.update(partitions)

    async def partitions(self, topic: str) -> int:
        if topic not in self._partitions:
            rows = await fetch_all(self._pool, SQL.count_partitions, {"topics": [topic]})
            if not rows:
                raise NotFoundError(f"the log has no topic {topic!r}")
            self._partitions[topic] = rows[0][1]
        return self._partitions[topic]

    async def append(self, records: Sequence[Append]) -> list[int]:
        if not records:
            return []
        for record in records:
            if len(record.value) > self._options.max_record_bytes:
                raise RecordTooLargeError(
                    f"a record of {len(record.value)} bytes for {record.topic} is over the log's limit of"
                    f" {self._options.max_record_bytes}"
                )
            if not 0 <= record.partition < await self.partitions(record.topic):
                raise NotFoundError(f"topic {record.topic!r} has no partition {record.partition}")
        parameters, ranks = _append_parameters(records)
        async with transaction(self._pool) as connection:
            async with connection.pipeline():
                await connection.execute(SQL.lock_heads, parameters)
                cursor = await connection.execute(SQL.append, parameters, prepare=True)
            first = {(topic, partition): offset for topic, partition, offset in await cursor.fetchall()}
            if not first:
                raise LogFullError(
                    "the log is at its size limit: shorten its retention, let slow readers catch up, or raise the limit"
                )
        return [first[record.topic, record.partition] + rank for record, rank in zip(records, ranks, strict=True)]

    async def read(self, source: TopicPartition, offset: int, *, max_records: int = 500) -> list[Record]:
        where = {"topics": [source.topic], "partitions": [source.partition]}
        found = await fetch_all(
            self._pool,
            SQL.fetch,
            where
            | {
                "offsets": [offset],
                "each": max_records,
                "max_records": max_records,
                "max_bytes": self._options.fetch_bytes_max,
            },
        )
        records = [to_record(row) for row in found]
        if not records or records[0].offset != offset:
            bounds = await fetch_all(self._pool, SQL.bounds_of, where)
            if not bounds:
                raise NotFoundError(f"the log has no {source.topic}/{source.partition}")
            check_position(source, offset, records, Bounds(*bounds[0][2:]))
        return records

    async def bounds(self, topic: str) -> dict[int, Bounds]:
        await self.partitions(topic)
        rows = await fetch_all(self._pool, SQL.bounds, {"topic": topic})
        return {partition: Bounds(begin, end) for partition, begin, end in rows}

    async def consumer(self, group: str, topics: Sequence[str]) -> Consumer:
        for topic in topics:
            await self.partitions(topic)
        return await join(self._pool, group, topics, self._options)

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        return dict(await fetch_all(self._pool, SQL.committed, {"group": group, "topic": topic}))

    async def trim(self, topic: str, before_us: int) -> dict[int, int]:
        return {
            partition: await self._trim_partition(TopicPartition(topic, partition), before_us)
            for partition in range(await self.partitions(topic))
        }

    async def _trim_partition(self, source: TopicPartition, before_us: int) -> int:
        """Delete in short transactions: writers of the partition wait for each."""
        where: dict[str, Any] = {"topic": source.topic, "partition": source.partition}
        while True:
            async with transaction(self._pool) as connection:
                head = await (await connection.execute(SQL.lock_head, where)).fetchone()
                assert head is not None
                begin: int = head[0]
                slowest = await (await connection.execute(SQL.slowest, where)).fetchone()
                old = await (
                    await connection.execute(SQL.old_until, where | {"begin": begin, "before_us": before_us})
                ).fetchone()
                assert slowest is not None
                assert old is not None
                until = begin if old[0] is None else old[0]
                if slowest[0] is not None:
                    until = min(until, slowest[0])
                if until <= begin:
                    return begin
                await connection.execute(SQL.trim, where | {"until": until, "overhead": _OVERHEAD_BYTES})

    async def ping(self) -> None:
        await ping(self._pool)

    async def close(self) -> None:
        if self._owns_pool:
            await self._pool.close()


def _append_parameters(records: Sequence[Append]) -> tuple[dict[str, Any], list[int]]:
    """Turn records into columns; the second value is each record's place within its partition's share."""
    counts: dict[tuple[str, int], int] = {}
    sizes: dict[tuple[str, int], int] = {}
    ranks = []
    for record in records:
        key = (record.topic, record.partition)
        ranks.append(counts.get(key, 0))
        counts[key] = counts.get(key, 0) + 1
        sizes[key] = sizes.get(key, 0) + len(record.value) + len(record.meta) + _OVERHEAD_BYTES
    return {
        "topics": [topic for topic, _ in counts],
        "partitions": [partition for _, partition in counts],
        "counts": list(counts.values()),
        "bytes": [sizes[key] for key in counts],
        "total_bytes": sum(sizes.values()),
        "room": 1.0 if any(topic in _DOORS for topic, _ in counts) else _ROOM_OF_STAGES,
        "record_topics": [record.topic for record in records],
        "record_partitions": [record.partition for record in records],
        "ranks": ranks,
        "kinds": [record.kind for record in records],
        "metas": [record.meta for record in records],
        "ats": [record.at_us for record in records],
        "record_values": [record.value for record in records],
    }, ranks
