"""An operator announces works, sees what comes of it, ends them and thinks better of it: on a phone and at a desk."""

from datetime import timedelta

import psycopg
import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from city.clock import to_datetime
from tests.browser.conftest import Site
from tests.browser.test_pages import DESK, PHONE, visit
from tests.support.small_city import NOW


@pytest.fixture
def publishable(site: Site, city_url: str) -> Site:
    """What the small city lacks to be put on the log."""
    with psycopg.connect(city_url, autocommit=True) as connection:
        connection.execute("INSERT INTO shards SELECT n, n % 12 FROM generate_series(1, 1023) AS n")
        connection.execute(
            """UPDATE assets SET attributes = attributes || '{"switching": "permanent"}' WHERE kind = 'feeder'"""
        )
    return site


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_works_are_announced_shown_ended_and_brought_back(
    browser: Browser, publishable: Site, size: ViewportSize
) -> None:
    local = to_datetime(NOW) + timedelta(hours=1)
    with visit(browser, publishable, size=size, language="en", scripts=False) as page:
        page.goto("/operator/maintenance")
        expect(page.locator("section:has(#current)")).to_contain_text("Nobody has announced works")
        page.get_by_label("Its id").fill("C-99")
        page.get_by_label("From").fill(f"{local - timedelta(hours=1):%Y-%m-%dT%H:%M}")
        page.get_by_label("Until", exact=True).fill(f"{local + timedelta(hours=3):%Y-%m-%dT%H:%M}")
        page.get_by_label("Why").fill("new contactor")
        page.get_by_role("button", name="Announce", exact=True).click()
        expect(page.locator("main")).to_contain_text("C-99")
        expect(page.get_by_label("Why")).to_have_value("new contactor")
        page.get_by_label("Its id").fill("C-1")
        page.get_by_role("button", name="Announce", exact=True).click()
        card = page.locator(".cards > li").first
        expect(card).to_contain_text("C-1")
        expect(card).to_contain_text("going on")
        publishable.photograph(page, f"maintenance-{size['width']}", full_page=True)
        page.goto("/lamps/L-1")
        expect(page.locator("main")).to_contain_text("Works go on here until")
        publishable.photograph(page, f"works-at-lamp-{size['width']}", full_page=True)
        page.goto("/operator/maintenance")
        page.get_by_role("button", name="End now").click()
        past = page.locator("section:has(#past)")
        expect(past).to_contain_text("C-1")
        page.goto("/lamps/L-1")
        expect(page.locator("main")).not_to_contain_text("Works go on here")
        page.goto("/operator/maintenance")
        past.get_by_role("button", name="Undo").click()
        expect(page.locator("section:has(#current)")).to_contain_text("going on")
        page.get_by_role("button", name="Withdraw").click()
        expect(past).to_contain_text("withdrawn")
