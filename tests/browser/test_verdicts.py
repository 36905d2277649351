"""A crew says what it found: by thumb on a phone, by keyboard alone, in every language."""

import re

import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from tests.browser.conftest import Site
from tests.browser.test_pages import DESK, PHONE, visit

WORDS = {
    "es": ("Empezar el trabajo", "Otra causa", "Está reparada", "Otra causa: ", "Decir otra cosa", "Decirlo"),
    "ast": ("Entamar el trabayu", "Otra causa", "Ta iguada", "Otra causa: ", "Dicir otra cosa", "Dicilo"),
    "en": ("Start work", "Another cause", "It is repaired", "Another cause: ", "Say otherwise", "Say it"),
}


@pytest.mark.parametrize("language", ["es", "ast", "en"])
def test_a_crew_says_with_the_repair_what_it_found_and_says_otherwise_later(
    browser: Browser, site: Site, language: str
) -> None:
    begin, other, done, told, otherwise, say = WORDS[language]
    with visit(browser, site, size=PHONE, language=language, scripts=False) as page:
        page.goto("/tickets/1")
        page.get_by_role("button", name=begin).click()
        cause = page.locator("#cause")
        expect(cause).to_be_hidden()
        choices = page.locator(".verdict .choice")
        assert min(box["height"] for box in (c.bounding_box() for c in choices.all()) if box) >= 44
        page.get_by_label(other, exact=True).check()
        expect(cause).to_be_visible()
        cause.select_option("supplyVoltageTooLow")
        site.photograph(page, f"verdict-ask-phone-{language}", full_page=True)
        page.get_by_role("button", name=done).click()
        expect(page.locator(".finding")).to_contain_text(told)
        page.get_by_text(otherwise, exact=True).click()
        page.locator('input[name="found"][value="lampFailure"]').check()
        page.get_by_role("button", name=say, exact=True).click()
        expect(page.locator(".finding")).not_to_contain_text(told)
        expect(page.locator(".timeline")).to_contain_text(told)
        site.photograph(page, f"verdict-told-phone-{language}", full_page=True)


def test_the_keyboard_alone_is_enough_to_say_what_was_found(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=DESK, language="en") as page:
        page.goto("/tickets/1")
        page.get_by_role("button", name="Start work").press("Enter")
        page.get_by_label("What was done").press("Tab")
        page.keyboard.press("Space")
        page.keyboard.press("ArrowDown")
        expect(page.locator('input[name="found"][value="false"]')).to_be_checked()
        page.get_by_role("button", name="It is repaired").press("Enter")
        expect(page.locator(".finding")).to_have_text("Nothing was wrong")


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_the_ticket_shows_the_hours_around_the_alarm_with_its_moment_marked(
    browser: Browser, site: Site, size: ViewportSize
) -> None:
    with visit(browser, site, size=size, language="en", scripts=False) as page:
        page.goto("/tickets/1")
        chart = page.locator("section:has(#why) svg.chart")
        expect(chart).to_be_visible()
        expect(chart).to_have_attribute("aria-label", re.compile("Power"))
        expect(chart.locator(".mark")).to_have_count(1)
        assert chart.locator(".expected").count() >= 1
        mark, line = chart.locator(".mark").bounding_box(), chart.locator(".line").last.bounding_box()
        assert mark is not None
        assert line is not None
        assert line["x"] <= mark["x"] <= line["x"] + line["width"], "the moment lies within what was measured"
        expect(page.locator("section:has(#why)")).to_contain_text("Observed0.4 W (−99 %)Expected36 W")
        page.locator(".cases a").first.click()
        expect(page.locator("h1")).to_have_text("The lamp does not burn when it should")
        site.photograph(page, f"alarm-{size['width']}", full_page=True)
