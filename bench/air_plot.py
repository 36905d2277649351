"""Draws ten years of the air station from what the city keeps: daily means, silences, and the hour told twice."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from storage import queries
from tests.support.recorded import STATION, Gap, Recorded, Truth

_SQL = queries.load(Path(__file__).with_name("air_station.sql"))
INK, QUIET, SILENT, TWICE = "#333333", "#8a8a8a", "#d9822b", "#7a4fa3"
SMOOTH_DAYS = 30


class Channel(NamedTuple):
    """A panel of the plot."""

    metric: str
    name: str
    colour: str


CHANNELS = (
    Channel("no2_ug_m3", "NO₂", "#2f6f9f"),
    Channel("pm10_ug_m3", "PM10", "#6b6b4f"),
    Channel("o3_ug_m3", "O₃", "#2e8b74"),
)


def draw(recorded: Recorded, truth: Truth, path: Path) -> None:
    """Write the picture to `path`."""
    style = {"font.family": "DejaVu Sans", "font.size": 9, "axes.edgecolor": QUIET, "text.color": INK}
    style |= {"axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK}
    with mpl.rc_context(style):
        figure = Figure(figsize=(12, 9.2), layout="constrained")
        grid = figure.add_gridspec(4, 2, height_ratios=[1, 1, 1, 1.15])
        panels = [figure.add_subplot(grid[0, :])]
        panels += [figure.add_subplot(grid[row, :], sharex=panels[0]) for row in (1, 2)]
        _years(panels, recorded, truth.gaps)
        longest = max(truth.gaps, key=lambda gap: gap.hours)
        _silence(figure.add_subplot(grid[3, 0]), recorded, longest)
        _twice(figure.add_subplot(grid[3, 1]), recorded)
        figure.suptitle(
            f"Air station Constitución, Gijón, {truth.first.year}–{truth.last.year}: as stored after `citynerve play`",
            x=0.012,
            ha="left",
            fontsize=12,
            fontweight="bold",
        )
        figure.savefig(path, dpi=120, metadata={"Software": None})


def _years(panels: list[Axes], recorded: Recorded, gaps: tuple[Gap, ...]) -> None:
    rows = recorded.rows(_SQL.daily, device=STATION, metrics=[c.metric for c in CHANNELS])
    for axes, channel in zip(panels, CHANNELS, strict=True):
        days, means = _column(rows, channel.metric)
        _tidy(axes)
        axes.plot(days, means, color=channel.colour, alpha=0.35, linewidth=0.6)
        axes.plot(days, _smooth(means), color=channel.colour, linewidth=1.7)
        axes.set_ylim(0, float(np.nanpercentile(means, 99.8)) * 1.12)
        axes.set_ylabel(f"{channel.name}  µg/m³")
        for gap in gaps:
            # A day is a third of a pixel here: no silence is drawn thinner than one can see.
            middle, half = gap.start + (gap.end - gap.start) / 2, max(gap.end - gap.start, timedelta(days=8)) / 2
            axes.axvspan(_x(middle - half), _x(middle + half), color=SILENT, alpha=0.5, linewidth=0)
        axes.tick_params(labelbottom=axes is panels[-1])
    panels[0].set_xlim(_x(rows[0][1]) - 20, _x(max(row[1] for row in rows)) + 20)
    panels[-1].xaxis.set_major_locator(dates.YearLocator())
    panels[-1].xaxis.set_major_formatter(dates.DateFormatter("%Y"))
    _label_gaps(panels[0], gaps)
    twice = sorted({row[1] for row in recorded.rows(_SQL.conflicting)})
    for axes in panels:
        axes.axvline(_x(twice[0]), color=TWICE, linewidth=1.1, linestyle=(0, (4, 3)))
    top = panels[0].get_xaxis_transform()
    panels[0].text(_x(twice[0]), 1.14, "an hour told twice", transform=top, color=TWICE, ha="center", fontsize=8)
    panels[0].set_title(
        f"Daily means (thin) and their {SMOOTH_DAYS}-day mean (thick); orange: communication failures and their hours",
        loc="left",
        fontsize=9,
        pad=36,
    )


def _label_gaps(axes: Axes, gaps: tuple[Gap, ...]) -> None:
    """Write the hours above; a label too near to the one before goes up a step."""
    before, step = -1e9, 0
    for gap in gaps:
        at = _x(gap.start)
        step = 1 - step if at - before < 90 else 0
        before = at
        text = f"{gap.hours} h"
        axes.text(
            at, 1.03 + 0.11 * step, text, transform=axes.get_xaxis_transform(), ha="center", fontsize=8, color="#a65d12"
        )


def _silence(axes: Axes, recorded: Recorded, gap: Gap) -> None:
    """Show where the longest silence begins and ends, by the channels that reported in each hour."""
    since, until = gap.start - timedelta(days=2), gap.end + timedelta(days=2)
    rows = recorded.rows(_SQL.channels, device=STATION, since=since, until=until)
    _tidy(axes)
    axes.bar([_x(at) for at, _ in rows], [count for _, count in rows], width=1 / 24, color="#7f9db5", linewidth=0)
    axes.axvspan(_x(gap.start), _x(gap.end), color=SILENT, alpha=0.25, linewidth=0)
    told = f"communication failure\n{gap.start:%d %B %H:%M} to {gap.end:%d %B %H:%M}\n{gap.hours} missing hours"
    axes.text(_x(gap.start + (gap.end - gap.start) / 2), 14, told, ha="center", va="center", fontsize=8.5)
    axes.set_ylim(0, 17.5)
    axes.set_yticks([0, 5, 10, 17])
    axes.set_xlim(_x(since), _x(until))
    axes.xaxis.set_major_locator(dates.DayLocator(interval=2))
    axes.xaxis.set_major_formatter(dates.DateFormatter("%d %b"))
    axes.set_ylabel("channels")
    axes.set_title(
        f"The longest silence: channels that reported in each hour, {gap.start.year} (UTC)", loc="left", fontsize=9
    )


def _twice(axes: Axes, recorded: Recorded) -> None:
    """Show the hour that stands twice in the file: the value that was kept and the one that was set aside."""
    aside = {metric: (at, value) for metric, at, value in recorded.rows(_SQL.conflicting)}
    _tidy(axes)
    for channel in CHANNELS:
        if channel.metric not in aside:
            continue
        at, other = aside[channel.metric]
        span = {"since": at - timedelta(hours=9), "until": at + timedelta(hours=9)}
        rows = recorded.rows(_SQL.hourly, device=STATION, metric=channel.metric, **span)
        axes.plot([_x(t) for t, _ in rows], [v for _, v in rows], color=channel.colour, linewidth=1.2, marker="o", ms=3)
        axes.text(_x(rows[-1][0]) + 0.012, rows[-1][1], channel.name, color=channel.colour, va="center")
        (kept,) = [value for t, value in rows if t == at]
        axes.plot([_x(at), _x(at)], [kept, other], color=TWICE, linewidth=1, linestyle=(0, (2, 2)))
        axes.plot([_x(at)], [kept], "o", color=channel.colour, ms=6)
        axes.plot([_x(at)], [other], "D", color="white", markeredgecolor=TWICE, ms=6)
    first = next(iter(aside.values()))[0]
    axes.plot([], [], "o", color=QUIET, ms=6, label="kept: first in the file")
    axes.plot([], [], "D", color="white", markeredgecolor=TWICE, ms=6, label="kept aside as conflicting")
    axes.legend(loc="upper left", frameon=False, fontsize=8)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.3)
    axes.set_xlim(right=axes.get_xlim()[1] + 0.06)
    axes.xaxis.set_major_locator(dates.HourLocator(byhour=range(0, 24, 3)))
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))
    axes.set_ylabel("µg/m³")
    axes.set_title(
        f"The hour told twice: {first:%d %B %Y, %H:%M} UTC, {len(aside)} of 17 channels differ", loc="left", fontsize=9
    )


def _column(rows: list[tuple[Any, ...]], metric: str) -> tuple[list[float], np.ndarray]:
    """Return one metric's days and means; days without any are NaN, so that no line bridges them."""
    found = {at.date(): mean for name, at, mean in rows if name == metric}
    first, last = min(found), max(found)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [float(dates.date2num(day)) for day in days], np.array([found.get(day, np.nan) for day in days])


def _smooth(means: np.ndarray) -> np.ndarray:
    """Return the centred mean of the days that are there; NaN where fewer than half are."""
    window = np.ones(SMOOTH_DAYS)
    there = ~np.isnan(means)
    count = np.convolve(there, window, mode="same")
    total = np.convolve(np.where(there, means, 0.0), window, mode="same")
    return np.where(count >= SMOOTH_DAYS / 2, total / np.maximum(count, 1), np.nan)


def _x(at: datetime) -> float:
    return float(dates.date2num(at))


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=3)
