"""How time and memory of detection grow with the number of series, as figures and as a picture."""

import resource
import time
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import pyplot as plt

from anomaly.detector import DetectStage
from bench.detection_city import mixed, opened, quarter, state_bytes, tick
from bench.result import Result

SIZES = (1_000, 10_000, 100_000, 1_000_000)
ROUNDS = 1
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "detection-growth.png"


def growth() -> list[Result]:
    """Measure a quarter of an hour of cities of 10³ to 10⁶ series."""
    seconds, megabytes = [], []
    for size in SIZES:
        spent, held = _one(size)
        seconds.append(spent)
        megabytes.append(held)
    slopes = np.diff(np.log10(seconds)) / np.diff(np.log10(SIZES))
    memory_slope = float(np.polyfit(np.log10(SIZES), np.log10(megabytes), 1)[0])
    _draw(seconds, megabytes)
    each = ", ".join(f"{size}: {s:.3g} s, {m:.3g} MB" for size, s, m in zip(SIZES, seconds, megabytes, strict=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        Result(
            "detect.growth.time", float(slopes.max()), "exponent", wanted="1",
            note="the steepest between two sizes next to each other, of the CPU time that a quarter of an hour takes at"
            " night, in which each series speaks once and time passes each ten seconds (small cities pay for that"
            f" alone), and memory of state: {each}. Exponents: {', '.join(f'{slope:.2f}' for slope in slopes)}. See"
            " [the picture](detection-growth.png)",
        ),
        Result(
            "detect.growth.memory", memory_slope, "exponent", wanted="1",
            note=f"the whole process took {peak:.0f} MB at most, what it is fed with included",
        ),
    ]  # fmt: skip


def _one(size: int) -> tuple[float, float]:
    """Return CPU seconds that a quarter of an hour of a city costs, once it is known, and megabytes of state."""
    city, stage = mixed(size), DetectStage(1)
    state = opened(stage, city)
    spent = []
    for number in range(1 + ROUNDS):
        spent.append(0.0)
        for now, made in quarter(city, number):
            began = time.process_time()
            stage.step(state, [*made, tick(now)])
            spent[-1] += time.process_time() - began
    return float(np.median(spent[1:])), state_bytes(state) / 1e6


def _draw(seconds: list[float], megabytes: list[float]) -> None:
    matplotlib.use("Agg")
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for panel, values, label in zip(
        panels, (seconds, megabytes), ("CPU seconds for a quarter of an hour", "MB of state"), strict=True
    ):
        panel.loglog(SIZES, values, "o-", color="#1f5fa8", label="measured")
        panel.loglog(SIZES, [values[-1] * size / SIZES[-1] for size in SIZES], ":", color="#777777", label="linear")
        panel.set_xlabel("series")
        panel.set_ylabel(label)
        panel.grid(alpha=0.3)
        panel.legend()
    figure.savefig(PICTURE, dpi=110, metadata={"Software": None})
    plt.close(figure)
