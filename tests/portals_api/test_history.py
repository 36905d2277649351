from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portals_api.history import POINTS_MAX, Resolution, Span, step_for
from tests.portals_api.conftest import Open
from tests.support.small_city import NOW, run

T0 = datetime(2020, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("length", "points", "resolution", "width"),
    [
        (DAY, 96, Resolution.RAW, timedelta(0)),
        (DAY, 95, Resolution.HOUR, timedelta(hours=1)),
        (30 * DAY, 240, Resolution.HOUR, timedelta(hours=3)),
        (30 * DAY, 30, Resolution.DAY, DAY),
        (3653 * DAY, 4000, Resolution.DAY, DAY),
        (3653 * DAY, 1000, Resolution.DAY, 4 * DAY),
        (timedelta(0), 10, Resolution.RAW, timedelta(0)),
    ],
)
def test_a_span_gets_a_fine_step_that_keeps_to_its_points(
    length: timedelta, points: int, resolution: Resolution, width: timedelta
) -> None:
    step = step_for(Span(T0, T0 + length, points), 900)
    assert (step.resolution, step.width) == (resolution, width)


HOURS = """
INSERT INTO readings_hour_rollup (series_id, bucket, n, sum, minimum, maximum)
SELECT series_id, date_bin('1 hour', observed_at, 'epoch'), count(*), sum(value), min(value), max(value)
  FROM readings GROUP BY 1, 2 RETURNING 1
"""
DAYS = """
INSERT INTO readings_day_rollup (series_id, bucket, n, sum, minimum, maximum)
SELECT series_id, date_trunc('day', bucket, 'Europe/Madrid'), sum(n), sum(sum), min(minimum), max(maximum)
  FROM readings_hour_rollup GROUP BY 1, 2 RETURNING 1
"""


def _series(rows: Any, metric: str) -> int:
    found = rows(f"SELECT series_id FROM series WHERE device_id = 'N-L-3' AND metric = '{metric}'")
    return int(found[0][0])


@pytest.mark.usefixtures("data")
def test_points_of_every_resolution_tell_of_the_same_readings(portals: Open, rows: Any) -> None:
    rows(HOURS)
    rows(DAYS)
    series = _series(rows, "active_power_w")

    async def main() -> None:
        async with portals() as p:
            raw = await p.json(f"/api/v1/series/{series}/points")
            assert (raw["resolution"], len(raw["at_s"]), raw["step_s"]) == ("raw", 192, 0)
            assert raw["at_s"][-1] == NOW // 1_000_000
            for asked, resolution, step in ((100, "hour", 3600), (24, "hour", 7200), (10, "hour", 18000)):
                found = await p.json(f"/api/v1/series/{series}/points", points=asked)
                assert (found["resolution"], found["step_s"]) == (resolution, step)
                assert len(found["at_s"]) <= asked + 2
                assert sum(found["n"]) == 192
                assert min(found["minimum"]) == pytest.approx(min(raw["mean"]), abs=1e-4)
                assert max(found["maximum"]) == pytest.approx(max(raw["mean"]), abs=1e-4)
                mean = sum(n * m for n, m in zip(found["n"], found["mean"], strict=True)) / 192
                assert mean == pytest.approx(sum(raw["mean"]) / 192, abs=1e-3)
                assert found["at_s"] == sorted(set(found["at_s"]))

    run(main())


@pytest.mark.usefixtures("data")
def test_the_latest_hours_are_there_before_they_are_rolled_up(portals: Open, rows: Any) -> None:
    series = _series(rows, "active_power_w")

    async def main() -> None:
        async with portals() as p:
            for rolled_up in (False, True):
                if rolled_up:
                    rows(HOURS)
                    rows("DELETE FROM readings_hour_rollup WHERE bucket >= '2026-11-23 20:00Z' RETURNING 1")
                found = await p.json(f"/api/v1/series/{series}/points", points=100)
                assert (found["resolution"], sum(found["n"])) == ("hour", 192)

    run(main())


@pytest.mark.usefixtures("data")
def test_points_of_years_come_by_days(portals: Open, rows: Any) -> None:
    series = _series(rows, "active_power_w")
    rows(
        f"""INSERT INTO readings_day_rollup (series_id, bucket, n, sum, minimum, maximum)
            SELECT {series}, date_trunc('day', d, 'Europe/Madrid'), 24, 24 * 5.0, 1, 9
              FROM generate_series('2008-01-01 12:00Z'::timestamptz, '2017-12-31 12:00Z', interval '1 day') AS d
            RETURNING 1"""
    )

    async def main() -> None:
        async with portals() as p:
            span = {"from": "2007-12-31T00:00:00Z", "to": "2018-01-02T00:00:00Z"}
            for asked in (POINTS_MAX, 1000, 100):
                found = await p.json(f"/api/v1/series/{series}/points", points=asked, **span)
                assert found["resolution"] == "day"
                assert sum(found["n"]) == 24 * 3653
                assert len(found["at_s"]) <= asked + 2
                assert set(found["mean"]) == {5.0}
            whole = await p.json(f"/api/v1/series/{series}/points", points=1000)
            assert whole["from"].startswith("2007-12-31T23:00")

    run(main())


@pytest.mark.usefixtures("data")
def test_points_come_as_a_table_for_spreadsheets(portals: Open, rows: Any) -> None:
    series = _series(rows, "supply_voltage_v")

    async def main() -> None:
        async with portals() as p:
            answer = await p.http.get(f"/api/v1/series/{series}/points.csv")
            assert answer.headers["content-type"].startswith("text/csv")
            assert "N-L-3-supply_voltage_v.csv" in answer.headers["content-disposition"]
            lines = answer.text.split("\r\n")
            assert lines[0] == "at,n,mean,minimum,maximum"
            assert len(lines) == 1 + 192 + 1
            assert lines[192].startswith("2026-11-23T22:20:00Z,1,")

    run(main())


@pytest.mark.usefixtures("data")
def test_a_bad_span_is_told_and_an_empty_one_is_empty(portals: Open, rows: Any) -> None:
    series = _series(rows, "active_power_w")
    rows(f"DELETE FROM readings WHERE series_id = {series + 1} RETURNING 1")

    async def main() -> None:
        async with portals() as p:
            path = f"/api/v1/series/{series}/points"
            answer = await p.json(path, 422, **{"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"})
            assert "before" in answer["error"]["message"]
            for bad in (
                {"points": 9},
                {"points": POINTS_MAX + 1},
                {"from": "yesterday"},
                {"from": "2026-01-02T00:00:00"},
            ):
                assert (await p.json(path, 422, **bad))["error"]["code"] == "invalid"
            empty = await p.json(path, **{"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"})
            assert empty["at_s"] == empty["mean"] == []
            never = await p.json(f"/api/v1/series/{series + 1}/points")
            assert (never["at_s"], never["from"]) == ([], None)
            assert (await p.json("/api/v1/series/999999/points", 404))["error"]["code"] == "not-found"
            await p.json("/api/v1/series/99999999999/points", 422)
            page = await p.http.get(f"/series/{series + 1}", headers={"Accept": "text/html"})
            assert page.status_code == 200
            assert 'class="empty"' in page.text

    run(main())
