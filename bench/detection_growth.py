"""How time and memory of detection grow with the number of series, as figures and as a picture."""

import resource
import time
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import pyplot as plt

from anomaly.detector import DetectStage
from bench.detection_city import mixed, opened, records, state_bytes, tick
from bench.result import Result

SIZES = (1_000, 10_000, 100_000, 1_000_000)
RECORDS_A_TICK = 25
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "detection-growth.png"


def growth() -> list[Result]:
    """Measure cities of 10³ to 10⁶ series; each of them speaks at least twice."""
    seconds, megabytes = [], []
    for size in SIZES:
        spent, held = _one(size)
        seconds.append(spent)
        megabytes.append(held)
    time_slope = float(np.polyfit(np.log10(SIZES), np.log10(seconds), 1)[0])
    memory_slope = float(np.polyfit(np.log10(SIZES), np.log10(megabytes), 1)[0])
    _draw(seconds, megabytes)
    each = ", ".join(f"{size}: {s:.3g} s, {m:.3g} MB" for size, s, m in zip(SIZES, seconds, megabytes, strict=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        Result(
            "detect.growth.time", time_slope, "exponent", wanted="1",
            note=f"CPU for one reading of each series, a city's mix, and memory of its state: {each}. See"
            " [the picture](detection-growth.png)",
        ),
        Result(
            "detect.growth.memory", memory_slope, "exponent", wanted="1",
            note=f"the whole process took {peak:.0f} MB at most, what it is fed with included",
        ),
    ]  # fmt: skip


def _one(size: int) -> tuple[float, float]:
    """Return CPU seconds that one reading of each series costs, and megabytes of state."""
    city, stage = mixed(size), DetectStage(1)
    state = opened(stage, city)
    spent, rows, waiting = 0.0, 0, []
    for number, record in enumerate(records(city, max(400_000, 2 * size))):
        waiting.append(record)
        if len(waiting) == RECORDS_A_TICK:
            began = time.process_time()
            stage.step(state, [*waiting, tick(record.at_us)])
            if number >= 2 * RECORDS_A_TICK:
                spent += time.process_time() - began
                rows += 4_000 * len(waiting)
            waiting = []
    return spent / rows * city.series, state_bytes(state) / 1e6


def _draw(seconds: list[float], megabytes: list[float]) -> None:
    matplotlib.use("Agg")
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for panel, values, label in zip(
        panels, (seconds, megabytes), ("CPU seconds for a reading of each", "MB of state"), strict=True
    ):
        panel.loglog(SIZES, values, "o-", color="#1f5fa8", label="measured")
        panel.loglog(SIZES, [values[-1] * size / SIZES[-1] for size in SIZES], ":", color="#777777", label="linear")
        panel.set_xlabel("series")
        panel.set_ylabel(label)
        panel.grid(alpha=0.3)
        panel.legend()
    figure.savefig(PICTURE, dpi=110, metadata={"Software": None})
    plt.close(figure)
