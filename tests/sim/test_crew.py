"""Simulated crews against the real API: what they take, when, what they mend, and what they say."""

from dataclasses import replace
from pathlib import Path

import pytest

from city.alarm import FaultClass, Scope
from city.asset import Device
from city.clock import HOUR_US, MINUTE_US
from city.errors import EngineError, SettingsError
from city.profile import parse_pack
from sim.city import generate_city
from sim.crew import CrewOptions, Crews
from sim.diary import Diary
from sim.faults import PlantedFault
from sim.portal import Portal
from sim.repairs import Repairs
from tests.incidents.world import CLEARED, FAILURE, FEEDER, GATEWAY, RAISED, SILENT, SUPPLY, event, lamp
from tests.sim.portals import Served, city_url, served
from tests.support.servers import free_port
from tests.support.small_city import NOW

__all__ = ["city_url", "served"]

PACK = parse_pack(generate_city(11, lamps=60, facilities=2))
DARK = PlantedFault(NOW - 3 * HOUR_US, "L-1", FaultClass.LAMP_FAILURE)
OUT = PlantedFault(NOW - 3 * HOUR_US, "C-1.F1", FaultClass.SUPPLY_LOSS)
FINDS_ALL = CrewOptions(lost_share=0)
NIGHT_S = 10 * 3600
"""From NOW, shortly before midnight in the city, into the morning's shift."""


def crews(served: Served, repairs: Repairs, diary: Diary | None = None, options: CrewOptions = FINDS_ALL) -> Crews:
    return Crews(PACK, served.portal, repairs, diary or Diary(), 1, options)


def work(served: Served, people: Crews, hours: float) -> None:
    """Let city time pass, with a look around every five minutes."""
    for _ in range(int(hours * 12)):
        served.clock.advance(300)
        people.look(served.now_us)


def reasons(ticket: dict[str, object]) -> list[str]:
    timeline = ticket["timeline"]
    assert isinstance(timeline, list)
    return [step["reason"] for step in timeline if step["actor"] == "crew" and step["kind"] == "moved"]


def test_an_outage_is_mended_by_night_and_everybody_reads_by_whom(served: Served) -> None:
    repairs = Repairs([OUT])
    served.alarm(event(RAISED, SUPPLY, FEEDER, NOW))
    work(served, crews(served, repairs), 3)
    ticket = served.ticket("C-1.F1")
    assert ticket["state"] == "resolved"
    assert reasons(ticket) == [
        "Brigada simulada 3: en camino",
        "Brigada simulada 3: en el lugar",
        "Brigada simulada 3: suministro repuesto",
    ]
    ((asset, at_us),) = repairs.fresh()
    assert asset == "C-1.F1"
    assert NOW + 30 * MINUTE_US <= at_us <= NOW + 3 * HOUR_US


def test_a_lamp_waits_for_the_days_shift(served: Served) -> None:
    repairs = Repairs([DARK])
    people = crews(served, repairs)
    served.alarm(event(RAISED, FAILURE, lamp(1), NOW))
    work(served, people, 6)
    assert served.ticket("L-1")["state"] == "new"
    assert repairs.active(["L-1"], served.now_us) == [DARK]
    work(served, people, 6)
    ticket = served.ticket("L-1")
    assert (ticket["state"], reasons(ticket)[-1]) == ("resolved", "Brigada simulada 1: lámpara cambiada")
    assert repairs.active(["L-1"], served.now_us) == []


def test_the_gravest_comes_first_and_no_crew_has_two(served: Served) -> None:
    people = crews(served, Repairs([]), options=CrewOptions(by_day=1, at_any_hour=0))
    for number in (1, 2):
        served.alarm(event(RAISED, FAILURE, lamp(number), NOW))
    served.alarm(event(RAISED, SUPPLY, FEEDER, NOW))
    served.clock.advance(NIGHT_S)
    people.look(served.now_us)
    people.look(served.now_us)
    states = {ticket["scope"]["id"]: ticket["state"] for ticket in served.portal.open_tickets(10)}
    assert states == {"C-1.F1": "assigned", "L-1": "new", "L-2": "new"}


def test_where_nothing_is_broken_a_crew_says_so_and_after_two_visits_people_decide(served: Served) -> None:
    people = crews(served, Repairs([]))
    served.alarm(event(RAISED, FAILURE, lamp(1), NOW))
    served.clock.advance(NIGHT_S)
    for _ in range(3):
        work(served, people, 5)
        ticket = served.ticket("L-1")
        if ticket["state"] == "resolved":
            served.portal.report(ticket=str(ticket["id"]), description="sigue apagada")
        served.clock.advance(19 * 3600)
    ticket = served.ticket("L-1")
    assert ticket["state"] == "new"
    assert reasons(ticket).count("Brigada simulada 1: no encuentra avería, falsa alarma") == 2


def test_who_does_not_find_the_place_comes_again(served: Served) -> None:
    repairs = Repairs([OUT])
    people = crews(served, repairs, options=CrewOptions(lost_share=1))
    served.alarm(event(RAISED, SUPPLY, FEEDER, NOW))
    work(served, people, 3)
    ticket = served.ticket("C-1.F1")
    assert (ticket["state"], reasons(ticket)[-1]) == (
        "assigned",
        "Brigada simulada 3: no encuentra el lugar; se volverá",
    )
    work(served, people, 13)
    assert served.ticket("C-1.F1")["state"] == "resolved"
    assert repairs.active(["C-1.F1"], served.now_us) == []


def test_a_crew_goes_on_with_its_job_after_a_restart(served: Served, tmp_path: Path) -> None:
    repairs = Repairs([OUT], tmp_path / "repairs.sqlite")
    served.alarm(event(RAISED, SUPPLY, FEEDER, NOW))
    for _ in range(36):
        served.clock.advance(300)
        diary = Diary(tmp_path / "diary.sqlite")
        crews(served, repairs, diary).look(served.now_us)
        diary.close()
    assert len(reasons(served.ticket("C-1.F1"))) == 3
    assert served.ticket("C-1.F1")["state"] == "resolved"
    repairs.close()


def test_what_a_person_settles_meanwhile_is_left_to_that_person(served: Served) -> None:
    people = crews(served, repairs := Repairs([OUT]))
    served.alarm(event(RAISED, SUPPLY, FEEDER, NOW))
    people.look(served.now_us)
    served.portal.move(served.ticket("C-1.F1"), "resolved", "ya está")
    work(served, people, 3)
    assert reasons(served.ticket("C-1.F1"))[-1] == "ya está"
    assert repairs.active(["C-1.F1"], served.now_us) == [OUT]


def test_what_sensors_saw_recover_is_closed_from_the_desk(served: Served) -> None:
    served.alarm(event(RAISED, FAILURE, lamp(1), NOW, raised_at=NOW))
    served.alarm(event(CLEARED, FAILURE, lamp(1), NOW + HOUR_US, raised_at=NOW, cleared_at=NOW + HOUR_US))
    number = served.ticket("L-1")["id"]
    assert served.ticket("L-1")["state"] == "recovered"
    served.clock.advance(NIGHT_S)
    crews(served, Repairs([])).look(served.now_us)
    assert served.portal.ticket(number)["state"] == "closed"


@pytest.mark.parametrize("fault", [FaultClass.SUPPLY_LOSS, FaultClass.CIRCUIT_BREAKER_TRIPPED])
def test_a_cabinets_fault_is_mended_by_who_comes_for_its_feeder(served: Served, fault: FaultClass) -> None:
    pack = replace(
        PACK,
        cabinets=(*PACK.cabinets, replace(PACK.cabinets[0], cabinet_id="C-1")),
        feeders=(*PACK.feeders, replace(PACK.feeders[0], feeder_id="C-1.F1", cabinet_id="C-1")),
    )
    repairs = Repairs([PlantedFault(NOW - 3 * HOUR_US, "C-1", fault)])
    served.alarm(event(RAISED, SUPPLY, FEEDER, NOW))
    work(served, Crews(pack, served.portal, repairs, Diary(), 1, FINDS_ALL), 3)
    assert served.ticket("C-1.F1")["state"] == "resolved"
    assert repairs.active(["C-1"], served.now_us) == []


@pytest.mark.parametrize(("scope", "kind"), [(GATEWAY, SILENT), (lamp(1), SILENT), (lamp(1), FAILURE)])
def test_a_gateway_is_mended_by_who_comes_for_a_silence(served: Served, scope: Scope, kind: FaultClass) -> None:
    heard = Device("N-L-1", "L-1", "G-1", PACK.devices[0].profile_id)
    out = PlantedFault(NOW - 3 * HOUR_US, "G-1", FaultClass.COMMUNICATION_FAILURE)
    repairs = Repairs([out])
    people = Crews(
        replace(PACK, devices=(*PACK.devices, heard)), served.portal, repairs, Diary(), 1, CrewOptions(lost_share=0)
    )
    served.alarm(event(RAISED, kind, scope, NOW))
    served.clock.advance(NIGHT_S)
    work(served, people, 4)
    assert served.ticket(scope.asset_id)["state"] == "resolved"
    assert repairs.active(["G-1"], served.now_us) == ([] if kind is SILENT else [out])


def test_portals_that_are_away_are_an_engine_to_wait_for() -> None:
    with pytest.raises(EngineError, match="do not answer"):
        Portal(f"http://127.0.0.1:{free_port()}").open_tickets(10)
    with pytest.raises(SettingsError, match="not the address"):
        Portal("127.0.0.1:8000")


def test_crews_say_what_they_found_of_each_alarm(served: Served) -> None:
    by_cause = PlantedFault(NOW - 3 * HOUR_US, "C-1.F1", FaultClass.CIRCUIT_BREAKER_TRIPPED)
    for scope, fault in ((lamp(1), FAILURE), (lamp(2), SILENT)):
        served.alarm(event(RAISED, fault, scope, NOW))
    work(served, crews(served, Repairs([DARK])), 14)
    told = {s: served.ticket(s)["alarm_list"][0]["verdict"] for s in ("L-1", "L-2")}
    assert (told["L-1"]["finding"], told["L-1"]["fault"]) == ("true", "lampFailure")
    assert (told["L-2"]["finding"], told["L-2"]["fault"], told["L-2"]["actor"]) == ("false", "", "crew")
    served.alarm(event(RAISED, SUPPLY, FEEDER, served.now_us))
    work(served, crews(served, Repairs([by_cause])), 14)
    verdict = served.ticket("C-1.F1")["verdict"]
    assert (verdict["finding"], verdict["fault"]) == ("other", "circuitBreakerTripped")


def test_who_does_not_find_the_place_says_nothing_of_the_alarm(served: Served) -> None:
    served.alarm(event(RAISED, SUPPLY, FEEDER, NOW))
    work(served, crews(served, Repairs([OUT]), options=CrewOptions(lost_share=1)), 3)
    assert served.ticket("C-1.F1")["verdict"] is None
