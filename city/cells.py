"""Texts in CSV that spreadsheets must not take for formulas: an apostrophe before them, which reading takes away."""

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_KEPT = re.compile(r"'+[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def harmless(text: str) -> str:
    """Return a cell's text so that a spreadsheet shows it and does not run it; numbers as they are."""
    return f"'{text}" if _FORMULA.match(text) and _NUMBER.fullmatch(text) is None else text


def as_meant(cell: str) -> str:
    """Return what `harmless` was given; what holds no apostrophe of its own stays as it is."""
    return cell[1:] if _KEPT.match(cell) else cell
