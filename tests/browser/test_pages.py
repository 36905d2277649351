from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from city.alarm import FaultClass, alarm_id
from city.clock import HOUR_US
from tests.browser.conftest import Site
from tests.support.small_city import NOW

LEFT = "net::ERR_ABORTED"
"""What a request says whose page was left before it ended: a person who clicks on is no fault of the page."""
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 900}
SIZES = {"desk": DESK, "phone": PHONE}
PAGES = {
    "home": "/",
    "crew": "/crew",
    "tickets": "/tickets",
    "ticket-lamp": "/tickets/1",
    "ticket-outage": "/tickets/4",
    "alarm": f"/alarms/{alarm_id(FaultClass.LAMP_FAILURE, 'L-2', NOW - 4 * HOUR_US)}",
    "alarm-outage": f"/alarms/{alarm_id(FaultClass.SUPPLY_LOSS, 'C-1.F1', NOW - 4 * HOUR_US)}",
    "lamps": "/lamps",
    "lamp": "/lamps/L-1",
    "lamp-fine": "/lamps/L-3",
    "facilities": "/facilities",
    "facility": "/facilities/SCHOOL",
    "report": "/report?lamp=L-1",
    "ledger": "/ledger",
    "observa": "/observa",
    "figure": "/observa/lamps-lit?step=hour",
    "figure-none": "/observa/repair-time?district=east&step=day",
    "precision": "/precision",
    "energy": "/energy?days=90",
    "lives": "/lives",
    "cuida": "/cuida",
    "participa": "/participa",
    "status": "/status",
    "follow": "/follow?street=calle",
    "developers": "/developers",
    "ledger-gateway": "/ledger?gateway=G-1",
    "feeders": "/feeders",
    "feeder": "/feeders/C-1.F1",
    "cabinets": "/cabinets",
    "cabinet": "/cabinets/C-1",
    "gateways": "/gateways",
    "gateway": "/gateways/G-1",
    "districts": "/districts",
    "district": "/districts/centre",
    "series": "/series/1",
    "air": "/air",
    "operator": "/operator",
    "letters": "/operator/letters",
    "letter": "/operator/letters/log-0-1",
    "letter-bytes": "/operator/letters/log-1-0",
    "credentials": "/operator/credentials?all=1",
    "credential": "/operator/credentials/2",
    "credential-revoke": "/operator/credentials/2/revoke",
    "operator-devices": "/operator/devices",
    "operator-device": "/operator/devices/N-L-1",
    "operator-unknown": "/operator/unknown",
    "operator-gateways": "/operator/gateways?new=GW-77",
    "operator-gateway": "/operator/gateways/G-1",
    "operator-profiles": "/operator/profiles",
    "operator-changes": "/operator/changes",
    "operator-thresholds": "/operator/thresholds",
    "operator-maintenance": "/operator/maintenance",
    "missing": "/tickets/999",
}


@contextmanager
def visit(
    browser: Browser,
    site: Site,
    *,
    size: ViewportSize,
    language: str = "es",
    scripts: bool = True,
    dark: bool = False,
) -> Iterator[Page]:
    """Open a fresh window; whatever the console or the policy complains about fails the test."""
    context = browser.new_context(
        viewport=size,
        locale=language,
        java_script_enabled=scripts,
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",  # A colour on its way to another is no colour of ours.
        base_url=site.url,
        permissions=["geolocation"],
        geolocation={"latitude": 43.5427, "longitude": -5.66},
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("requestfailed", lambda request: complaints.append(request.url) if request.failure != LEFT else None)
    yield page
    context.close()
    assert [c for c in complaints if "status of 4" not in c] == []


@pytest.mark.parametrize("language", ["es", "ast", "en"])
def test_every_page_fits_its_screen_in_each_language(browser: Browser, site: Site, language: str) -> None:
    with visit(browser, site, size=DESK, language=language, dark=language == "en") as page:
        for title, path in PAGES.items():
            page.goto(path)
            expect(page.locator("h1")).to_have_count(1)
            assert page.locator("html").get_attribute("lang") == language
            for name, size in SIZES.items():
                page.set_viewport_size(size)
                wide = page.evaluate("document.documentElement.scrollWidth")
                site.photograph(page, f"{title}-{name}-{language}", full_page=True)
                assert wide <= size["width"], f"{path} is {wide} wide"


@pytest.mark.parametrize("path", ["/developers", "/ledger", "/gateways/G-1"])
def test_on_a_phone_no_column_lies_past_the_edge(browser: Browser, site: Site, path: str) -> None:
    with visit(browser, site, size=PHONE) as page:
        page.goto(path)
        cells = page.locator("table.stack :is(td, th[scope=row])")
        assert cells.count() > 0
        edges = cells.evaluate_all("cells => cells.map(c => c.getBoundingClientRect().right)")
        assert max(edges) <= PHONE["width"]
        roles = page.get_by_role("row").count()
        assert roles > 1, "what looks like cards is still a table to who listens"


def test_the_status_page_is_short_and_opens_sensors_on_demand(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=PHONE, language="en", scripts=False) as page:
        page.goto("/status")
        expect(page.get_by_role("heading", name="School", exact=True)).to_be_visible()
        value = page.locator(".place .sensors dt").first
        expect(value).to_be_hidden()
        page.locator(".place summary").first.click()
        expect(value).to_be_visible()


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_the_bars_of_a_card_end_where_the_card_ends(browser: Browser, site: Site, size: ViewportSize) -> None:
    with visit(browser, site, size=size) as page:
        page.goto("/observa")
        over = page.locator(".tile").evaluate_all(
            "tiles => tiles.map(t => t.querySelector('svg').getBoundingClientRect().right"
            " - t.getBoundingClientRect().right)"
        )
        assert len(over) == 10
        assert max(over) <= 0


@pytest.mark.parametrize("scripts", [True, False], ids=["with-scripts", "without-scripts"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_a_citizen_reports_a_lamp_and_says_later_that_it_is_still_dark(
    browser: Browser, site: Site, size: ViewportSize, scripts: bool
) -> None:
    with visit(browser, site, size=size, scripts=scripts) as page:
        page.goto("/lamps/L-2")
        page.get_by_role("link", name="Avisar de esta farola").click()
        expect(page.get_by_label("Número de la farola")).to_have_value("L-2")
        page.get_by_label("Farola apagada").check()
        page.get_by_label("Con tus palabras").fill("Sigue <b>apagada</b>")
        page.get_by_role("button", name="Enviar el aviso").click()
        expect(page.get_by_role("status")).to_contain_text("se ha unido a una incidencia ya abierta")
        expect(page.get_by_text("Una persona: sigue sin funcionar")).to_be_visible()
        expect(page.get_by_text("Sigue <b>apagada</b>")).to_be_visible()
        page.get_by_role("button", name="Sigue sin funcionar").click()
        expect(page.get_by_role("status")).to_be_visible()


def test_a_refused_report_says_why_and_keeps_the_words(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=PHONE, language="en", scripts=False) as page:
        page.goto("/report")
        page.get_by_label("Number on the lamp post").fill("L-777")
        page.get_by_label("In your words").fill("around the corner")
        page.get_by_role("button", name="Send the report").click()
        expect(page.get_by_role("alert")).to_contain_text("There is no lamp of that number")
        expect(page.get_by_label("In your words")).to_have_value("around the corner")
        site.photograph(page, "report-refused-phone-en", full_page=True)
        page.get_by_label("Number on the lamp post").fill("")
        page.get_by_label("Or the place in words").fill("behind the market")
        page.get_by_role("button", name="Send the report").click()
        expect(page.get_by_role("status")).to_contain_text("has opened this ticket")


def test_with_scripts_a_phone_gives_its_position(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=PHONE) as page:
        page.goto("/report")
        page.get_by_label("Farola apagada").check()
        page.get_by_role("button", name="Estoy allí").click()
        expect(page.locator("#locate-said")).to_have_text("Posición tomada.")
        page.get_by_role("button", name="Enviar el aviso").click()
        expect(page.get_by_role("status")).to_be_visible()


def test_a_crew_works_a_ticket_to_its_repair(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=PHONE) as page:
        page.goto("/crew")
        page.get_by_role("link", name="Farola apagada").first.click()
        page.get_by_role("button", name="Empezar el trabajo").click()
        expect(page.locator(".badge.state-in_progress")).to_be_visible()
        page.get_by_label("Qué se hizo").fill("Cambiado el driver")
        page.get_by_role("button", name="Está reparada").click()
        expect(page.locator(".badge.state-resolved")).to_be_visible()
        expect(page.get_by_text("Cambiado el driver")).to_be_visible()


def test_the_chosen_language_stays(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=DESK) as page:
        page.goto("/crew?district=centre")
        page.get_by_role("link", name="English").click()
        expect(page.locator("h1")).to_have_text("To be done")
        expect(page.locator("#district")).to_have_value("centre")
        page.goto("/ledger")
        expect(page.locator("h1")).to_have_text("Ledger of readings")


@pytest.mark.parametrize("scripts", [True, False], ids=["with-scripts", "without-scripts"])
def test_a_phone_reaches_every_page_through_the_menu(browser: Browser, site: Site, scripts: bool) -> None:
    with visit(browser, site, size=PHONE, scripts=scripts) as page:
        page.goto("/report")
        expect(page.get_by_role("link", name="Libro de cuentas")).to_have_count(0)
        page.locator(".menu > summary").click()
        site.photograph(page, "menu-phone-es")
        page.get_by_role("link", name="Libro de cuentas").click()
        expect(page.locator("h1")).to_have_text("Libro de cuentas de las lecturas")


def test_the_colours_that_a_reader_chooses_win_over_the_systems(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=DESK, scripts=False) as page:
        page.goto("/ledger")
        ground = "getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(ground)
        page.get_by_role("link", name="oscuros").click()
        page.wait_for_url("**theme=dark**")
        assert page.evaluate(ground) != light
        page.goto("/crew")
        assert page.evaluate(ground) != light
        page.get_by_role("link", name="como el sistema").click()
        page.wait_for_url("**theme=auto**")
        assert page.evaluate(ground) == light
