"""What day and hour it is in the city, and whether a facility is open."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from anomaly.facilities.calendar import HOLIDAY, Calendar
from anomaly.facilities.layout import CLOSED, NEAR, OPEN, UNKNOWN
from city.clock import HOUR_US, from_datetime
from city.opening import OpeningHours, is_open, parse_hours

MADRID = "Europe/Madrid"
SCHOOL = OpeningHours(parse_hours(["mon-fri 08:00-17:30"]), ("12-08",))
POOL = OpeningHours(parse_hours(["mon-fri 07:30-22:00", "sat 09:00-20:30", "sun 09:00-14:30"]))
ALWAYS = OpeningHours(parse_hours(["mon-sun 00:00-24:00"]))


def us(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(MADRID)))


@pytest.mark.parametrize(
    ("when", "opened"),
    [
        ("2026-11-23T05:59", CLOSED),
        ("2026-11-23T06:00", NEAR),  # rooms are heated before they open
        ("2026-11-23T08:00", OPEN),
        ("2026-11-23T17:29", OPEN),
        ("2026-11-23T17:30", NEAR),
        ("2026-11-23T21:30", CLOSED),
        ("2026-12-08T10:00", CLOSED),
    ],
)
def test_a_school_is_open_closed_or_near_to_it(when: str, opened: int) -> None:
    assert Calendar(SCHOOL, MADRID).at(np.array([us(when)])).opened[0] == opened


@pytest.mark.parametrize("hours", [SCHOOL, POOL, ALWAYS])
def test_it_is_open_exactly_when_the_pack_says_so(hours: OpeningHours) -> None:
    hourly = us("2026-03-20T00:00") + HOUR_US // 4 * np.arange(4 * 24 * 300, dtype=np.int64)
    told = Calendar(hours, MADRID).at(hourly).opened == OPEN
    assert told.tolist() == [is_open(hours, at, MADRID) for at in hourly.tolist()]


def test_days_with_the_same_hours_are_alike_weekends_and_holidays_apart() -> None:
    def kinds(hours: OpeningHours | None, *days: str) -> list[int]:
        return Calendar(hours, MADRID).at(np.array([us(f"{day}T12:00") for day in days])).day_type.tolist()

    week = [f"2026-11-{day}" for day in range(23, 30)]
    assert kinds(SCHOOL, *week) == [0, 0, 0, 0, 0, 1, 1]
    assert kinds(POOL, *week) == [0, 0, 0, 0, 0, 1, 2]
    assert kinds(ALWAYS, *week) == [0, 0, 0, 0, 0, 1, 1]
    assert kinds(None, *week) == [0, 0, 0, 0, 0, 1, 2]
    assert kinds(SCHOOL, "2026-12-08") == [HOLIDAY]


def test_nobody_knows_whether_a_place_without_hours_is_open() -> None:
    assert Calendar(None, MADRID).at(np.array([us("2026-11-23T12:00")])).opened[0] == UNKNOWN


def test_hours_are_the_citys_across_both_changes_of_its_clocks() -> None:
    calendar = Calendar(SCHOOL, MADRID)
    for day in ("2026-03-27", "2026-03-30", "2026-10-23", "2026-10-26"):
        told = calendar.at(np.array([us(f"{day}T08:00"), us(f"{day}T07:45")]))
        assert told.slot.tolist() == [32, 31]
        assert told.opened.tolist() == [OPEN, NEAR]
    twice = calendar.at(np.array([us("2026-10-25T02:30"), us("2026-10-25T02:30") + HOUR_US]))
    assert twice.slot.tolist() == [10, 10]
