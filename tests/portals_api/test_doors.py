"""The front page and its three doors."""

import re

import pytest

from city.clock import HOUR_US
from city.ticket import Actor, TicketState
from incidents.store import Desk
from tests.incidents.world import FAILURE, FEEDER, RAISED, SUPPLY, event, lamp
from tests.portals_api.conftest import Open
from tests.support.small_city import NOW, add_figures, run

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PAGES = ("/", "/observa", "/cuida", "/participa", "/status", "/follow", "/follow?street=uno", "/developers")


@pytest.fixture
def figures(data: None, city_url: str) -> None:
    add_figures(city_url)


@pytest.mark.parametrize("language", ["es", "ast", "en"])
def test_doors_open_before_anything_has_happened(portals: Open, data: None, language: str) -> None:
    async def main() -> None:
        async with portals() as p:
            for path in PAGES:
                answer = await p.http.get(path, headers={**HTML, "Accept-Language": language})
                assert answer.status_code == 200, (path, answer.text)
                assert f'<html lang="{language}">' in answer.text
                assert not re.search(r"\sstyle=|\son\w+=|<script>|<style", answer.text), path
                assert answer.text.count("<h1") == 1

    run(main())


@pytest.mark.usefixtures("figures")
def test_the_front_page_tells_what_happens_behind_each_door(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, FAILURE, lamp(1)), event(RAISED, SUPPLY, FEEDER))
            told = (await p.http.get("/", headers={"Accept": "application/json"})).json()
            assert told["figures"]["lamps"] == 12
            assert told["doors"]["observa"]["lit"] == 100
            assert told["doors"]["observa"]["tickets-opened"] == told["doors"]["cuida"]["open"] == 2
            assert told["doors"]["participa"]["facilities"] == 1
            page = (await p.http.get("/", headers={**HTML, "Accept-Language": "en"})).text
            for door in ("/observa", "/cuida", "/participa", "/report"):
                assert f'href="{door}"' in page
            assert "of the lamps lit" in page

    run(main())


@pytest.mark.usefixtures("figures")
def test_what_was_mended_says_how_long_it_took(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, FAILURE, lamp(1), NOW - 5 * HOUR_US, raised_at=NOW - 5 * HOUR_US))
            desk = Desk(p.clock)
            (ticket,) = (await p.json("/api/v1/tickets"))["items"]
            await desk.move(p.pool, ticket["id"], TicketState.RESOLVED, ticket["version"], Actor.CREW, "lamp changed")
            p.clock.advance(3600)
            (ticket,) = (await p.json("/api/v1/tickets"))["items"]
            await desk.move(p.pool, ticket["id"], TicketState.CLOSED, ticket["version"], Actor.OPERATOR, "")
            told = (await p.http.get("/cuida", headers={"Accept": "application/json"})).json()
            (mended,) = told["mended"]
            assert told["open"] == 0
            assert mended["repaired_at"] == "2026-11-23T22:20:00Z"
            assert mended["hours"] == told["week"]["repair-time"]
            page = (await p.http.get("/cuida", headers={**HTML, "Accept-Language": "ast"})).text
            assert "Iguao hai poco" in page
            assert "lamp changed" not in page

    run(main())
