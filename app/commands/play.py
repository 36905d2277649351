"""`citynerve play`: a recorded file through the real door."""

import asyncio
from pathlib import Path
from typing import Any

from anomaly.replay import Progress
from app import wiring
from app.settings import Settings
from city.clock import Clock, isoformat
from sim.play import PlayOptions, PlayReport
from sim.play import play as run_play
from sim.playmap import read_map


def play(settings: Settings, file: Path, mapping: Path, speed: float, progress: Progress) -> dict[str, Any]:
    """Play `file` and return what was sent and what was wrong with it."""
    play_map = read_map(mapping)
    options = PlayOptions(settings.mqtt_url or settings.house_broker_url, speed, ca_file=str(settings.mqtt_ca or ""))
    report = run_play(
        file,
        play_map,
        options,
        progress=lambda so_far: progress(so_far.rows, 0),
        clock=asyncio.run(_read_clock(settings)),
    )
    return _told(report)


def _told(report: PlayReport) -> dict[str, Any]:
    return {
        "rows": report.rows,
        "readings": report.readings,
        "messages": report.messages,
        "seconds": round(report.seconds, 1),
        "first": None if report.first_us is None else isoformat(report.first_us),
        "last": None if report.last_us is None else isoformat(report.last_us),
        "complete": report.complete,
        "bad_rows": report.bad.count,
        "mistakes": [f"line {line}: {text}" for line, text in report.bad.noted],
    }


async def _read_clock(settings: Settings) -> Clock:
    async with wiring.pool(wiring.database_url(settings), size=1) as pool:
        return await wiring.clock(pool)
