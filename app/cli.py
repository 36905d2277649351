"""The command line: parses, calls wiring, maps errors to exit codes.

Exit codes: 0 done, 1 it did not work (the text says what to do), 2 settings or city pack make no sense.
"""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from app import logs
from app.settings import Settings, load_settings
from city.errors import CityNerveError, SettingsError

cli = typer.Typer(
    name="citynerve",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A city's nerve system: from street lights over MQTT to a crew's ticket.",
)
city_cli = typer.Typer(no_args_is_help=True, help="The city pack: a city is a folder of files.")
log_cli = typer.Typer(no_args_is_help=True, help="The event log and the checkpoints that stand on it.")
letters_cli = typer.Typer(no_args_is_help=True, help="Messages that were set aside, and their return.")
cli.add_typer(city_cli, name="city")
cli.add_typer(log_cli, name="log")
cli.add_typer(letters_cli, name="letters")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Data = Annotated[Path | None, typer.Option("--data", help="Folder of the embedded engines.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def main() -> None:
    """Run the command; what we raise on purpose becomes one sentence and an exit code."""
    try:
        cli(standalone_mode=True)
    except SettingsError as exc:
        err.print(f"citynerve: {exc}", markup=False)
        sys.exit(2)
    except CityNerveError as exc:
        err.print(f"citynerve: {exc}", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


@cli.command()
def up(
    port: Annotated[int | None, typer.Option(help="Port of API and pages.")] = None,
    data: Data = None,
    speed: Annotated[float | None, typer.Option(help="City seconds a second; simulated cities only.")] = None,
    city: Annotated[Path | None, typer.Option(help="Folder of the city pack.")] = None,
) -> None:
    """Start everything on this machine, and stop it with Ctrl-C."""
    from app.up import up as run_up

    settings = load_settings(port=port, data=data, speed=speed, city=city)
    logs.configure("WARNING" if settings.log_level == "INFO" else settings.log_level, settings.log_format, "up")
    run_up(settings, lambda line: out.print(line, markup=False))


@cli.command()
def down(data: Data = None) -> None:
    """Stop what `up` started on a data folder."""
    from app.commands.down import down as run_down

    pid = run_down(load_settings(data=data).data)
    out.print(f"stopped (process {pid})")


@cli.command()
def status(data: Data = None, as_json: AsJson = False) -> None:
    """Say which parts answer, how far behind they are, and whether the ledger balances."""
    from app.commands.status import read_status

    found = asyncio.run(read_status(_attached(data)))
    if as_json:
        _print_json(found)
        return
    table = Table("worker", "partitions", "behind", title=f"city time {found['city_time']}")
    for worker in found["workers"]:
        table.add_row(worker["group"], str(worker["partitions"]), str(worker["behind"]))
    out.print(table)
    ledger = found["ledger"]
    out.print("  ".join(f"{name} {count:,}" for name, count in ledger.items()))
    out.print(f"tickets open {found['tickets_open']}, dead letters {found['dead_letters']}")


@cli.command()
def run(
    role: Annotated[str, typer.Argument(help="ingest, store, detect, desk or api")],
    data: Data = None,
) -> None:
    """Run one process of an installation until SIGTERM."""
    from app.processes import run_role

    settings = _attached(data)
    logs.configure(settings.log_level, settings.log_format, role)
    run_role(role, settings)


@cli.command()
def sim(data: Data = None, seed: Annotated[int | None, typer.Option(help="Same seed, same city.")] = None) -> None:
    """Play the simulated city's gateways into the broker until SIGTERM."""
    from app.processes import run_sim

    settings = _attached(data, seed=seed)
    logs.configure(settings.log_level, settings.log_format, "sim")
    run_sim(settings)


@cli.command()
def play(
    file: Annotated[Path, typer.Argument(help="CSV, also .gz or .xz")],
    mapping: Annotated[Path, typer.Option("--map", help="TOML: gateway, device, time column, columns → metrics")],
    speed: Annotated[float, typer.Option(help="Event seconds a second; 0: as fast as the broker takes it")] = 0.0,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Publish recorded readings as their gateway would have."""
    from app.commands.play import play as run_play

    settings = _attached(data)
    with _progress(quiet=as_json) as advance:
        report = run_play(settings, file, mapping, speed, lambda done, total: advance("playing", done, total))
    if as_json:
        _print_json(report)
        return
    for line in report.pop("mistakes"):
        err.print(line, markup=False)
    out.print("  ".join(f"{name} {value}" for name, value in report.items()))


@cli.command()
def replay(
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make every decision again from the log, and compare with what was decided."""
    from app.commands.log import replay as run_replay

    settings = _attached(data)
    with _progress(quiet=as_json) as advance:
        report = asyncio.run(run_replay(settings, lambda done, total: advance("replaying", done, total)))
    if as_json:
        _print_json(report)
    else:
        out.print(
            f"{report['alarm_events']} alarm events, {report['same']} identical, {len(report['only_replayed'])} only"
            f" replayed, {len(report['only_recorded'])} only recorded"
        )
    if report["only_replayed"] or report["only_recorded"]:
        raise typer.Exit(1)


@cli.command()
def setup() -> None:
    """Prepare the engines that the settings name: schema, topics, registry, clock. May be repeated."""
    from app.setup import prepare

    settings = load_settings()
    if settings.database_url is None:
        raise SettingsError("set CITYNERVE_DATABASE_URL first; `citynerve up` prepares the embedded engines itself")
    prepared = asyncio.run(prepare(settings, settings.database_url))
    out.print(f"{prepared.city}: {prepared.lamps} lamps, {prepared.facilities} facilities; {prepared.clock_told}")


@cli.command(hidden=True)
def warm() -> None:
    """Compile the detection kernels into their cache."""
    from anomaly.warm import warm as run_warm

    run_warm()


@city_cli.command("check")
def city_check(
    folder: Annotated[Path | None, typer.Argument(help="Folder of the city pack.")] = None,
    as_json: AsJson = False,
) -> None:
    """Explain every mistake in a city pack by file and line."""
    from stream.packs import check_pack

    report = check_pack(folder or load_settings().city)
    if as_json:
        mistakes = [{"file": m.file, "line": m.line, "text": m.text} for m in report.mistakes]
        _print_json({"sound": report.sound, "mistakes": mistakes, "counts": report.counts, "version": report.version})
    else:
        for line in report.lines():
            out.print(line, markup=False)
    if not report.sound:
        raise typer.Exit(2)


@log_cli.command("adopt")
def log_adopt(data: Data = None) -> None:
    """Let all workers go on with the log that the settings name, from its first record, keeping their states."""
    from app.commands.log import adopt

    out.print(f"{asyncio.run(adopt(_attached(data)))} checkpoints go on with this log")


@log_cli.command("rebuild")
def log_rebuild(group: Annotated[str, typer.Argument(help="detect or correlate")], data: Data = None) -> None:
    """Forget a worker's states, so that it computes them anew from the log. Stop the worker before."""
    from app.commands.log import rebuild

    out.print(f"{asyncio.run(rebuild(_attached(data), group))} states forgotten; start the worker again")


@letters_cli.command("list")
def letters_list(
    data: Data = None,
    reason: Annotated[str | None, typer.Option(help="Only this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    as_json: AsJson = False,
) -> None:
    """Show what was set aside and has not come back."""
    from app.commands.letters import list_letters

    found = asyncio.run(list_letters(_attached(data), reason, limit))
    if as_json:
        _print_json(found)
        return
    table = Table("id", "received", "gateway", "reason", "readings", "detail")
    for letter in found:
        table.add_row(*(str(letter[key]) for key in ("id", "received_at", "gateway", "reason", "units", "detail")))
    out.print(table if found else "nothing is set aside")


@letters_cli.command("replay")
def letters_replay(
    ids: Annotated[list[str] | None, typer.Argument(help="Letters; none: all that match the options.")] = None,
    data: Data = None,
    reason: Annotated[str | None, typer.Option(help="Only this reason.")] = None,
    as_json: AsJson = False,
) -> None:
    """Give letters another try after the cause is mended; what is still wrong stays, with its new reason."""
    from app.commands.letters import replay_letters

    report = asyncio.run(replay_letters(_attached(data), ids or [], reason))
    if as_json:
        _print_json(report)
    else:
        out.print("  ".join(f"{name} {count}" for name, count in report.items()))


def _attached(data: Path | None, **flags: Any) -> Settings:
    """Return settings whose engines are known: from the environment, or from the `up` that runs on the folder."""
    from app.runtime import running

    settings = load_settings(data=data, **flags)
    if settings.database_url is not None:
        return settings
    note = running(settings.data)
    return load_settings(
        data=data, **flags, database_url=note.database_url, mqtt_url=settings.mqtt_url or note.mqtt_url
    )


class _progress:
    """A bar on stderr while something long goes on; nothing where a machine reads."""

    def __init__(self, *, quiet: bool) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, TimeRemainingColumn(), console=err, disable=quiet or not err.is_terminal)

    def __enter__(self) -> Callable[[str, int, int], None]:
        self._bar.start()
        task = self._bar.add_task("", total=None)

        def advance(told: str, done: int, total: int) -> None:
            self._bar.update(task, description=told, completed=done, total=total or None)

        return advance

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, default=str, ensure_ascii=False, indent=2) + os.linesep)


logging.captureWarnings(capture=True)
