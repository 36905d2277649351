"""NAB's files as columns, and what statistics say of them: the kernel that judges the city, nothing made for NAB."""

import importlib.util
import tarfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly.statistics import kernels
from anomaly.statistics.cells import hours_of_week
from anomaly.statistics.layout import STATE
from anomaly.statistics.parameters import Parameters

SHARED = Path(__file__).resolve().parents[3] / "shared"
ARCHIVE = SHARED / "data" / "nab.tar.xz"
SCORER = SHARED / "tools" / "nab_score.py"


@dataclass(slots=True)
class Corpus:
    """All files one after the other; of file ``f``, ``windows[f]`` labelled and ``scored[f]`` of them after probation.

    Attributes
    ----------
    unit : float64[n]
        NAB's weight of a row, before the profile's: positive in a window, negative outside.
    window : int64[n]
        Number of the window, -1 outside.
    counts : bool[n]
        False in the probationary part.
    """

    scorer: Any
    names: list[str]
    file: NDArray[np.int32]
    observed_at: NDArray[np.int64]
    cell: NDArray[np.int16]
    value: NDArray[np.float64]
    unit: NDArray[np.float64]
    window: NDArray[np.int64]
    counts: NDArray[np.bool_]
    windows: NDArray[np.int64]
    scored: NDArray[np.int64]

    @property
    def categories(self) -> NDArray[np.str_]:
        return np.array([name.split("/")[0] for name in self.names])


def available() -> bool:
    """Tell whether NAB's data and its scorer lie beside the project."""
    return ARCHIVE.exists() and SCORER.exists()


def load(folder: Path) -> Corpus:
    """Unpack NAB into a folder and read it. Its files tell no time zone: theirs is the season's."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    spec = importlib.util.spec_from_file_location("nab_score", SCORER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with warnings.catch_warnings():
        # The scorer leaves closing its files to the interpreter.
        warnings.simplefilter("ignore", ResourceWarning)
        scorer = module.Corpus(str(folder))
    parts = [scorer.data[name] for name in scorer.files]
    observed_at = np.concatenate([part["ts"].astype("datetime64[us]").astype(np.int64) for part in parts])
    return Corpus(
        scorer=scorer,
        names=list(scorer.files),
        file=np.repeat(np.arange(len(parts)), [part["n"] for part in parts]).astype(np.int32),
        observed_at=observed_at,
        cell=hours_of_week(observed_at, "UTC"),
        value=np.concatenate([part["value"] for part in parts]),
        unit=np.concatenate([part["unit"] for part in parts]),
        window=np.concatenate([part["wid"] for part in parts]),
        counts=np.concatenate([part["scored"] for part in parts]),
        windows=np.array([len(scorer.windows[name]) for name in scorer.files]),
        scored=np.array([len(part["wids"]) for part in parts]),
    )


def news(corpus: Corpus, parameters: Parameters) -> NDArray[np.float32]:
    """Return what the kernel says is news, reading by reading, each file a series that was never heard before."""
    n = len(corpus.value)
    out = np.zeros(n, np.float32), np.zeros(n, np.float32), np.zeros(n, np.uint8), np.zeros(n, np.float32)
    states = np.zeros(len(corpus.names), STATE)
    kernels.score_rows(corpus.file, corpus.observed_at, corpus.cell, corpus.value, states, parameters.row(), *out)
    return out[1]


def reference(corpus: Corpus, found: NDArray[np.float32]) -> dict[str, Any]:
    """Return what ``nab_score.py`` itself reports of the same news, brought into [0, 1] in the same order."""
    share = found.astype(np.float64) / (1.0 + found.astype(np.float64))
    scores = {name: share[corpus.file == number] for number, name in enumerate(corpus.names)}
    report: dict[str, Any] = corpus.scorer.score(scores)
    return report
