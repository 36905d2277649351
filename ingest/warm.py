"""Compiles ingest's kernels into Numba's cache: once, before workers start, for it takes one writer at a time."""

import numpy as np

from city.registry import IngestRegistry, KnownDevice, SeriesTarget
from city.topics import readings_topic
from ingest import scan
from ingest.door import Door
from ingest.intake import COLUMNS, Intake
from ingest.message import Message
from ingest.meta import FlushOptions


def warm() -> None:
    """Call every kernel with the types that ingest uses."""
    nothing = np.zeros(0, np.uint8)
    frames = np.zeros((1, COLUMNS), np.int64)
    scan.scan_frames(np.zeros(4, np.uint8), 0, 0, False, nothing, nothing, frames, 0, 1)
    registry = IngestRegistry({"G": 0}, {"D": KnownDevice("D", "G", {"m": SeriesTarget(0, 0, 0.0, 1.0)})}, 0)
    intake = Intake.of([Message(readings_topic("G"), b'{"device":"D","n":0,"m":0.5}', 0, 0, 0)])
    Door(registry).speakers(intake)
    flush = Door(registry).read(intake, 0, FlushOptions(1, 1, 1 << 20))
    assert not flush.left
    flush.records()
