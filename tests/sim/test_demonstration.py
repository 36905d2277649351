"""Each evening of the demonstration has its four faults, the same after a restart."""

from datetime import UTC, datetime

import pytest

from city.alarm import FaultClass
from city.asset import Switching
from city.clock import DAY_US, HOUR_US, from_datetime
from city.profile import parse_pack
from sim.city import generate_city
from sim.demonstration import demonstration_faults, shown_faults

PACK = parse_pack(generate_city(11, lamps=600, facilities=3))
NOON = from_datetime(datetime(2026, 11, 24, 12, tzinfo=UTC))
FEEDERS = {feeder.feeder_id: feeder for feeder in PACK.feeders}
HANGS_ON = {lamp.lamp_id: lamp.feeder_id for lamp in PACK.lamps} | {f: f for f in FEEDERS}


def test_an_evening_has_a_dark_lamp_a_silent_one_an_outage_and_one_that_burns_on() -> None:
    evening = [f for f in shown_faults(PACK, 1, NOON, NOON + DAY_US) if f.onset_us >= NOON - 6 * HOUR_US]
    dusk = PACK.schedules[PACK.feeders[0].schedule_id].next_on(NOON)
    assert dusk is not None
    after_h = {f.fault: (f.onset_us - dusk) / HOUR_US for f in evening}
    assert after_h[FaultClass.LAMP_FAILURE] < -1, "dark from the first minute of dusk"
    assert 0 < after_h[FaultClass.COMMUNICATION_FAILURE] < 1
    assert 1 < after_h[FaultClass.SUPPLY_LOSS] < 2
    assert 2 < after_h[FaultClass.LAMP_UNEXPECTED_ON] < 10
    assert len(evening) == 4
    assert {FEEDERS[HANGS_ON[f.asset_id]].switching for f in evening} == {Switching.PERMANENT}
    assert len({HANGS_ON[f.asset_id] for f in evening}) == 4


@pytest.mark.parametrize("seed", [1, 33])
def test_every_evening_has_a_lamp_that_stays_dark_and_a_street_that_goes_dark(seed: int) -> None:
    faults = shown_faults(PACK, seed, NOON, NOON + 60 * DAY_US)
    schedule = PACK.schedules["astronomical"]
    for day in range(1, 60):
        noon = NOON + day * DAY_US
        dusk = schedule.next_on(noon)
        assert dusk is not None
        assert [f for f in faults if f.fault is FaultClass.LAMP_FAILURE and noon <= f.onset_us < dusk]
        evening = [f for f in faults if dusk + HOUR_US <= f.onset_us < dusk + 2 * HOUR_US]
        (outage,) = [f for f in evening if f.fault is FaultClass.SUPPLY_LOSS][:1]
        assert outage.end_us is not None
        assert outage.end_us - outage.onset_us <= 12 * HOUR_US


def test_a_simulator_that_starts_again_goes_on_with_the_same_evening() -> None:
    whole = shown_faults(PACK, 1, NOON, NOON + 30 * DAY_US)
    later = shown_faults(PACK, 1, NOON + 5 * DAY_US, NOON + 30 * DAY_US)
    assert set(later) == {f for f in whole if f.end_us is not None and f.end_us > NOON + 5 * DAY_US}
    assert shown_faults(PACK, 2, NOON, NOON + DAY_US) != shown_faults(PACK, 1, NOON, NOON + DAY_US)


def test_a_city_too_small_for_the_story_has_none() -> None:
    assert shown_faults(parse_pack(generate_city(11, lamps=12, facilities=1)), 1, NOON, NOON + DAY_US) == ()


def test_nothing_drawn_at_random_is_in_the_way_of_the_story() -> None:
    feeder_of = {lamp.lamp_id: lamp.feeder_id for lamp in PACK.lamps}
    cabinet_of = {f.feeder_id: f.cabinet_id for f in PACK.feeders}
    gateway_of = {c.cabinet_id: c.gateway_id for c in PACK.cabinets}
    end = NOON + 2 * 365 * DAY_US
    faults = demonstration_faults(PACK, 1, NOON, end)
    shown = set(shown_faults(PACK, 1, NOON, end))
    drawn = [fault for fault in faults if fault not in shown]
    assert shown <= set(faults)
    assert len(drawn) > 1000
    for fault in shown:
        feeder = feeder_of.get(fault.asset_id, fault.asset_id)
        chain = {fault.asset_id, feeder, cabinet_of[feeder], gateway_of[cabinet_of[feeder]]}
        assert fault.end_us is not None
        about = [f for f in drawn if f.onset_us < fault.end_us and (f.end_us or end) > fault.onset_us - DAY_US]
        assert not [f for f in about if f.asset_id in chain]


def test_what_is_left_out_does_not_depend_on_when_the_simulator_starts() -> None:
    whole = demonstration_faults(PACK, 1, NOON, NOON + 60 * DAY_US)
    for day in range(1, 30):
        start = NOON + day * DAY_US
        later = demonstration_faults(PACK, 1, start, NOON + 60 * DAY_US)
        assert list(later) == [f for f in whole if f.end_us is None or f.end_us > start]
