"""The command line: parses, calls wiring, maps errors to exit codes.

Exit codes: 0 done, 1 it did not work (the text says what to do), 2 settings, command line or city pack make no sense,
130 broken off with Ctrl-C. `docs/cli.md` tells of each command.
"""

import asyncio
import errno
import logging
import os
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from app.cli_backtest import backtest
from app.cli_ca import ca_cli
from app.cli_credentials import credentials_cli
from app.cli_letters import letters_cli
from app.cli_maintenance import maintenance_cli
from app.cli_registry import devices_cli, gateways_cli, profiles_cli
from app.cli_thresholds import thresholds
from app.console import Bar, print_json, print_table, say, use_plain_text, warn
from app.examples import examples
from app.interrupts import repeat_lost_interrupts
from city.errors import CityNerveError, PackError, SettingsError

# Commands import what they need when they run: `--help` and the start of every process would wait for all of it.

cli = typer.Typer(
    name="citynerve",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A city's nerve system: from street lights over MQTT to a crew's ticket.",
    epilog=examples(""),
)
city_cli = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The city pack: a city is a folder of files.",
    epilog=examples("city"),
)
log_cli = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The event log and the checkpoints that stand on it.",
    epilog=examples("log"),
)
cli.add_typer(city_cli, name="city")
cli.add_typer(log_cli, name="log")
cli.add_typer(letters_cli, name="letters")
cli.add_typer(credentials_cli, name="credentials")
cli.add_typer(devices_cli, name="devices")
cli.add_typer(gateways_cli, name="gateways")
cli.add_typer(profiles_cli, name="profiles")
cli.add_typer(maintenance_cli, name="maintenance")
cli.add_typer(ca_cli, name="ca")
cli.command("thresholds", epilog=examples("thresholds"))(thresholds)

Data = Annotated[Path | None, typer.Option("--data", help="Folder of the embedded engines.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


BROKEN_OFF = 130
"""As shells have it: 128, and the number of SIGINT."""
_NOT_OURS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}
"""What the system refuses for reasons that only the operator can mend."""


def main() -> None:
    """Run the command; what we raise on purpose becomes one sentence and an exit code."""
    use_plain_text()
    repeat_lost_interrupts()
    try:
        cli(standalone_mode=True)
    except SystemExit as exc:
        if exc.code == BROKEN_OFF:
            warn("citynerve: broken off")
        raise
    except PackError as exc:
        warn(f"citynerve: {exc}")
        sys.exit(2)
    except CityNerveError as exc:
        # Servers tell of their troubles in several lines.
        warn(f"citynerve: {' '.join(str(exc).split())}")
        sys.exit(2 if isinstance(exc, SettingsError) else 1)
    except BrokenPipeError:
        # Who reads us has seen enough, as `head` does; the interpreter must not try to flush what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as exc:
        if exc.errno not in _NOT_OURS:
            raise
        warn(f"citynerve: {exc.filename or 'the disk'}: {exc.strerror}: mend that, then start again")
        sys.exit(1)


@cli.callback(invoke_without_command=True)
def version_or_help(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    """Run one of the commands below; `citynerve COMMAND --help` explains it."""
    if version:
        from importlib.metadata import version as installed

        say(f"citynerve {installed('citynerve')}")
        raise typer.Exit
    from app import logs

    # Commands that run for long choose for themselves.
    logs.configure("WARNING", "text", "citynerve")


@cli.command(epilog=examples("up"))
def up(
    port: Annotated[int | None, typer.Option(help="Port of API and pages.")] = None,
    data: Data = None,
    speed: Annotated[float | None, typer.Option(help="City seconds a second; simulated cities only.")] = None,
    city: Annotated[Path | None, typer.Option(help="Folder of the city pack.")] = None,
) -> None:
    """Start everything on this machine, and stop it with Ctrl-C."""
    from app import logs
    from app.settings import load_settings
    from app.up import up as run_up

    settings = load_settings(port=port, data=data, speed=speed, city=city)
    logs.configure("WARNING" if settings.log_level == "INFO" else settings.log_level, settings.log_format, "up")
    run_up(settings, say)


@cli.command(epilog=examples("down"))
def down(data: Data = None, as_json: AsJson = False) -> None:
    """Stop what `up` started on a data folder."""
    from app.commands.down import down as run_down
    from app.settings import load_settings

    with Bar(quiet=as_json) as advance:
        advance("stopping: what was accepted is kept", 0, 0)
        pid = run_down(load_settings(data=data).data)
    if as_json:
        print_json({"stopped": pid})
    else:
        say(f"stopped (process {pid})")


@cli.command(epilog=examples("status"))
def status(data: Data = None, as_json: AsJson = False) -> None:
    """Say which parts answer, how far behind they are, and whether the ledger balances."""
    from app.commands.status import read_status
    from app.runtime import attached

    found = asyncio.run(read_status(attached(data)))
    if as_json:
        print_json(found)
        return
    rows = [
        (one["group"], one["partitions"], one["behind"], "does not get on" if one["stuck"] else "")
        for one in found["workers"]
    ]
    print_table(("worker", "partitions", "behind", ""), rows, title=f"city time {found['city_time']}")
    ledger = found["ledger"]
    say("  ".join(f"{name} {count:,}" for name, count in ledger.items()))
    say(f"tickets open {found['tickets_open']}, dead letters {found['dead_letters']}")


@cli.command(epilog=examples("run"))
def run(
    role: Annotated[str, typer.Argument(help="ingest, store, detect, desk or api")],
    data: Data = None,
) -> None:
    """Run one process of an installation until SIGTERM."""
    from app import logs
    from app.processes import run_role
    from app.runtime import attached

    settings = attached(data)
    logs.configure(settings.log_level, settings.log_format, role)
    run_role(role, settings)


@cli.command(epilog=examples("sim"))
def sim(
    data: Data = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same city.")] = None,
    mqtt: Annotated[
        str | None, typer.Option("--mqtt-url", help="Any broker, mqtt://host:1883; needs no installation then")
    ] = None,
    city: Annotated[Path | None, typer.Option(help="Folder of the city pack.")] = None,
    speed: Annotated[float | None, typer.Option(help="City seconds a second; with --mqtt-url alone")] = None,
    faults: Annotated[Path | None, typer.Option(help="JSON file of faults to plant; none: at random")] = None,
    labels: Annotated[Path | None, typer.Option(help="Write the planted faults there, as JSON, and go on")] = None,
    realism: Annotated[str | None, typer.Option(help="real, or perfect: the inventory is right and all works")] = None,
) -> None:
    """Play the simulated city's gateways into a broker until SIGTERM."""
    from app import logs
    from app.processes import run_sim
    from app.runtime import attached
    from app.settings import load_settings

    flags = {"seed": seed, "city": city, "speed": speed, "faults": faults, "mqtt_url": mqtt, "sim_realism": realism}
    # With a broker of one's own there need not be an installation: nobody has to read what is played.
    settings = attached(data, **flags) if mqtt is None else load_settings(data=data, **flags)
    logs.configure(settings.log_level, settings.log_format, "sim")
    run_sim(settings, labels)


@cli.command(epilog=examples("play"))
def play(
    file: Annotated[Path, typer.Argument(help="CSV, also .gz or .xz")],
    mapping: Annotated[Path, typer.Option("--map", help="TOML: gateway, device, time column, columns → metrics")],
    speed: Annotated[float, typer.Option(help="Event seconds a second; 0: as fast as the broker takes it")] = 0.0,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Publish recorded readings as their gateway would have."""
    from app.commands.play import play as run_play
    from app.runtime import attached

    settings = attached(data)
    with Bar(quiet=as_json) as advance:
        report = run_play(settings, file, mapping, speed, partial(advance, "playing"))
    if as_json:
        print_json(report)
        return
    for line in report.pop("mistakes"):
        warn(line)
    say("  ".join(f"{name} {value}" for name, value in report.items()))


@cli.command(epilog=examples("replay"))
def replay(
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make every decision again from the log, and compare with what was decided."""
    from app import kernels
    from app.runtime import attached

    settings = attached(data)
    kernels.warm(settings.data, "anomaly")

    from app.commands.log import replay as run_replay

    with Bar(quiet=as_json) as advance:
        report = asyncio.run(run_replay(settings, partial(advance, "replaying")))
    if as_json:
        print_json(report)
    else:
        say(
            f"{report['alarm_events']} alarm events, {report['same']} identical, {len(report['only_replayed'])} only"
            f" replayed, {len(report['only_recorded'])} only recorded"
        )
    if report["only_replayed"] or report["only_recorded"]:
        raise typer.Exit(1)


cli.command(epilog=examples("backtest"))(backtest)


@cli.command(epilog=examples("setup"))
def setup(as_json: AsJson = False) -> None:
    """Prepare the engines that the settings name: schema, topics, registry, clock. May be repeated."""
    from app.settings import load_settings
    from app.setup import prepare

    settings = load_settings()
    if settings.database_url is None:
        raise SettingsError("set CITYNERVE_DATABASE_URL first; `citynerve up` prepares the embedded engines itself")
    with Bar(quiet=as_json) as advance:
        prepared = asyncio.run(prepare(settings, settings.database_url, advance))
    if as_json:
        print_json(asdict(prepared))
        return
    say(f"{prepared.city}: {prepared.lamps} lamps, {prepared.facilities} facilities; {prepared.clock_told}")


@cli.command(hidden=True)
def warm() -> None:
    """Compile the kernels of ingest and detection into their cache."""
    from app import kernels
    from app.settings import load_settings

    kernels.warm(load_settings().data, *kernels.PACKAGES)


@city_cli.command("check", epilog=examples("city check"))
def city_check(
    folder: Annotated[Path | None, typer.Argument(help="Folder of the city pack.")] = None,
    as_json: AsJson = False,
) -> None:
    """Explain every mistake in a city pack by file and line."""
    from app.commands.city import check
    from app.settings import load_settings

    place = folder or load_settings().city
    with Bar(quiet=as_json) as advance:
        advance(f"checking {place}", 0, 0)
        report = check(place)
    if as_json:
        mistakes = [{"file": m.file, "line": m.line, "text": m.text} for m in report.mistakes]
        print_json({"sound": report.sound, "mistakes": mistakes, "counts": report.counts, "version": report.version})
    else:
        for line in report.lines():
            say(line)
    if not report.sound:
        raise typer.Exit(2)


@log_cli.command("adopt", epilog=examples("log adopt"))
def log_adopt(data: Data = None, as_json: AsJson = False) -> None:
    """Let all workers go on with the log that the settings name, from its first record, keeping their states."""
    from app.commands.log import adopt
    from app.runtime import attached

    count = asyncio.run(adopt(attached(data)))
    if as_json:
        print_json({"checkpoints": count})
    else:
        say(f"{count} checkpoints go on with this log")


@log_cli.command("rebuild", epilog=examples("log rebuild"))
def log_rebuild(
    group: Annotated[str, typer.Argument(help="detect or correlate")], data: Data = None, as_json: AsJson = False
) -> None:
    """Forget a worker's states, so that it computes them anew from the log. Stop the worker before."""
    from app.commands.log import rebuild
    from app.runtime import attached

    count = asyncio.run(rebuild(attached(data), group))
    if as_json:
        print_json({"group": group, "states": count})
    else:
        say(f"{count} states forgotten; start the worker again")


logging.captureWarnings(capture=True)
