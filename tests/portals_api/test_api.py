import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from city.alarm import AlarmEventKind
from city.clock import MINUTE_US
from tests.incidents.world import CLEARED, FAILURE, FEEDER, RAISED, SUPPLY, event, lamp
from tests.portals_api.conftest import Open, Portals
from tests.support.small_city import LAMP_LAT, LAMP_LON, NOW, run

LISTS = ("lamps", "facilities", "tickets", "ledger", "readings")


async def every(portals: Portals, path: str, limit: int, **params: Any) -> list[dict[str, Any]]:
    """Follow `next` to the end."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        body = await portals.json(path, limit=limit, **params, **cursor)
        assert set(body) == {"items", "next"}
        assert len(body["items"]) <= limit
        items.extend(body["items"])
        if body["next"] is None:
            return items
        cursor = {"next": body["next"]}


def test_live_answers_and_ready_asks_database_and_log(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            assert (await p.json("/health/live")) == {"status": "live"}
            assert (await p.json("/health/ready"))["checks"] == {"database": "ok", "log": "ok"}

    run(main())


def test_ready_says_which_engine_is_missing(portals: Open) -> None:
    async def never() -> None:
        await asyncio.sleep(60)

    async def main() -> None:
        async with portals(engines={"broker": never}, ping_timeout_s=0.05) as p:
            body = await p.json("/health/ready", 503)
            assert body["checks"] == {"database": "ok", "log": "ok", "broker": "no answer in time"}
            assert body["error"]["code"] == "unavailable"
            await p.pool.close()
            assert (await p.json("/health/ready", 503))["checks"]["database"] != "ok"

    run(main())


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("path", LISTS)
def test_pages_of_every_list_join_to_the_whole(portals: Open, path: str) -> None:
    async def main() -> None:
        async with portals() as p:
            for number in range(1, 8):
                await p.alarm(event(RAISED, FAILURE, lamp(number)))
            params = {"device": "N-L-2"} if path == "readings" else {}
            whole = (await p.json(f"/api/v1/{path}", limit=1000, **params))["items"]
            assert len(whole) == {"lamps": 12, "facilities": 1, "tickets": 7, "ledger": 60, "readings": 384}[path]
            for limit in (1, 3, 60) if len(whole) < 100 else (100,):
                assert await every(p, f"/api/v1/{path}", limit, **params) == whole

    run(main())


@pytest.mark.usefixtures("data")
def test_all_readings_can_be_walked_without_a_filter(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            found = await every(p, "/api/v1/readings", 1000)
            assert len(found) == len({(r["series"], r["observed_at"]) for r in found}) == 25 * 192
            assert found[0].keys() >= {"device", "metric", "unit", "value", "observed_at", "received_at", "quality"}

    run(main())


@pytest.mark.usefixtures("data")
def test_filters_narrow_the_lists(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, FAILURE, lamp(1)))
            assert [i["id"] for i in (await p.json("/api/v1/lamps", state="faulty"))["items"]] == ["L-1"]
            assert (await p.json("/api/v1/lamps", district="east"))["items"] == []
            assert len((await p.json("/api/v1/lamps", feeder="C-1.F1"))["items"]) == 12
            assert (
                len((await p.json("/api/v1/tickets", state="new", scope="L-1", category="lampFailure"))["items"]) <= 1
            )
            assert (await p.json("/api/v1/tickets", state="closed"))["items"] == []
            window = {"from": "2026-11-23T18:00:00Z", "to": "2026-11-23T19:00:00Z"}
            one = await p.json("/api/v1/readings", device="N-L-2", metric="active_power_w", **window)
            assert len(one["items"]) == 4
            series = one["items"][0]["series"]
            assert (await p.json("/api/v1/readings", series=series, **window))["items"] == one["items"]
            assert (await p.json("/api/v1/readings", device="nobody"))["items"] == []
            ledger = await p.json("/api/v1/ledger", gateway="G-1", **window)
            assert {(i["gateway"], i["hour"]) for i in ledger["items"]} == {("G-1", "2026-11-23T18:00:00Z")}

    run(main())


@pytest.mark.usefixtures("data")
def test_the_ledger_balances_in_every_row(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            items = await every(p, "/api/v1/ledger", 7)
            for i in items:
                arrived = i["stored"] + i["duplicate"] + i["conflicting"] + i["quarantined"]
                assert i["appended"] == arrived + i["in_flight"]
            assert sum(i["missing"] for i in items) == 3

    run(main())


@pytest.mark.usefixtures("data")
def test_a_lamp_tells_what_it_was_told_and_what_it_does(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, SUPPLY, FEEDER))
            dark, lit = await p.json("/api/v1/lamps/L-1"), await p.json("/api/v1/lamps/L-2")
            assert (dark["commanded_on"], dark["seen"]["lit"], dark["state"]) == (True, False, "out")
            assert (lit["commanded_on"], lit["seen"]["lit"]) == (True, True)
            assert len((await p.json("/api/v1/facilities/SCHOOL"))["series"]) == 1

    run(main())


def test_a_report_joins_the_ticket_of_its_lamp(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, FAILURE, lamp(1)))
            body = {"category": "lamp-out", "lamp": "L-1", "description": "dark since Sunday", "email": "a@b.example"}
            answer = await p.http.post("/api/v1/reports", json=body)
            assert answer.status_code == 201
            said = answer.json()
            assert (said["ticket"], said["joined"], said["url"]) == (1, True, "/tickets/1")
            ticket = await p.json("/api/v1/tickets/1")
            assert [e["kind"] for e in ticket["timeline"]] == ["opened", "report_joined"]
            assert ticket["report_list"][0]["description"] == "dark since Sunday"
            assert "a@b.example" not in str(ticket)

    run(main())


def test_a_form_does_what_json_does_and_a_repeat_is_the_same_report(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            body = {"category": "damaged", "lat": str(LAMP_LAT), "lon": str(LAMP_LON), "request_key": "abcdefgh"}
            first = (await p.http.post("/api/v1/reports", data=body)).json()
            again = (await p.http.post("/api/v1/reports", data=body)).json()
            assert (first["joined"], first["repeated"], again["repeated"]) == (False, False, True)
            assert first["report"] == again["report"]
            other = await p.http.post("/api/v1/reports", data={**body, "category": "other"})
            assert other.status_code == 409

    run(main())


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "category"),
        ({"category": "lamp-out"}, "where"),
        ({"category": "nonsense", "place": "x"}, "choose one of"),
        ({"category": "lamp-out", "lamp": "../etc"}, "number"),
        ({"category": "lamp-out", "lat": 43.5}, "both"),
        ({"category": "lamp-out", "lat": 143.5, "lon": 0}, "lat"),
        ({"category": "lamp-out", "place": "x", "email": "no"}, "e-mail"),
        ({"category": "lamp-out", "place": "x", "description": "d" * 4001}, "description"),
        ({"category": "lamp-out", "place": "x", "extra": 1}, "extra"),
        ({"category": "lamp-out", "place": "x", "request_key": "'; drop"}, "request_key"),
        ({"category": 7, "place": "x"}, "category"),
    ],
)
def test_a_bad_report_is_refused_with_its_reason(
    portals: Open, rows: Callable[[str], list[tuple[Any, ...]]], body: dict[str, Any], word: str
) -> None:
    async def main() -> None:
        async with portals() as p:
            answer = await p.http.post("/api/v1/reports", json=body)
            assert answer.status_code == 422
            assert word in answer.json()["error"]["message"]

    run(main())
    assert rows("SELECT count(*) FROM reports") == [(0,)]


def test_odd_characters_are_taken_and_shown_harmlessly(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            text = "<script>alert(1)</script> \x00\x07\u202e ' \" {{ 7*7 }} ñ 😀"
            body = {"category": "other", "place": text, "description": text}
            assert (await p.http.post("/api/v1/reports", json=body)).status_code == 201
            page = await p.http.get("/tickets/1", headers={"Accept": "text/html"})
            assert "<script>alert" not in page.text
            assert "&lt;script&gt;alert(1)" in page.text
            assert "{{ 7*7 }}" in page.text

    run(main())


def test_a_crew_moves_a_ticket_and_a_stale_version_is_a_conflict(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, FAILURE, lamp(1)))
            path = "/api/v1/tickets/1/transitions"
            ticket = await p.json("/api/v1/tickets/1")
            assert ticket["crew_may"] == ["in_progress", "resolved", "assigned"]
            moved = await p.http.post(path, json={"to": "in_progress", "version": 1})
            assert moved.json()["state"] == "in_progress"
            stale = await p.http.post(path, json={"to": "resolved", "version": 1})
            assert stale.status_code == 409
            refused = await p.http.post(path, json={"to": "closed", "version": 2})
            assert refused.status_code == 409
            done = await p.http.post(path, json={"to": "resolved", "version": 2, "reason": "driver changed"})
            assert done.json()["verify_after"] > done.json()["updated_at"]
            await p.alarm(event(CLEARED, FAILURE, lamp(1), NOW + MINUTE_US, cleared_at=NOW + MINUTE_US))
            assert (await p.json("/api/v1/tickets/1"))["state"] == "closed"
            nobody = await p.http.post("/api/v1/tickets/99/transitions", json={"to": "resolved", "version": 2})
            assert nobody.status_code == 404

    run(main())


@pytest.mark.usefixtures("data")
def test_without_trust_nobody_acts_as_crew_and_feeders_stay_hidden(
    portals: Open, rows: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    rows("UPDATE installation SET simulated = false RETURNING 1")

    async def main() -> None:
        async with portals(crew_without_account=False) as p:
            await p.alarm(event(RAISED, FAILURE, lamp(1)), event(AlarmEventKind.RAISED, SUPPLY, FEEDER))
            await p.http.post("/api/v1/reports", json={"category": "other", "lamp": "L-1", "description": "secret"})
            assert [t["scope"]["id"] for t in (await p.json("/api/v1/tickets"))["items"]] == ["L-1", "L-1"]
            await p.json("/api/v1/tickets/2", 404)
            assert "secret" not in str(await p.json("/api/v1/tickets/3"))
            lamp_two = await p.json("/api/v1/lamps/L-2")
            assert (lamp_two["state"], lamp_two["feeder"], lamp_two["cabinet"]) == ("ok", None, None)
            answer = await p.http.post("/api/v1/tickets/1/transitions", json={"to": "resolved", "version": 1})
            assert answer.status_code == 403

    run(main())


def test_before_the_readings_are_laid_out_the_answer_is_to_wait(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            assert "not laid out" in (await p.json("/api/v1/readings", 503))["error"]["message"]

    run(main())


@pytest.mark.usefixtures("data")
def test_lamps_in_trouble_are_found_page_by_page(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            for number in (2, 5, 9):
                await p.alarm(event(RAISED, FAILURE, lamp(number)))
            faulty = await every(p, "/api/v1/lamps", 1, state="faulty")
            assert [i["id"] for i in faulty] == ["L-2", "L-5", "L-9"]
            assert (await p.json("/api/v1/lamps", state="out"))["items"] == []
            await p.alarm(event(RAISED, SUPPLY, FEEDER))
            out = await every(p, "/api/v1/lamps", 2, state="out", district="centre", feeder="C-1.F1")
            assert [i["id"] for i in out] == ["L-1", "L-10", "L-11", "L-12", "L-3", "L-4", "L-6", "L-7", "L-8"]
            assert {i["state"] for i in out} == {"out"}
            assert await every(p, "/api/v1/lamps", 5, state="faulty") == faulty

    run(main())


@pytest.mark.usefixtures("data")
def test_an_unknown_district_is_refused_with_the_valid_ones_wherever_one_may_be_asked_for(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            api = await p.json("/api/v1/openapi.json")
            operations = [
                path.replace("{figure_id}", "lamps-lit")
                for path, methods in api["paths"].items()
                if any(q["name"] == "district" for q in methods.get("get", {}).get("parameters", ()))
            ]
            assert {"/api/v1/lamps", "/api/v1/tickets", "/api/v1/status", "/api/v1/map/list"} <= set(operations)
            pages = ["/lamps", "/tickets", "/crew", "/status", "/observa", "/map/list", "/feeders"]
            for path in [*operations, *pages]:
                answer = await p.http.get(path, params={"district": "nope"}, headers={"Accept": "application/json"})
                assert answer.status_code == 404, path
                said = "there is no district 'nope': ask for one of centre, east"
                assert answer.json()["error"]["message"] == said, path
                answer = await p.http.get(path, params={"district": ""}, headers={"Accept": "application/json"})
                assert answer.status_code == 200, f"{path}: an empty field of a form is no filter"
            assert (await p.json("/api/v1/districts/nope", 404))["error"]["message"] == said

    run(main())
