"""Kernels of feeders' rules equal their oracle, bit by bit, for everything that Hypothesis finds."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.oracle import Device
from anomaly.segments import kernels, oracle
from anomaly.segments.layout import COUNT, HOURS, LAMP, LEVEL, LIMITS, NOW, OTHER, POWER, SAID, VOLTAGE
from city.clock import MINUTE_US

FEEDERS = 3
LIMIT = {"over": 253.0, "under": 207.0, "high": 254.1, "low": 207.9}
VALUE = st.sampled_from([0.0, -0.0, 2.0, 39.0, 114.9, 115.0, 207.0, 206.9, 230.0, 253.1, 254.5, 1e300, float("nan")])
ROWS = st.lists(
    st.tuples(
        st.integers(0, 7),
        st.integers(1, 5 * 24 * 4).map(lambda quarter: 15 * quarter) | st.integers(1, 5 * 24 * 60),
        st.sampled_from([VOLTAGE, VOLTAGE, POWER, POWER, LEVEL, HOURS, HOURS, OTHER]),
        VALUE,
        st.integers(0, 90),
    ),
    max_size=80,
)


@st.composite
def periods(draw: st.DrawFn) -> list[tuple[int, int]]:
    edges = sorted(draw(st.sets(st.integers(0, 6 * 24 * 2), max_size=10)))
    return [(a * 30 * MINUTE_US, b * 30 * MINUTE_US) for a, b in zip(edges[::2], edges[1::2], strict=False)]


@st.composite
def fleets(draw: st.DrawFn) -> tuple[list[oracle.Lamp], list[tuple[int, int]]]:
    nights = draw(periods())
    lamps = []
    for _ in range(draw(st.integers(1, 8))):
        scheduled = draw(st.booleans())
        device = Device(
            interval_us=draw(st.sampled_from([5, 15, 60, 240])) * MINUTE_US,
            silence_us=0,
            guard_us=draw(st.sampled_from([0, 15])) * MINUTE_US,
            rated_w=40.0,
            dark_below=0.2,
            on_above_w=3.0,
            on_share=0.1,
            dark_readings=1,
            on_readings=1,
            lamp=1,
            switched=int(scheduled and draw(st.booleans())),
            scheduled=scheduled,
            periods=nights if scheduled else [],
        )
        lamps.append(oracle.Lamp(device, draw(st.integers(-1, FEEDERS - 1)), scheduled))
    return lamps, nights


def columns(lamps: list[oracle.Lamp]) -> Any:
    made = np.zeros(len(lamps), LAMP)
    for row, lamp in zip(made, lamps, strict=True):
        for name in ("interval_us", "guard_us", "rated_w", "on_above_w", "switched"):
            row[name] = getattr(lamp.device, name)
        row["feeder"], row["schedule"] = lamp.feeder, 0 if lamp.scheduled else -1
    return made


def plain(rows: Any) -> list[dict[str, Any]]:
    return [{name: row[name].item() for name in rows.dtype.names} for row in rows]


@settings(max_examples=250, deadline=None)
@given(
    fleets(), ROWS, ROWS, st.integers(1, 6 * 24 * 60), st.lists(st.integers(1, 6 * 24 * 60), max_size=4, unique=True)
)
def test_what_is_heard_and_gathered_equals_the_oracle(
    fleet: Any, first_rows: Any, second_rows: Any, minute: int, cuts: list[int]
) -> None:
    lamps, nights = fleet
    made = columns(lamps)
    first = np.array([0, len(nights)], np.int64)
    on, off = (np.array([night[i] for night in nights], np.int64) for i in (0, 1))
    edges = sorted(cut * MINUTE_US for cut in cuts)
    deaf = list(zip(edges[::2], edges[1::2], strict=False))
    said = np.zeros(len(lamps), SAID)
    slow: list[dict[str, Any]] = plain(said)
    for batch in (first_rows, second_rows):
        rows = sorted((row for row in batch if row[0] < len(lamps)), key=lambda r: (r[0], r[1]))
        kernels.hear(
            np.array([r[0] for r in rows], np.int32),
            np.array([r[1] * MINUTE_US for r in rows], np.int64),
            np.array([(r[1] + r[4]) * MINUTE_US for r in rows], np.int64),
            np.array([r[2] for r in rows], np.uint8),
            np.array([r[3] for r in rows], np.float64),
            made,
            said,
            first,
            on,
            off,
        )
        moments: dict[tuple[int, int], tuple[int, dict[int, float]]] = {}
        for device, at, channel, value, delay in rows:
            received, values = moments.get((device, at), (0, {}))
            values.setdefault(channel, value)
            moments[device, at] = max(received, (at + delay) * MINUTE_US), values
        for (device, at), (received, values) in moments.items():
            oracle.hear(lamps[device], slow[device], at * MINUTE_US, received, values)
    assert repr(plain(said)) == repr(slow)
    now = minute * MINUTE_US
    told, counts = np.zeros(len(lamps), NOW), np.zeros(FEEDERS, COUNT)
    limits = np.zeros(FEEDERS, LIMITS)
    for name, value in LIMIT.items():
        limits[name] = value
    kernels.gather(now, made, said, limits, first, on, off, np.array(deaf, np.int64).reshape(-1, 2), told, counts)
    assert plain(told) == [oracle.state(now, lamp, row, deaf) for lamp, row in zip(lamps, slow, strict=True)]
    expected = [oracle.gather(now, lamps, slow, LIMIT, deaf, feeder) for feeder in range(FEEDERS)]
    assert repr(plain(counts)) == repr(expected)
