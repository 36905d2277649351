"""How warm it is outside, from readings as they come."""

import math

from city.alarm import Scope
from city.asset import AssetKind
from city.clock import HOUR_US, MINUTE_US
from city.outside import OutsideAir
from city.reading import Reading, ReadingBatch
from city.registry import DeviceDefinition, FaultRules, RootDefinition, SeriesDefinition

NOW = 1_795_472_400_000_000


def station(number: int) -> RootDefinition:
    name = f"A-{number}"
    scope = Scope(AssetKind.FACILITY, name, name, name, "", "GW-1")
    metrics = ("air_temperature_deg_c", "indoor_temperature_deg_c")
    series = tuple(SeriesDefinition(2 * number + i, name, metric) for i, metric in enumerate(metrics))
    device = DeviceDefinition(name, scope, 3600, 8.0, series)
    return RootDefinition(name, AssetKind.FACILITY, name, "v1", (), (device,), FaultRules())


def batch(*readings: tuple[int, int, float]) -> ReadingBatch:
    return ReadingBatch.of([Reading(series, 1, at, at + 1, value) for series, at, value in readings])


def test_outside_is_the_median_of_what_stations_lately_said() -> None:
    air = OutsideAir([station(1), station(2), station(3)])
    assert air.at(NOW) is None
    air.see(batch((2, NOW - HOUR_US, 9.0), (3, NOW, 21.0), (4, NOW - 5 * MINUTE_US, 10.0), (6, NOW, 55.0)))
    assert air.at(NOW) == 10.0, "one that is broken moves little, and rooms do not count"
    air.see(batch((2, NOW, 12.0), (2, NOW - 2 * HOUR_US, -3.0)))
    assert air.at(NOW) == 12.0, "what comes late is not how it is now"
    assert air.at(NOW + 2 * HOUR_US + 57 * MINUTE_US) == 33.5
    assert air.at(NOW + 3 * HOUR_US) is None


def test_what_is_no_number_is_no_temperature() -> None:
    air = OutsideAir([station(1)])
    air.see(batch((2, NOW, math.nan)))
    assert air.at(NOW) is None
