from collections.abc import Callable
from typing import Any

import pytest

from city.alarm import FaultClass
from city.clock import MINUTE_US, ManualClock
from city.errors import ConflictError, DataError, NotFoundError
from city.ticket import Actor, TicketState
from city.verdict import Finding, Verdict
from incidents.feed import TicketChange
from incidents.store import Desk, NewReport
from storage.pool import Pool, open_pool
from stream import codec
from tests.incidents.test_store import take
from tests.incidents.world import FAILURE, FEEDER, FOLDED, NOW, RAISED, SILENT, SUPPLY, event, lamp
from tests.support.small_city import run

Rows = Callable[[str], list[tuple[Any, ...]]]
TRUE, FALSE, OTHER = Finding.TRUE, Finding.FALSE, Finding.OTHER


def with_desk(city_url: str, story: Callable[[Pool, Desk, ManualClock], Any]) -> None:
    async def main() -> None:
        pool = await open_pool(city_url)
        clock = ManualClock(NOW)
        await story(pool, Desk(clock), clock)
        await pool.close()

    run(main())


def test_a_verdict_reaches_each_alarm_that_none_explains_and_the_latest_counts(city_url: str, rows: Rows) -> None:
    outage = event(RAISED, SUPPLY, FEEDER, children=("L-2",))

    async def story(pool: Pool, desk: Desk, clock: ManualClock) -> None:
        await take(pool, desk, event(RAISED, FAILURE, lamp(1)), event(RAISED, SILENT, lamp(1)))
        await take(pool, desk, outage, event(FOLDED, SILENT, lamp(2), NOW + MINUTE_US, parent=outage))
        await desk.judge(pool, 1, Verdict(FALSE), Actor.CREW)
        clock.advance(60)
        await desk.judge(pool, 1, Verdict(TRUE, FaultClass.LAMP_FAILURE), Actor.OPERATOR)
        await desk.judge(pool, 2, Verdict(OTHER, words="obras en la acera"), Actor.CREW)

    with_desk(city_url, story)
    judged = """SELECT a.scope_id, a.fault, s.finding, s.fault, s.words, s.actor
                  FROM standing_verdicts s JOIN alarms a USING (alarm_id) ORDER BY 1, 2"""
    assert rows(judged) == [
        ("C-1.F1", "supplyLoss", "other", "", "obras en la acera", "crew"),
        ("L-1", "communicationFailure", "other", "lampFailure", "", "operator"),
        ("L-1", "lampFailure", "true", "lampFailure", "", "operator"),
    ]
    assert rows("SELECT finding FROM verdicts WHERE ticket_id = 1 ORDER BY verdict_id") == [("false",), ("true",)]
    told = rows("SELECT actor, reason, detail->>'finding' FROM ticket_events WHERE kind = 'verdict' ORDER BY event_id")
    assert told == [("crew", "", "false"), ("operator", "", "true"), ("crew", "", "other")]


def test_a_verdict_decides_nothing_of_its_ticket(city_url: str, rows: Rows) -> None:
    before: list[Any] = []

    async def story(pool: Pool, desk: Desk, clock: ManualClock) -> None:
        await take(pool, desk, event(RAISED, FAILURE, lamp(1)))
        before.extend(rows("SELECT * FROM tickets"))
        clock.advance(3600)
        await desk.judge(pool, 1, Verdict(FALSE), Actor.CREW)

    with_desk(city_url, story)
    assert rows("SELECT * FROM tickets") == before
    assert rows("SELECT cleared_at, parent_id FROM alarms") == [(None, None)]


def test_a_verdict_is_on_the_feed_and_its_words_are_not(city_url: str, rows: Rows) -> None:
    async def story(pool: Pool, desk: Desk, clock: ManualClock) -> None:
        await take(pool, desk, event(RAISED, FAILURE, lamp(1)))
        await desk.judge(pool, 1, Verdict(OTHER, FaultClass.SUPPLY_LOSS, "María, 3.º"), Actor.CREW)

    with_desk(city_url, story)
    records = [bytes(r[0]) for r in rows("SELECT value FROM outbox ORDER BY outbox_id")]
    last = codec.decode(TicketChange, records[-1])
    assert (last.kind, last.finding, last.found, last.version) == ("verdict", "other", "supplyLoss", 1)
    assert not [record for record in records if b"Mar" in record]


def test_a_repair_and_what_was_found_are_said_at_once_or_not_at_all(city_url: str, rows: Rows) -> None:
    async def story(pool: Pool, desk: Desk, clock: ManualClock) -> None:
        await take(pool, desk, event(RAISED, FAILURE, lamp(1)))
        with pytest.raises(DataError, match="no alarm named supplyLoss"):
            await desk.move(pool, 1, TicketState.RESOLVED, 1, Actor.CREW, verdict=Verdict(TRUE, FaultClass.SUPPLY_LOSS))
        assert rows("SELECT state FROM tickets") == [("new",)]
        await desk.move(pool, 1, TicketState.RESOLVED, 1, Actor.CREW, "lámpara cambiada", verdict=Verdict(TRUE))

    with_desk(city_url, story)
    kinds = rows("SELECT kind, reason FROM ticket_events ORDER BY event_id")
    assert kinds == [("opened", "alarm-raised"), ("moved", "lámpara cambiada"), ("verdict", "")]


def test_what_no_sensor_spoke_of_and_what_went_elsewhere_cannot_be_judged(city_url: str, rows: Rows) -> None:
    outage = event(RAISED, SUPPLY, FEEDER, children=("L-1",))

    async def story(pool: Pool, desk: Desk, clock: ManualClock) -> None:
        await take(pool, desk, event(RAISED, SILENT, lamp(1)))
        await take(pool, desk, outage, event(FOLDED, SILENT, lamp(1), NOW + MINUTE_US, parent=outage))
        reported = await desk.take_report(pool, NewReport("other", place="junto a la iglesia"))
        assert rows("SELECT merged_into FROM tickets WHERE ticket_id = 1") == [(2,)]
        with pytest.raises(ConflictError, match="part of ticket 2"):
            await desk.judge(pool, 1, Verdict(FALSE), Actor.CREW)
        with pytest.raises(ConflictError, match="no alarm to judge"):
            await desk.judge(pool, reported.ticket_id, Verdict(FALSE), Actor.CREW)
        await desk.judge(pool, 2, Verdict(FALSE), Actor.CREW)
        with pytest.raises(NotFoundError, match="no ticket 99"):
            await desk.judge(pool, 99, Verdict(FALSE), Actor.CREW)

    with_desk(city_url, story)
    assert rows("SELECT a.fault, s.finding FROM standing_verdicts s JOIN alarms a USING (alarm_id)") == [
        ("supplyLoss", "false")
    ]
