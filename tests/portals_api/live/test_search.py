import pytest

from portals_api.live.inventory import Inventory, _columns, named
from portals_api.live.search import SearchIndex
from portals_api.visibility import Viewer

ALL, STRANGER = Viewer(staff=True, simulated=False), Viewer(staff=False, simulated=False)
STREETS = ("Calle de Uría", "Avenida de la Constitución", "Calle del Manzano")


def index() -> SearchIndex:
    rows = [(f"L-{n:05}", 43.5 + n / 1e4, -5.6, STREETS[n % 3], "centre", "F", "C", "G", 36.0) for n in range(1, 601)]
    place = {"lat": 43.5, "lon": -5.6, "district": "centre", "what": ""}
    places = [
        {**place, "id": "SCHOOL", "kind": "facility", "name": "Colegio Río Piles"},
        {**place, "id": "CM-07", "kind": "cabinet", "name": "CM-07"},
        {**place, "id": "CM-07-A", "kind": "feeder", "name": "CM-07-A"},
        {**place, "id": "GW-07", "kind": "gateway", "name": "Concentrador del norte"},
    ]
    ring = [[-5.7, 43.5], [-5.6, 43.5], [-5.6, 43.6], [-5.7, 43.5]]
    districts = [named({"id": "centre", "name": "Centro", "boundary": {"type": "Polygon", "coordinates": [ring]}})]
    return SearchIndex(Inventory(1, _columns(sorted(rows), []), places, districts))


@pytest.mark.parametrize(
    ("query", "kind", "identity"),
    [
        ("L-00042", "lamp", "L-00042"),
        ("l-00042", "lamp", "L-00042"),
        ("42", "lamp", "L-00042"),
        ("uria", "street", "Calle de Uría"),
        ("CONSTITUCION", "street", "Avenida de la Constitución"),
        ("manzano calle", "street", "Calle del Manzano"),
        ("rio piles", "facility", "SCHOOL"),
        ("centro", "district", "centre"),
        ("constitusion", "street", "Avenida de la Constitución"),
        ("colejio rio piles", "facility", "SCHOOL"),
        ("cm-07", "cabinet", "CM-07"),
        ("CM-07-A", "feeder", "CM-07-A"),
        ("gw-07", "gateway", "GW-07"),
        ("school", "facility", "SCHOOL"),
        ("centre", "district", "centre"),
    ],
)
def test_what_people_type_finds_what_they_mean(query: str, kind: str, identity: str) -> None:
    best = index().find(query, ALL, 10)[0]
    assert (best["kind"], best["id"]) == (kind, identity)


@pytest.mark.parametrize("query", ["", "  ", "zzzzzz", "'; DROP TABLE", "%", "ñ" * 80, "\x00"])
def test_what_means_nothing_finds_nothing(query: str) -> None:
    assert index().find(query, ALL, 10) == []


def test_a_number_that_many_lamps_begin_with_brings_as_many_as_were_asked_for() -> None:
    found = index().find("L-000", ALL, 7)
    assert [one["id"] for one in found] == [f"L-{n:05}" for n in range(1, 8)]


@pytest.mark.parametrize("query", ["cm-07", "CM-07-A", "GW-07", "concentrador"])
def test_a_stranger_does_not_find_equipment(query: str) -> None:
    assert index().find(query, STRANGER, 10) == []


@pytest.mark.parametrize(
    ("query", "url"),
    [
        ("42", "/lamps/L-00042"),
        ("rio piles", "/facilities/SCHOOL"),
        ("centro", "/districts/centre"),
        ("cm-07", "/cabinets/CM-07"),
        ("cm-07-a", "/feeders/CM-07-A"),
        ("gw-07", "/gateways/GW-07"),
    ],
)
def test_what_was_found_leads_to_its_page(query: str, url: str) -> None:
    assert index().find(query, ALL, 10)[0]["url"] == url


def test_a_street_stands_where_its_middle_lamp_stands() -> None:
    street = index().find("uria", ALL, 1)[0]
    assert street["lat"] == pytest.approx(43.5 + 303 / 1e4, abs=3.1e-4)
    assert street["url"] is None
