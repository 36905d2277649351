"""Observa's figures through the API and as pages."""

import csv
import io
import re
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime

import pytest
from markupsafe import escape

from observatory.figures import FIGURES, Value
from portals_api.i18n import Words, load_catalogues
from portals_api.observa.bars import bar_chart, spark
from portals_api.observa.figure_words import (
    BASES,
    BASES_OF_ONE,
    FRESH,
    SOURCES,
    UNITS,
    UNITS_OF_ONE,
    WHYS,
    WORDS,
    basis_of,
    rounded,
    unit_of,
)
from tests.incidents.world import FAILURE, RAISED, event, lamp
from tests.portals_api.conftest import Open
from tests.support.small_city import add_figures, run

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def figures(data: None, city_url: str) -> None:
    add_figures(city_url)


def test_every_figure_has_its_words() -> None:
    assert set(WORDS) == set(FIGURES)
    assert set(BASES) <= set(FIGURES)
    for figure in FIGURES.values():
        assert figure.unit in UNITS
        assert figure.none in WHYS
        assert SOURCES[figure.source]
        assert FRESH[figure.source]


def test_one_stands_beside_its_singular_in_every_language() -> None:
    assert set(BASES_OF_ONE) == set(BASES)
    assert set(UNITS_OF_ONE) == set(UNITS)
    opened, first = FIGURES["tickets-opened"], FIGURES["found-by-sensors"]
    for language, unit, units, basis, bases in (
        ("es", "incidencia", "incidencias", "{part} de una incidencia", "{part} de {whole} incidencias"),
        ("ast", "incidencia", "incidencies", "{part} d'una incidencia", "{part} de {whole} incidencies"),
        ("en", "ticket", "tickets", "{part} of one ticket", "{part} of {whole} tickets"),
    ):
        words = Words(language, load_catalogues((language,))[language], "UTC")
        assert [words.text(unit_of(opened, count)) for count in (0, 1, 2)] == [units, unit, units]
        assert words.text(basis_of(first, Value(100, 1, 1))) == basis
        assert words.text(basis_of(first, Value(50, 1, 2))) == bases


@pytest.mark.usefixtures("figures")
def test_the_list_holds_ten_with_definition_value_and_districts(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            found = await p.json("/api/v1/figures")
            assert found["next"] is None
            assert [item["id"] for item in found["items"]] == list(FIGURES)
            for item in found["items"]:
                assert set(item["definition"]) == {"what", "how", "source", "fresh"}
                assert [d["district"] for d in item["districts"]] == ["centre", "east"]
                assert (item["value"] is None) == (item["why"] is not None)
            lit = found["items"][0]
            assert 99 < lit["value"] <= 100
            assert lit["districts"][1]["why"] == "nothing-measured"

    run(main())


@pytest.mark.usefixtures("figures")
def test_one_figure_tells_every_hour_and_leaves_no_gap(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            found = await p.json("/api/v1/figures/lamps-lit")
            items = found["items"]
            assert [a["to"] for a in items[:-1]] == [b["from"] for b in items[1:]]
            told = {item["from"]: (item["value"], item["why"]) for item in items}
            assert told["2026-11-23T20:00:00Z"] == (100, None)
            assert told["2026-11-23T12:00:00Z"] == (None, "none-commanded")
            assert told["2026-11-23T22:00:00Z"] == (None, "not-yet-counted")
            days = await p.json("/api/v1/figures/lighting-energy", step="day", **{"from": "2026-11-22T00:00:00+01:00"})
            assert [item["from"] for item in days["items"]] == ["2026-11-21T23:00:00Z", "2026-11-22T23:00:00Z"]
            east = await p.json("/api/v1/figures/facility-air", district="east")
            assert (east["value"], east["district"], east["districts"]) == (100, "east", [])

    run(main())


@pytest.mark.usefixtures("figures")
def test_tickets_count_as_soon_as_they_are_there(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, FAILURE, lamp(1)))
            opened = await p.json("/api/v1/figures/tickets-opened")
            assert (opened["value"], opened["items"][-1]["value"]) == (1, 1)
            sensors = await p.json("/api/v1/figures/found-by-sensors", district="centre")
            assert (sensors["value"], sensors["part"], sensors["whole"]) == (100, 1, 1)

    run(main())


@pytest.mark.usefixtures("figures")
def test_csv_says_the_same_as_json(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            answer = await p.http.get("/api/v1/figures/lamps-lit.csv")
            assert answer.headers["content-type"] == "text/csv; charset=utf-8"
            rows = list(csv.DictReader(io.StringIO(answer.text)))
            items = (await p.json("/api/v1/figures/lamps-lit"))["items"]
            assert [(row["from"], row["why"]) for row in rows] == [(i["from"], i["why"] or "") for i in items]
            assert [row["value"] for row in rows] == ["" if i["value"] is None else str(i["value"]) for i in items]
            places = await p.http.get("/api/v1/figures/lamps-lit.csv", params={"by": "district"})
            assert [row["district"] for row in csv.DictReader(io.StringIO(places.text))] == ["centre", "east"]
            together = await p.http.get("/api/v1/figures.csv", params={"district": "centre"})
            assert {row["figure"] for row in csv.DictReader(io.StringIO(together.text))} == set(FIGURES)

    run(main())


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/v1/figures/happiness", 404, "ask for one of lamps-lit"),
        ("/api/v1/figures?district=moon", 404, "ask for one of centre, east"),
        ("/api/v1/figures?from=2026-11-24T00:00:00Z", 422, "let `from` lie before `to`"),
        ("/api/v1/figures?from=2020-01-01T00:00:00Z", 422, "that is too long"),
        ("/api/v1/figures/lamps-lit?step=year", 422, "hour"),
        ("/api/v1/figures/lamps-lit.csv?by=colour", 422, "by"),
        ("/api/v1/figures?from=yesterday", 422, "from"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_way_out(portals: Open, path: str, status: int, said: str) -> None:
    async def main() -> None:
        async with portals() as p:
            answer = await p.http.get(path)
            assert answer.status_code == status, answer.text
            assert said in answer.json()["error"]["message"]

    run(main())


@pytest.mark.usefixtures("figures")
@pytest.mark.parametrize("language", ["es", "ast", "en"])
def test_pages_show_value_definition_and_the_reason_where_there_is_none(portals: Open, language: str) -> None:
    async def main() -> None:
        async with portals() as p:
            accept = {**HTML, "Accept-Language": language}
            front = (await p.http.get("/observa", headers=accept)).text
            assert front.count('class="tile"') == 10
            words = load_catalogues((language,))[language].gettext
            for figure in FIGURES:
                page = await p.http.get(f"/observa/{figure}", headers=accept)
                assert page.status_code == 200
                assert escape(words(WORDS[figure].name)) in page.text
                assert not re.search(r"\sstyle=|\son\w+=", page.text)
            none = (await p.http.get("/observa/repair-time?district=east&step=day", headers=accept)).text
            assert words("There was no ticket to take it of.") in none

    run(main())


def test_pages_are_json_at_the_same_address(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            for page, data in (("/observa", "/api/v1/figures"), ("/observa/lamps-lit", "/api/v1/figures/lamps-lit")):
                answer = await p.http.get(page, headers={"Accept": "application/json"})
                assert answer.json() == await p.json(data)

    run(main())


def test_a_bar_of_nothing_is_a_stroke_and_the_chart_is_well_formed() -> None:
    words = Words("en", load_catalogues(("en",))["en"], "Europe/Madrid")
    at = datetime(2026, 11, 23, tzinfo=UTC)
    for bars in ([], [(at, None)], [(at, 0.0)], [(at, 5.0), (at, None), (at, 100.0)]):
        for drawn in (spark(bars), bar_chart(bars, unit="<%>", title='a "b" <c>', words=words, top=100.0)):
            root = ElementTree.fromstring(str(drawn))
            kinds = [one.get("class") for one in root if one.get("class") in ("bar", "gap")]
            assert kinds == ["gap" if value is None else "bar" for _, value in bars]


def test_one_dark_lamp_of_thirty_thousand_still_shows() -> None:
    lit = FIGURES["lamps-lit"]
    assert [rounded(lit, value) for value in (100.0, 99.9967, 99.97, 51.26, 0.0)] == [100.0, 99.99, 99.97, 51.3, 0.0]


def test_a_scale_of_counts_has_no_fractions() -> None:
    words = Words("en", load_catalogues(("en",))["en"], "UTC")
    at = datetime(2026, 11, 23, tzinfo=UTC)
    for highest, scale in ((1.0, ["0", "1", "2"]), (5.0, ["0", "3", "6"]), (4800.0, ["0", "2,400", "4,800"])):
        drawn = bar_chart([(at, highest)], unit="", title="t", words=words, whole=True)
        assert re.findall(r'class="end">([^<]+)<', drawn)[:3] == scale
