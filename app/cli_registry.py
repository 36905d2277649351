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
Named = Annotated[str, typer.Argument(help="Its id.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")]


@devices_cli.command("import", epilog=examples("devices import"))
def devices_import(file: File, data: Data = None, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Add or change devices by CSV in the columns of the pack's devices.csv, all or none of them."""
    _import("devices", file, data, dry_run, as_json)


@devices_cli.command("export", epilog=examples("devices export"))
def devices_export(data: Data = None) -> None:
    """Print all devices in service as CSV, as an import takes them."""
    _export("devices", data)


@devices_cli.command("retire", epilog=examples("devices retire"))
def devices_retire(
    device: Annotated[str, typer.Argument(help="Its id.")], data: Data = None, as_json: AsJson = False
) -> None:
    """Take a device out: its readings are set aside from now on, its history stays."""
    _set("device", "retire", device, data, as_json)


@devices_cli.command("release", epilog=examples("devices release"))
def devices_release(
    device: Annotated[str, typer.Argument(help="Its id.")], data: Data = None, as_json: AsJson = False
) -> None:
    """Give a device back to the city pack: its next import says what it is."""
    _set("device", "release", device, data, as_json)


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


@gateways_cli.command("export", epilog=examples("gateways export"))
def gateways_export(data: Data = None) -> None:
    """Print all gateways in service as CSV, as an import takes them."""
    _export("gateways", data)


@gateways_cli.command("retire", epilog=examples("gateways retire"))
def gateways_retire(gateway: Named, data: Data = None, as_json: AsJson = False) -> None:
    """Take a gateway out and revoke its credentials; what it still sends is set aside."""
    _set("gateway", "retire", gateway, data, as_json)


@gateways_cli.command("restore", epilog=examples("gateways restore"))
def gateways_restore(gateway: Named, data: Data = None, as_json: AsJson = False) -> None:
    """Bring a retired gateway back; it needs new credentials."""
    _set("gateway", "restore", gateway, data, as_json)


@gateways_cli.command("release", epilog=examples("gateways release"))
def gateways_release(gateway: Named, data: Data = None, as_json: AsJson = False) -> None:
    """Give a gateway back to the city pack: its next import says what it is."""
    _set("gateway", "release", gateway, data, as_json)


@profiles_cli.command("import", epilog=examples("profiles import"))
def profiles_import(file: File, data: Data = None, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Add or change profiles by TOML in the form of the pack's profiles.toml, all or none of them."""
    _import("profiles", file, data, dry_run, as_json)


@profiles_cli.command("export", epilog=examples("profiles export"))
def profiles_export(data: Data = None) -> None:
    """Print all profiles in service as TOML, as an import takes them."""
    _export("profiles", data)


@profiles_cli.command("retire", epilog=examples("profiles retire"))
def profiles_retire(profile: Named, data: Data = None, as_json: AsJson = False) -> None:
    """Take a profile out that no device has any more."""
    _set("profile", "retire", profile, data, as_json)


@profiles_cli.command("restore", epilog=examples("profiles restore"))
def profiles_restore(profile: Named, data: Data = None, as_json: AsJson = False) -> None:
    """Bring a retired profile back."""
    _set("profile", "restore", profile, data, as_json)


@profiles_cli.command("release", epilog=examples("profiles release"))
def profiles_release(profile: Named, data: Data = None, as_json: AsJson = False) -> None:
    """Give a profile back to the city pack: its next import says what it is."""
    _set("profile", "release", profile, data, as_json)


def _import(kind: str, file: Path, data: Path | None, dry_run: bool, as_json: bool) -> None:
    from app.commands.registry import import_list, read_list
    from app.runtime import attached

    settings = attached(data)
    _tell(asyncio.run(import_list(settings, kind, read_list(file), dry_run=dry_run)), as_json)


def _export(kind: str, data: Path | None) -> None:
    from app.commands import registry
    from app.runtime import attached

    exports = {
        "devices": registry.export_devices,
        "gateways": registry.export_gateways,
        "profiles": registry.export_profiles,
    }
    asyncio.run(exports[kind](attached(data)))


def _set(kind: str, what: str, name: str, data: Path | None, as_json: bool) -> None:
    from app.commands import registry
    from app.runtime import attached

    works = {"device": registry.set_device, "gateway": registry.set_gateway, "profile": registry.set_profile}
    _tell(asyncio.run(works[kind](attached(data), what, name)), as_json)


def _tell(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    counted = {name: len(value) if isinstance(value, list) else value for name, value in report.items()}
    say("  ".join(f"{name} {value}" for name, value in counted.items()))
