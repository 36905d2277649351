"""The sink of readings, on both layouts."""

import asyncio
import random
from contextlib import suppress

import pytest

from city.clock import DAY_US, MINUTE_US, to_datetime
from city.errors import CityNerveError, DataError
from city.reading import Reading
from city.topics import READINGS
from storage.pool import transaction
from stream.accounts import LedgerQuery, check_balance, read_ledger
from stream.checkpoint import claim
from stream.log import Record, TopicPartition
from stream.store import StoreStage
from tests.stream.harness import (
    HOUR,
    NOON,
    batch_record,
    drive,
    drive_within,
    opened,
    reading,
    rows,
    stored,
    tick_record,
)


def test_first_value_wins_inside_a_poll_and_against_the_table(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            stage = StoreStage()
            first = [reading(1, 0, 10), reading(1, 0, 10), reading(1, 0, 11), reading(2, 0, 5)]
            await drive(pool, stage, batch_record(0, first))
            await drive(pool, stage, batch_record(1, [reading(1, 0, 10), reading(2, 0, 6), reading(2, 1, 7)]))
            assert await stored(pool) == {(1, NOON): 10, (2, NOON): 5, (2, NOON + MINUTE_US): 7}
            kept = await rows(pool, "SELECT series_id, value FROM readings_conflicting ORDER BY 1")
            assert kept == [(1, 11), (2, 6)]
            async with pool.connection() as connection:
                [row] = await read_ledger(connection, LedgerQuery())
            assert (row.appended, row.stored, row.duplicate, row.conflicting, row.in_flight) == (7, 3, 2, 2, 0)

    asyncio.run(main())


def test_readings_count_in_their_gateways_hour_of_receipt(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            late = [reading(1, -300, 1, received=30), reading(2, 10, 1, gateway=2), reading(3, 70, 1, gateway=2)]
            await drive(pool, StoreStage(), batch_record(0, late))
            async with pool.connection() as connection:
                page = await read_ledger(connection, LedgerQuery())
            assert [(row.gateway_id, row.hour, row.stored) for row in page] == [
                ("G-2", NOON + HOUR, 1),
                ("G-1", NOON, 1),
                ("G-2", NOON, 1),
            ]

    asyncio.run(main())


def test_ticks_and_registry_records_are_passed_over(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            registry = Record("readings", 0, 1, "registry", b"{}", NOON)
            await drive(pool, StoreStage(), tick_record(0), registry, batch_record(2, [reading(1, 0, 1)]))
            await drive(pool, StoreStage(), tick_record(3))
            assert len(await stored(pool)) == 1
            assert await rows(pool, "SELECT next_offset FROM ledger_positions") == [(4,)]

    asyncio.run(main())


def test_a_checkpoint_says_up_to_which_tick_all_is_stored(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool, pool.connection() as connection:
            for partition in (0, 1):
                source = TopicPartition(READINGS, partition)
                await claim(connection, "store", source, first_offset=0, log_identity="log", code_version="1")
            await connection.commit()
            await drive(pool, StoreStage(), batch_record(0, [reading(1, 0, 1)]))
            told = "SELECT partition, ticked_at FROM checkpoints ORDER BY 1"
            assert await rows(pool, told) == [(0, None), (1, None)]
            await drive(pool, StoreStage(), batch_record(1, [reading(1, 1, 1)]), tick_record(2))
            assert await rows(pool, told) == [(0, to_datetime(NOON)), (1, None)]
            await drive(pool, StoreStage(), tick_record(0, partition=1))
            assert await rows(pool, told) == [(0, to_datetime(NOON)), (1, to_datetime(NOON))]

    asyncio.run(main())


def test_a_record_that_cannot_be_decoded_stops_the_sink_and_names_itself() -> None:
    with pytest.raises(DataError, match="readings/3 at 17 cannot be stored"):
        StoreStage().step(None, [Record("readings", 3, 17, "batch", b"garbage", NOON)])
    with pytest.raises(DataError, match="summary of record readings/3 at 17"):
        StoreStage().step(None, [Record("readings", 3, 17, "tick", b"", NOON, b"garbage")])


def test_a_gateway_number_that_nobody_knows_is_refused(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            record = batch_record(0, [reading(1, 0, 1, gateway=3)])
            async with pool.connection() as connection:
                await connection.execute("DELETE FROM gateways WHERE number = 3")
            with pytest.raises(CityNerveError, match="gateway number 3"):
                await drive(pool, StoreStage(), record)
            assert await stored(pool) == {}

    asyncio.run(main())


def test_a_gap_before_the_records_is_never_counted_over(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            await drive(pool, StoreStage(), batch_record(0, [reading(1, 0, 1)]))
            with pytest.raises(CityNerveError, match="stands at 1, the next record is 5"):
                await drive(pool, StoreStage(), batch_record(5, [reading(1, 5, 1)]))
            assert len(await stored(pool)) == 1

    asyncio.run(main())


def test_a_back_log_of_years_is_stored_in_one_poll(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            history = [reading(1 + i % 2, -i * 24 * 60, i, received=0) for i in range(3650)]
            await drive(pool, StoreStage(), batch_record(0, history))
            assert len(await stored(pool)) == 3650
            await drive(pool, StoreStage(), batch_record(1, history))
            async with pool.connection() as connection:
                balance = await check_balance(connection)
            assert (balance.stored, balance.duplicate, balance.in_flight) == (3650, 3650, 0)

    asyncio.run(main())


def test_two_sinks_meet_in_new_months_without_losing_a_row(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url, size=6) as pool:

            async def sink(partition: int) -> None:
                stage = StoreStage()
                for offset in range(12):
                    at = [reading(partition + 1, -offset * 31 * 24 * 60 - m, m, received=0) for m in range(50)]
                    await drive(pool, stage, batch_record(offset, at, partition=partition))

            await asyncio.gather(*(sink(partition) for partition in range(4)))
            assert len(await stored(pool)) == 4 * 12 * 50
            async with pool.connection() as connection:
                assert (await check_balance(connection)).in_flight == 0

    asyncio.run(main())


@pytest.mark.parametrize("seed", range(4))
def test_random_polls_with_crashes_leave_what_the_oracle_says(store_url: str, seed: int) -> None:
    """Two partitions, polls of random length, transactions that die half-way, and everything sent again."""
    rng = random.Random(seed)

    async def main() -> None:
        logs = [[_random_record(rng, partition, offset) for offset in range(60)] for partition in (0, 1)]
        expected: dict[tuple[int, int], float] = {}
        counts = {"stored": 0, "duplicate": 0, "conflicting": 0}
        async with opened(store_url) as pool:
            stage = StoreStage()
            position = [0, 0]
            while position != [60, 60]:
                ends = [min(60, start + rng.randrange(0, 15)) for start in position]
                taken = [logs[p][position[p] : ends[p]] for p in (0, 1)]
                records = [record for some in taken for record, _ in some]
                if rng.random() < 0.3:
                    with suppress(ZeroDivisionError):
                        async with transaction(pool) as connection:
                            await drive_within(connection, stage, *records)
                            raise ZeroDivisionError
                    continue
                await drive(pool, stage, *records)
                position = ends
                for some in taken:
                    for _, readings in some:
                        _oracle(expected, counts, readings)
                async with pool.connection() as connection:
                    balance = await check_balance(connection)
                assert balance.broken == 0
                assert (balance.stored, balance.duplicate, balance.conflicting) == tuple(counts.values())
                assert balance.in_flight == 0
            assert await stored(pool) == expected

    asyncio.run(main())


def _random_record(rng: random.Random, partition: int, offset: int) -> tuple[Record, list[Reading]]:
    readings = [
        reading(
            partition * 4 + rng.randrange(1, 4),
            rng.randrange(0, 30) - rng.choice([0, 0, 40 * 24 * 60]),
            rng.choice([1.0, 1.0, 2.0]),
            gateway=rng.randrange(1, 4),
            received=rng.randrange(0, 180),
        )
        for _ in range(rng.randrange(0, 12))
    ]
    return batch_record(offset, readings, partition=partition), readings


def _oracle(expected: dict[tuple[int, int], float], counts: dict[str, int], readings: list[Reading]) -> None:
    for r in readings:
        key = (r.series_id, r.observed_at)
        if key not in expected:
            expected[key] = r.value
            counts["stored"] += 1
        else:
            counts["duplicate" if expected[key] == r.value else "conflicting"] += 1


def test_times_of_a_day_apart_are_not_confused(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            same_minute = [reading(1, 0, 1), reading(1, 24 * 60, 2), reading(2, 0, 3)]
            await drive(pool, StoreStage(), batch_record(0, same_minute))
            assert await stored(pool) == {(1, NOON): 1, (1, NOON + DAY_US): 2, (2, NOON): 3}

    asyncio.run(main())
