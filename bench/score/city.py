"""``python -m bench.score.city``: simulated fleets through the very stages of production, scored by what was planted.

Seeds for tuning and for scoring are different, stated constants: what is published comes from scoring seeds alone.
"""

import argparse
import logging
import math
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from anomaly.backtest import figures
from anomaly.backtest.figures import Kind, Tally
from anomaly.backtest.matching import Verdict
from anomaly.backtest.runner import backtest
from anomaly.warm import warm
from app.console import Bar, print_json, print_table, say
from bench.result import Result
from bench.score.fleets import CADENCES, COUNTERS, DAYS, FACILITIES, HOURLY, LAMPS, QUARTER, FleetPlan, pack_of, plant
from bench.score.player import Player
from bench.score.truth import clocks_show, facilities_show, label_of, standing
from city.clock import isoformat
from city.roots import roots_of
from sim.faultkinds import TARGETS

TUNING_SEEDS = range(1, 1_000)
"""Whoever works on a rule looks at these."""
SCORING_SEEDS = range(10_001, 20_000)
"""Published figures come from these, and nobody tunes on them."""
LAMP_YEARS = 6_000
LAMP_YEAR_SHARES = {QUARTER: 0.4, HOURLY: 0.4, COUNTERS: 0.2}
"""Counters show the fewest kinds of fault, and need the fewest lamps for as many of each."""
FACILITY_LAMP_YEARS = 1_200
"""For so many lamp-years one fleet of facilities is played as well, with each kind of noise."""
FACILITY_COUNT = 40
WORKERS = 2

_YEAR_DAYS = 365.25
_WANTED_DELAY_H = {900: 1.0, 3_600: 3.0, 14_400: 24.0}

logger = logging.getLogger("bench")


@dataclass(frozen=True, slots=True)
class Told:
    """What came back of one fleet: counts, and some of what went wrong in words."""

    plan: FleetPlan
    tally: Tally
    missed: tuple[str, ...]
    false: tuple[str, ...]
    readings: int
    seconds: float


def plans(
    lamp_years: float,
    seeds: Sequence[int],
    cadences: Sequence[int] = (*CADENCES, FACILITIES),
    kinds: frozenset[str] = frozenset(),
    *,
    thin: float = 1.0,
    lose: float = 0.0,
    gain: float = 1.0,
) -> Iterator[FleetPlan]:
    """Yield fleets that come to `lamp_years`, each cadence to its share, and fleets of facilities beside them."""
    number = 0
    lamps = [cadence for cadence in cadences if cadence != FACILITIES]
    disturbed = {"thin": thin, "lose": lose, "gain": gain}
    for cadence in lamps:
        share = LAMP_YEAR_SHARES[cadence] / sum(LAMP_YEAR_SHARES[one] for one in lamps)
        lamp_days = lamp_years * share * _YEAR_DAYS
        count = max(1, round(lamp_days / (LAMPS * DAYS)))
        each = lamp_days / count
        days = max(min(DAYS, round(each / LAMPS)), 30)
        for _ in range(count):
            yield FleetPlan(seeds[number], cadence, max(round(each / days), 20), days, kinds, **disturbed)
            number += 1
    if FACILITIES in cadences:
        for _ in range(max(1, math.ceil(lamp_years / FACILITY_LAMP_YEARS))):
            for noise in ("gaussian", "heavy"):
                # A small run has a few of them for a short time.
                size = (FACILITY_COUNT, DAYS) if lamp_years >= FACILITY_LAMP_YEARS else (12, 60)
                yield FleetPlan(seeds[number], FACILITIES, *size, kinds, noise, **disturbed)
                number += 1


def play(plan: FleetPlan, show: int = 0) -> Told:
    """Play one fleet and score it."""
    began = time.perf_counter()
    pack = pack_of(plan)
    roots = roots_of(pack)
    faults = plant(plan, pack)
    labels = [*map(label_of, faults), *standing(plan, pack)]
    player = Player(plan, pack, roots, faults)
    later = facilities_show(plan, pack, faults) | clocks_show(plan, pack, faults)
    scored = backtest(roots, labels, player.batches(), end_us=plan.end_us, not_before=later, links=player.links())
    missed, false = told(scored.verdict, plan, show)
    return Told(plan, scored.tally, missed, false, scored.readings, time.perf_counter() - began)


def told(verdict: Verdict, plan: FleetPlan, show: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the first missed labels and false tickets in words."""
    where = f"seed {plan.seed}, {cadence_name(plan.cadence)}"
    missed = tuple(
        f"{x.fault} {x.asset} from {isoformat(x.onset_us)} to {isoformat(x.end_us or 0)} ({where})"
        for x in verdict.missed[:show]
    )
    false = tuple(
        f"{one.ticket.fault} {one.ticket.asset} raised {isoformat(one.ticket.raised_us)} since"
        f" {isoformat(one.ticket.since_us)} by {one.ticket.rule}"
        f" beside {'nothing' if one.beside is None else f'{one.beside.fault} {one.beside.asset}'} ({where})"
        for one in verdict.false[:show]
    )
    return missed, false


def cadence_name(cadence: int) -> str:
    """Return a cadence in words."""
    return {0: "facilities", 900: "15 min", 3_600: "hour", 14_400: "counters"}.get(cadence, f"{cadence} s")


def score(chosen: Sequence[FleetPlan], show: int = 0, workers: int = WORKERS) -> list[Told]:
    """Play fleets side by side; the answers are in the order of the plans."""
    warm()
    found: list[Told] = []
    with Bar(quiet=False) as advance:
        advance("playing fleets", 0, len(chosen))
        if workers == 1 or len(chosen) == 1:
            for plan in chosen:
                found.append(play(plan, show))
                advance("playing fleets", len(found), len(chosen))
            return found
        with ProcessPoolExecutor(workers) as pool:
            for one in pool.map(partial(play, show=show), chosen):
                found.append(one)
                advance("playing fleets", len(found), len(chosen))
    return found


def whole(found: Iterable[Told]) -> Tally:
    """Add up all fleets."""
    tally = Tally()
    for one in found:
        tally.merge(one.tally)
    return tally


def results(tally: Tally, seeds: str) -> list[Result]:
    """Return the figures under their names; what could not be counted is left out."""
    out: list[Result] = []

    def tell(name: str, value: float | None, unit: str, note: str, wanted: str) -> None:
        if value is not None:
            out.append(Result(name, value, unit, note=f"{note}; {seeds}", wanted=wanted))

    faults = figures.by_fault(tally)
    observable = {fault: kind for fault, kind in faults.items() if kind.observable}
    least = min(observable, key=lambda fault: figures.found_share([observable[fault]]) or 0.0, default="none")
    note = f"least: {least}, {_share(observable.get(least, Kind()))}; fewest observable of a kind: " + str(
        min((kind.observable for kind in observable.values()), default=0)
    )
    tell("score.sim.found", figures.found_share(observable.values()), "share", note, "0.98 of each kind")
    for cadence in CADENCES:
        kinds = [kind for (_, interval), kind in tally.kinds.items() if interval == cadence]
        name = "score.sim.delay_h" + ("" if cadence == CADENCES[0] else f".{cadence}")
        wanted = f"{_WANTED_DELAY_H[cadence]:g}"
        tell(name, figures.median_delay_h(kinds), "h, median", cadence_name(cadence), wanted)
    lamps = figures.rate(tally.lamp_false, tally.lamp_years)
    sound = figures.rate(tally.lamp_false_sound, tally.lamp_years)
    if lamps and sound:
        note = (
            f"{tally.lamp_false} in {tally.lamp_years:.0f} lamp-years, upper bound {lamps[1]:.4g}; on what was sound"
            f" {tally.lamp_false_sound}, upper bound {sound[1]:.4g}"
        )
        tell("score.sim.false_per_lamp_year", lamps[0], "1/a", note, "0.005")
    for name, part, of in (
        ("score.sim.feeder_single", tally.outages_single, tally.outages),
        ("score.sim.separate", tally.groups_separate, tally.groups),
    ):
        wanted = "0.99" if name.endswith("single") else "0.98"
        tell(name, part / of if of else None, "share", f"{part} of {of}", wanted)
    if tally.lamp_years:
        note = f"{tally.lamp_taken_back} in {tally.lamp_years:.0f} lamp-years, raised and later folded into their cause"
        tell("score.sim.taken_back_per_lamp_year", tally.lamp_taken_back / tally.lamp_years, "1/a", note, "–")
    tell("score.sim.precision", figures.precision(tally), "share", "where 1 % of lamps fail a year", "0.90")
    return out


def kind_results(tally: Tally, seeds: str) -> list[Result]:
    """Return the share found of each kind of fault, with counts and median delays by cadence."""
    out: list[Result] = []
    for fault, kind in sorted(figures.by_fault(tally).items()):
        share = figures.found_share([kind])
        if share is None:
            continue
        parts = [
            f"{cadence_name(interval)} {one.found} of {one.observable}, median delay {_delay(one)} h"
            for (name, interval), one in sorted(tally.kinds.items())
            if name == fault and one.observable
        ]
        note = f"{'; '.join(parts)}; {seeds}"
        out.append(Result(f"score.sim.found.{fault}", share, "share", note=note, wanted="0.98"))
    return out


def noise_results(found: Sequence[Told], seeds: str) -> list[Result]:
    """Return false tickets of facilities' series, for each kind of noise."""
    out: list[Result] = []
    for noise in ("gaussian", "heavy"):
        some = whole(one for one in found if one.plan.cadence == FACILITIES and one.plan.noise == noise)
        told_ = figures.rate(some.facility_false, some.series_years)
        if told_:
            note = f"{some.facility_false} in {some.series_years:.0f} series-years, upper bound {told_[1]:.4g}; {seeds}"
            out.append(Result(f"score.sim.false_per_series_year.{noise}", told_[0], "1/a", note=note, wanted="0.05"))
    return out


def run(lamp_years: float = LAMP_YEARS) -> list[dict[str, Any]]:
    """Return the published figures, from scoring seeds."""
    chosen = list(plans(lamp_years, SCORING_SEEDS))
    found = score(chosen)
    seeds = seeds_of(chosen)
    tally = whole(found)
    every = (*results(tally, seeds), *noise_results(found, seeds), *kind_results(tally, seeds))
    return [result.plain() for result in every]


def seeds_of(chosen: Sequence[FleetPlan]) -> str:
    """Return the seeds in words."""
    seeds = sorted({plan.seed for plan in chosen})
    return f"seeds {seeds[0]}–{seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"


def _share(kind: Kind) -> str:
    share = figures.found_share([kind])
    return "–" if share is None else f"{100 * share:.1f} %"


def _delay(kind: Kind) -> str:
    delay = figures.median_delay_h([kind])
    return "–" if delay is None else f"{delay:.2f}"


def table(tally: Tally) -> list[tuple[object, ...]]:
    """Return one row for each kind and cadence."""
    rows: list[tuple[object, ...]] = []
    for (fault, interval), kind in sorted(tally.kinds.items()):
        rows.append(
            (
                fault, cadence_name(interval), kind.observable, kind.found, _share(kind), _delay(kind), kind.folded,
                kind.unobservable,
            )
        )  # fmt: skip
    return rows


def _spread(found: Sequence[Told]) -> Iterator[str]:
    """Yield in words how far fleets of one cadence differ: the least, the median and the most."""
    for cadence in sorted({one.plan.cadence for one in found}):
        tallies = [one.tally for one in found if one.plan.cadence == cadence]
        shares = sorted(s for t in tallies if (s := figures.found_share(t.kinds.values())) is not None)
        years = [t.series_years if cadence == FACILITIES else t.lamp_years for t in tallies]
        wrong = sorted((t.lamp_false + t.facility_false) / y for t, y in zip(tallies, years, strict=True) if y)
        told_ = ", ".join(
            f"{name} {some[0]:.3g} – {some[len(some) // 2]:.3g} – {some[-1]:.3g}"
            for name, some in (("found", shares), ("false a year", wrong))
            if some
        )
        yield f"spread over {len(tallies)} fleets, {cadence_name(cadence)}: {told_}"


def _print(found: Sequence[Told], chosen: Sequence[FleetPlan], show: int) -> None:
    tally = whole(found)
    columns = ("fault", "cadence", "observable", "found", "share", "delay h", "folded", "not observable")
    print_table(columns, table(tally))
    wrong = sorted({*tally.false_sound, *tally.false_beside})
    print_table(
        ("false tickets", "on what is sound", "beside a fault"),
        [(fault, tally.false_sound.get(fault, 0), tally.false_beside.get(fault, 0)) for fault in wrong],
    )
    for result in (*results(tally, seeds_of(chosen)), *noise_results(found, seeds_of(chosen))):
        say(f"{result.name:<32} {result.value:>9.4g} {result.unit:<10} wanted {result.wanted}; {result.note}")
    for line in _spread(found):
        say(line)
    readings, seconds = sum(one.readings for one in found), sum(one.seconds for one in found)
    say(f"{len(found)} fleets, {readings:,} readings in {seconds:.0f} s of one core")
    for title, lines in (
        ("missed", [x for o in found for x in o.missed]),
        ("false", [x for o in found for x in o.false]),
    ):
        for line in lines[:show]:
            say(f"{title}: {line}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lamp-years", type=float, default=200.0, help="of all cadences together; published: 6000")
    parser.add_argument("--cadence", type=int, action="append", choices=[*CADENCES, FACILITIES], help="0: facilities")
    parser.add_argument("--kinds", default="", help="plant only these, separated by commas")
    parser.add_argument("--seed", type=int, help="first seed; tuning seeds unless given")
    parser.add_argument("--scoring", action="store_true", help="play scoring seeds: for what is published only")
    parser.add_argument("--thin", type=float, default=1.0, help="share of reports that are left")
    parser.add_argument("--lose", type=float, default=0.0, help="share of devices' reports that are lost on top")
    parser.add_argument("--gain", type=float, default=1.0, help="factor on all power meters")
    parser.add_argument("--show", type=int, default=0, help="list so many missed labels and false tickets")
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--json", action="store_true")
    return parser


def main() -> None:
    """Play, score and print."""
    told_ = _parser().parse_args()
    kinds = frozenset(name for name in told_.kinds.split(",") if name)
    unknown = kinds - {str(fault) for fault in TARGETS}
    if unknown:
        sys.exit(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(sorted(map(str, TARGETS)))}")
    seeds: Sequence[int] = SCORING_SEEDS if told_.scoring else TUNING_SEEDS
    if told_.seed is not None:
        seeds = range(told_.seed, told_.seed + 10_000)
    cadences = told_.cadence or [*CADENCES, FACILITIES]
    chosen = list(plans(told_.lamp_years, seeds, cadences, kinds, thin=told_.thin, lose=told_.lose, gain=told_.gain))
    found = score(chosen, told_.show, told_.workers)
    if told_.json:
        seeds_told = seeds_of(chosen)
        every = (*results(whole(found), seeds_told), *noise_results(found, seeds_told))
        print_json([result.plain() for result in every])
    else:
        _print(found, chosen, told_.show)


if __name__ == "__main__":
    main()
