"""Reads labels: CSV with asset, fault, onset and end, or the JSON that the simulator writes."""

import difflib
import json
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from anomaly.backtest.csv_files import Mistakes, open_bytes, rows
from anomaly.backtest.labels import Label, in_order
from anomaly.backtest.moments import HINT, parse_moment
from city.alarm import FaultClass
from city.errors import SettingsError

COLUMNS, OPTIONAL = ("asset", "fault", "onset"), ("end",)
_FAULTS = tuple(str(fault) for fault in FaultClass)
UNDETECTED = frozenset({
    "absoluteLampPowerTooHigh", "absoluteLampPowerTooLow", "lampVoltageTooHigh", "lampVoltageTooLow", "currentTooHigh",
    "currentTooLow", "relayFailure", "contactorError", "controlGearCommFailure", "leakageDetected", "highTemperature",
    "invalidLampType", "localOverride", "cabinetDoorOpen", "photocellOutputOn",
})  # fmt: skip
"""Other events of TALQ: they may be labelled, and count as missed."""


def _bare(fault: str) -> str:
    return "".join(c for c in fault.lower() if c not in " _-")


_NAMES = {_bare(name): name for name in (*_FAULTS, *UNDETECTED)}
"""Names without what tells nothing: LAMP_FAILURE is lampFailure."""


def read_labels(path: Path, known: Container[str]) -> list[Label]:
    """Read labels in their order of onset; the same one twice counts once.

    Parameters
    ----------
    known : container of str
        Names of assets, feeders, cabinets and gateways.

    Raises
    ------
    SettingsError
        The file cannot be read, or has mistakes: each is told by its line.
    """
    mistakes = Mistakes(path)
    found: set[Label] = set()
    listed = _from_json(path) if path.suffix == ".json" else rows(path, COLUMNS, OPTIONAL)
    for line, cells in listed:
        label = _label(mistakes, line, cells)
        if label is None:
            continue
        if label.fault not in _FAULTS and label.fault not in UNDETECTED:
            mistakes.add(line, f"fault is {label.fault[:40]!r}: {_instead(label.fault)}")
        elif label.asset not in known:
            mistakes.add(line, f"{label.asset!r} is no asset of the fleet, nor a feeder, cabinet or gateway of one")
        else:
            found.add(label)
    mistakes.demand_none()
    return in_order(found)


def _label(mistakes: Mistakes, line: int, cells: dict[str, str]) -> Label | None:
    moments: list[int | None] = []
    for name in ("onset", "end"):
        try:
            moments.append(parse_moment(cells[name]) if cells[name] or name == "onset" else None)
        except (ValueError, OverflowError):
            mistakes.add(line, f"{name} is {cells[name][:40]!r}: {HINT}")
            return None
    onset_us, end_us = moments
    if not cells["asset"] or not cells["fault"] or onset_us is None:
        mistakes.add(line, "asset, fault and onset must not be empty; only end may, where nobody has mended it")
        return None
    if end_us is not None and end_us <= onset_us:
        mistakes.add(line, f"it ends at {cells['end']}, not after its onset: swap them, or leave end empty")
        return None
    fault = cells["fault"]
    return Label(onset_us, cells["asset"], _NAMES.get(_bare(fault), fault), end_us)


def _instead(fault: str) -> str:
    """Return what to write instead of a name that no fault has."""
    lower = {name.lower(): name for name in _FAULTS}
    near = difflib.get_close_matches(fault.lower().replace("_", "").replace(" ", ""), lower, 1, 0.75)
    meant = f"did you mean {lower[near[0]]}? " if near else ""
    return f"{meant}write one of {', '.join(_FAULTS)}"


def _from_json(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with open_bytes(path) as file:
        try:
            listed: Any = json.load(file)
        except (ValueError, RecursionError) as exc:
            raise SettingsError(f"{path} is not JSON ({exc}): write an array of objects, or CSV") from exc
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise SettingsError(f"{path} is no array of objects with asset, fault, onset and end")
    for number, one in enumerate(listed, start=1):
        missing = [name for name in COLUMNS if name not in one]
        if missing:
            raise SettingsError(f"{path}: object {number} has no {', '.join(missing)}")
        yield number, {name: "" if one.get(name) is None else str(one[name]) for name in (*COLUMNS, *OPTIONAL)}
