"""How many lamps of a type reach an age, as SVG: the curve, what it may be, and the age at which to change them."""

import numpy as np
from markupsafe import Markup

from observatory.lives import Fit
from portals_api.i18n import Words

WIDTH, HEIGHT = 640, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 12, 16, 60
_POINTS = 80
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def survival_chart(fitted: Fit, change_at_h: float | None, title: str, axis: str, words: Words) -> Markup:
    """Return the drawing; `title` says what it shows, `axis` what goes to the right."""
    most = _round_up(1.8 * fitted.median_h[1])
    ages = np.linspace(0.0, most, _POINTS)
    low, high = fitted.interval(ages)
    parts = [
        Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>').format(
            WIDTH, HEIGHT, title, title
        )
    ]

    def x(age: float) -> float:
        return round(_LEFT + min(age / most, 1.0) * (WIDTH - _LEFT - _RIGHT), 1)

    def y(share: float) -> float:
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)

    for share in _SHARES:
        parts.append(
            Markup('<line class="grid" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
                _LEFT, y(share), WIDTH - _RIGHT, y(share)
            )
        )
        told = f"{words.number(100 * share)} %"
        parts.append(Markup('<text x="{}" y="{}" class="end">{}</text>').format(_LEFT - 6, y(share) + 4, told))
    around = [*zip(ages, high, strict=True), *zip(ages[::-1], low[::-1], strict=True)]
    parts.append(Markup('<polygon class="spread" points="{}"/>').format(" ".join(f"{x(a)},{y(s)}" for a, s in around)))
    line = " ".join(f"{x(a)},{y(s)}" for a, s in zip(ages, fitted.survival(ages), strict=True))
    parts.append(Markup('<polyline class="line" points="{}"/>').format(line))
    if change_at_h is not None and change_at_h <= most:
        at = x(change_at_h)
        parts.append(Markup('<line class="mark" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(at, _TOP, at, y(0.0)))
    for place, anchor in ((0.0, "start"), (0.5, "mid"), (1.0, "end")):
        parts.append(
            Markup('<text x="{}" y="{}" class="{}">{} h</text>').format(
                x(place * most), HEIGHT - _BOTTOM + 22, anchor, words.number(place * most)
            )
        )
    parts.append(
        Markup('<text x="{}" y="{}" class="mid">{}</text></svg>').format((_LEFT + WIDTH) / 2, HEIGHT - 6, axis)
    )
    return Markup("").join(parts)


def _round_up(hours: float) -> float:
    """Return a round number of hours above `hours`."""
    step = 10.0 ** (len(str(int(hours))) - 1)
    return float(np.ceil(hours / step) * step)
