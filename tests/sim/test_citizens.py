"""Simulated citizens: their reports join what sensors have seen, and are few."""

from dataclasses import replace

from city.alarm import FaultClass
from city.clock import DAY_US, HOUR_US
from city.profile import parse_pack
from sim.citizens import Citizens
from sim.city import generate_city
from sim.diary import Diary
from sim.faults import PlantedFault
from sim.repairs import Repairs
from tests.incidents.world import FAILURE, RAISED, event, lamp
from tests.sim.portals import Served, city_url, served
from tests.support.small_city import NOW

__all__ = ["city_url", "served"]

_CITY = parse_pack(generate_city(11, lamps=60, facilities=2))
PACK = replace(_CITY, lamps=(replace(_CITY.lamps[0], lamp_id="L-1"), *_CITY.lamps[1:]))
DARK = PlantedFault(NOW - 3 * HOUR_US, "L-1", FaultClass.LAMP_FAILURE)


def test_a_dark_lamp_is_reported_now_and_then_and_joins_the_sensors_ticket(served: Served) -> None:
    served.alarm(event(RAISED, FAILURE, lamp(1), NOW))
    people = Citizens(PACK, served.portal, Repairs([DARK]), Diary(), 1)
    for _ in range(6 * 12):
        people.look(served.now_us)
        served.clock.advance(300)
    (ticket,) = [t for t in served.portal.open_tickets(10) if t["scope"]["id"] == "L-1"]
    assert 0 < ticket["reports"] <= 6
    assert len(served.portal.open_tickets(10)) == 1
    told = served.portal.ticket(ticket["id"])["report_list"]
    assert all("simulada" in report["description"] for report in told)


def test_a_report_that_is_sent_again_is_the_same_report(served: Served) -> None:
    for _ in range(3):  # Each time with an empty diary, as after a kill between the post and its note.
        people = Citizens(PACK, served.portal, Repairs([DARK]), Diary(), 1)
        for hour in range(6):
            people.look(NOW + hour * HOUR_US)
    (ticket,) = served.portal.open_tickets(10)
    assert 0 < ticket["reports"] <= 6


def test_nobody_reports_by_day_or_what_burns(served: Served) -> None:
    people = Citizens(PACK, served.portal, Repairs([replace(DARK, end_us=NOW - HOUR_US)]), Diary(), 1)
    for hour in range(24):
        people.look(NOW + hour * HOUR_US)
    by_day = Citizens(PACK, served.portal, Repairs([DARK]), Diary(), 1)
    for day in range(20):
        by_day.look(NOW + 13 * HOUR_US + day * DAY_US)
    assert served.portal.open_tickets(10) == []
