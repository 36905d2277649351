"""Dead letters: kept whole, listed, and back in their original hour once they can be understood."""

import asyncio
import base64
import random
from dataclasses import replace

import pytest

from city.clock import HOUR_US, MINUTE_US, hour_of
from city.errors import DataError, EngineError, NotFoundError
from city.reading import ReadingBatch
from city.topics import DEAD_LETTERS, READINGS
from storage.pool import Connection, Pool
from stream import codec
from stream.accounts import Balance, LedgerQuery, check_balance, read_ledger
from stream.codec import DeadLetter, GatewayCount, NumberRange, RecordMeta
from stream.deadletter import DeadLetterStage
from stream.ledger import LedgerStage
from stream.letters import (
    Key,
    LetterQuery,
    LetterState,
    LetterSummary,
    inspect_letter,
    open_by_reason,
    payload_text,
)
from stream.letters import list_letters as list_page
from stream.log import Append, EventLog, Record, TopicPartition
from stream.logs.postgres import PostgresLog, open_postgres_log
from stream.planned import keep_sending, send_planned
from stream.redelivery import Resolution, Resolve, replay
from stream.store import StoreStage
from stream.worker import Stage
from tests.stream.harness import NOON, drive, opened, reading, rows, stored

RECEIVED = NOON + 5 * MINUTE_US
AROUND = tuple(NumberRange("G-1", "", number, number, hour_of(RECEIVED)) for number in (1, 3))
TOPICS = {READINGS: 3, DEAD_LETTERS: 1}


async def list_letters(connection: Connection, query: LetterQuery) -> list[LetterSummary]:
    return (await list_page(connection, query)).items


def letter(
    units: int = 1, *, only: tuple[tuple[int, str], ...] = (), gateway: str = "G-1", reason: str = "unknown-device"
) -> DeadLetter:
    payload = base64.b64encode(b'{"device": "D-1"}').decode()
    return DeadLetter(reason, "claim it", f"citynerve/v1/{gateway}/readings", payload, gateway, RECEIVED, units, only)


def append_of(letter: DeadLetter) -> Append:
    meta = RecordMeta((GatewayCount(letter.gateway_id, hour_of(letter.received_at), letter.units),))
    return Append(DEAD_LETTERS, 0, codec.DEAD_LETTER, codec.encode(letter), NOON, codec.encode(meta))


def rows_of(*series: int, minute: float = 0) -> ReadingBatch:
    return ReadingBatch.of([reading(s, minute, s, received=5) for s in series])


class World:
    """A log with its stages, each at its own offset."""

    def __init__(self, pool: Pool, log: PostgresLog) -> None:
        self.pool, self.log = pool, log
        self.letters: Stage[None] = DeadLetterStage(log.identity)
        self.store: Stage[None] = StoreStage()
        self.follower: Stage[None] = LedgerStage()
        self._next: dict[tuple[str, TopicPartition], int] = {}

    async def move(self, stage: Stage[None], limit: int = 500) -> None:
        """One poll of one stage."""
        taken: list[Record] = []
        for topic in stage.topics:
            for partition in range(TOPICS[topic]):
                source = TopicPartition(topic, partition)
                records = await self.log.read(source, self._next.get((stage.group, source), 0), max_records=limit)
                taken += records
                if records:
                    self._next[stage.group, source] = records[-1].offset + 1
        if taken:
            await drive(self.pool, stage, *taken)

    async def settle(self) -> Balance:
        for stage in (self.letters, self.follower, self.store):
            await self.move(stage)
        return await self.balance()

    async def balance(self) -> Balance:
        async with self.pool.connection() as connection:
            balance = await check_balance(connection)
        assert balance.broken == 0
        assert balance.in_flight >= 0
        return balance

    async def open_ids(self, query: LetterQuery | None = None) -> list[str]:
        async with self.pool.connection() as connection:
            return [found.letter_id for found in await list_letters(connection, query or LetterQuery())]

    async def replay(self, resolve: Resolve, log: EventLog | None = None) -> int:
        return (await replay(self.pool, log or self.log, await self.open_ids(), resolve, at_us=NOON + HOUR_US)).readings


async def build(pool: Pool) -> World:
    log = await open_postgres_log(pool)
    await log.create_topics(TOPICS)
    return World(pool, log)


def test_letters_are_kept_whole_and_listed_newest_first(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            world = await build(pool)
            hostile = DeadLetter(
                "not-json\x00", "\ud800", "t\x00", base64.b64encode(b"\x00\xff{").decode(), "", NOON, 1
            )
            await world.log.append([append_of(hostile), append_of(letter(2, only=((0, "a"), (1, "b"))))])
            balance = await world.settle()
            assert (balance.appended, balance.quarantined, balance.in_flight) == (3, 3, 0)
            async with pool.connection() as connection:
                newest, oldest = await list_letters(connection, LetterQuery())
                assert (newest.reason, newest.units, newest.open_units, newest.only) == (
                    "unknown-device",
                    2,
                    2,
                    ((0, "a"), (1, "b")),
                )
                [page] = await list_letters(
                    connection, LetterQuery(limit=1, after=Key(newest.received_at, newest.letter_id))
                )
                assert page == oldest
                assert [f.units for f in await list_letters(connection, LetterQuery(reason="unknown-device"))] == [2]
                assert [f.units for f in await list_letters(connection, LetterQuery(gateway_id=""))] == [1]
                assert await list_letters(connection, LetterQuery(until=NOON)) == []
                assert await open_by_reason(connection) == {"unknown-device": (1, 2), "not-json\ufffd": (1, 1)}
                whole = await inspect_letter(connection, oldest.letter_id)
                assert whole.payload == b"\x00\xff{"
                assert payload_text(whole.payload) == "\\u0000\ufffd{"
                with pytest.raises(NotFoundError, match="no dead letter 'x'"):
                    await inspect_letter(connection, "x")

    asyncio.run(main())


def test_a_letter_that_cannot_be_read_stops_the_sink(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            bad = DeadLetter("r", "d", "t", "not base64!", "G-1", NOON, 1)
            value = codec.encode(bad)
            with pytest.raises(DataError, match="log-0-7 is not base64"):
                await drive(pool, DeadLetterStage("log"), Record(DEAD_LETTERS, 0, 7, codec.DEAD_LETTER, value, NOON))

    asyncio.run(main())


def test_replay_stores_in_the_original_hour_and_settles(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            world = await build(pool)
            await world.log.append([append_of(letter(3, only=((0, "a"), (1, "a"), (2, "a"))))])
            await world.settle()

            def resolve(_: DeadLetter) -> Resolution:
                return Resolution({0: rows_of(1, 2), 2: rows_of(3)})

            assert await world.replay(resolve) == 3
            assert await world.open_ids() == []
            await world.move(world.follower)
            assert (await world.balance()).in_flight == 0, "quarantined until stored"
            await world.move(world.store)
            async with pool.connection() as connection:
                [row] = await read_ledger(connection, LedgerQuery())
                [found] = await list_letters(connection, LetterQuery(state=LetterState.DONE))
            assert (row.hour, row.appended, row.stored, row.quarantined) == (hour_of(RECEIVED), 3, 3, 0)
            assert (found.open_units, found.settled) == (0, 3)
            assert sorted(series for series, _ in await stored(pool)) == [1, 2, 3]

    asyncio.run(main())


def test_what_is_still_bad_stays_with_todays_reason_and_comes_back_later(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            world = await build(pool)
            await world.log.append([append_of(letter(3, only=((0, "a"), (1, "a"), (2, "b"))))])
            await world.settle()
            still = Resolution({0: rows_of(1)}, ((1, "a"), (2, "b")), "unknown-metric", "add it")
            assert await world.replay(lambda _: still) == 1
            async with pool.connection() as connection:
                [found] = await list_letters(connection, LetterQuery())
            assert (found.reason, found.detail, found.open_units, found.only) == (
                "unknown-metric",
                "add it",
                2,
                ((1, "a"), (2, "b")),
            )
            assert (await world.settle()).quarantined == 2
            assert await world.replay(lambda _: Resolution({}, found.only, "wrong-gateway", "move it")) == 0
            assert await world.replay(lambda _: Resolution({0: rows_of(2, 3)})) == 2, "the same partition again"
            balance = await world.settle()
            assert (balance.appended, balance.stored, balance.quarantined, balance.in_flight) == (3, 3, 0, 0)

    asyncio.run(main())


def test_a_replay_is_told_that_the_broker_had_kept_a_message_however_often_it_tries(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            world = await build(pool)
            kept = replace(letter(reason="no-codec"), retained=True)
            await world.log.append([append_of(kept), append_of(letter(reason="no-codec"))])
            await world.settle()
            for reason in ("unknown-device", "unknown-metric"):
                seen: list[bool] = []

                def told(found: DeadLetter, seen: list[bool] = seen, reason: str = reason) -> Resolution:
                    seen.append(found.retained)
                    return Resolution({}, (), reason, "later")

                await world.replay(told)
                assert sorted(seen) == [False, True]

    asyncio.run(main())


def test_a_letter_whose_message_came_is_not_missing_though_it_stays(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            world = await build(pool)
            beside = replace(append_of(letter(reason="not-json")), meta=codec.encode(RecordMeta(numbers=AROUND)))
            await world.log.append([append_of(letter(reason="unexpected-key")), beside])
            await world.settle()
            gaps = "SELECT numbers::text FROM ledger_gaps"
            assert await rows(pool, gaps) == [("[2,3)",)]
            bad = Resolution({}, (), "unexpected-key", "mend the sender", numbers=(("", 2, 2),))
            assert await world.replay(lambda _: bad) == 0
            assert await rows(pool, gaps) == []
            assert len(await world.open_ids()) == 2

    asyncio.run(main())


def test_an_unreadable_message_that_turns_out_to_hold_many_readings(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            world = await build(pool)
            await world.log.append([append_of(letter(1, reason="not-json"))])
            await world.settle()
            some = Resolution({0: rows_of(1, 2), 1: rows_of(3, 4)}, ((4, "a"),), "unknown-device", "claim it")
            assert await world.replay(lambda _: some) == 4
            balance = await world.settle()
            assert (balance.appended, balance.stored, balance.quarantined, balance.in_flight) == (5, 4, 1, 0)
            assert await world.replay(lambda _: Resolution({1: rows_of(5)})) == 1
            balance = await world.settle()
            assert (balance.appended, balance.stored, balance.quarantined, balance.in_flight) == (5, 5, 0, 0)

    asyncio.run(main())


def test_a_bundles_message_stays_one_unit_until_all_of_it_is_there(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            world = await build(pool)
            await world.log.append([append_of(letter(2, reason="isolated"))])
            await world.settle()
            some = Resolution({0: rows_of(1, 2)}, ((0, "0 a"), (0, "3 b"), (1, "")), "not-a-number", "NaN", messages=0)
            assert await world.replay(lambda _: some) == 2
            balance = await world.settle()
            assert (balance.appended, balance.stored, balance.quarantined, balance.in_flight) == (4, 2, 2, 0)
            more = Resolution({0: rows_of(3, 4)}, ((0, "3 b"),), "not-a-number", "NaN", messages=1)
            assert await world.replay(lambda _: more) == 2
            balance = await world.settle()
            assert (balance.appended, balance.stored, balance.quarantined, balance.in_flight) == (5, 4, 1, 0)
            assert await world.replay(lambda _: Resolution({1: rows_of(5)}, messages=1)) == 1
            balance = await world.settle()
            assert (balance.appended, balance.stored, balance.quarantined, balance.in_flight) == (5, 5, 0, 0)
            assert await world.open_ids() == []

    asyncio.run(main())


def test_fewer_readings_than_were_set_aside_change_nothing(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            world = await build(pool)
            await world.log.append([append_of(letter(3, only=((0, "a"), (1, "a"), (2, "a"))))])
            await world.settle()
            assert await world.replay(lambda _: Resolution({0: rows_of(1)})) == 0
            async with pool.connection() as connection:
                [found] = await list_letters(connection, LetterQuery())
            assert found.detail.startswith("only 1 of 3 readings")
            assert (await world.settle()).quarantined == 3

    asyncio.run(main())


class _FailingLog:
    """Appends, and then does not say so."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.max_record_bytes = log.max_record_bytes

    async def append(self, records: list[Append]) -> list[int]:
        await self._log.append(records)
        raise EngineError("killed before the answer")


def test_a_replay_that_dies_after_its_append_has_no_effect_twice(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            world = await build(pool)
            await world.log.append([append_of(letter(2, only=((0, "a"), (1, "a"))))])
            await world.settle()

            def resolve(_: DeadLetter) -> Resolution:
                return Resolution({0: rows_of(1), 1: rows_of(2)})

            with pytest.raises(EngineError):
                await world.replay(resolve, _FailingLog(world.log))  # type: ignore[arg-type]
            with pytest.raises(EngineError):
                await send_planned(pool, _FailingLog(world.log))  # type: ignore[arg-type]
            stop = asyncio.Event()
            keeper = asyncio.create_task(keep_sending(pool, world.log, stop, every_s=0.01))
            async with asyncio.timeout(30):
                while await rows(pool, "SELECT 1 FROM dead_letter_replays WHERE value IS NOT NULL"):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                stop.set()
                await keeper
            assert await send_planned(pool, world.log) == 0
            assert await world.replay(resolve) == 0
            assert [bounds.end for bounds in (await world.log.bounds(READINGS)).values()] == [3, 3, 0]
            await world.move(world.store, limit=1)
            balance = await world.settle()
            balance = await world.settle()
            assert (balance.appended, balance.stored, balance.duplicate, balance.quarantined, balance.in_flight) == (
                2,
                2,
                0,
                0,
                0,
            )

    asyncio.run(main())


def test_two_replays_at_once_send_each_letter_back_once(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url, size=8) as pool:
            world = await build(pool)
            await world.log.append([append_of(letter(1, only=((i, "a"),))) for i in range(60)])
            await world.settle()

            def resolve(found: DeadLetter) -> Resolution:
                return Resolution({0: rows_of(1, minute=found.only[0][0])})

            done = await asyncio.gather(*(world.replay(resolve) for _ in range(3)))
            assert sum(done) == 60
            balance = await world.settle()
            assert (balance.stored, balance.quarantined, balance.duplicate, balance.in_flight) == (60, 0, 0, 0)

    asyncio.run(main())


def test_a_replayed_duplicate_settles_too(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            world = await build(pool)
            batch = rows_of(1, 2)
            meta = RecordMeta((GatewayCount("G-1", hour_of(RECEIVED), 2),))
            live = Append(READINGS, 0, codec.BATCH, codec.encode_batch(batch), NOON, codec.encode(meta))
            await world.log.append([live, append_of(letter(1, only=((0, "a"),)))])
            await world.settle()
            await world.replay(lambda _: Resolution({0: rows_of(1)}))
            balance = await world.settle()
            assert (balance.appended, balance.stored, balance.duplicate, balance.quarantined) == (3, 2, 1, 0)

    asyncio.run(main())


@pytest.mark.parametrize("seed", range(4))
def test_any_interleaving_of_sinks_replays_and_crashes_balances(store_url: str, seed: int) -> None:
    rng = random.Random(seed)

    def resolve(found: DeadLetter) -> Resolution:
        good = [pair for pair in found.only if rng.random() < 0.6]
        bad = tuple(pair for pair in found.only if pair not in good)
        by_partition: dict[int, list[tuple[int, str]]] = {}
        for index, metric in good:
            by_partition.setdefault(index % 3, []).append((index, metric))
        batches = {p: rows_of(p + 1, minute=sum(i for i, _ in pairs)) for p, pairs in by_partition.items()}
        merged = {
            p: ReadingBatch.concatenate([batches[p]] + [rows_of(p + 4, minute=i) for i, _ in pairs[1:]])
            for p, pairs in by_partition.items()
        }
        return Resolution(merged, bad, "unknown-device", "claim it")

    async def main() -> None:
        async with opened(store_url) as pool:
            world = await build(pool)
            units = 0
            for _ in range(60):
                match rng.randrange(6):
                    case 0:
                        only = tuple((rng.randrange(1000), f"m{i}") for i in range(rng.randrange(1, 6)))
                        units += len(only)
                        await world.log.append([append_of(letter(len(only), only=only))])
                    case 1:
                        await world.replay(resolve)
                    case 2:
                        with pytest.raises(EngineError):  # noqa: PT012 - either may be the one that appends
                            await world.replay(resolve, _FailingLog(world.log))  # type: ignore[arg-type]
                            raise EngineError("there was nothing to append")
                    case other:
                        stage = (world.letters, world.follower, world.store)[other - 3]
                        await world.move(stage, limit=rng.randrange(1, 6))
                await world.balance()
            await world.settle()
            await world.replay(resolve_all)
            balance = await world.settle()
            assert (balance.appended, balance.quarantined, balance.in_flight) == (units, 0, 0)
            assert balance.stored == len(await stored(pool))
            assert await rows(pool, "SELECT count(*) FROM dead_letters WHERE settled <> units") == [(0,)]

    def resolve_all(found: DeadLetter) -> Resolution:
        return Resolution({0: ReadingBatch.concatenate([rows_of(8, minute=i) for i, _ in found.only])})

    asyncio.run(main())
