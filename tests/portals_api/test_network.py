from typing import Any

import pytest

from tests.incidents.world import FAILURE, FEEDER, RAISED, SILENT, SUPPLY, event, lamp
from tests.portals_api.conftest import Open
from tests.support.small_city import run

HTML = {"Accept": "text/html"}
STAFF_ONLY = ("/feeders/C-1.F1", "/cabinets/C-1", "/gateways/G-1", "/feeders", "/cabinets", "/gateways")


@pytest.mark.usefixtures("data")
def test_what_feeds_lamps_is_for_staff_alone_in_a_real_city(portals: Open, rows: Any) -> None:
    rows("UPDATE installation SET simulated = false RETURNING 1")

    async def main() -> None:
        async with portals(crew_without_account=False) as p:
            for path in STAFF_ONLY:
                for where in (path, f"/api/v1{path}"):
                    answer = await p.http.get(where, headers={"Accept": "application/json"})
                    assert answer.status_code == 404, where
                    assert "C-1" not in answer.json()["error"]["message"].replace(repr(path.split("/")[-1]), "")
            one = await p.json("/api/v1/lamps/L-2")
            assert (one["feeder"], one["neighbours"], one["devices"][0]["gateway"]) == (None, [], None)
            page = (await p.http.get("/lamps/L-2", headers=HTML)).text
            for name in ("C-1", "G-1"):
                assert f'/{name}"' not in page
            district = await p.json("/api/v1/districts/centre")
            assert district["lamp_states"]["out"] == 0

    run(main())


@pytest.mark.usefixtures("data")
def test_a_feeder_tells_what_its_lamps_do(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, FAILURE, lamp(1)))
            one = await p.json("/api/v1/feeders/C-1.F1")
            assert one["lamp_states"] == {"ok": 11, "faulty": 1, "out": 0}
            assert (one["cabinet"], one["phases"], one["rated_w"]) == ("C-1", {"R": 12}, 432.0)
            assert one["commanded_on"] is True
            assert one["streets"] == ["Calle Uno"]
            await p.alarm(event(RAISED, SUPPLY, FEEDER))
            one = await p.json("/api/v1/feeders/C-1.F1")
            assert one["lamp_states"]["out"] == 11
            assert [t["category"] for t in one["tickets"]] == ["supply-loss"]
            cabinet = await p.json("/api/v1/cabinets/C-1")
            feeder = cabinet["feeders"][0]
            assert (feeder["id"], feeder["lamps"], feeder["faulty"], feeder["ticket"]) == ("C-1.F1", 12, 1, 2)
            district = await p.json("/api/v1/districts/centre")
            assert district["lamp_states"] == {"ok": 0, "faulty": 1, "out": 11}
            assert [d["tickets"] for d in (await p.json("/api/v1/districts"))["items"]] == [2, 0]

    run(main())


@pytest.mark.usefixtures("data")
def test_a_gateway_tells_its_state_its_devices_and_its_hours(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, SILENT, lamp(8)))
            one = await p.json("/api/v1/gateways/G-1")
            assert (one["state"], one["device_count"], one["cabinets"]) == ("online", 13, ["C-1"])
            assert {d["heard_at"] for d in one["devices"]} == {"2026-11-23T22:20:00Z"}
            assert len(one["ledger"]) == 24
            page = (await p.http.get("/gateways/G-1", headers={**HTML, "Accept-Language": "en"})).text
            assert "Connected" in page

    run(main())


@pytest.mark.usefixtures("data")
def test_a_lamp_names_its_neighbours_and_its_device(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            one = await p.json("/api/v1/lamps/L-3")
            assert [n["id"] for n in one["neighbours"]] == ["L-11", "L-12", "L-2", "L-4", "L-5", "L-6"]
            assert [d["device"] for d in one["devices"]] == ["N-L-3"]
            assert one["expected_w"] == 36

    run(main())


@pytest.mark.usefixtures("data")
def test_a_facility_with_hours_says_whether_it_is_open(portals: Open, rows: Any) -> None:
    weekly = "[[[480, 1050]], [[480, 1050]], [[480, 1050]], [[480, 1050]], [[480, 1050]], [], []]"
    rows(
        'UPDATE assets SET attributes = attributes || \'{"opening": {"weekly": %s, "closed": []}}\''  # noqa: UP031
        " WHERE asset_id = 'SCHOOL' RETURNING 1" % weekly
    )

    async def main() -> None:
        async with portals() as p:
            one = await p.json("/api/v1/facilities/SCHOOL")
            assert (one["open_now"], one["changes_at"]) == (False, "2026-11-24T07:00:00Z")
            page = (await p.http.get("/facilities/SCHOOL", headers={**HTML, "Accept-Language": "en"})).text
            assert "Closed now" in page
            assert "08:00–17:30" in page

    run(main())


@pytest.mark.usefixtures("data")
def test_names_that_nobody_bears_are_not_found(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            for path in ("/feeders/L-1", "/cabinets/x y", "/gateways/NOBODY", "/districts/%00", "/districts/nowhere"):
                answer = await p.http.get(path, headers=HTML)
                assert answer.status_code == 404, path
                assert "<h1>" in answer.text

    run(main())
