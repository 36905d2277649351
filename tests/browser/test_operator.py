"""Operators' pages as a person uses them: a long replay with its progress, and the way in with a key."""

from playwright.sync_api import Browser, Route, expect

from tests.browser.conftest import Site
from tests.browser.test_pages import DESK, PHONE, visit


def test_a_long_replay_shows_how_far_it_is_and_ends_by_itself(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=DESK, language="en") as page:
        page.goto("/operator/letters?text=N-L-1")
        page.get_by_role("button", name="Replay all that the search finds").click()
        expect(page.locator("#letters")).to_have_text("450", timeout=30_000)
        expect(page.locator("#readings")).to_have_text("450")
        expect(page.get_by_role("status")).to_have_text("Done.")
        page.get_by_role("link", name="Back to the list").click()
        expect(page.get_by_text("No letter fits.")).to_be_visible()
        page.goto("/operator/letters?state=done")
        expect(page.locator("tbody tr")).to_have_count(50)


def test_a_long_replay_without_scripts_goes_on_by_a_button(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=PHONE, language="en", scripts=False) as page:
        page.goto("/operator/letters?reason=unknown-device")
        page.get_by_role("button", name="Replay all that the search finds").click()
        expect(page.locator("#letters")).to_have_text("200")
        page.get_by_role("button", name="Go on").click()
        expect(page.locator("#letters")).to_have_text("400")
        page.get_by_role("button", name="Go on").click()
        expect(page.locator("#letters")).to_have_text("450", timeout=30_000)
        site.photograph(page, "letters-done-phone")
        expect(page.get_by_role("button", name="Go on")).to_have_count(0)


def test_what_nobody_wants_is_marked_and_taken_back(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=PHONE, language="en") as page:
        page.goto("/operator/letters/log-1-0")
        page.get_by_label("Why it is not wanted").fill("a test of the vendor")
        page.get_by_role("button", name="Mark as not wanted").click()
        page.goto("/operator/letters/log-1-0")
        expect(page.get_by_text("a test of the vendor")).to_be_visible()
        page.get_by_role("button", name="Take it back").click()
        page.goto("/operator/letters/log-1-0")
        expect(page.get_by_text("Taken back into the list")).to_be_visible()


def test_a_password_is_made_by_keyboard_shown_once_and_revoked_after_a_question(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=PHONE, language="en", scripts=False) as page:
        page.goto("/operator/credentials?gateway=G-9")
        site.photograph(page, "credentials-none-phone", full_page=True)
        page.goto("/operator/credentials")
        page.get_by_label("Gateway, by its id").focus()
        page.keyboard.type("G-1")
        page.keyboard.press("Enter")
        login = page.locator("#login").inner_text()
        password = page.locator("#password").inner_text()
        assert len(password) == 48
        site.photograph(page, "credential-new-phone", full_page=True)
        page.get_by_role("link", name="I have kept it").click()
        expect(page.locator("h1")).to_have_text(login)
        assert password not in page.content()
        page.get_by_label("Old and new are both valid for").select_option("168")
        page.get_by_role("button", name="Make a new password").click()
        expect(page.get_by_text(f"The old login {login} works until")).to_be_visible()
        newer = page.locator("#login").inner_text()
        page.get_by_role("link", name="I have kept it").click()
        page.get_by_role("link", name="Revoke it").click()
        expect(page.locator("h1")).to_have_text(f"Revoke {newer}?")
        page.get_by_role("link", name="No, leave it").click()
        expect(page.get_by_text("Valid", exact=True)).to_be_visible()
        page.get_by_role("link", name="Revoke it").click()
        page.get_by_role("button", name="Yes, revoke it now").click()
        expect(page.locator(".badge")).to_have_text("Revoked")
        expect(page.get_by_role("link", name="Revoke it")).to_have_count(0)


def test_a_long_import_shows_that_it_is_at_work_and_is_sent_once(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=DESK, language="en") as page:
        sent: list[str] = []

        def take(route: Route) -> None:
            sent.append(route.request.url)
            route.fulfill(status=204)  # The browser stays on the page, as it does while an answer is awaited.

        page.route("**/operator/import/devices", take)
        page.goto("/operator/devices")
        page.get_by_text("Import a list").click()
        page.get_by_label("Or the list itself").fill("device_id,asset_id,gateway_id,profile_id,address\n")
        for _ in range(2):
            page.get_by_role("button", name="See what it would do").click()
            expect(page.get_by_text("At work; thousands of rows take a while")).to_be_visible()
        assert len(sent) == 1


def test_the_front_page_leads_by_keyboard_to_what_calls(browser: Browser, site: Site) -> None:
    with visit(browser, site, size=PHONE, language="en", scripts=False) as page:
        page.goto("/operator")
        page.get_by_role("link", name="Messages set aside").focus()
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{site.url}/operator#letters")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{site.url}/operator/letters?reason=unknown-device")
