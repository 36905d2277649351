import re
from typing import Any

import pytest

from tests.incidents.world import FAILURE, FEEDER, RAISED, SUPPLY, event, lamp
from tests.portals_api.conftest import Open
from tests.support.small_city import run

PAGES = (
    "/",
    "/crew",
    "/tickets",
    "/tickets/1",
    f"/alarms/{event(RAISED, FAILURE, lamp(1)).alarm_id}",
    "/lamps",
    "/lamps/L-1",
    "/facilities",
    "/facilities/SCHOOL",
    "/report",
    "/precision",
    "/energy",
    "/lives",
    "/ledger",
    "/feeders",
    "/cabinets",
    "/gateways",
    "/feeders/C-1.F1",
    "/cabinets/C-1",
    "/gateways/G-1",
    "/districts",
    "/districts/centre",
    "/series/1",
    "/air",
)
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("language", ["es", "ast", "en"])
def test_every_page_renders_in_each_language_without_inline_code(portals: Open, language: str) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, FAILURE, lamp(1)), event(RAISED, SUPPLY, FEEDER))
            for path in PAGES:
                answer = await p.http.get(path, headers={**HTML, "Accept-Language": language})
                assert answer.status_code == 200, (path, answer.text)
                assert f'<html lang="{language}">' in answer.text
                assert not re.search(r"\sstyle=|\son\w+=|<script>|<style", answer.text), path

    run(main())


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("path", PAGES)
def test_every_page_exists_as_json(portals: Open, path: str) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, FAILURE, lamp(1)))
            answer = await p.http.get(path, headers={"Accept": "application/json"})
            assert answer.headers["content-type"] == "application/json"
            assert answer.status_code == 200

    run(main())


def test_pages_of_an_empty_city_say_so(portals: Open, rows: Any) -> None:
    rows("DELETE FROM assets RETURNING 1")

    async def main() -> None:
        async with portals() as p:
            for path in ("/", "/crew", "/tickets", "/lamps", "/facilities", "/ledger", "/report"):
                answer = await p.http.get(path, headers=HTML)
                assert answer.status_code == 200, path
                if path not in ("/", "/report"):
                    assert 'class="empty"' in answer.text, path

    run(main())


def test_the_language_is_what_one_asked_for_then_chose_then_prefers(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:

            async def language(path: str, **headers: str) -> str:
                return (await p.http.get(path, headers={**HTML, **headers})).headers["content-language"]

            assert await language("/report", **{"Accept-Language": "fr, en;q=0.8, es;q=0.5"}) == "en"
            assert await language("/report", **{"Accept-Language": "fr"}) == "es"
            assert await language("/report", **{"Accept-Language": "ast-ES, es;q=0.8"}) == "ast"
            assert await language("/report?lang=en") == "en"
            assert await language("/report", **{"Accept-Language": "es"}) == "en"
            assert await language("/report?lang=xx", **{"Accept-Language": ";;q=q,"}) == "en"

    run(main())


def test_a_missing_page_is_a_page(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            for path in ("/nothing", "/tickets/77", "/lamps/NOBODY"):
                answer = await p.http.get(path, headers={**HTML, "Accept-Language": "es"})
                assert answer.status_code == 404
                assert "Aquí no hay nada" in answer.text

    run(main())


def test_the_form_reports_and_keeps_what_was_written_when_it_is_refused(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            words = {
                "category": "other",
                "description": "half a <b>story</b>",
                "lamp": "",
                "place": "",
                "email": "",
                "lat": "",
                "lon": "",
            }
            refused = await p.http.post("/report?lang=es", data=words, headers=HTML)
            assert refused.status_code == 422
            assert "half a &lt;b&gt;story" in refused.text
            assert "di dónde" in refused.text
            unknown = await p.http.post("/report", data={**words, "lamp": "L-77"}, headers=HTML)
            assert unknown.status_code == 422
            taken = await p.http.post("/report", data={**words, "lamp": "L-1"}, headers=HTML)
            assert (taken.status_code, taken.headers["location"]) == (303, "/tickets/1?thanks=opened")
            page = await p.http.get("/tickets/1?thanks=opened", headers=HTML)
            assert "Tu aviso ha abierto" in page.text

    run(main())


def test_a_crew_acts_by_form_and_sees_a_conflict_on_the_page(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, FAILURE, lamp(1)))
            path = "/tickets/1/transitions"
            done = await p.http.post(path, data={"to": "in_progress", "version": "1", "reason": ""}, headers=HTML)
            assert (done.status_code, done.headers["location"]) == (303, "/tickets/1")
            stale = await p.http.post(path, data={"to": "resolved", "version": "1"}, headers=HTML)
            assert stale.status_code == 409
            assert 'role="alert"' in stale.text
            nonsense = await p.http.post(path, data={"to": "x", "version": "y"}, headers=HTML)
            assert nonsense.status_code == 422

    run(main())


def test_a_lamp_is_found_by_its_number(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            found = await p.http.get("/lamps", params={"id": " L-3 "}, headers=HTML)
            assert found.headers["location"] == "/lamps/L-3"
            assert (await p.http.get("/lamps", params={"id": "L-99"}, headers=HTML)).status_code == 404

    run(main())


@pytest.mark.usefixtures("data")
def test_no_code_of_ours_is_shown_to_people(portals: Open, rows: Any) -> None:
    rows("INSERT INTO metrics VALUES ('no2_ug_m3', 'ug/m3', 0, 500), ('made_up_by_a_city', 'W/m2', 0, 9) RETURNING 1")
    rows("INSERT INTO series (device_id, metric) VALUES ('S-SCHOOL', 'no2_ug_m3') RETURNING 1")
    rows("UPDATE devices SET profile_id = 'pool-sensor' WHERE device_id = 'S-SCHOOL' RETURNING 1")
    rows("UPDATE devices SET profile_id = 'lamp-controller' WHERE device_id = 'N-L-1' RETURNING 1")
    rows("UPDATE assets SET attributes = '{\"schedule_id\": \"astronomical\"}' WHERE asset_id = 'C-1.F1' RETURNING 1")
    rows("INSERT INTO series (device_id, metric) VALUES ('S-SCHOOL', 'made_up_by_a_city') RETURNING 1")

    async def main() -> None:
        async with portals() as p:
            page = (await p.http.get("/facilities/SCHOOL", headers={**HTML, "Accept-Language": "es"})).text
            assert "Dióxido de nitrógeno" in page
            assert "Made up by a city" in page
            for code in ("no2_ug_m3", "co2_ppm", "made_up", "ug/m3", "pool-sensor"):
                assert code not in page, code
            for language, pool, controller, schedule in (
                ("es", "Sensores de la piscina", "Controlador de la farola", "del anochecer al amanecer"),
                ("ast", "Sensores de la piscina", "Controlador de la farola", "del escurecer al amanecer"),
                ("en", "Sensors of the swimming pool", "Controller of the lamp", "from dusk to dawn"),
            ):
                headers = {**HTML, "Accept-Language": language}
                assert pool in (await p.http.get("/facilities/SCHOOL", headers=headers)).text
                page = (await p.http.get("/lamps/L-1", headers=headers)).text
                assert controller in page
                assert "lamp-controller" not in page
                page = (await p.http.get("/feeders/C-1.F1", headers=headers)).text
                assert schedule in page
                assert "astronomical" not in page
            error = (await p.http.get("/tickets/77", headers={**HTML, "Accept-Language": "es"})).text
            assert "there is no ticket" not in error

    run(main())


@pytest.mark.usefixtures("data")
def test_a_page_says_where_one_is_and_its_data_is_what_it_shows(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, FAILURE, lamp(1)), event(RAISED, FAILURE, lamp(2)))
            await p.http.post("/api/v1/tickets/1/transitions", json={"to": "resolved", "version": 1})
            for path in ("/tickets/1", "/lamps/L-1", "/facilities/SCHOOL"):
                page = (await p.http.get(path, headers=HTML)).text
                assert f'<a href="/{path.split("/")[1]}" aria-current="page">' in page
            page = (await p.http.get("/tickets?state=open&category=lamp-out", headers=HTML)).text
            assert "#1" in page
            data = page.split('rel="alternate" type="application/json" href="')[1].split('"')[0].replace("&amp;", "&")
            assert [t["id"] for t in (await p.json(data))["items"]] == [2, 1]
            page = (await p.http.get("/tickets?state=resolved", headers=HTML)).text
            assert "/api/v1/tickets?state=resolved" in page
            page = (await p.http.get("/lamps?district=centre&state=faulty", headers=HTML)).text
            assert "/api/v1/lamps?district=centre&amp;state=faulty" in page
            assert "L-3<" not in page
            assert "Gracias" not in (await p.http.get("/tickets/1?thanks=x", headers=HTML)).text

    run(main())


def test_a_report_that_names_no_district_is_in_the_list_of_every_crew(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            for report in ({"place": "behind the market"}, {"lat": 43.5445, "lon": -5.661}):
                answer = await p.http.post("/api/v1/reports", json={"category": "damaged", **report})
                assert answer.status_code == 201
            east = await p.http.get("/crew?district=east", headers={"Accept": "application/json"})
            assert [t["id"] for t in east.json()["items"]] == [1]
            assert (await p.json("/api/v1/tickets/2"))["district"] == "centre"

    run(main())


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("language", ["es", "ast", "en"])
def test_pages_call_districts_by_their_names(portals: Open, language: str) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, FAILURE, lamp(1)), event(RAISED, SUPPLY, FEEDER))
            for path in PAGES:
                text = (await p.http.get(path, headers={**HTML, "Accept-Language": language})).text
                assert not re.search(r">\s*(centre|east)\s*<", text), path
            for path in ("/lamps/L-1", "/tickets/1", "/feeders/C-1.F1", "/cabinets/C-1", "/gateways/G-1"):
                text = (await p.http.get(path, headers={**HTML, "Accept-Language": language})).text
                assert '<a href="/districts/centre">Centro</a>' in text, path
            text = (await p.http.get("/facilities/SCHOOL", headers=HTML)).text
            assert '<a href="/districts/east">Este</a>' in text

    run(main())
