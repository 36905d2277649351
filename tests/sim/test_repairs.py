"""Repairs end planted faults, in memory, on disk and in the world."""

from pathlib import Path

from city.alarm import FaultClass
from city.clock import HOUR_US, MINUTE_US
from city.profile import parse_pack
from sim.city import generate_city
from sim.faults import PlantedFault
from sim.repairs import Repairs
from sim.world import World

PACK = parse_pack(generate_city(11, lamps=60, facilities=2))
MIDNIGHT = 1_795_478_400_000_000
"""2026-11-24T00:00:00Z: every lamp burns."""
LAMP = PACK.lamps[0]
DARK = PlantedFault(MIDNIGHT - HOUR_US, LAMP.lamp_id, FaultClass.LAMP_FAILURE)
OUTAGE = PlantedFault(MIDNIGHT - HOUR_US, LAMP.feeder_id, FaultClass.SUPPLY_LOSS)


def power(world: World, after_us: int) -> list[float]:
    """Return what the lamp draws at each of its reports in the hour after a moment."""
    (device,) = [d for d in PACK.devices if d.asset_id == LAMP.lamp_id]
    moments = world.moments(device.gateway_id, after_us, after_us + HOUR_US)
    heard = [o for at in moments for o in world.observe(device.gateway_id, at) if o["device"] == device.device_id]
    return [observation["active_power_w"] for observation in heard]


def test_a_mended_lamp_burns_from_that_moment_on_and_was_dark_before() -> None:
    world = World(PACK, 1, [DARK])
    world.mend(LAMP.lamp_id, MIDNIGHT)
    assert max(power(world, MIDNIGHT - HOUR_US)) < 1
    assert min(power(world, MIDNIGHT)) > 0.3 * LAMP.rated_w


def test_a_mended_feeder_speaks_again() -> None:
    world = World(PACK, 1, [OUTAGE])
    assert power(world, MIDNIGHT) == []
    world.mend(LAMP.feeder_id, MIDNIGHT)
    assert len(power(world, MIDNIGHT)) >= 3


def test_a_repair_ends_what_is_there_and_nothing_else() -> None:
    later = PlantedFault(MIDNIGHT + HOUR_US, LAMP.lamp_id, FaultClass.LAMP_FAILURE)
    repairs = Repairs([DARK, OUTAGE, later])
    assert repairs.mend([LAMP.lamp_id, "L-NOWHERE"], MIDNIGHT) == [DARK]
    assert repairs.mend([LAMP.lamp_id], MIDNIGHT) == []
    assert repairs.active([LAMP.lamp_id, LAMP.feeder_id], MIDNIGHT + MINUTE_US) == [OUTAGE]
    assert repairs.active([LAMP.lamp_id], MIDNIGHT + HOUR_US) == [later]
    assert repairs.fresh() == [(LAMP.lamp_id, MIDNIGHT)]
    assert repairs.fresh() == []


def test_what_was_mended_stays_so_after_a_restart(tmp_path: Path) -> None:
    repairs = Repairs([DARK, OUTAGE], tmp_path / "repairs.sqlite")
    repairs.mend([LAMP.lamp_id], MIDNIGHT)
    again = Repairs([DARK, OUTAGE], tmp_path / "repairs.sqlite")
    assert again.active([LAMP.lamp_id, LAMP.feeder_id], MIDNIGHT) == [OUTAGE]
    assert {fault.end_us for fault in again.faults()} == {MIDNIGHT, None}
    repairs.close()
    again.close()
