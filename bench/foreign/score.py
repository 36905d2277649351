"""Scores fleets of another maker as a stranger would: written as CSV, read by the command's own functions."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anomaly.backtest import figures
from anomaly.backtest.figures import Kind, Tally
from anomaly.backtest.fleet_run import run_fleet
from app.console import print_table, say
from bench.foreign.files import Fleet, write
from bench.score.city import table
from city.clock import isoformat

FLEETS = (
    Fleet(2, 150, 50, 14_400), Fleet(3, 90, 45, 3_600), Fleet(7, 60, 45, 3_600, "bare", 8),
    Fleet(5, 60, 40, 3_600, "odd"),
    Fleet(1, 60, 32, 900), Fleet(4, 40, 32, 900, "power+voltage"), Fleet(6, 40, 32, 900, "power"),
)  # fmt: skip
"""What is scored unless one is asked for."""


def play(fleet: Fleet, show: int = 0) -> tuple[Tally, list[str]]:
    """Write, read and score one fleet; return its counts and some of what went wrong, in words."""
    with tempfile.TemporaryDirectory(prefix="citynerve-foreign-") as name:
        folder = Path(name)
        write(fleet, folder)

        def advance(_what: str, _done: int, _of: int) -> None: ...

        scored = run_fleet(folder / "assets.csv", folder / "readings.csv", folder / "labels.csv", advance).scored
    where = f"(seed {fleet.seed}, {fleet.cadence_s} s, {fleet.variant})"
    lines = [f"missed: {one.fault} {one.asset} from {isoformat(one.onset_us)} {where}" for one in scored.verdict.missed]
    for one in scored.verdict.false:
        beside = f"beside {one.beside.fault} {one.beside.asset}" if one.beside else "beside nothing"
        ticket = one.ticket
        lines.append(
            f"false: {ticket.fault} {ticket.asset} {isoformat(ticket.raised_us)} {ticket.rule} {beside} {where}"
        )
    return scored.tally, lines[:show]


def tell(fleets: Sequence[Fleet], show: int) -> None:
    """Score fleets one after the other, and print a line for each, then a table of all."""
    whole, rows, wrong = Tally(), [], []
    for fleet in fleets:
        tally, lines = play(fleet, show)
        whole.merge(tally)
        rows.append(_row(fleet, tally))
        wrong += lines
    print_table(
        ("fault", "interval", "observable", "found", "share", "delay h", "folded", "not observable"), table(whole)
    )
    names = sorted({*whole.false_sound, *whole.false_beside})
    print_table(
        ("false tickets", "on what is sound", "beside a fault"),
        [(name, whole.false_sound.get(name, 0), whole.false_beside.get(name, 0)) for name in names],
    )
    columns = (
        "seed",
        "interval s",
        "variant",
        "observable",
        "found",
        "delay h",
        "lamp-years",
        "false",
        "on what is sound",
    )
    print_table(columns, rows)
    rate = figures.rate(whole.lamp_false, whole.lamp_years)
    sound = figures.rate(whole.lamp_false_sound, whole.lamp_years)
    if rate and sound:
        say(f"false a lamp-year {rate[0]:.3g}, on what is sound {sound[0]:.3g} (95 % upper bound {sound[1]:.3g})")
    say(f"outages of feeders with one ticket: {whole.outages_single} of {whole.outages}")
    say(f"failures kept apart: {whole.groups_separate} of {whole.groups}")
    for line in wrong:
        say(line)


def _row(fleet: Fleet, tally: Tally) -> tuple[Any, ...]:
    kinds: list[Kind] = list(tally.kinds.values())
    share, delay = figures.found_share(kinds), figures.median_delay_h(kinds)
    return (
        fleet.seed, fleet.cadence_s, fleet.variant, sum(kind.observable for kind in kinds),
        "–" if share is None else f"{100 * share:.1f} %", "–" if delay is None else f"{delay:.2f}",
        f"{tally.lamp_years:.1f}", tally.lamp_false + tally.facility_false, tally.lamp_false_sound,
    )  # fmt: skip
