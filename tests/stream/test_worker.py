"""The worker loop on a real log: what it promises when things die in between."""

import asyncio
import contextlib
import json
import random
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from city.errors import DataError, EngineError, OffsetOutOfRangeError
from storage.pool import Connection, Pool, transaction
from stream import checkpoint
from stream.log import Append, EventLog, Record, TopicPartition
from stream.logs.postgres import PostgresLog, open_postgres_log
from stream.worker import STEP_RECORDS, Outcome, Worker, WorkerOptions, _shares
from tests.stream.harness import opened, rows

OPTIONS = WorkerOptions(checkpoint_every_s=0.02, max_records=7, poll_timeout_s=0.02, backoff_s_max=0.1)
TOPICS = {"in": 3, "out": 1}


@dataclass
class Count:
    seen: int


class Numbering:
    """Numbers the records of each partition in a state that lives from checkpoint to checkpoint."""

    group = "numbering"
    topics = ("in",)
    code_version = "1"
    transactional = False

    def open(self, source: TopicPartition, snapshot: bytes | None) -> Count:
        return Count(0 if snapshot is None else json.loads(snapshot))

    def step(self, state: Count, records: Sequence[Record]) -> Outcome:
        appends = []
        for record in records:
            state.seen += 1
            value = f"{record.partition}:{state.seen}:{record.value.decode()}".encode()
            appends.append(Append("out", 0, "x", value, 0))
        return Outcome(appends)

    def snapshot(self, state: Count) -> bytes:
        return json.dumps(state.seen).encode()

    async def write(self, connection: Connection, effects: Mapping[TopicPartition, Any]) -> None:
        raise AssertionError("not transactional")


class Collecting:
    """Writes each record down in the transaction of its checkpoint; the table takes the same one twice."""

    group = "collecting"
    topics = ("in",)
    code_version = "1"
    transactional = True

    def __init__(self, fail: random.Random | None = None) -> None:
        self._fail = fail

    def open(self, source: TopicPartition, snapshot: bytes | None) -> None:
        return None

    def step(self, state: None, records: Sequence[Record]) -> Outcome:
        if any(record.value == b"poison" for record in records):
            raise DataError("poison cannot be stored: mend the program")
        return Outcome(effects=[record.value.decode() for record in records])

    def snapshot(self, state: None) -> None:
        return None

    async def write(self, connection: Connection, effects: Mapping[TopicPartition, list[str]]) -> None:
        for values in effects.values():
            await connection.cursor().executemany("INSERT INTO collected VALUES (%s)", [(v,) for v in values])
        if self._fail is not None and self._fail.random() < 0.2:
            raise EngineError("the database went away")


class DyingLog:
    """Some appends reach the log and then look as if they had not."""

    def __init__(self, log: PostgresLog, seed: int) -> None:
        self._log, self._rng = log, random.Random(seed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, records: Sequence[Append]) -> list[int]:
        offsets = await self._log.append(records)
        if self._rng.random() < 0.3:
            raise EngineError("killed after the append")
        return offsets


@asynccontextmanager
async def world(url: str) -> AsyncIterator[tuple[Pool, PostgresLog]]:
    async with opened(url, size=10) as pool:
        log = await open_postgres_log(pool)
        await log.create_topics(TOPICS)
        async with pool.connection() as connection:
            await connection.execute("CREATE TABLE collected (value text)")
        yield pool, log


async def fill(log: EventLog, count: int, start: int = 0) -> list[str]:
    values = [f"r{i}" for i in range(start, start + count)]
    await log.append([Append("in", i % 3, "x", value.encode(), 0) for i, value in enumerate(values, start)])
    return values


async def collected(pool: Pool) -> list[str]:
    return [value for (value,) in await rows(pool, "SELECT value FROM collected")]


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110 - the condition is in the database
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(*workers: Worker[Any]) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for worker in workers:
            group.create_task(worker.run(stop))
        yield
        stop.set()


async def outputs(log: EventLog) -> list[str]:
    values: list[str] = []
    while records := await log.read(TopicPartition("out", 0), len(values)):
        values += [record.value.decode() for record in records]
    return values


async def passed(pool: Pool, group: str, count: int) -> bool:
    statement = "SELECT COALESCE(sum(next_offset), 0) FROM checkpoints WHERE worker_group = %(group)s"
    return bool(await rows(pool, statement, {"group": group}) == [(count,)])


@pytest.mark.parametrize("seed", range(3))
def test_outputs_repeated_after_a_crash_are_the_same_outputs(database_url: str, seed: int) -> None:
    async def main() -> None:
        async with world(database_url) as (pool, log):
            values = await fill(log, 150)
            worker = Worker(Numbering(), DyingLog(log, seed), pool, OPTIONS)  # type: ignore[arg-type]
            async with running(worker):
                await until(lambda: passed(pool, "numbering", 150))
            found = await outputs(log)
            assert len(found) > 150, "some were repeated"
            assert set(found) == {f"{i % 3}:{i // 3 + 1}:{value}" for i, value in enumerate(values)}

    asyncio.run(main())


@pytest.mark.parametrize("seed", range(3))
def test_a_transactional_sink_writes_once_through_failures_and_rebalances(database_url: str, seed: int) -> None:
    rng = random.Random(seed)

    async def main() -> None:
        async with world(database_url) as (pool, log):
            expected: list[str] = []
            for round_ in range(4):
                workers = [Worker(Collecting(rng), log, pool, OPTIONS) for _ in range(1 + round_ % 3)]
                async with running(*workers):
                    for _ in range(5):
                        expected += await fill(log, 20, len(expected))
                        await asyncio.sleep(rng.random() / 20)
            async with running(Worker(Collecting(), log, pool, OPTIONS)):
                await until(lambda: passed(pool, "collecting", len(expected)))
            assert sorted(await collected(pool)) == sorted(expected)

    asyncio.run(main())


def test_a_zombies_write_is_refused_wholly_and_it_joins_again(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as (pool, log):
            await fill(log, 30)
            worker = Worker(Collecting(), log, pool, OPTIONS)
            async with running(worker):
                await until(lambda: passed(pool, "collecting", 30))
                for partition in range(3):  # another member takes over behind its back, and has moved on
                    async with transaction(pool) as connection:
                        await checkpoint.claim(
                            connection,
                            "collecting",
                            TopicPartition("in", partition),
                            first_offset=0,
                            log_identity=log.identity,
                            code_version="1",
                        )
                await fill(log, 30, 30)
                await until(lambda: passed(pool, "collecting", 60))
            assert len(await collected(pool)) == 60
            [(generation,)] = await rows(pool, "SELECT min(generation) FROM checkpoints")
            assert generation >= 3

    asyncio.run(main())


def test_two_workers_share_and_the_one_left_takes_all(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as (pool, log):
            first, second = (Worker(Collecting(), log, pool, OPTIONS) for _ in range(2))
            async with running(first):
                await first.ready.wait()
                async with running(second):
                    await second.ready.wait()
                    await fill(log, 60)
                    await until(lambda: passed(pool, "collecting", 60))
                await fill(log, 60, 60)
                await until(lambda: passed(pool, "collecting", 120))
            assert len(await collected(pool)) == 120

    asyncio.run(main())


@pytest.mark.parametrize("committed", [0, 4, 9])
def test_the_checkpoint_is_the_truth_where_committed_offsets_say_otherwise(database_url: str, committed: int) -> None:
    async def main() -> None:
        async with world(database_url) as (pool, log):
            await fill(log, 30)
            async with running(Worker(Collecting(), log, pool, OPTIONS)):
                await until(lambda: passed(pool, "collecting", 30))
            consumer = await log.consumer("collecting", ["in"])
            poll = await consumer.poll()
            await consumer.commit(dict.fromkeys(poll.assignment, committed))
            await consumer.close()
            await rows(pool, "UPDATE checkpoints SET next_offset = 6 RETURNING 1")
            async with running(Worker(Collecting(), log, pool, OPTIONS)):
                await until(lambda: passed(pool, "collecting", 30))
            repeated = (await collected(pool))[30:]
            assert sorted(repeated) == sorted(f"r{i}" for i in range(18, 30))
            assert await log.committed("collecting", "in") == {0: 10, 1: 10, 2: 10}

    asyncio.run(main())


def test_what_trying_again_cannot_mend_ends_the_worker(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as (pool, log):
            await log.append([Append("in", 0, "x", b"poison", 0)])
            with pytest.raises(DataError, match="mend the program"):
                await asyncio.wait_for(Worker(Collecting(), log, pool, OPTIONS).run(asyncio.Event()), 20)
            await rows(pool, "UPDATE checkpoints SET next_offset = 99 RETURNING 1")
            with pytest.raises(OffsetOutOfRangeError):
                await asyncio.wait_for(Worker(Collecting(), log, pool, OPTIONS).run(asyncio.Event()), 20)
            assert await collected(pool) == []

    asyncio.run(main())


def test_a_group_that_is_new_begins_where_retention_has_left_the_log(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as (pool, log):
            await fill(log, 30)
            async with running(Worker(Numbering(), log, pool, OPTIONS)):
                await until(lambda: passed(pool, "numbering", 30))
            assert set((await log.trim("in", 1)).values()) == {10}
            await fill(log, 3, 30)
            async with running(Worker(Collecting(), log, pool, OPTIONS)):
                await until(lambda: passed(pool, "collecting", 33))
            assert sorted(await collected(pool)) == ["r30", "r31", "r32"]

    asyncio.run(main())


def test_retention_waits_for_a_group_that_has_begun_and_saved_nothing_yet(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as (pool, log):
            await fill(log, 30)
            async with running(Worker(Collecting(), log, pool, OPTIONS)):
                await until(lambda: passed(pool, "collecting", 30))
            never = WorkerOptions(checkpoint_every_s=1e9, poll_timeout_s=0.02)
            worker = Worker(Numbering(), log, pool, never)
            killed = asyncio.create_task(worker.run(asyncio.Event()))
            await until(lambda: outputs(log))
            assert set((await log.trim("in", 1)).values()) == {0}, "what a group has yet to save must stay"
            killed.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await killed
            async with running(Worker(Numbering(), log, pool, OPTIONS)):
                await until(lambda: passed(pool, "numbering", 30))
            assert set((await log.trim("in", 1)).values()) == {10}

    asyncio.run(main())


def test_stopping_saves_what_the_timer_has_not(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as (pool, log):
            await fill(log, 30)
            never = WorkerOptions(checkpoint_every_s=1e9, poll_timeout_s=0.02)
            worker = Worker(Numbering(), log, pool, never)

            async def all_out() -> bool:
                return len(await outputs(log)) == 30

            async with running(worker):
                await until(all_out)
                assert await passed(pool, "numbering", 0)
            assert await passed(pool, "numbering", 30)
            assert {state for (state,) in await rows(pool, "SELECT state FROM checkpoints")} == {b"10"}

    asyncio.run(main())


class Freezing(Numbering):
    """Its states take long to be made bytes of."""

    def __init__(self) -> None:
        self.go, self.packing = threading.Event(), threading.Event()

    def freeze(self, state: Count) -> Callable[[], bytes]:
        seen = state.seen

        def pack() -> bytes:
            self.packing.set()
            assert self.go.wait(30)
            return json.dumps(seen).encode()

        return pack


def test_records_flow_on_while_a_state_is_saved_and_what_is_saved_is_of_one_moment(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as (pool, log):
            stage = Freezing()
            worker = Worker(stage, log, pool, OPTIONS)

            async def said(count: int) -> bool:
                return len(await outputs(log)) == count

            async with running(worker):
                await fill(log, 30)
                await until(lambda: asyncio.sleep(0, stage.packing.is_set()))
                before = len(await outputs(log))
                await fill(log, 300, 30)
                await until(lambda: said(330))
                assert await passed(pool, "numbering", 0), "nothing is saved before it is packed"
                assert sum(p.next_offset for p in worker.positions().values()) == 330
                stage.go.set()
                await until(lambda: passed(pool, "numbering", 330))
            assert before <= 30
            for state, offset in await rows(pool, "SELECT state, next_offset FROM checkpoints"):
                assert int(bytes(state)) == offset, "state and offset are of one moment"

    asyncio.run(main())


def test_a_state_of_which_another_member_took_the_partition_meanwhile_is_refused(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as (pool, log):
            stage, other = Freezing(), Numbering()
            other.group = stage.group
            worker = Worker(stage, log, pool, OPTIONS)
            async with running(worker):
                await fill(log, 30)
                await until(lambda: asyncio.sleep(0, stage.packing.is_set()))
                async with running(Worker(other, log, pool, OPTIONS)):
                    await fill(log, 30, 30)
                    await until(lambda: asyncio.sleep(0, len(worker.positions()) < 3))
                    stage.go.set()
                    await until(lambda: passed(pool, "numbering", 60))
                await fill(log, 30, 60)
                await until(lambda: passed(pool, "numbering", 90))
            expected = {f"{i % 3}:{i // 3 + 1}:r{i}" for i in range(90)}
            assert set(await outputs(log)) == expected, "nothing lost, and what was said again is the same"

    asyncio.run(main())


class Echoing(Numbering):
    """Answers each record with many larger ones, as detection does when a city falls dark."""

    group = "echoing"

    def step(self, state: Count, records: Sequence[Record]) -> Outcome:
        state.seen += len(records)
        return Outcome([Append("out", 0, "x", b"%d" % n, 0) for _ in records for n in range(5_000)])


def test_what_one_poll_leads_to_is_appended_in_shares_and_in_order(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as (pool, log):
            sizes: list[int] = []
            append = log.append

            async def counted(records: Sequence[Append]) -> list[int]:
                sizes.append(len(records))
                return await append(records)

            await log.append([Append("in", 0, "x", b"r", 0)])
            log.append = counted  # type: ignore[method-assign]
            async with running(Worker(Echoing(), log, pool, OPTIONS)):
                await until(lambda: passed(pool, "echoing", 1))
            assert max(sizes) <= OPTIONS.append_records_max < sum(sizes)
            found: list[bytes] = []
            while len(found) < 5_000:
                found += [r.value for r in await log.read(TopicPartition("out", 0), len(found))]
            assert found == [b"%d" % n for n in range(5_000)]

    asyncio.run(main())


def test_shares_are_bounded_in_bytes_and_lose_nothing() -> None:
    appends = [Append("out", 0, "x", bytes(size), 0) for size in (5, 90, 20, 101, 1, 1, 1, 1)]
    shares = list(_shares(appends, 3, 100))
    assert [[len(a.value) for a in share] for share in shares] == [[5, 90], [20], [101], [1, 1, 1], [1]]
    assert list(_shares([], 3, 100)) == []


def test_a_worker_with_much_to_catch_up_lets_its_heartbeats_through(database_url: str) -> None:
    class Slow(Numbering):
        """Notes how often anybody else had a turn before each of its steps."""

        def __init__(self) -> None:
            self.turns: list[int] = []
            self.turn = 0

        def step(self, state: Count, records: Sequence[Record]) -> Outcome:
            assert len(records) <= STEP_RECORDS
            self.turns.append(self.turn)
            return super().step(state, records)

    async def main() -> None:
        async with world(database_url) as (pool, log):
            stage, count = Slow(), 20 * STEP_RECORDS
            await log.append([Append("in", 0, "x", b"r", 0) for _ in range(count)])

            async def beat() -> None:
                while True:
                    stage.turn += 1
                    await asyncio.sleep(0)

            heart = asyncio.create_task(beat())
            async with running(Worker(stage, log, pool, WorkerOptions(max_records=count, checkpoint_every_s=0.02))):
                await until(lambda: passed(pool, "numbering", count))
            heart.cancel()
            assert len(set(stage.turns)) == len(stage.turns) >= 20

    asyncio.run(main())
