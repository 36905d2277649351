"""Each fault of a lamp under its right name and once; what is none, in silence."""

import random

import numpy as np
import pytest

from anomaly.lamps.layout import RULES
from anomaly.layout import DIMMING, ENERGY, FACTOR, HOURS, POWER, SWITCHES, VOLTAGE
from anomaly.state import rules_row
from city.clock import DAY_US, HOUR_US, MINUTE_US
from city.registry import FaultRules
from tests.anomaly.lamps.one_lamp import (
    ONSET,
    QUARTER,
    Count,
    Lamp,
    counters,
    device,
    is_on,
    readings,
    said,
    suspected,
)
from tests.anomaly.lamps.test_oracle import by_kernels

DAYS = 18
DUSK = 14 * DAY_US + 12 * HOUR_US
MIDNIGHT_LEVEL = 50.0


def since_onset(before: float, after: float):
    return lambda at: after if at >= ONSET else before


def at_midnight(before: float, after: float):
    """Change in the middle of a night: nobody is there to change a lamp."""
    return lambda at: after if at >= ONSET + 10 * HOUR_US else before


def near(at: int) -> float:
    """Less than full from two readings after dusk on: too much at this level looks like the full one."""
    return 77.0 if at % DAY_US >= 12 * HOUR_US + 40 * MINUTE_US else 100.0


def dimmed(at: int) -> float:
    """Half the level in the last four hours of a night."""
    return MIDNIGHT_LEVEL if at // HOUR_US % 24 >= 20 else 100.0


def flickering(at: int) -> float:
    return 0.55 + 0.45 * random.Random(at).random() if at >= ONSET else 1.0


def cycling(at: int) -> float:
    """A worn lamp: six minutes of seventeen it is dark, then it runs up within five."""
    phase = at // MINUTE_US % 17 if at >= ONSET else 16
    return 0.0 if phase < 6 else min(0.35 + 0.13 * (phase - 6), 1.0)


FAULTS = {
    "dark": (Lamp(share=since_onset(1.0, 0.0)), {}, ["lampFailure"]),
    "by day": (Lamp(day_w=since_onset(0.4, 90.0)), {}, ["lampUnexpectedOn"]),
    "wrong level": (Lamp(level=lambda at: 100.0 if at >= ONSET else dimmed(at), told=dimmed), {}, ["dimmingFailure"]),
    "module lost": (Lamp(share=since_onset(1.0, 0.83)), {}, ["ledModuleLost"]),
    "a tenth lost while it burns": (Lamp(share=at_midnight(1.0, 0.9)), {}, ["ledModuleLost"]),
    "an eighth lost, dimmed": (Lamp(share=at_midnight(1.0, 0.88), level=dimmed), {}, ["ledModuleLost"]),
    "draws more, dimmed": (Lamp(share=since_onset(1.0, 1.3), level=near), {"early": 0}, ["lampPowerTooHigh"]),
    "half of it lost": (Lamp(share=since_onset(1.0, 0.5), level=dimmed), {}, ["ledModuleLost"]),
    "sodium draws less": (Lamp(share=since_onset(1.0, 0.8)), {"led": 0}, ["lampPowerTooLow"]),
    "draws more": (Lamp(share=since_onset(1.0, 1.22)), {}, ["lampPowerTooHigh"]),
    "flickers": (Lamp(share=flickering), {}, ["flicker"]),
    "sodium flickers": (Lamp(share=flickering), {"led": 0}, ["flicker"]),
    "no capacitor": (Lamp(factor=since_onset(0.9, 0.42)), {"led": 0}, ["powerFactorTooLow"]),
    "stuck": (Lamp(frozen_from=ONSET), {}, ["stuckSensor"]),
    "stuck at night": (Lamp(frozen_from=ONSET + 10 * HOUR_US), {}, ["stuckSensor"]),
}


@pytest.mark.parametrize("what", FAULTS)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_fault_is_told_once_and_under_its_name(what: str, seed: int) -> None:
    lamp, changes, expected = FAULTS[what]
    watched = device(DAYS, **changes)
    assert suspected(watched, readings(watched, lamp, seed)) == expected


@pytest.mark.parametrize("what", ["dark", "wrong level", "module lost", "draws more"])
def test_abrupt_faults_are_suspected_with_the_third_reading_of_the_night(what: str) -> None:
    lamp, changes, _ = FAULTS[what]
    watched = device(DAYS, **changes)
    ((_, _, _, at),) = said(watched, readings(watched, lamp))
    first = 14 * DAY_US + 20 * HOUR_US if what == "wrong level" else DUSK + QUARTER
    assert at <= first + 2 * QUARTER


def test_a_worn_lamp_cycles_and_is_not_told_dead_for_longer_than_correlation_waits() -> None:
    watched = device(DAYS, led=0)
    told = said(watched, readings(watched, Lamp(share=cycling)))
    assert [x for x in told if x[0] == "suspect" and x[1] == "cyclingFailure"]
    assert {fault for kind, fault, _, _ in told if kind == "suspect"} <= {"cyclingFailure", "lampFailure"}
    opened = {}
    for kind, fault, _, at in told:
        if fault == "lampFailure":
            if kind == "suspect":
                opened[fault] = at
            else:
                assert at - opened.pop(fault) <= QUARTER
    assert not opened


def test_a_slow_loss_of_power_is_no_lost_module() -> None:
    def ramp(at: int) -> float:
        return 1.0 - min(0.12 * max(at - ONSET, 0) / DAY_US, 0.35)

    watched = device(DAYS + 2)
    assert suspected(watched, readings(watched, Lamp(share=ramp))) == ["lampPowerTooLow"]


def test_a_loss_that_goes_on_from_night_to_night_is_no_lost_module() -> None:
    """Nights of eight hours: by day it falls by a string's worth, unseen, but it had left its normal before."""

    def ramp(at: int) -> float:
        return 1.0 - min(0.18 * max(at - ONSET, 0) / DAY_US, 0.35)

    periods = [(d * DAY_US + 16 * HOUR_US, (d + 1) * DAY_US) for d in range(DAYS + 2)]
    watched = device(DAYS + 2, interval_us=HOUR_US, silence_us=8 * HOUR_US, early=0, periods=periods)
    assert suspected(watched, readings(watched, Lamp(share=ramp))) == ["lampPowerTooLow"]


QUIET = {
    "nothing": (Lamp(), {}),
    "dimmed": (Lamp(level=dimmed), {}),
    "a new lamp draws a tenth less": (Lamp(share=since_onset(1.0, 0.91), level=dimmed), {"led": 0}),
    "a new driver begins a seventh lower": (Lamp(share=since_onset(1.0, 0.86)), {}),
    "a new driver begins a twelfth lower": (Lamp(share=since_onset(1.0, 0.915)), {}),
    "LEDs fade by a tenth in a month": (Lamp(share=lambda at: 1.0 - 0.1 * at / (30 * DAY_US)), {}),
    "sodium loses a tenth while it burns": (Lamp(share=at_midnight(1.0, 0.9)), {"led": 0}),
    "voltage falls by a seventh": (Lamp(shift_v=since_onset(0.0, -30.0), exponent=1.7), {"led": 0}),
    "voltage rises by a tenth": (Lamp(shift_v=since_onset(0.0, 27.0), exponent=1.7), {"led": 0}),
    "inventory says twice as much": (Lamp(share=lambda _at: 0.5), {}),
    "standby of six watts": (Lamp(day_w=lambda _at: 6.0), {"rated_w": 30.0, "on_above_w": 3.0}),
    "poor driver": (Lamp(factor=lambda _at: 0.55), {}),
}


@pytest.mark.parametrize("what", QUIET)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_no_fault_is_not_told(what: str, seed: int) -> None:
    lamp, changes = QUIET[what]
    watched = device(DAYS + 4, **changes)
    assert said(watched, readings(watched, lamp, seed)) == []


def test_an_hour_that_moves_with_the_clocks_is_no_fault_where_no_level_is_reported() -> None:
    def moved(at: int) -> float:
        return dimmed(at + HOUR_US if at >= ONSET else at)

    watched = device(DAYS + 4)
    assert said(watched, readings(watched, Lamp(level=moved), channels=(POWER, VOLTAGE))) == []


def test_what_has_become_normal_is_learnt_again_and_then_judged_by() -> None:
    rules = FaultRules(relearn_s=3 * 86_400)
    watched = device(28)

    def share(at: int) -> float:
        return 1.0 if at < ONSET else 0.7 if at < ONSET + 8 * DAY_US else 0.4

    told = said(watched, readings(watched, Lamp(share=share)), rules)
    assert [(kind, fault, rule) for kind, fault, rule, _ in told][:3] == [
        ("suspect", "ledModuleLost", "power-stepped-down"),
        ("clear", "ledModuleLost", "learnt-again"),
        ("suspect", "ledModuleLost", "power-stepped-down"),
    ]


@pytest.mark.parametrize("share", [0.7, 0.9])
def test_a_fault_ends_when_it_is_mended(share: float) -> None:
    begin = ONSET + 10 * HOUR_US
    lamp = Lamp(share=lambda at: share if begin <= at < ONSET + 2 * DAY_US else 1.0)
    watched = device(DAYS)
    assert [x[:2] for x in said(watched, readings(watched, lamp))] == [
        ("suspect", "ledModuleLost"),
        ("clear", "ledModuleLost"),
    ]


@pytest.mark.parametrize("channel", [VOLTAGE, DIMMING, FACTOR])
def test_a_value_that_is_no_number_is_none(channel: int) -> None:
    watched = device(DAYS)
    told = readings(watched, Lamp(share=since_onset(1.0, 0.7)))
    broken = [(at, {**values, channel: float("nan")}) for at, values in told]
    absent = [(at, {c: v for c, v in values.items() if c != channel}) for at, values in told]
    assert said(watched, broken) == said(watched, absent)


def test_it_does_not_matter_where_events_are_fetched() -> None:
    rules = np.array([rules_row(FaultRules())], RULES)
    watched = device(DAYS, led=0)
    told = readings(watched, Lamp(share=cycling))
    assert by_kernels(watched, rules, told, 16)[0] == by_kernels(watched, rules, told, 640)[0] != []


FOUR_HOURS = {"interval_us": 4 * HOUR_US, "silence_us": 20 * HOUR_US, "early": 0}
COUNTED = {
    "nothing": (Count(), {}, []),
    "nothing, switched": (Count(), {"switched": 1}, []),
    "dead": (Count(burns=lambda at, on: on and at < ONSET), {}, ["lampFailure"]),
    "dead, switched": (Count(burns=lambda at, on: on and at < ONSET), {"switched": 1}, ["lampFailure"]),
    "by day": (Count(burns=lambda at, on: on or at >= ONSET), {}, ["lampUnexpectedOn"]),
    "cycles": (Count(more_switch_ons=lambda at: int(at >= DUSK and at // MINUTE_US % 20 == 0)), {}, ["cyclingFailure"]),
    "stuck": (Count(frozen=(ONSET, 100 * DAY_US)), {}, ["stuckSensor"]),
    "stuck for three days": (Count(frozen=(ONSET, ONSET + 3 * DAY_US)), {}, ["stuckSensor"]),
    "stuck twice": (Count(frozen=(ONSET, ONSET + 2 * DAY_US), again_at=ONSET - 8 * DAY_US), {}, ["stuckSensor"] * 2),
    "counts what burns, and is dead twice": (
        Count(frozen=(ONSET, ONSET + 2 * DAY_US), again_at=ONSET - 8 * DAY_US, forgets=True),
        {},
        ["stuckSensor", "lampFailure"],
    ),
    "whole hours": (Count(hour_step=1.0), {}, []),
    "whole hours, switched": (Count(hour_step=1.0), {"switched": 1}, []),
    "whole hours, switched, a part lost": (
        Count(watts=since_onset(90.0, 65.0), hour_step=1.0),
        {"switched": 1},
        ["ledModuleLost"],
    ),
    "one reset": (Count(resets=(ONSET,)), {}, []),
    "resets": (Count(resets=(ONSET, ONSET + 12 * HOUR_US)), {}, ["counterReset"]),
    "a part lost": (Count(watts=since_onset(90.0, 70.0)), {}, ["ledModuleLost"]),
    "draws less": (Count(watts=since_onset(90.0, 70.0)), {"led": 0}, ["lampPowerTooLow"]),
    "draws more": (Count(watts=since_onset(90.0, 110.0)), {}, ["lampPowerTooHigh"]),
    "new lamp": (Count(watts=since_onset(90.0, 82.0)), {"led": 0}, []),
    "dimmed": (Count(watts=lambda at: 0.9 * dimmed(at)), {"dimmed": 1}, []),
    "dimmed, switched": (Count(watts=lambda at: 0.9 * dimmed(at)), {"dimmed": 1, "switched": 1}, []),
    "dimmed as nobody says": (Count(watts=lambda at: 0.9 * dimmed(at)), {}, []),
    "dimmed as nobody says, switched": (Count(watts=lambda at: 0.9 * dimmed(at)), {"switched": 1}, []),
    "dimmed as nobody says, switched, a part lost": (
        Count(watts=lambda at: 0.9 * dimmed(at) * (0.7 if at >= ONSET else 1.0)),
        {"switched": 1},
        ["ledModuleLost"],
    ),
    "no longer dimmed as nobody said, switched": (
        Count(watts=lambda at: 90.0 if at >= ONSET else 0.9 * dimmed(at)),
        {"switched": 1},
        ["dimmingFailure"],
    ),
    "not dimmed": (
        Count(watts=lambda at: 90.0 if at >= ONSET else 0.9 * dimmed(at)),
        {"dimmed": 1},
        ["dimmingFailure"],
    ),
}


@pytest.mark.parametrize("what", COUNTED)
def test_counters_alone_tell(what: str) -> None:
    count, changes, expected = COUNTED[what]
    watched = device(DAYS, **FOUR_HOURS, **changes)
    assert suspected(watched, counters(watched, count)) == expected


@pytest.mark.parametrize("interval_us", [HOUR_US, 4 * HOUR_US])
@pytest.mark.parametrize("kwh_step", [0.1, 1.0])
def test_a_small_lamp_whose_counter_stands_for_hours_draws_no_less_for_it(interval_us: int, kwh_step: float) -> None:
    count = Count(watts=lambda _at: 20.0, kwh_step=kwh_step)
    watched = device(80, interval_us=interval_us, silence_us=20 * HOUR_US, early=0)
    assert suspected(watched, counters(watched, count)) == []


def test_counters_in_messages_of_their_own_do_not_teach_what_goes_by_level() -> None:
    """Levels and hours have the same cells: 30 % is that of four o'clock, when the lamp burns in full again."""
    nights = [(d * DAY_US + 17 * HOUR_US, (d + 1) * DAY_US + 7 * HOUR_US) for d in range(DAYS)]
    lamp = Lamp(level=lambda at: 30.0 if at // HOUR_US % 24 < 4 else 100.0)
    watched, hourly = (device(DAYS, periods=nights, interval_us=us) for us in (HOUR_US // 4, HOUR_US))
    told = counters(hourly, Count(watts=lambda at: 0.9 * lamp.level(at)))
    moments = [*readings(watched, lamp), *((at + 5 * MINUTE_US, values) for at, values in told)]
    assert suspected(watched, sorted(moments, key=lambda moment: moment[0])) == []


@pytest.mark.parametrize("dimmed", [0, 1])
def test_an_evening_that_becomes_long_enough_to_be_judged_alone_is_no_failure_to_dim(dimmed: int) -> None:
    """In June the evening is added up with the dimmed hours that follow; by September it is not any more."""
    nights = [(d * DAY_US + 19 * HOUR_US - d * 3 * MINUTE_US, d * DAY_US + 28 * HOUR_US) for d in range(90)]
    count = Count(watts=lambda at: 50.0 if at // HOUR_US % 24 in (21, 22, 23, 0, 1, 2, 3) else 100.0)
    watched = device(90, **FOUR_HOURS, switched=1, dimmed=dimmed, periods=nights)
    assert suspected(watched, counters(watched, count)) == []


def test_a_lamp_that_dies_soon_after_dusk_is_dead_though_its_last_minutes_and_its_switch_on_came_together() -> None:
    dusk = DUSK + HOUR_US
    late = [(begin + HOUR_US, end) for begin, end in device(DAYS).periods]
    watched = device(DAYS, **FOUR_HOURS, periods=late)
    told = counters(watched, Count(burns=lambda at, on: on and at < dusk + 15 * MINUTE_US))
    assert suspected(watched, told) == ["lampFailure"]


def test_what_counters_lose_on_the_way_is_no_fault() -> None:
    rng = random.Random(4)
    watched = device(40, **FOUR_HOURS)
    told = [moment for moment in counters(watched, Count()) if rng.random() > 0.3]
    assert is_on(watched, told[-1][0])
    assert said(watched, told) == []


def test_the_rest_of_a_night_of_which_a_part_was_left_out_is_not_its_mean() -> None:
    watched = device(DAYS, **FOUR_HOURS, dimmed=1)
    by_day = Count(
        burns=lambda at, on: on or ONSET - 3 * DAY_US - 110 * MINUTE_US <= at < DUSK + 7 * HOUR_US,
        watts=lambda at: 0.9 * dimmed(at),
    )
    # The message at the end of the night is lost: the next covers its dimmed hours, and the day that ends the fault.
    told = [moment for moment in counters(watched, by_day) if moment[0] != DUSK + 12 * HOUR_US]
    assert suspected(watched, told) == ["lampUnexpectedOn"]


def test_what_counters_added_in_months_of_silence_is_judged_by_nobody() -> None:
    watched = device(210, periods=device(210).periods[140:], interval_us=4 * HOUR_US, early=0)
    whole = device(210, interval_us=4 * HOUR_US, early=0)
    first, *later = counters(whole, Count())
    told = [first, *(one for one in later if one[0] > 204 * DAY_US)]
    assert suspected(watched, told) == []


def test_counters_that_leap_ahead_by_more_than_the_time_count_no_switching() -> None:
    ahead = {ENERGY: 90.0, HOURS: 1_000.0, SWITCHES: 250.0}
    watched = device(DAYS, **FOUR_HOURS)
    told = [
        (at, {c: value + ahead[c] * (at >= ONSET) for c, value in values.items()})
        for at, values in counters(watched, Count())
    ]
    assert suspected(watched, told) == []
