"""Writes the measured parts of ``docs/air-station.md``, between its marks; the rest of the page is written by hand."""

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.recorded import Gap, Truth

NAMES = {"embedded": "embedded", "city-wide": "city-wide"}
SERVERS = {"mosquitto", "kafka", "database"}


def write_page(path: Path, truth: Truth, found: Mapping[str, Any]) -> None:
    """Replace what stands between ``<!-- name -->`` and ``<!-- /name -->`` for every part."""
    page = path.read_text(encoding="utf-8")
    parts = {"figures": _figures(truth, found), "ledger": _ledger(found), "gaps": _gaps(truth), "sums": _sums(found)}
    for name, text in parts.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        page, count = pattern.subn(lambda m, text=text: f"{m[1]}{text}\n{m[2]}", page)
        if count != 1:
            raise RuntimeError(f"{path} has no marks <!-- {name} --> and <!-- /{name} -->")
    path.write_text(page, encoding="utf-8")


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _figures(truth: Truth, found: Mapping[str, Any]) -> str:
    n = truth.readings
    rows: list[list[str]] = []

    def row(name: str, of: Any) -> None:
        rows.append([name, *(of(run) for run in found.values())])

    row("database", lambda r: r["database"])
    row("played: rows, messages", lambda r: f"{r['play']['rows']:,}, {r['play']['messages']:,}")
    row("broker has taken the file after", lambda r: _rate(r["play"]["seconds"], n))
    row("all stored, ledger at rest after", lambda r: _rate(r["stored_s"], n))
    row("all alarms there after", lambda r: f"{r['alarms_s']} s")
    row("hours and days rolled up after", lambda r: f"{r['rollups_s']} s")
    row("CPU of `citynerve play`", lambda r: _cpu(r["play"]["cpu_s"], n))
    for role in ("ingest", "store", "detect", "desk", "api"):
        row(f"CPU of {role}", lambda r, role=role: _cpu(r["cpu_s"].get(role, 0.0), n))
    for server in ("database", "mosquitto", "kafka"):
        name = "the database's sessions" if server == "database" else server
        row(f"CPU of {name}", lambda r, s=server: _cpu(r["cpu_s"][s], n) if s in r["cpu_s"] else "–")
    for part, name in (("readings", "readings, with their key"), ("hours", "hours"), ("days", "days"), ("log", "log")):
        row(f"on disk: {name}", lambda r, part=part: _bytes(r, part, n))
    cores = len(os.sched_getaffinity(0))
    told = f"{platform.machine()}, {cores} cores that other work shares, Python {platform.python_version()}."
    return _table(["", *(NAMES[name] for name in found)], rows) + f"\n\n{told}"


def _rate(seconds: float, readings: int) -> str:
    return f"{seconds} s ({readings / seconds / 1000:,.0f}k readings/s)"


def _cpu(seconds: float, readings: int) -> str:
    return f"{seconds:.1f} s ({seconds / readings * 1e6:.1f} µs a reading)"


def _bytes(run: Mapping[str, Any], part: str, readings: int) -> str:
    text = f"{run['bytes'][part] / 2**20:.1f} MB"
    if part in ("readings", "log"):
        text += f" ({run['bytes'][part] / readings:.0f} bytes a reading)"
    if part == "readings" and "bytes_compressed" in run:
        compressed = run["bytes_compressed"][part]
        text += f"; compressed {compressed / 2**20:.1f} MB ({compressed / readings:.0f})"
    return text


def _ledger(found: Mapping[str, Any]) -> str:
    names = list(next(iter(found.values()))["ledger"])
    rows = [[NAMES[engine], *(f"{run['ledger'][name]:,}" for name in names)] for engine, run in found.items()]
    return _table(["", *(name.replace("_", " ") for name in names)], rows)


def _gaps(truth: Truth) -> str:
    false = set(truth.gaps_as_filed) - set(truth.gaps)
    rows = [_gap(gap, "yes", "yes") for gap in truth.gaps]
    rows += [_gap(gap, "no", "yes") for gap in sorted(false)]
    rows.sort(key=lambda row: row[0])
    return _table(["first hour missing", "first hour again", "missing hours", "by time", "as filed"], rows)


def _gap(gap: Gap, by_time: str, as_filed: str) -> list[str]:
    return [f"{gap.start:%Y-%m-%d %H:%M}", f"{gap.end:%Y-%m-%d %H:%M}", str(gap.hours), by_time, as_filed]


def _sums(found: Mapping[str, Any]) -> str:
    rows = [
        [NAMES[engine], name, *(f"{compared[key]:,}" for key in compared)]
        for engine, run in found.items()
        for name, compared in run["compared"].items()
    ]
    return _table(["engines", "", "rows of the file", "rows of the city", "only in the file", "only in the city"], rows)
