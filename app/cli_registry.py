"""`citynerve devices|gateways|profiles`: parses, calls the commands, prints."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from app.console import print_json, print_table, say
from app.examples import examples

devices_cli = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Devices of the registry: lists, claims of unknown ones.",
    epilog=examples("devices"),
)
gateways_cli = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Gateways of the registry.", epilog=examples("gateways")
)
profiles_cli = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Profiles of the registry.", epilog=examples("profiles")
)

Data = Annotated[Path | None, typer.Option("--data", help="Folder of the embedded engines.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
File = Annotated[Path, typer.Argument(help="The list; - reads it from standard input.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")]


@devices_cli.command("import", epilog=examples("devices import"))
def devices_import(file: File, data: Data = None, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Add or change devices by CSV in the columns of the pack's devices.csv, all or none of them."""
    _import("devices", file, data, dry_run, as_json)


@devices_cli.command("export", epilog=examples("devices export"))
def devices_export(data: Data = None) -> None:
    """Print all devices in service as CSV, as an import takes them."""
    from app.commands.registry import export_devices
    from app.runtime import attached

    asyncio.run(export_devices(attached(data)))


@devices_cli.command("retire", epilog=examples("devices retire"))
def devices_retire(
    device: Annotated[str, typer.Argument(help="Its id.")], data: Data = None, as_json: AsJson = False
) -> None:
    """Take a device out: its readings are set aside from now on, its history stays."""
    _set("retire", device, data, as_json)


@devices_cli.command("release", epilog=examples("devices release"))
def devices_release(
    device: Annotated[str, typer.Argument(help="Its id.")], data: Data = None, as_json: AsJson = False
) -> None:
    """Give a device back to the city pack: its next import says what it is."""
    _set("release", device, data, as_json)


@devices_cli.command("unknown", epilog=examples("devices unknown"))
def devices_unknown(
    data: Data = None,
    part: Annotated[str | None, typer.Option(help="Only names that hold this.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show who sends and is not known, those for whom most waits first."""
    from app.commands.registry import list_unknown
    from app.runtime import attached

    found = asyncio.run(list_unknown(attached(data), part))
    if as_json:
        print_json(found)
        return
    if not found["devices"] and not found["gateways"]:
        say("everyone who sends is known")
    for kind, columns in (
        ("devices", ("name", "gateway", "letters", "last_at")),
        ("gateways", ("gateway", "letters", "last_at")),
    ):
        if found[kind]:
            print_table(columns, [[one[name] for name in columns] for one in found[kind]])


@devices_cli.command("claim", epilog=examples("devices claim"))
def devices_claim(
    name: Annotated[str, typer.Argument(help="What it is called on the wire.")],
    asset: Annotated[str, typer.Option(help="The asset that it measures.")],
    gateway: Annotated[str, typer.Option(help="The gateway that speaks for it.")],
    profile: Annotated[str, typer.Option(help="What it reports, and how it calls that.")],
    device: Annotated[str | None, typer.Option(help="Its id; the name on the wire unless given.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Say which device of the city an unknown one is; what it has sent goes into place."""
    from app.commands.registry import claim
    from app.runtime import attached
    from city.asset import Device

    wanted = Device(device or name, asset, gateway, profile, name if device else "")
    _tell(asyncio.run(claim(attached(data), wanted)), as_json)


@gateways_cli.command("import", epilog=examples("gateways import"))
def gateways_import(file: File, data: Data = None, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Add or change gateways by CSV in the columns of the pack's gateways.csv, all or none of them."""
    _import("gateways", file, data, dry_run, as_json)


@profiles_cli.command("import", epilog=examples("profiles import"))
def profiles_import(file: File, data: Data = None, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Add or change profiles by TOML in the form of the pack's profiles.toml, all or none of them."""
    _import("profiles", file, data, dry_run, as_json)


def _import(kind: str, file: Path, data: Path | None, dry_run: bool, as_json: bool) -> None:
    from app.commands.registry import import_list, read_list
    from app.runtime import attached

    settings = attached(data)
    _tell(asyncio.run(import_list(settings, kind, read_list(file), dry_run=dry_run)), as_json)


def _set(what: str, device: str, data: Path | None, as_json: bool) -> None:
    from app.commands.registry import set_device
    from app.runtime import attached

    _tell(asyncio.run(set_device(attached(data), what, device)), as_json)


def _tell(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    counted = {name: len(value) if isinstance(value, list) else value for name, value in report.items()}
    say("  ".join(f"{name} {value}" for name, value in counted.items()))
