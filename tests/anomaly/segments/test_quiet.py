"""What is passed over for having nothing to say has nothing to say."""

from typing import Any

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from anomaly.detector import DetectStage
from anomaly.segments import quiet
from anomaly.segments.family import Segments
from anomaly.segments.layout import COUNT, FEEDER, HEARD, LATE, NOW, SAID, SILENT
from anomaly.segments.switching import turn_of
from city.clock import DAY_US, HOUR_US, MINUTE_US
from city.topics import READINGS
from stream.log import TopicPartition
from tests.anomaly.segments.street import NOON, SCHEDULE, Street

NAMES = ("live", "dark", "gasped", "missed", "over", "under", "high", "low")
STANDS = ("live_since", "over_since", "over_first", "under_first", "trips_since", "part_since")


@st.composite
def moments(draw: st.DrawFn) -> dict[str, Any]:
    few = st.sampled_from([0] * 20 + [1, 1, 2, 6])
    return {
        "minutes": draw(st.integers(0, 24 * 60)),
        "count": {name: draw(few) for name in NAMES},
        "row": {name: draw(st.sampled_from([0] * 40 + [NOON])) for name in STANDS},
        "state": draw(st.lists(st.sampled_from([HEARD, LATE, SILENT]), min_size=8, max_size=8)),
        "learnt": draw(st.booleans()),
        "part": draw(st.sampled_from([0, 0, 0, 1, 2])),
    }


def street() -> Segments:
    stage = DetectStage(1)
    state = stage.open(TopicPartition(READINGS, 0), None)
    stage.step(state, Street(hours=0.1).records())
    return next(family for family in state.families if isinstance(family, Segments))


FAMILY = street()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(moments())
def test_a_quiet_feeder_says_nothing_and_learns_nothing(moment: dict[str, Any]) -> None:
    now = NOON + moment["minutes"] * MINUTE_US
    family = FAMILY
    n = len(family._columns.feeders)
    rows = family._columns.feeders[0].rows
    family._feeders, family._said = np.zeros(n, FEEDER), np.zeros(len(family._said), SAID)
    family._told, family._counts = np.zeros(len(family._said), NOW), np.zeros(n, COUNT)
    family._parts = {}
    count, row = family._counts[0], family._feeders[0]
    for name in ("known", "powered", "volts", "fresh"):
        count[name] = len(rows)
    count["heard_at"], count["volts_sum"] = now, 230.0 * len(rows)
    for name, value in moment["count"].items():
        count[name] = value
    for name, value in moment["row"].items():
        row[name] = value
    row["learnt_at"] = now // HOUR_US if moment["learnt"] else 0
    row["part_fault"] = 1
    family._told["state"][rows] = [moment["state"][i % 8] for i in range(len(rows))]
    family._said["part"][rows[0]] = moment["part"]
    parted = np.zeros(n, np.bool_)
    parted[0] = moment["part"] != 0
    still = quiet.quiet(family._feeders, family._counts, parted, now)
    assume(still[0])
    before = family._feeders.tobytes(), family._said.tobytes()
    turns = [turn_of(*SCHEDULE.periods(now - 3 * DAY_US, now + 3 * DAY_US), now)]
    assert list(family._of_feeder(0, family._columns.feeders[0], turns, now)) == []
    assert (family._feeders.tobytes(), family._said.tobytes()) == before
