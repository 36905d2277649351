"""What every engine of the event log promises about consumer groups, on each in turn."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence

import pytest

from city.errors import FencedError
from stream.log import Append, Consumer, EventLog, Record, TopicPartition
from tests.support.fix_log import LogEngine, Member

TOPIC = "readings"
ONE = TopicPartition(TOPIC, 0)


def some(count: int, partition: int = 0, *, first: int = 0) -> list[Append]:
    return [Append(TOPIC, partition, "batch", str(number).encode(), 0) for number in range(first, first + count)]


def values(records: Sequence[Record]) -> list[int]:
    return [int(record.value) for record in records]


async def bring(consumer: Consumer, source: TopicPartition, count: int) -> list[int]:
    """Poll until `count` records of one partition have come."""
    found: list[int] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            found += values((await consumer.poll(timeout_s=1)).records.get(source, []))
    return found


async def until(condition: Callable[[], bool], *consumers: Consumer, within_s: float = 30) -> None:
    """Poll `consumers` until `condition` holds."""
    async with asyncio.timeout(within_s):
        while not condition():
            for consumer in consumers:
                await consumer.poll(timeout_s=0.02)
            await asyncio.sleep(0.02)


@contextlib.contextmanager
def member(engine: LogEngine, session_timeout_s: float = 6.0) -> Iterator[Member]:
    one = engine.spawn_member(session_timeout_s, "g", TOPIC)
    try:
        yield one
    finally:
        one.end()


async def settle(consumers: Sequence[Consumer], partitions: int) -> list[frozenset[TopicPartition]]:
    """Poll until the members own every partition once, as evenly as it goes."""
    shares = [frozenset[TopicPartition]() for _ in consumers]
    async with asyncio.timeout(30):
        while True:
            for number, consumer in enumerate(consumers):
                shares[number] = (await consumer.poll(timeout_s=0.05)).assignment
            sizes = [len(share) for share in shares]
            if sum(sizes) == len(frozenset().union(*shares)) == partitions and max(sizes) - min(sizes) <= 1:
                return shares


def test_new_group_begins_at_the_first_record(log_engine: LogEngine) -> None:
    async def main() -> None:
        async with log_engine.open() as log:
            await log.create_topics({TOPIC: 1})
            await log.append(some(6))
            consumer = await log.consumer("g", [TOPIC])
            assert await bring(consumer, ONE, 6) == [0, 1, 2, 3, 4, 5]
            await consumer.close()
            assert await log.committed("g", TOPIC) == {}
            assert await log.trim(TOPIC, 1_000_000) == {0: 6}
            await log.append(some(2, first=6))
            consumer = await log.consumer("other", [TOPIC])
            assert await bring(consumer, ONE, 2) == [6, 7]
            await consumer.close()

    asyncio.run(main())


def test_group_resumes_at_its_commit_and_what_was_not_committed_comes_again(log_engine: LogEngine) -> None:
    async def main() -> None:
        async with log_engine.open() as log:
            await log.create_topics({TOPIC: 2})
            await log.append(some(6))
            consumer = await log.consumer("g", [TOPIC])
            assert await bring(consumer, ONE, 6) == [0, 1, 2, 3, 4, 5]
            await consumer.commit({ONE: 4})
            await consumer.commit({})
            await consumer.close()
            assert await log.committed("g", TOPIC) == {0: 4}
            assert await log.committed("other", TOPIC) == {}
        async with log_engine.open() as log:
            consumer = await log.consumer("g", [TOPIC])
            assert await bring(consumer, ONE, 2) == [4, 5]
            await consumer.close()

    asyncio.run(main())


def test_seek_goes_back_and_forward(log_engine: LogEngine) -> None:
    async def main() -> None:
        async with log_engine.open() as log:
            await log.create_topics({TOPIC: 1})
            await log.append(some(6))
            consumer = await log.consumer("g", [TOPIC])
            assert await bring(consumer, ONE, 6) == [0, 1, 2, 3, 4, 5]
            await consumer.seek(ONE, 1)
            assert await bring(consumer, ONE, 5) == [1, 2, 3, 4, 5]
            await consumer.seek(ONE, 0)
            await consumer.seek(ONE, 5)
            assert await bring(consumer, ONE, 1) == [5]
            await consumer.seek(ONE, 6)
            assert (await consumer.poll(timeout_s=0.3)).records == {}
            await log.append(some(1, first=6))
            assert await bring(consumer, ONE, 1) == [6]
            await consumer.close()

    asyncio.run(main())


def test_assignment_is_told_before_its_first_record_so_that_a_seek_comes_in_time(log_engine: LogEngine) -> None:
    async def main() -> None:
        async with log_engine.open() as log:
            await log.create_topics({TOPIC: 1})
            await log.append(some(6))
            consumer = await log.consumer("g", [TOPIC])
            first = await consumer.poll(timeout_s=5)
            assert (first.records, first.assignment) == ({}, {ONE})
            await consumer.seek(ONE, 3)
            assert await bring(consumer, ONE, 3) == [3, 4, 5]
            await consumer.close()

    asyncio.run(main())


def test_two_members_share_then_three_and_who_leaves_hands_over_at_once(log_engine: LogEngine) -> None:
    async def main() -> None:
        async with log_engine.open(session_timeout_s=60) as log:
            await log.create_topics({TOPIC: 6})
            consumers = [await log.consumer("g", [TOPIC])]
            generation = (await consumers[0].poll()).generation
            consumers.append(await log.consumer("g", [TOPIC]))
            await settle(consumers, 6)
            consumers.append(await log.consumer("g", [TOPIC]))
            await settle(consumers, 6)
            later = (await consumers[0].poll()).generation
            assert later > generation
            await consumers.pop().close()
            async with asyncio.timeout(10):
                await settle(consumers, 6)
            for consumer in consumers:
                assert (await consumer.poll()).generation > later
                await consumer.close()

    asyncio.run(main())


def test_groups_do_not_share_with_each_other(log_engine: LogEngine) -> None:
    async def main() -> None:
        async with log_engine.open() as log:
            await log.create_topics({TOPIC: 1})
            await log.append(some(3))
            consumers = [await log.consumer(group, [TOPIC]) for group in ("a", "b")]
            for consumer in consumers:
                assert await bring(consumer, ONE, 3) == [0, 1, 2]
                await consumer.close()

    asyncio.run(main())


def test_commit_of_a_partition_that_went_to_another_is_fenced_and_of_a_kept_one_is_not(log_engine: LogEngine) -> None:
    async def main() -> None:
        async with log_engine.open() as log:
            await log.create_topics({TOPIC: 2})
            old = await log.consumer("g", [TOPIC])
            assert len((await old.poll(timeout_s=5)).assignment) == 2
            new = await log.consumer("g", [TOPIC])
            (lost,) = (await new.poll(timeout_s=5)).assignment
            kept = TopicPartition(TOPIC, 1 - lost.partition)
            with pytest.raises(FencedError):
                await old.commit({lost: 7})
            with pytest.raises(FencedError):
                await old.commit({lost: 7, kept: 3})
            assert await log.committed("g", TOPIC) == {}
            await old.commit({kept: 3})
            await new.commit({lost: 1})
            assert await log.committed("g", TOPIC) == {kept.partition: 3, lost.partition: 1}
            assert (await old.poll(timeout_s=5)).assignment == {kept}
            await old.close()
            await new.close()

    asyncio.run(main())


def test_kept_partition_goes_on_where_its_reader_is(log_engine: LogEngine) -> None:
    async def main() -> None:
        async with log_engine.open() as log:
            await log.create_topics({TOPIC: 2})
            await log.append(some(3) + some(3, 1))
            first = await log.consumer("g", [TOPIC])
            sources = [ONE, TopicPartition(TOPIC, 1)]
            seen: dict[TopicPartition, list[int]] = {source: [] for source in sources}
            while min(map(len, seen.values())) < 3:
                for source, found in (await first.poll(timeout_s=1)).records.items():
                    seen[source] += values(found)
            second = await log.consumer("g", [TOPIC])
            shares = await settle([first, second], 2)
            await log.append(some(1, first=3) + some(1, 1, first=3))
            (kept,) = shares[0]
            (given,) = shares[1]
            assert await bring(first, kept, 1) == [3], "nothing was committed, but the reader is still the same"
            assert await bring(second, given, 4) == [0, 1, 2, 3]
            await first.close()
            await second.close()

    asyncio.run(main())


def test_member_that_is_killed_is_taken_over_after_its_session(log_engine: LogEngine) -> None:
    async def main() -> None:
        async with log_engine.open(session_timeout_s=2) as log:
            await log.create_topics({TOPIC: 4})
            consumer = await log.consumer("g", [TOPIC])
            with member(log_engine, session_timeout_s=2) as other:
                await until(lambda: len(other.owns) == 2, consumer)
                assert len((await consumer.poll()).assignment) == 2
                other.send(signal.SIGKILL)
                await settle([consumer], 4)
            await consumer.close()

    asyncio.run(main())


def test_member_that_hung_is_fenced_and_joins_anew(log_engine: LogEngine) -> None:
    async def main() -> None:
        async with log_engine.open(session_timeout_s=2) as log:
            await log.create_topics({TOPIC: 4})
            consumer = await log.consumer("g", [TOPIC])
            with member(log_engine, session_timeout_s=2) as other:
                await until(lambda: len(other.owns) == 2, consumer)
                before = other.heard("generation")[-1]
                other.send(signal.SIGSTOP)
                await settle([consumer], 4)
                other.send(signal.SIGCONT)
                await until(lambda: other.heard("generation")[-1] > before and len(other.owns) == 2, consumer)
                assert len((await settle([consumer], 2))[0]) == 2
            await consumer.close()

    asyncio.run(main())


def test_every_record_is_read_while_members_come_and_die(log_engine: LogEngine) -> None:
    partitions, rounds = 4, 60

    async def write(log: EventLog) -> None:
        for number in range(rounds):
            await log.append([one for partition in range(partitions) for one in some(1, partition, first=number)])
            await asyncio.sleep(0.05)

    async def main() -> None:
        with contextlib.ExitStack() as stack:
            async with log_engine.open() as log:
                await log.create_topics({TOPIC: partitions})
                writer = asyncio.create_task(write(log))
                members = [stack.enter_context(member(log_engine, session_timeout_s=1.5)) for _ in range(2)]
                await until(lambda: all(one.heard("read") for one in members))
                members.append(stack.enter_context(member(log_engine, session_timeout_s=1.5)))
                members[0].send(signal.SIGKILL)
                await writer
                everything = {(TOPIC, partition, number) for partition in range(partitions) for number in range(rounds)}
                read: set[tuple[str, int, int]] = set()

                def all_read() -> bool:
                    for one in members:
                        read.update(tuple(place) for news in one.heard("read") for place in news)
                    return read >= everything

                await until(all_read, within_s=60)
                await until(lambda: not any(one.process.poll() is not None for one in members[1:]), within_s=1)
                for one in members:
                    told = one.heard("generation")
                    assert told == sorted(told)

    asyncio.run(main())
