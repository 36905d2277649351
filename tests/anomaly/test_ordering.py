"""Readings stand in the order in which they are judged, however they came; a span of a command is one."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from anomaly import ordering
from anomaly.powered import command_at, command_span
from anomaly.reorder import LATENESS_US, ReorderBuffer
from city.clock import SECOND_US
from city.reading import Reading, ReadingBatch

DEVICE_OF = np.array([-1, 0, 0, 2, -1, 1, 1, 1], np.int32)
CHANNEL_OF = np.array([8, 0, 1, 0, 0, 2, 1, 0], np.uint8)

rows = st.lists(st.tuples(st.integers(-2, 9), st.integers(0, 12)), max_size=120)


@given(rows)
@example([(5, at) for at in range(90, 0, -1)])
@example([(6 + at % 2, at // 2) for at in range(90)])
def test_rows_are_sorted_as_lexsort_sorts_them(rows: list[tuple[int, int]]) -> None:
    series = np.array([s for s, _ in rows], np.int32)
    at = np.array([a for _, a in rows], np.int64)
    arrival = np.arange(len(rows), dtype=np.int64)
    known = (series >= 0) & (series < len(DEVICE_OF))
    known[known] = DEVICE_OF[series[known]] >= 0
    mine = np.flatnonzero(known)
    order = mine[np.lexsort((CHANNEL_OF[series[mine]], at[mine], DEVICE_OF[series[mine]]))]
    found = ordering.by_device(series, at, arrival, arrival * 0.5, DEVICE_OF, CHANNEL_OF, 3)
    s = series[order]
    expected = (DEVICE_OF[s], s, at[order], arrival[order], CHANNEL_OF[s], arrival[order] * 0.5)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        assert one.tolist() == other.tolist()


@st.composite
def schedules(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    edges = sorted(draw(st.sets(st.integers(0, 60), max_size=10)))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    return np.array([a for a, _ in pairs], np.int64), np.array([b for _, b in pairs], np.int64)


@given(schedules(), st.integers(-5, 65), st.sampled_from([0, 1, 3, 9]), st.sampled_from([-1, 0]))
def test_a_command_stays_the_same_within_its_span(
    edges: tuple[np.ndarray, np.ndarray], at: int, guard: int, schedule: int
) -> None:
    first, (on, off) = np.array([0, len(edges[0])]), edges
    command, begin, end = command_span(schedule, at, guard, first, on, off)
    assert begin <= at < end
    for moment in range(max(begin, -80), min(end, 140)):
        assert command_at(schedule, moment, guard, first, on, off) == command


@given(st.lists(st.lists(st.integers(0, 40), max_size=6), max_size=8), st.lists(st.integers(0, 50), max_size=5))
def test_the_buffer_keeps_what_no_tick_has_passed_and_gives_the_rest_once(
    records: list[list[int]], ticks: list[int]
) -> None:
    buffer, kept = ReorderBuffer(), []
    number = 0
    turns = sorted([*((n, "record") for n in range(len(records))), *((n, "tick") for n in range(len(ticks)))])
    for n, kind in turns:
        if kind == "record":
            readings = [Reading(number + i, 0, at * SECOND_US, 0, 1.0) for i, at in enumerate(records[n])]
            number += len(readings)
            kept += readings
            buffer.push(ReadingBatch.of(readings))
        else:
            until = ticks[n] * SECOND_US - LATENESS_US
            assert buffer.pass_time(ticks[n] * SECOND_US).rows() == [r for r in kept if r.observed_at <= until]
            kept = [r for r in kept if r.observed_at > until]
        assert buffer.held.rows() == kept
        buffer = ReorderBuffer(buffer.held, buffer.latest)
