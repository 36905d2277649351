"""Where the rules of facilities draw their lines: just below nothing is said, just above it is, and how it ends."""

from typing import Any

import numpy as np
import pytest

from anomaly.facilities import heating, pattern, repeats, water
from anomaly.facilities import layout as c
from anomaly.facilities.device_oracle import Event, Row
from city.clock import DAY_US, HOUR_US, MINUTE_US
from tests.anomaly.facilities.test_device_oracle import START, judge

QUARTER = 15 * MINUTE_US


def one(role: int, **fixed: float) -> tuple[Any, Any, Any, Any]:
    """Return the columns of a device with one series."""
    device, series = np.zeros(1, c.DEVICE), np.zeros(1, c.SERIES)
    told = {
        "interval_us": QUARTER, "co2_us": 30 * MINUTE_US, "hot_water_us": 30 * MINUTE_US, "cold_room_us": 2 * HOUR_US,
        "pattern_us": 14 * DAY_US, "co2_ppm": 1_000.0, "hot_water_deg_c": 50.0, "cold_room_deg_c": -15.0,
        "leak_ratio": 1.5, "leak_nights": 3, "indoor": -1, "power": -1, "hours": 1, "first": 0, "last": 1,
    }  # fmt: skip
    for name, value in {**told, **fixed}.items():
        device[name] = value
    series["role"], series["top"] = role, 1e300
    return device, np.zeros(1, c.DEVICE_STATE), series, np.zeros(1, c.SERIES_STATE)


def told(values: list[float], role: int, opened: int = c.OPEN, step: int = QUARTER) -> list[tuple[float, Event]]:
    """Return what is told of a course that begins at midnight, with the hour of each; noise keeps it from repeating."""
    rows = []
    for n, value in enumerate(values):
        at = START + n * step
        rows.append(Row(0, 0, at, at // DAY_US, at % DAY_US // QUARTER, 0, opened, value + n % 2 * 1e-6, np.nan))
    events, _ = judge(rows, one(role), np.zeros((2, c.CLASSES)))
    return [((event.at - START) / HOUR_US, event) for event in events]


# ------------------------------------------------------------ limits


@pytest.mark.parametrize(("hours", "found"), [(1.75, []), (2.0, [2.0 + 1.0])])
def test_a_cold_room_is_told_once_it_was_too_warm_for_two_hours(hours: float, found: list[float]) -> None:
    warm = int(hours * 4) + 1
    events = told([-20.0] * 4 + [-10.0] * warm + [-20.0] * 4, c.COLD_ROOM)
    assert [at for at, event in events if not event.clear] == found


def test_a_cold_room_is_well_after_two_quiet_hours_and_each_warm_reading_begins_them_anew() -> None:
    course = [-10.0] * 12 + [-20.0] * 7 + [-10.0] + [-20.0] * 12
    ((_, opened), (at, ended)) = told(course, c.COLD_ROOM)
    assert (opened.clear, ended.clear) == (0, 1)
    # Twenty readings up to the last warm one; each quiet one counts the quarter of an hour before it.
    assert at == (20 + 7) / 4
    assert ended.until == START + 20 * QUARTER


@pytest.mark.parametrize(("opened", "hours"), [(c.OPEN, 6.0), (c.UNKNOWN, 24.0)])
def test_bad_air_ends_after_hours_with_people_or_a_day_where_nobody_knows(opened: int, hours: float) -> None:
    events = told([1_500.0] * 5 + [500.0] * 120, c.CO2, opened)
    (ended,) = [at for at, event in events if event.clear]
    assert ended == 1.0 + hours


# ------------------------------------------------------------ counters and repeats


@pytest.mark.parametrize(("fall", "found"), [(0.009, 0), (0.011, 1)])
def test_a_counter_that_falls_by_a_hundredth_twice_in_a_day_begins_again(fall: float, found: int) -> None:
    level = 10_000.0
    course = [level] * 4 + [level * (1 - fall)] * 4 + [level * (1 - fall) ** 2] * 110
    events = told(course, c.COUNTER)
    assert len([event for _, event in events if not event.clear]) == found
    assert [at for at, event in events if event.clear] == [2.0 + 24.0] * found


@pytest.mark.parametrize(("hours", "found"), [(24, 1), (24.25, 0)])
def test_two_falls_more_than_a_day_apart_are_two_new_meters(hours: float, found: int) -> None:
    course = [1_000.0] * 4 + [500.0] * int(hours * 4) + [100.0] * 8
    assert len(told(course, c.COUNTER)) == found


def runs(before: int) -> tuple[Any, int]:
    """Return a series that repeated itself once for so long, and how many repeats then make it stuck."""
    state = np.zeros(1, c.SERIES_STATE)
    state["begin_share"], state["run_length"] = 0.02, 1.5
    for n in range(300):
        again = before if n == 50 else 0
        for _ in range(again):
            repeats.take(state[0], True, 0, 0, 0.001, 0.1, True)
        repeats.take(state[0], False, 0, 0, 0.001, 0.1, True)
    run = 0
    while not (state["chance"][0] < 1e-9 and state["run"][0] > 2 * state["longest"][0] and state["run"][0]):
        repeats.take(state[0], True, 0, 0, 0.001, 0.1, True)
        run += 1
    return state[0], run


@pytest.mark.parametrize("before", [0, 12])
def test_a_series_is_stuck_beyond_chance_and_twice_its_longest_run(before: int) -> None:
    _, run = runs(before)
    rng = np.random.default_rng(3)
    course = [50.0 + n + round(float(rng.random()), 3) for n in range(300)]
    course[50:50] = [course[50]] * before
    rows = []
    for n, value in enumerate(course + [777.0] * 60):
        at = START + n * QUARTER
        rows.append(Row(0, 0, at, at // DAY_US, at % DAY_US // QUARTER, 0, c.OPEN, value, np.nan))
    ((event),) = judge(rows, one(c.NONE), np.zeros((2, c.CLASSES)))[0]
    assert event.fault == c.STUCK
    assert (event.at - START) // QUARTER - len(course) == pytest.approx(run, abs=1)
    assert run > 2 * before


@pytest.mark.parametrize(("changes", "ended"), [(3, 0), (4, 1)])
def test_a_stuck_device_has_to_change_four_times(changes: int, ended: int) -> None:
    device, states, series, found = one(c.NONE, last=2)
    series, found = np.repeat(series, 2), np.repeat(found, 2)
    series["device"] = 0
    values = [float(n) for n in range(60)] + [99.0] * 20 + [float(n) for n in range(changes)]
    rows = []
    for n, value in enumerate(values):
        at = START + n * QUARTER
        rows += [Row(0, k, at, at // DAY_US, at % DAY_US // QUARTER, 0, c.OPEN, value + k, np.nan) for k in (0, 1)]
    events, _ = judge(rows, (device, states, series, found), np.zeros((2, c.CLASSES)))
    assert [event.clear for event in events] == [0, 1][: 1 + ended]


# ------------------------------------------------------------ habits


class Habit:
    """A series whose habit is learnt at four moments of the day."""

    def __init__(self, days: int = 30, noise: float = 1.0) -> None:
        self.fixed, self.states = np.zeros(1, c.SERIES), np.zeros(1, c.SERIES_STATE)
        self.fixed["floor"] = 0.5
        self.at, self.rng, self.noise = START, np.random.default_rng(8), noise
        for _ in range(4 * days):
            self.meet(20.0)

    @property
    def state(self) -> Any:
        return self.states[0]

    def meet(self, value: float, shared: float = 0.0, gap: bool = False, noise: bool = True) -> float:
        self.at += DAY_US // 4
        slot = self.at % DAY_US // QUARTER
        value += float(self.rng.normal()) * self.noise if noise else 0.0
        known = shared, np.nan, False, True, True, False, pattern.AMISS_SLOTS
        return float(pattern.meet(self.fixed[0], self.state, self.at, gap, 0, slot, c.OPEN, value, *known))


@pytest.mark.parametrize(("share", "bad"), [(0.35, 1), (0.45, 0)])
def test_what_four_tenths_of_all_buildings_have_in_common_explains_it(share: float, bad: int) -> None:
    habit = Habit()
    for _ in range(8):
        habit.meet(60.0, shared=40.0 * share, noise=False)
        if bad == 0:
            assert habit.state["bad"] == 0
    assert habit.state["bad"] == bad


def test_what_is_out_of_pattern_for_a_fortnight_is_how_things_are_now() -> None:
    habit = Habit()
    days = []
    for n in range(120):
        habit.meet(60.0)
        days += [n / 4] if habit.state["bad"] else []
    assert days[-1] > 14
    assert days[-1] < 22
    assert abs(float(habit.state["expected"]) - 60.0) < 5.0


def test_for_a_day_after_a_gap_nothing_is_out_of_pattern() -> None:
    habit = Habit()
    habit.at += 3 * DAY_US
    habit.meet(20.0, gap=True)
    assert int(habit.state["back_at"]) == habit.at
    assert pattern.SETTLE_US == DAY_US
    for _ in range(4):
        assert habit.state["bad"] == 0
        habit.meet(60.0)
    for _ in range(8):
        habit.meet(60.0)
    assert habit.state["bad"] == 1


@pytest.mark.parametrize(("z", "amiss"), [(1.8, False), (2.3, True)])
def test_what_is_habitual_within_the_hour_is_not_far_out(z: float, amiss: bool) -> None:
    habit = Habit()
    s, before = habit.state, habit.states.copy()
    units = habit.meet(21.0, noise=False)
    unit = float(s["raw"]) / units
    habit.states[:] = before
    habit.at -= DAY_US // 4
    beside = (habit.at + DAY_US // 4) % DAY_US // QUARTER + 2
    s["seen"][beside], s["base"][beside] = 5, 80.0
    met = habit.meet(21.0 - units * unit + z * unit, noise=False)
    assert (abs(met) < 0.2) == amiss


def test_a_pattern_is_left_and_found_again_with_six_of_eight_calm() -> None:
    habit = Habit(noise=0.2)
    while habit.state["bad"] == 0:
        habit.meet(40.0)
    calm = 0
    while habit.state["bad"] != 0:
        assert habit.meet(20.0) < pattern.CALM_Z == 2.5
        calm += 1
    assert calm == 6


# ------------------------------------------------------------ water


def nights(levels: list[float]) -> list[int]:
    """Return what each night with such a flow tells."""
    state, found = np.zeros(1, c.SERIES_STATE), []
    state["hour"] = -1
    for number, level in enumerate(levels):
        for slot in range(96):
            at = (20_000 + number) * DAY_US + slot * QUARTER
            result = water.flow(state[0], at, 20_000 + number, slot, level, 0.0, 1.5, 3)[0]
            found += [result] if slot == 20 else []
    return found


@pytest.mark.parametrize(("z", "leak"), [(2.7, False), (3.3, True)])
def test_a_night_of_restless_water_has_to_stand_out_by_three_units(z: float, leak: bool) -> None:
    usual = [1.0] * 7 + [0.5, 1.5] * 10
    noise = 1.4826 * 0.5 + 0.02 + 0.002
    assert (1 in nights([*usual, *[1.0 + z * noise] * 3])) == leak


def test_a_flow_that_stays_higher_is_admitted_after_a_fortnight_and_becomes_usual() -> None:
    found = nights([1.0] * 28 + [3.0] * 40)
    runs_ = [n - 28 for n, one_ in enumerate(found) if one_ == 1]
    assert runs_[0] == 2
    assert 14 < runs_[-1] < 32
    assert found[-1] == 0


# ------------------------------------------------------------ heating or waste


def rooms(excess: float = 0.0, expected: float = 1_000.0, warm: float = 20.0, value: float = 0.0) -> Any:
    """Return a device with a room and a meter whose last four readings were so much above what was expected."""
    device, state, states = np.zeros(1, c.DEVICE), np.zeros(1, c.DEVICE_STATE), np.zeros(2, c.SERIES_STATE)
    device["indoor"], device["power"], device["hours"], device["last"] = 0, 1, 1, 2
    room, meter = states[0], states[1]
    room["warm"], room["expected"], room["value"], room["observed_at"] = warm, 15.0, value, START
    room["shown_at"] = START
    meter["filled"], meter["bad"] = 4, int(excess > 0)
    meter["residual"][4:], meter["awaited"][4:] = excess, expected
    meter["seen"][40], meter["base"][40] = 9, 20_000.0
    state["closed_run"] = 6
    return device[0], state[0], states


@pytest.mark.parametrize(("excess", "name"), [(149.0, c.HEATING), (151.0, c.ENERGY_PATTERN)])
def test_what_grows_by_half_from_night_to_day_is_waste(excess: float, name: int) -> None:
    device, state, states = rooms(excess)
    state["closed_excess"], state["closed_run"] = 100.0, -6
    assert heating.judge(device, state, states, START, c.OPEN)[1] == name


@pytest.mark.parametrize(("excess", "name"), [(890.0, heating.SILENT), (910.0, c.HEATING)])
def test_what_nearly_doubles_the_load_of_a_night_is_a_plant_left_on(excess: float, name: int) -> None:
    device, state, states = rooms(excess, warm=16.0)
    assert heating.judge(device, state, states, START, c.CLOSED)[1] == name


@pytest.mark.parametrize(("hours", "name"), [(23.9, heating.SILENT), (24.1, c.ENERGY_PATTERN)])
def test_too_much_power_is_told_after_a_day_whatever_it_is(hours: float, name: int) -> None:
    device, state, states = rooms(300.0, warm=16.0)
    state["held_since"] = START - int(hours * HOUR_US)
    assert heating.judge(device, state, states, START, c.NEAR)[1] == name


@pytest.mark.parametrize(("over", "name"), [(1.4, c.HEATING), (1.6, c.TEMPERATURE_PATTERN)])
def test_a_room_much_warmer_than_by_day_is_hot_and_not_heated(over: float, name: int) -> None:
    device, state, states = rooms(300.0, value=20.0 + over)
    states[0]["bad"] = 1
    assert heating.judge(device, state, states, START, c.CLOSED)[0] == name


@pytest.mark.parametrize(("share", "name"), [(0.19, heating.SILENT), (0.21, c.HEATING)])
def test_a_warm_room_is_heated_once_its_meter_shows_a_fifth_more(share: float, name: int) -> None:
    device, state, states = rooms(1_000.0 * share, value=20.0)
    states[0]["bad"], states[1]["bad"] = 1, 0
    assert heating.judge(device, state, states, START, c.CLOSED)[0] == name


@pytest.mark.parametrize(("hours", "name"), [(5.9, heating.SILENT), (6.1, c.TEMPERATURE_PATTERN)])
def test_a_warm_room_waits_six_hours_for_its_meter(hours: float, name: int) -> None:
    device, state, states = rooms(0.0, value=20.0)
    states[0]["bad"], states[0]["shown_at"] = 1, START - int(hours * HOUR_US)
    assert heating.judge(device, state, states, START, c.CLOSED)[0] == name


def test_a_room_tells_nothing_in_the_first_hour_after_closing() -> None:
    device, state, states = rooms(300.0, value=20.0)
    states[0]["bad"], state["closed_run"] = 1, 0
    names = [heating.judge(device, state, states, START, c.NEAR)[1] for _ in range(4)]
    assert names == [heating.SILENT, heating.SILENT, heating.SILENT, c.HEATING]
