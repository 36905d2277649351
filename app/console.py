"""What commands print: sentences, tables for people, JSON for machines. Loaded at every start, so it imports late."""

import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any
from unicodedata import category

if TYPE_CHECKING:
    from rich.progress import Progress


_WIDE = 400
_STEERING = frozenset({"Cc", "Cf", "Cs"})
"""Kinds of characters that are not seen: controls, and those that turn the direction of writing."""


def use_plain_text() -> None:
    """Let no character end a command: what the terminal's alphabet lacks is shown as a question mark."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def harmless(text: str) -> str:
    """Return text with everything written out that could steer a terminal: topics and names come from outside."""
    return "".join(c if c in "\n\t" or category(c) not in _STEERING else f"\\u{ord(c):04x}" for c in text)


def say(text: str) -> None:
    """Print a line for who asked."""
    sys.stdout.write(harmless(text) + os.linesep)
    sys.stdout.flush()


def warn(text: str) -> None:
    """Print a line that is not the answer."""
    sys.stderr.write(harmless(text) + os.linesep)
    sys.stderr.flush()


def print_json(value: Any) -> None:
    """Print the answer for a machine."""
    say(json.dumps(value, default=str, ensure_ascii=False, indent=2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Print the answer as a table; whatever stands in it is text, not markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, title=None if title is None else Text(title))
    for row in rows:
        table.add_row(*(Text(harmless(str(cell))) for cell in row))
    # In a pipe nobody sees an edge at which lines would have to break.
    width = None if sys.stdout.isatty() else _WIDE
    Console(highlight=False, width=width).print(table)


class Bar:
    """A bar on stderr while something long goes on; nothing where nobody looks, or on a terminal that cannot.

    Yields a function of what is done, how much of it, and of how much; 0 of 0 only shows that work goes on.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb"
        self._bar: Progress | None = None

    def __enter__(self) -> Callable[[str, int, int], None]:
        if self._quiet:
            return lambda told, done, total: None
        from rich import progress
        from rich.console import Console

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TextColumn("{task.fields[count]}"),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
        )
        bar = self._bar = progress.Progress(*columns, console=Console(stderr=True), transient=True)
        task = bar.add_task("", total=None, count="")
        bar.start()

        def advance(told: str, done: int, total: int) -> None:
            count = f"{done:,}/{total:,}" if total else f"{done:,}" if done else ""
            bar.update(task, description=told, completed=done, total=total or None, count=count)

        return advance

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
