"""Kernels equal the oracle to the bit; nothing looks ahead; what is learned and what is not."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.statistics import oracle
from anomaly.statistics.layout import CHANNELS, EXTREME, SEASON, STATE, STUCK
from anomaly.statistics.parameters import Parameters, draw, place, ranges
from anomaly.statistics.parameters import at as at_place
from anomaly.statistics.tickets import TicketRules
from city.clock import DAY_US, HOUR_US, MINUTE_US
from tests.anomaly.statistics.series import QUARTER_US, START, daily, fresh, judge, quarters

YEAR = 365 * 96
STEP = st.sampled_from([MINUTE_US, QUARTER_US, QUARTER_US, QUARTER_US, HOUR_US, 3 * DAY_US, 90 * DAY_US, 0, -HOUR_US])
VALUE = st.one_of(
    st.sampled_from([0.0, 0.0, 1.0, 1.0, 40.0, 41.0, -0.0, 1e9, -1e15, 1e300, math.nan, math.inf, -math.inf, 1e-300]),
    st.floats(-50.0, 50.0),
    st.floats(),
)
OPEN_AT = TicketRules().open_at
READING = st.tuples(st.integers(0, 1), STEP, VALUE, st.sampled_from([None, None, None, None, -1, 168]))


@st.composite
def histories(draw_: st.DrawFn) -> list[tuple[int, int, float, int]]:
    """Two series in turns, each long enough to be judged: a seeded start, then what Hypothesis likes."""
    kind = draw_(st.sampled_from(["nothing", "constant", "noise", "season", "steps"]))
    rng = np.random.default_rng(draw_(st.integers(0, 99)))
    n = draw_(st.sampled_from([0, 30, 200]))
    base = {
        "nothing": np.zeros(0),
        "constant": np.full(n, 21.5),
        "noise": 5.0 * rng.standard_t(2, n),
        "season": 10.0 + np.round(5.0 * np.sin(np.arange(n) / 15.0) + rng.standard_normal(n)),
        "steps": np.repeat(rng.standard_normal(n // 10 + 1), 10)[:n],
    }[kind]
    rows, at = [], START
    for index, value in enumerate(base):
        at += QUARTER_US
        rows.append((index % 2, at, float(value), (at - START) // HOUR_US % 168))
    for row, step, value, cell in draw_(st.lists(READING, max_size=40)):
        at += step
        rows.append((row, at, value, (at - START) // HOUR_US % 168 if cell is None else cell))
    return rows


def assert_same_as_oracle(rows: list[tuple[int, int, float, int]], parameters: Parameters, frozen: list[int]) -> None:
    row, at, value, cell = zip(*rows, strict=True) if rows else ((), (), (), ())
    states = fresh(2)
    states["frozen"] = frozen
    plain = [oracle.Series(), oracle.Series()]
    for series, one in zip(plain, frozen, strict=True):
        series.frozen = one
    fast = judge(at, value, states, row, cell, parameters)
    slow = oracle.score_rows(row, at, cell, value, plain, parameters)
    assert fast.refused == slow.refused
    assert fast.score.tolist() == slow.score
    assert fast.news.tolist() == slow.news
    assert fast.channel.tolist() == slow.channel
    np.testing.assert_array_equal(fast.expected, np.array(slow.expected, np.float32))
    for state, series in zip(states, plain, strict=True):
        assert state.tobytes() == series.row().tobytes()


def quiet(score: Any) -> bool:
    """Tell whether none of the scores would open anything."""
    return float(score.max()) < OPEN_AT


@settings(max_examples=250, deadline=None)
@given(histories(), st.integers(0, 30), st.sampled_from([[0, 0], [0, 0], [1, 0]]))
def test_kernels_equal_the_oracle(rows: list[tuple[int, int, float, int]], seed: int, frozen: list[int]) -> None:
    parameters = draw(np.random.default_rng(seed)) if seed else Parameters()
    assert_same_as_oracle(rows, parameters, frozen)


@pytest.mark.parametrize("value", [[], [7.0], [math.nan], [7.0] * 400, [math.nan] * 50])
def test_nothing_one_reading_and_a_constant_equal_the_oracle(value: list[float]) -> None:
    at = quarters(len(value)).tolist()
    assert_same_as_oracle(
        [(0, a, v, (a - START) // HOUR_US % 168) for a, v in zip(at, value, strict=True)], Parameters(), [0, 0]
    )


def test_a_long_history_equals_the_oracle() -> None:
    value = daily(6_000, 3)
    value[2_000:2_400] = value[2_000]
    value[4_000:] += 40.0
    at = quarters(6_000).tolist()
    at[3_000:] = [one + 3 * DAY_US for one in at[3_000:]]
    assert_same_as_oracle(
        [(0, a, float(v), (a - START) // HOUR_US % 168) for a, v in zip(at, value, strict=True)], Parameters(), [0, 0]
    )


def test_the_scores_of_a_prefix_are_the_prefix_of_the_scores() -> None:
    value = daily(3_000, 5)
    value[1_500:1_520] += 60.0
    whole = judge(quarters(3_000), value, fresh())
    assert whole.score.max() > 6.0
    for cut in (0, 1, 31, 32, 33, 1_500, 1_501, 2_999):
        part = judge(quarters(3_000)[:cut], value[:cut], fresh())
        for name in ("score", "news", "channel", "expected"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[:cut])


def test_where_batches_are_cut_makes_no_difference() -> None:
    value, at = daily(3_000, 6), quarters(3_000)
    whole, states = fresh(), fresh()
    score = judge(at, value, whole).score
    cuts = [0, 1, 2, 700, 701, 3_000]
    pieces = [judge(at[a:b], value[a:b], states).score for a, b in itertools.pairwise(cuts)]
    np.testing.assert_array_equal(np.concatenate(pieces), score)
    assert states.tobytes() == whole.tobytes()


def test_a_series_takes_less_than_1500_bytes_and_starts_at_a_cache_line() -> None:
    assert STATE.itemsize <= 1_500 - 64
    assert STATE.itemsize % 64 == 0
    assert STATE.fields is not None
    assert STATE.fields["day"][1] == 192


def test_what_is_not_finite_changes_nothing() -> None:
    value, at = daily(500, 7), quarters(503)
    states, other = fresh(), fresh()
    judge(at[:500], value, states)
    judge(at[:500], value, other)
    found = judge(at[500:], [math.nan, math.inf, 1e300], states)
    assert found.score.tolist() == [0.0, 0.0, 0.0]
    assert np.isnan(found.expected).all()
    assert states.tobytes() == other.tobytes()


def test_readings_out_of_order_and_repeats_are_refused() -> None:
    states = fresh()
    judge(quarters(100), daily(100, 8), states)
    before = states.tobytes()
    at = quarters(100)
    assert judge([at[99], at[50]], [1e6, 1e6], states).refused == 2
    assert states.tobytes() == before


def test_a_level_shift_is_told_and_then_becomes_normal() -> None:
    n = 60 * 96
    value = daily(n, 9)
    value[30 * 96 :] += 80.0
    found = judge(quarters(n), value, fresh())
    assert found.score[30 * 96 : 30 * 96 + 8].max() >= 12.0
    assert abs(float(found.expected[-96:].mean()) - 180.0) < 5.0
    assert quiet(found.score[-7 * 96 :])


def test_nothing_is_learned_while_frozen() -> None:
    value = daily(2_000, 10)
    states = fresh()
    judge(quarters(1_500), value[:1_500], states)
    learned = [name for name in STATE.names or () if name not in STILL_MOVING]
    before = {name: states[name].copy() for name in learned}
    states["frozen"] = 1
    found = judge(quarters(2_000)[1_500:], value[1_500:] + 80.0, states)
    for name in learned:
        np.testing.assert_array_equal(states[name], before[name], name)
    assert found.score[-96:].min() >= 3.0


STILL_MOVING = ("observed_at", "frozen", "last", "run", "bin", "record", "level_z", "drift_z", "short", "surprise")
STILL_MOVING += ("recent", "turn", "heard", "day_mean", "day_size", "day_of", "peak")
"""Where the series stands now, in its episode."""


def test_a_return_from_a_long_gap_is_no_alarm_by_itself() -> None:
    value, at = daily(40 * 96, 11), quarters(40 * 96)
    late = at.copy()
    late[30 * 96 :] += 40 * DAY_US
    assert quiet(judge(late, value, fresh()).score[30 * 96 :])
    value[30 * 96 :] += 8.0
    back, moved = judge(late, value, fresh()).score[30 * 96 :], judge(at, value, fresh()).score[30 * 96 :]
    assert back[:4].max() < moved[:4].max()


def test_learning_slows_after_a_gap() -> None:
    value, at = daily(40 * 96, 11), quarters(40 * 96)
    late = at.copy()
    late[30 * 96 :] += 40 * DAY_US
    value[30 * 96 :] += 8.0
    gone, stayed = fresh(), fresh()
    judge(late[: 30 * 96 + 4], value[: 30 * 96 + 4], gone)
    judge(at[: 30 * 96 + 4], value[: 30 * 96 + 4], stayed)
    assert float(gone["level"][0]) < float(stayed["level"][0])


def test_a_value_that_repeats_far_longer_than_ever_is_stuck() -> None:
    value = daily(3_000, 12)
    value[2_500:] = value[2_500]
    found = judge(quarters(3_000), value, fresh())
    assert quiet(found.score[14 * 96 : 2_505])
    assert found.score[2_515:2_530].max() >= OPEN_AT
    assert STUCK in found.channel[2_515:2_600]
    assert STUCK not in found.channel[:2_515]


def test_a_series_that_always_repeats_is_not_stuck() -> None:
    night = np.tile(np.concatenate([np.zeros(48), np.arange(1.0, 49.0)]), 40)
    found = judge(quarters(len(night)), night, fresh())
    assert STUCK not in found.channel[14 * 96 :]
    assert quiet(found.score[14 * 96 :])


def test_a_new_extreme_names_its_channel() -> None:
    value = daily(3_000, 13)
    value[2_500] += 150.0
    found = judge(quarters(3_000), value, fresh())
    assert found.channel[2_500] == EXTREME
    assert CHANNELS[EXTREME] == "extreme"
    assert found.news[2_500] >= 12.0


def test_what_is_usual_at_noon_is_news_at_night() -> None:
    hours = np.arange(60 * 96) // 4 % 24
    rng = np.random.default_rng(14)
    value = np.where((hours >= 8) & (hours < 18), 50.0, 10.0) + rng.standard_normal(len(hours))
    night = 50 * 96 + 8
    value[night : night + 8] = 50.0
    found = judge(quarters(len(value)), value, fresh())
    assert found.news[night : night + 8].max() >= 12.0
    assert SEASON in found.channel[night : night + 8]
    assert quiet(found.score[45 * 96 : night])
    assert abs(float(found.expected[night]) - 10.0) < 2.0


def test_large_origins_lose_no_precision() -> None:
    value = daily(3_000, 15, level=0.0)
    plain = judge(quarters(3_000), value, fresh())
    shifted = judge(quarters(3_000), value + 1e5, fresh())
    assert float(np.quantile(np.abs(shifted.score - plain.score), 0.99)) < 1.0
    assert abs(float(shifted.expected[-1]) - 1e5 - float(plain.expected[-1])) < 1.0


def test_series_do_not_touch_each_other() -> None:
    rng = np.random.default_rng(16)
    at = np.repeat(quarters(500), 3)
    row = np.tile([2, 0, 1], 500)
    value = rng.standard_normal(1_500)
    states = fresh(3)
    together = judge(at, value, states, row)
    for one in range(3):
        alone = fresh()
        found = judge(at[row == one], value[row == one], alone)
        np.testing.assert_array_equal(found.score, together.score[row == one])
        assert alone.tobytes() == states[one : one + 1].tobytes()


def test_parameters_lie_in_their_ranges_and_come_back_from_their_place() -> None:
    for seed in (1, 2):
        one = draw(np.random.default_rng(seed))
        for name, (low, high, _) in ranges().items():
            assert low <= getattr(one, name) <= high
        again: Any = at_place(place(one))
        for name in ranges():
            assert getattr(again, name) == pytest.approx(getattr(one, name), rel=1e-9, abs=1e-12)
