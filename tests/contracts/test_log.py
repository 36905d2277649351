"""What every engine of the event log promises, on each in turn."""

import asyncio
import os
import random
from collections.abc import Sequence

import pytest

from city.errors import EngineError, NotFoundError, OffsetOutOfRangeError, RecordTooLargeError, SettingsError
from stream.log import Append, Bounds, EventLog, Record, TopicPartition
from tests.support.fix_log import LogEngine

TOPIC = "readings"
SECOND_US = 1_000_000


def some(count: int, partition: int = 0, *, topic: str = TOPIC, first: int = 0) -> list[Append]:
    """Make numbered records, one second apart."""
    return [
        Append(topic, partition, "batch", str(number).encode(), number * SECOND_US)
        for number in range(first, first + count)
    ]


def values(records: Sequence[Record]) -> list[int]:
    return [int(record.value) for record in records]


async def read_all(log: EventLog, source: TopicPartition, begin: int = 0) -> list[Record]:
    found: list[Record] = []
    while news := await log.read(source, begin + len(found)):
        found += news
    return found


def test_records_come_back_as_they_were_appended(log_engine: LogEngine) -> None:
    async def main() -> None:
        async with log_engine.open() as log:
            await log.create_topics({TOPIC: 2})
            records = [
                Append(TOPIC, 1, "batch", bytes(range(256)), 1_795_000_000_123_457, b'{"counts": []}'),
                Append(TOPIC, 1, "tick", b"", 0),
            ]
            assert await log.append(records) == [0, 1]
            assert await log.read(TopicPartition(TOPIC, 1), 0) == [
                Record(TOPIC, 1, 0, "batch", bytes(range(256)), 1_795_000_000_123_457, b'{"counts": []}'),
                Record(TOPIC, 1, 1, "tick", b"", 0, b""),
            ]
            assert await log.read(TopicPartition(TOPIC, 0), 0) == []

    asyncio.run(main())


def test_one_append_to_several_partitions_keeps_the_order_of_each(log_engine: LogEngine) -> None:
    async def main() -> None:
        async with log_engine.open() as log:
            await log.create_topics({TOPIC: 3, "tickets": 1})
            mixed = [
                record for row in zip(some(5, 2), some(5, 0), some(5, topic="tickets"), strict=True) for record in row
            ]
            assert await log.append(mixed) == [number for number in range(5) for _ in range(3)]
            for source in (TopicPartition(TOPIC, 2), TopicPartition(TOPIC, 0), TopicPartition("tickets", 0)):
                assert values(await log.read(source, 0)) == [0, 1, 2, 3, 4]
            assert await log.append([]) == []

    asyncio.run(main())


def test_many_writers_leave_no_gap_and_a_reader_skips_nothing(log_engine: LogEngine) -> None:
    writers, rounds, partitions = 6, 25, 3
    total = writers * rounds

    async def write(name: int) -> None:
        choose = random.Random(name)
        async with log_engine.open() as log:
            for number in range(rounds):
                order = choose.sample(range(partitions), partitions)
                await log.append([Append(TOPIC, one, "batch", f"{name} {number}".encode(), 1) for one in order])

    async def read(log: EventLog, partition: int) -> list[Record]:
        found: list[Record] = []
        while len(found) < total:
            found += await log.read(TopicPartition(TOPIC, partition), len(found))
        return found

    async def main() -> None:
        async with log_engine.open() as log:
            await log.create_topics({TOPIC: partitions})
            readers = [asyncio.create_task(read(log, partition)) for partition in range(partitions)]
            await asyncio.gather(*(write(name) for name in range(writers)))
            for found in await asyncio.gather(*readers):
                assert [record.offset for record in found] == list(range(total))
                for name in range(writers):
                    mine = [record.value for record in found if record.value.split()[0] == str(name).encode()]
                    assert mine == [f"{name} {number}".encode() for number in range(rounds)]

    asyncio.run(main())


def test_offsets_that_append_returns_are_where_the_records_are(log_engine: LogEngine) -> None:
    async def main() -> None:
        async with log_engine.open() as log:
            await log.create_topics({TOPIC: 1})
            appends = [asyncio.create_task(log.append(some(3, first=10 * number))) for number in range(10)]
            for number, offsets in enumerate(await asyncio.gather(*appends)):
                found = await log.read(TopicPartition(TOPIC, 0), offsets[0], max_records=3)
                assert values(found) == [10 * number, 10 * number + 1, 10 * number + 2]
                assert [record.offset for record in found] == offsets

    asyncio.run(main())


def test_record_over_the_limit_is_refused_and_nothing_of_its_append_is_kept(log_engine: LogEngine) -> None:
    async def main() -> None:
        async with log_engine.open() as log:
            await log.create_topics({TOPIC: 1})
            huge = Append(TOPIC, 0, "batch", bytes(log.max_record_bytes + 1), 0)
            with pytest.raises(RecordTooLargeError):
                await log.append([*some(1), huge])
            assert await log.bounds(TOPIC) == {0: Bounds(0, 0)}

    asyncio.run(main())


def test_record_of_exactly_the_limit_is_taken_and_read(log_engine: LogEngine) -> None:
    async def main() -> None:
        async with log_engine.open() as log:
            await log.create_topics({TOPIC: 1})
            value = os.urandom(log.max_record_bytes)
            await log.append([Append(TOPIC, 0, "batch", value, 0, bytes(2000)), *some(1)])
            found = await read_all(log, TopicPartition(TOPIC, 0))
            assert [found[0].value == value, found[1].value] == [True, b"0"]
            consumer = await log.consumer("g", [TOPIC])
            assert (await consumer.poll()).records == {}
            brought: list[Record] = []
            while len(brought) < 2:
                brought += (await consumer.poll(timeout_s=5)).records.get(TopicPartition(TOPIC, 0), [])
            assert brought == found
            await consumer.close()

    asyncio.run(main())


def test_offset_outside_the_log_is_an_error_and_never_a_skip(log_engine: LogEngine) -> None:
    source = TopicPartition(TOPIC, 0)

    async def main() -> None:
        async with log_engine.open() as log:
            await log.create_topics({TOPIC: 1})
            await log.append(some(10))
            assert await log.trim(TOPIC, 5 * SECOND_US) == {0: 5}
            assert await log.bounds(TOPIC) == {0: Bounds(5, 10)}
            assert await log.read(source, 10) == []
            for outside in (0, 4, 11):
                with pytest.raises(OffsetOutOfRangeError):
                    await log.read(source, outside)
            consumer = await log.consumer("g", [TOPIC])
            await consumer.poll()
            for outside in (4, 11):
                await consumer.seek(source, outside)
                with pytest.raises(OffsetOutOfRangeError):
                    await consumer.poll(timeout_s=5)
            await consumer.seek(source, 5)
            assert values((await consumer.poll(timeout_s=5)).records[source]) == [5, 6, 7, 8, 9]
            await consumer.close()

    asyncio.run(main())


def test_retention_waits_for_the_slowest_group_that_ever_committed(log_engine: LogEngine) -> None:
    async def commit(log: EventLog, group: str, offsets: dict[int, int]) -> None:
        consumer = await log.consumer(group, [TOPIC])
        await consumer.poll()
        await consumer.commit({TopicPartition(TOPIC, partition): offset for partition, offset in offsets.items()})
        await consumer.close()

    async def main() -> None:
        async with log_engine.open() as log:
            await log.create_topics({TOPIC: 2, "alarms": 1})
            await log.append(some(10) + some(10, 1))
            await commit(log, "never", {})
            await commit(log, "fast", {0: 9, 1: 9})
            assert await log.trim(TOPIC, 2 * SECOND_US) == {0: 2, 1: 2}
            await commit(log, "slow", {0: 4})
            assert await log.trim(TOPIC, 99 * SECOND_US) == {0: 4, 1: 2}, "what a group has yet to read must stay"
            assert values(await log.read(TopicPartition(TOPIC, 0), 4)) == [4, 5, 6, 7, 8, 9]
            await commit(log, "slow", {0: 10, 1: 10})
            assert await log.trim(TOPIC, 99 * SECOND_US) == {0: 9, 1: 9}
            assert await log.trim(TOPIC, 0) == {0: 9, 1: 9}
            assert await log.append(some(1, first=10)) == [10]
            assert await log.trim("alarms", 99 * SECOND_US) == {0: 0}

    asyncio.run(main())


def test_topics_are_made_once_and_keep_their_number_of_partitions(log_engine: LogEngine) -> None:
    async def main() -> None:
        async with log_engine.open() as log, log_engine.open() as other:
            await asyncio.gather(log.create_topics({TOPIC: 3}), other.create_topics({TOPIC: 3}))
            assert await other.partitions(TOPIC) == 3
            with pytest.raises(SettingsError, match="3 partitions"):
                await log.create_topics({TOPIC: 4})
            for call in (log.partitions("nothing"), log.bounds("nothing"), log.consumer("g", ["nothing"])):
                with pytest.raises(NotFoundError):
                    await call
            with pytest.raises(NotFoundError):
                await log.append([Append(TOPIC, 3, "batch", b"", 0)])
            with pytest.raises(NotFoundError):
                await log.read(TopicPartition(TOPIC, 3), 0)

    asyncio.run(main())


def test_a_log_keeps_its_identity_when_topics_are_added(log_engine: LogEngine) -> None:
    async def main() -> None:
        async with log_engine.open() as log:
            before = log.identity
            await log.create_topics({TOPIC: 1})
            await log.create_topics({TOPIC: 1, "alarms": 1})
            assert log.identity == before != ""
        async with log_engine.open() as log:
            await log.create_topics({TOPIC: 1, "alarms": 1})
            assert log.identity == before
            await log.ping()

    asyncio.run(main())


def test_server_gone_and_back_loses_and_reorders_nothing(mortal_log_engine: LogEngine) -> None:
    source = TopicPartition(TOPIC, 0)

    async def append_again(log: EventLog, record: Append) -> None:
        """As senders do: the same record again until the log has it."""
        for _ in range(20):
            try:
                await log.append([record])
                return
            except EngineError:
                await asyncio.sleep(0.2)
        pytest.fail("the log did not come back")

    async def main() -> None:
        async with mortal_log_engine.open(timeout_s=3.0) as log:
            await log.create_topics({TOPIC: 1})
            await log.append(some(5))
            consumer = await log.consumer("g", [TOPIC])
            brought: list[Record] = []
            while len(brought) < 5:
                brought += (await consumer.poll(timeout_s=5)).records.get(source, [])
            await consumer.commit({source: 5})
            mortal_log_engine.kill()
            async with asyncio.timeout(30):
                with pytest.raises(EngineError):
                    await log.append(some(1, first=5))
                with pytest.raises(EngineError):
                    await log.ping()
            await asyncio.to_thread(mortal_log_engine.start)
            for record in some(5, first=5):
                await append_again(log, record)
            found = await read_all(log, source)
            # The one append that failed may have arrived; nothing else comes twice.
            assert values(found) in ([*range(10)], [*range(6), *range(5, 10)])
            async with asyncio.timeout(60):
                while len(brought) < len(found):
                    try:
                        brought += (await consumer.poll(timeout_s=1)).records.get(source, [])
                    except EngineError:
                        await asyncio.sleep(0.2)
            assert brought == found
            await consumer.close()

    asyncio.run(main())
