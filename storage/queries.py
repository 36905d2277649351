"""Loads named statements from the .sql file beside their user.

A statement starts with ``-- name: it_does_this`` and its comment; it ends where the next begins.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, LiteralString

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


class Queries:
    """The statements of one file, as attributes."""

    def __init__(self, statements: Mapping[str, LiteralString], origin: str) -> None:
        self._statements = dict(statements)
        self._origin = origin

    def __getattr__(self, name: str) -> LiteralString:
        try:
            return self._statements[name]
        except KeyError:
            raise AttributeError(f"{self._origin} names no statement {name!r}") from None


def load(path: Path) -> Queries:
    """Read a file of named statements once."""
    parts: Any = _NAME.split(path.read_text(encoding="utf-8"))
    statements = {name: body.strip().rstrip(";") for name, body in zip(parts[1::2], parts[2::2], strict=True)}
    return Queries(statements, path.name)
