"""Consumer groups of the Kafka log: one aiokafka consumer a member, its rebalances told in `poll`."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    NoOffsetForPartitionError,
)
from aiokafka.errors import OffsetOutOfRangeError as KafkaOffsetOutOfRangeError
from aiokafka.structs import TopicPartition as KafkaPartition

from city.errors import EngineError, FencedError, OffsetOutOfRangeError
from stream.log import Poll, Record, TopicPartition
from stream.logs.kafka_records import KafkaLogOptions, engine_errors, stop_consumer, to_record

logger = logging.getLogger(__name__)

_JOIN_TIMEOUT_S = 60.0
"""A group waits for all its members before it hands out partitions: as long as the rebalance timeout at most."""

_REBALANCE_TIMEOUT_S = 30.0


async def join(
    client: Mapping[str, Any], group: str, topics: Sequence[str], options: KafkaLogOptions
) -> "KafkaConsumer":
    """Join a group as a new member.

    Raises
    ------
    EngineError
        The brokers did not answer, or the group did not come to rest in time.
    """
    consumer = KafkaConsumer(client, group, topics, options)
    await consumer.start()
    return consumer


class KafkaConsumer(ConsumerRebalanceListener):  # type: ignore[misc]
    """See `stream.log.Consumer`."""

    def __init__(self, client: Mapping[str, Any], group: str, topics: Sequence[str], options: KafkaLogOptions) -> None:
        self._client = client
        self._group = group
        self._topics = sorted(topics)
        self._options = options
        self._consumer: Any = None
        self._assigned: frozenset[TopicPartition] = frozenset()
        """What the group gave us last; told by poll at the next occasion."""
        self._generation = -1
        self._owned: frozenset[TopicPartition] = frozenset()
        """What the last poll told."""
        self._owned_generation = -1
        self._owned_since: dict[TopicPartition, int] = {}
        """Since which generation a partition has been ours without a break."""
        self._positions: dict[TopicPartition, int] = {}
        self._settled = asyncio.Event()
        self._fresh = False

    async def start(self) -> None:
        """Join, and wait for our partitions."""
        # aiokafka's sticky assignor keeps its memory in its class: each member needs one of its own.
        self._assignor: Any = type("OwnStickyAssignor", (StickyPartitionAssignor,), {})
        options = self._options
        consumer = AIOKafkaConsumer(
            group_id=f"{options.prefix}{self._group}",
            auto_offset_reset="none",
            enable_auto_commit=False,
            partition_assignment_strategy=(self._assignor,),
            session_timeout_ms=int(options.session_timeout_s * 1000),
            heartbeat_interval_ms=int(min(1.0, options.session_timeout_s / 4) * 1000),  # tells of rebalances
            rebalance_timeout_ms=int(_REBALANCE_TIMEOUT_S * 1000),
            max_poll_interval_ms=int(options.poll_gap_s_max * 1000),
            request_timeout_ms=int(_REBALANCE_TIMEOUT_S * 1000 + options.timeout_ms),  # a join is answered that late
            fetch_max_wait_ms=100,  # a fetch that still waits at the broker holds up the next one, after a seek
            max_partition_fetch_bytes=options.max_record_bytes + (64 << 10),
            fetch_max_bytes=options.fetch_bytes_max,
            **self._client,
        )
        self._consumer = consumer
        try:
            async with engine_errors(_JOIN_TIMEOUT_S):
                consumer.subscribe([f"{options.prefix}{topic}" for topic in self._topics], listener=self)
                await consumer.start()
                await self._settled.wait()
        except BaseException:
            self._consumer = None
            await stop_consumer(consumer, options.timeout_s)
            raise

    async def on_partitions_revoked(self, revoked: set[KafkaPartition]) -> None:
        """Wait for the new shares; until then poll keeps telling what we had, and brings nothing."""
        self._settled.clear()

    async def on_partitions_assigned(self, assigned: set[KafkaPartition]) -> None:
        """Note what is ours now; poll tells it."""
        generation = self._consumer._coordinator.generation
        sources = frozenset(self._source(partition) for partition in assigned)
        kept = self._owned_since if generation == self._generation + 1 else {}
        self._owned_since = {source: kept.get(source, generation) for source in sources}
        self._assignor.generation = generation
        self._generation = generation
        self._assigned = sources
        self._fresh = True
        self._settled.set()

    async def poll(self, *, max_records: int = 500, timeout_s: float = 0.1) -> Poll:
        if self._consumer is None:
            await self.start()
        deadline = time.monotonic() + timeout_s
        while True:
            if self._fresh:
                await self._settle()
                return Poll({}, self._owned, self._owned_generation)
            left_s = max(0.0, deadline - time.monotonic())
            found = await self._get_many(max_records, left_s)
            if self._fresh:
                continue  # fetched under the assignment before; the positions are set anew, so nothing is skipped
            records: dict[TopicPartition, Sequence[Record]] = {}
            for partition, news in found.items():
                source = self._source(partition)
                records[source] = [to_record(source.topic, record) for record in news]
                self._positions[source] = news[-1].offset + 1
            if records or time.monotonic() >= deadline:
                return Poll(records, self._owned, self._owned_generation)

    async def seek(self, source: TopicPartition, offset: int) -> None:
        if source in self._owned:
            self._positions[source] = offset
            with contextlib.suppress(IllegalStateError):  # lost meanwhile: the next poll tells
                self._consumer.seek(self._partition(source), offset)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        if not offsets:
            return
        if self._consumer is None:
            raise FencedError(f"{self._group}: this member left the group")
        async with engine_errors(self._options.timeout_s):
            while True:
                await self._settled.wait()
                self._check_owned(offsets)
                generation = self._generation
                try:
                    await self._consumer.commit({self._partition(source): at for source, at in offsets.items()})
                    return
                except CommitFailedError as exc:
                    # Either the group is sharing anew and may leave us what we have, or it did so without us.
                    if self._settled.is_set() and generation == self._generation:
                        await self._wait_for_change(generation, exc)
                except IllegalStateError as exc:
                    raise FencedError(f"{self._group}: a partition belongs to another member now") from exc

    async def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await stop_consumer(consumer, self._options.timeout_s)

    def _still_owns(self, source: TopicPartition) -> bool:
        """Tell whether a partition that a poll told has been ours ever since."""
        return source in self._owned and self._owned_since.get(source, self._generation + 1) <= self._owned_generation

    def _check_owned(self, offsets: Mapping[TopicPartition, int]) -> None:
        for source in offsets:
            if (
                self._owned_since.get(source, self._generation + 1) > self._owned_generation
                or source not in self._owned
            ):
                raise FencedError(f"{self._group}: {source.topic}/{source.partition} belongs to another member now")

    async def _wait_for_change(self, generation: int, reason: Exception) -> None:
        """Wait until the coordination task has noticed what the broker told the commit."""
        while self._settled.is_set() and generation == self._generation:
            if self._consumer is None:
                raise FencedError(f"{self._group}: this member left the group") from reason
            await asyncio.sleep(0.02)

    async def _settle(self) -> None:
        """Take over the new assignment: what stays ours goes on where we are, what is new where the group committed."""
        while True:
            self._fresh = False
            assigned, generation = self._assigned, self._generation
            kept = {source: position for source, position in self._positions.items() if self._still_owns(source)}
            positions = {source: at for source, at in kept.items() if source in assigned}
            try:
                async with engine_errors(self._options.timeout_s):
                    new = [self._partition(source) for source in assigned - positions.keys()]
                    committed = await self._consumer._coordinator.fetch_committed_offsets(new) if new else {}
                    never = [one for one in new if one not in committed or committed[one].offset < 0]
                    begin = await self._consumer.beginning_offsets(never) if never else {}
            except EngineError:
                self._fresh = True
                raise
            for partition in new:
                found = begin[partition] if partition in begin else committed[partition].offset
                positions[self._source(partition)] = found
            if self._fresh:
                continue
            self._positions = positions
            self._owned, self._owned_generation = assigned, generation
            for source, position in positions.items():
                try:
                    self._consumer.seek(self._partition(source), position)
                except IllegalStateError:
                    break  # being shared anew; the next poll settles it
            return

    async def _get_many(self, max_records: int, timeout_s: float) -> Mapping[KafkaPartition, Sequence[Any]]:
        """Fetch, for `timeout_s` at most: aiokafka itself waits without end while the group shares anew."""
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s + 0.05):
                    async with engine_errors(timeout_s + 10):
                        found: Mapping[KafkaPartition, Sequence[Any]] = await self._consumer.getmany(
                            timeout_ms=int(timeout_s * 1000), max_records=max_records
                        )
                        return found
        except EngineError as exc:
            match exc.__cause__:
                case NoOffsetForPartitionError():
                    pass  # asked before we could seek; `_settle` did
                case KafkaOffsetOutOfRangeError() as cause:
                    raise self._out_of_range(cause) from exc
                case _:
                    # Its background tasks may have ended with it: begin anew at the next poll.
                    await self.close()
                    raise
        return {}

    def _out_of_range(self, cause: Any) -> OffsetOutOfRangeError:
        where = ", ".join(f"{one.topic}/{one.partition} at {offset}" for one, offset in cause.args[0].items())
        return OffsetOutOfRangeError(
            f"{where} is not in the log: retention passed the reader or this is another log; restore the log, or reset"
            " the reader on purpose"
        )

    def _partition(self, source: TopicPartition) -> KafkaPartition:
        return KafkaPartition(f"{self._options.prefix}{source.topic}", source.partition)

    def _source(self, partition: KafkaPartition) -> TopicPartition:
        return TopicPartition(partition.topic.removeprefix(self._options.prefix), partition.partition)
