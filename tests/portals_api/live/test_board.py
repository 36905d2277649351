import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from city import topics
from city.clock import ManualClock
from incidents.outbox import publish_once
from incidents.store import Desk
from portals_api.live.board import Board, BoardOptions, TooManyListenersError
from portals_api.live.hub import Listener
from portals_api.visibility import Viewer
from storage.pool import Pool, open_pool, transaction
from stream.log import EventLog
from stream.logs.postgres import open_postgres_log
from tests.incidents.world import FAILURE, RAISED, event, lamp
from tests.support.small_city import NOW, add_data, city_url, run

__all__ = ["city_url"]

ALL = Viewer(staff=True, simulated=True)
PROMPT = BoardOptions(every_s=0.01, fresh_s=0.0)


@pytest.fixture
def url(city_url: str) -> str:
    add_data(city_url)
    return city_url


@asynccontextmanager
async def opened(url: str, options: BoardOptions = PROMPT) -> AsyncIterator[tuple[Board, Pool, EventLog]]:
    pool = await open_pool(url)
    log = await open_postgres_log(url)
    await log.create_topics(topics.PARTITIONS)
    yield Board(pool, log, ManualClock(NOW), options), pool, log
    await log.close()
    await pool.close()


async def next_change(listener: Listener) -> Any:
    frame = await asyncio.wait_for(listener.frames.get(), 30)
    assert frame is not None
    return json.loads(frame.decode().split("data: ")[1])


async def fail(pool: Pool, log: EventLog, number: int) -> None:
    async with transaction(pool) as connection:
        await Desk(ManualClock(NOW)).take_alarms(connection, [event(RAISED, FAILURE, lamp(number))])
    await publish_once(pool, log)


async def retire(pool: Pool, lamp_id: str) -> None:
    async with transaction(pool) as connection:
        await connection.execute("UPDATE assets SET retired = true WHERE asset_id = %s", (lamp_id,))
        await connection.execute("UPDATE installation SET registry_version = registry_version + 1")


def test_every_listener_hears_of_a_fault_by_itself_and_once(url: str) -> None:
    async def main() -> None:
        async with opened(url) as (board, pool, log):
            after = (await board.view(ALL)).hub.last_id
            async with board.listening(ALL, after) as one, board.listening(ALL, after) as other:
                await fail(pool, log, 3)
                for listener in (one, other):
                    change = await next_change(listener)
                    at = change["lamps"][0]
                    assert board.inventory is not None
                    assert (await board.inventory()).lamps.ids[at] == "L-3"
                    assert change["states"] == "4"
                    assert [t["scope"]["id"] for t in change["tickets"]] == ["L-3"]
                    assert listener.frames.empty()

    run(main())


def test_what_was_read_and_what_is_streamed_leave_no_gap(url: str) -> None:
    async def main() -> None:
        async with opened(url) as (board, pool, log):
            seen = (await board.view(ALL)).hub.last_id
            await fail(pool, log, 3)
            await board.view(ALL)  # somebody else looks meanwhile
            async with board.listening(ALL, seen) as listener:
                assert (await next_change(listener))["states"] == "4"

    run(main())


def test_a_new_inventory_makes_everybody_reload(url: str) -> None:
    async def main() -> None:
        prompt = BoardOptions(every_s=0.01, fresh_s=0.0, slow_every_s=0.0)
        async with opened(url, prompt) as (board, pool, _), board.listening(ALL, None) as listener:
            await retire(pool, "L-12")
            frame = await asyncio.wait_for(listener.frames.get(), 30)
            assert frame is not None
            assert b"event: reload" in frame
            assert len((await board.inventory()).lamps) == 11

    run(main())


def test_no_more_listeners_than_may_be_and_none_after_closing(url: str) -> None:
    async def main() -> None:
        async with opened(url, BoardOptions(listeners_max=1)) as (board, _, _):
            async with board.listening(ALL, None) as listener:
                with pytest.raises(TooManyListenersError):
                    async with board.listening(ALL, None):
                        pass
                board.close()
                assert await listener.frames.get() is None
            with pytest.raises(TooManyListenersError):
                async with board.listening(ALL, None):
                    pass

    run(main())


def test_the_board_moves_only_while_somebody_listens(url: str) -> None:
    async def main() -> None:
        async with opened(url) as (board, _, _):
            assert board.running is False
            async with board.listening(ALL, None):
                assert board.running is True
            assert board.running is False

    run(main())
