"""Planted faults and their labels."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.alarm import FaultClass
from city.asset import Switching
from city.clock import DAY_US, HOUR_US
from city.errors import SettingsError
from city.profile import parse_pack
from sim.chance import random_faults
from sim.city import generate_city
from sim.faultkinds import TARGETS
from sim.faults import PlantedFault, active_at, last_reset, last_resets, plant, read_labels, write_labels

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


def test_every_fault_can_be_planted_by_a_label_on_what_it_belongs_to(tmp_path: Path) -> None:
    assets = {"lamp": "L-00001", "feeder": "CM-01-A", "cabinet": "CM-01", "gateway": "GW-01", "facility": "EQ-01"}
    planted = tuple(
        sorted(
            PlantedFault(NOW, assets[kind], fault, NOW + DAY_US) for fault, kinds in TARGETS.items() for kind in kinds
        )
    )
    assert {f.fault for f in planted} == set(FaultClass) - {FaultClass.OUT_OF_PATTERN}
    write_labels(tmp_path / "labels.json", planted)
    assert read_labels(tmp_path / "labels.json", PACK) == planted


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
        '[{"fault": "supplyLoss", "asset": "GW-01", "onset": "2026-01-01T00:00:00Z"}]',
        '[{"fault": "communicationFailure", "asset": "CM-01", "onset": "2026-01-01T00:00:00Z"}]',
        '[{"fault": "flicker", "asset": "CM-01", "onset": "2026-01-01T00:00:00Z"}]',
    ],
)
def test_a_bad_list_of_faults_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "faults.json").write_text(text)
    with pytest.raises(SettingsError, match=r"faults\.json"):
        read_labels(tmp_path / "faults.json", PACK)


@given(
    st.lists(
        st.tuples(st.integers(1, 200), st.one_of(st.none(), st.integers(0, 90)), st.booleans()), max_size=4, unique=True
    )
)
def test_many_moments_at_once_are_each_of_them_alone(planted: list[tuple[int, int | None, bool]]) -> None:
    faults = [
        PlantedFault(
            onset * HOUR_US,
            "X",
            FaultClass.COUNTER_RESET if reset else FaultClass.STUCK_SENSOR,
            None if length is None else (onset + length) * HOUR_US,
        )
        for onset, length, reset in planted
    ]
    at_us = np.arange(0, 400 * HOUR_US, HOUR_US // 2, dtype=np.int64)
    assert last_resets(faults, at_us).tolist() == [last_reset(faults, at) or 0 for at in at_us.tolist()]
    stuck = [f for f in faults if f.fault is FaultClass.STUCK_SENSOR]
    told = active_at(faults, FaultClass.STUCK_SENSOR, at_us).tolist()
    assert told == [any(f.active(at) for f in stuck) for at in at_us.tolist()]
