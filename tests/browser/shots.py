"""Take the papers' pictures of a running site: .venv/bin/python -m tests.browser.shots http://127.0.0.1:8000

Those of the staff pages are of a shop with people in it (script/seed): add the name, password and address of somebody
who may see all of it, and an address to look up, like: boss "a long staff secret" boss@example.com ana@example.org
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.admin_pages import Staff
from tests.browser.conftest import launch_options
from tests.browser.pages import Letters, Mailbox, email, wrong
from tests.browser.shopper import Shopper

IMAGES = Path(__file__).parents[2] / "docs" / "images"


@dataclass
class Studio:
    """A browser to take pictures with, and the mailbox of the site."""

    browser: Browser
    base_url: str
    mailbox: Mailbox

    def shopper(self, width, height, scheme="light"):
        """Somebody with a window of this size."""
        size = {"width": width, "height": height}
        context = self.browser.new_context(
            base_url=self.base_url, viewport=size, color_scheme=scheme
        )
        return Shopper(context.new_page(), self.mailbox)


def main(base_url, *somebody):
    """Walk the journey, or the staff pages as `somebody`, and stop for the pictures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options(playwright), chromium_sandbox=False)
        mailbox = Mailbox(playwright.request.new_context(base_url=base_url))
        studio = Studio(browser, base_url, mailbox)
        if somebody:
            staff_pages(studio, *somebody)
        else:
            journey(studio)
        browser.close()


def journey(studio):
    """What a shopper meets."""
    by_day, by_night = studio.shopper(1000, 640), studio.shopper(1000, 800, "dark")
    by_day.identify.open()
    shoot(by_day.page, "identify-light")
    by_night.asks_for_code(email())
    shoot(by_night.page, "code-dark")
    small, who = studio.shopper(320, 640), email()
    small.asks_for_code(who)
    small.code.give(wrong(studio.mailbox.code(who)))
    small.code.has_problem("That is not the code we sent.")
    shoot(small.page, "wrong-code-320")
    small.code.give(studio.mailbox.code(who))
    small.complete.is_shown()
    shoot(small.page, "complete-320", full_page=True)
    small.complete.give("Ana Lindqvist")
    small.home.welcomes("Ana Lindqvist")
    by_night.sign_in.open()
    shoot(by_night.page, "sign-in-dark")
    by_day.comes_back(who)
    by_day.account.open()
    shoot(by_day.page, "account-light", full_page=True)
    small.devices.open()
    shoot(small.page, "devices-320", full_page=True)
    Letters(by_day.page).open().page.set_viewport_size({"width": 1000, "height": 900})
    shoot(by_day.page, "mailbox")


def staff_pages(studio, username, password, contact, sought):
    """The list, somebody in it, the dashboard, and why no code came."""
    page = studio.shopper(1280, 900).page
    staff = Staff(page, studio.mailbox, username=username, contact=contact).signs_in(password)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        staff.open("/admin/accounts/user/")
        shoot(page, f"staff-users-{scheme}")
        staff.search.fill(sought)
        staff.search.press("Enter")
        staff.main.locator("[href*='/accounts/user/'][href$='/change/']").first.click()
        shoot(page, f"staff-user-{scheme}", full_page=True)
        staff.open("/admin/signups/?period=30")
        shoot(page, f"staff-dashboard-{scheme}", full_page=True)
        staff.open("/admin/lookup/")
        staff.main.locator("input[name='who']").fill(sought)
        staff.main.locator("[type='submit']").first.click()
        shoot(page, f"staff-lookup-{scheme}", full_page=True)


def shoot(page, name, **options):
    """Save what is seen."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    page.wait_for_load_state("load")
    page.wait_for_timeout(300)
    page.screenshot(path=IMAGES / f"{name}.png", **options)


if __name__ == "__main__":
    main(*sys.argv[1:])
