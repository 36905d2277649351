"""Replays of very many readings: divided to the log's limit, and none of them stops another."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from city.reading import ReadingBatch
from city.topics import READINGS
from storage.pool import transaction
from stream import codec
from stream.codec import GatewayCount, RecordMeta, Replayed
from stream.pieces import pieces
from stream.planned import Portion, keep_sending, send_planned, write_portion
from stream.redelivery import Resolution
from tests.stream.harness import opened, rows
from tests.stream.test_deadletter import NOON, World, append_of, build, letter, rows_of

COUNT = 45_000


def many(count: int = COUNT) -> ReadingBatch:
    one = rows_of(1)
    batch = one.take(np.zeros(count, np.int64))
    return replace(batch, observed_at=batch.observed_at + np.arange(count))


def test_pieces_hold_every_reading_once_in_order() -> None:
    batch = many(5_000)
    parts = list(pieces(batch, 20_000))
    assert all(len(value) <= 20_000 for _, value in parts)
    together = np.concatenate([codec.decode_batch(value).observed_at for _, value in parts])
    assert (together == batch.observed_at).all()


def test_a_letter_of_very_many_readings_comes_back_in_pieces_and_balances(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            world = await build(pool)
            await world.log.append([append_of(letter(COUNT + 1)), append_of(letter(1, gateway="G-2"))])
            await world.settle()
            found = {"G-1": Resolution({0: many(), 1: rows_of(5)}), "G-2": Resolution({2: rows_of(9)})}
            assert await world.replay(lambda one: found[one.gateway_id]) == COUNT + 2
            for _ in range(3):
                balance = await world.settle()
            assert (balance.quarantined, balance.in_flight, balance.appended) == (0, 0, COUNT + 2)
            assert await rows(pool, "SELECT sum(settles), count(*) > 3, bool_and(stored) FROM dead_letter_replays") == [
                (COUNT + 2, True, True)
            ]

    asyncio.run(main())


async def plan(world: World, letter_id: str, partition: int, batch: ReadingBatch) -> None:
    """Plan a replay as a release did that divided nothing."""
    replayed = Replayed(letter_id, "G-1", NOON, len(batch), 0)
    meta = RecordMeta((GatewayCount("G-1", NOON, len(batch)),), (), replayed)
    async with transaction(world.pool) as connection:
        await write_portion(connection, Portion(replayed, partition, codec.encode_batch(batch), meta, NOON))
        await connection.execute(
            "UPDATE dead_letters SET portions = 1, sent_back = units WHERE letter_id = %(id)s", {"id": letter_id}
        )


@pytest.mark.parametrize("bad_partition", [0, 99])
def test_a_planned_record_that_the_log_refuses_stops_neither_the_others_nor_the_keeper(
    store_url: str, bad_partition: int
) -> None:
    """Too large: it is divided. To a partition that there is not: it waits, is told, and the others go on."""

    async def main() -> None:
        async with opened(store_url) as pool:
            world = await build(pool)
            await world.log.append([append_of(letter(COUNT)), append_of(letter(1))])
            await world.settle()
            bad, good = sorted(await world.open_ids())
            await plan(world, bad, bad_partition, many())
            await plan(world, good, 1, rows_of(5))
            stop = asyncio.Event()
            keeper = asyncio.create_task(keep_sending(pool, world.log, stop, every_s=0.01))
            async with asyncio.timeout(30):
                while (await world.log.bounds(READINGS))[sorted(await world.log.bounds(READINGS))[1]].end == 0:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert not keeper.done()
            stop.set()
            await keeper
            await send_planned(pool, world.log)
            waiting = await rows(pool, "SELECT DISTINCT letter_id FROM dead_letter_replays WHERE value IS NOT NULL")
            assert waiting == ([] if bad_partition == 0 else [(bad,)])
            for _ in range(3):
                balance = await world.settle()
            assert balance.quarantined == (0 if bad_partition == 0 else COUNT)

    asyncio.run(main())


def test_the_ledger_forgets_no_unit_that_became_nothing(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            world = await build(pool)
            await world.log.append([append_of(letter(1, only=((0, "humidty"),)))])
            await world.settle()
            assert await world.replay(lambda _: Resolution({})) == 0
            balance = await world.settle()
            assert (balance.appended, balance.quarantined, balance.in_flight) == (1, 1, 0)
            assert len(await world.open_ids()) == 1

    asyncio.run(main())
