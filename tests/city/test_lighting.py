"""Lighting schedules: what lamps are commanded to do at any moment."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.clock import DAY_US, HOUR_US, MINUTE_US, from_datetime
from city.lighting import LightingSchedule
from city.sun import elevation_deg

SCHEDULE = LightingSchedule("sun", 43.54, -5.66, -3.0)
NOON = from_datetime(datetime(2026, 11, 23, 12, tzinfo=UTC))


@settings(deadline=None)
@given(st.integers(0, 370 * 24 * 60))
def test_lamps_burn_while_the_sun_is_low(minute: int) -> None:
    at = NOON + minute * MINUTE_US
    elevation = elevation_deg(np.array([at]), SCHEDULE.lat, SCHEDULE.lon)[0]
    if abs(elevation + 3.0) > 0.02:
        assert SCHEDULE.commanded_on(at) == (elevation < -3.0)


def test_a_period_begins_with_its_first_instant_and_ends_before_its_last() -> None:
    on, off = SCHEDULE.periods(NOON, NOON + DAY_US)
    assert SCHEDULE.commanded_on(int(on[0]))
    assert not SCHEDULE.commanded_on(int(on[0]) - 1)
    assert SCHEDULE.commanded_on(int(off[0]) - 1)
    assert not SCHEDULE.commanded_on(int(off[0]))


@settings(deadline=None)
@given(st.integers(0, 400 * 24))
def test_the_next_on_is_the_first_that_is_later(hour: int) -> None:
    at = NOON + hour * HOUR_US
    following = SCHEDULE.next_on(at)
    assert following is not None
    assert at < following <= at + 26 * HOUR_US
    assert not SCHEDULE.commanded_on(following - 1)
    assert SCHEDULE.commanded_on(following)


def test_a_schedule_that_never_switches_on_has_no_next() -> None:
    assert LightingSchedule("day", 43.54, -5.66, -80.0).next_on(NOON) is None


@pytest.mark.parametrize(("minutes", "near"), [(-16, False), (-14, True), (0, True), (14, True), (16, False)])
def test_transitions_are_near_on_both_sides(minutes: int, near: bool) -> None:
    on, off = SCHEDULE.periods(NOON, NOON + DAY_US)
    for edge in (int(on[0]), int(off[0])):
        assert SCHEDULE.near_transition(edge + minutes * MINUTE_US) is near


@settings(deadline=None)
@given(st.integers(0, 3 * 64 * 24), st.integers(1, 100 * 24))
def test_blocks_of_the_cache_do_not_show(hour: int, length: int) -> None:
    start = NOON + hour * HOUR_US
    on, off = SCHEDULE.periods(start, start + length * HOUR_US)
    assert np.all(on[1:] > off[:-1])
    assert all(SCHEDULE.commanded_on(int(edge)) for edge in on)


PART_NIGHT = LightingSchedule("part", 43.54, -5.66, -3.0, ((60, 50), (360, 100), (1410, 70)), "Europe/Madrid")


def test_a_part_night_schedule_dims_by_local_time() -> None:
    def level(hour: int, minute: int) -> int:
        """Return the level at a UTC time of that night; Madrid is an hour ahead in winter."""
        return PART_NIGHT.dimming_level(from_datetime(datetime(2026, 11, 23 + (hour < 12), hour, minute, tzinfo=UTC)))

    assert [level(15, 0), level(18, 0), level(22, 29), level(22, 30)] == [0, 100, 100, 70]
    assert [level(23, 59), level(0, 0), level(4, 59), level(5, 0), level(9, 0)] == [70, 50, 50, 100, 0]


def test_a_schedule_without_steps_burns_in_full() -> None:
    night = from_datetime(datetime(2026, 11, 24, 2, tzinfo=UTC))
    assert SCHEDULE.dimming_level(night) == 100
    assert SCHEDULE.dimming_level(night + 10 * HOUR_US) == 0


def test_a_schedule_travels_as_json() -> None:
    assert LightingSchedule.from_plain(json.loads(json.dumps(asdict(PART_NIGHT)))) == PART_NIGHT


def test_levels_cut_each_night_where_the_command_changes() -> None:
    dimmed = replace(SCHEDULE, dimming=((60, 50), (360, 100), (1410, 70)), timezone="Europe/Madrid")
    (on,), (off,) = dimmed.periods(NOON, NOON + DAY_US)
    midnight = from_datetime(datetime(2026, 11, 23, 23, tzinfo=UTC))  # in Madrid
    cuts = [midnight - 30 * MINUTE_US, midnight + HOUR_US, midnight + 6 * HOUR_US]
    assert list(dimmed.levels(NOON, NOON + DAY_US)) == [
        (on, cuts[0], 100),
        (cuts[0], cuts[1], 70),
        (cuts[1], cuts[2], 50),
        (cuts[2], off, 100),
    ]


@settings(deadline=None)
@given(st.integers(0, 370 * 24 * 60), st.integers(1, 3 * 24 * 60))
def test_levels_agree_with_the_command_of_each_moment(minute: int, length: int) -> None:
    dimmed = replace(SCHEDULE, dimming=((60, 50), (360, 100), (1410, 70)), timezone="Europe/Madrid")
    start = NOON + minute * MINUTE_US
    for since, until, level in dimmed.levels(start, start + length * MINUTE_US):
        assert dimmed.dimming_level(since) == dimmed.dimming_level(until - 1) == level


def test_levels_without_dimming_are_the_nights_in_full() -> None:
    on, off = SCHEDULE.periods(NOON, NOON + 2 * DAY_US)
    assert list(SCHEDULE.levels(NOON, NOON + 2 * DAY_US)) == [(a, b, 100) for a, b in zip(on, off, strict=True)]
