"""Columns say what messages say."""

from datetime import UTC, datetime

from city.clock import HOUR_US, from_datetime
from city.profile import parse_pack
from sim.chance import Rates, random_faults
from sim.city import generate_city
from sim.realism import REAL
from sim.world import World

PACK = parse_pack(generate_city(5, lamps=400, facilities=4))
NOON = from_datetime(datetime(2026, 3, 28, 12, tzinfo=UTC))
END = NOON + 14 * HOUR_US
FAULTS = random_faults(PACK, 3, NOON, END, Rates(lamps=20, outages=16, other_lamps=20, other_feeders=6))


def test_columns_hold_every_reading_of_the_messages_and_no_other() -> None:
    world = World(PACK, 3, FAULTS, REAL)
    spoke = gasped = 0
    for gateway in world.gateways:
        for at_us in world.moments(gateway, NOON, END):
            told = sorted(
                (one["device"], name, float(value))
                for one in world.observe(gateway, at_us)
                for name, value in one.items()
                if name not in ("device", "at")
            )
            heard = sorted(
                (part.device_ids[row], name, value)
                for part in world.hear(gateway, at_us)
                for row, values in zip(part.rows.tolist(), part.values.tolist(), strict=True)
                for name, value in zip(part.metrics, values, strict=True)
            )
            assert heard == told
            spoke += bool(told)
            gasped += any(name == "supply_voltage_v" and value == 0 for _, name, value in told)
    assert spoke > 200
    assert gasped
