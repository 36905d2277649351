"""A lamp's power as a chart: what it drew against what it was commanded to do."""

from collections.abc import Sequence

from markupsafe import Markup

from city.clock import DAY_US
from city.lighting import FULL_PCT, LightingSchedule
from portals_api import reads
from portals_api.chart import Frame, line_chart
from portals_api.i18n import Words
from portals_api.rows import Row
from storage.pool import Pool

NIGHTS_US = 4 * DAY_US
"""Some nights: enough to see a habit, few enough to see a quarter of an hour."""
_POINTS_MAX = 1500


def expected_w(rated_w: float, level_pct: int) -> float:
    """Return what a lamp should draw at a level of dimming; drivers follow it nearly in proportion."""
    return rated_w * level_pct / FULL_PCT


async def power_chart(
    pool: Pool,
    words: Words,
    lamp: Row,
    series: int,
    schedule: LightingSchedule | None,
    start_us: int,
    end_us: int,
    marks: Sequence[int] = (),
) -> Markup | None:
    """Return the chart of a lamp's power between two moments; None while nothing was heard in them."""
    points = await reads.series_history(pool, series, start_us, end_us, _POINTS_MAX)
    if not points:
        return None
    rated_w = lamp["rated_w"] or 0.0
    on, off = schedule.periods(start_us, end_us) if schedule else ((), ())
    levels = schedule.levels(start_us, end_us) if schedule and rated_w else ()
    frame = Frame(
        start_us,
        end_us,
        "W",
        words.text("Power, watts; shaded while commanded on, dashed what is expected then"),
        usual=rated_w,
        expected=[(since, until, expected_w(rated_w, level)) for since, until, level in levels],
        bands=[(int(a), int(b)) for a, b in zip(on, off, strict=True)],
        marks=marks,
    )
    return line_chart(points, frame, words)
