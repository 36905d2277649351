"""What the city really is, where its inventory says otherwise."""

from collections import Counter

import pytest

from city.clock import DAY_US, HOUR_US, MINUTE_US
from city.profile import parse_pack
from sim.city import generate_city
from sim.realism import PERFECT, REAL
from sim.truth import PHASES, Truth

PACK = parse_pack(generate_city(33, lamps=6000, facilities=5))
NOW = 1_795_435_200_000_000
REALITY = Truth(PACK, 1, REAL)


def test_a_perfect_city_is_as_its_inventory_says() -> None:
    truth = Truth(PACK, 1, PERFECT)
    assert list(truth.differences(PACK)) == []
    assert set(truth.clock_off_us.values()) == {0}
    assert not truth.photocells
    assert set(truth.skew_us.values()) == {0}
    assert not any(truth.stalled_since(g.gateway_id, NOW + d * DAY_US) for g in PACK.gateways for d in range(30))


def test_three_in_a_hundred_types_and_two_in_a_hundred_places_are_wrong() -> None:
    pairs = list(REALITY.differences(PACK))
    types = [(said, true) for said, true in pairs if said.rated_w != true.rated_w or said.lamp_type != true.lamp_type]
    places = [(said, true) for said, true in pairs if (said.feeder_id, PHASES.index(said.phase)) != (
        true.feeder_id, true.phase)]  # fmt: skip
    assert len(types) / len(PACK.lamps) == pytest.approx(0.03, abs=0.008)
    assert len(places) / len(PACK.lamps) == pytest.approx(0.02, abs=0.006)
    assert any(said.lamp_type == "sodium" and true.lamp_type == "led" for said, true in types)


def test_a_lamp_on_another_feeder_hangs_on_one_of_its_own_cabinet() -> None:
    cabinet_of = {f.feeder_id: f.cabinet_id for f in PACK.feeders}
    for said, true in REALITY.differences(PACK):
        assert cabinet_of[true.feeder_id] == cabinet_of[said.feeder_id]
        assert true.rated_w > 0.3 * said.rated_w


def test_most_clocks_are_minutes_off_and_a_few_an_hour() -> None:
    many = parse_pack(generate_city(5, facilities=1))
    off = list(Truth(many, 1, REAL).clock_off_us.values())
    hours = [abs(o) for o in off if abs(o) == HOUR_US]
    assert 1 <= len(hours) <= 8
    assert max(abs(o) for o in off if abs(o) != HOUR_US) <= 10 * MINUTE_US
    assert Counter(o > 0 for o in off)[True] == pytest.approx(len(off) / 2, rel=0.2)


def test_another_process_knows_the_same_truth_and_another_seed_another() -> None:
    again, other = Truth(PACK, 1, REAL), Truth(PACK, 2, REAL)
    assert again.lamps == REALITY.lamps
    assert again.clock_off_us == REALITY.clock_off_us
    assert other.lamps != REALITY.lamps


def test_uplinks_stall_seldom_and_for_less_than_an_hour() -> None:
    gateway = PACK.gateways[0].gateway_id
    minutes = [REALITY.stalled_since(gateway, NOW + m * 4 * MINUTE_US) is not None for m in range(360 * 100)]
    runs = "".join("x" if m else " " for m in minutes).split()
    assert 3 <= len(runs) <= 20
    assert all(8 <= len(run) * 4 <= 44 for run in runs)
