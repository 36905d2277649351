"""A lamp's power as a chart: what it drew against what it was commanded to do."""

from collections.abc import Sequence

from markupsafe import Markup

from city.clock import DAY_US
from city.lighting import LightingSchedule
from portals_api import reads
from portals_api.chart import Frame, line_chart
from portals_api.i18n import Words
from portals_api.reads import Row
from storage.pool import Pool

NIGHTS_US = 4 * DAY_US
"""Some nights: enough to see a habit, few enough to see a quarter of an hour."""
_POINTS_MAX = 1500


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
    on, off = schedule.periods(start_us, end_us) if schedule else ((), ())
    frame = Frame(
        start_us,
        end_us,
        "W",
        words.text("Power, watts; shaded while commanded on, dashed what is expected then"),
        usual=lamp["rated_w"] or 0.0,
        expected=lamp["rated_w"],
        bands=[(int(a), int(b)) for a, b in zip(on, off, strict=True)],
        marks=marks,
    )
    return line_chart(points, frame, words)
