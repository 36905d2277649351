"""Kernels of feeders' rules equal their oracle, bit by bit, for everything that Hypothesis finds."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.segments import kernels, oracle
from anomaly.segments.layout import LAMP, LEVEL, OTHER, POWER, SAID, VOLTAGE, VOLTS
from city.clock import MINUTE_US

FEEDERS = 3
VALUE = st.sampled_from([0.0, -0.0, 114.9, 115.0, 207.0, 206.9, 230.0, 253.0, 253.1, 1e300, float("nan")])

LAMPS = st.lists(
    st.fixed_dictionaries(
        {
            "interval_us": st.sampled_from([5, 15, 60]).map(lambda m: m * MINUTE_US),
            "feeder": st.integers(-1, FEEDERS - 1),
        }
    ),
    min_size=1,
    max_size=8,
)
ROWS = st.lists(
    st.tuples(
        st.integers(0, 7),
        st.integers(1, 200),
        st.sampled_from([VOLTAGE, VOLTAGE, POWER, LEVEL, OTHER]),
        VALUE,
        st.integers(0, 90),
    ),
    max_size=60,
)


def columns(lamps: list[dict[str, Any]]) -> Any:
    made = np.zeros(len(lamps), LAMP)
    for row, lamp in zip(made, lamps, strict=True):
        for name, value in lamp.items():
            row[name] = value
    return made


def plain(rows: Any) -> list[dict[str, Any]]:
    return [{name: row[name].item() for name in rows.dtype.names} for row in rows]


@settings(max_examples=300, deadline=None)
@given(LAMPS, ROWS, ROWS, st.integers(1, 300))
def test_what_is_heard_and_gathered_equals_the_oracle(lamps: Any, first: Any, second: Any, minute: int) -> None:
    made = columns(lamps)
    said = np.zeros(len(lamps), SAID)
    slow: list[dict[str, Any]] = plain(said)
    for batch in (first, second):
        rows = sorted((row for row in batch if row[0] < len(lamps)), key=lambda r: (r[0], r[1]))
        kernels.hear(
            np.array([r[0] for r in rows], np.int32),
            np.array([r[1] * MINUTE_US for r in rows], np.int64),
            np.array([(r[1] + r[4]) * MINUTE_US for r in rows], np.int64),
            np.array([r[2] for r in rows], np.uint8),
            np.array([r[3] for r in rows], np.float64),
            made,
            said,
        )
        moments: dict[tuple[int, int], tuple[int, dict[int, float]]] = {}
        for device, at, channel, value, delay in rows:
            received, values = moments.get((device, at), (0, {}))
            values.setdefault(channel, value)
            moments[device, at] = max(received, (at + delay) * MINUTE_US), values
        for (device, at), (received, values) in moments.items():
            oracle.hear(lamps[device], slow[device], at * MINUTE_US, received, values)
    assert repr(plain(said)) == repr(slow)
    volts = np.zeros(FEEDERS, VOLTS)
    kernels.gather_volts(minute * MINUTE_US, made, said, volts)
    assert plain(volts) == [oracle.gather_volts(minute * MINUTE_US, lamps, slow, f) for f in range(FEEDERS)]
