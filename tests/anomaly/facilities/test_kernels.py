"""The kernels of facilities against plain Python, bit by bit."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.facilities import oracle, pattern, repeats, water, weather
from anomaly.facilities.layout import RING, SERIES, SERIES_STATE
from city.clock import DAY_US, HOUR_US, MINUTE_US

STEP = 15 * MINUTE_US


def columns() -> tuple[Any, Any]:
    return np.zeros(1, SERIES), np.zeros(1, SERIES_STATE)


def same_habit(s: Any, o: oracle.Series) -> None:
    for name in ("expected", "raw", "bad", "bad_since", "bad_until", "shown_at", "learnt_at", "back_at", "doubt"):
        assert s[name] == getattr(o, name), name
    assert (s["top_short"], s["top_long"], s["top_sum"]) == (o.top_short, o.top_long, o.top_sum)
    assert (s["above"], s["above_at"]) == (o.above, o.above_at)
    assert s["offset"].tolist() == o.offset
    for name in ("heed", "heed_weight", "outside"):
        assert s[name].tolist() == getattr(o, name), name
    assert s["spread"].tolist() == o.spread
    assert s["visits"].tolist() == o.visits
    filled, at_ring = int(s["filled"]), int(s["at_ring"])
    order = [(at_ring - 1 - back) % RING for back in range(filled)]
    ring = zip(*(s[name][order].tolist() for name in ("z", "residual", "z_at", "awaited")), strict=True)
    assert list(ring) == o.recent
    for k, (seen, base, deviation) in o.cells.items():
        assert (s["seen"][k], s["base"][k], s["deviation"][k]) == (seen, np.float32(base), np.float32(deviation))
    for slot, drift in o.drift_of.items():
        assert s["drift_of"][slot] == np.float32(drift)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    relative=st.booleans(),
    slots=st.integers(1, 4),
    shift=st.floats(-30, 30),
    step=st.sampled_from([STEP, HOUR_US, 8 * HOUR_US]),
)
def test_a_habit_is_learnt_and_left_as_in_plain_python(
    seed: int, relative: bool, slots: int, shift: float, step: int
) -> None:
    rng = np.random.default_rng(seed)
    fixed, states = columns()
    fixed["floor"], fixed["relative"] = 0.5, relative
    o = oracle.Series(0.5, relative)
    at, level = 1_000 * DAY_US, 100.0
    for _ in range(400):
        at += step * int(rng.choice([1, 1, 1, 1, 60]))
        level = level + shift if rng.random() < 0.02 else level
        value = round(level + rng.normal(), 1)
        moment = oracle.Moment(
            at,
            slot=int(rng.integers(slots)) * 20,
            day_type=int(rng.integers(2)),
            opened=int(rng.integers(4)),
            gap=bool(rng.random() < 0.02),
            shared=float(rng.normal()),
            outside=None if rng.random() < 0.3 else float(rng.normal(0, 4)),
            same=bool(rng.random() < 0.03),
            old=bool(rng.random() < 0.9),
            follow=bool(seed % 2),
            held=bool(rng.random() < 0.03),
            reach=int(rng.choice([pattern.AMISS_SLOTS, pattern.CHANGED_SLOTS])),
        )
        m = moment
        when = m.gap, m.day_type, m.slot, m.opened
        outside = np.nan if m.outside is None else m.outside
        known = m.shared, outside, m.same, m.old, m.follow, m.held, m.reach
        z = pattern.meet(fixed[0], states[0], at, *when, value, *known)
        assert z == oracle.meet(o, moment, value)
        same_habit(states[0], o)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.tuples(st.booleans(), st.booleans()), max_size=120),
    begin_min=st.sampled_from([0.001, 0.005]),
    go_on_min=st.sampled_from([0.01, 0.1]),
)
def test_runs_are_counted_as_in_plain_python(
    values: list[tuple[bool, bool]], begin_min: float, go_on_min: float
) -> None:
    _, states = columns()
    states["begin_share"], states["run_length"] = 0.02, 1.5
    o = oracle.Runs(0.02, 1.5)
    for at, (same, learn) in enumerate(values):
        repeats.take(states[0], same, at + 1, at, begin_min, go_on_min, learn)
        o.take(same, at, begin_min, go_on_min, learn)
        for name in ("begin_share", "run_length", "run", "longest", "n", "chance", "changed_at"):
            assert states[0][name] == getattr(o, name), name


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    usual=st.sampled_from([-0.1, 0.0, 3.0, 40.0]),
    leak=st.floats(0, 60),
    lost=st.sampled_from([0.0, 0.1, 0.6]),
)
def test_nights_of_water_are_compared_as_in_plain_python(seed: int, usual: float, leak: float, lost: float) -> None:
    rng = np.random.default_rng(seed)
    _, states = columns()
    states["hour"] = -1
    o = oracle.Water()
    first = int(rng.integers(10, 35))
    for number in range(45 * 24):
        day, slot = 20_000 + number // 24, number % 24 * 4 + int(rng.integers(4))
        if rng.random() < lost:
            continue
        running = leak if first <= day - 20_000 < first + 5 else 0.0
        value = round(usual + running + rng.normal() * 0.3, 2)
        at = day * DAY_US + slot * STEP
        told = water.flow(states[0], at, day, slot, value, value - usual, 1.5, 3)
        assert told == oracle.flow(o, at, day, slot, value, value - usual, 1.5, 3)
        for name in ("drift", "hour", "night_day", "night_at", "leak_at", "night_run", "night_z"):
            assert states[0][name] == getattr(o, name), name
        assert states[0]["night"][: len(o.nights)].tolist() == o.nights


@settings(max_examples=60, deadline=None)
@given(
    nights=st.lists(
        st.lists(
            st.tuples(
                st.sampled_from([4, 7, 8, 8, 12, 12, 16, 16, 19, 20, 40]),
                st.sampled_from([0.0, -0.0, 3.0, 3.0, 1e15, -1e15, 1e-300]) | st.floats(-5.0, 50.0),
            ),
            max_size=6,
        ),
        max_size=45,
    ),
    residual=st.floats(-10.0, 10.0),
)
def test_nights_that_hypothesis_draws_are_compared_as_in_plain_python(
    nights: list[list[tuple[int, float]]], residual: float
) -> None:
    _, states = columns()
    states["hour"] = -1
    o = oracle.Water()
    usual = [(8, 3.0), (12, 3.1), (16, 3.2), (20, 3.0)]
    for number, readings in enumerate([usual] * 8 + nights):
        day = 20_000 + number
        for slot, value in sorted(readings, key=lambda one: one[0]):
            at = day * DAY_US + slot * STEP
            told = water.flow(states[0], at, day, slot, value, residual, 1.5, 3)
            assert told == oracle.flow(o, at, day, slot, value, residual, 1.5, 3)
            assert states[0]["night"][: len(o.nights)].tolist() == o.nights
            assert (states[0]["night_run"], states[0]["night_z"]) == (o.night_run, o.night_z)


@pytest.mark.parametrize(("nights", "leak", "found"), [(3, 0.9, 1), (1, 0.2, 0), (1, 5.0, 1)])
def test_a_leak_needs_nights_or_a_night_beyond_doubt(nights: int, leak: float, found: int) -> None:
    rng = np.random.default_rng(4)
    _, states = columns()
    states["hour"] = -1
    told = []
    for number in range(30 * 96):
        day, slot = 20_000 + number // 96, number % 96
        value = 1.0 + rng.normal() * 0.1 + (leak if 20 <= number // 96 < 20 + nights else 0.0)
        told.append(water.flow(states[0], number * STEP, day, slot, value, value - 1.0, 1.5, 3)[0])
    assert told.count(1) >= found
    assert (told.count(1) > 0) == bool(found)


@settings(max_examples=60, deadline=None)
@given(
    ticks=st.lists(
        st.tuples(st.sampled_from([10_000_000, MINUTE_US, STEP, 4 * HOUR_US, DAY_US]), st.none() | st.floats(-40, 50)),
        max_size=200,
    )
)
def test_the_air_outside_is_followed_as_in_plain_python(ticks: list[tuple[int, float | None]]) -> None:
    state, o = np.zeros(1, weather.WEATHER), oracle.Outside()
    now = 1_000 * DAY_US
    for past, outside in ticks:
        now += past
        weather.take(state[0], now, np.nan if outside is None else outside)
        expected = o.take(now, outside)
        told = float(state["departure"][0])
        assert told != told if expected is None else told == expected
        assert all(state["habit"][0][slot] == value for slot, value in o.habit.items())
