"""Dead letters: found by what is known of them, marked and taken back, told of, forgotten when they came back."""

import asyncio
import base64

import pytest

from city.clock import DAY_US, HOUR_US, MINUTE_US, hour_of, to_datetime
from city.errors import NotFoundError
from city.topics import DEAD_LETTERS
from storage.pool import Pool, transaction
from stream import codec, letters
from stream.codec import DeadLetter, GatewayCount, RecordMeta
from stream.letters import LetterEvent, LetterQuery, LetterState, inspect_letter, list_letters, mark
from stream.log import Append
from stream.redelivery import LetterResult, Outcome, Resolution, replay
from stream.retention import forget_letters
from tests.stream.harness import NOON, opened, rows
from tests.stream.test_deadletter import World, build, rows_of


def sent(
    minute: int, payload: bytes, *, gateway: str = "G-1", reason: str = "unknown-device", units: int = 1
) -> Append:
    at = NOON + minute * MINUTE_US
    body = base64.b64encode(payload).decode()
    topic = f"citynerve/v1/{gateway}/readings"
    only = tuple((n, "a") for n in range(units)) if units > 1 else ()
    letter = DeadLetter(reason, "claim it", topic, body, gateway, at, units, only)
    meta = RecordMeta((GatewayCount(gateway, hour_of(at), units),))
    return Append(DEAD_LETTERS, 0, codec.DEAD_LETTER, codec.encode(letter), at, codec.encode(meta))


async def found(pool: Pool, query: LetterQuery, **how: int) -> list[int]:
    """Return the minutes of the letters that fit, page by page."""
    minutes = []
    while True:
        async with pool.connection() as connection:
            page = await list_letters(connection, query, **how)
        assert len(page.items) <= query.limit
        minutes += [(one.received_at - NOON) // MINUTE_US for one in page.items]
        if page.next is None:
            return minutes
        query = LetterQuery(**{name: getattr(query, name) for name in LetterQuery.__slots__} | {"after": page.next})


def test_letters_are_found_by_reason_gateway_topic_text_and_time(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            world = await build(pool)
            await world.log.append(
                [
                    sent(0, b'{"device": "L-007", "note": "50%_\\\\"}'),
                    sent(1, b'{"device": "L-0070"}', gateway="G-2"),
                    sent(2, b"\xff\x00\x01l-007\xff", reason="not-json"),
                    sent(3, '{"device": "Ñ-1"}'.encode(), gateway="G-22"),
                    sent(4, b" " * letters.SEARCHED_BYTES + b"L-007"),
                ]
            )
            await world.settle()
            for limit in (1, 2, 100):
                assert await found(pool, LetterQuery(limit=limit)) == [4, 3, 2, 1, 0]
                assert await found(pool, LetterQuery(reason="not-json", limit=limit)) == [2]
                assert await found(pool, LetterQuery(gateway_id="G-2", limit=limit)) == [1]
                assert await found(pool, LetterQuery(topic="g-2", limit=limit)) == [3, 1]
                assert await found(pool, LetterQuery(text="L-007", limit=limit)) == [2, 1, 0], "beyond 16 KB none looks"
                assert await found(pool, LetterQuery(text="l-007", gateway_id="G-2", limit=limit)) == [1]
                assert await found(pool, LetterQuery(text="50%_\\\\", limit=limit)) == [0]
                assert await found(pool, LetterQuery(text="Ñ-1", limit=limit)) == [3]
                assert await found(pool, LetterQuery(text="5_%", limit=limit)) == []
                between = LetterQuery(since=NOON + MINUTE_US, until=NOON + 3 * MINUTE_US, limit=limit)
                assert await found(pool, between) == [2, 1]

    asyncio.run(main())


def test_a_search_for_text_says_how_far_it_came_and_goes_on_there(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            world = await build(pool)
            await world.log.append([sent(n, b"needle" if n in (3, 11) else b"hay") for n in range(20)])
            await world.settle()
            async with pool.connection() as connection:
                first = await list_letters(connection, LetterQuery(text="needle", limit=5), looked_at_max=4)
            assert (first.items, first.next is None) == ([], False)
            for most in (1, 3, 4, 19, 20, 21):
                assert await found(pool, LetterQuery(text="NEEDLE", limit=5), looked_at_max=most) == [11, 3]
                assert await found(pool, LetterQuery(text="needle", limit=1), looked_at_max=most) == [11, 3]

    asyncio.run(main())


def test_what_nobody_wants_leaves_the_list_stays_in_the_ledger_and_comes_back(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            world = await build(pool)
            await world.log.append([sent(0, b"a"), sent(1, b"b"), sent(2, b"c")])
            before = await world.settle()
            newest, *_, oldest = await world.open_ids()
            told = {"actor": "operator", "at_us": NOON + HOUR_US}
            async with transaction(pool) as connection:
                chosen = [newest, oldest, "no such letter"]
                moved = await mark(connection, chosen, unwanted=True, reason="a test\x00", **told)  # type: ignore[arg-type]
                assert sorted(moved) == sorted([newest, oldest])
                assert await mark(connection, moved, unwanted=True, reason="again", **told) == []  # type: ignore[arg-type]
            assert await found(pool, LetterQuery()) == [1]
            assert await found(pool, LetterQuery(state=LetterState.NOT_WANTED)) == [2, 0]
            assert await world.balance() == before, "set aside, and not lost"
            # A replay passes it over, and says so.
            report = await replay(pool, world.log, [newest], lambda _: Resolution({0: rows_of(1)}), at_us=NOON)
            assert report.results == [LetterResult(newest, Outcome.NOT_WANTED)]
            assert report.letters == 0
            async with transaction(pool) as connection:
                assert await mark(connection, [newest], unwanted=False, reason="", **told) == [newest]  # type: ignore[arg-type]
            assert await found(pool, LetterQuery()) == [2, 1]
            async with pool.connection() as connection:
                history = (await inspect_letter(connection, newest)).history
            at = NOON + HOUR_US
            assert history == [
                LetterEvent("not-wanted", at, "operator", 0, "a test\ufffd", ""),
                LetterEvent("wanted-again", at, "operator", 0, "", ""),
            ]

    asyncio.run(main())


def test_a_replay_tells_of_each_letter_and_writes_its_history_without_saying_the_same_twice(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            world = await build(pool)
            await world.log.append([sent(0, b"good"), sent(1, b"half", units=2), sent(2, b"bad")])
            await world.settle()

            def resolve(letter: DeadLetter) -> Resolution:
                match base64.b64decode(letter.payload):
                    case b"good":
                        return Resolution({0: rows_of(1)})
                    case b"half":
                        return Resolution({1: rows_of(2)}, ((1, "a"),), "unknown-metric", "add it")
                return Resolution({}, (), "not-json", "mend the sender")

            bad, half, good = await world.open_ids()
            ids = [good, half, bad, good, "none"]
            report = await replay(pool, world.log, ids, resolve, at_us=NOON + HOUR_US, actor="operator")
            assert report.results == [
                LetterResult(good, Outcome.SENT_BACK, 1),
                LetterResult(half, Outcome.PARTLY, 1, "unknown-metric", "add it"),
                LetterResult(bad, Outcome.STAYS, 0, "not-json", "mend the sender"),
                LetterResult("none", Outcome.UNKNOWN),
            ]
            assert (report.letters, report.readings, report.still_bad) == (3, 2, 2)
            again = await replay(pool, world.log, [good, bad, bad], resolve, at_us=NOON + 2 * HOUR_US)
            assert [one.outcome for one in again.results] == [Outcome.DONE, Outcome.STAYS]
            async with pool.connection() as connection:
                seen = await inspect_letter(connection, bad)
                came = await inspect_letter(connection, good)
            assert (seen.summary.tries, seen.summary.replayed_at) == (2, NOON + 2 * HOUR_US)
            told = LetterEvent("stays", NOON + HOUR_US, "operator", 0, "not-json", "mend the sender")
            assert seen.history == [told], "the same again is counted, not told"
            assert came.history == [LetterEvent("sent-back", NOON + HOUR_US, "operator", 1, "", "")]
            assert came.summary.state is LetterState.DONE

    asyncio.run(main())


async def _three(pool: Pool) -> World:
    world = await build(pool)
    await world.log.append([sent(n, b"x") for n in range(3)])
    await world.settle()
    return world


def test_letters_that_came_back_are_forgotten_after_their_time_and_no_other(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool:
            world = await _three(pool)
            waits, unwanted, back = await world.open_ids()
            async with transaction(pool) as connection:
                await mark(connection, [unwanted], unwanted=True, actor="operator", reason="x", at_us=NOON)
            await replay(pool, world.log, [back], lambda _: Resolution({0: rows_of(1)}), at_us=NOON)
            assert await forget_letters(pool, NOON + 400 * DAY_US, DAY_US) == 0, "sent back and not stored yet"
            balance = await world.settle()
            assert await forget_letters(pool, NOON + DAY_US, DAY_US) == 0
            assert await forget_letters(pool, NOON + DAY_US + 1, DAY_US) == 1
            assert await world.balance() == balance
            async with pool.connection() as connection:
                with pytest.raises(NotFoundError):
                    await inspect_letter(connection, back)
                for kept in (waits, unwanted):
                    await inspect_letter(connection, kept)
            assert await rows(pool, "SELECT letter_id FROM dead_letter_replays") == []
            assert await rows(pool, "SELECT DISTINCT letter_id FROM dead_letter_events") == [(unwanted,)]

    asyncio.run(main())


def test_lists_and_counts_go_by_an_index_however_many_letters_there_are(store_url: str) -> None:
    async def main() -> None:
        async with opened(store_url) as pool, pool.connection() as connection:
            await connection.execute(
                "INSERT INTO dead_letters (letter_id, reason, detail, topic, payload, gateway_id, received_at, hour,"
                " units) SELECT 'l-' || n, 'r-' || mod(n, 7), 'd', 't', 'x', 'G-' || mod(n, 50),"
                " %(at)s + n * interval '1 s', %(at)s, 1 FROM generate_series(1, 20000) AS n",
                {"at": to_datetime(NOON)},
            )
            await connection.execute("ANALYZE dead_letters")
            for query in (
                LetterQuery(),
                LetterQuery(reason="r-3"),
                LetterQuery(gateway_id="G-7"),
                LetterQuery(after=letters.Key(NOON + 500 * 1_000_000, "l-500")),
            ):
                wanted = {**letters._parameters(query), "end_at": None, "end_id": None, "limit": 50}
                cursor = await connection.execute("EXPLAIN " + letters._SQL.list, wanted, prepare=False)  # type: ignore[call-overload]
                plan = "\n".join(line for (line,) in await cursor.fetchall())
                assert "Index Scan Backward using dead_letters_by_" in plan, plan
                assert "Sort" not in plan, plan

    asyncio.run(main())
