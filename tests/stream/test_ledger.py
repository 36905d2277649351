"""The ledger: its sum at every moment, whoever folds first, and the numbers that never came."""

import asyncio
import random

import pytest

from city.clock import HOUR_US, hour_of
from storage.pool import Pool, transaction
from stream import codec, ledger
from stream.accounts import LedgerQuery, LedgerRow, check_balance, read_ledger
from stream.codec import DeadLetter, GatewayCount, NumberRange, RecordMeta
from stream.deadletter import DeadLetterStage
from stream.ledger import Key, LedgerStage, Tally
from stream.log import Record
from stream.store import StoreStage
from tests.stream.harness import NOON, batch_record, drive, drive_within, opened, reading, rows

HOUR = hour_of(NOON)


async def page(pool: Pool, query: LedgerQuery | None = None) -> list[LedgerRow]:
    async with pool.connection() as connection:
        return await read_ledger(connection, query or LedgerQuery())


def letter_record(offset: int, units: int, *, gateway: str = "G-1", partition: int = 0) -> Record:
    letter = DeadLetter("unknown-device", "claim it", "citynerve/v1/G-1/readings", "e30=", gateway, NOON, units)
    meta = RecordMeta((GatewayCount(gateway, HOUR, units),))
    value, summary = codec.encode(letter), codec.encode(meta)
    return Record("dead-letters", partition, offset, codec.DEAD_LETTER, value, NOON, summary)


def test_what_the_follower_saw_is_in_flight_until_a_sink_has_it(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            readings = batch_record(0, [reading(1, 0, 1), reading(1, 0, 1), reading(2, 0, 1, gateway=2)])
            await drive(pool, LedgerStage(), readings, letter_record(0, 4))
            first, second = await page(pool)
            assert (first.gateway_id, first.appended, first.in_flight) == ("G-1", 6, 6)
            assert (second.gateway_id, second.appended, second.in_flight) == ("G-2", 1, 1)
            await drive(pool, StoreStage(), readings)
            assert [row.in_flight for row in await page(pool)] == [4, 0]
            await drive(pool, DeadLetterStage("log"), letter_record(0, 4))
            assert [(row.appended, row.quarantined, row.in_flight) for row in await page(pool)] == [
                (6, 4, 0),
                (1, 0, 0),
            ]

    asyncio.run(main())


def test_whoever_comes_second_counts_nothing_twice(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            log = [batch_record(i, [reading(1, i, 1)]) for i in range(10)]
            await drive(pool, StoreStage(), *log[:6])
            await drive(pool, LedgerStage(), *log[:3])
            await drive(pool, LedgerStage(), *log[3:9])
            await drive(pool, StoreStage(), *log[6:])
            await drive(pool, LedgerStage(), *log[9:])
            [row] = await page(pool)
            assert (row.appended, row.stored, row.in_flight) == (10, 10, 0)

    asyncio.run(main())


def test_follower_and_sinks_at_once_keep_the_sum(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url, size=8) as pool:
            logs = [
                [batch_record(i, [reading(p + 1, i, 1, gateway=g) for g in (1, 2, 3)], partition=p) for i in range(30)]
                for p in range(3)
            ]

            async def follow(stage: LedgerStage | StoreStage, partitions: tuple[int, ...], step: int) -> None:
                for start in range(0, 30, step):
                    await drive(pool, stage, *(r for p in partitions for r in logs[p][start : start + step]))

            async def watch() -> None:
                for _ in range(50):
                    async with pool.connection() as connection:
                        balance = await check_balance(connection)
                    assert balance.broken == 0
                    assert balance.in_flight >= 0

            await asyncio.gather(
                follow(StoreStage(), (0, 1), 4),
                follow(StoreStage(), (2,), 7),
                follow(LedgerStage(), (0, 1, 2), 5),
                watch(),
            )
            async with pool.connection() as connection:
                balance = await check_balance(connection)
            assert (balance.appended, balance.stored, balance.duplicate, balance.in_flight) == (270, 90, 180, 0)

    asyncio.run(main())


async def see(pool: Pool, *ranges: tuple[int, int], epoch: str = "", hour: int = HOUR, gateway: str = "G-1") -> None:
    tally = Tally()
    tally.numbers = [NumberRange(gateway, epoch, first, last, hour) for first, last in ranges]
    async with transaction(pool) as connection:
        await ledger.fold(connection, tally)


async def forgotten(pool: Pool) -> int:
    async with pool.connection() as connection:
        return (await check_balance(connection)).forgotten_runs


async def missing(pool: Pool) -> dict[Key, int]:
    return {
        Key(row.gateway_id, row.hour): row.missing for row in await page(pool, LedgerQuery(limit=1_000)) if row.missing
    }


def test_numbers_that_never_came_show_in_their_hour_and_go_when_they_come(database_url: str) -> None:
    async def main() -> None:
        async with opened(database_url) as pool:
            await see(pool, (100, 109))
            assert await missing(pool) == {}, "a gateway may have counted before it met us"
            await see(pool, (120, 120))
            await see(pool, (200, 200), hour=HOUR + HOUR_US)
            assert await missing(pool) == {Key("G-1", HOUR): 10, Key("G-1", HOUR + HOUR_US): 79}
            await see(pool, (112, 113), (150, 159), hour=HOUR + 2 * HOUR_US)
            assert await missing(pool) == {Key("G-1", HOUR): 8, Key("G-1", HOUR + HOUR_US): 69}
            await see(pool, (90, 300), hour=HOUR + 2 * HOUR_US)
            assert await missing(pool) == {}
            assert await rows(pool, "SELECT seen::text FROM ledger_numbers") == [("{[90,301)}",)]

    asyncio.run(main())


def test_another_epoch_counts_by_itself(database_url: str) -> None:
    async def main() -> None:
        async with opened(database_url) as pool:
            await see(pool, (0, 1), (5, 5), epoch="a")
            await see(pool, (1000, 1001), epoch="b")
            assert await missing(pool) == {Key("G-1", HOUR): 3}

    asyncio.run(main())


def test_numbers_meant_to_hurt_are_bounded(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "_RUNS_MAX", 100)

    async def main() -> None:
        async with opened(database_url) as pool:
            await see(pool, *((n * 10, n * 10) for n in range(3000)))
            assert await missing(pool) == {Key("G-1", HOUR): 2999 * 9}
            [(gaps,)] = await rows(pool, "SELECT count(*) FROM ledger_gaps")
            assert gaps <= 1000
            for epoch in range(120):
                await see(pool, (0, 0), (2, 2), epoch=f"e{epoch}\x00\ud800", gateway="G-2", hour=HOUR + epoch)
            [(runs,)] = await rows(pool, "SELECT count(*) FROM ledger_numbers WHERE gateway_id = 'G-2'")
            assert runs == 100
            assert await forgotten(pool) == 20
            assert sum((await missing(pool)).values()) == 2999 * 9 + 120
            await see(pool, (-5, 3), (7, 2), (2**62, 2**63 - 1), gateway="G-3")
            assert await rows(pool, "SELECT * FROM ledger_numbers WHERE gateway_id = 'G-3'") == []

    asyncio.run(main())


def test_a_network_servers_devices_each_keep_their_run(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "_RUNS_MAX", 4)

    async def main() -> None:
        async with opened(store_url) as pool:
            [(devices,)] = await rows(pool, "SELECT count(*) FROM devices WHERE gateway_id = 'G-1'")
            runs = 4 + 2 * devices
            await see(pool, (1, 1), epoch="old", hour=HOUR - HOUR_US)
            for device in range(runs):
                await see(pool, (1, 1), epoch=f"device-{device}")
            assert await forgotten(pool) == 1
            await see(pool, (5, 5), epoch="device-0")
            assert await missing(pool) == {Key("G-1", HOUR): 3}

    asyncio.run(main())


def test_a_number_that_jumps_is_a_new_run_and_not_that_many_lost_messages(database_url: str) -> None:
    async def main() -> None:
        async with opened(database_url) as pool:
            await see(pool, (5, 9))
            await see(pool, (2**53 - 1, 2**53 - 1))
            assert await missing(pool) == {}
            await see(pool, (12, 12), (4_000_000_000_000, 4_000_000_000_003))
            await see(pool, (1_000_012, 1_000_012), epoch="far")
            await see(pool, (12, 12), epoch="far")
            assert await missing(pool) == {Key("G-1", HOUR): 999_999}, "as wide as a hole may be"
            await see(pool, (2_000_013, 2_000_015), epoch="far")
            await see(pool, (2_000_018, 2_000_018), epoch="far")
            assert await missing(pool) == {Key("G-1", HOUR): 999_999 + 1_000_000 + 2}
            async with transaction(pool) as connection:
                assert (await check_balance(connection)).missing == 999_999 + 1_000_000 + 2

    asyncio.run(main())


@pytest.mark.parametrize("seed", range(5))
def test_gaps_are_the_holes_whatever_the_order(database_url: str, seed: int) -> None:
    rng = random.Random(seed)

    async def main() -> None:
        async with opened(database_url) as pool:
            seen: set[int] = set()
            for _ in range(30):
                ranges = [(first := rng.randrange(100), first + rng.randrange(4)) for _ in range(rng.randrange(1, 5))]
                await see(pool, *ranges)
                seen.update(n for first, last in ranges for n in range(first, last + 1))
                assert sum((await missing(pool)).values()) == max(seen) - min(seen) + 1 - len(seen)

    asyncio.run(main())


def test_pages_follow_each_other_without_overlap(database_url: str) -> None:
    async def main() -> None:
        async with opened(database_url) as pool:
            tally = Tally()
            for gateway in ("G-1", "G-2", ""):
                for hour in range(4):
                    tally.at(gateway, HOUR + hour * HOUR_US).appended += 1
            async with transaction(pool) as connection:
                await ledger.fold(connection, tally)
            found: list[Key] = []
            after: Key | None = None
            while rows_ := await page(pool, LedgerQuery(after=after, limit=5)):
                found += [Key(row.gateway_id, row.hour) for row in rows_]
                after = found[-1]
            assert found == sorted(tally.rows, key=lambda key: (-key.hour, key.gateway_id))
            only = await page(pool, LedgerQuery(gateway_id="G-2", since=HOUR + HOUR_US, until=HOUR + 3 * HOUR_US))
            assert [(row.gateway_id, row.hour) for row in only] == [
                ("G-2", HOUR + 2 * HOUR_US),
                ("G-2", HOUR + HOUR_US),
            ]

    asyncio.run(main())


def test_a_sink_that_dies_leaves_the_ledger_as_it_was(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            record = batch_record(0, [reading(1, 0, 1)], numbers=(NumberRange("G-1", "", 0, 3, HOUR),))
            for _ in range(3):
                with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the transaction has to end by it
                    async with transaction(pool) as connection:
                        await drive_within(connection, StoreStage(), record)
                        raise ZeroDivisionError
            assert await page(pool) == []
            await drive(pool, StoreStage(), record)
            [row] = await page(pool)
            assert (row.appended, row.stored) == (1, 1)

    asyncio.run(main())
