"""Take the README's pictures of a running site: python -m tests.browser.shots http://127.0.0.1:8000."""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import launch_options
from tests.browser.pages import Letters, Mailbox, email, wrong
from tests.browser.shopper import Shopper

IMAGES = Path(__file__).parents[2] / "docs" / "images"


def main(base_url):
    """Walk the journey and stop for the pictures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options(playwright), chromium_sandbox=False)
        mailbox = Mailbox(playwright.request.new_context(base_url=base_url))

        def shopper(width, height, scheme):
            size = {"width": width, "height": height}
            context = browser.new_context(base_url=base_url, viewport=size, color_scheme=scheme)
            return Shopper(context.new_page(), mailbox)

        by_day, by_night = shopper(1000, 640, "light"), shopper(1000, 800, "dark")
        by_day.identify.open()
        shoot(by_day, "identify-light")
        by_night.asks_for_code(email())
        shoot(by_night, "code-dark")
        small, who = shopper(320, 640, "light"), email()
        small.asks_for_code(who)
        small.code.give(wrong(mailbox.code(who)))
        small.code.has_problem("That is not the code we sent.")
        shoot(small, "wrong-code-320")
        small.code.give(mailbox.code(who))
        small.complete.is_shown()
        shoot(small, "complete-320", full_page=True)
        small.complete.give("Ana Lindqvist")
        small.home.welcomes("Ana Lindqvist")
        by_night.sign_in.open()
        shoot(by_night, "sign-in-dark")
        by_day.comes_back(who)
        by_day.account.open()
        shoot(by_day, "account-light", full_page=True)
        small.devices.open()
        shoot(small, "devices-320", full_page=True)
        Letters(by_day.page).open().page.set_viewport_size({"width": 1000, "height": 900})
        shoot(by_day, "mailbox")
        browser.close()


def shoot(shopper, name, **options):
    """Save what the shopper sees."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    shopper.page.wait_for_timeout(300)
    shopper.page.screenshot(path=IMAGES / f"{name}.png", **options)


if __name__ == "__main__":
    main(sys.argv[1])
