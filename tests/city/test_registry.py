"""Devices of one facility are told apart in their scopes, those of a lamp are not."""

from city.alarm import FaultClass, Scope, alarm_id
from city.asset import AssetKind
from city.registry import DeviceDefinition, told_apart

MARKET = Scope(AssetKind.FACILITY, "MK-1", "MK-1", "MK-1", "", "G-1")
POOL = Scope(AssetKind.FACILITY, "PL-1", "PL-1", "PL-1", "", "G-1")
LAMP = Scope(AssetKind.LAMP, "L-1", "C-1", "S-1", "C-1.F1", "G-1")


def device(name: str, asset: Scope) -> DeviceDefinition:
    return DeviceDefinition(name, asset, 900, 8.0, ())


def test_devices_are_named_where_their_facility_has_several_and_only_there() -> None:
    found = told_apart(
        [device("A", MARKET), device("B", POOL), device("C", MARKET), device("D", LAMP), device("E", LAMP)]
    )
    assert [one.device_id for one in found] == ["A", "B", "C", "D", "E"]
    assert [one.asset.device_id for one in found] == ["A", "", "C", "", ""]
    assert [one.asset.subject for one in found] == ["MK-1|A", "PL-1", "MK-1|C", "L-1", "L-1"]
    assert {one.asset.asset_id for one in found} == {"MK-1", "PL-1", "L-1"}


def test_alarms_of_two_devices_have_names_of_their_own_and_a_single_ones_stays_what_it_was() -> None:
    first, _, second = told_apart([device("A", MARKET), device("B", POOL), device("C", MARKET)])
    fault = FaultClass.COLD_ROOM_TOO_WARM
    assert alarm_id(fault, first.asset.subject, 1) != alarm_id(fault, second.asset.subject, 1)
    assert alarm_id(fault, POOL.subject, 1) == "f3546133df0e5e2e364ff7b5"
