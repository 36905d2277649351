"""How often lamps speak that speak a few times a night."""

import numpy as np
import pytest

from anomaly.backtest.fleet_assets import FleetAsset
from anomaly.backtest.fleet_interval import nightly
from anomaly.backtest.spill import ROW
from city.asset import Switching
from city.clock import DAY_US, HOUR_US
from tests.anomaly.backtest.world import LAT, LON, START, SUN


def assets(told_s: int) -> list[FleetAsset]:
    return [
        FleetAsset(f"L{n}", "lamp", LAT, LON, "F", "R", "C", "G", "led", 40.0, Switching.PERMANENT, told_s)
        for n in range(5)
    ]


def said(moments: list[int]) -> list[np.ndarray]:
    rows = np.zeros(5 * len(moments), ROW)
    rows["observed_at"] = np.repeat(moments, 5)
    rows["asset"] = np.tile(np.arange(5), len(moments))
    return [rows[rows["asset"] > 0], rows[rows["asset"] == 0][:20]]


@pytest.mark.parametrize("messages", [1, 2, 4])
@pytest.mark.parametrize("told_s", [86_400, 21_600])
def test_messages_of_nights_alone_divide_the_night(messages: int, told_s: int) -> None:
    on, off = SUN.periods(START, START + 30 * DAY_US)
    moments = [int(a + (k + 0.5) / messages * (b - a)) for a, b in zip(on, off, strict=True) for k in range(messages)]
    night_s = float(np.mean(off - on)) / 1e6
    found = {a.interval_s for a in nightly(said(moments), assets(told_s))}
    assert len(found) == 1, "one that was silent for long is as those beside it"
    assert found.pop() == pytest.approx(min(night_s / messages, told_s), rel=0.05)


def test_messages_of_day_and_night_come_as_often_as_is_told() -> None:
    moments = list(range(START, START + 30 * DAY_US, 6 * HOUR_US))
    assert nightly(said(moments), assets(21_600)) == assets(21_600)
    assert nightly([], assets(21_600)) == assets(21_600)
