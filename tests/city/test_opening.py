"""Opening hours: weekdays, holidays, nights, and the clock's two changes a year."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.clock import DAY_US, HOUR_US, MINUTE_US, from_datetime
from city.opening import OpeningHours, from_plain, is_open, next_change, parse_closed, parse_hours

MADRID = "Europe/Madrid"
LIBRARY = OpeningHours(parse_hours(["mon-fri 09:00-14:00 16:00-20:00", "sat 10:00-14:00"]), ("12-25", "2026-11-24"))
ALWAYS = OpeningHours(parse_hours(["mon-sun 00:00-24:00"]))
NEVER = OpeningHours(parse_hours([]))
BAR = OpeningHours(parse_hours(["fri-sat 22:00-03:00"]))


def at(text: str) -> int:
    """Return a local time of Madrid as µs UTC."""
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(MADRID)))


@pytest.mark.parametrize(
    ("when", "opened", "change"),
    [
        ("2026-11-23T08:59", False, "2026-11-23T09:00"),  # a Monday
        ("2026-11-23T09:00", True, "2026-11-23T14:00"),
        ("2026-11-23T14:00", False, "2026-11-23T16:00"),
        ("2026-11-23T19:59", True, "2026-11-23T20:00"),
        ("2026-11-23T20:00", False, "2026-11-25T09:00"),  # the 24th is shut
        ("2026-11-28T13:00", True, "2026-11-28T14:00"),
        ("2026-11-28T15:00", False, "2026-11-30T09:00"),
        ("2026-12-24T20:30", False, "2026-12-26T10:00"),
        ("2027-12-24T20:30", False, "2027-12-27T09:00"),
    ],
)
def test_a_library_keeps_its_hours(when: str, opened: bool, change: str) -> None:
    assert is_open(LIBRARY, at(when), MADRID) is opened
    assert next_change(LIBRARY, at(when), MADRID) == at(change)


def test_hours_past_midnight_belong_to_the_day_that_they_begin_on() -> None:
    assert is_open(BAR, at("2026-11-29T02:59"), MADRID)  # Sunday morning, of Saturday
    assert not is_open(BAR, at("2026-11-30T02:00"), MADRID)
    assert next_change(BAR, at("2026-11-27T23:00"), MADRID) == at("2026-11-28T03:00")


def test_always_and_never_do_not_change() -> None:
    now = at("2026-11-23T12:00")
    assert (is_open(ALWAYS, now, MADRID), next_change(ALWAYS, now, MADRID)) == (True, None)
    assert (is_open(NEVER, now, MADRID), next_change(NEVER, now, MADRID)) == (False, None)


def test_hours_are_local_on_the_days_when_the_clock_changes() -> None:
    monday = OpeningHours(parse_hours(["sun 01:00-09:00"]))
    spring, autumn = at("2026-03-29T01:00"), at("2026-10-25T01:00")
    assert next_change(monday, spring, MADRID) == spring + 7 * HOUR_US
    assert next_change(monday, autumn, MADRID) == autumn + 9 * HOUR_US


@given(st.integers(0, 3000), st.sampled_from([LIBRARY, BAR]))
def test_next_change_is_the_first_change(quarters: int, hours: OpeningHours) -> None:
    now = at("2026-11-20T00:00") + quarters * 15 * MINUTE_US
    change = next_change(hours, now, MADRID)
    assert change is not None
    assert now < change <= now + 14 * DAY_US
    opened = is_open(hours, now, MADRID)
    assert is_open(hours, change, MADRID) is not opened
    for moment in range(now, change, HOUR_US):
        assert is_open(hours, moment, MADRID) is opened


def test_hours_travel_as_json() -> None:
    assert from_plain(LIBRARY.as_plain()) == LIBRARY


def test_days_may_wrap_over_the_weekend() -> None:
    weekly = parse_hours(["sat-mon 10:00-12:00"])
    assert [bool(day) for day in weekly] == [True, False, False, False, False, True, True]
    assert all(low < high for day in weekly for low, high in day)
    assert all(first[1] <= second[0] for day in weekly for first, second in pairwise(day))


@pytest.mark.parametrize(
    "line",
    ["", "mon", "mon 9:00-14:00", "mon 09:00", "mun 09:00-10:00", "mon 25:00-26:00", "mon 09:60-10:00"],
)
def test_what_is_not_hours_is_told(line: str) -> None:
    with pytest.raises(ValueError, match=r"write"):
        parse_hours([line])


def test_hours_that_overlap_are_told() -> None:
    with pytest.raises(ValueError, match="hours of wed overlap"):
        parse_hours(["mon-fri 09:00-14:00", "wed 13:00-15:00"])


@pytest.mark.parametrize("text", ["", "1-1", "13-01", "02-30", "2026-02-29", "2026/01/01", "12-25 "])
def test_what_is_not_a_day_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is not a day"):
        parse_closed(text)


def test_leap_day_is_a_day() -> None:
    assert parse_closed("02-29") == "02-29"
    assert to_utc("2026-11-23T12:00") == at("2026-11-23T13:00")


def to_utc(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))
