"""`citynerve thresholds` as it is typed: parses, calls `app.commands.thresholds`, prints."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from app.console import print_json, print_table, say

_COLUMNS = ("key", "fault", "current", "proposed", "true", "false", "false_dropped", "why")


def thresholds(
    data: Annotated[Path | None, typer.Option("--data", help="Folder of the embedded engines.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Say which thresholds verdicts speak for; copy a line into faults.toml yourself, nothing is changed."""
    from app.commands.thresholds import list_proposals
    from app.runtime import attached

    found = asyncio.run(list_proposals(attached(data)))
    if as_json:
        print_json(found)
        return
    if not found:
        say("the city's rules are not known yet: set the pack up first")
        return
    print_table(_COLUMNS, [["" if one[name] is None else one[name] for name in _COLUMNS] for one in found])
    lines = [one["toml"] for one in found if one["toml"] is not None]
    if lines:
        say("to take a proposal, write its line into faults.toml of the city pack:")
        for line in lines:
            say(f"  {line}")
