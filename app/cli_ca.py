"""`citynerve ca …` as the command line parses and prints it."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.console import print_json, say, warn
from app.examples import examples

if TYPE_CHECKING:
    from app.settings import Settings

ca_cli = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The city's own authority: certificates for gateways instead of passwords.",
    epilog=examples("ca"),
)
Folder = Annotated[
    Path | None, typer.Option(help="Where the authority's files are. None: authority/ in the data folder")
]
Passphrase = Annotated[Path | None, typer.Option("--passphrase-file", help="File that has the key's passphrase.")]
Request = Annotated[
    Path | None,
    typer.Option("--csr", help="The gateway's signing request (PEM): it keeps its key. None: a key is made"),
]
Days = Annotated[int, typer.Option(min=1, max=3650, help="How long the certificate is valid.")]
Data = Annotated[Path | None, typer.Option("--data", help="Folder of the embedded engines.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@ca_cli.command("init", epilog=examples("ca init"))
def ca_init(
    name: Annotated[str, typer.Option(min=1, max=64, help="How the authority is called.")] = "citynerve gateways",
    years: Annotated[int, typer.Option(min=1, max=50)] = 20,
    folder: Folder = None,
    passphrase_file: Passphrase = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make the authority: its key, its certificate, and an empty list of revoked ones."""
    from app.commands.authority import init
    from app.settings import load_settings

    made = init(folder or load_settings(data=data).data / "authority", name, years, passphrase_file)
    if as_json:
        print_json(made)
        return
    say(f"{made['authority']} and {made['revoked']} are for the broker")
    say(f"{made['key']} is for you alone, and for your backup")


@ca_cli.command("issue", epilog=examples("ca issue"))
def ca_issue(
    gateway: Annotated[str, typer.Argument(help="Its id, as in the city pack.")],
    csr: Request = None,
    days: Days = 825,
    folder: Folder = None,
    passphrase_file: Passphrase = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Give a gateway a certificate, on stdout; without --csr its key too, which is printed once."""
    from app.commands.authority import issue

    settings, signer = _signer(data, folder)
    made = asyncio.run(issue(settings, signer, gateway, days, csr, passphrase_file))
    _say_certificate(made, as_json=as_json)


@ca_cli.command("renew", epilog=examples("ca renew"))
def ca_renew(
    serial: Annotated[str, typer.Argument(help="Serial number, as `citynerve credentials list --json` shows it.")],
    csr: Request = None,
    days: Days = 825,
    folder: Folder = None,
    passphrase_file: Passphrase = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Give a certificate's owner the next one; the one before stays valid until it runs out or is revoked."""
    from app.commands.authority import renew

    settings, signer = _signer(data, folder)
    made = asyncio.run(renew(settings, signer, serial, days, csr, passphrase_file))
    _say_certificate(made, as_json=as_json)


@ca_cli.command("revoke", epilog=examples("ca revoke"))
def ca_revoke(
    serial: Annotated[str, typer.Argument(help="Serial number, as `citynerve credentials list --json` shows it.")],
    folder: Folder = None,
    passphrase_file: Passphrase = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a certificate now, and write the list of revoked ones for Mosquitto."""
    from app.commands.authority import revoke

    settings, signer = _signer(data, folder)
    ended = asyncio.run(revoke(settings, signer, serial, passphrase_file))
    if as_json:
        print_json(ended)
    else:
        say(f"{ended['gateway']}'s certificate {ended['serial']} is revoked")


@ca_cli.command("list", epilog=examples("ca list"))
def ca_list(
    folder: Folder = None, passphrase_file: Passphrase = None, data: Data = None, as_json: AsJson = False
) -> None:
    """Write the list of revoked certificates anew, with those that were revoked elsewhere."""
    from app.commands.authority import write_list

    settings, signer = _signer(data, folder)
    written = asyncio.run(write_list(settings, signer, passphrase_file))
    if as_json:
        print_json(written)
    else:
        say(f"{written['certificates']} revoked certificates in {written['revoked']}")


def _signer(data: Path | None, folder: Path | None) -> "tuple[Settings, Path]":
    """Return the settings of a running city, and the folder of its authority."""
    from app.runtime import attached

    settings = attached(data)
    return settings, folder or settings.data / "authority"


def _say_certificate(made: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    say(made["certificate"].strip())
    if "key" in made:
        say(made["key"].strip())
    warn(f"serial number {made['serial']}, valid until {made['expires_at']}")
