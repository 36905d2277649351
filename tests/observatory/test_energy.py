from dataclasses import replace

import pytest

from city.clock import DAY_US, HOUR_US, MINUTE_US
from city.lighting import LightingSchedule
from observatory.energy import Claim, Loss, by_district, disjoint, kwh_of, together

SUN = LightingSchedule("sun", 43.54, -5.66, -3.0)
DIMMED = LightingSchedule("part", 43.54, -5.66, -3.0, ((0, 50),), "Europe/Madrid")
MIDNIGHT = 1_795_392_000_000_000
"""2026-11-23 00:00 UTC."""
ON, OFF = (int(edge[0]) for edge in SUN.periods(MIDNIGHT + 12 * HOUR_US, MIDNIGHT + 36 * HOUR_US))
"""Dusk of that day and the dawn after it."""
NOON = MIDNIGHT + 12 * HOUR_US


def claim(loss: Loss, since: int, until: int, watts: float | None = None, **fields: object) -> Claim:
    hours = {} if watts is None else dict.fromkeys(range(MIDNIGHT, MIDNIGHT + 3 * DAY_US, HOUR_US), watts)
    base = Claim("L-1", "centre", loss, since, until, 100.0, SUN, hourly_w=hours)
    return replace(base, **fields)  # type: ignore[arg-type]


def test_a_november_night_is_as_long_as_the_almanac_says() -> None:
    assert 14.0 < (OFF - ON) / HOUR_US < 14.6


def test_a_dark_lamp_keeps_back_what_it_should_have_taken_and_no_more() -> None:
    night = claim(Loss.NOT_DELIVERED, NOON, NOON + DAY_US)
    assert kwh_of(night) == pytest.approx(0.1 * (OFF - ON) / HOUR_US)
    assert kwh_of(claim(Loss.NOT_DELIVERED, ON + HOUR_US, ON + 3 * HOUR_US)) == pytest.approx(0.2)
    assert kwh_of(claim(Loss.NOT_DELIVERED, NOON, NOON + HOUR_US)) == 0.0
    assert kwh_of(replace(night, schedule=DIMMED)) == pytest.approx(0.05 * (OFF - ON) / HOUR_US)
    assert kwh_of(replace(night, rated_w=None)) == 0.0


def test_a_day_burner_wastes_what_it_draws_above_standby_while_commanded_off() -> None:
    whole = claim(Loss.BY_DAY, MIDNIGHT + 10 * HOUR_US, MIDNIGHT + 13 * HOUR_US, 100.4, standby_w=0.4)
    assert kwh_of(whole) == pytest.approx(0.3)
    by_night = claim(Loss.BY_DAY, ON + HOUR_US, OFF - HOUR_US, 100.0)
    assert kwh_of(by_night) == 0.0
    over_dusk = claim(Loss.BY_DAY, ON - 90 * MINUTE_US, ON + 90 * MINUTE_US, 100.0)
    assert kwh_of(over_dusk) == pytest.approx(0.15)


def test_a_divided_hour_counts_by_what_the_alarm_saw_and_an_unheard_one_not_at_all() -> None:
    begin = MIDNIGHT + 10 * HOUR_US + 30 * MINUTE_US
    half = claim(Loss.BY_DAY, begin, begin + 30 * MINUTE_US, 50.0, observed_w=100.0)
    assert kwh_of(half) == pytest.approx(0.05), "the mean of the hour is half of what it drew since"
    assert kwh_of(claim(Loss.BY_DAY, MIDNIGHT + 10 * HOUR_US, MIDNIGHT + 12 * HOUR_US, observed_w=100.0)) == 0.0


def test_too_much_power_counts_above_what_the_level_asks_for_and_never_below() -> None:
    over = claim(Loss.OVER_POWER, ON + HOUR_US, ON + 9 * HOUR_US, 120.0)
    assert kwh_of(over) == pytest.approx(0.16)
    assert kwh_of(replace(over, schedule=DIMMED)) == pytest.approx(0.56)
    assert kwh_of(claim(Loss.OVER_POWER, ON + HOUR_US, ON + 9 * HOUR_US, 40.0)) == 0.0
    assert kwh_of(claim(Loss.OVER_POWER, NOON - 4 * HOUR_US, NOON, 120.0)) == 0.0


def test_too_much_power_goes_by_what_was_learnt_of_the_lamp_where_the_alarm_says_it() -> None:
    # The inventory says 100 W; it always drew 250 and now draws 300.
    over = claim(Loss.OVER_POWER, ON + HOUR_US, ON + 9 * HOUR_US, 300.0, excess=1 - 250 / 300)
    assert kwh_of(over) == pytest.approx(8 * 0.05)
    counted = replace(over, hourly_w={}, measured=False)
    assert kwh_of(counted) == pytest.approx(8 * 0.1 * (300 / 250 - 1)), "of counters alone the inventory has to tell"
    assert kwh_of(replace(over, hourly_w={})) == 0.0, "nothing was heard of it"


def test_a_day_burner_with_counters_alone_wastes_what_the_inventory_says() -> None:
    by_day = claim(Loss.BY_DAY, MIDNIGHT + 10 * HOUR_US, MIDNIGHT + 13 * HOUR_US, measured=False)
    assert kwh_of(by_day) == pytest.approx(0.3)
    assert kwh_of(replace(by_day, rated_w=None)) == 0.0


def test_what_a_lamps_own_alarm_and_its_feeders_say_of_the_same_hours_counts_once() -> None:
    own = claim(Loss.NOT_DELIVERED, ON, ON + 6 * HOUR_US)
    feeders = claim(Loss.NOT_DELIVERED, ON + 2 * HOUR_US, ON + 8 * HOUR_US)
    inside = claim(Loss.NOT_DELIVERED, ON + HOUR_US, ON + 2 * HOUR_US)
    other = replace(feeders, lamp_id="L-2")
    assert [(c.lamp_id, (c.until_us - c.since_us) // HOUR_US) for c in disjoint([feeders, own, inside, other])] == [
        ("L-1", 6),
        ("L-1", 2),
        ("L-2", 6),
    ]
    lost = by_district([feeders, own, inside, other])
    assert [(one.loss, one.district, one.lamps) for one in lost] == [(Loss.NOT_DELIVERED, "centre", 2)]
    assert lost[0].kwh == pytest.approx(1.4)


def test_sums_name_every_loss_also_where_there_is_none() -> None:
    east = replace(claim(Loss.BY_DAY, NOON, NOON + HOUR_US, 100.0), lamp_id="L-9", district="east")
    lost = by_district([claim(Loss.BY_DAY, NOON, NOON + 2 * HOUR_US, 100.0), east])
    assert [(one.district, one.kwh) for one in lost] == [("centre", pytest.approx(0.2)), ("east", pytest.approx(0.1))]
    sums = {one.loss: (one.lamps, one.kwh) for one in together(lost)}
    assert sums == {
        Loss.BY_DAY: (2, pytest.approx(0.3)),
        Loss.OVER_POWER: (0, 0),
        Loss.NOT_DELIVERED: (0, 0),
    }
