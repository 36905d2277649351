"""When lamps are told to burn, from what they draw."""

import numpy as np
import pytest

from anomaly.backtest.fleet_assets import FleetAsset
from anomaly.backtest.fleet_sun import learn_sun
from anomaly.backtest.spill import ROW
from city.asset import Switching
from city.clock import DAY_US, MINUTE_US
from city.lighting import LightingSchedule
from tests.anomaly.backtest.world import LAT, LON, START

ASSETS = [
    FleetAsset(f"L{n}", "lamp", LAT, LON, "F", "R", "C", "G", "led", 40.0, Switching.PERMANENT, 900) for n in range(4)
]


def days(below_deg: float, number: int = 60) -> list[np.ndarray]:
    schedule = LightingSchedule("s", LAT, LON, below_deg)
    at = np.arange(START, START + number * DAY_US, 15 * MINUTE_US, dtype=np.int64)
    on, off = schedule.periods(START, START + number * DAY_US)
    rows = np.zeros(len(at) * len(ASSETS), ROW)
    rows["observed_at"] = np.repeat(at, len(ASSETS)) + np.tile(np.arange(len(ASSETS)) * 4 * MINUTE_US, len(at))
    rows["asset"] = np.tile(np.arange(len(ASSETS)), len(at))
    seen = rows["observed_at"]
    rows["value"] = np.where(np.searchsorted(on, seen, "right") > np.searchsorted(off, seen, "right"), 30.0, 0.4)
    # One of the four is dead, another burns day and night.
    rows["value"][rows["asset"] == 0] = 0.4
    rows["value"][rows["asset"] == 1] = 40.0
    return [rows]


@pytest.mark.parametrize("below_deg", [-0.833, -3.0, -6.0])
def test_it_is_learnt_within_a_few_minutes_of_dusk(below_deg: float) -> None:
    learnt = learn_sun(days(below_deg), ASSETS, 0)
    assert learnt is not None
    # At this place the sun moves 0.17 degrees a minute at dusk.
    assert learnt == pytest.approx(below_deg, abs=0.5)


def test_where_too_little_was_heard_nothing_is_learnt() -> None:
    assert learn_sun(days(-3.0, number=1), ASSETS, 0) is None
    assert learn_sun(days(-3.0), [], 0) is None
