"""The three doors in a browser: with and without scripts, by keyboard, in three languages."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Site
from tests.browser.test_pages import DESK, PHONE, visit


@pytest.mark.parametrize(
    ("language", "lamps", "centre"),
    [
        ("es", "Farolas encendidas", "La ciudad en diez cifras"),
        ("ast", "Faroles prendíes", "La ciudá en diez cifres"),
        ("en", "Lamps lit", "The city in ten figures"),
    ],
)
def test_from_the_front_page_to_a_figure_of_a_district_without_scripts(
    browser: Browser, site: Site, language: str, lamps: str, centre: str
) -> None:
    with visit(browser, site, size=PHONE, language=language, scripts=False) as page:
        page.goto("/")
        page.get_by_role("main").get_by_role("link", name="Observa", exact=True).click()
        expect(page.locator("h1")).to_have_text(centre)
        page.locator("#district").select_option("centre")
        page.locator("form.filters button").click()
        page.get_by_role("link", name=lamps).click()
        expect(page.locator("h1")).to_have_text(lamps)
        expect(page.locator("#district")).to_have_value("centre")
        expect(page.locator("svg.bars rect.bar").first).to_be_visible()
        page.locator("details summary").last.click()
        expect(page.locator("details table")).to_be_visible()


def test_the_front_page_works_by_keyboard_alone(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=DESK) as page:
        page.goto("/")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")  # skips what stands above the content
        page.keyboard.press("Tab")
        expect(page.get_by_role("main").get_by_role("searchbox")).to_be_focused()
        page.keyboard.type("L-1")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("L-1"))


def test_a_street_is_followed_and_a_district_too(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=PHONE, language="ast", scripts=False) as page:
        page.goto("/participa")
        page.get_by_role("link", name="Siguir una cai, un distritu o una instalación").click()
        page.get_by_label("Nome de la cai").fill("uno")
        page.get_by_role("main").get_by_role("button").first.click()
        feed = page.get_by_role("link", name="Calle Uno")
        expect(feed).to_have_attribute("href", "/feeds/street/calle-uno.atom")
        expect(page.get_by_role("link", name="Centro")).to_have_attribute("href", "/feeds/district/centre.atom")


def test_cuida_leads_to_the_tickets_of_a_category(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=DESK) as page:
        page.goto("/cuida")
        page.get_by_role("main").get_by_role("link", name="Farola apagada", exact=True).first.click()
        expect(page).to_have_url(re.compile("category=lamp-out"))
        expect(page.locator("h1")).to_have_text("Incidencias")
