"""A small line chart as SVG, drawn here so that it needs no script; colours come from the style sheet."""

from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from portals_api.i18n import Words

WIDTH, HEIGHT = 640, 200
_GAP_STEPS = 4
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 8, 22, 30


def line_chart(
    points: Sequence[tuple[int, float]],
    bands: Sequence[tuple[int, int]],
    *,
    start_us: int,
    end_us: int,
    usual: float = 0.0,
    unit: str,
    title: str,
    words: Words,
) -> Markup:
    """Return an SVG of values over time.

    Parameters
    ----------
    points : sequence of (int, float)
        µs UTC and value, ascending.
    bands : sequence of (int, int)
        Periods to shade: when the lamp was commanded on.
    usual : float
        The scale reaches at least to here, so that next to nothing looks like next to nothing.
    """
    top = (max([usual, *(value for _, value in points)]) or 1.0) * 1.1
    low = min([value for _, value in points if value < 0], default=0.0)

    def x(at: int) -> float:
        share = (min(max(at, start_us), end_us) - start_us) / max(end_us - start_us, 1)
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)

    def y(value: float) -> float:
        share = (value - low) / max(top - low, 1e-9)
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)

    parts = [
        Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>').format(
            WIDTH, HEIGHT, title, title
        )
    ]
    for on, off in bands:
        if off > start_us and on < end_us:
            parts.append(
                Markup('<rect class="band" x="{}" y="{}" width="{}" height="{}"/>').format(
                    x(on), _TOP, round(x(off) - x(on), 1), HEIGHT - _TOP - _BOTTOM
                )
            )
    for value in (low, (low + top / 1.1) / 2, top / 1.1):
        parts.append(
            Markup(
                '<line class="grid" x1="{}" y1="{}" x2="{}" y2="{}"/><text x="{}" y="{}" class="end">{}</text>'
            ).format(_LEFT, y(value), WIDTH - _RIGHT, y(value), _LEFT - 6, y(value) + 4, words.number(round(value, 1)))
        )
    for share, anchor in ((0.0, "start"), (0.5, "mid"), (1.0, "end")):
        at = int(start_us + share * (end_us - start_us))
        parts.append(
            Markup('<text x="{}" y="{}" class="{}">{}</text>').format(x(at), HEIGHT - 8, anchor, words.hour_us(at))
        )
    for stretch in _stretches(points):
        path = " ".join(f"{x(at)},{y(value)}" for at, value in stretch)
        parts.append(Markup('<polyline class="line" points="{}"/>').format(path))
    if points:
        last_at, last = points[-1]
        parts.append(Markup('<circle class="dot" cx="{}" cy="{}" r="3"/>').format(x(last_at), y(last)))
    parts.append(Markup('<text x="{}" y="{}" class="end">{}</text></svg>').format(_LEFT - 6, _TOP - 6, unit))
    return Markup("").join(parts)


def _stretches(points: Sequence[tuple[int, float]]) -> list[Sequence[tuple[int, float]]]:
    """Return the points cut where nothing was heard for long: a silence is no straight line."""
    steps = sorted(b[0] - a[0] for a, b in pairwise(points))
    longest = _GAP_STEPS * steps[len(steps) // 2] if steps else 0
    cuts = [n for n, (a, b) in enumerate(pairwise(points), 1) if b[0] - a[0] > longest]
    return [points[a:b] for a, b in pairwise([0, *cuts, len(points)])]
