"""What the air outside explains: a front that comes overnight is no fault of a building, a fault in it still is."""

import math
import random
from dataclasses import replace

import pytest

from anomaly.state import DetectorState
from city.alarm import FaultClass
from city.clock import DAY_US, HOUR_US
from tests.anomaly.facilities.world import START, Building, detect, hour_of, indoor, is_open, said, suspected

FRONTS = (20, 27, 34, 41, 48, 55)
"""Days on which it turns cold or warm within hours, and stays so for a week."""


def outside(at: int) -> float:
    day = (at - START) / DAY_US
    turns = sum(
        (-1) ** n * (1 if n == 0 else 2) / (1 + math.exp(-(day - front) * 12)) for n, front in enumerate(FRONTS)
    )
    return 9 + 3 * math.sin((hour_of(at) - 9) / 24 * 2 * math.pi) - 7 * turns


def follows(at: int, chance: random.Random) -> float:
    """Return the temperature of rooms that nobody heats, a few hours behind the air outside."""
    behind = sum(outside(at - n * HOUR_US) for n in range(6)) / 6
    return (0.6 if not is_open(at) else 0.5) * (behind - 9) + indoor(at, chance)


def open_window(at: int, chance: random.Random) -> float:
    fault = START + 51 * DAY_US + 20 * HOUR_US
    return follows(at, chance) - (5.0 if fault <= at < fault + DAY_US else 0.0)


COLD = Building(days=60, changes={"indoor_temperature_deg_c": follows}, metrics=("indoor_temperature_deg_c",))


def test_fronts_are_told_as_faults_only_where_nobody_measures_the_air_outside() -> None:
    assert len(suspected(COLD)) >= 4
    assert suspected(replace(COLD, outside=outside)) == []


def test_a_fault_between_two_fronts_is_found_all_the_same() -> None:
    building = replace(COLD, outside=outside, changes={"indoor_temperature_deg_c": open_window})
    found = suspected(building)
    assert [s.fault for s in found] == [FaultClass.TEMPERATURE_OUT_OF_PATTERN]
    assert 0 <= found[0].at - (START + 51 * DAY_US + 20 * HOUR_US) < 2 * HOUR_US


@pytest.mark.parametrize("cut", [1, 3_000, 4_321])
def test_what_was_learnt_of_the_weather_is_kept_in_a_snapshot(cut: int) -> None:
    records = replace(COLD, outside=outside, days=50).records()
    whole = said(detect(records)[1])
    state, first = detect(records[:cut])
    _, second = detect(records[cut:], DetectorState.restore(state.snapshot()))
    assert said([*first, *second]) == whole
