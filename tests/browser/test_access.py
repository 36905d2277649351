"""Pages for who sees, moves and reads otherwise: axe-core over every page, and the main flows by keyboard alone."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Site
from tests.browser.test_pages import DESK, PAGES, PHONE, SIZES, visit

AXE = next(Path(__file__).with_name("vendor").glob("axe-*.min.js")).read_text(encoding="utf-8")
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[str]:
    """Return what axe-core finds wrong, one line a rule and place."""
    found: list[dict[str, Any]] = page.evaluate(
        "tags => axe.run(document, {runOnly: tags}).then(r => r.violations)", _TAGS
    )
    return [f"{v['id']}: {node['target']} {node['failureSummary']}" for v in found for node in v["nodes"]]


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_no_page_hinders_anybody(browser: Browser, site: Site, colours: str) -> None:
    with visit(browser, site, size=DESK, dark=colours == "dark") as page:
        wrong: dict[str, list[str]] = {}
        for title, path in PAGES.items():
            page.goto(path)
            page.evaluate(AXE)
            for name, size in SIZES.items():
                page.set_viewport_size(size)
                wrong[f"{title}, {name}"] = violations(page)
            if title == "home":
                page.locator(".menu > summary").click()
                wrong["menu open"] = violations(page)
        assert {title: found for title, found in wrong.items() if found} == {}


_NAME = """(() => {
  const one = document.activeElement;
  return one.labels?.[0]?.innerText || one.getAttribute("aria-label") || one.innerText || "";
})()"""


def _tab_to(page: Page, name: str, most: int = 60) -> None:
    """Press the tabulator until what bears `name` has the focus; it must be seen that it has."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if name in str(page.evaluate(_NAME)):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"{name} does not show that it has the focus"
            return
    raise AssertionError(f"{name} is not reached by the keyboard")


def test_a_citizen_reports_by_keyboard_alone(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=DESK) as page:
        page.goto("/lamps")
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        page.keyboard.press("Enter")
        _tab_to(page, "Número de la farola")
        page.keyboard.type("L-2")
        page.keyboard.press("Enter")
        page.wait_for_url("**/lamps/L-2")
        _tab_to(page, "Avisar de esta farola")
        page.keyboard.press("Enter")
        page.wait_for_url("**/report?lamp=L-2")
        _tab_to(page, "Con tus palabras")
        page.keyboard.type("sin luz")
        _tab_to(page, "Enviar el aviso")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_be_visible()


def test_a_phone_opens_its_menu_by_keyboard_alone(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=PHONE, scripts=False) as page:
        page.goto("/report")
        _tab_to(page, "Menú")
        page.keyboard.press("Enter")
        _tab_to(page, "Instalaciones")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Instalaciones")
        expect(page).to_have_url(f"{site.url}/facilities")


def test_a_history_is_moved_in_by_keyboard_and_by_mouse(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=DESK, language="en") as page:
        page.goto("/series/1")
        page.wait_for_selector("figure[data-ready]")
        shown = page.locator("figure .told")
        whole = shown.inner_text()
        page.locator(".plot").focus()
        page.keyboard.press("+")
        expect(shown).not_to_have_text(whole)
        near = shown.inner_text()
        page.keyboard.press("ArrowLeft")
        expect(shown).not_to_have_text(near)
        page.keyboard.press("Home")
        expect(shown).to_have_text(whole)
        with page.expect_response("**/points?**from=**"):
            page.get_by_role("button", name="Day", exact=True).click()
        expect(page.get_by_role("button", name="Day", exact=True)).to_have_attribute("aria-pressed", "true")
        box = page.locator(".u-over").bounding_box()
        assert box is not None
        before = shown.inner_text()
        page.mouse.move(box["x"] + 200, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + 500, box["y"] + 50, steps=5)
        page.mouse.up()
        expect(shown).not_to_have_text(before)


def test_without_scripts_a_history_is_a_drawing_and_a_table(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=PHONE, scripts=False, language="en") as page:
        page.goto("/series/1")
        expect(page.locator("svg.chart")).to_be_visible()
        page.get_by_text("Show all").click()
        expect(page.get_by_role("row")).not_to_have_count(1)
