"""One alarm explained: rule, observed and expected, the hours around it, and what crews found in cases alike."""

from dataclasses import replace
from typing import Any

import pytest

from city.alarm import AlarmEvent, FaultClass, Scope
from city.asset import AssetKind
from city.clock import DAY_US, HOUR_US
from tests.incidents.world import CLEARED, FAILURE, FEEDER, RAISED, SUPPLY, event, lamp
from tests.portals_api.conftest import Open, Portals
from tests.portals_api.test_pages import HTML
from tests.portals_api.test_verdicts import say
from tests.support.small_city import NOW, run

EN = {**HTML, "Accept-Language": "en"}


async def past(p: Portals, number: int, days: int, finding: str | None = None, fault: FaultClass = FAILURE) -> str:
    """Let a lamp fail some days ago, and a crew say what it found; return the alarm."""
    at = NOW - days * DAY_US
    raised = event(RAISED, fault, lamp(number), at, raised_at=at)
    await p.alarm(raised, event(CLEARED, fault, lamp(number), at + HOUR_US, raised_at=at, cleared_at=at + HOUR_US))
    if finding is not None:
        (ticket,) = (await p.json("/api/v1/tickets", scope=f"L-{number}"))["items"]
        await say(p, ticket=ticket["id"], finding=finding, **({"words": "obras"} if finding == "other" else {}))
    return raised.alarm_id


def now(number: int) -> AlarmEvent:
    return event(RAISED, FAILURE, lamp(number), raised_at=NOW - HOUR_US)


@pytest.mark.usefixtures("data")
def test_an_alarm_tells_its_rule_its_values_and_the_hours_around_it(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(now(1))
            whole = await p.json(f"/api/v1/alarms/{now(1).alarm_id}")
            why = whole["explanation"]
            assert (why["rule"], why["observed"], why["expected"], why["unit"]) == ("test-rule", 0.4, 36.0, "W")
            assert (why["since"], why["until"], why["metric"]) == ("2026-11-23T21:20:00Z", None, "active_power_w")
            assert "observed 0.4 W" not in why["says"]
            assert "seen 0.4 W, expected 36 W" in why["says"]
            assert (why["from"], why["to"]) == ("2026-11-22T21:20:00Z", "2026-11-23T22:20:00Z")
            values = [point["value"] for point in why["points"]]
            assert len(values) == 101
            assert (max(values) > 30, values[-1]) == (True, 0.4)
            assert whole["ticket"] == 1
            assert (await p.json("/api/v1/tickets/1"))["alarm_list"][0]["url"] == f"/alarms/{whole['id']}"

    run(main())


@pytest.mark.usefixtures("data")
def test_cases_alike_come_judged_first_and_say_in_what_they_are_alike(portals: Open, rows: Any) -> None:
    rows("""UPDATE assets SET attributes = attributes || '{"lamp_type": "sodium"}', parent_id = 'C-9.F9'
             WHERE asset_id = 'L-4' RETURNING 1""")
    rows("UPDATE devices SET profile_id = 'other-make' WHERE asset_id = 'L-4' RETURNING 1")

    async def main() -> None:
        async with portals() as p:
            first = await past(p, 1, 9, "true")
            alike = await past(p, 2, 5, "false")
            unjudged = await past(p, 3, 2)
            await past(p, 4, 1, "true")  # another type, make and feeder
            await past(p, 5, 1, "true", FaultClass.LAMP_UNEXPECTED_ON)
            await p.alarm(now(1))
            whole = await p.json(f"/api/v1/alarms/{now(1).alarm_id}")
            assert [case["id"] for case in whole["similar"]] == [alike, first, unjudged]
            assert [case["same"] for case in whole["similar"]] == [
                ["feeder", "type", "profile"],
                ["asset", "feeder", "type", "profile"],
                ["feeder", "type", "profile"],
            ]
            assert [case["verdict"] and case["verdict"]["finding"] for case in whole["similar"]] == [
                "false",
                "true",
                None,
            ]
            assert whole["similar_counts"] == {"alike": 3, "true": 1, "false": 1, "other": 0}

    run(main())


@pytest.mark.usefixtures("data")
def test_pages_of_the_alarm_its_ticket_and_its_lamp_explain_it(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await past(p, 2, 5, "false")
            await p.alarm(now(1))
            (ticket,) = (await p.json("/api/v1/tickets", scope="L-1"))["items"]
            for path in (f"/alarms/{now(1).alarm_id}", ticket["url"], "/lamps/L-1"):
                text = (await p.http.get(path, headers=EN)).text
                assert "0.4 W" in text, path
                assert "−99 %" in text, path
                assert 'class="mark"' in text, path
                assert "Nothing was wrong" in text, path
                assert "same type" in text, path

    run(main())


@pytest.mark.usefixtures("data")
def test_where_nothing_was_measured_and_nothing_is_alike_the_page_says_so(portals: Open, rows: Any) -> None:
    rows("DELETE FROM readings RETURNING 1")

    async def main() -> None:
        async with portals() as p:
            outage = event(RAISED, SUPPLY, FEEDER)
            await p.alarm(outage, now(1))
            for one in (outage, now(1)):
                text = (await p.http.get(f"/alarms/{one.alarm_id}", headers=EN)).text
                assert "No case like it yet." in text
                assert '<svg class="chart"' not in text
            assert (await p.json(f"/api/v1/alarms/{outage.alarm_id}"))["explanation"]["points"] == []

    run(main())


@pytest.mark.usefixtures("data")
def test_of_two_devices_of_a_facility_the_page_names_the_one_and_draws_its_readings(portals: Open, rows: Any) -> None:
    rows("""INSERT INTO devices (device_id, asset_id, gateway_id, profile_id, shard, report_interval_s,
                                 silence_intervals)
            VALUES ('A-SCHOOL', 'SCHOOL', 'G-1', 'school', 0, 900, 4),
                   ('T-SCHOOL', 'SCHOOL', 'G-1', 'school', 0, 900, 4) RETURNING 1""")
    ((number,),) = rows("INSERT INTO series (device_id, metric) VALUES ('T-SCHOOL', 'co2_ppm') RETURNING series_id")
    rows(f"""INSERT INTO readings (series_id, observed_at, received_at, value, quality)
             SELECT {number}, at, at, 4321, 0 FROM generate_series(0, 20) AS n,
                    LATERAL (SELECT to_timestamp(1795472400 - n * 900) AS at) t RETURNING 1""")
    scope = Scope(AssetKind.FACILITY, "SCHOOL", "SCHOOL", "SCHOOL", "", "G-1", device_id="T-SCHOOL")
    raised = event(RAISED, FaultClass.CO2_TOO_HIGH, scope)
    raised = replace(raised, evidence=replace(raised.evidence, detail={"device": "T-SCHOOL", "metric": "co2_ppm"}))

    async def main() -> None:
        async with portals() as p:
            await p.alarm(raised)
            text = (await p.http.get(f"/alarms/{raised.alarm_id}", headers=EN)).text
            assert "<dt>Device</dt><dd>T-SCHOOL</dd>" in text
            why = (await p.json(f"/api/v1/alarms/{raised.alarm_id}"))["explanation"]
            assert {point["value"] for point in why["points"]} == {4321.0}

    run(main())


@pytest.mark.usefixtures("data")
def test_a_stranger_sees_no_alarm_of_a_feeder(portals: Open, rows: Any) -> None:
    rows("UPDATE installation SET simulated = false RETURNING 1")

    async def main() -> None:
        async with portals(crew_without_account=False) as p:
            outage = event(RAISED, SUPPLY, FEEDER)
            await p.alarm(outage, now(1))
            await p.json(f"/api/v1/alarms/{now(1).alarm_id}")
            await p.json(f"/api/v1/alarms/{outage.alarm_id}", 404)
            await p.json("/api/v1/alarms/nothing", 404)

    run(main())
