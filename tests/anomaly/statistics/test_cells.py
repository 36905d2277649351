"""Cells come from local time, whatever the daylight saving, or from the sun."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.statistics.cells import hours_by_sun, hours_of_week, local_us
from city.clock import HOUR_US, MINUTE_US, from_datetime, to_datetime

ZONES = ["Europe/Madrid", "Atlantic/Canary", "America/Bogota", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]


@given(st.lists(st.integers(0, 4 * 10**15), max_size=20), st.sampled_from(ZONES))
def test_cells_are_those_of_the_wall_clock(at: list[int], zone: str) -> None:
    found = hours_of_week(np.array(at, np.int64), zone)
    local = [to_datetime(one).astimezone(ZoneInfo(zone)) for one in at]
    assert found.tolist() == [one.weekday() * 24 + one.hour for one in local]
    assert found.dtype == np.int16


def test_an_opening_hour_keeps_its_cell_when_the_clock_changes() -> None:
    zone = ZoneInfo("Europe/Madrid")
    before, after = datetime(2026, 3, 27, 9, tzinfo=zone), datetime(2026, 4, 3, 9, tzinfo=zone)
    at = np.array([from_datetime(one.astimezone(UTC)) for one in (before, after)])
    assert at[1] - at[0] == 7 * 24 * HOUR_US - HOUR_US
    assert hours_of_week(at, "Europe/Madrid").tolist() == [4 * 24 + 9] * 2


def test_the_hour_that_comes_twice_has_one_cell() -> None:
    start = from_datetime(datetime(2026, 10, 25, 0, 0, tzinfo=UTC))
    at = start + np.arange(3) * HOUR_US
    assert (hours_of_week(at, "Europe/Madrid") % 24).tolist() == [2, 2, 3]
    assert (local_us(at, "Europe/Madrid") - at).tolist() == [2 * HOUR_US, HOUR_US, HOUR_US]


@pytest.mark.parametrize(("rise", "fall"), [(7, 17), (5, 22)])
def test_sunrise_is_six_and_sunset_is_eighteen_all_year(rise: int, fall: int) -> None:
    day = from_datetime(datetime(2026, 6, 15, tzinfo=UTC))
    sunrise, sunset = day + rise * HOUR_US, day + fall * HOUR_US
    at = np.array([sunrise - MINUTE_US, sunrise, sunset - MINUTE_US, sunset, day, day + 24 * HOUR_US - 1])
    n = len(at)
    cells = hours_by_sun(at, "UTC", np.full(n, sunrise), np.full(n, sunset))
    assert (cells % 24).tolist() == [5, 6, 17, 18, 0, 23]
    assert set((cells // 24).tolist()) == {0}


def test_where_the_sun_does_not_rise_local_time_stands() -> None:
    at = np.arange(24, dtype=np.int64) * HOUR_US
    assert (hours_by_sun(at, "UTC", at, at) % 24).tolist() == list(range(24))
