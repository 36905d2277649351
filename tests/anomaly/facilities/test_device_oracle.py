"""Whole devices through the kernels and through plain Python, bit by bit: names, ends and what buildings share."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.facilities import device_oracle, kernels
from anomaly.facilities import layout as c
from anomaly.facilities.device_oracle import Row
from city.clock import DAY_US, HOUR_US, MINUTE_US

START = 20_000 * DAY_US
ROLES = (
    c.INDOOR, c.HUMIDITY, c.POWER, c.CO2, c.HOT_WATER, c.COLD_ROOM, c.FLOW, c.COUNTER, c.GENERAL, c.TEMPERATURE, c.NONE,
)  # fmt: skip
LEVEL = (20.0, 45.0, 9_000.0, 600.0, 60.0, -19.0, 2.0, 1_000.0, 50.0, 27.0, 5.0)
NOISE = (0.2, 1.0, 200.0, 15.0, 0.5, 0.4, 0.1, 0.0, 1.0, 0.1, 1.0)
FLOOR = (0.15, 1.0, 50.0, 8.0, 0.0, 0.0, 0.05, 0.0, 1.0, 0.15, 0.0)
INDOOR_AT, POWER_AT, FLOW_AT, COUNTER_AT = 0, 2, 6, 7
STEP_US = 2 * HOUR_US
"""Twelve moments a day: each is habitual within a few days, and a test sees months."""

ODD = st.one_of(
    st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1e15, -1e15, 1e300, 1e-300, 5.0]),
    st.floats(-60.0, 60.0),
    st.floats(),
)


def columns(devices: int, hours: bool = True) -> tuple[Any, Any, Any, Any]:
    fixed, series = np.zeros(devices, c.DEVICE), np.zeros(devices * len(ROLES), c.SERIES)
    for number in range(devices):
        first = number * len(ROLES)
        fixed[number] = (
            STEP_US, 30 * MINUTE_US, 30 * MINUTE_US, 2 * HOUR_US, 3 * DAY_US, 1_000.0, 50.0, -15.0, 1.5, 3,
            first + INDOOR_AT, first + POWER_AT, hours, first, first + len(ROLES), 0,
        )  # fmt: skip
        for k, role in enumerate(ROLES):
            series[first + k] = (number, role, role == c.POWER, FLOOR[k], 1e300)
    return fixed, np.zeros(devices, c.DEVICE_STATE), series, np.zeros(len(series), c.SERIES_STATE)


def moment(at: int) -> tuple[int, int, int, int]:
    """Return day, slot, kind of day and what the facility is, by UTC."""
    day, slot = at // DAY_US, at % DAY_US // (15 * MINUTE_US)
    weekend = (day + 3) % 7 >= 5
    hour = slot // 4
    opened = c.OPEN if 8 <= hour < 18 and not weekend else (c.NEAR if 6 <= hour < 22 and not weekend else c.CLOSED)
    return day, slot, int(weekend), opened


@dataclass(frozen=True)
class Course:
    """What one device does: from `onset` on, some series are elsewhere by `shift` spreads, or stuck."""

    seed: int
    shift: tuple[float, ...]
    onset: int
    lasts: int
    stuck: bool


def course(number: int, messages: int, plan: Course, clock: int) -> list[Row]:
    """Return a device's history; its clock is changed by an hour at the message `clock`."""
    rng = np.random.default_rng(plan.seed)
    rows, last = [], [0.0] * len(ROLES)
    for n in range(messages):
        at = START + n * STEP_US + number
        local = at + (HOUR_US if n >= clock else 0)
        day, slot, kind, opened = moment(local)
        out = plan.onset <= n < plan.onset + plan.lasts
        for k in range(len(ROLES)):
            value = LEVEL[k] + (n if k == COUNTER_AT else 0.0)
            people = (20.0 if k == INDOOR_AT else 8.0) if opened == c.OPEN else 0.0
            value += people * NOISE[k] + round(float(rng.normal()) * NOISE[k], 2)
            value += plan.shift[k % len(plan.shift)] * NOISE[k] if out else 0.0
            value = last[k] if out and plan.stuck else value
            last[k] = value
            outside = math.nan if n % 7 == 0 else 3.0 * math.sin(n / 20.0)
            rows.append(Row(number, number * len(ROLES) + k, at, day, slot, kind, opened, value, outside))
    return rows


PLANS = st.builds(
    Course,
    seed=st.integers(0, 999),
    shift=st.lists(st.floats(-60.0, 60.0), min_size=1, max_size=5).map(tuple),
    onset=st.integers(60, 160),
    lasts=st.sampled_from([0, 6, 12, 40, 400]),
    stuck=st.booleans(),
)
LATER = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from([STEP_US, STEP_US, STEP_US, 15 * MINUTE_US, 0, -HOUR_US, DAY_US, 20 * DAY_US]),
        st.lists(st.tuples(st.integers(0, len(ROLES) - 1), ODD), max_size=6),
        st.sampled_from([c.OPEN, c.CLOSED, c.NEAR, c.UNKNOWN]),
        st.sampled_from([math.nan, 0.0, -12.5, 30.0]),
    ),
    max_size=30,
)


def sorted_rows(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row.device, row.at, row.series))


def as_events(events: Any) -> list[device_oracle.Event]:
    names = device_oracle.Event._fields
    return [device_oracle.Event(*(event[name].item() for name in names)) for event in events]


def judge(rows: list[Row], held: tuple[Any, Any, Any, Any], common: Any) -> tuple[list[device_oracle.Event], int]:
    fixed, states, series, found = held
    arrays = list(zip(*rows, strict=True)) if rows else [()] * len(Row._fields)
    kinds = (np.int32, np.int32, np.int64, np.int64, np.int32, np.int32, np.int32, np.float64, np.float64)
    columns_ = [np.array(one, kind) for one, kind in zip(arrays, kinds, strict=True)]
    events = np.zeros((2 + c.FAULTS) * max(len(rows), 1), c.EVENT)
    n, late = kernels.judge_rows(*columns_, fixed, states, series, found, common, events)
    return as_events(events[:n]), late


def same_state(held: tuple[Any, Any, Any, Any], devices: list[device_oracle.Device]) -> None:
    _, states, _, found = held
    for state, device in zip(states, devices, strict=True):
        for name in (
            "heard_at", "zone", "zone_at", "changes", "opened", "closed_run", "held_since", "closed_excess",
            "open_excess",
        ):  # fmt: skip
            assert state[name] == getattr(device, name), name
        for fault in range(c.FAULTS):
            assert state["since"][fault] == device.since.get(fault, 0)
            assert state["first_bad"][fault] == device.first_bad.get(fault, 0)
            if fault in device.since:
                assert state["quiet_us"][fault] == device.quiet.get(fault, (0, 0))[0]
        for number, one in device.channels.items():
            s = found[number]
            assert (s["value"], s["observed_at"], s["warm"]) == (one.value, one.observed_at, one.warm)
            assert (s["expected"], s["raw"], s["bad"]) == (one.habit.expected, one.habit.raw, one.habit.bad)
            if one.heard:
                assert (s["run"], s["chance"], s["n"]) == (one.runs.run, one.runs.chance, one.runs.n)


def assert_same(rows: list[Row], devices: int, hours: bool, cuts: tuple[int, ...] = ()) -> list[device_oracle.Event]:
    """Judge rows by both, in pieces between `cuts` of whole moments, sharing what buildings have in common."""
    held = columns(devices, hours)
    plain = device_oracle.of_rows(held[0], held[2])
    common = np.zeros((2, c.CLASSES))
    told: list[device_oracle.Event] = []
    moments = sorted({row.at for row in rows})
    edges = [moments[cut % len(moments)] for cut in cuts if moments]
    for low, high in zip([-(1 << 62), *sorted(edges)], [*sorted(edges), 1 << 62], strict=True):
        piece = sorted_rows([row for row in rows if low <= row.at < high])
        fast = judge(piece, held, common)
        slow = device_oracle.judge_rows(piece, plain, common.tolist())
        assert fast == slow
        same_state(held, plain)
        told += fast[0]
        now = max([row.at for row in piece], default=0)
        together = device_oracle.share(now, plain)
        kernels.share(now, held[1], held[2], held[3], common)
        assert common.tolist() == together
    return told


@settings(max_examples=40, deadline=None)
@given(
    plans=st.lists(PLANS, min_size=1, max_size=2),
    later=LATER,
    clock=st.sampled_from([100, 10_000]),
    hours=st.booleans(),
    cuts=st.lists(st.integers(0, 400), max_size=4).map(tuple),
)
def test_devices_are_judged_as_in_plain_python(
    plans: list[Course], later: list[Any], clock: int, hours: bool, cuts: tuple[int, ...]
) -> None:
    rows = [row for number, plan in enumerate(plans) for row in course(number, 200, plan, clock)]
    at = START + 200 * STEP_US
    for number, step, values, opened, outside in later:
        at += step
        day, slot, kind, _ = moment(max(at, 0))
        number = min(number, len(plans) - 1)
        rows += [
            Row(number, number * len(ROLES) + k, at, day, slot, kind, opened, value, outside) for k, value in values
        ]
    assert_same(rows, len(plans), hours, cuts)


@settings(max_examples=60, deadline=None)
@given(later=LATER)
def test_a_device_that_was_never_heard_is_judged_as_in_plain_python(later: list[Any]) -> None:
    rows, at = [], START
    for number, step, values, opened, outside in later:
        at += step
        day, slot, kind, _ = moment(at)
        rows += [
            Row(number, number * len(ROLES) + k, at, day, slot, kind, opened, value, outside) for k, value in values
        ]
    assert_same(rows, 2, True)


@pytest.mark.parametrize("value", [math.nan, math.inf, 7.0, 0.0])
def test_constants_and_what_is_no_number_are_judged_as_in_plain_python(value: float) -> None:
    rows = [row._replace(value=value) for row in course(0, 120, Course(1, (0.0,), 0, 0, False), 10_000)]
    told = assert_same(rows, 1, True)
    assert {event.fault for event in told} <= ({c.STUCK, c.HOT_WATER_TOO_COLD, c.COLD_ROOM_TOO_WARM})
    if not math.isfinite(value):
        assert told == []


def test_nothing_and_one_reading_are_judged_as_in_plain_python() -> None:
    assert assert_same([], 1, True) == []
    assert assert_same(course(0, 1, Course(1, (0.0,), 0, 0, False), 10_000)[:1], 1, True) == []


def test_the_courses_show_every_fault() -> None:
    told: set[int] = set()
    shifts = (
        (50.0,),
        (-50.0,),
        (30.0, 0.0),
        (0.0, 30.0),
        (0.0, 0.0, 12.0),
        (0.0, 0.0, 60.0),
        (18.0, 0.0, 30.0, 0.0, 0.0),
    )
    for shift in shifts:
        told |= {e.fault for e in assert_same(course(0, 300, Course(3, shift, 180, 60, False), 10_000), 1, True)}
    told |= {e.fault for e in assert_same(course(0, 300, Course(3, (0.0,), 180, 60, True), 10_000), 1, True)}
    falls = [row._replace(value=row.value % 170) if row.series == COUNTER_AT else row
             for row in course(0, 300, Course(3, (0.0,), 0, 0, False), 10_000)]  # fmt: skip
    again = [row._replace(value=1.0) if row.series == COUNTER_AT and row.at // STEP_US % 2 else row for row in falls]
    told |= {e.fault for e in assert_same(again, 1, True)}
    told |= {e.fault for e in assert_same(leaking(), 1, True)}
    assert told == set(range(c.FAULTS))


def leaking() -> list[Row]:
    """Return a device heard each quarter of an hour, as nights need, whose water runs from the twentieth night on."""
    rng, rows = np.random.default_rng(7), []
    for n in range(26 * 96):
        at = START + n * 15 * MINUTE_US
        day, slot, kind, opened = moment(at)
        value = 0.5 + 2.0 * (opened == c.OPEN) + round(float(rng.normal()) * 0.05, 3) + 3.0 * (n >= 20 * 96)
        rows.append(Row(0, FLOW_AT, at, day, slot, kind, opened, value, math.nan))
    return rows
