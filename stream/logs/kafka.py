"""The event log on Apache Kafka, through aiokafka: for a whole city."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.errors import for_code
from aiokafka.structs import TopicPartition as KafkaPartition

from city.errors import (
    EngineError,
    NotFoundError,
    OffsetOutOfRangeError,
    RecordTooLargeError,
    SettingsError,
)
from stream.log import Append, Bounds, Consumer, Record, TopicPartition
from stream.logs.kafka_group import join
from stream.logs.kafka_records import KafkaLogOptions, end_task, engine_errors, stop_consumer, to_headers, to_record
from stream.logs.kafka_topics import fetch_topics

logger = logging.getLogger(__name__)

_IDENTITY_TOPIC = "log-identity"
_TOPIC_EXISTS = 36
_UNKNOWN_TOPIC = 3
_BATCH_OVERHEAD_BYTES = 64 << 10


async def open_kafka_log(bootstrap: str, options: KafkaLogOptions | None = None) -> "KafkaLog":
    """Open the log on the cluster at `bootstrap` (``host:port,host:port``).

    Raises
    ------
    EngineError
        No broker answered.
    SettingsError
        The brokers are too old.
    """
    log = KafkaLog(bootstrap, options or KafkaLogOptions())
    try:
        await log.open()
    except BaseException:
        await log.close()
        raise
    return log


class KafkaLog:
    """See `stream.log.EventLog`."""

    def __init__(self, bootstrap: str, options: KafkaLogOptions) -> None:
        self._options = options
        self._client = {"bootstrap_servers": bootstrap.split(","), **options.client_arguments()}
        self._admin: Any = AIOKafkaAdminClient(request_timeout_ms=options.timeout_ms, **self._client)
        self._producer: Any = None
        self._producer_lock = asyncio.Lock()
        self._reader: Any = None
        self._reader_lock = asyncio.Lock()
        self._identity = ""
        self._partitions: dict[str, int] = {}

    @property
    def identity(self) -> str:
        return self._identity

    @property
    def max_record_bytes(self) -> int:
        return self._options.max_record_bytes

    async def open(self) -> None:
        """Connect and find out which log this is."""
        async with engine_errors(self._options.timeout_s):
            await self._admin.start()
        await self._create({_IDENTITY_TOPIC: 1})
        await self._recognise()

    async def create_topics(self, partitions: Mapping[str, int]) -> None:
        await self._create(partitions)
        await self._recognise()

    async def partitions(self, topic: str) -> int:
        if topic not in self._partitions:
            async with engine_errors(self._options.timeout_s):
                _, described = await fetch_topics(self._admin, [self._name(topic)])
            if described[0].error == _UNKNOWN_TOPIC:
                raise NotFoundError(f"the log has no topic {topic!r}")
            if described[0].error:
                raise EngineError(f"topic {topic} is not ready: {for_code(described[0].error).__name__}")
            self._partitions[topic] = described[0].partitions
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
        offsets = await self._send(records)
        if min(offsets) < 0:
            raise EngineError("the broker took the records but did not say where they are: append them again")
        return offsets

    async def _send(self, records: Sequence[Append]) -> list[int]:
        producer = None
        sent: list[asyncio.Future[Any]] = []
        try:
            async with engine_errors(self._options.timeout_s):
                producer = await self._get_producer()
                for record in records:
                    future = await producer.send(
                        self._name(record.topic),
                        record.value,
                        partition=record.partition,
                        timestamp_ms=record.at_us // 1000,
                        headers=to_headers(record),
                    )
                    sent.append(future)
                return [(await future).offset for future in sent]
        except BaseException:
            for future in sent:
                if not future.cancel() and not future.cancelled():
                    future.exception()  # seen, so that nobody complains
            # What waits in an idempotent producer is sent for ever: a repeat would queue behind it, again and again.
            if producer is not None:
                await self._drop_producer(producer)
            raise

    async def read(self, source: TopicPartition, offset: int, *, max_records: int = 500) -> list[Record]:
        bounds = (await self.bounds(source.topic)).get(source.partition)
        if bounds is None:
            raise NotFoundError(f"the log has no {source.topic}/{source.partition}")
        if not bounds.begin <= offset <= bounds.end:
            raise OffsetOutOfRangeError(
                f"{source.topic}/{source.partition} holds {bounds.begin} to {bounds.end}, not {offset}: retention"
                " passed the reader or this is another log; restore the log, or reset the reader on purpose"
            )
        partition = KafkaPartition(self._name(source.topic), source.partition)
        records: list[Record] = []
        size = 0
        async with self._reader_lock, engine_errors(self._options.timeout_s):
            reader = await self._get_reader()
            reader.assign([partition])
            reader.seek(partition, offset)
            while (
                offset + len(records) < bounds.end
                and len(records) < max_records
                and size < self._options.fetch_bytes_max
            ):
                found = await reader.getmany(timeout_ms=500, max_records=max_records - len(records))
                for record in found.get(partition, ()):
                    records.append(to_record(source.topic, record))
                    size += len(record.value)
        return records

    async def bounds(self, topic: str) -> dict[int, Bounds]:
        names = [KafkaPartition(self._name(topic), number) for number in range(await self.partitions(topic))]
        async with self._reader_lock, engine_errors(self._options.timeout_s):
            reader = await self._get_reader()
            begin = await reader.beginning_offsets(names)
            end = await reader.end_offsets(names)
        return {name.partition: Bounds(begin[name], end[name]) for name in names}

    async def consumer(self, group: str, topics: Sequence[str]) -> Consumer:
        for topic in topics:
            await self.partitions(topic)
        return await join(self._client, group, topics, self._options)

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        async with engine_errors(self._options.timeout_s):
            return await self._committed(self._name(group), topic)

    async def trim(self, topic: str, before_us: int) -> dict[int, int]:
        bounds = await self.bounds(topic)
        names = {number: KafkaPartition(self._name(topic), number) for number in bounds}
        async with self._reader_lock, engine_errors(self._options.timeout_s):
            reader = await self._get_reader()
            # The first record that is not old; None: all are.
            young = await reader.offsets_for_times(dict.fromkeys(names.values(), max(0, before_us // 1000)))
        until = {
            number: bounds[number].end if young[name] is None else young[name].offset for number, name in names.items()
        }
        async with engine_errors(self._options.timeout_s):
            for group in await self._groups():
                committed = await self._committed(group, topic)
                if committed:  # it reads this topic: what it never committed, it has yet to read
                    until = {number: min(offset, committed.get(number, 0)) for number, offset in until.items()}
            doomed = {
                names[number]: RecordsToDelete(offset)
                for number, offset in until.items()
                if offset > bounds[number].begin
            }
            begin = await self._admin.delete_records(doomed, timeout_ms=self._options.timeout_ms) if doomed else {}
        return {number: begin.get(name, bounds[number].begin) for number, name in names.items()}

    async def ping(self) -> None:
        async with engine_errors(self._options.timeout_s):
            await fetch_topics(self._admin, [self._name(_IDENTITY_TOPIC)])

    async def close(self) -> None:
        if self._producer is not None:
            await self._drop_producer(self._producer)
        if self._reader is not None:
            await stop_consumer(self._reader, self._options.timeout_s)
        with contextlib.suppress(EngineError):
            async with engine_errors(self._options.timeout_s):
                await self._admin.close()

    def _name(self, name: str) -> str:
        return f"{self._options.prefix}{name}"

    async def _create(self, partitions: Mapping[str, int]) -> None:
        names = [self._name(topic) for topic in partitions]
        async with engine_errors(self._options.timeout_s):
            metadata, described = await fetch_topics(self._admin, names)
            replicas = min(3, len(metadata.brokers))
            configuration = {
                "retention.ms": "-1",  # trim() deletes, and waits for the slowest group
                "retention.bytes": "-1",
                # A simulated city's clock may run days ahead of the broker's, a back-log's lies behind it.
                "message.timestamp.after.max.ms": str(2**63 - 1),
                "message.timestamp.before.max.ms": str(2**63 - 1),
                "cleanup.policy": "delete",
                "min.insync.replicas": str(max(1, replicas - 1)),
                "max.message.bytes": str(self._options.max_record_bytes + _BATCH_OVERHEAD_BYTES),
                "unclean.leader.election.enable": "false",
            }
            missing = [
                NewTopic(self._name(topic), count, replicas, topic_configs=configuration)
                for (topic, count), found in zip(partitions.items(), described, strict=True)
                if found.error == _UNKNOWN_TOPIC
            ]
            if missing:
                answer = await self._admin.create_topics(missing, timeout_ms=self._options.timeout_ms)
                for name, error, *message in answer.topic_errors:
                    if error not in (0, _TOPIC_EXISTS):
                        raise EngineError(f"topic {name} could not be made: {for_code(error).__name__} {message}")
            while True:
                _, described = await fetch_topics(self._admin, names)
                if all(found.error == 0 for found in described):
                    break
                await asyncio.sleep(0.05)
        for (topic, count), found in zip(partitions.items(), described, strict=True):
            if found.partitions != count:
                raise SettingsError(
                    f"topic {topic} has {found.partitions} partitions, the settings say {count}: set it back, they"
                    " cannot be changed by a setting"
                )
            self._partitions[topic] = count

    async def _recognise(self) -> None:
        """Find the log's identity: it changes when one of its topics was deleted and made again.

        The identity topic notes the id of every topic when it was first seen. Topics that come later do not change
        the identity; a topic whose id is no longer the noted one does.
        """
        async with engine_errors(self._options.timeout_s):
            metadata, described = await fetch_topics(self._admin, [self._name(name) for name in self._partitions])
        current = {found.name: found.topic_id for found in described}
        anchor = current.pop(self._name(_IDENTITY_TOPIC))
        noted: dict[str, str] = {}
        place = TopicPartition(_IDENTITY_TOPIC, 0)
        offset = 0
        while notes := await self.read(place, offset):
            offset = notes[-1].offset + 1
            for note in notes:
                name, _, topic_id = note.value.decode().partition(" ")
                noted.setdefault(name, topic_id)
        fresh = [name for name in sorted(current) if name not in noted]
        if fresh:
            await self.append([Append(_IDENTITY_TOPIC, 0, "topic", f"{n} {current[n]}".encode(), 0) for n in fresh])
        replaced = "".join(
            f"+{name}={topic_id}" for name, topic_id in sorted(current.items()) if noted.get(name, topic_id) != topic_id
        )
        self._identity = f"{metadata.cluster_id}/{anchor}{replaced}"

    async def _groups(self) -> list[str]:
        groups = await self._admin.list_consumer_groups()
        return sorted({group[0] for group in groups if group[0].startswith(self._options.prefix)})

    async def _committed(self, group: str, topic: str) -> dict[int, int]:
        name = self._name(topic)
        partitions = [KafkaPartition(name, number) for number in range(await self.partitions(topic))]
        found = await self._admin.list_consumer_group_offsets(group, partitions=partitions)
        return {place.partition: where.offset for place, where in found.items() if where.offset >= 0}

    async def _get_producer(self) -> Any:
        async with self._producer_lock:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    acks="all",
                    enable_idempotence=True,
                    compression_type=self._options.usable_compression(),
                    max_batch_size=min(256 << 10, self._options.max_record_bytes + _BATCH_OVERHEAD_BYTES),
                    max_request_size=self._options.max_record_bytes + _BATCH_OVERHEAD_BYTES,
                    request_timeout_ms=self._options.timeout_ms,
                    **self._client,
                )
                try:
                    await producer.start()
                except BaseException:
                    await _abandon(producer)
                    raise
                self._producer = producer
            return self._producer

    async def _drop_producer(self, producer: Any) -> None:
        if self._producer is producer:
            self._producer = None
        await _abandon(producer)

    async def _get_reader(self) -> Any:
        if self._reader is None:
            reader = AIOKafkaConsumer(
                auto_offset_reset="none",
                enable_auto_commit=False,
                request_timeout_ms=self._options.timeout_ms,
                fetch_max_wait_ms=20,  # a fetch that still waits at the broker holds up the next one
                max_partition_fetch_bytes=self._options.max_record_bytes + _BATCH_OVERHEAD_BYTES,
                **self._client,
            )
            try:
                await reader.start()
            except BaseException:
                await stop_consumer(reader, self._options.timeout_s)
                raise
            self._reader = reader
        return self._reader


async def _abandon(producer: Any) -> None:
    """Close a producer without waiting for what it still has to send: `stop` would wait for the server to be back."""
    producer._closed = True
    await end_task(producer._sender.sender_task)
    await producer.client.close()
