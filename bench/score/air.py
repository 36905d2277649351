"""Ten years of a real air station through statistics: what each channel reports, in which year, and the pictures.

Nobody labelled the file. What is counted are reports a channel and year; whether they can be defended is for eyes, so
``python -m bench.score.air --plots FOLDER`` draws each of them with its week before and after.
"""

import argparse
import csv
import logging
import lzma
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from anomaly.statistics.cells import hours_of_week
from anomaly.statistics.layout import CHANNELS
from bench.result import Result
from bench.score.turns import Report, play
from city.clock import DAY_US, HOUR_US, to_datetime

FILE = Path(__file__).resolve().parents[3] / "shared/data/gijon/gijon_aire_constitucion_horario_2008_2017.csv.xz"
ZONE = "Europe/Madrid"
SAMPLE = Path(__file__).resolve().parents[2] / "docs" / "air-reports.png"
PER_PAGE = 12
PAGE = Path(__file__).resolve().parents[2] / "docs" / "air-station.md"
AROUND_US = 10 * DAY_US
_BEGIN, _END = "<!-- reports -->", "<!-- /reports -->"

logger = logging.getLogger("bench")


@dataclass(frozen=True, slots=True)
class Station:
    """The file in the order of time; of an hour that stands twice the first row counts."""

    channels: tuple[str, ...]
    at: NDArray[np.int64]
    values: NDArray[np.float64]


def read(file: Path = FILE) -> Station:
    """Read the city's file."""
    with lzma.open(file, "rt", encoding="utf-8") as text:
        rows = csv.reader(text)
        channels = tuple(next(rows)[1:])
        found: dict[int, list[float]] = {}
        for when, *values in rows:
            if any(values):
                at = int(np.datetime64(when, "us").astype(np.int64))
                found.setdefault(at, [float(one) if one else np.nan for one in values])
    at = np.array(sorted(found), np.int64)
    return Station(channels, at, np.array([found[one] for one in at.tolist()]))


def reports(station: Station) -> list[Report]:
    """Return what opens, each channel by itself; production tells one at a time of a station."""
    return play(station.at, hours_of_week(station.at, ZONE), station.values)


def run() -> list[dict[str, Any]]:
    """Count and list what is reported, draw a sample; nothing where the file does not lie beside the project."""
    if not FILE.exists():
        logger.info("  skipped: the air station's file is not at ../shared")
        return []
    station = read()
    found = reports(station)
    text = PAGE.read_text(encoding="utf-8")
    head, rest = text.split(_BEGIN)
    PAGE.write_text(head + _BEGIN + "\n" + _table(station, found) + _END + rest.split(_END)[1], encoding="utf-8")
    _page(station, found[:: -(-len(found) // PER_PAGE)], SAMPLE)
    years = float(np.isfinite(station.values).sum()) * HOUR_US / (365.25 * DAY_US)
    by_year = Counter((one.series, _when(station, one).year) for one in found)
    most, (series, year) = max((count, which) for which, count in by_year.items())
    stuck = sum(CHANNELS[one.channel] == "stuck" for one in found)
    note = (
        f"{len(found)} reports in {years:.0f} channel-years with readings, {stuck} of them stuck runs;"
        f" the most of one channel in one year {most} ({station.channels[series]}, {year});"
        " listed in docs/air-station.md"
    )
    return [Result("score.air.reports", len(found) / years, "a channel-year", note=note, wanted="≤ 2").plain()]


def _when(station: Station, one: Report) -> Any:
    return to_datetime(int(station.at[one.opened]))


def _table(station: Station, found: Sequence[Report]) -> str:
    lines = ["| channel | reports: day told, what weighed most, nats |", "| --- | --- |"]
    for series, name in enumerate(station.channels):
        mine = [one for one in found if one.series == series]
        said = [f"{_when(station, one):%Y-%m-%d} {CHANNELS[one.channel]} {one.score:.0f}" for one in mine]
        lines.append(f"| {name} | {'; '.join(said) or '–'} |")
    return "\n".join(lines) + "\n"


def draw(station: Station, found: Sequence[Report], folder: Path) -> list[Path]:
    """Draw every report with ten days before and after, and return the pages."""
    pages = []
    for first in range(0, len(found), PER_PAGE):
        pages.append(folder / f"air-{first // PER_PAGE:02}.png")
        _page(station, found[first : first + PER_PAGE], pages[-1])
    return pages


def _page(station: Station, some: Sequence[Report], path: Path) -> None:
    with mpl.rc_context({"font.size": 7}):
        figure = Figure(figsize=(13, 10), layout="constrained")
        for place, one in enumerate(some):
            _panel(figure.add_subplot(4, 3, place + 1), station, one)
        figure.savefig(path, dpi=80, metadata={"Software": None})


def _panel(axes: Axes, station: Station, one: Report) -> None:
    opened = int(station.at[one.opened])
    near = np.abs(station.at - opened) <= AROUND_US
    values = station.values[near, one.series]
    axes.plot((station.at[near] - opened) / DAY_US, values, linewidth=0.7, marker=".", markersize=1.5)
    axes.axvline(0.0, color="#d9822b", linewidth=1)
    title = f"{station.channels[one.series]} {_when(station, one):%Y-%m-%d %H} {CHANNELS[one.channel]} {one.score:.1f}"
    axes.set_title(title, loc="left")


def main() -> None:
    """List what is reported, and draw it if wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=FILE)
    parser.add_argument("--plots", type=Path, help="a folder for pictures of every report")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    station = read(given.file)
    found = reports(station)
    logger.info("%s", _table(station, found))
    if given.plots:
        given.plots.mkdir(parents=True, exist_ok=True)
        for path in draw(station, found, given.plots):
            logger.info("%s", path)


if __name__ == "__main__":
    main()
