"""Figures read back: tickets by time and district, and what stands where nothing can be told."""

from collections.abc import Sequence
from datetime import UTC, datetime

import psycopg
import pytest

from observatory.figures import FIGURES, Why
from observatory.periods import Step, period
from observatory.read import FigureRead, Wanted, latest, read_figures
from storage.pool import open_pool
from tests.support.small_city import STORED_UNTIL, city_url, run

__all__ = ["city_url"]

NOW = datetime(2026, 11, 23, 22, 20, tzinfo=UTC)
TICKETS = """
INSERT INTO ledger (gateway_id, hour) VALUES ('G-1', '2026-11-21T08:00Z');
INSERT INTO tickets (state, category, scope_kind, scope_id, root_id, incident_key, severity, district_id, opened_at,
                     updated_at, closed_at) VALUES
    ('closed', 'lamp-out', 'lamp', 'L-1', 'C-1', 'lamp', 'medium', 'centre',
     '2026-11-21T10:00Z', now(), '2026-11-22T12:00Z'),
    ('closed', 'lamp-out', 'lamp', 'L-2', 'C-1', 'lamp', 'medium', 'centre',
     '2026-11-22T10:00Z', now(), '2026-11-22T20:00Z'),
    ('new', 'damaged', 'place', 'P-1', 'P-1', 'damaged', 'medium', NULL, '2026-11-23T10:00Z', now(), NULL),
    ('new', 'supply-loss', 'feeder', 'C-1.F1', 'C-1', 'dark', 'high', 'centre', '2026-11-23T11:00Z', now(), NULL),
    ('merged', 'lamp-out', 'lamp', 'L-3', 'C-1', 'lamp', 'medium', 'centre',
     '2026-11-23T11:00Z', now(), '2026-11-23T11:10Z'),
    ('rejected', 'damaged', 'place', 'P-2', 'P-2', 'damaged', 'medium', 'east',
     '2026-11-23T11:00Z', now(), '2026-11-23T12:00Z');
INSERT INTO ticket_events (ticket_id, kind, actor, at, to_state) VALUES
    (1, 'opened', 'sensor', '2026-11-21T10:00Z', 'new'), (1, 'moved', 'crew', '2026-11-22T10:00Z', 'resolved'),
    (2, 'opened', 'citizen', '2026-11-22T10:00Z', 'new'), (3, 'opened', 'citizen', '2026-11-23T10:00Z', 'new'),
    (4, 'opened', 'sensor', '2026-11-23T11:00Z', 'new');
"""


@pytest.fixture
def tickets_url(city_url: str) -> str:
    with psycopg.connect(city_url, autocommit=True) as connection:
        connection.execute(TICKETS)
    return city_url


def read(
    url: str,
    name: str,
    *,
    district: str | None = None,
    hidden: Sequence[str] = (),
    since: datetime | None = datetime(2026, 11, 20, 12, tzinfo=UTC),
) -> FigureRead:
    found: dict[str, FigureRead] = {}

    async def main() -> None:
        async with await open_pool(url) as pool:
            days = period(since, None, Step.DAY, "Europe/Madrid", NOW)
            found.update(await read_figures(pool, Wanted([FIGURES[name]], days, NOW, hidden, district)))

    run(main())
    return found[name]


def values(found: FigureRead) -> list[float | None]:
    return [point.value.value for point in found.points]


def test_before_the_city_was_connected_no_ticket_is_no_news(tickets_url: str) -> None:
    opened = read(tickets_url, "tickets-opened")
    assert values(opened) == [None, 1, 1, 2]
    assert opened.points[0].value.why is Why.NOT_RUNNING


def test_what_stands_open_adds_up_day_by_day_to_what_stands_now(tickets_url: str) -> None:
    standing = read(tickets_url, "tickets-open")
    assert values(standing) == [None, 1, 0, 2]
    assert standing.total.value == 2
    assert {place: value.value for place, value in standing.districts.items()} == {"centre": 1, "east": 0, "": 1}


def test_merged_and_rejected_tickets_count_nowhere(tickets_url: str) -> None:
    assert read(tickets_url, "tickets-opened", district="east").total.value == 0
    assert read(tickets_url, "tickets-solved").total.value == 2


def test_a_repair_took_until_the_crew_said_so_else_until_the_ticket_was_closed(tickets_url: str) -> None:
    repair = read(tickets_url, "repair-time")
    assert repair.total.value == pytest.approx((24 + 10) / 2)
    assert repair.total.whole == 2
    assert values(repair) == [None, None, 17, None]
    assert repair.districts["east"].why is Why.NO_TICKETS


def test_the_share_found_by_sensors_is_of_the_tickets_opened(tickets_url: str) -> None:
    assert values(read(tickets_url, "found-by-sensors")) == [None, 100, 0, 50]


def test_tickets_that_the_asker_may_not_see_are_not_counted(tickets_url: str) -> None:
    assert read(tickets_url, "tickets-open", hidden=["feeder"]).total.value == 1


def test_telemetry_that_nobody_sent_is_missing_not_zero(tickets_url: str) -> None:
    with psycopg.connect(tickets_url, autocommit=True) as connection:
        connection.execute(STORED_UNTIL, {"partition": 0, "at": NOW})
    lit = read(tickets_url, "lamps-lit")
    assert lit.total.why is Why.NOTHING_MEASURED
    assert latest(lit) is None


def test_what_the_store_has_not_come_to_is_not_yet_counted(tickets_url: str) -> None:
    assert read(tickets_url, "lamps-lit").total.why is Why.NOT_COUNTED
    with psycopg.connect(tickets_url, autocommit=True) as connection:
        connection.execute(STORED_UNTIL, {"partition": 0, "at": NOW})
        connection.execute(STORED_UNTIL, {"partition": 1, "at": datetime(2026, 11, 22, 9, tzinfo=UTC)})
        connection.execute(
            "INSERT INTO rollups_refreshed (hour) SELECT generate_series('2026-11-20T23:00Z', "
            "'2026-11-21T22:00Z', interval '1 hour')"
        )
    why = {point.since.day: point.value.why for point in read(tickets_url, "lamps-lit").points}
    assert why[20] is Why.NOT_COUNTED, "all its hours wait to be counted"
    assert why[21] is Why.NOTHING_MEASURED
    assert why[22] is Why.NOT_COUNTED, "one partition has not got so far"


def test_a_city_without_anything_has_no_figure_and_says_so(city_url: str) -> None:
    for name in FIGURES:
        found = read(city_url, name)
        assert found.total.value is None
        assert found.total.why is Why.NOT_RUNNING
        assert {value.why for value in found.districts.values()} == {Why.NOT_RUNNING}
