import asyncio
import re
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from city.clock import HOUR_US, ManualClock
from city.reading import Reading, ReadingBatch
from incidents.outbox import publish_once
from incidents.store import Desk
from storage.pool import open_pool, transaction
from stream import codec
from stream.log import Append
from stream.logs.postgres import open_postgres_log
from tests.browser.conftest import Site
from tests.browser.test_pages import DESK, PHONE, visit
from tests.incidents.world import CLEARED, FAILURE, FEEDER, RAISED, SUPPLY, event, lamp
from tests.support.small_city import NOW

READY = "() => document.getElementById('map').dataset.ready === 'yes'"
SHOWN = """(id) => {
  const { map, lamps, states } = document.getElementById('map').cityMap;
  const drawn = map.queryRenderedFeatures({ layers: ['faults'] }).map((f) => lamps.ids[f.id]);
  return [states[lamps.index.get(id)], drawn.includes(id)];
}"""
"""The state of a lamp by the map's script, and whether its mark is drawn."""


def apart(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine while Playwright's own event loop occupies this thread."""
    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    thread.join(30)
    assert not thread.is_alive()


def fail(url: str, number: int) -> None:
    """Let detection raise a lamp's failure, as the desk's process would take it."""

    async def main() -> None:
        pool = await open_pool(url)
        log = await open_postgres_log(url)
        async with transaction(pool) as connection:
            await Desk(ManualClock(NOW)).take_alarms(connection, [event(RAISED, FAILURE, lamp(number))])
        await publish_once(pool, log)
        await log.close()
        await pool.close()

    apart(main)


def mend_the_feeder(url: str) -> None:
    """Let the outage of the story end, so that lamps are again what they were last seen doing."""

    async def main() -> None:
        pool = await open_pool(url)
        log = await open_postgres_log(url)
        over = event(CLEARED, SUPPLY, FEEDER, NOW, raised_at=NOW - 4 * HOUR_US, cleared_at=NOW)
        async with transaction(pool) as connection:
            await Desk(ManualClock(NOW)).take_alarms(connection, [over])
        await publish_once(pool, log)
        await log.close()
        await pool.close()

    apart(main)


def measure(url: str, series: int, value: float) -> None:
    """Append a reading, as ingest would."""

    async def main() -> None:
        log = await open_postgres_log(url)
        readings = ReadingBatch.of([Reading(series, 1, NOW + 60_000_000, NOW + 60_000_000, value)])
        await log.append([Append("readings", 0, codec.BATCH, codec.encode_batch(readings), NOW)])
        await log.close()

    apart(main)


def opened(page: Page, address: str = "/map") -> Page:
    page.goto(address)
    page.wait_for_function(READY)
    return page


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_a_dark_lamp_turns_red_on_the_open_map(
    browser: Browser, site: Site, city_url: str, size: dict[str, int]
) -> None:
    mend_the_feeder(city_url)
    with visit(browser, site, size=size) as page:
        opened(page, "/map#/lamp/L-5")
        expect(page.get_by_role("dialog")).to_contain_text("Encendida")
        assert page.evaluate(SHOWN, "L-5") == [2, False]
        counted = int(page.locator("[data-count=faulty]").inner_text())
        fail(city_url, 5)
        expect(page.get_by_role("dialog")).to_contain_text("Averiada")
        expect(page.locator("[data-count=faulty]")).to_have_text(str(counted + 1))
        page.wait_for_function(f"() => JSON.stringify(({SHOWN})('L-5')) === '[4,true]'")
        site.photograph(page, f"map-fault-{size['width']}")
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        page.get_by_role("dialog").get_by_role("link", name="Abrir su página").click()
        expect(page.locator("h1")).to_contain_text("L-5")


def test_the_card_keeps_the_readers_place_while_the_city_changes(browser: Browser, site: Site, city_url: str) -> None:
    mend_the_feeder(city_url)
    with visit(browser, site, size=DESK) as page:
        opened(page, "/map#/lamp/L-5")
        expect(page.locator("#map-told")).to_contain_text("En directo")
        card = page.get_by_role("dialog")
        link = card.get_by_role("link", name="Abrir su página")
        link.focus()
        page.evaluate("window.heldLink = document.activeElement")
        held = "document.activeElement === heldLink && heldLink.isConnected"
        faulty = int(page.locator("[data-count=faulty]").inner_text())
        fail(city_url, 6)
        expect(page.locator("[data-count=faulty]")).to_have_text(str(faulty + 1))
        assert page.evaluate(held)
        fail(city_url, 5)
        expect(card).to_contain_text("Averiada")
        expect(card.get_by_role("link")).to_have_text(["Abrir su página", re.compile("Incidencia #"), "Avisar de ella"])
        assert page.evaluate(held)


def test_a_lamp_that_goes_off_is_off_on_the_open_map(browser: Browser, site: Site, city_url: str) -> None:
    mend_the_feeder(city_url)
    with visit(browser, site, size=DESK, dark=True) as page:
        opened(page, "/map#/lamp/L-6")
        expect(page.get_by_role("dialog")).to_contain_text("Encendida")
        series = next(
            s["series"]
            for s in page.request.get("/api/v1/lamps/L-6").json()["series"]
            if s["metric"] == "active_power_w"
        )
        measure(city_url, series, 0.2)
        expect(page.get_by_role("dialog")).to_contain_text("Apagada")


def test_filters_are_in_the_address_and_the_way_back_undoes_them(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=DESK) as page:
        opened(page, "/map?state=faulty")
        expect(page.get_by_label("Encendida")).not_to_be_checked()
        shown = "() => [...document.getElementById('map').cityMap.shown]"
        assert page.evaluate(shown) == [4]
        page.get_by_label("Encendida").check()
        expect(page).to_have_url(re.compile(r"state=lit(,|%2C)faulty"))
        assert sorted(page.evaluate(shown)) == [2, 4]
        page.go_back()
        expect(page.get_by_label("Encendida")).not_to_be_checked()
        assert page.evaluate(shown) == [4]
        for state in ("Encendida", "Averiada"):
            page.get_by_label(state).uncheck()
        expect(page).to_have_url(re.compile(r"state=none"))
        page.reload()
        page.wait_for_function(READY)
        expect(page.locator(".map-filter input[name=state]:checked")).to_have_count(0)
        assert page.evaluate(shown) == []
        page.get_by_label("Distritos").uncheck()
        hidden = "() => document.getElementById('map').cityMap.map.getLayoutProperty('land', 'visibility')"
        assert page.evaluate(hidden) == "none"


def test_search_finds_and_the_address_leads_back_to_what_was_found(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=PHONE) as page:
        opened(page)
        field = page.get_by_label("Calle, número de farola o lugar")
        field.fill("colegio")
        page.get_by_role("button", name=re.compile("Colegio Uno")).click()
        expect(page.get_by_role("dialog")).to_contain_text("Colegio Uno")
        expect(page).to_have_url(re.compile("#/facility/SCHOOL"))
        page.reload()
        page.wait_for_function(READY)
        expect(page.get_by_role("dialog")).to_contain_text("Colegio Uno")
        field.fill("nadaquever")
        expect(page.get_by_text("No se encontró nada.")).to_be_visible()


OUTLINE = """UPDATE districts SET boundary = '{"type": "Polygon", "coordinates":
  [[[-5.7, 43.5], [-5.6, 43.5], [-5.6, 43.6], [-5.7, 43.6], [-5.7, 43.5]]]}' WHERE district_id = 'centre'"""


def test_every_kind_is_reached_by_its_address_and_leads_to_its_page(
    browser: Browser, site: Site, city_url: str
) -> None:
    with psycopg.connect(city_url, autocommit=True) as connection:
        connection.execute(OUTLINE)
    with visit(browser, site, size=DESK) as page:
        card = page.get_by_role("dialog")
        for end, title, link in (
            ("cabinet/C-1", "C-1", "/cabinets/C-1"),
            ("gateway/G-1", "G-1", "/gateways/G-1"),
            ("feeder/C-1.F1", "C-1.F1", "/feeders/C-1.F1"),
            ("district/centre", "Centro", "/districts/centre"),
            ("street/Calle%20Uno", "Calle Uno", "/map/list?street=Calle+Uno"),
        ):
            opened(page, f"/map#/{end}")
            expect(card.get_by_role("heading")).to_contain_text(title)
            expect(card.locator(f"a[href='{link}']")).to_have_count(1)
            assert page.request.get(link).ok
        assert page.evaluate("() => document.getElementById('map').cityMap.map.getCenter().lng") < -5.65
        page.get_by_label("Calle, número de farola o lugar").fill("c-1.f1")
        page.locator("#map-results").get_by_role("button", name="C-1.F1").click()
        expect(card).to_be_focused()
        expect(page).to_have_url(re.compile("#/feeder/C-1.F1"))


def test_an_address_that_names_nothing_says_so(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=PHONE) as page:
        card = page.get_by_role("dialog")
        for end in ("lamp/NOPE", "street/Calle%20Nunca", "bridge/7", "constructor/7", "lamp/%E0%A4%A"):
            opened(page, f"/map#/{end}")
            expect(card).to_contain_text("No hay nada con ese nombre en esta ciudad.")
            page.keyboard.press("Escape")
            expect(card).to_be_hidden()
        opened(page, "/map#/ticket/999")
        expect(card).to_contain_text("Esta incidencia no está abierta.")
        expect(card.get_by_role("link")).to_have_attribute("href", "/tickets/999")


DRAWN = "(layer) => document.getElementById('map').cityMap.map.queryRenderedFeatures({ layers: [layer] }).length"
NAMES_OVER_COUNTS = """() => {
  const { map } = document.getElementById('map').cityMap;
  const counts = map.queryRenderedFeatures({ layers: ['cluster-counts'] });
  const named = ({ geometry }) =>
    map.queryRenderedFeatures(map.project(geometry.coordinates), { layers: ['district-names'] }).length;
  return [counts.length, counts.filter(named).length];
}"""
AT_A_CLUSTER = """UPDATE districts SET boundary = '{"type": "Polygon", "coordinates":
  [[[-5.66, 43.53], [-5.64, 43.54945], [-5.66, 43.5689], [-5.68, 43.54945], [-5.66, 43.53]]]}'
  WHERE district_id = 'centre'"""
STREET = """() => {
  const city = document.getElementById('map').cityMap;
  const count = 9;
  const lamps = { street: new Int32Array(count), streets: ['Calle'], nowhere: new Set(),
    lat: Float64Array.from({ length: count }, (_, n) => 43.5 + (n % 2 ? 1e-4 : -1e-4)),
    lon: Float64Array.from({ length: count }, (_, n) => -5.6 + n * 2e-4) };
  return city.streetData.call({ lamps }).geometry.coordinates;
}"""
"""The line of a street from west to east whose lamps stand on either side in turn."""


def test_what_is_ticked_is_drawn_while_the_whole_city_is_seen(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=DESK) as page:
        opened(page, "/map?lat=43.54&lon=-5.64&zoom=10.2")
        for layer in ("facilities", "tickets", "faults"):
            page.wait_for_function(f"() => ({DRAWN})('{layer}') > 0")
        page.get_by_label("Cuadros y concentradores").check()
        page.wait_for_function(f"() => ({DRAWN})('equipment') > 0")


def test_a_count_wins_over_a_districts_name(browser: Browser, site: Site, city_url: str) -> None:
    with psycopg.connect(city_url, autocommit=True) as connection:
        connection.execute(AT_A_CLUSTER)
    with visit(browser, site, size=PHONE) as page:
        opened(page, "/map?lat=43.54945&lon=-5.66&zoom=11")
        page.wait_for_function("() => document.getElementById('map').cityMap.map.areTilesLoaded()")
        page.wait_for_function(f"() => ({DRAWN})('cluster-counts') === 2")
        assert page.evaluate(NAMES_OVER_COUNTS) == [2, 0]


def test_a_street_is_drawn_along_its_middle(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=PHONE) as page:
        opened(page)
        (line,) = page.evaluate(STREET)
        assert [lat for _, lat in line] == pytest.approx([43.5] * 9, abs=1e-9)
        assert [lon for lon, _ in line] == pytest.approx([-5.6 + n * 2e-4 for n in range(9)], abs=1e-9)


def test_everything_on_the_map_is_reached_by_keyboard_alone(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=DESK) as page:
        opened(page, "/map?lat=43.5427&lon=-5.66&zoom=17")
        page.get_by_label("Calle, número de farola o lugar").focus()
        page.keyboard.type("L-9")
        page.keyboard.press("Enter")
        expect(page.locator("#map-results button").first).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_be_focused()
        expect(page.get_by_role("dialog")).to_contain_text("L-9")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        canvas = page.locator("#map canvas")
        expect(canvas).to_be_focused()
        expect(page.locator("#map-keys")).to_be_visible()
        page.wait_for_function("() => !document.getElementById('map').cityMap.map.isMoving()")
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_contain_text("L-9")
        page.keyboard.press("Escape")
        page.keyboard.press("ArrowRight")
        page.wait_for_function("() => document.getElementById('map').cityMap.map.getCenter().lng > -5.6599")


def test_where_am_i_goes_there(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=PHONE) as page:
        opened(page, "/map?lat=43.5&lon=-5.6&zoom=12")
        page.get_by_role("button", name="¿Dónde estoy?").click()
        page.wait_for_function(
            "() => Math.abs(document.getElementById('map').cityMap.map.getCenter().lat - 43.5427) < 1e-4"
        )
        expect(page.locator("#map-told")).to_have_text("Estás aquí")


def test_a_lost_connection_is_said_and_mended(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=PHONE) as page:
        page.route("**/api/v1/stream**", lambda route: route.fulfill(status=404, body="{}"))
        opened(page)
        expect(page.locator("#map-told")).to_contain_text("Conexión perdida")
        page.unroute("**/api/v1/stream**")
        expect(page.locator("#map-told")).to_have_text("En directo: los cambios aparecen solos.", timeout=30_000)


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_without_scripts_the_list_says_the_same(browser: Browser, site: Site, size: dict[str, int]) -> None:
    # What the page asks to be loaded ahead for its scripts, a browser without scripts refuses: no complaint.
    width, height = size["width"], size["height"]
    with browser.new_context(
        viewport={"width": width, "height": height}, locale="es", java_script_enabled=False, base_url=site.url
    ) as context:
        page = context.new_page()
        page.goto("/map")
        page.get_by_role("link", name="La lista dice lo mismo sin mapa.").click()
        expect(page.locator("h1")).to_have_text("La ciudad ahora, en lista")
        page.get_by_label("Estado").select_option("faulty")
        page.get_by_role("button", name="Mostrar").click()
        expect(page.locator(".map-lamps li")).to_have_count(2)
        site.photograph(page, f"map-list-{size['width']}", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        for wanted, address in (("L-9", "/lamps/L-9"), ("colegio", "/facilities/SCHOOL"), ("uno", "/map/list?street=")):
            page.goto("/map")
            page.get_by_label("Calle, número de farola o lugar").fill(wanted)
            page.locator("#map-search button").click()
            expect(page.locator(f"main a[href^='{address}']").first).to_be_visible()


def test_a_reporter_points_at_the_lamp(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=PHONE) as page:
        page.goto("/report?lamp=L-7")
        loaded: list[str] = []
        page.on("request", lambda request: loaded.append(request.url))
        assert not any("maplibre" in url for url in loaded)
        page.get_by_role("button", name="Elegir en el mapa").click()
        page.wait_for_function(READY)
        canvas = page.locator("#map canvas")
        canvas.scroll_into_view_if_needed()
        page.get_by_label("Número de la farola").fill("")
        box = canvas.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(page.locator("#pick-said")).to_have_text("Farola L-7 elegida.")
        expect(page.get_by_label("Número de la farola")).to_have_value("L-7")
        site.photograph(page, "report-picked", full_page=True)
        page.get_by_role("button", name="Enviar el aviso").click()
        expect(page.get_by_role("status")).to_be_visible()
