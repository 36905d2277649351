"""Planted faults and their labels."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.alarm import FaultClass
from city.asset import Switching
from city.clock import DAY_US, HOUR_US
from city.errors import SettingsError
from city.profile import parse_pack
from sim.city import generate_city
from sim.faultkinds import TARGETS, SimFault
from sim.faults import LAMP_FAULTS, PlantedFault, plant, random_faults, read_labels, write_labels

PACK = parse_pack(generate_city(33, lamps=2000, facilities=12, mixed=False))
NOW = 1_795_435_200_000_000
FEEDER_OF = {lamp.lamp_id: lamp.feeder_id for lamp in PACK.lamps}
SWITCHING = {f.feeder_id: f.switching for f in PACK.feeders}


@given(st.integers(0, 1000), st.sampled_from(Switching))
def test_exactly_what_was_asked_is_planted_each_on_its_own_feeder(seed: int, switching: Switching) -> None:
    planted = plant(PACK, seed, NOW, lamp_faults=20, outages=1, outage_switching=switching)
    counts = Counter(f.fault for f in planted)
    assert counts == {
        FaultClass.LAMP_FAILURE: 7,
        FaultClass.LAMP_UNEXPECTED_ON: 7,
        FaultClass.COMMUNICATION_FAILURE: 6,
        FaultClass.SUPPLY_LOSS: 1,
    }
    feeders = [FEEDER_OF.get(f.asset_id, f.asset_id) for f in planted]
    assert len(set(feeders)) == 21
    for fault in planted:
        if fault.fault is FaultClass.SUPPLY_LOSS:
            assert SWITCHING[fault.asset_id] is switching
        if fault.fault is FaultClass.LAMP_UNEXPECTED_ON:
            assert SWITCHING[FEEDER_OF[fault.asset_id]] is Switching.PERMANENT
    assert planted == plant(PACK, seed, NOW, lamp_faults=20, outages=1, outage_switching=switching)


def test_onsets_and_ends_are_as_asked() -> None:
    planted = plant(PACK, 1, NOW, spread_us=HOUR_US, end_us=NOW + DAY_US)
    assert all(NOW <= f.onset_us < NOW + HOUR_US and f.end_us == NOW + DAY_US for f in planted)
    fault = planted[0]
    assert not fault.active(fault.onset_us - 1)
    assert fault.active(fault.onset_us)
    assert not fault.active(NOW + DAY_US)


def test_too_small_a_city_is_told() -> None:
    with pytest.raises(SettingsError, match="too few feeders"):
        plant(parse_pack(generate_city(1, lamps=50)), 1, NOW)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100), st.integers(0, 40), st.integers(1, 20))
def test_random_faults_do_not_depend_on_the_range_asked_for(seed: int, start_day: int, days: int) -> None:
    start, end = NOW + start_day * DAY_US, NOW + (start_day + days) * DAY_US
    wide = random_faults(PACK, seed, NOW - 10 * DAY_US, NOW + 70 * DAY_US)
    narrow = random_faults(PACK, seed, start, end)
    assert set(narrow) <= set(wide)
    assert [f for f in wide if f.onset_us < end and f.end_us is not None and f.end_us > start] == list(narrow)


def test_random_faults_come_at_their_rate_and_end() -> None:
    faults = random_faults(PACK, 1, NOW, NOW + 200 * DAY_US)
    counts = Counter(f.fault for f in faults)
    others = sum(counts.values()) - sum(counts[f] for f in (*LAMP_FAULTS, FaultClass.SUPPLY_LOSS))
    assert 200 < others < 420, "a few a day of all the others together"
    assert 480 < sum(counts[f] for f in LAMP_FAULTS) < 720
    assert 8 < counts[FaultClass.SUPPLY_LOSS] < 36
    assert all(f.end_us is not None and f.end_us - f.onset_us <= 4 * DAY_US for f in faults)


def test_a_city_without_faults() -> None:
    nothing = {"per_day": 0.0, "outages_per_day": 0.0, "others_per_day": 0.0, "feeder_others_per_day": 0.0}
    assert random_faults(PACK, 1, NOW, NOW + DAY_US, **nothing, facility_per_day=0.0) == ()


def test_every_fault_can_be_planted_by_a_label_on_what_it_belongs_to(tmp_path: Path) -> None:
    assets = {"lamp": "L-00001", "feeder": "CM-01-A", "cabinet": "CM-01", "facility": "EQ-01"}
    planted = tuple(
        sorted(
            PlantedFault(NOW, assets[kind], fault, NOW + DAY_US) for fault, kinds in TARGETS.items() for kind in kinds
        )
    )
    assert {f.fault for f in planted} == {*FaultClass, *SimFault}
    write_labels(tmp_path / "labels.json", planted)
    assert read_labels(tmp_path / "labels.json", PACK) == planted


def test_random_faults_of_facilities_have_a_sensor_that_shows_them() -> None:
    kinds = {f.facility_id: f.kind for f in PACK.facilities}
    faults = random_faults(PACK, 1, NOW, NOW + 400 * DAY_US)
    warm = [kinds[f.asset_id] for f in faults if f.fault is SimFault.COLD_ROOM_TOO_WARM]
    leaks = [kinds[f.asset_id] for f in faults if f.fault is SimFault.WATER_LEAK]
    assert set(warm) == {"market"}
    assert set(leaks) == {"water-tank", "pool"}


def test_labels_read_back(tmp_path: Path) -> None:
    planted = plant(PACK, 1, NOW, end_us=NOW + DAY_US) + random_faults(PACK, 1, NOW, NOW + DAY_US)
    write_labels(tmp_path / "labels.json", planted)
    assert read_labels(tmp_path / "labels.json", PACK) == tuple(sorted(planted))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}x",
        "[1]",
        '[{"fault": "lampFailure"}]',
        '[{"fault": "x", "asset": "L-00001", "onset": "2026-01-01T00:00:00Z"}]',
        '[{"fault": "lampFailure", "asset": "L-00001", "onset": "2026-01-01T00:00:00"}]',
        '[{"fault": "lampFailure", "asset": "L-99999", "onset": "2026-01-01T00:00:00Z"}]',
        '[{"fault": "supplyLoss", "asset": "L-00001", "onset": "2026-01-01T00:00:00Z"}]',
        '[{"fault": "waterLeak", "asset": "L-00001", "onset": "2026-01-01T00:00:00Z"}]',
        '[{"fault": "flicker", "asset": "CM-01", "onset": "2026-01-01T00:00:00Z"}]',
    ],
)
def test_a_bad_list_of_faults_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "faults.json").write_text(text)
    with pytest.raises(SettingsError, match=r"faults\.json"):
        read_labels(tmp_path / "faults.json", PACK)
