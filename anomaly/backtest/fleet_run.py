"""A recorded fleet from its three files to its score."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomaly.backtest.fleet import Fleet
from anomaly.backtest.fleet_assets import FleetAsset, known_metrics, pack_of, read_assets
from anomaly.backtest.fleet_interval import nightly
from anomaly.backtest.fleet_labels import read_labels
from anomaly.backtest.fleet_readings import ReadReport, read_readings
from anomaly.backtest.fleet_sun import learn_sun, sun_or_default
from anomaly.backtest.inject import Injection, Injector, SeriesStats, plan
from anomaly.backtest.labels import Label, in_order
from anomaly.backtest.runner import Scored, backtest
from anomaly.backtest.spill import Spill
from city.metric import ACTIVE_POWER
from city.pack import CityPack
from city.reading import ReadingBatch
from city.registry import RootDefinition
from city.roots import roots_of

Advance = Callable[[str, int, int], None]
"""(what is done, how much, of how much)"""

_PIECE = 100_000


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """How a fleet is run.

    Attributes
    ----------
    sun_below_deg : float or None
        Lamps burn while the sun is below this, degrees; None: that is learnt from the readings.
    kinds : tuple of Injection
        What is planted into the readings, if anything.
    seed : int
        Decides what is planted where.
    tick_us : int or None
        How often time passes; `runner.tick_for` unless given.
    """

    sun_below_deg: float | None = None
    kinds: tuple[Injection, ...] = ()
    seed: int = 0
    tick_us: int | None = None


@dataclass(frozen=True, slots=True)
class FleetResult:
    """A fleet's score, and what its files had."""

    scored: Scored
    report: ReadReport
    labels: tuple[Label, ...]
    pack: CityPack
    sun_below_deg: float


def run_fleet(
    assets: Path, readings: Path, labels: Path | None, advance: Advance, options: FleetOptions | None = None
) -> FleetResult:
    """Score a fleet that others recorded.

    Raises
    ------
    SettingsError
        A file cannot be read or has mistakes: each is told by its line.
    """
    options = options or FleetOptions()
    advance("reading assets", 0, 0)
    listed = read_assets(assets)
    known = {name for a in listed for name in (a.asset, a.feeder, a.cabinet, a.gateway) if name}
    told = [] if labels is None else read_labels(labels, known)
    numbers = {a.asset: number for number, a in enumerate(listed)}
    metrics = known_metrics()
    with Spill() as spill:
        report = read_readings(
            readings, numbers, metrics, spill, lambda done, total: advance("reading readings", done, total)
        )
        sun = options.sun_below_deg
        if sun is None:
            sun = sun_or_default(learn_sun(spill.in_order(), listed, metrics[ACTIVE_POWER]))
        listed = nightly(spill.in_order(), listed)
        names = list(metrics)
        measured: dict[str, set[str]] = defaultdict(set)
        for number, metric in report.pairs:
            measured[listed[number].asset].add(names[metric])
        pack = pack_of(listed, {asset: frozenset(found) for asset, found in measured.items()}, sun)
        roots = roots_of(pack)
        batches = _batches(spill, roots, listed, names, advance)
        if options.kinds:
            stats = SeriesStats(fleet := Fleet(roots))
            for batch in _batches(spill, roots, listed, names, advance, "looking through"):
                stats.see(batch)
            injector = Injector(plan(fleet, stats, options.kinds, options.seed), options.seed)
            told = in_order([*told, *injector.labels])
            batches = (injector.change(batch) for batch in batches)
        scored = backtest(roots, told, batches, end_us=report.last_us, tick_us=options.tick_us)
    return FleetResult(scored, report, tuple(told), pack, sun)


def _batches(
    spill: Spill,
    roots: list[RootDefinition],
    assets: list[FleetAsset],
    metrics: list[str],
    advance: Advance,
    doing: str = "detecting",
) -> Iterator[ReadingBatch]:
    series = _series(roots, assets, metrics)
    gateways = {name: number for number, name in enumerate(sorted({a.gateway for a in assets}))}
    gateway_of = np.array([gateways[a.gateway] for a in assets], np.int32)
    done = 0
    for rows in spill.in_order():
        for start in range(0, len(rows), _PIECE):
            part = rows[start : start + _PIECE]
            yield ReadingBatch(
                series[part["asset"], part["metric"]],
                gateway_of[part["asset"]],
                np.ascontiguousarray(part["observed_at"]),
                np.ascontiguousarray(part["received_at"]),
                np.ascontiguousarray(part["value"]),
                np.zeros(len(part), np.uint8),
            )
            done += len(part)
            advance(doing, done, spill.rows)


def _series(roots: list[RootDefinition], assets: list[FleetAsset], metrics: list[str]) -> NDArray[np.int32]:
    """Return asset and metric → series id, int32[assets, metrics]; 0, which no series has, where there is none."""
    numbers = {asset.asset: number for number, asset in enumerate(assets)}
    places = {name: number for number, name in enumerate(metrics)}
    table = np.zeros((len(assets), len(metrics)), np.int32)
    for root in roots:
        for device in root.devices:
            for one in device.series:
                table[numbers[device.asset.asset_id], places[one.metric]] = one.series_id
    return table
