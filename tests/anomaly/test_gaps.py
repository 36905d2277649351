"""How long silence is waited for follows from how long gaps last, here and beside; the kernels equal their oracle."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly import gaps, gaps_oracle
from anomaly.gaps import GAP
from anomaly.layout import DEVICE, STATE
from anomaly.oracle import Device
from city.clock import DAY_US, HOUR_US, MINUTE_US

QUARTER = 15 * MINUTE_US
NOW = 100 * DAY_US


def device(interval_us: int = QUARTER, silence: int = 8) -> Device:
    return Device(
        interval_us, silence * interval_us, 0, 40.0, 0.2, 3.0, 0.1, 2, 2, lamp=1, switched=0, periods=()
    )  # fmt: skip


class Street:
    """Devices of some gateways; `gateway_of` and `feeder_of` say where each hangs."""

    def __init__(self, fleet: list[Device], gateway_of: list[int], feeder_of: list[int]) -> None:
        self.fleet, self.gateway_of, self.feeder_of = fleet, gateway_of, feeder_of
        self.columns, self.states = np.zeros(len(fleet), DEVICE), np.zeros(len(fleet), STATE)
        self.gaps = np.zeros(len(fleet), GAP)
        self.columns["interval_us"] = [one.interval_us for one in fleet]
        self.columns["silence_us"] = [one.silence_us for one in fleet]
        self.columns["gateway"], self.columns["feeder"] = gateway_of, feeder_of

    def learn(self, now: int) -> None:
        order = np.argsort(self.columns["gateway"], kind="stable").astype(np.int32)
        first = np.concatenate([[0], np.cumsum(np.bincount(self.columns["gateway"]))])
        gaps.learn(now, self.columns, self.states, self.gaps, order, first)

    def reckon(self) -> None:
        gaps.reckon(NOW, self.columns, self.states, self.gaps, max(self.gateway_of) + 1)

    def lose(self, number: int, lost: int, until: int = NOW) -> None:
        interval = self.fleet[number].interval_us
        silence = (lost + 1) * interval
        gaps.note(self.gaps[number], until - silence, until, silence, interval, False)
        self.states["heard_at"][number] = max(int(self.states["heard_at"][number]), until)


def street(n: int = 10) -> Street:
    made = Street([device() for _ in range(n)], [0] * n, [0] * (n // 2) + [1] * (n - n // 2))
    made.states["heard_at"] = NOW + QUARTER
    return made


def patience_after(bursts: list[int], n: int = 10) -> list[float]:
    """Return after how many intervals each of `n` is told; the first lost so many in a row, day after day."""
    made = street(n)
    made.gaps["hours"] = 24 * len(bursts)
    for number, lost in enumerate(bursts):
        made.lose(0, lost, NOW - (len(bursts) - number) * DAY_US)
        made.learn(NOW)
    made.reckon()
    return [float(x) for x in np.maximum(made.gaps["patience_us"], made.columns["silence_us"]) / QUARTER]


def test_who_is_new_waits_as_long_as_the_profile_says() -> None:
    assert patience_after([]) == [8.0] * 10


def test_messages_lost_one_by_one_make_nobody_wait_longer() -> None:
    assert patience_after([1] * 100) == [8.0] * 10


def test_bursts_make_a_device_wait_until_chance_explains_them_no_more_and_so_its_neighbours() -> None:
    rng = np.random.default_rng(5)
    told = patience_after(rng.geometric(0.4, 120).tolist())
    # A burst a day: 0.6 ** 25 is one in 350,000.
    assert 24 <= told[0] <= 31
    # Of these nothing else is known.
    assert 24 <= told[1] <= 45


def test_nobody_is_waited_for_longer_than_two_days() -> None:
    assert patience_after([60] * 120)[0] == 2 * DAY_US / QUARTER


def test_what_most_of_a_gateway_missed_together_teaches_nothing() -> None:
    made = street()
    for number in range(6):
        made.lose(number, 5)
    made.learn(NOW + HOUR_US)
    assert made.gaps["bursts"].sum() == 0


def test_what_a_feeder_missed_together_teaches_nothing_though_its_gateway_was_heard() -> None:
    made = street(20)
    made.feeder_of = [0] * 4 + [1] * 16
    made.columns["feeder"] = made.feeder_of
    for number in range(3):
        made.lose(number, 2)
    made.learn(NOW + HOUR_US)
    assert made.gaps["bursts"].sum() == 0


def test_a_gap_of_one_among_others_is_learnt_once_they_could_have_told() -> None:
    made = street()
    made.lose(3, 5)
    made.learn(NOW + QUARTER)
    assert made.gaps["bursts"].sum() == 0
    made.learn(NOW + 2 * QUARTER)
    made.learn(NOW + 3 * QUARTER)
    assert (int(made.gaps["bursts"][3]), int(made.gaps["trials"][3]), int(made.gaps["lost"][3])) == (1, 5, 0)


def test_what_was_told_teaches_nothing() -> None:
    made = street()
    gaps.note(made.gaps[0], NOW - DAY_US, NOW, DAY_US, QUARTER, True)
    made.learn(NOW + HOUR_US)
    assert made.gaps["bursts"].sum() == 0
    assert int(made.gaps["until_us"][0]) == NOW


def test_what_was_learnt_long_ago_gives_way() -> None:
    early = patience_after([12] * 100)[0]
    assert patience_after([12] * 100 + [1] * 600)[0] < early / 2


@st.composite
def streets(draw: st.DrawFn) -> Street:
    n = draw(st.integers(1, 8))
    fleet = [
        device(draw(st.sampled_from([5, 15, 60, 240])) * MINUTE_US, draw(st.sampled_from([2, 8]))) for _ in range(n)
    ]
    number = st.integers(0, 2)
    made = Street(fleet, [draw(number) for _ in fleet], [draw(number) - 1 for _ in fleet])
    for row, state in zip(made.gaps, made.states, strict=True):
        row["bursts"] = draw(st.sampled_from([0, 1, 5, 126, 127]))
        row["trials"] = draw(st.integers(int(row["bursts"]), 4_095)) if row["bursts"] else 0
        row["hours"] = draw(st.sampled_from([0, 1, 700, gaps.HOURS_KEPT - 1]))
        until = draw(st.integers(0, 48))
        if until:
            row["until_us"] = NOW - until * QUARTER
            row["from_us"] = row["until_us"] - draw(st.integers(2, 40)) * QUARTER
            row["lost"] = draw(st.sampled_from([0, 1, 7, 1_024]))
        state["heard_at"] = NOW - draw(st.integers(0, 96)) * QUARTER
    return made


@settings(max_examples=200, deadline=None)
@given(streets())
def test_kernels_equal_the_oracle(made: Street) -> None:
    def plain(rows: Any) -> list[dict[str, Any]]:
        return [{name: row[name].item() for name in rows.dtype.names} for row in rows]

    slow = plain(made.gaps)
    gaps_oracle.learn(NOW, made.fleet, plain(made.states), slow, made.gateway_of, made.feeder_of)
    made.learn(NOW)
    assert plain(made.gaps) == slow
    gaps_oracle.reckon(NOW, made.fleet, plain(made.states), slow, made.gateway_of)
    made.reckon()
    assert plain(made.gaps) == slow
