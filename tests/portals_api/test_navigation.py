import pytest

from portals_api.navigation import DOORS, doors_of, here_of
from tests.portals_api.conftest import Open
from tests.support.small_city import run


def test_only_what_is_served_is_offered() -> None:
    doors = doors_of({"/tickets", "/lamps", "/ledger"})
    assert [(d.name, d.href, [k.href for k in d.links]) for d in doors] == [
        ("Observa", "/ledger", ["/ledger"]),
        ("Cuida", "/tickets", ["/tickets", "/lamps"]),
    ]
    assert doors_of(set()) == ()


def test_a_page_is_behind_one_door_and_so_is_all_below_it() -> None:
    for door in DOORS:
        for link in door.links:
            assert here_of(DOORS, link.href) == door
            assert here_of(DOORS, link.href + "/1") == door
    for path, name in (("/series/7", "Observa"), ("/feeders/CM-1-A", "Cuida"), ("/gateways", "Cuida")):
        door_here = here_of(DOORS, path)
        assert door_here is not None
        assert door_here.name == name
    assert here_of(DOORS, "/") is None
    assert here_of(DOORS, "/lampshade") is None


@pytest.mark.usefixtures("data")
def test_every_link_around_a_page_leads_somewhere(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            page = (await p.http.get("/report", headers={"Accept": "text/html"})).text
            around = page.split("<main")[0] + page.split("</main>")[1]
            for href in {part.split('"')[0] for part in around.split('href="/')[1:]} - {""}:
                answer = await p.http.get("/" + href.replace("&amp;", "&"), headers={"Accept": "text/html"})
                assert answer.status_code == 200, href

    run(main())


def test_the_reader_chooses_the_colours_and_they_stay(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:

            async def colours(path: str) -> str:
                page = (await p.http.get(path, headers={"Accept": "text/html"})).text
                return page.split("<html")[1].split(">")[0].partition("data-theme=")[2]

            assert await colours("/report") == ""
            assert await colours("/report?theme=dark") == '"dark"'
            assert await colours("/lamps") == '"dark"'
            assert await colours("/lamps?theme=purple") == '"dark"'
            assert await colours("/lamps?theme=auto") == ""
            assert await colours("/lamps") == ""

    run(main())
