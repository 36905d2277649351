"""Every facility as it is now, through the API and as pages."""

import json
from typing import Any

import psycopg
import pytest

from city.alarm import FaultClass
from city.asset import AssetKind
from city.opening import OpeningHours, parse_hours
from tests.portals_api.conftest import Open
from tests.support.small_city import run

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def set_hours(url: str, *lines: str) -> None:
    hours = json.dumps({"opening": OpeningHours(parse_hours(lines)).as_plain()})
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE assets SET attributes = attributes || %s::jsonb WHERE asset_id = 'SCHOOL'", (hours,))


@pytest.mark.usefixtures("data")
def test_a_facility_tells_its_sensors_and_when_they_were_heard(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            found = await p.json("/api/v1/status")
            (school,) = found["items"]
            assert found["next"] is None
            assert school["opening"] == {"open": None, "until": None}
            assert (school["state"], school["alarms"], school["heard_at"]) == ("ok", [], "2026-11-23T22:20:00Z")
            assert [(s["metric"], s["silent"]) for s in school["sensors"]] == [("co2_ppm", False)]
            assert (await p.json("/api/v1/status", district="centre"))["items"] == []
            assert (await p.json("/api/v1/status", kind="pool"))["items"] == []

    run(main())


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    ("hours", "told"),
    [
        ("mon-fri 22:00-24:00", {"open": True, "until": "2026-11-23T23:00:00Z"}),
        ("mon-fri 09:00-14:00", {"open": False, "until": "2026-11-24T08:00:00Z"}),
        ("mon-sun 00:00-24:00", {"open": True, "until": None}),
    ],
)
def test_open_or_closed_is_told_by_the_citys_clock_with_the_next_change(
    portals: Open, city_url: str, hours: str, told: dict[str, Any]
) -> None:
    set_hours(city_url, hours)

    async def main() -> None:
        async with portals() as p:
            assert (await p.json("/api/v1/status"))["items"][0]["opening"] == told
            page = (await p.http.get("/status", headers={**HTML, "Accept-Language": "en"})).text
            assert ("Open now" if told["open"] else "Closed now") in page

    run(main())


@pytest.mark.usefixtures("data")
def test_sensors_that_stopped_are_silent_and_an_alarm_matters_more(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            p.clock.advance(3600 + 1)
            assert (await p.json("/api/v1/status"))["items"][0]["state"] == "silent"
            async with p.pool.connection() as connection:
                await connection.execute(
                    "INSERT INTO alarms (alarm_id, fault, severity, scope_kind, scope_id, root_id, raised_at, evidence)"
                    " VALUES ('A', %s, 'medium', %s, 'SCHOOL', 'SCHOOL', now(), '{}')",
                    (str(FaultClass.COMMUNICATION_FAILURE), str(AssetKind.FACILITY)),
                )
            (school,) = (await p.json("/api/v1/status"))["items"]
            assert school["state"] == "alarm"
            assert [alarm["fault"] for alarm in school["alarms"]] == ["communicationFailure"]

    run(main())


def test_a_facility_without_devices_says_so(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            async with p.pool.connection() as connection:
                await connection.execute(
                    "CREATE TABLE readings (series_id integer, observed_at timestamptz, value float)"
                )
            (school,) = (await p.json("/api/v1/status"))["items"]
            assert (school["state"], school["heard_at"], school["sensors"]) == ("no-sensors", None, [])

    run(main())


@pytest.mark.usefixtures("data")
def test_the_list_is_paged_and_pages_are_json_at_their_address(portals: Open, city_url: str) -> None:
    with psycopg.connect(city_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO assets (asset_id, kind, name, root_id, correlation_group, attributes)"
            " SELECT 'P-' || n, 'facility', 'Piscina', 'P-' || n, 'S', '{\"kind\": \"pool\"}'"
            "   FROM generate_series(1, 3) AS n"
        )

    async def main() -> None:
        async with portals() as p:
            first = await p.json("/api/v1/status", limit=2)
            rest = await p.json("/api/v1/status", limit=2, next=first["next"])
            assert [one["id"] for one in first["items"] + rest["items"]] == ["P-1", "P-2", "P-3", "SCHOOL"]
            answer = await p.http.get("/status?kind=pool", headers={"Accept": "application/json"})
            assert len(answer.json()["items"]) == 3

    run(main())
