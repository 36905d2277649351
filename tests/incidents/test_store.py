import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from city import topics
from city.alarm import AlarmEvent, Scope
from city.asset import AssetKind
from city.clock import HOUR_US, MINUTE_US, ManualClock, from_datetime
from city.errors import ConflictError, DataError, NotFoundError
from city.ticket import Actor, TicketState
from incidents.feed import TicketChange
from incidents.outbox import publish_once
from incidents.stage import DeskStage
from incidents.store import Desk, NewReport
from storage.pool import Pool, open_pool, transaction
from stream import codec
from stream.log import Append, TopicPartition
from stream.logs.postgres import open_postgres_log
from stream.worker import Worker
from tests.incidents.world import (
    CLEARED,
    FAILURE,
    FEEDER,
    FOLDED,
    GATEWAY,
    NOW,
    RAISED,
    SILENT,
    SUPPLY,
    event,
    lamp,
)
from tests.support.small_city import LAMP_LON, run

Rows = Callable[[str], list[tuple[Any, ...]]]
S = TicketState


async def take(pool: Pool, desk: Desk, *events: AlarmEvent) -> None:
    async with transaction(pool) as connection:
        await desk.take_alarms(connection, events)


def test_an_alarm_becomes_one_ticket_with_its_place_and_its_history(city_url: str, rows: Rows) -> None:
    async def main() -> None:
        pool = await open_pool(city_url)
        desk = Desk(ManualClock(NOW))
        await take(pool, desk, event(RAISED, FAILURE, lamp(1)))
        await take(pool, desk, event(RAISED, FAILURE, lamp(1)), event(RAISED, SILENT, lamp(1)))
        await pool.close()

    run(main())
    assert rows("SELECT state, scope_id, severity, district_id, lat, version FROM tickets") == [
        ("new", "L-1", "medium", "centre", 43.5427, 2)
    ]
    assert [r[0] for r in rows("SELECT kind FROM ticket_events ORDER BY event_id")] == ["opened", "alarm_joined"]
    assert rows("SELECT evidence->>'rule' FROM alarms WHERE fault = 'lampFailure'") == [("test-rule",)]


def test_repeats_of_a_whole_history_change_nothing(city_url: str, rows: Rows) -> None:
    outage = event(RAISED, SUPPLY, FEEDER, children=("L-1", "L-2"))
    story = [
        event(RAISED, FAILURE, lamp(1)),
        outage,
        event(FOLDED, FAILURE, lamp(1), NOW + MINUTE_US, parent=outage),
        event(FOLDED, SILENT, lamp(2), NOW + MINUTE_US, parent=outage),
        event(CLEARED, SUPPLY, FEEDER, NOW + HOUR_US, cleared_at=NOW + HOUR_US),
        event(RAISED, FAILURE, lamp(1), NOW + 2 * HOUR_US),
    ]

    async def main() -> None:
        pool = await open_pool(city_url)
        clock = ManualClock(NOW)
        for one in story:
            await take(pool, Desk(clock), one)
            clock.advance(60)
        snapshot = rows("SELECT * FROM tickets ORDER BY 1"), rows("SELECT * FROM ticket_events ORDER BY 1")
        await take(pool, Desk(clock), *story)
        for one in reversed(story):
            await take(pool, Desk(clock), one)
        assert snapshot == (rows("SELECT * FROM tickets ORDER BY 1"), rows("SELECT * FROM ticket_events ORDER BY 1"))
        await pool.close()

    run(main())
    assert rows("SELECT scope_id, state FROM tickets ORDER BY ticket_id") == [
        ("L-1", "merged"),
        ("C-1.F1", "recovered"),
        ("L-1", "new"),
    ]
    kinds = rows("SELECT ticket_id, kind, (detail->>'ticket_id')::int FROM ticket_events WHERE kind LIKE '%split%'")
    assert sorted(kinds) == [(2, "split_off", 3), (3, "split_off", 2)]


def test_a_batch_decides_as_single_events_do(city_url: str, rows: Rows) -> None:
    outage = event(RAISED, SILENT, GATEWAY, children=("L-1", "L-2", "L-3"))
    story = [event(RAISED, SILENT, lamp(n)) for n in (1, 2)]
    story += [outage, *(event(FOLDED, SILENT, lamp(n), NOW + MINUTE_US, parent=outage) for n in (1, 2, 3))]

    async def main() -> None:
        pool = await open_pool(city_url)
        await take(pool, Desk(ManualClock(NOW)), *story)
        await pool.close()

    run(main())
    assert rows("SELECT scope_id, state, merged_into FROM tickets ORDER BY ticket_id") == [
        ("L-1", "merged", 3),
        ("L-2", "merged", 3),
        ("G-1", "new", None),
    ]
    assert rows("SELECT count(*) FROM ticket_alarms WHERE ticket_id = 3") == [(4,)]


def test_concurrent_desks_and_reports_never_open_two_tickets_of_one_incident(city_url: str, rows: Rows) -> None:
    dice = random.Random(7)

    async def main() -> None:
        pool = await open_pool(city_url, size=8)
        desk = Desk(ManualClock(NOW))

        async def alarm(number: int) -> None:
            outage = event(RAISED, SUPPLY, FEEDER, children=("L-1", "L-2", "L-3"))
            story = [
                event(RAISED, dice.choice([FAILURE, SILENT]), lamp(number), NOW + dice.randrange(99)),
                outage,
                event(FOLDED, FAILURE, lamp(number), NOW + 100 + dice.randrange(99), parent=outage),
            ]
            dice.shuffle(story)
            await take(pool, desk, *story[: dice.randrange(1, 4)])

        async def report(number: int) -> None:
            lat = 43.54 + number * 0.0027 + 0.0001
            new = NewReport("lamp-out", asset_id=f"L-{number}", description="dark")
            if dice.random() < 0.5:
                new = NewReport("lamp-out", lat=lat, lon=LAMP_LON)
            await desk.take_report(pool, new)

        work = [f(n) for _ in range(12) for n in (1, 2, 3) for f in (alarm, report)]
        dice.shuffle(work)
        await asyncio.gather(*work)
        await pool.close()

    run(main())
    doubled = rows("""SELECT scope_id, incident_key FROM tickets WHERE state NOT IN ('closed', 'merged', 'rejected')
                       GROUP BY 1, 2 HAVING count(*) > 1""")
    assert doubled == []
    assert rows("SELECT count(*) FROM reports r JOIN tickets t USING (ticket_id) WHERE t.state <> 'merged'") == [(36,)]
    assert rows("SELECT count(*) FROM tickets WHERE state = 'new'")[0][0] <= 4
    assert rows("SELECT count(*) FROM ticket_events") == rows("SELECT count(*) FROM outbox")


def test_two_posts_of_one_report_are_one_report(city_url: str, rows: Rows) -> None:
    async def main() -> None:
        pool = await open_pool(city_url, size=8)
        desk = Desk(ManualClock(NOW))
        new = NewReport("lamp-out", asset_id="L-1", description="dark", email="a@b.example", request_key="k-1")
        receipts = await asyncio.gather(*(desk.take_report(pool, new) for _ in range(8)))
        assert len({(r.report_id, r.ticket_id) for r in receipts}) == 1
        assert sorted(r.repeated for r in receipts) == [False] + [True] * 7
        with pytest.raises(ConflictError, match="another report"):
            await desk.take_report(pool, replace(new, asset_id="L-2"))
        await pool.close()

    run(main())
    assert rows("SELECT count(*) FROM reports") == [(1,)]
    assert rows("SELECT email FROM report_contacts") == [("a@b.example",)]


def test_of_many_crews_one_gets_the_ticket(city_url: str) -> None:
    async def main() -> None:
        pool = await open_pool(city_url, size=8)
        desk = Desk(ManualClock(NOW))
        await take(pool, desk, event(RAISED, FAILURE, lamp(1)))
        moves = (desk.move(pool, 1, S.IN_PROGRESS, 1, Actor.CREW) for _ in range(6))
        results = await asyncio.gather(*moves, return_exceptions=True)
        assert sum(isinstance(r, ConflictError) for r in results) == 5
        with pytest.raises(NotFoundError):
            await desk.move(pool, 99, S.CLOSED, 1, Actor.CREW)
        await pool.close()

    run(main())


def test_a_repair_is_verified_at_the_next_burning_period(city_url: str, rows: Rows) -> None:
    async def main() -> None:
        pool = await open_pool(city_url)
        clock = ManualClock(NOW)
        desk = Desk(clock)
        await take(pool, desk, event(RAISED, SILENT, lamp(1)))
        await desk.move(pool, 1, S.RESOLVED, 1, Actor.CREW, "controller changed")
        verify_after = from_datetime(rows("SELECT verify_after FROM tickets")[0][0])
        assert NOW < verify_after < NOW + 24 * HOUR_US
        await take(pool, desk, event(CLEARED, SILENT, lamp(1), NOW + MINUTE_US, cleared_at=NOW + MINUTE_US))
        assert await desk.verify_due(pool) == 0
        clock.advance((verify_after - NOW) / 1e6 + 7200)
        assert await desk.verify_due(pool) == 1
        await pool.close()

    run(main())
    assert rows("SELECT state FROM tickets") == [("closed",)]
    assert rows("SELECT actor, reason FROM ticket_events ORDER BY event_id DESC LIMIT 1") == [
        ("sensor", "quiet-after-repair")
    ]


def test_reports_of_one_place_join_and_the_lamps_own_alarm_takes_them_over(city_url: str, rows: Rows) -> None:
    async def main() -> None:
        pool = await open_pool(city_url)
        desk = Desk(ManualClock(NOW))
        first = await desk.take_report(pool, NewReport("lamp-out", lat=43.5429, lon=LAMP_LON))
        second = await desk.take_report(pool, NewReport("lamp-out", lat=43.5427, lon=LAMP_LON + 0.0002))
        other = await desk.take_report(pool, NewReport("damaged", lat=43.5427, lon=LAMP_LON))
        far = await desk.take_report(pool, NewReport("lamp-out", lat=43.5529, lon=LAMP_LON))
        assert (first.joined, second.joined, other.joined, far.joined) == (False, True, False, False)
        assert first.ticket_id == second.ticket_id
        await take(pool, desk, event(RAISED, FAILURE, lamp(1)))
        third = await desk.take_report(pool, NewReport("", ticket_id=first.ticket_id))
        assert third.ticket_id == rows("SELECT ticket_id FROM tickets WHERE scope_id = 'L-1'")[0][0]
        await pool.close()

    run(main())
    assert rows("SELECT count(*) FROM reports r JOIN tickets t USING (ticket_id) WHERE scope_id = 'L-1'") == [(3,)]


def test_a_place_below_an_outage_joins_the_outage(city_url: str) -> None:
    async def main() -> None:
        pool = await open_pool(city_url)
        desk = Desk(ManualClock(NOW))
        await take(pool, desk, event(RAISED, SUPPLY, FEEDER))
        receipt = await desk.take_report(pool, NewReport("lamp-out", lat=43.5429, lon=LAMP_LON))
        assert (receipt.ticket_id, receipt.joined) == (1, True)
        await pool.close()

    run(main())


def test_a_place_reported_before_the_outage_was_seen_becomes_part_of_it(city_url: str, rows: Rows) -> None:
    async def main() -> None:
        pool = await open_pool(city_url)
        desk = Desk(ManualClock(NOW))
        dark = await desk.take_report(pool, NewReport("lamp-out", lat=43.5429, lon=LAMP_LON))
        broken = await desk.take_report(pool, NewReport("damaged", lat=43.5429, lon=LAMP_LON))
        await take(pool, desk, event(RAISED, SUPPLY, FEEDER, children=("L-1", "L-2")))
        assert (dark.ticket_id, broken.ticket_id) == (1, 2)
        await pool.close()

    run(main())
    assert rows("SELECT scope_kind, state, merged_into FROM tickets ORDER BY ticket_id") == [
        ("place", "merged", 3),
        ("place", "new", None),
        ("feeder", "new", None),
    ]


def test_a_lamp_that_goes_with_an_outage_and_stays_dark_may_be_told_in_one_batch(city_url: str, rows: Rows) -> None:
    outage = event(RAISED, SUPPLY, FEEDER, children=("L-1",))
    batch = [
        outage,
        event(FOLDED, FAILURE, lamp(1), NOW + MINUTE_US, parent=outage),
        event(CLEARED, SUPPLY, FEEDER, NOW + HOUR_US, cleared_at=NOW + HOUR_US),
        event(RAISED, FAILURE, lamp(1), NOW + 2 * HOUR_US),
    ]

    async def main() -> None:
        pool = await open_pool(city_url)
        desk = Desk(ManualClock(NOW))
        await take(pool, desk, event(RAISED, FAILURE, lamp(1)))
        await take(pool, desk, *batch)
        await pool.close()

    run(main())
    assert rows("SELECT scope_id, state, merged_into FROM tickets ORDER BY ticket_id") == [
        ("L-1", "merged", 2),
        ("C-1.F1", "recovered", None),
        ("L-1", "new", None),
    ]


def test_a_report_that_waits_for_the_desk_sees_what_the_desk_decided(city_url: str, rows: Rows) -> None:
    async def main() -> None:
        pool = await open_pool(city_url)
        desk = Desk(ManualClock(NOW))
        async with transaction(pool) as connection:
            await desk.take_alarms(connection, [event(RAISED, FAILURE, lamp(1))])
            report = asyncio.create_task(desk.take_report(pool, NewReport("lamp-out", lat=43.5429, lon=LAMP_LON)))
            while not rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        receipt = await report
        assert receipt.joined
        await pool.close()

    run(main())
    assert rows("SELECT scope_id FROM tickets") == [("L-1",)]


def test_repairs_that_cannot_be_confirmed_keep_no_other_from_it(city_url: str, rows: Rows) -> None:
    rows(
        "INSERT INTO tickets (state, category, scope_kind, scope_id, root_id, incident_key, severity, opened_at,"
        " updated_at, verify_after) SELECT 'resolved', 'lamp-out', 'place', 'p-' || n, 'cell', 'dark', 'low',"
        " to_timestamp(0), to_timestamp(0), to_timestamp(n) FROM generate_series(1, 250) n RETURNING 1"
    )
    rows(
        "INSERT INTO alarms (alarm_id, fault, severity, scope_kind, scope_id, root_id, raised_at, evidence)"
        " SELECT 'a-' || n, 'lampFailure', 'low', 'lamp', 'x-' || n, 'cell', to_timestamp(0), '{}'"
        " FROM generate_series(1, 220) n RETURNING 1"
    )
    rows("INSERT INTO alarm_events SELECT alarm_id || ':e', alarm_id, 'raised', raised_at FROM alarms RETURNING 1")
    rows("INSERT INTO ticket_alarms SELECT n, 'a-' || n FROM generate_series(1, 220) n RETURNING 1")

    async def main() -> None:
        pool = await open_pool(city_url)
        desk = Desk(ManualClock(NOW))
        for _ in range(3):
            await desk.verify_due(pool)
        await pool.close()

    run(main())
    assert rows("SELECT state, count(*) FROM tickets GROUP BY 1 ORDER BY 1") == [("closed", 30), ("new", 220)]


def test_a_request_key_belongs_to_one_place_or_one_answer(city_url: str, rows: Rows) -> None:
    async def main() -> None:
        pool = await open_pool(city_url)
        desk = Desk(ManualClock(NOW))
        first = NewReport("lamp-out", place="by the market", request_key="key-of-the-place")
        opened = await desk.take_report(pool, first)
        again = await desk.take_report(pool, first)
        assert (again.report_id, again.joined, again.repeated) == (opened.report_id, False, True)
        with pytest.raises(ConflictError, match="another report"):
            await desk.take_report(pool, replace(first, place="by the school"))
        other = await desk.take_report(pool, NewReport("lamp-out", "L-5"))
        answer = NewReport("", ticket_id=opened.ticket_id, request_key="key-of-the-answer")
        told = await desk.take_report(pool, answer)
        assert (await desk.take_report(pool, answer)).report_id == told.report_id
        for wrong in (
            replace(answer, ticket_id=other.ticket_id),
            replace(answer, request_key="key-of-the-place"),
        ):
            with pytest.raises(ConflictError, match="another report"):
                await desk.take_report(pool, wrong)
        await pool.close()

    run(main())
    assert rows("SELECT count(*) FROM reports") == [(3,)]


def test_reports_about_nothing_are_refused(city_url: str, rows: Rows) -> None:
    async def main() -> None:
        pool = await open_pool(city_url)
        desk = Desk(ManualClock(NOW))
        with pytest.raises(DataError, match="say where"):
            await desk.take_report(pool, NewReport("lamp-out"))
        with pytest.raises(DataError, match="choose one of"):
            await desk.take_report(pool, NewReport("nonsense", asset_id="L-1"))
        with pytest.raises(NotFoundError, match="L-99"):
            await desk.take_report(pool, NewReport("lamp-out", asset_id="L-99"))
        with pytest.raises(NotFoundError, match="no ticket 7"):
            await desk.take_report(pool, NewReport("lamp-out", ticket_id=7))
        await pool.close()

    run(main())
    assert rows("SELECT count(*) FROM tickets") == [(0,)]


def test_alarms_on_the_log_become_tickets_and_tickets_a_feed(city_url: str, rows: Rows) -> None:
    async def main() -> None:
        pool = await open_pool(city_url)
        log = await open_postgres_log(city_url)
        await log.create_topics(topics.PARTITIONS)
        events = [event(RAISED, FAILURE, lamp(n)) for n in (1, 2, 3)]
        await log.append([Append(topics.ALARMS, 0, codec.ALARM, codec.encode(e), e.at) for e in events])
        stop = asyncio.Event()
        worker = Worker(DeskStage(Desk(ManualClock(NOW))), log, pool)
        task = asyncio.create_task(worker.run(stop))
        while rows("SELECT count(*) FROM tickets")[0][0] != 3:  # noqa: ASYNC110, the worker tells nobody
            await asyncio.sleep(0.02)
        stop.set()
        await task
        assert await publish_once(pool, log) == 3
        assert await publish_once(pool, log) == 0
        feed = [r for p in range(2) for r in await log.read(TopicPartition(topics.TICKETS, p), 0)]
        changes = [codec.decode(TicketChange, record.value) for record in feed]
        assert [(c.kind, c.scope_id, c.state) for c in changes] == [("opened", f"L-{n}", "new") for n in (1, 2, 3)]
        await log.close()
        await pool.close()

    run(main())


def test_a_crews_words_stay_out_of_the_feed(city_url: str, rows: Rows) -> None:
    async def main() -> None:
        pool = await open_pool(city_url)
        desk = Desk(ManualClock(NOW))
        await desk.take_report(
            pool, NewReport("other", place="by the church", description="ask María on the 3rd floor")
        )
        await desk.move(pool, 1, S.RESOLVED, 1, Actor.CREW, "María let me in")
        await pool.close()

    run(main())
    assert not [r for r in rows("SELECT value FROM outbox") if b"Mar" in bytes(r[0]) or b"church" in bytes(r[0])]
    assert rows("SELECT reason FROM ticket_events WHERE actor = 'crew'") == [("María let me in",)]


def test_what_one_device_of_a_facility_shows_is_loaded_again_as_that_devices(city_url: str, rows: Rows) -> None:
    first, second = (
        Scope(AssetKind.FACILITY, "EQ-1", "EQ-1", "EQ-1", "", "GW-2", device_id=name) for name in ("D-1", "D-2")
    )
    gateway = event(RAISED, SILENT, replace(GATEWAY, asset_id="GW-2", root_id="GW-2", gateway_id="GW-2"))

    async def main() -> None:
        pool = await open_pool(city_url)
        desk = Desk(ManualClock(NOW))
        await take(pool, desk, event(RAISED, SILENT, first), event(RAISED, SILENT, second))
        await take(pool, desk, gateway, event(FOLDED, SILENT, second, NOW + MINUTE_US, parent=gateway))
        await take(pool, desk, event(CLEARED, SILENT, first, NOW + HOUR_US, cleared_at=NOW + HOUR_US))
        await pool.close()

    run(main())
    assert rows("SELECT scope_id, incident_key, state FROM tickets ORDER BY incident_key") == [
        ("GW-2", "silent", "new"),
        ("EQ-1", "silent|D-1", "recovered"),
        ("EQ-1", "silent|D-2", "merged"),
    ]
    assert rows("SELECT device_id FROM alarms WHERE scope_kind = 'facility' ORDER BY 1") == [("D-1",), ("D-2",)]
