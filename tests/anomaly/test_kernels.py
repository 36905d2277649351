"""Kernels equal their oracle, bit by bit, for everything that Hypothesis finds."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly import kernels, oracle
from anomaly.gaps import GAP
from anomaly.lamps.layout import LAMP, RULES
from anomaly.lamps.oracle import blank
from anomaly.layout import (
    DEVICE,
    DIMMING,
    EVENT,
    OTHER,
    POWER,
    STATE,
    VOLTAGE,
)
from anomaly.state import rules_row
from city.clock import HOUR_US, MINUTE_US
from city.registry import FaultRules

MINUTE = st.integers(1, 6 * 24 * 60)
STATE_FIELDS = STATE.names or ()
EVENT_FIELDS = EVENT.names or ()


@st.composite
def schedules(draw: st.DrawFn) -> list[tuple[int, int]]:
    edges = sorted(draw(st.sets(st.integers(0, 7 * 24 * 4), max_size=12)))
    return [(a * 15 * MINUTE_US, b * 15 * MINUTE_US) for a, b in zip(edges[::2], edges[1::2], strict=False)]


@st.composite
def devices(draw: st.DrawFn, periods: list[tuple[int, int]]) -> oracle.Device:
    lamp = draw(st.sampled_from([0, 1]))
    return oracle.Device(
        interval_us=draw(st.sampled_from([5, 15, 60])) * MINUTE_US,
        silence_us=draw(st.sampled_from([30, 60, 240])) * MINUTE_US,
        guard_us=draw(st.sampled_from([0, 15])) * MINUTE_US,
        rated_w=draw(st.sampled_from([0.0, 40.0, 150.0])),
        dark_below=0.2,
        on_above_w=draw(st.sampled_from([3.0, 15.0])),
        on_share=0.1,
        dark_readings=draw(st.integers(1, 3)),
        on_readings=draw(st.integers(1, 3)),
        lamp=lamp,
        switched=draw(st.sampled_from([0, 1])) if lamp else 0,
        led=draw(st.sampled_from([0, 1])),
        dimmed=draw(st.sampled_from([0, 1])),
        early=draw(st.sampled_from([0, 1])),
        scheduled=bool(lamp),
        periods=periods if lamp else [],
    )


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    periods = draw(schedules())
    fleet = draw(st.lists(devices(periods), min_size=1, max_size=4))
    cuts = sorted(draw(st.sets(MINUTE, max_size=6)))
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, len(fleet) - 1),
                MINUTE,
                st.integers(0, 600),
                st.sampled_from([POWER, POWER, VOLTAGE, DIMMING, OTHER]),
                st.sampled_from([0.0, 0.4, 7.9, 8.0, 39.0, 100.0, -0.0, 1e30]),
            ),
            max_size=40,
        )
    )
    return {
        "periods": periods,
        "fleet": fleet,
        "deaf": [(a * MINUTE_US, b * MINUTE_US) for a, b in zip(cuts[::2], cuts[1::2], strict=False)],
        "patience_h": [draw(st.sampled_from([0, 2, 30])) for _ in fleet],
        "rows": sorted(rows, key=lambda r: (r[0], r[1], r[3])),
        "ticks": sorted(draw(st.lists(MINUTE, max_size=3))),
    }


def compile_world(world: dict[str, Any]) -> tuple[Any, ...]:
    columns = np.zeros(len(world["fleet"]), DEVICE)
    for row, device in zip(columns, world["fleet"], strict=True):
        for name in DEVICE.names or ():
            if name not in ("schedule", "feeder", "rules", "gateway"):
                row[name] = getattr(device, name)
        row["schedule"] = 0 if device.lamp else -1
        row["feeder"] = 0
    periods = world["periods"]
    first = np.array([0, len(periods)], np.int64)
    on = np.array([p[0] for p in periods], np.int64)
    off = np.array([p[1] for p in periods], np.int64)
    return columns, first, on, off, np.array(world["deaf"], np.int64).reshape(-1, 2)


def fill(event: dict[str, Any], device: int) -> dict[str, Any]:
    nothing = {"until": 0, "observed": 0.0, "expected": 0.0, "learned": 0.0, "voltage": 0.0, "count": 0}
    return {**nothing, "device": device, "rule": event["fault"], **event}


def as_columns(lamp: Any) -> dict[str, Any]:
    return {name: lamp[name].tolist() for name in LAMP.names or ()}


def as_dicts(events: Any) -> list[dict[str, Any]]:
    return [{name: event[name].item() for name in EVENT_FIELDS} for event in events]


@settings(max_examples=300, deadline=None)
@given(worlds())
def test_kernels_equal_the_oracle(world: dict[str, Any]) -> None:
    columns, first, on, off, deaf = compile_world(world)
    states, lamps = np.zeros(len(columns), STATE), np.zeros(len(columns), LAMP)
    gaps = np.zeros(len(columns), GAP)
    gaps["patience_us"] = [hours * HOUR_US for hours in world["patience_h"]]
    slow_gaps = [{**dict.fromkeys(GAP.names or (), 0), "patience_us": hours * HOUR_US} for hours in world["patience_h"]]
    rules = np.array([rules_row(FaultRules(learn_readings=2, confirm_readings=2))], RULES)
    slow_lamps = [blank() for _ in columns]
    slow = [dict.fromkeys(STATE_FIELDS, 0) for _ in columns]
    rows = world["rows"]
    events = np.zeros(kernels.EVENTS_A_MOMENT * (len(rows) + 1), EVENT)
    n, late, _ = kernels.judge_rows(
        0,
        np.array([r[0] for r in rows], np.int32),
        np.array([r[1] * MINUTE_US for r in rows], np.int64),
        np.array([(r[1] + r[2]) * MINUTE_US for r in rows], np.int64),
        np.array([r[3] for r in rows], np.uint8),
        np.array([r[4] for r in rows], np.float64),
        columns,
        rules,
        states,
        lamps,
        gaps,
        first,
        on,
        off,
        deaf,
        events,
    )
    expected: list[dict[str, Any]] = []
    expected_late = 0
    moments: dict[tuple[int, int], tuple[int, dict[int, float]]] = {}
    for device, minute, delay, channel, value in rows:
        received, values = moments.get((device, minute), (0, {}))
        if not math.isnan(value):
            values.setdefault(channel, value)
        moments[device, minute] = (max(received, (minute + delay) * MINUTE_US), values)
    for (device, minute), (received, values) in moments.items():
        judged = oracle.judge_row(
            world["fleet"][device],
            rules[0],
            slow[device],
            slow_lamps[device],
            minute * MINUTE_US,
            received,
            values,
            world["deaf"],
            slow_gaps[device],
            slow_lamps,
        )
        if judged is None:
            expected_late += 1
        else:
            expected.extend(fill(event, device) for event in judged)
    assert (as_dicts(events[:n]), late) == (expected, expected_late)
    assert [as_columns(lamp) for lamp in lamps] == slow_lamps
    for minute in world["ticks"]:
        tick(world, minute * MINUTE_US, columns, states, slow, (gaps, first, on, off, deaf), slow_gaps)
    assert [{name: row[name].item() for name in STATE_FIELDS} for row in states] == slow
    assert [{name: row[name].item() for name in GAP.names or ()} for row in gaps] == slow_gaps


def tick(
    world: dict[str, Any], now: int, columns: Any, states: Any, slow: list[dict[str, Any]], rest: Any,
    gaps: list[dict[str, Any]],
) -> None:  # fmt: skip
    events = np.zeros(len(columns), EVENT)
    n = kernels.judge_tick(now, columns, states, *rest, events)
    expected = []
    for number, (device, state) in enumerate(zip(world["fleet"], slow, strict=True)):
        event = oracle.judge_silence(device, state, gaps[number], now, world["deaf"])
        if event:
            expected.append(fill(event, number))
    assert as_dicts(events[:n]) == expected


@pytest.mark.parametrize("n", [0, 1])
def test_no_reading_and_one_reading_are_fine(n: int) -> None:
    columns = np.zeros(1, DEVICE)
    columns["schedule"] = -1
    columns["feeder"] = -1
    states = np.zeros(1, STATE)
    found = kernels.judge_rows(
        0,
        np.zeros(n, np.int32),
        np.full(n, HOUR_US, np.int64),
        np.full(n, HOUR_US, np.int64),
        np.zeros(n, np.uint8),
        np.zeros(n),
        columns,
        np.zeros(1, RULES),
        states,
        np.zeros(1, LAMP),
        np.zeros(1, GAP),
        np.zeros(1, np.int64),
        np.zeros(0, np.int64),
        np.zeros(0, np.int64),
        np.zeros((0, 2), np.int64),
        np.zeros(kernels.EVENTS_A_MOMENT, EVENT),
    )
    assert found == (0, 0, n)
    assert states["heard_at"][0] == n * HOUR_US


def test_a_cabinet_whose_clock_is_off_is_no_outage_of_its_lamps() -> None:
    day = 24 * HOUR_US
    device = oracle.Device(
        interval_us=15 * MINUTE_US,
        silence_us=60 * MINUTE_US,
        guard_us=15 * MINUTE_US,
        rated_w=40.0,
        dark_below=0.2,
        on_above_w=4.0,
        on_share=0.1,
        dark_readings=3,
        on_readings=3,
        lamp=1,
        switched=1,
        periods=[(0, 12 * HOUR_US), (day, day + 12 * HOUR_US)],
    )
    # It goes off ten minutes early in the morning and comes on ten minutes late at dusk: a report missed at each.
    heard = 12 * HOUR_US - 24 * MINUTE_US
    state = {"heard_at": heard, "received_at": heard, "silent_open": 0, "lamp": 0, "dark_run": 0, "by_day": 0}
    for minute in range(-23, 12 * 60 + 24):
        assert oracle.judge_silence(device, state, {"patience_us": 0}, 12 * HOUR_US + minute * MINUTE_US, []) is None
    # What stays silent in the middle of the night is missed as before.
    assert oracle.judge_silence(device, state, {"patience_us": 0}, day + 70 * MINUTE_US, []) is not None
