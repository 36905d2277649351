"""What is planted is there, labelled, and nowhere else."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from anomaly.backtest.fleet import Fleet
from anomaly.backtest.inject import SLOT_US, WARM_US, Injection, Injector, Planted, SeriesStats, plan
from city.alarm import Scope
from city.asset import AssetKind
from city.clock import DAY_US, HOUR_US, from_datetime
from city.reading import ReadingBatch
from city.registry import DeviceDefinition, FaultRules, RootDefinition, SeriesDefinition

START = from_datetime(datetime(2026, 3, 1, tzinfo=UTC))
DAYS = 90
METRICS = ("no2_ug_m3", "o3_ug_m3", "air_temperature_deg_c")


def station() -> Fleet:
    series = tuple(SeriesDefinition(n + 1, "D", name) for n, name in enumerate(METRICS))
    device = DeviceDefinition("D", Scope(AssetKind.FACILITY, "AIR", "AIR", "AIR", "", "G"), 3600, 24.0, series)
    return Fleet([RootDefinition("AIR", AssetKind.FACILITY, "AIR", "v", (), (device,), FaultRules())])


def recorded() -> ReadingBatch:
    """Return ninety days by the hour; no two neighbours are alike."""
    rng = np.random.default_rng(4)
    at = np.repeat(START + np.arange(24 * DAYS, dtype=np.int64) * HOUR_US, len(METRICS))
    series = np.tile(np.arange(1, len(METRICS) + 1, dtype=np.int32), 24 * DAYS)
    value = 40.0 + 5.0 * rng.standard_normal(len(at))
    return ReadingBatch(series, np.zeros(len(at), np.int32), at, at + 10, value, np.zeros(len(at), np.uint8))


FLEET, BATCH = station(), recorded()
STATS = SeriesStats(FLEET)
STATS.see(BATCH)


def planted(*kinds: Injection, seed: int = 1) -> tuple[list[Planted], ReadingBatch]:
    found = plan(FLEET, STATS, kinds, seed)
    return found, changed(found)


def changed(found: list[Planted], pieces: int = 1) -> ReadingBatch:
    injector = Injector(found, 1)
    parts = np.array_split(np.arange(len(BATCH)), pieces)
    return ReadingBatch.concatenate([injector.change(BATCH.take(part)) for part in parts])


def inside(one: Planted, batch: ReadingBatch) -> np.ndarray:
    at = batch.observed_at
    return (at >= one.label.onset_us) & (at < one.label.ends_by(0)) & np.isin(batch.series_id, one.series)


def test_spread_is_that_of_each_series_whatever_the_batches() -> None:
    pieces = SeriesStats(FLEET)
    for part in np.array_split(np.arange(len(BATCH)), 7):
        pieces.see(BATCH.take(part))
    for series in (1, 2, 3):
        wanted = BATCH.value[BATCH.series_id == series].std()
        assert STATS.spread(series) == pytest.approx(wanted)
        assert pieces.spread(series) == pytest.approx(wanted)
    assert (pieces.first_us, pieces.last_us) == (START, START + (24 * DAYS - 1) * HOUR_US)


def test_faults_come_one_after_the_other_once_there_was_time_to_learn() -> None:
    found, _ = planted(*Injection)
    onsets = [one.label.onset_us for one in found]
    assert len(found) == (DAYS * DAY_US - WARM_US) // SLOT_US
    assert onsets[0] >= START + WARM_US
    assert all(b >= a + SLOT_US - 4 * DAY_US for a, b in pairwise(onsets))
    assert [one.label.asset for one in found] == ["AIR"] * len(found)


@pytest.mark.parametrize("kind", list(Injection))
def test_what_is_planted_changes_what_its_label_says_and_nothing_else(kind: Injection) -> None:
    found, batch = planted(kind)
    assert len(found) == 4
    touched = np.zeros(len(BATCH), np.bool_)
    for one in found:
        touched |= inside(one, BATCH)
    assert touched.sum() >= 3 * len(found)
    if kind is Injection.GAP:
        assert np.array_equal(batch.value, BATCH.value[~touched])
        assert {one.label.fault for one in found} == {"communicationFailure"}
        return
    assert np.array_equal(batch.value[~touched], BATCH.value[~touched])
    for one in found:
        now, then = batch.value[inside(one, batch)], BATCH.value[inside(one, BATCH)]
        sigma = abs(one.size)
        match kind:
            case Injection.STUCK:
                assert set(now) == {then[0]}
                assert one.label.fault == "stuckSensor"
            case Injection.SHIFT | Injection.SPIKE:
                assert np.allclose(now, np.clip(then + one.size, one.low, one.high))
                assert one.label.fault == "outOfPattern"
            case Injection.DRIFT:
                assert abs(now[0] - then[0]) < 0.05 * sigma
                assert abs(now[-1] - then[-1]) > 0.9 * min(sigma, then[-1] - one.low)
            case Injection.NOISE:
                assert np.std(now - then) == pytest.approx(sigma, rel=0.5)


def test_batches_do_not_matter_and_seeds_do() -> None:
    kinds = tuple(kind for kind in Injection if kind is not Injection.NOISE)
    found, whole = planted(*kinds)
    assert np.array_equal(changed(found, 40).value, whole.value)
    assert plan(FLEET, STATS, kinds, 1) == found
    assert plan(FLEET, STATS, kinds, 2) != found


def test_values_stay_what_the_metric_can_be() -> None:
    found = [replace(one, size=-1e6) for one in plan(FLEET, STATS, [Injection.SHIFT], 1)]
    batch = changed(found)
    for one in found:
        assert set(batch.value[inside(one, batch)]) == {one.low}
