"""A recorded fleet as files: one cabinet with two feeders, some nights, faults where a test wants them."""

import csv
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from city.clock import DAY_US, MINUTE_US, SECOND_US, from_datetime, isoformat
from city.lighting import LightingSchedule

START = from_datetime(datetime(2026, 11, 23, 12, tzinfo=UTC))
LAT, LON = 43.54, -5.66
SUN = LightingSchedule("sun", LAT, LON, -0.833)
RATED_W = 40.0
ASSETS = ("asset", "kind", "lat", "lon", "feeder", "phase", "cabinet", "gateway", "lamp_type", "rated_w",
          "switching", "report_interval_s")  # fmt: skip
READINGS = ("asset", "metric", "observed_at", "received_at", "value")
LABELS = ("asset", "fault", "onset", "end")

Behaviour = Callable[[str, int, bool], float | None]
Row = Sequence[object]


def healthy(_lamp: str, _at: int, on: bool) -> float | None:
    return RATED_W if on else 0.4


@dataclass(frozen=True)
class Files:
    assets: Path
    readings: Path
    labels: Path


def lamps() -> list[tuple[str, str, str]]:
    """Return lamp, feeder and switching."""
    return [
        (f"F{f}-L{n}", f"F{f}", switching) for f, switching in enumerate(("permanent", "switched")) for n in range(6)
    ]


def asset_rows() -> list[Row]:
    return [
        (lamp, "lamp", LAT, LON, feeder, "RST"[i % 3], "C1", "G1", "led", RATED_W, switching, 900)
        for i, (lamp, feeder, switching) in enumerate(lamps())
    ]


def reading_rows(behaviour: Behaviour = healthy, days: float = 3) -> list[Row]:
    rows: list[Row] = []
    for at in range(START, START + int(days * DAY_US), 15 * MINUTE_US):
        on = SUN.commanded_on(at)
        for lamp, _, switching in lamps():
            watts = behaviour(lamp, at, on)
            if watts is None or (switching == "switched" and not on):
                continue
            times = (isoformat(at), isoformat(at + 2 * SECOND_US))
            rows.append((lamp, "active_power_w", *times, watts))
            rows.append((lamp, "dimming_level_pct", *times, 100 if on else 0))
    return rows


def write(path: Path, header: Sequence[str], rows: Sequence[Row]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def write_fleet(
    folder: Path,
    behaviour: Behaviour = healthy,
    labels: Sequence[Row] = (),
    *,
    days: float = 3,
    shuffled: int | None = None,
) -> Files:
    """Write the three files; rows of the readings in random order where a seed is given."""
    rows = reading_rows(behaviour, days)
    if shuffled is not None:
        random.Random(shuffled).shuffle(rows)
    folder.mkdir(exist_ok=True)
    return Files(
        write(folder / "assets.csv", ASSETS, asset_rows()),
        write(folder / "readings.csv", READINGS, rows),
        write(folder / "labels.csv", LABELS, labels),
    )
