"""How often alarms are right, published: as a page, as JSON and as CSV."""

import csv
import io
from typing import Any

import pytest

from city.clock import MINUTE_US
from tests.incidents.world import FAILURE, FEEDER, RAISED, SUPPLY, event, lamp
from tests.portals_api.conftest import Open, Portals
from tests.portals_api.test_pages import HTML
from tests.portals_api.test_verdicts import say
from tests.support.small_city import NOW, run

EN = {**HTML, "Accept-Language": "en"}


async def judged(p: Portals, lamps: int = 12, right: int = 9) -> None:
    """Let lamps fail; `right` of them were as the alarm said, one had another cause, the rest nothing."""
    for number in range(1, lamps + 1):
        await p.alarm(event(RAISED, FAILURE, lamp(number), raised_at=NOW - number * MINUTE_US))
        finding = {"finding": "true"} if number <= right else {"finding": "false"}
        if number == right + 1:
            finding = {"finding": "other", "fault": "supplyVoltageTooLow"}
        await say(p, ticket=number, **finding)


@pytest.mark.usefixtures("data")
def test_precision_is_told_by_fault_district_and_make_with_its_interval(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await judged(p)
            by_fault = await p.json("/api/v1/precision")
            (one,) = by_fault["items"]
            assert {
                name: one[name] for name in ("key", "true", "false", "other", "judged", "precision_pct", "why")
            } == {
                "key": "lampFailure",
                "true": 9,
                "false": 2,
                "other": 1,
                "judged": 12,
                "precision_pct": 75.0,
                "why": None,
            }
            assert (one["low_pct"], one["high_pct"]) == (46.77, 91.11)
            assert by_fault["all"]["judged"] == 12
            for by, key, name in (("district", "centre", "Centro"), ("vendor", "lamp", "lamp")):
                (item,) = (await p.json("/api/v1/precision", by=by))["items"]
                assert (item["key"], item["name"], item["judged"]) == (key, name, 12)
            await say(p, ticket=12, finding="true")  # Saying another takes the place of what was said.
            assert (await p.json("/api/v1/precision"))["items"][0]["true"] == 10
            for params, count in (({"district": "east"}, 0), ({"fault": "lampFailure"}, 12), ({"profile": "lamp"}, 12)):
                assert (await p.json("/api/v1/precision", **params))["all"]["judged"] == count
            since = await p.json("/api/v1/precision", **{"from": "2026-11-23T22:15:00Z"})
            assert since["all"]["judged"] == 5

    run(main())


@pytest.mark.usefixtures("data")
def test_too_few_verdicts_give_no_share_and_say_so(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            text = (await p.http.get("/precision", headers=EN)).text
            assert "Nobody has said yet what was found." in text
            await judged(p, lamps=3, right=2)
            (one,) = (await p.json("/api/v1/precision"))["items"]
            assert (one["judged"], one["precision_pct"], one["why"]) == (3, None, "not-enough-verdicts")
            assert "not enough verdicts yet" in (await p.http.get("/precision", headers=EN)).text

    run(main())


@pytest.mark.usefixtures("data")
def test_the_csv_says_what_the_json_says(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await judged(p)
            answer = await p.http.get("/api/v1/precision.csv", params={"by": "district"})
            (row,) = csv.DictReader(io.StringIO(answer.text))
            assert row == {
                "by": "district", "key": "centre", "name": "Centro", "true": "9", "false": "2", "other": "1",
                "judged": "12", "precision_pct": "75.0", "low_pct": "46.77", "high_pct": "91.11", "why": "",
            }  # fmt: skip

    run(main())


@pytest.mark.usefixtures("data")
def test_a_stranger_is_told_of_lamps_alone(portals: Open, rows: Any) -> None:
    rows("UPDATE installation SET simulated = false RETURNING 1")

    async def main() -> None:
        async with portals(crew_without_account=True) as p:
            await p.alarm(event(RAISED, SUPPLY, FEEDER))
            await say(p, finding="true")
            assert (await p.json("/api/v1/precision"))["all"]["judged"] == 1
        async with portals(crew_without_account=False) as p:
            assert (await p.json("/api/v1/precision"))["all"]["judged"] == 0

    run(main())
