"""What changes for good, comes late, or is no change at all: meters, clocks, cadences, gaps; one of each."""

import math
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from anomaly.statistics.cells import hours_of_week
from anomaly.statistics.layout import CHANNELS, STATE
from anomaly.statistics.tickets import CLOSED, EVENT, OPENED, WATCH, TicketRules, watch_rows
from city.clock import DAY_US, HOUR_US, MINUTE_US, from_datetime
from tests.anomaly.statistics.series import QUARTER_US, START, daily, judge, quarters

ZONE = "Europe/Madrid"
Said = list[tuple[int, float, str]]
"""(kind, days since the first reading, channel)"""


def play(at: NDArray[np.int64], value: NDArray[np.float64]) -> Said:
    """Judge one series as production does, each reading before the next is scored; openings and ends."""
    states, watches, events = np.zeros(1, STATE), np.zeros(1, WATCH), np.zeros(1, EVENT)
    row, rules = np.zeros(1, np.int32), TicketRules().row()
    cell = hours_of_week(at, ZONE)
    told = []
    for j in range(len(value)):
        one = judge(at[j : j + 1], value[j : j + 1], states, cell=cell[j : j + 1])
        if watch_rows(row, at[j : j + 1], one.score, np.isfinite(one.expected), watches, states, rules, events):
            kind = int(events["kind"][0])
            if kind in (OPENED, CLOSED):
                told.append((kind, (int(at[j]) - int(at[0])) / DAY_US, CHANNELS[int(one.channel[0])]))
    return told


def kinds(told: Said) -> list[int]:
    return [kind for kind, _, _ in told]


def test_a_meter_whose_gain_changes_is_told_once_and_becomes_normal() -> None:
    value = daily(70 * 96, 31)
    value[40 * 96 :] *= 1.6
    told = play(quarters(70 * 96), value)
    assert kinds(told) == [OPENED, CLOSED]
    assert 40 <= told[0][1] < 40.5
    assert told[1][1] < 60


def test_a_counter_that_begins_again_is_told_at_most_once_and_goes_on() -> None:
    n = 60 * 96
    value = 1_000 + np.cumsum(np.abs(np.random.default_rng(32).normal(1.0, 0.2, n)))
    value[30 * 96 :] -= value[30 * 96]
    told = play(quarters(n), value)
    assert kinds(told) in ([], [OPENED], [OPENED, CLOSED])
    assert all(day >= 29.9 for kind, day, _ in told if kind == OPENED)


@pytest.mark.parametrize("change", [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)])
def test_when_the_clocks_change_the_season_changes_with_them(change: datetime) -> None:
    n = 50 * 96
    at = from_datetime(change) - 35 * DAY_US + QUARTER_US * np.arange(n)
    hour = hours_of_week(at, ZONE) % 24
    value = np.where((hour >= 8) & (hour < 18), 50.0, 10.0) + np.random.default_rng(33).normal(0.0, 1.0, n)
    assert play(at, value) == []


def test_readings_at_irregular_times_are_judged_as_regular_ones() -> None:
    rng = np.random.default_rng(34)
    step = rng.choice([5, 10, 15, 15, 30, 60], 60 * 96) * MINUTE_US
    at = START + np.cumsum(step.astype(np.int64))
    hours = (at - START) / HOUR_US
    value = 100 + 30 * np.sin(2 * np.pi * hours / 24) + 2 * rng.standard_normal(len(at))
    assert play(at, value) == []
    value[at >= START + 40 * DAY_US] += 30.0
    told = play(at, value)
    assert kinds(told[:1]) == [OPENED]
    assert 39.9 <= told[0][1] < 40.5


def test_a_device_that_speaks_less_often_from_now_on_has_no_gap_each_time() -> None:
    n = 40 * 96
    at = quarters(n)
    at[20 * 96 :] = at[20 * 96] + 3 * HOUR_US * np.arange(n - 20 * 96)
    hours = (at - START) / HOUR_US
    value = 100 + 30 * np.sin(2 * np.pi * hours / 24) + 2 * np.random.default_rng(35).standard_normal(n)
    states = np.zeros(1, STATE)
    judge(at[: 20 * 96 + 300], value[: 20 * 96 + 300], states)
    assert float(states["interval_s"][0]) > 3_600
    assert int(states["hold_until"][0]) < at[20 * 96 + 300]
    late = int(np.searchsorted(at, at[20 * 96] + 40 * DAY_US))
    value[late:] += 60.0
    told = play(at[: late + 80], value[: late + 80])
    assert kinds(told[:1]) == [OPENED]
    assert 60 <= told[0][1] < 62


def test_what_is_not_a_number_is_passed_over_and_takes_nothing_away() -> None:
    value = daily(60 * 96, 36)
    value[np.random.default_rng(36).random(60 * 96) < 0.2] = math.nan
    assert play(quarters(60 * 96), value) == []
    value[40 * 96 :] += 20.0
    told = play(quarters(60 * 96), value)
    assert kinds(told[:1]) == [OPENED]
    assert 40 <= told[0][1] < 40.5


def test_after_a_month_of_silence_another_season_is_found_anew_and_not_told() -> None:
    value, at = daily(70 * 96, 37), quarters(70 * 96)
    at[35 * 96 :] += 30 * DAY_US
    value[35 * 96 :] += 25.0
    assert play(at, value) == []
    value[60 * 96 :] += 25.0
    assert kinds(play(at, value)[:1]) == [OPENED]


@pytest.mark.parametrize(("readings", "expected"), [(8, []), (96, [OPENED, CLOSED])])
def test_a_value_that_stands_still_is_told_after_hours_and_not_before(readings: int, expected: list[int]) -> None:
    value = daily(50 * 96, 38)
    value[40 * 96 : 40 * 96 + readings] = value[40 * 96]
    told = play(quarters(50 * 96), value)
    assert kinds(told) == expected


def test_dry_spells_of_rain_are_no_stuck_sensor_once_one_was_seen() -> None:
    rng = np.random.default_rng(39)
    parts: list[NDArray[np.float64]] = []
    for spell in range(24):
        dry = 20 * 24 if spell % 6 == 1 else int(rng.integers(20, 150))
        parts += [np.zeros(dry), rng.exponential(2.0, 12).round(1)]
    value = np.concatenate(parts)
    at = START + HOUR_US * np.arange(len(value), dtype=np.int64)
    second = int(np.flatnonzero(np.cumsum(value == 0.0) >= 700)[0])
    told = play(at, value)
    assert [day for kind, day, channel in told if kind == OPENED and channel == "stuck" and day > second / 24] == []


def test_a_back_log_gives_what_live_readings_give_however_it_is_cut() -> None:
    value, at = daily(50 * 96, 40), quarters(50 * 96)
    value[40 * 96 :] += 30.0
    cell = hours_of_week(at, ZONE)
    whole: list[Any] = []
    for cuts in ([0, len(value)], [0, 37, 41 * 96 + 5, len(value)]):
        states = np.zeros(1, STATE)
        whole.append([judge(at[a:b], value[a:b], states, cell=cell[a:b]).score for a, b in pairwise(cuts)])
    np.testing.assert_array_equal(np.concatenate(whole[0]), np.concatenate(whole[1]))
