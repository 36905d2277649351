"""`citynerve backtest`: its options and what it prints."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from app.console import Bar, print_json, print_table, say, warn
from city.errors import SettingsError


def backtest(
    assets: Annotated[Path | None, typer.Option(help="CSV of a fleet's assets; also .gz, .xz")] = None,
    readings: Annotated[Path | None, typer.Option(help="CSV of its readings; also .gz, .xz")] = None,
    labels: Annotated[Path | None, typer.Option(help="What was wrong: CSV, or the simulator's JSON")] = None,
    inject: Annotated[str, typer.Option(help="Plant spike, shift, drift, stuck, gap, noise (with commas)")] = "",
    seed: Annotated[int, typer.Option(help="Same seed, same faults planted", min=0)] = 0,
    plot: Annotated[Path | None, typer.Option(help="Draw it, as .png, .svg or .pdf")] = None,
    show: Annotated[int, typer.Option(help="List so many missed labels and false tickets", min=0)] = 0,
    sun_below: Annotated[
        float | None, typer.Option(help="Lamps burn while the sun is below so many degrees; learnt if left out")
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Folder of the embedded engines.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Decide again over history or a recorded fleet, and score it: what was found, how late, what was false."""
    from app import kernels
    from app.runtime import attached
    from app.settings import load_settings

    if (assets is None) != (readings is None):
        raise SettingsError("give both --assets and --readings of a recorded fleet, or neither for our own history")
    if sun_below is not None and not -18 <= sun_below <= 10:
        raise SettingsError(f"--sun-below is {sun_below:g}: degrees from -18 to 10")
    if assets is None and labels is None and not inject:
        raise SettingsError("give --labels, what was wrong, or --inject: without either every ticket would be false")
    settings = attached(data) if assets is None else load_settings(data=data)
    kernels.warm(settings.data, "anomaly")

    from anomaly.backtest.fleet_run import FleetOptions
    from app.commands import backtest as command

    kinds = command.injections(inject)
    with Bar(quiet=as_json) as advance:
        if assets is None or readings is None:
            scored, read = asyncio.run(command.history(settings, labels, advance, kinds, seed))
        else:
            options = FleetOptions(sun_below, kinds, seed)
            scored, read = command.fleet(assets, readings, labels, advance, options)
    answer = command.told(scored, show) | {"read": read}
    if plot is not None:
        from app.commands.backtest_plot import draw

        draw(plot, answer, scored.verdict)
    if as_json:
        print_json(answer)
        return
    _tell_reading(read)
    _print(answer)


def _tell_reading(read: dict[str, Any]) -> None:
    if "sun_below_deg" not in read:
        return
    for name, what in (("unknown_metrics", "metrics"), ("unknown_assets", "assets")):
        if read[name]:
            first = ", ".join(f"{one} ({count:,})" for one, count in list(read[name].items())[:20])
            warn(f"unknown {what}, skipped with so many rows each: {first}")
    if read["out_of_range"] or read["without_value"]:
        warn(f"skipped: {read['without_value']:,} rows without a value, {read['out_of_range']:,} out of range")
    if read["time_of_receipt"]:
        warn(f"{read['time_of_receipt']:,} readings have a time that cannot be; they count when they were received")
    warn(f"lamps burn while the sun is below {read['sun_below_deg']:g} degrees")


def _print(answer: dict[str, Any]) -> None:
    columns = ("fault", "observable", "found", "share", "median delay, h", "folded", "not observable", "false tickets")
    rows = [
        (
            row["fault"],
            row["observable"],
            row["found"],
            _percent(row["share"]),
            _or_dash(row["delay_h"]),
            row["folded"],
            row["not_observable"],
            row["false"],
        )
        for row in answer["faults"]
    ]
    print_table(columns, rows, title=f"{answer['from']} to {answer['to']}, {answer['readings']:,} readings")
    say(f"found {_percent(answer['found'])} of what could be, median delay {_or_dash(answer['delay_h'])} h")
    say(
        f"tickets {answer['tickets']}, false {answer['false_tickets']}; lamp-years {answer['lamp_years']:g}: false a"
        f" lamp-year {_bounded(answer['false_per_lamp_year'])}, a facility-series-year"
        f" {_bounded(answer['false_per_series_year'])}"
    )
    for name, what in (("feeder_single", "outages of feeders with one ticket"), ("separate", "failures kept apart")):
        if answer[name] is not None:
            say(f"{what}: {_percent(answer[name]['share'])} of {answer[name]['of']}")
    if answer["precision"] is not None:
        say(f"precision where 1 % of lamps fail a year: {_percent(answer['precision'])}")
    for label in answer["missed"]:
        say(f"missed: {label['fault']} {label['asset']} from {label['onset']} to {label['end'] or 'the end'}")
    for ticket in answer["false"]:
        beside = f", beside {ticket['beside']}" if ticket["beside"] else ""
        say(f"false: {ticket['fault']} {ticket['asset']} at {ticket['raised']} by {ticket['rule']}{beside}")


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _or_dash(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _bounded(rate: dict[str, float] | None) -> str:
    return "–" if rate is None else f"{rate['rate']:.4g} (95 % upper bound {rate['upper_bound_95']:.4g})"
