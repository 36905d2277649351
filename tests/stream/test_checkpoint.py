"""Checkpoints: one row is the truth, and only its owner may move it."""

import asyncio

import pytest

from city.errors import FencedError, SettingsError
from storage.pool import Pool, transaction
from stream import checkpoint
from stream.checkpoint import Checkpoint
from stream.log import TopicPartition
from tests.stream.harness import opened, rows

SOURCE = TopicPartition("readings", 3)


async def claim(pool: Pool, *, log: str = "log-1", version: str = "1", first_offset: int = 0) -> Checkpoint:
    async with transaction(pool) as connection:
        return await checkpoint.claim(
            connection, "detect", SOURCE, first_offset=first_offset, log_identity=log, code_version=version
        )


async def save(pool: Pool, saved: Checkpoint, *, log: str = "log-1", version: str = "1") -> None:
    async with transaction(pool) as connection:
        await checkpoint.save(connection, "detect", SOURCE, saved, log_identity=log, code_version=version)


def test_a_claim_brings_what_the_owner_before_saved(database_url: str) -> None:
    async def main() -> None:
        async with opened(database_url) as pool:
            first = await claim(pool)
            assert first == Checkpoint(1, 0, None)
            await save(pool, Checkpoint(first.generation, 17, b"state"))
            assert await claim(pool) == Checkpoint(2, 17, b"state")

    asyncio.run(main())


def test_a_group_that_never_worked_begins_at_the_first_record_there_is(database_url: str) -> None:
    async def main() -> None:
        async with opened(database_url) as pool:
            assert (await claim(pool, first_offset=500)).next_offset == 500
            assert (await claim(pool, first_offset=900)).next_offset == 500, "from then on the checkpoint says where"

    asyncio.run(main())


def test_an_older_generation_is_refused_with_all_it_wrote(database_url: str) -> None:
    async def main() -> None:
        async with opened(database_url) as pool:
            old = await claim(pool)
            new = await claim(pool)
            with pytest.raises(FencedError, match="newer member of detect"):  # noqa: PT012
                async with transaction(pool) as connection:
                    await connection.execute("INSERT INTO gateways (gateway_id) VALUES ('zombie')")
                    await checkpoint.save(connection, "detect", SOURCE, old, log_identity="log-1", code_version="1")
            assert await rows(pool, "SELECT * FROM gateways") == []
            await save(pool, new)

    asyncio.run(main())


def test_a_claim_waits_for_the_owner_that_is_writing(database_url: str) -> None:
    async def main() -> None:
        async with opened(database_url) as pool:
            old = await claim(pool)
            async with transaction(pool) as connection:
                moved = Checkpoint(old.generation, 9, b"s")
                await checkpoint.save(connection, "detect", SOURCE, moved, log_identity="log-1", code_version="1")
                waiting = asyncio.create_task(claim(pool))
                await asyncio.sleep(0.05)
                assert not waiting.done()
            assert await waiting == Checkpoint(2, 9, b"s")

    asyncio.run(main())


def test_another_log_or_version_stops_the_worker_until_someone_decides(database_url: str) -> None:
    async def main() -> None:
        async with opened(database_url) as pool:
            owner = await claim(pool)
            await save(pool, Checkpoint(owner.generation, 5, b"state"))
            with pytest.raises(SettingsError, match="belongs to log log-1, this log is log-2"):
                await claim(pool, log="log-2")
            with pytest.raises(SettingsError, match="saved by version 1, this program reads 2"):
                await claim(pool, version="2")
            assert (await claim(pool)).generation == 2, "a refused claim leaves no trace"
            async with transaction(pool) as connection:
                await connection.execute("INSERT INTO ledger_positions VALUES ('readings', 3, 5)")
                assert await checkpoint.adopt(connection, "log-2") == 1
                assert await checkpoint.adopt(connection, "log-2") == 0
            assert await claim(pool, log="log-2") == Checkpoint(4, 0, b"state"), "adopted, then claimed"
            assert await rows(pool, "SELECT * FROM ledger_positions") == []

    asyncio.run(main())


def test_without_state_a_new_version_goes_on(database_url: str) -> None:
    async def main() -> None:
        async with opened(database_url) as pool:
            owner = await claim(pool)
            await save(pool, Checkpoint(owner.generation, 5, None))
            assert await claim(pool, version="2") == Checkpoint(2, 5, None)

    asyncio.run(main())


def test_a_group_that_forgets_begins_where_retention_has_left_the_log_and_fences_its_owner(database_url: str) -> None:
    async def main() -> None:
        async with opened(database_url) as pool:
            owner = await claim(pool)
            await save(pool, Checkpoint(owner.generation, 1_000, b"state"))
            async with transaction(pool) as connection:
                assert await checkpoint.forget(connection, "detect") == 1
            with pytest.raises(FencedError):
                await save(pool, Checkpoint(owner.generation, 1_010, b"state"))
            again = await claim(pool, first_offset=600)
            assert (again.next_offset, again.state) == (600, None)
            await save(pool, Checkpoint(again.generation, 700, b"new"))
            assert (await claim(pool, first_offset=650)).next_offset == 700

    asyncio.run(main())


def test_another_log_is_adopted_from_its_first_record_and_who_works_on_the_old_one_is_fenced(database_url: str) -> None:
    async def main() -> None:
        async with opened(database_url) as pool:
            owner = await claim(pool)
            await save(pool, Checkpoint(owner.generation, 1_000, b"state"))
            async with transaction(pool) as connection:
                assert await checkpoint.adopt(connection, "log-2") == 1
                assert await checkpoint.adopt(connection, "log-2") == 0
            with pytest.raises(FencedError):
                await save(pool, Checkpoint(owner.generation, 1_010, b"state"))
            again = await claim(pool, log="log-2", first_offset=40)
            assert (again.next_offset, again.state) == (40, b"state")

    asyncio.run(main())
