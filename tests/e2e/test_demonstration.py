"""What `make up` promises who looks: dusk, the first ticket, crews that mend, and a dusk that verifies the repair."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from city.alarm import FaultClass
from city.clock import DAY_US, HOUR_US, MINUTE_US, from_datetime
from city.profile import parse_pack
from sim.city import generate_city
from sim.demonstration import shown_faults
from sim.faults import PlantedFault
from tests.app.world import Up, wait_for, write_pack

SPEED = 3000
"""A day in half a minute: what takes two minutes at the demonstration's own speed passes in two and a half seconds."""
FILES = generate_city(5, lamps=400, facilities=4)
PACK = parse_pack(FILES)


@pytest.fixture
def demonstration(tmp_path: Path) -> Iterator[Up]:
    pack = write_pack(tmp_path / "pack", FILES)
    up = Up(
        tmp_path / "up",
        CITYNERVE_CITY=str(pack),
        CITYNERVE_SPEED=str(SPEED),
        CITYNERVE_FAULTS="",
        CITYNERVE_SIM_REALISM="perfect",
    )
    up.start_ready()
    yield up
    up.discard()


def at_us(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text))


def ticket_of(up: Up, asset_id: str) -> dict[str, Any] | None:
    """Return the first ticket of an asset."""
    found = up.get(f"/api/v1/tickets?scope={asset_id}&limit=100")["items"]
    if not found:
        return None
    ticket: dict[str, Any] = up.get(f"/api/v1/tickets/{min(t['id'] for t in found)}")
    return ticket


def steps(ticket: dict[str, Any], actor: str) -> list[tuple[str | None, str]]:
    return [(step["to_state"], step["reason"]) for step in ticket["timeline"] if step["actor"] == actor]


def is_dark_after(fault: PlantedFault, at_us: int) -> bool:
    return fault.fault is FaultClass.LAMP_FAILURE and fault.onset_us > at_us


def closed(up: Up, asset_id: str) -> dict[str, Any] | None:
    ticket = ticket_of(up, asset_id)
    return ticket if ticket is not None and ticket["state"] == "closed" else None


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_an_evening_has_its_first_ticket_soon_and_the_dusk_after_the_repair_verifies_it(demonstration: Up) -> None:
    up = demonstration
    begin_us = at_us(up.said.split("city time ")[1][:16].replace(" ", "T") + "Z")
    schedule = PACK.schedules[PACK.feeders[0].schedule_id]
    first_dusk_us = schedule.next_on(begin_us)
    assert first_dusk_us is not None
    assert begin_us < first_dusk_us <= begin_us + 15 * MINUTE_US, "it starts at dusk, whatever the installation took"

    # At this speed the first evening is over before every process has started: the story of the next one is looked at.
    now_us = at_us(up.status()["city_time"].removesuffix("Z") + "Z")
    dark_fault = next(f for f in shown_faults(PACK, 1, now_us, now_us + 3 * DAY_US) if is_dark_after(f, now_us))
    dusk_us = schedule.next_on(dark_fault.onset_us)
    assert dusk_us is not None
    out_fault = next(
        f
        for f in shown_faults(PACK, 1, dusk_us, dusk_us + 3 * HOUR_US)
        if f.fault is FaultClass.SUPPLY_LOSS and f.onset_us > dusk_us
    )

    # By the devices' clocks, not by ours: a busy machine makes tickets late, never wrong.
    outage = wait_for(lambda: closed(up, out_fault.asset_id), up.words, timeout_s=240)
    assert (outage["fault"], outage["severity"]) == ("supplyLoss", "high")
    # One crew in twenty does not find the place; which one depends on the ticket's number, and so on the machine.
    if ("assigned", "Brigada simulada 3: no encuentra el lugar; se volverá") not in steps(outage, "crew"):
        assert ("resolved", "Brigada simulada 3: suministro repuesto") in steps(outage, "crew")
        assert ("closed", "repair-verified") in steps(outage, "sensor")

    dark = wait_for(lambda: closed(up, dark_fault.asset_id), up.words, timeout_s=240)
    (alarm,) = dark["alarm_list"]
    assert (dark["fault"], alarm["fault"]) == ("lampFailure", "lampFailure")
    # The third dark reading comes half an hour after the first, and a quarter of an hour is left to a common cause:
    # so the ticket is there two minutes after such a dusk at sixty times the clock's speed.
    assert dusk_us < at_us(alarm["raised_at"]) <= dusk_us + 60 * MINUTE_US
    repaired = [step for step in dark["timeline"] if step["to_state"] == "resolved"][-1]
    assert repaired["reason"].startswith("Brigada simulada ")
    assert "lámpara cambiada" in repaired["reason"]
    verifies_us = schedule.next_on(at_us(repaired["at"]))
    assert verifies_us is not None
    assert verifies_us <= at_us(alarm["cleared_at"]) <= verifies_us + 2 * HOUR_US, "the next dusk verifies the repair"
    assert ("closed", "repair-verified") in steps(dark, "sensor")
    assert up.end() == 0
