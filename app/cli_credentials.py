"""`citynerve credentials …` as the command line parses and prints it."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from app.console import print_json, print_table, say
from app.examples import examples

credentials_cli = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Who may connect to the broker, and publish and read where.",
    epilog=examples("credentials"),
)
Data = Annotated[Path | None, typer.Option("--data", help="Folder of the embedded engines.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Login = Annotated[str, typer.Argument(help="Login, as `citynerve credentials list` shows it.")]
Publish = Annotated[
    list[str] | None,
    typer.Option(help="Topic filter to publish on, may be repeated. None: citynerve/v1/GATEWAY/+"),
]
Read = Annotated[list[str] | None, typer.Option(help="Topic filter to read, may be repeated. None: nothing")]


@credentials_cli.command("list", epilog=examples("credentials list"))
def credentials_list(
    gateway: Annotated[str | None, typer.Option(help="Only this gateway's.")] = None,
    past: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show credentials, the newest first; passwords are kept nowhere and never shown again."""
    from app.commands.credentials import list_credentials
    from app.runtime import attached

    found = asyncio.run(list_credentials(attached(data), gateway, limit, past=past))
    if as_json:
        print_json(found)
        return
    if not found:
        say("nobody has a credential: `citynerve credentials create GATEWAY` makes one")
        return
    columns = ("login", "kind", "state", "publish", "read", "created_at", "expires_at")
    print_table(columns, [[_shown(one[name]) for name in columns] for one in found])


@credentials_cli.command("create", epilog=examples("credentials create"))
def credentials_create(
    gateway: Annotated[str, typer.Argument(help="Its id, as in the city pack.")],
    publish: Publish = None,
    read: Read = None,
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="Let it end after so many days.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Give a gateway a login and a password, which is printed once."""
    from app.commands.credentials import create
    from app.runtime import attached

    made = asyncio.run(create(attached(data), gateway, publish or [], read or [], days))
    if as_json:
        print_json(made)
    else:
        _say_secret(made)


@credentials_cli.command("rotate", epilog=examples("credentials rotate"))
def credentials_rotate(
    login: Login,
    together_h: Annotated[
        float, typer.Option(min=0, max=2160, help="Hours for which old and new are both valid; 0: the old one ends now")
    ] = 24.0,
    days: Annotated[
        int | None,
        typer.Option(min=1, max=3650, help="Let the new one end after so many days. None: as many as the old one had"),
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Give a gateway a new login and password in place of one, with the same topics."""
    from app.commands.credentials import rotate
    from app.runtime import attached

    changed = asyncio.run(rotate(attached(data), login, together_h, days))
    if as_json:
        print_json(changed)
        return
    _say_secret(changed["new"])
    old = changed["old"]
    say(f"{old['login']} ends {'now' if old['revoked_at'] else old['expires_at']}")


@credentials_cli.command("revoke", epilog=examples("credentials revoke"))
def credentials_revoke(
    login: Annotated[str, typer.Argument(help="Login, or the serial number of a certificate.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """End a credential: once the broker is told, its owner is disconnected and does not come back."""
    from app.commands.credentials import revoke
    from app.runtime import attached

    ended = asyncio.run(revoke(attached(data), login))
    if as_json:
        print_json(ended)
    else:
        say(f"{ended['login']} is revoked; `citynerve credentials topics` tells when the broker knows of it")


@credentials_cli.command("topics", epilog=examples("credentials topics"))
def credentials_topics(
    login: Login, publish: Publish = None, read: Read = None, data: Data = None, as_json: AsJson = False
) -> None:
    """Say anew where a credential publishes and what it reads; without options, show it and its history."""
    from app.commands.credentials import topics
    from app.runtime import attached

    found = asyncio.run(topics(attached(data), login, publish or [], read or []))
    if as_json:
        print_json(found)
        return
    known = f"at the broker since {found['in_force_at']}" if found["in_force_at"] else "on its way to the broker"
    say(f"{found['login']} is {found['state']}, {known}")
    for verb in ("publish", "read"):
        say(f"  {verb:<8} {_shown(found[verb])}")
    for event in found["events"]:
        say(f"  {event['at']} {event['kind']} by {event['actor']}")


def _say_secret(made: dict[str, Any]) -> None:
    say(f"login     {made['login']}")
    say(f"password  {made['password']}")


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value) or "nothing"
    return "" if value is None else str(value)
