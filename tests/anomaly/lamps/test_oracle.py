"""Through weeks of troubles the kernels say and keep what the oracle does, bit by bit; each rule speaks in them."""

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly import kernels, oracle
from anomaly.gaps import GAP
from anomaly.lamps.layout import LAMP, RULES
from anomaly.lamps.oracle import blank
from anomaly.layout import COMMUNICATION_FAILURE, DEVICE, ENERGY_FULL, EVENT, STATE
from anomaly.state import rules_row
from anomaly.suspicions import RULES as NAMES
from city.registry import FaultRules
from tests.anomaly.lamps.worlds import Moment, device_of, moments

PLAIN_RULES = (FaultRules(), FaultRules(relearn_s=259_200))
NOTHING = {"until": 0, "observed": 0.0, "expected": 0.0, "learned": 0.0, "voltage": 0.0, "count": 0, "device": 0}


def by_kernels(
    device: oracle.Device, rules: Any, told: list[Moment], room: int
) -> tuple[list[dict[str, Any]], Any, Any]:
    """Return events, state and lamp; the events are fetched whenever `room` is full."""
    columns, state, lamp = np.zeros(1, DEVICE), np.zeros(1, STATE), np.zeros(1, LAMP)
    for name in DEVICE.names or ():
        if name not in ("schedule", "feeder", "rules", "gateway"):
            columns[name] = getattr(device, name)
    rows = [(at, channel, value) for at, values in told for channel, value in values.items()]
    on, off = (np.array([period[side] for period in device.periods], np.int64) for side in (0, 1))
    found: list[dict[str, Any]] = []
    row = 0
    while row < len(rows):
        events = np.zeros(room, EVENT)
        n, late, row = kernels.judge_rows(
            row,
            np.zeros(len(rows), np.int32),
            np.array([at for at, _, _ in rows], np.int64),
            np.array([at + 1 for at, _, _ in rows], np.int64),
            np.array([channel for _, channel, _ in rows], np.uint8),
            np.array([value for _, _, value in rows], np.float64),
            columns,
            rules,
            state,
            lamp,
            np.zeros(1, GAP),
            np.array([0, len(on)], np.int64),
            on,
            off,
            np.zeros((0, 2), np.int64),
            events,
        )
        assert late == 0
        found += [{name: event[name].item() for name in EVENT.names or ()} for event in events[:n]]
    return found, state[0], lamp[0]


def assert_same_as_oracle(seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    device = device_of(rng)
    told = list(moments(rng, device))
    rules = np.array([rules_row(PLAIN_RULES[seed % 2])], RULES)
    found, state, lamp = by_kernels(device, rules, told, 64)
    slow, slow_lamp, gap, expected = dict.fromkeys(STATE.names or (), 0), blank(), dict.fromkeys(GAP.names or (), 0), []
    for at, values in told:
        judged = oracle.judge_row(device, rules[0], slow, slow_lamp, at, at + 1, values, [], gap)
        assert judged is not None
        expected += [{**NOTHING, "rule": event["fault"], **event} for event in judged]
    assert found == expected
    np.testing.assert_equal({name: state[name].item() for name in STATE.names or ()}, slow)
    np.testing.assert_equal({name: lamp[name].tolist() for name in LAMP.names or ()}, slow_lamp)
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(1_000, 1_000_000))
def test_kernels_equal_the_oracle_through_weeks_of_troubles(seed: int) -> None:
    assert_same_as_oracle(seed)


@pytest.mark.timeout(120)
def test_every_rule_speaks_in_them() -> None:
    spoke: Counter[int] = Counter()
    for seed in range(220):
        spoke.update(event["rule"] for event in assert_same_as_oracle(seed))
    # Silence is for ticks to see (`tests/anomaly/test_kernels.py`), undimmed nights for `test_rules`.
    assert set(spoke) >= set(NAMES) - {COMMUNICATION_FAILURE, ENERGY_FULL}
