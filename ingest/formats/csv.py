"""Plain CSV: RFC 4180, one record a line, with a header or without; `docs/formats/csv.md` tells it to senders."""

import csv
import re
from collections.abc import Sequence
from typing import NamedTuple

from city.integration import Origin
from city.units import UNIT_CHARACTERS_MAX
from ingest.formats.parsed import KEYS_MAX, OBJECTS_MAX, ParsedMessage, ParsedObject, Unreadable, Value, kept_name
from ingest.formats.times import parse_time
from ingest.formats.values import (
    DEVICE_PROBLEM,
    check_size,
    is_device,
    is_value_name,
    number_in,
    own_device,
    safe,
    take,
)

DEVICE, AT, NAME, VALUE, UNIT = "device", "at", "name", "value", "unit"

_OWN = frozenset({DEVICE, AT, NAME, VALUE, UNIT})

_LINES = re.compile(r"\r\n|\n|\r")
_WITH_UNIT = re.compile(rf"(.*\S)\s*\[([^\[\]]{{0,{UNIT_CHARACTERS_MAX}}})\]")
_DIGITS = re.compile(r"[0-9]{1,15}")
_HEADERLESS: dict[int, tuple[str, ...]] = {
    2: (NAME, VALUE),
    3: (NAME, VALUE, UNIT),
    4: (DEVICE, AT, NAME, VALUE),
    5: (DEVICE, AT, NAME, VALUE, UNIT),
}


class Table(NamedTuple):
    """What the lines of a message have in common.

    Attributes
    ----------
    columns : tuple of str
        Of the header, units taken off; empty: there is none.
    units : dict
        Of columns whose header tells one.
    """

    separator: str
    columns: tuple[str, ...]
    units: dict[str, str]

    @property
    def may_divide_numbers(self) -> bool:
        """Tell whether the unit may be the half of a number behind its decimal comma."""
        return self.separator == "," and (not self.columns or self.is_long)

    @property
    def is_long(self) -> bool:
        """Tell whether a line holds one value, called in a column of its own."""
        return NAME in self.columns and VALUE in self.columns


class Line(NamedTuple):
    """One line, taken apart."""

    position: int
    device: str
    at: str
    values: list[tuple[str, str, str]]


def parse(origin: Origin, payload: bytes) -> ParsedMessage:
    """Read one message.

    Raises
    ------
    Unreadable
    """
    check_size(payload)
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise Unreadable("not-text", "CSV is text in UTF-8: mend the sender") from exc
    lines = [line for line in _LINES.split(text) if line.strip()]
    if len(lines) > OBJECTS_MAX + 1:
        raise Unreadable("too-many-objects", f"over {OBJECTS_MAX} lines: send several messages")
    if not lines:
        raise Unreadable("no-readings", "there is no line in the message: nothing to store")
    table = _table(lines[0])
    message = ParsedMessage([])
    for position, line in enumerate(lines[1:] if table.columns else lines):
        _read_line(message, origin, table, position, line)
    if not message.objects and not message.refused:
        raise Unreadable("no-readings", "the message holds no value: nothing to store")
    return message


def _table(first: str) -> Table:
    """Read separator and header off the first line."""
    separator = next((one for one in (";", "\t") if one in first), ",")
    fields = _fields(first, separator)
    names = {field.lower() for field in fields or ()}
    is_long = names >= {NAME, VALUE}
    if fields is None or not ({DEVICE, AT} & names or is_long):
        return Table(separator, (), {})
    own = _OWN if is_long else {DEVICE, AT}
    fields = [field.lower() if field.lower() in own else field for field in fields]
    columns: list[str] = []
    units: dict[str, str] = {}
    for field in fields:
        named = _WITH_UNIT.fullmatch(field)
        columns.append(named[1] if named else field)
        if named:
            units[columns[-1]] = named[2]
    if len(columns) > KEYS_MAX + 2:
        raise Unreadable("too-many-keys", f"over {KEYS_MAX} columns: divide the table")
    if len(set(columns)) != len(columns):
        raise Unreadable("duplicate-key", "a column stands twice in the header: nobody can tell which one is meant")
    if not all(is_value_name(column) for column in columns):
        raise Unreadable("bad-header", "every column of the header has a name of up to 128 printable characters")
    table = Table(separator, tuple(columns), units)
    if table.is_long and set(columns) - _OWN:
        raise Unreadable("bad-header", "beside name and value only device, at and unit may stand in the header")
    return table


def _fields(line: str, separator: str) -> list[str] | None:
    """Divide a line; None if its quotation marks are not those of RFC 4180. Blanks around a field are left out."""
    if '"' not in line:
        return [field.strip() for field in line.split(separator)]
    try:
        [fields] = csv.reader([line], delimiter=separator, strict=True, skipinitialspace=True)
    except (csv.Error, ValueError):
        return None
    return [field.strip() for field in fields]


def _read_line(message: ParsedMessage, origin: Origin, table: Table, position: int, text: str) -> None:
    fields = _fields(text, table.separator)
    line = None if fields is None else _line(table, position, fields)
    if line is None:
        wanted = f"{len(table.columns)} fields as its header" if table.columns else "device, at, name, value and unit"
        detail = f"a line has {wanted}, and quotation marks come in pairs around a field"
        message.refuse("bad-line", detail, position, "")
        return
    device = line.device or own_device(origin)
    names = [name for name, _, _ in line.values]
    if not is_device(device):
        _refuse(message, "bad-device", DEVICE_PROBLEM, position, names)
        return
    at_us: int | None = None
    if line.at:
        try:
            at_us = parse_time(int(line.at) if _DIGITS.fullmatch(line.at) else line.at)
        except ValueError as exc:
            _refuse(message, "bad-time", f"at is {exc}", position, names)
            return
    if not names:
        message.refuse("no-readings", "the line holds no value: nothing to store", position, "")
    readings: dict[str, Value] = {}
    units: dict[str, str] = {}
    texts: dict[str, str] = {}
    for name, cell, unit in line.values:
        if not cell:
            message.refuse("no-readings", f"{safe(name)} has no value", position, kept_name(name))
        elif len(unit) > UNIT_CHARACTERS_MAX or (unit.isdecimal() and table.may_divide_numbers):
            detail = f"{safe(name)}: that is no unit; a number with a decimal comma needs ';' between fields"
            message.refuse("bad-unit", detail, position, kept_name(name))
        else:
            take(message, position, readings, name, _value(cell, table.separator))
            if unit and name in readings:
                units[name] = unit
            texts[name] = cell
    if readings:
        message.objects.append(ParsedObject(position, device, at_us, readings, units, texts=texts))


def _refuse(message: ParsedMessage, reason: str, detail: str, position: int, names: Sequence[str]) -> None:
    for name in names or [""]:
        message.refuse(reason, detail, position, kept_name(name))


def _line(table: Table, position: int, fields: list[str]) -> Line | None:
    """Return what the fields are; None if there are too few or too many."""
    columns = table.columns or _HEADERLESS.get(len(fields), ())
    if not columns or len(columns) != len(fields):
        return None
    cells = dict(zip(columns, fields, strict=True))
    device, at = cells.pop(DEVICE, ""), cells.pop(AT, "")
    if not table.columns or table.is_long:
        values = [(cells[NAME], cells[VALUE], cells.get(UNIT, ""))]
    else:
        values = [(name, cell, table.units.get(name, "")) for name, cell in cells.items() if cell]
    return Line(position, device, at, values)


def _value(cell: str, separator: str) -> Value:
    """Return a number, or the word that it is; a decimal comma is one where semicolons or tabs separate."""
    number = cell if separator == "," else cell.replace(",", ".")
    found = number_in(number)
    return cell if isinstance(found, str) else found
