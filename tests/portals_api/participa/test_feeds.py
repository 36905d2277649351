"""Feeds as a feed reader sees them."""

import uuid
import xml.etree.ElementTree as ElementTree
from datetime import datetime

import psycopg
import pytest

from city.ticket import Actor, TicketState
from incidents.store import Desk, NewReport
from portals_api.participa.atom import NAMESPACE, Entry, Feed, render
from portals_api.participa.streets import slug
from tests.incidents.world import CLEARED, FAILURE, FEEDER, RAISED, SUPPLY, event, lamp
from tests.portals_api.conftest import Open, Portals
from tests.support.small_city import NOW, run

A = f"{{{NAMESPACE}}}"
SECRET = "my neighbour Ana <b>did</b> it"


async def fetch(p: Portals, path: str, language: str = "en") -> ElementTree.Element:
    answer = await p.http.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    root = ElementTree.fromstring(answer.content)
    assert_valid(root)
    return root


def assert_valid(root: ElementTree.Element) -> None:
    """Assert what RFC 4287 requires of a feed."""
    assert root.tag == f"{A}feed"
    for one in (root, *root.findall(f"{A}entry")):
        for name in ("id", "title", "updated"):
            assert len(one.findall(f"{A}{name}")) == 1
        uuid.UUID(one.findtext(f"{A}id", ""))
        assert datetime.fromisoformat(one.findtext(f"{A}updated", "")).tzinfo is not None
        for link in one.findall(f"{A}link"):
            assert link.attrib["href"].startswith("http://localhost/")
    assert len(root.findall(f"{A}author/{A}name")) == 1
    assert [link.get("rel") for link in root.findall(f"{A}link")] == ["self", "alternate"]
    ids = [one.text for one in root.iter(f"{A}id")]
    assert len(ids) == len(set(ids))


def titles(root: ElementTree.Element) -> list[str]:
    return [one.findtext(f"{A}title", "") for one in root.findall(f"{A}entry")]


def test_a_street_tells_of_its_lamps_and_of_what_feeds_them(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, FAILURE, lamp(1)))
            await p.alarm(event(RAISED, SUPPLY, FEEDER))
            root = await fetch(p, "/feeds/street/calle-uno.atom")
            assert root.findtext(f"{A}title") == "Calle Uno · Test"
            assert "Street light out: New (Calle Uno)" in titles(root)
            assert any(title.startswith("Whole street dark") for title in titles(root))

    run(main())


def test_ids_stay_when_more_happens_and_whatever_the_language(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, FAILURE, lamp(1)))
            before = await fetch(p, "/feeds/district/centre.atom")
            await p.alarm(event(CLEARED, FAILURE, lamp(1), NOW + 1, cleared_at=NOW + 1))
            after = await fetch(p, "/feeds/district/centre.atom", "ast")
            known = [one.text for one in before.iter(f"{A}id")]
            assert len(list(after.iter(f"{A}id"))) == len(known) + 1
            assert {one.text for one in after.iter(f"{A}id")} > set(known)
            assert titles(after)[0] == "Farola apagada: Paez recuperada (Calle Uno)"
            newest = after.findall(f"{A}entry")[0]
            assert after.findtext(f"{A}updated") == newest.findtext(f"{A}updated")

    run(main())


def test_who_has_it_already_gets_nothing_again(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            first = await p.http.get("/feeds/facility/SCHOOL.atom")
            tag = first.headers["etag"]
            for given in (tag, f'"other", W/{tag}', "*"):
                again = await p.http.get("/feeds/facility/SCHOOL.atom", headers={"If-None-Match": given})
                assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
            await p.alarm(event(RAISED, FAILURE, lamp(1)))
            changed = await p.http.get("/feeds/district/centre.atom", headers={"If-None-Match": tag})
            assert changed.status_code == 200
            assert changed.headers["cache-control"] == "public, max-age=60"

    run(main())


def test_nobodys_words_are_in_any_feed(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            desk = Desk(p.clock)
            taken = await desk.take_report(p.pool, NewReport("damaged", "L-1", place=SECRET, description=SECRET))
            ticket = await p.json(f"/api/v1/tickets/{taken.ticket_id}")
            await desk.move(p.pool, ticket["id"], TicketState.RESOLVED, ticket["version"], Actor.CREW, SECRET)
            await desk.take_report(p.pool, NewReport("damaged", lat=43.5427, lon=-5.66, place=SECRET))
            for path in ("/feeds/district/centre.atom", "/feeds/street/calle-uno.atom"):
                body = (await p.http.get(path)).text
                assert "ticket" in body
                assert "Ana" not in body

    run(main())


def test_names_with_markup_are_escaped_and_unknown_ones_are_404(portals: Open, city_url: str) -> None:
    with psycopg.connect(city_url, autocommit=True) as connection:
        connection.execute("""UPDATE districts SET name = 'A & <B> "C"' WHERE district_id = 'centre'""")

    async def main() -> None:
        async with portals() as p:
            root = await fetch(p, "/feeds/district/centre.atom")
            assert root.findtext(f"{A}title") == 'A & <B> "C" · Test'
            for path in ("district/none", "street/calle-dos", "facility/L-1", "facility/..%2f", "colour/red"):
                assert (await p.http.get(f"/feeds/{path}.atom")).status_code == 404

    run(main())


def test_follow_finds_streets_without_their_accents(portals: Open, city_url: str) -> None:
    with psycopg.connect(city_url, autocommit=True) as connection:
        connection.execute(
            'UPDATE assets SET attributes = attributes || \'{"street": "Calle del Río Nalón"}\''
            " WHERE asset_id = 'L-2'"
        )

    async def main() -> None:
        async with portals() as p:
            found = (await p.http.get("/follow?street=NALON rio", headers={"Accept": "application/json"})).json()
            assert found["streets"] == [
                {"name": "Calle del Río Nalón", "feed": "/feeds/street/calle-del-rio-nalon.atom"}
            ]
            await fetch(p, found["streets"][0]["feed"])
            for one in found["districts"] + found["facilities"]:
                await fetch(p, one["feed"])

    run(main())


@pytest.mark.parametrize(
    ("street", "expected"),
    [
        ("Calle de la Playa", "calle-de-la-playa"),
        ("  C/ Ñora, 2ª ", "c-nora-2a"),
        ("Λεωφόρος", "street-"),
        ("***", "street-"),
    ],
)
def test_a_streets_slug_is_safe_in_an_address(street: str, expected: str) -> None:
    assert slug(street).startswith(expected)
    assert slug(street) == slug(street)


def test_control_characters_never_break_a_feed() -> None:
    entry = Entry("e/1", "2026-11-23T22:20:00Z", "a\x00b\x0b<c>", "d & \ud800e", "http://localhost/x?a=1&b=2")
    feed = Feed("f", "Test", "t", "s", "2026-11-23T22:20:00Z", "es", "http://localhost/f", "http://localhost/", [entry])
    root = ElementTree.fromstring(render(feed))
    assert titles(root) == ["ab<c>"]
