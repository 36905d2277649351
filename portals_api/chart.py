"""Line charts as SVG, drawn here so that they need no script; colours come from the style sheet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from city.clock import DAY_US
from portals_api.i18n import Words

WIDTH, HEIGHT = 640, 212
_GAP_STEPS = 4
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 8, 34, 30
_SPARK_WIDTH, _SPARK_HEIGHT = 240, 56
_TICKS = 3
_LONG_US = 60 * DAY_US
"""Longer than this, the axis shows days instead of hours."""

Point = tuple[int, float]
"""µs UTC and value."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a chart shows around its line.

    Attributes
    ----------
    start_us, end_us : int
        µs UTC.
    usual : float
        The scale reaches at least to here, so that next to nothing looks like next to nothing.
    from_zero : bool
        False for what has no natural zero: a voltage, a pressure, a temperature.
    expected : sequence of (int, int, float)
        From when until when which value was to be seen: drawn as dashed lines.
    bands : sequence of (int, int)
        Periods to shade: when the lamp was commanded on.
    marks : sequence of int
        Moments to mark with an upright line.
    spread : sequence of (int, float, float)
        Least and greatest value around each point.
    """

    start_us: int
    end_us: int
    unit: str
    title: str
    usual: float = 0.0
    from_zero: bool = True
    expected: Sequence[tuple[int, int, float]] = ()
    bands: Sequence[tuple[int, int]] = ()
    marks: Sequence[int] = ()
    spread: Sequence[tuple[int, float, float]] = ()


@dataclass(frozen=True, slots=True)
class _Scale:
    """Places of a chart: values to pixels."""

    frame: Frame
    ticks: tuple[float, ...]
    low: float
    high: float

    def x(self, at: int) -> float:
        start, end = self.frame.start_us, self.frame.end_us
        share = (min(max(at, start), end) - start) / max(end - start, 1)
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.low) / max(self.high - self.low, 1e-9)
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)


def line_chart(points: Sequence[Point], frame: Frame, words: Words) -> Markup:
    """Return an SVG of values over time; a silence is no straight line."""
    scale = _scale(points, frame)
    parts = [
        Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>').format(
            WIDTH, HEIGHT, frame.title, frame.title
        ),
        *_behind(scale, words),
        *_spread(scale),
    ]
    for stretch in _stretches(points):
        path = " ".join(f"{scale.x(at)},{scale.y(value)}" for at, value in stretch)
        parts.append(Markup('<polyline class="line" points="{}"/>').format(path))
    if points:
        last_at, last = points[-1]
        parts.append(Markup('<circle class="dot" cx="{}" cy="{}" r="3"/>').format(scale.x(last_at), scale.y(last)))
    parts.append(Markup('<text x="{}" y="{}" class="end">{}</text></svg>').format(_LEFT - 6, 15, frame.unit))
    return Markup("").join(parts)


def sparkline(points: Sequence[Point], title: str) -> Markup:
    """Return a small chart without axes, for a card that names its values in words."""
    if not points:
        return Markup("")
    values = [value for _, value in points]
    low, high = min(values), max(values)
    start, end = points[0][0], points[-1][0]

    def at(point: Point) -> str:
        x = 2 + (point[0] - start) / max(end - start, 1) * (_SPARK_WIDTH - 4)
        y = _SPARK_HEIGHT - 4 - (point[1] - low) / max(high - low, 1e-9) * (_SPARK_HEIGHT - 8)
        return f"{x:.1f},{y:.1f}"

    lines = Markup("").join(
        Markup('<polyline class="line" points="{}"/>').format(" ".join(map(at, stretch)))
        for stretch in _stretches(points)
    )
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" role="img" aria-label="{}" preserveAspectRatio="none">{}</svg>'
    ).format(_SPARK_WIDTH, _SPARK_HEIGHT, title, lines)


def _scale(points: Sequence[Point], frame: Frame) -> _Scale:
    values = [value for _, value in points]
    values += [low for _, low, _ in frame.spread] + [high for _, _, high in frame.spread]
    if frame.from_zero or not values:
        values += [0.0, frame.usual]
    ticks = _ticks(min(values), max(values))
    low, high = min(*ticks, *values), max(*ticks, *values)
    return _Scale(frame, ticks, low, high)


def _ticks(low: float, high: float) -> tuple[float, ...]:
    """Return round values from below `low` to above `high`."""
    span = high - low or abs(high) or 1.0
    rough = span / _TICKS
    base = 10.0 ** math.floor(math.log10(rough))
    step = base * next((nice for nice in (1, 2, 2.5, 5) if nice * base >= rough), 10)
    first, last = math.floor(low / step), math.ceil(high / step)
    return tuple(round(n * step, 10) for n in range(first, max(last, first + 1) + 1))


def _behind(scale: _Scale, words: Words) -> list[Markup]:
    """Return bands, grid, axes and marks."""
    frame, parts = scale.frame, []
    for on, off in frame.bands:
        if off > frame.start_us and on < frame.end_us:
            place = (scale.x(on), _TOP, round(scale.x(off) - scale.x(on), 1), HEIGHT - _TOP - _BOTTOM)
            parts.append(Markup('<rect class="band" x="{}" y="{}" width="{}" height="{}"/>').format(*place))
    for since, until, value in frame.expected:
        if until > frame.start_us and since < frame.end_us:
            parts.append(_line("expected", scale.x(since), scale.y(value), scale.x(until), scale.y(value)))
    for value in scale.ticks:
        y = scale.y(value)
        parts.append(_line("grid", _LEFT, y, WIDTH - _RIGHT, y))
        parts.append(Markup('<text x="{}" y="{}" class="end">{}</text>').format(_LEFT - 6, y + 4, words.number(value)))
    told = words.day_us if frame.end_us - frame.start_us > _LONG_US else words.hour_us
    for share, anchor in ((0.0, "start"), (0.5, "mid"), (1.0, "end")):
        at = int(frame.start_us + share * (frame.end_us - frame.start_us))
        parts.append(
            Markup('<text x="{}" y="{}" class="{}">{}</text>').format(scale.x(at), HEIGHT - 8, anchor, told(at))
        )
    parts += [_line("mark", scale.x(at), _TOP, scale.x(at), HEIGHT - _BOTTOM) for at in frame.marks]
    return parts


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(kind, x1, y1, x2, y2)


def _spread(scale: _Scale) -> list[Markup]:
    """Return the area between least and greatest, cut at silences like the line."""
    spread = scale.frame.spread
    bounds = {at: (low, high) for at, low, high in spread}
    areas = []
    for stretch in _stretches([(at, low) for at, low, _ in spread]):
        upper = [f"{scale.x(at)},{scale.y(bounds[at][1])}" for at, _ in stretch]
        lower = [f"{scale.x(at)},{scale.y(low)}" for at, low in reversed(stretch)]
        areas.append(Markup('<polygon class="spread" points="{}"/>').format(" ".join(upper + lower)))
    return areas


def _stretches(points: Sequence[Point]) -> list[Sequence[Point]]:
    """Return the points cut where nothing was heard for long: a silence is no straight line."""
    steps = sorted(b[0] - a[0] for a, b in pairwise(points))
    longest = _GAP_STEPS * steps[len(steps) // 2] if steps else 0
    cuts = [n for n, (a, b) in enumerate(pairwise(points), 1) if b[0] - a[0] > longest]
    return [points[a:b] for a, b in pairwise([0, *cuts, len(points)])]
