"""A small bar chart as SVG, drawn here so that it needs no script; colours come from the style sheet."""

import math
from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup

from portals_api.i18n import Words

Bar = tuple[datetime, float | None]
"""Start of a period and its value; None where there is none."""


def spark(bars: Sequence[Bar], *, top: float | None = None) -> Markup:
    """Return bars without any words, for beside a number that says the same."""
    return Markup(
        '<svg class="spark" viewBox="0 0 320 56" aria-hidden="true" preserveAspectRatio="none">{}</svg>'
    ).format(_drawn(bars, 0, 320, 2, 54, _top(bars, top)))


def bar_chart(
    bars: Sequence[Bar], *, unit: str, title: str, words: Words, top: float | None = None, whole: bool = False
) -> Markup:
    """Return bars with a scale and times; a period without value is a short grey stroke, not a bar of height 0.

    Parameters
    ----------
    top : float or None
        The end of the scale; without it, the highest value.
    whole : bool
        The values are counts, so that no part of the scale is a fraction of one.
    """
    width, height, left, bottom, above = 640, 240, 72, 206, 40
    high = _top(bars, top)
    if whole:
        high = 2.0 * math.ceil(high / 2)
    parts = [
        Markup('<svg class="chart bars" viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>').format(
            width, height, title, title
        )
    ]
    for share in (0.0, 0.5, 1.0):
        y = round(bottom - share * (bottom - above), 1)
        parts.append(
            Markup(
                '<line class="grid" x1="{}" y1="{}" x2="{}" y2="{}"/><text x="{}" y="{}" class="end">{}</text>'
            ).format(left, y, width, y, left - 6, y + 5, words.number(round(high * share, 1)))
        )
    parts.append(_drawn(bars, left, width, above, bottom, high))
    if bars:
        for place, anchor in ((0, "start"), (len(bars) // 2, "mid"), (len(bars) - 1, "end")):
            x = round(
                left + (place + (0.0, 0.5, 1.0)[("start", "mid", "end").index(anchor)]) * (width - left) / len(bars), 1
            )
            if anchor == "start" or len(bars) > 2 or (anchor == "end" and len(bars) > 1):
                parts.append(
                    Markup('<text x="{}" y="{}" class="{}">{}</text>').format(
                        x, height - 6, anchor, words.hour(bars[place][0])
                    )
                )
    parts.append(Markup('<text x="{}" y="18" class="end">{}</text></svg>').format(left - 6, unit))
    return Markup("").join(parts)


def _top(bars: Sequence[Bar], top: float | None) -> float:
    highest = max((value for _, value in bars if value is not None), default=0.0)
    return max(top or 0.0, highest) or 1.0


def _drawn(bars: Sequence[Bar], left: float, right: float, above: float, bottom: float, high: float) -> Markup:
    pitch = (right - left) / max(len(bars), 1)
    wide = round(max(pitch * 0.72, 0.6), 2)
    drawn = []
    for place, (_, value) in enumerate(bars):
        x = round(left + place * pitch + (pitch - wide) / 2, 2)
        if value is None:
            drawn.append(Markup('<rect class="gap" x="{}" y="{}" width="{}" height="2"/>').format(x, bottom - 2, wide))
        else:
            tall = round(max(value, 0.0) / high * (bottom - above), 2)
            drawn.append(
                Markup('<rect class="bar" x="{}" y="{}" width="{}" height="{}"/>').format(
                    x, round(bottom - tall, 2), wide, tall
                )
            )
    return Markup("").join(drawn)
