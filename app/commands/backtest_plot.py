"""Draws what a backtest found: how much of each fault, how late, and how many tickets were false."""

from pathlib import Path
from typing import Any

from anomaly.backtest import figures
from anomaly.backtest.matching import Verdict
from city.errors import SettingsError

_FOUND, _MISSED, _FALSE = "#2b6cb0", "#d0d7de", "#c0392b"


def draw(path: Path, answer: dict[str, Any], verdict: Verdict) -> None:
    """Write a picture; its ending says of which kind.

    Raises
    ------
    SettingsError
        The file cannot be written, or has an ending that no picture has.
    """
    # Loaded for this alone: it takes longer than a small backtest.
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    faults = [row for row in answer["faults"] if row["observable"] or row["false"]]
    names = [row["fault"] for row in faults]
    delays = figures.delays_h(verdict.found)
    figure, (found, late, wrong) = pyplot.subplots(
        1, 3, figsize=(13, 1.6 + 0.32 * max(len(names), 1)), sharey=True, layout="constrained"
    )
    places = range(len(names))
    found.barh(places, [1.0 if row["observable"] else 0.0 for row in faults], color=_MISSED)
    found.barh(places, [row["share"] or 0.0 for row in faults], color=_FOUND)
    for place, row in enumerate(faults):
        found.text(0.01, place, f"{row['found']} of {row['observable']}", va="center", fontsize=7)
    found.set(yticks=list(places), yticklabels=names, xlim=(0, 1), title="found", xlabel="share of observable labels")
    told = [(place, delays[name]) for place, name in enumerate(names) if name in delays]
    if told:
        late.boxplot(
            [hours for _, hours in told], positions=[place for place, _ in told], orientation="horizontal",
            showfliers=False, manage_ticks=False,
        )  # fmt: skip
    late.set(title="delay", xlabel="hours from the first reading that could show it")
    wrong.barh(places, [row["false"] for row in faults], color=_FALSE)
    wrong.set(title="false tickets", xlabel=f"tickets in {answer['lamp_years']:g} lamp-years")
    found.invert_yaxis()
    try:
        figure.savefig(path, dpi=130)
    except (OSError, ValueError) as exc:
        raise SettingsError(
            f"{path} cannot be written ({exc}): name a .png, .svg or .pdf in a folder of yours"
        ) from exc
    finally:
        pyplot.close(figure)
