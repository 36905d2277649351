"""The map of `citynerve play`: which column of a CSV file is which metric of which device."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from city import packfile
from city.errors import SettingsError
from city.packfile import Cells, Notes, shown
from city.topics import is_name

_SAMPLE = datetime(2021, 1, 1, 10, 30, tzinfo=UTC)
_FORMATS = ("iso", "unix", "unix_ms")
_RESERVED = ("device", "at", "n", "epoch", "sent_at", "readings")


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """A column and the metric it carries; published is value · `scale` + `offset`."""

    metric: str
    column: str
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class PlayMap:
    """How to read a file.

    Attributes
    ----------
    device, device_column : str
        One of them: the device of all rows, or the column that names it.
    time_format : str
        A format of strptime, or ``iso``, ``unix`` (seconds), ``unix_ms``.
    timezone : str
        Of times that carry no zone.
    order : str
        ``file``: rows go as they stand; ``time``: sorted by time, equal times in the order of the file.
    missing : frozenset of str
        Cells that mean "no reading".
    """

    gateway: str
    device: str
    device_column: str
    time_column: str
    time_format: str
    timezone: str
    columns: tuple[ColumnMap, ...]
    delimiter: str = ","
    decimal: str = "."
    encoding: str = "utf-8-sig"
    missing: frozenset[str] = frozenset({""})
    rows_per_message: int = 48
    order: str = "file"


def read_map(path: Path) -> PlayMap:
    """Read a MAP.toml.

    Raises
    ------
    SettingsError
        The file cannot be read, or has mistakes: all of them, by line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise SettingsError(f"the map {path} cannot be read ({exc.strerror}): check its name and permissions") from exc
    except UnicodeDecodeError as exc:
        raise SettingsError(f"the map {path} is not UTF-8: save it as UTF-8") from exc
    return parse_map(text, path.name)


def parse_map(text: str, name: str = "MAP.toml") -> PlayMap:
    """Read the text of a MAP.toml.

    Raises
    ------
    SettingsError
        With every mistake.
    """
    notes = Notes()
    body = packfile.toml(notes, name, text)
    found = None if body is None else _read(notes, name, text, body)
    if notes.mistakes or found is None:
        told = "\n".join(str(mistake) for mistake in sorted(set(notes.mistakes)))
        raise SettingsError(f"the map has mistakes (docs/play.md tells what belongs in it):\n{told}")
    return found


def _read(notes: Notes, name: str, text: str, body: dict[str, Any]) -> PlayMap | None:
    top = packfile.table(notes, name, text, body)
    optional = ("device", "device_column", "file", "rows_per_message", "order")
    if not top.only(("gateway", "time", "metrics"), optional):
        return None
    if ("device" in body) == ("device_column" in body):
        top.wrong("device", "write either device (its id) or device_column (the column that holds it)")
        return None
    time = packfile.table(notes, name, text, body["time"], ("time",))
    file = packfile.table(notes, name, text, body.get("file", {}), ("file",))
    if not time.only(("column", "format"), ("timezone",)):
        return None
    file.only((), ("delimiter", "decimal", "encoding", "missing"))
    order = body.get("order", "file")
    if order not in ("file", "time"):
        top.wrong("order", f'order {shown(order)} is not known: write "file" or "time"')
    return PlayMap(
        gateway=top.name("gateway"),
        device=top.name("device") if "device" in body else "",
        device_column=top.text("device_column") if "device_column" in body else "",
        time_column=time.text("column"),
        time_format=_time_format(time),
        timezone=_timezone(time),
        columns=_columns(notes, name, text, body["metrics"]),
        delimiter=_character(file, "delimiter", ","),
        decimal=_character(file, "decimal", "."),
        encoding=_encoding(file),
        missing=frozenset(file.names("missing")) | {""} if "missing" in file.values else frozenset({""}),
        rows_per_message=top.whole("rows_per_message", 1, 200) if "rows_per_message" in body else 48,
        order=str(order),
    )


def _columns(notes: Notes, name: str, text: str, body: object) -> tuple[ColumnMap, ...]:
    cells = packfile.table(notes, name, text, body, ("metrics",))
    if not cells.values:
        cells.wrong("", '[metrics] names no metric: write lines such as so2_ug_m3 = "SO2"')
    return tuple(_column(cells, metric, value) for metric, value in cells.values.items())


def _column(cells: Cells, metric: str, value: object) -> ColumnMap:
    if not is_name(metric) or metric in _RESERVED:
        cells.wrong(metric, f"{shown(metric)} cannot be a metric: use lower case, digits and '_', unit last")
    if isinstance(value, str):
        value = {"column": value}
    if not isinstance(value, Mapping) or set(value) - {"column", "scale", "offset"} or "column" not in value:
        cells.wrong(metric, f'{metric} must be a column, or {{ column = "…", scale = 1.0, offset = 0.0 }}')
        return ColumnMap(metric, "")
    # The keys of the small table are read like those of a big one; their line is the metric's.
    inner = Cells(cells.notes, cells.file, cells.line_of(metric), value, {})
    scale = inner.number("scale", -1e12, 1e12) if "scale" in value else 1.0
    offset = inner.number("offset", -1e12, 1e12) if "offset" in value else 0.0
    return ColumnMap(metric, inner.text("column"), scale, offset)


def _time_format(time: Cells) -> str:
    text = time.text("format")
    if text in _FORMATS:
        return text
    try:
        # The day of a whole month or year is its first.
        read_back = datetime.strptime(_SAMPLE.strftime(text), text) if "%" in text else None  # noqa: DTZ007 - a trial
    except ValueError:
        read_back = None
    if read_back is None:
        time.wrong(
            "format", f"format {shown(text)} is not known: write iso, unix, unix_ms, or one such as %Y-%m-%dT%H:%M"
        )
    elif read_back.date() != _SAMPLE.date():
        time.wrong("format", f"format {shown(text)} does not tell year, month and day: %Y-%m-%dT%H:%M would")
    return text


def _timezone(time: Cells) -> str:
    name = time.text("timezone") if "timezone" in time.values else "UTC"
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        time.wrong("timezone", f"{shown(name)} is not a time zone: write one such as UTC or Europe/Madrid")
    return name


def _character(file: Cells, key: str, default: str) -> str:
    value = file.values.get(key, default)
    if not isinstance(value, str) or len(value) != 1 or value.isalnum() or value in '"\r\n\0-':
        file.wrong(key, f"{key} {shown(value)} must be one character, such as , or ;")
        return default
    return value


def _encoding(file: Cells) -> str:
    value = file.values.get("encoding", "utf-8-sig")
    if value not in ("utf-8", "utf-8-sig", "latin-1", "iso-8859-15", "cp1252"):
        file.wrong("encoding", f"encoding {shown(value)} is not known: write utf-8, latin-1, iso-8859-15 or cp1252")
        return "utf-8-sig"
    return "utf-8-sig" if value == "utf-8" else str(value)
