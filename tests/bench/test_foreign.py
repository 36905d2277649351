"""Fleets of another maker: same seed, same files, and the command reads every variant of them."""

import csv
from pathlib import Path

import numpy as np
import pytest

from anomaly.backtest.fleet_assets import known_metrics, read_assets
from anomaly.backtest.fleet_labels import read_labels
from anomaly.backtest.fleet_readings import read_readings
from anomaly.backtest.spill import Spill
from bench.foreign.files import VARIANTS, Fleet, write
from bench.foreign.physics import nights, supply
from bench.foreign.street import TOWNS, build, sun_elevation, switching
from city.alarm import FaultClass
from city.sun import elevation_deg


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_read_whole(tmp_path: Path, variant: str) -> None:
    fleet = Fleet(seed=5, lamps=20, days=25, cadence_s=3_600, variant=variant, buildings=4)
    planted = write(fleet, tmp_path)
    assets = read_assets(tmp_path / "assets.csv")
    known = {name for a in assets for name in (a.asset, a.feeder, a.cabinet, a.gateway)}
    labels = read_labels(tmp_path / "labels.csv", known)
    assert {label.fault for label in labels} <= {str(fault) for fault in FaultClass}
    assert 0 < len(labels) <= len(planted)
    with Spill() as spill:
        numbers = {a.asset: n for n, a in enumerate(assets)}
        report = read_readings(tmp_path / "readings.csv", numbers, known_metrics(), spill)
        days = list(spill.in_order())
    assert report.skipped == 0
    assert report.rows == sum(map(len, days)) > 10_000
    late = np.concatenate([rows["received_at"] - rows["observed_at"] for rows in days])
    assert np.quantile(late, 0.9999) > 60_000_000, "some come late, out of what a gateway kept"


def test_the_same_seed_writes_the_same_and_another_one_another_town(tmp_path: Path) -> None:
    def text(name: str, seed: int) -> str:
        write(Fleet(seed, lamps=10, days=20, cadence_s=14_400), tmp_path / name)
        return "".join((tmp_path / name / f"{part}.csv").read_text() for part in ("assets", "readings", "labels"))

    assert text("a", 2) == text("b", 2) != text("c", 3)


@pytest.mark.parametrize("messages", [1, 2, 4])
def test_counters_speak_so_many_times_a_night_and_only_then(tmp_path: Path, messages: int) -> None:
    fleet = Fleet(2, lamps=10, days=20, cadence_s=43_200 // messages)
    assert fleet.messages == messages
    write(fleet, tmp_path)
    with (tmp_path / "readings.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "switch_on_count"]
    lamps = {row["asset"] for row in rows}
    assert 0.8 * messages * 20 < len(rows) / len(lamps) <= messages * 21


def test_suns_of_two_makers_agree() -> None:
    for _, lat, lon, _, _ in TOWNS:
        moments = np.arange(1_735_689_600, 1_735_689_600 + 366 * 86_400, 7_200.0)
        theirs = elevation_deg((moments * 1e6).astype(np.int64), lat, lon)
        assert np.abs(sun_elevation(moments, lat, lon) - theirs).max() < 1.0


def test_supply_of_a_switched_feeder_is_its_nights() -> None:
    town = build(np.random.default_rng(1), 4, 60, 20, False, "full")
    for lamp in town.lamps:
        if town.feeders[lamp.feeder].switched:
            np.testing.assert_array_equal(supply(np.random.default_rng(1), town, lamp, []), nights(town, lamp, []))
    on, off = switching(town.start, 20, town.lat, town.lon, -0.833)
    assert len(on) == len(off) >= 20
    assert ((off - on > 8 * 3_600) & (off - on < 14 * 3_600)).all()
