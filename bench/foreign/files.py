"""Writes a fleet as the three files that the command reads."""

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from bench.foreign import buildings as houses
from bench.foreign.faults import Fault, inside_spans, of_lamp, plan
from bench.foreign.physics import Context, measured, report_times, supply
from bench.foreign.street import DAY, POWER_ALONE, Floats, Town, build

VARIANTS = ("full", "power", "power+voltage", "bare", "odd")


@dataclass(frozen=True, slots=True)
class Fleet:
    """What to write.

    Attributes
    ----------
    cadence_s : int
        Of reports; two hours and more are counters, one to four messages a night.
    variant : str
        full, power, power+voltage, bare (no phases, cabinets, gateways), odd (names, times, order, types).
    """

    seed: int
    lamps: int = 300
    days: int = 90
    cadence_s: int = 900
    variant: str = "full"
    buildings: int = 0

    @property
    def messages(self) -> int:
        """How often a lamp with counters speaks each night; 0 where it measures."""
        return 0 if self.cadence_s < 7_200 else int(np.clip(round(12 * 3_600 / self.cadence_s), 1, 4))


def write(fleet: Fleet, folder: Path) -> list[Fault]:
    """Write ``assets.csv``, ``readings.csv`` and ``labels.csv``; returns what was planted."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([fleet.seed, fleet.cadence_s, 4_711])
    town = build(rng, fleet.seed, fleet.lamps, fleet.days, bool(fleet.messages), fleet.variant)
    faults = plan(rng, town, fleet.cadence_s, bool(fleet.messages), fleet.messages)
    named, of_houses = houses.plan(rng, town, fleet.buildings)
    odd = fleet.variant == "odd"
    names = {one.name: (f"Käßtner, {one.name} №{n}" if odd else one.name) for n, one in enumerate(town.lamps)}
    _assets(fleet, folder / "assets.csv", town, names, named)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(("asset", "fault", "onset", "end"))
        for one in faults + of_houses:
            if fleet.variant == "bare" and one.scope in ("cabinet", "gateway"):
                continue
            out.writerow(
                (names.get(one.asset, one.asset), one.kind, _moment(one.onset), _moment(one.end) if one.mended else "")
            )
    _readings(rng, fleet, folder / "readings.csv", town, faults, names, named, of_houses)
    return faults + of_houses


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def _assets(fleet: Fleet, path: Path, town: Town, names: dict[str, str], named: list[tuple[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(
            (
                "asset",
                "kind",
                "lat",
                "lon",
                "feeder",
                "phase",
                "cabinet",
                "gateway",
                "lamp_type",
                "rated_w",
                "switching",
                "report_interval_s",
            )
        )
        bare, interval = fleet.variant == "bare", fleet.cadence_s if not fleet.messages else round(DAY / fleet.messages)
        for one in town.lamps:
            feeder = town.feeders[one.feeder]
            cabinet = town.cabinets[feeder.cabinet]
            out.writerow((
                names[one.name], "lamp", f"{one.lat:.6f}", f"{one.lon:.6f}", feeder.name,
                "" if bare else f"L{one.told_phase + 1}", "" if bare else cabinet.name,
                "" if bare else f"GW{cabinet.gateway + 1}",
                "????" if fleet.variant == "odd" else one.told_type, f"{one.told_watt:g}",
                "switched" if feeder.switched else "permanent", interval,
            ))  # fmt: skip
        for name, kind in named:
            out.writerow(
                (
                    name,
                    kind,
                    town.lat,
                    town.lon,
                    "",
                    "",
                    "",
                    "" if bare else name,
                    "",
                    "",
                    "",
                    min(fleet.cadence_s, 900),
                )
            )


def _lost(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return where messages are lost, in bursts: about one and a half of a hundred."""
    lost = np.zeros(n + 12, np.bool_)
    for start in rng.integers(0, max(n, 1), rng.poisson(n * 0.006)):
        lost[start : start + int(rng.geometric(0.5))] = True
    return lost[:n]


def _readings(
    rng: np.random.Generator, fleet: Fleet, path: Path, town: Town, faults: list[Fault], names: dict[str, str],
    named: list[tuple[str, str]], of_houses: list[Fault],
) -> None:  # fmt: skip
    hours = town.days * 24 + 72
    wander = np.zeros((len(town.feeders), hours))
    for k in range(1, hours):
        wander[:, k] = 0.93 * wander[:, k - 1] + rng.normal(0.0, 0.5, len(town.feeders))
    context = Context(
        town, wander, fleet.cadence_s, fleet.messages, float(rng.choice([0.1, 1.0])), bool(rng.random() < 0.5)
    )
    felt = of_lamp(town, faults)
    # Short troubles of a gateway: half of them come later, half never.
    troubles = [
        [
            (a, a + rng.uniform(600, 3_000), rng.random() < 0.5)
            for a in town.start + rng.uniform(0, town.days, town.days // 8) * DAY
        ]
        for _ in range(town.gateways)
    ]
    asset, metric, seen, got, value = [], [], [], [], []
    metrics: list[str] = []

    def add(name: int, what: str, t: Floats, r: Floats, v: Floats) -> None:
        if what not in metrics:
            metrics.append(what)
        asset.append(np.full(len(t), name, np.int32))
        metric.append(np.full(len(t), metrics.index(what), np.int32))
        seen.append(t)
        got.append(r)
        value.append(v)

    for i, lamp in enumerate(town.lamps):
        spans = supply(rng, town, lamp, felt[i])
        t = report_times(rng, context, lamp, spans, felt[i])
        said = measured(rng, context, lamp, spans, felt[i], t)
        received = t + rng.exponential(4.0, len(t)) + (rng.random(len(t)) < 0.01) * rng.uniform(0, 1_200, len(t))
        gateway = town.cabinets[town.feeders[lamp.feeder].cabinet].gateway
        keep = ~_lost(rng, len(t)) & ~inside_spans(t, [one for one in felt[i] if one.scope == "gateway"])
        for a, b, later in troubles[gateway]:
            there = (t >= a) & (t < b)
            received[there] = b + rng.uniform(1.0, 20.0)
            keep &= ~there | later
        if len(said) > 2 and rng.random() < 0.05 and fleet.variant != POWER_ALONE:
            said.pop(sorted(set(said) - {"active_power_w"})[0])
        for what, v in said.items():
            add(i, what, (t + lamp.clock_s)[keep], received[keep], v[keep])
    for number, (_, kind) in enumerate(named):
        for what, t, v in houses.readings(rng, town, number, kind, of_houses, min(fleet.cadence_s, 900)):
            keep = ~_lost(rng, len(t))
            add(len(town.lamps) + number, what, t[keep], t[keep] + rng.exponential(4.0, keep.sum()), v[keep])
    labels = [names[one.name] for one in town.lamps] + [name for name, _ in named]
    order = np.argsort(np.concatenate(got)) if fleet.variant != "odd" else rng.permutation(sum(map(len, got)))
    odd = fleet.variant == "odd"
    with pyarrow.csv.CSVWriter(path, _table(labels, metrics, *(np.zeros(0) for _ in range(5)), odd).schema) as out:
        columns = [np.concatenate(x)[order] for x in (asset, metric, seen, got, value)]
        for a in range(0, len(order), 500_000):
            out.write_table(_table(labels, metrics, *(x[a : a + 500_000] for x in columns), odd))


def _table(
    labels: list[str], metrics: list[str], asset: Floats, metric: Floats, seen: Floats, got: Floats, value: Floats,
    odd: bool,
) -> pa.Table:  # fmt: skip
    def moments(s: Floats) -> pa.Array:
        ms = (s * 1_000).astype(np.int64)
        return (
            pa.array(ms)
            if odd
            else pa.array(np.char.add(np.datetime_as_string(ms.view("datetime64[ms]")), "Z").tolist(), pa.string())
        )

    return pa.table({
        "asset": pa.array(labels).take(pa.array(asset.astype(np.int32))),
        "metric": pa.array(metrics).take(pa.array(metric.astype(np.int32))),
        "observed_at": moments(seen),
        "received_at": moments(got),
        "value": pa.array(np.round(value, 4)),
    })  # fmt: skip
