"""Lives of lamps from a real database: page, JSON, CSV, and the lamp's own page."""

import csv
import io
import json
from types import SimpleNamespace
from typing import Any

import pytest

from city.clock import DAY_US, HOUR_US
from portals_api.observa import lives
from tests.incidents.world import BY_DAY, CLEARED, FAILURE, HELD, RAISED, event, lamp
from tests.portals_api.conftest import Open, Portals
from tests.portals_api.test_pages import HTML
from tests.portals_api.test_verdicts import say
from tests.support.small_city import NOW, run

EN = {**HTML, "Accept-Language": "en"}
DAYS = 100
FIRST = NOW - DAYS * DAY_US


@pytest.fixture
def counted(data: None, rows: Any) -> None:
    """Counters of lamps 1 to 11 over a hundred days: lamp n began at 2,000 n hours, and burns twelve hours a day."""
    count(rows)


def count(rows: Any) -> None:
    rows("""INSERT INTO metrics (metric, unit, low, high) VALUES ('operating_hours_h', 'h', 0, 1e7),
            ('switch_on_count', '1', 0, 1e7) RETURNING 1""")
    rows("""INSERT INTO series (device_id, metric) SELECT 'N-L-' || n, m FROM generate_series(1, 11) AS n,
            unnest(ARRAY['operating_hours_h', 'switch_on_count']) m RETURNING 1""")
    rows(f"""INSERT INTO readings_day_rollup (series_id, bucket, n, sum, minimum, maximum)
             SELECT s.series_id, day, 1, v.high, v.low, v.high
               FROM series s, generate_series(0, {DAYS}) AS d,
                    LATERAL (SELECT to_timestamp({FIRST // 1_000_000} + d * 86400) AS day,
                                    substr(s.device_id, 5)::integer AS lamp) k,
                    LATERAL (SELECT CASE s.metric WHEN 'operating_hours_h' THEN 2000 * lamp + 12.0 * d
                                    ELSE d * CASE lamp WHEN 11 THEN 9 ELSE 1 END END AS low,
                                    CASE s.metric WHEN 'operating_hours_h' THEN 2000 * lamp + 12.0 * (d + 1)
                                    ELSE (d + 1) * CASE lamp WHEN 11 THEN 9 ELSE 1 END END AS high) v
              WHERE s.metric IN ('operating_hours_h', 'switch_on_count') RETURNING 1""")
    told = json.dumps({"relamping": {"planned": 60.0, "fault": 180.0, "currency": "EUR"}})
    rows(f"UPDATE installation SET pack = pack || '{told}' RETURNING 1")
    rows("""UPDATE assets SET attributes = attributes || '{"lamp_type": "sodium"}' WHERE kind = 'lamp' RETURNING 1""")


async def fail(p: Portals, number: int, days_ago: int, hours: float = 48.0, standing: bool = False) -> str:
    at = NOW - days_ago * DAY_US
    raised = event(RAISED, FAILURE, lamp(number), at, raised_at=at)
    await p.alarm(raised)
    if not standing:
        end = at + int(hours * HOUR_US)
        await p.alarm(event(CLEARED, FAILURE, lamp(number), end, raised_at=at, cleared_at=end))
    return raised.alarm_id


@pytest.mark.usefixtures("counted")
def test_a_lamp_is_as_old_as_its_counter_or_its_last_repair_says(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await fail(p, 10, 52)
            old, repaired = await p.json("/api/v1/lamps/L-9/life"), await p.json("/api/v1/lamps/L-10/life")
            assert (old["age_h"], old["failures"], old["type"]) == (18_000 + 12 * (DAYS + 1), 0, "sodium")
            assert old["hours_a_year"] == pytest.approx(12 * 365.25, rel=0.02)
            assert (repaired["failures"], repaired["age_h"]) == (1, pytest.approx(12 * 50.5, abs=18))
            assert repaired["remaining_median_h"] > 1.5 * old["remaining_median_h"]
            assert old["remaining_low_h"] < old["remaining_median_h"] < old["remaining_high_h"]
            assert 0 < repaired["failure_within_year"] < old["failure_within_year"] < 1
            assert (await p.http.get("/api/v1/lamps/L-12/life")).status_code == 404, "nobody counts its hours"
            assert (await p.http.get("/api/v1/lamps/L-99/life")).status_code == 404

    run(main())


@pytest.mark.usefixtures("counted")
def test_only_what_ended_a_life_counts_as_a_failure(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await fail(p, 1, 40)
            await say(p, finding="false")
            await fail(p, 2, 40, hours=1.0)
            await p.alarm(event(HELD, FAILURE, lamp(3), NOW - DAY_US, raised_at=NOW - DAY_US, held_by=1))
            await p.alarm(event(RAISED, BY_DAY, lamp(4), NOW - DAY_US, raised_at=NOW - DAY_US))
            await fail(p, 5, 3, standing=True)
            found = {one["lamp"]: one for one in (await p.json("/api/v1/lives/lamps"))["items"]}
            assert [name for name, one in found.items() if one["failures"]] == ["L-5"]
            assert (found["L-5"]["failed"], found["L-5"]["failure_within_year"]) == (True, 1.0)
            assert [name for name, one in found.items() if one["switches_often"]] == ["L-11"]
            (kind,) = (await p.json("/api/v1/lives"))["types"]
            assert (kind["lamps"], kind["failures"]) == (11, 1)

    run(main())


@pytest.mark.usefixtures("counted")
def test_the_plan_changes_what_has_come_of_age_and_counts_both_costs(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            told = await p.json("/api/v1/lives")
            assert told["prices"] == {"planned": 60.0, "fault": 180.0, "currency": "EUR"}
            (one,) = told["items"]
            lamps = (await p.json("/api/v1/lives/lamps"))["items"]
            due = [row for row in lamps if row["change"]]
            assert 0 < len(due) < 11
            assert (one["change"], one["others"]) == (len(due), 11 - len(due))
            assert min(row["age_h"] for row in due) > max(row["age_h"] for row in lamps if not row["change"]) - 4_500
            assert one["cost"] == 60.0 * len(due)
            assert one["expected_failures"] == pytest.approx(sum(r["failure_within_year"] for r in due), abs=0.01)
            assert one["cost_of_failures"] == pytest.approx(180.0 * one["expected_failures"], abs=1)
            assert (await p.json("/api/v1/lives", district="east"))["items"] == []

    run(main())


@pytest.mark.usefixtures("counted")
def test_lists_come_page_by_page_and_as_csv_the_likeliest_first(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            whole = (await p.json("/api/v1/lives/lamps"))["items"]
            shares = [row["failure_within_year"] for row in whole]
            assert shares == sorted(shares, reverse=True)
            pages, cursor = [], None
            while True:
                part = await p.json("/api/v1/lives/lamps", limit=4, **({"next": cursor} if cursor else {}))
                pages += part["items"]
                cursor = part["next"]
                if cursor is None:
                    break
            assert pages == whole
            answer = await p.http.get("/api/v1/lives.csv")
            table = list(csv.DictReader(io.StringIO(answer.text)))
            assert [row["lamp"] for row in table] == [row["lamp"] for row in whole]

    run(main())


@pytest.mark.usefixtures("counted")
def test_pages_show_the_plan_the_curve_and_the_lamps_own_life(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            text = (await p.http.get("/lives", headers=EN)).text
            assert "To change together this year" in text
            assert '<polygon class="spread"' in text
            assert "High-pressure sodium" in text
            own = (await p.http.get("/lamps/L-9", headers=EN)).text
            assert "four of five like it fail between" in own
            assert "How long it may last" not in (await p.http.get("/lamps/L-12", headers=EN)).text

    run(main())


@pytest.mark.usefixtures("data")
def test_a_city_without_counters_or_prices_says_so(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            assert await p.json("/api/v1/lives") == {
                "district": None, "prices": None, "types": [], "items": [], "next": None
            }  # fmt: skip
            assert "No lamp reports how many hours" in (await p.http.get("/lives", headers=EN)).text

    run(main())


@pytest.mark.usefixtures("data")
def test_the_first_counters_are_seen_within_seconds_though_lives_are_kept(
    portals: Open, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed_s = 1_000.0
    monkeypatch.setattr(lives, "time", SimpleNamespace(monotonic=lambda: passed_s))

    async def main() -> None:
        nonlocal passed_s
        async with portals() as p:
            assert (await p.json("/api/v1/lives"))["types"] == []
            count(rows)
            passed_s += 20
            assert [one["lamps"] for one in (await p.json("/api/v1/lives"))["types"]] == [11]
            await fail(p, 10, 52)
            passed_s += 20
            assert [one["failures"] for one in (await p.json("/api/v1/lives"))["types"]] == [0], "kept for minutes"
            passed_s += 900
            assert [one["failures"] for one in (await p.json("/api/v1/lives"))["types"]] == [1]

    run(main())
