"""`citynerve maintenance` as it is typed: parses, calls `app.commands.maintenance`, prints."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from app.console import print_json, print_table, say
from app.examples import examples

maintenance_cli = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Maintenance windows: no ticket for what works do.",
    epilog=examples("maintenance"),
)
Data = Annotated[Path | None, typer.Option("--data", help="Folder of the embedded engines.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Number = Annotated[int, typer.Argument(help="Number of the window.", min=1)]
_COLUMNS = ("id", "kind", "target", "from", "to", "state", "held", "reason")


@maintenance_cli.command("list", epilog=examples("maintenance list"))
def list_windows(
    data: Data = None,
    past: Annotated[bool, typer.Option("--past", help="Those that are over or withdrawn.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show windows that are planned or run, the last announced first."""
    from app.commands.maintenance import listed
    from app.runtime import attached

    found = asyncio.run(listed(attached(data), past=past))
    if as_json:
        print_json(found)
    elif found:
        print_table(_COLUMNS, [[one[name] for name in _COLUMNS] for one in found])
    else:
        say("no works are over yet" if past else "nobody has announced works")


@maintenance_cli.command("announce", epilog=examples("maintenance announce"))
def announce(
    kind: Annotated[str, typer.Argument(help="lamp, feeder, cabinet, gateway, facility or district.")],
    target: Annotated[str, typer.Argument(help="Its id.")],
    until: Annotated[str, typer.Option("--to", help="RFC 3339; without a zone by the city's clock.")],
    why: Annotated[str, typer.Option(help="What is done there.")],
    since: Annotated[str | None, typer.Option("--from", help="The same; now unless given.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Say that works go on: no ticket is opened for what is worked at, nor for what hangs below."""
    from app.commands.maintenance import announced
    from app.runtime import attached

    times = None if since is None else _time(since), _time(until)
    number = asyncio.run(announced(attached(data), kind, target, times, why))
    if as_json:
        print_json({"id": number})
    else:
        say(f"window {number} is announced")


@maintenance_cli.command("end", epilog=examples("maintenance end"))
def end(window: Number, data: Data = None, as_json: AsJson = False) -> None:
    """End a window before its time: what stays wrong is told."""
    _set(window, "end", data, as_json)


@maintenance_cli.command("withdraw", epilog=examples("maintenance withdraw"))
def withdraw(window: Number, data: Data = None, as_json: AsJson = False) -> None:
    """Let a window never have been: what it held is told at once."""
    _set(window, "withdraw", data, as_json)


@maintenance_cli.command("reinstate", epilog=examples("maintenance reinstate"))
def reinstate(window: Number, data: Data = None, as_json: AsJson = False) -> None:
    """Undo an early end, or a withdrawal."""
    _set(window, "reinstate", data, as_json)


def _set(window: int, what: str, data: Path | None, as_json: bool) -> None:
    from app.commands.maintenance import changed
    from app.runtime import attached

    found = asyncio.run(changed(attached(data), window, what))
    if as_json:
        print_json(found)
    else:
        say(f"window {window} of {found['kind']} {found['target']} is {found['state']}")


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as exc:
        raise typer.BadParameter(f"{text!r} is no day and time: write one such as 2026-11-24T08:30") from exc
