"""Losses that came back: found in all moments at once as one after the other would find them."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from anomaly.segments.layout import LOSS_STEP, SAID
from anomaly.segments.trips import APART_US, LOSS_LEAST, MOST, OTHERS, SMALL, TOGETHER_US, UNLIKELY, loss_at
from city.clock import MINUTE_US

NOW, BACK_US = 10_000 * MINUTE_US, 40 * MINUTE_US
AGO = st.integers(0, 60).map(lambda minutes: NOW - minutes * MINUTE_US)
LAMP = st.fixed_dictionaries(
    {"heard_at": AGO, "missed_from": AGO, "missed_until": AGO, "gasp_at": st.one_of(st.just(0), st.just(0), AGO)}
)


def said(lamps: list[dict[str, int]]) -> NDArray[np.void]:
    rows = np.zeros(len(lamps), SAID)
    for row, lamp in zip(rows, lamps, strict=True):
        for name, at in lamp.items():
            row[name] = at
    return rows


def missing(lamps: list[dict[str, int]], moment: int, after: int = 0) -> float:
    missed = [one["missed_from"] <= moment and one["missed_until"] > moment + MINUTE_US for one in lamps]
    heard = [one["heard_at"] > moment for one, gone in zip(lamps, missed, strict=True) if not gone]
    if not missed:
        return 1.0
    late = sum(gone and one["missed_from"] > after for one, gone in zip(lamps, missed, strict=True))
    told = sum(missed) + sum(heard)
    return late / told if told else 1.0


def one_after_the_other(lamps: list[dict[str, int]], others: list[dict[str, int]], counted_at: int) -> int:
    gasps = [one["gasp_at"] for one in lamps if one["gasp_at"] > NOW - BACK_US]
    if gasps and sum(at > max(gasps) - TOGETHER_US for at in gasps) >= (1 if len(lamps) < SMALL else 2):
        return max(gasps)
    back = [one["missed_from"] for one in lamps if one["missed_until"] > NOW - BACK_US]
    if len(back) < 2:
        return 0
    for moment in sorted(set(back), reverse=True):
        if missing(lamps, moment, counted_at) >= MOST:
            alone = len(others) >= 2 and missing(others, moment) <= OTHERS
            return moment if alone and by_chance(lamps, moment) < math.exp(-UNLIKELY) else 0
    return 0


def by_chance(lamps: list[dict[str, int]], moment: int) -> float:
    """With the least loss that anybody has: how many of so many missed it, however they may be chosen."""
    missed = sum(one["missed_from"] <= moment and one["missed_until"] > moment + MINUTE_US for one in lamps)
    heard = sum(
        one["heard_at"] > moment and not (one["missed_from"] <= moment and one["missed_until"] > moment + MINUTE_US)
        for one in lamps
    )
    return math.comb(missed + heard, missed) * LOSS_LEAST**missed


@given(st.lists(LAMP, max_size=12), st.lists(LAMP, max_size=5), st.one_of(st.just(0), AGO))
def test_a_loss_is_the_latest_moment_that_most_missed_and_others_did_not(
    lamps: list[dict[str, int]], others: list[dict[str, int]], counted_at: int
) -> None:
    found = loss_at(said(lamps), said(others), NOW, BACK_US, counted_at)
    assert found == one_after_the_other(lamps, others, counted_at)


def test_a_round_that_a_feeder_missed_is_found() -> None:
    lost = NOW - 20 * MINUTE_US
    away = {"heard_at": NOW, "missed_from": lost, "missed_until": NOW - 2 * MINUTE_US, "gasp_at": 0}
    there = {"heard_at": NOW, "missed_from": 0, "missed_until": 0, "gasp_at": 0}
    assert loss_at(said([away] * 9 + [there]), said([there] * 3), NOW, BACK_US, 0) == lost
    assert loss_at(said([away] * 9 + [there]), said([away] * 3), NOW, BACK_US, 0) == 0, "the gateway was away"
    assert APART_US < 20 * MINUTE_US


def test_a_round_that_most_missed_because_half_of_all_is_lost_is_no_loss_of_supply() -> None:
    lost = NOW - 20 * MINUTE_US
    away = {"heard_at": NOW, "missed_from": lost, "missed_until": NOW - 2 * MINUTE_US, "gasp_at": 0}
    there = {"heard_at": NOW, "missed_from": 0, "missed_until": 0, "gasp_at": 0}
    feeder = said([away] * 11 + [there] * 5)
    assert loss_at(feeder, said([there] * 3), NOW, BACK_US, 0) == lost
    feeder["loss"] = 0.5
    assert loss_at(feeder, said([there] * 3), NOW, BACK_US, 0) == 0
    small = said([away] * 4)
    small["loss"] = 0.01 + 3 * LOSS_STEP
    assert loss_at(small, said([there] * 3), NOW, BACK_US, 0) == 0, "so many are lost there"
    assert loss_at(small, said([there] * 3), NOW, BACK_US, 0, 2) == lost, "the trips before have taught that"
