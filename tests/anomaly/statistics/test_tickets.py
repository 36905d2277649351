"""When scores open and close: as the oracle says; warm-up, lasting, quiet, and learning that stands still meanwhile."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from anomaly.statistics.tickets import CLOSED, EVENT, GREW, OPENED, WATCH, TicketRules, Watch, watch, watch_rows
from city.clock import DAY_US, HOUR_US
from tests.anomaly.statistics.series import QUARTER_US, START, daily, fresh, judge, quarters

SCORES = st.sampled_from([0.0, 2.9, 3.0, 3.0, 5.0, 6.9, 7.0, 7.9, 8.5, 11.9, 12.0, 40.0])
STEPS = st.sampled_from([QUARTER_US, QUARTER_US, HOUR_US, DAY_US, 5 * DAY_US])
Event = tuple[int, int, int, int]


def run(at: NDArray[np.int64], score: NDArray[np.float32], rules: TicketRules, states: NDArray[np.void]) -> list[Event]:
    n = len(at)
    events = np.zeros(n, EVENT)
    found = watch_rows(
        np.zeros(n, np.int32), at, score, np.ones(n, np.bool_), np.zeros(1, WATCH), states, rules.row(), events
    )
    return [tuple(int(one[name]) for name in ("kind", "at", "since", "until")) for one in events[:found]]  # type: ignore[misc]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(STEPS, SCORES), max_size=60), st.sampled_from([0, DAY_US, 14 * DAY_US]))
def test_the_kernel_equals_the_oracle(rows: list[tuple[int, float]], warm_up_us: int) -> None:
    rules = TicketRules(warm_up_us=warm_up_us)
    at = START + np.cumsum([0, *(step for step, _ in rows)])[1:].astype(np.int64)
    score = np.array([one for _, one in rows], np.float32)
    states = fresh()
    plain, expected, frozen = Watch(), [], False
    for when, one in zip(at.tolist(), score.tolist(), strict=True):
        event, frozen = watch(plain, rules, when, one)
        if event:
            expected.append((event["kind"], event["at"], event["since"], event["until"]))
    assert run(at, score, rules, states) == expected
    assert bool(states["frozen"][0]) == frozen


def scores(days: int, *raised: tuple[int, float]) -> NDArray[np.float32]:
    found = np.zeros(days * 96, np.float32)
    for index, one in raised:
        found[index] = one
    return found


def test_two_of_eight_with_a_high_one_open_and_a_quiet_day_closes() -> None:
    first = 20 * 96
    at = quarters(25 * 96)
    events = run(at, scores(25, (first, 7.0), (first + 7, 3.0)), TicketRules(), fresh())
    last = int(at[first + 7])
    assert events == [(OPENED, last, int(at[first]), 0), (CLOSED, last + DAY_US, int(at[first]), last)]


def test_one_high_score_or_many_low_ones_open_nothing() -> None:
    first = 20 * 96
    assert run(quarters(25 * 96), scores(25, (first, 90.0)), TicketRules(), fresh()) == []
    low = scores(25, *((first + i, 6.9) for i in range(96)))
    assert run(quarters(25 * 96), low, TicketRules(), fresh()) == []


def test_what_is_open_is_said_anew_each_time_that_its_score_has_grown_by_one() -> None:
    first = 20 * 96
    raised = [7.0, 7.1, 7.9, 8.1, 8.1, 8.5, 9.5, 5.0, 10.4]
    at = quarters(25 * 96)
    events = run(at, scores(25, *((first + i, one) for i, one in enumerate(raised))), TicketRules(), fresh())
    kinds = [(kind, (when - int(at[first])) // QUARTER_US) for kind, when, _, _ in events]
    assert kinds == [(OPENED, 1), (GREW, 3), (GREW, 6), (CLOSED, 8 + 96)]


def test_nothing_opens_before_fourteen_days() -> None:
    found = np.full(15 * 96, 20.0, np.float32)
    events = run(quarters(15 * 96), found, TicketRules(), fresh())
    assert [event[:2] for event in events] == [(OPENED, START + 14 * DAY_US)]


def test_learning_stands_still_for_a_week_and_then_a_shift_that_stayed_is_learned_and_closes() -> None:
    n = 60 * 96
    value, at = daily(n, 21), quarters(n)
    value[30 * 96 :] += 80.0
    states, watches, rules = fresh(), np.zeros(1, WATCH), TicketRules()
    told, levels = [], []
    for start in range(0, n, 4):
        some = slice(start, start + 4)
        found = judge(at[some], value[some], states)
        events = np.zeros(4, EVENT)
        row, judged = np.zeros(4, np.int32), np.ones(4, np.bool_)
        count = watch_rows(row, at[some], found.score, judged, watches, states, rules.row(), events)
        told += [(int(one["kind"]), (int(one["at"]) - START) / DAY_US) for one in events[:count]]
        levels.append(float(states["level"][0]))
    assert [kind for kind, _ in told if kind != GREW] == [OPENED, CLOSED]
    opened, closed = (day for kind, day in told if kind != GREW)
    assert 30 <= opened < 30.25
    assert 37 < closed < 45
    assert abs(levels[36 * 24] - levels[31 * 24]) == 0.0
    assert levels[-1] - levels[29 * 24] > 60.0


def test_what_was_not_judged_counts_for_nothing() -> None:
    n = 20 * 96
    watches, states = np.zeros(1, WATCH), fresh()
    found = watch_rows(
        np.zeros(n, np.int32),
        quarters(n),
        np.full(n, 50.0, np.float32),
        np.zeros(n, np.bool_),
        watches,
        states,
        TicketRules().row(),
        np.zeros(n, EVENT),
    )
    assert found == 0
    assert watches["first_at"][0] == 0
