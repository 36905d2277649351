"""Series: what one is, its history in points for a chart, and the chart itself."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from portals_api import history
from portals_api.answers.devices import PointsOut, SeriesOut
from portals_api.chart import Frame, line_chart
from portals_api.history import POINTS_DEFAULT, POINTS_MAX
from portals_api.params import Since, Until
from portals_api.routing import PortalDep, documented
from portals_api.rows import Row

router = APIRouter(tags=["series"])

SeriesId = Annotated[int, Path(ge=1, lt=2**31)]
Points = Annotated[int, Query(ge=10, le=POINTS_MAX, description="Points at most; the resolution follows from it")]
_DRAWN, _TABLED = 400, 60
_NO_ZERO = ("deg_c", "_v", "_hpa")
"""Endings of metrics for which zero means nothing."""
_CSV = {"content": {"text/csv": {"example": "at,n,mean,minimum,maximum\r\n2026-11-23T00:00:00Z,4,71.6,71.0,72.0\r\n"}}}


@router.get("/api/v1/series/{series_id}", summary="Get a series", **documented(SeriesOut, 404))
async def get_series(portal: PortalDep, series_id: SeriesId) -> dict[str, Any]:
    """Return what a series is: device, metric, unit, and the asset that it is about."""
    return await history.series(portal.pool, await portal.viewer(), series_id)


@router.get("/api/v1/series/{series_id}/points", summary="Get a history", **documented(PointsOut, 404))
async def get_points(
    portal: PortalDep, series_id: SeriesId, since: Since = None, until: Until = None, points: Points = POINTS_DEFAULT
) -> dict[str, Any]:
    """Return the history of a series in as many points as a chart has room for: raw, hours or days.

    Without `from` and `to` it reaches over all that is there. A point holds the number of readings, their mean, the
    least and the greatest.
    """
    one = await get_series(portal, series_id)
    return await history.points(portal.pool, one, since=since, until=until, points_max=points)


@router.get(
    "/api/v1/series/{series_id}/points.csv",
    summary="Get a history as CSV",
    response_class=StreamingResponse,
    **{**documented(PointsOut, 404), "responses": {**documented(PointsOut, 404)["responses"], 200: _CSV}},
)
async def get_points_csv(
    portal: PortalDep, series_id: SeriesId, since: Since = None, until: Until = None, points: Points = POINTS_MAX
) -> Response:
    """Return the same as `points`, as a table for spreadsheets."""
    found = await get_points(portal, series_id, since, until, points)
    name = f"{found['device']}-{found['metric']}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_csv_lines(found), media_type="text/csv; charset=utf-8", headers=headers)


def _csv_lines(found: Row) -> Iterator[str]:
    line = io.StringIO()
    writer = csv.writer(line)
    writer.writerow(("at", "n", "mean", "minimum", "maximum"))
    for row in table(found):
        writer.writerow(row)
        if line.tell() > 32_768:
            yield line.getvalue()
            line.seek(0)
            line.truncate()
    yield line.getvalue()


def table(found: Row) -> list[tuple[str, int, float, float, float]]:
    """Return points as rows, times as RFC 3339."""
    columns = (found[name] for name in ("at_s", "n", "mean", "minimum", "maximum"))
    return [(_rfc3339(at), *rest) for at, *rest in zip(*columns, strict=True)]


def _rfc3339(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")


@router.get("/series/{series_id}", include_in_schema=False)
async def series_page(
    request: Request, portal: PortalDep, series_id: SeriesId, since: Since = None, until: Until = None
) -> Response:
    """Show one series: a chart to move in, and the same as a drawing and as a table."""
    one = await get_series(portal, series_id)
    if not portal.wants_page(request):
        return JSONResponse({**one, "points": await get_points(portal, series_id, since, until, POINTS_DEFAULT)})
    words = await portal.words(request)
    label = await portal.labels(words)
    drawn = await history.points(portal.pool, one, since=since, until=until, points_max=_DRAWN)
    rough = await history.points(portal.pool, one, since=since, until=until, points_max=_TABLED)
    at = [second * 1_000_000 for second in drawn["at_s"]]
    chart = None
    if at:
        spread = list(zip(at, drawn["minimum"], drawn["maximum"], strict=True)) if drawn["step_s"] else []
        zero = not one["metric"].endswith(_NO_ZERO)
        title = f"{label.metric(one['metric'])} – {one['asset_name']}"
        frame = Frame(at[0], at[-1], label.unit(one["unit"]), title, from_zero=zero, spread=spread)
        chart = line_chart(list(zip(at, drawn["mean"], strict=True)), frame, words)
    return await portal.page(
        request,
        "series.html",
        one=one,
        siblings=await history.siblings(portal.pool, one["device"]),
        chart=chart,
        drawn=drawn,
        rough=table(rough),
        json_url=f"/api/v1/series/{series_id}/points",
    )
