"""The shop as a shopper meets it: pages with words on them, and a mailbox with codes in it."""

import random
import re
import secrets
import time
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import expect

CODE = re.compile(r"(?<!\d)\d{6}(?!\d)")
PASSWORD = "correct horse battery"
EMAIL_OR_PHONE = "Email address or mobile number"
# 555-0100 to 555-0199 belong to nobody, in every one of these areas.
AREAS = "202 212 213 214 215 303 305 312 313 404 408 412 415 503 504 512 602 612 614 617 619 702".split()
NUMBERS = iter(
    random.sample([(area, last) for area in AREAS for last in range(100)], k=100 * len(AREAS))
)


def email(name="ana", domain="example.com"):
    """An address that nobody has used yet."""
    return f"{name}-{secrets.token_hex(5)}@{domain}"


def phone():
    """A number that nobody has used yet on a site of our own, typed as people type it."""
    area, last = next(NUMBERS)
    return f"+1 {area} 555 01{last:02d}"


def wrong(code):
    """A well-formed code that is not `code`."""
    return f"{(int(code) + 1) % 1_000_000:06d}"


# A sheet that is made by a script is not a style that a page's policy may forbid.
STILL = """() => { if (!document.adoptedStyleSheets.length) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("*, ::before, ::after { transition: none !important; animation: none !important }");
  document.adoptedStyleSheets = [sheet];
} }"""


def still(page):
    """Let nothing move: another width or scheme is there at once."""
    page.evaluate(STILL)


def resize(page, width):
    """Make the window so wide, and let nothing move on the way."""
    still(page)
    page.set_viewport_size({"width": width, "height": 800})


class Mailbox:
    """What arrived, read over HTTP from the development mailbox."""

    def __init__(self, http):
        self._http = http

    def letters(self, to, *, at_least=0):
        """The messages to `to`, newest first; waits until there are `at_least` so many."""
        to = to if "@" in to else re.sub(r"[^+\d]", "", to)
        until = time.monotonic() + 10
        while True:
            answer = self._http.get(
                f"/mailbox/?{urlencode({'to': to})}", headers={"Accept": "application/json"}
            )
            found = answer.json()["messages"]
            if len(found) >= at_least:
                return found
            assert time.monotonic() < until, f"{len(found)} of {at_least} messages came to {to}"
            time.sleep(0.05)

    def code(self, to, *, number=1):
        """The code in message `number` to `to`, counted from the oldest."""
        letter = self.letters(to, at_least=number)[-number]
        return CODE.search(letter["subject"] or letter["text"]).group()

    def link(self, to, *, number=1):
        """The path and query of the link in the newest email to `to`, once there are `number`."""
        newest = self.letters(to, at_least=number)[0]
        link = urlsplit(re.search(r"https?://\S+", newest["text"]).group())
        return f"{link.path}?{link.query}"


class ShopPage:
    """What all pages share."""

    path = "/"
    heading = "Welcome"

    def __init__(self, page):
        self.page = page
        self.main = page.get_by_role("main")
        self.title = page.get_by_role("heading", level=1)
        self.news = self.main.get_by_role("status").first
        self.problem = page.locator("#error-summary")
        self.skip_link = page.get_by_role("link", name="Skip to the main part")
        self.back = self.main.get_by_role("link", name="Back", exact=True)
        self.try_again = page.get_by_role("button", name="Try again")

    def open(self):
        """Go there by its address."""
        self.page.goto(self.path)
        return self

    def is_shown(self):
        """Wait until this page is there, once, and under its own address."""
        expect(self.title).to_have_text(self.heading)
        expect(self.main).to_have_count(1)
        expect(self.page).to_have_url(re.compile(re.escape(self.path) + r"(\?.*)?$"))
        return self

    def says(self, words):
        """Wait for words in the main part."""
        expect(self.main).to_contain_text(words)

    def has_problem(self, words):
        """Wait for the summary of what went wrong, with `words` in it and the focus on it."""
        expect(self.problem).to_contain_text("There is a problem")
        expect(self.problem).to_contain_text(words)
        expect(self.problem).to_be_focused()
        expect(self.page).to_have_title(re.compile("^Error: "))


class Home(ShopPage):
    """The front page."""

    def __init__(self, page):
        super().__init__(page)
        self.create_account = self.main.get_by_role("link", name="Create an account")
        self.my_account = self.main.get_by_role("link", name="My account")
        self.log_out = self.main.get_by_role("button", name="Log out")

    def welcomes(self, name):
        """Wait until the front page knows who is there."""
        expect(self.title).to_have_text(f"Hello, {name}")
        expect(self.page).to_have_url(re.compile(r"/$"))

    def knows_nobody(self):
        """Wait until the front page greets a stranger."""
        expect(self.create_account).to_be_visible()
        expect(self.log_out).to_have_count(0)


class Identify(ShopPage):
    """Step 1: who are you?"""

    path = "/register/"
    heading = "Create an account"

    def __init__(self, page):
        super().__init__(page)
        self.box = page.get_by_label(EMAIL_OR_PHONE)
        self.send = page.get_by_role("button", name="Send code")
        self.hint = page.get_by_text("Did you mean")
        self.use = page.get_by_role("button", name=re.compile("^Use "))
        self.keep = page.get_by_role("button", name=re.compile("^Keep "))

    def give(self, who):
        """Type an address or a number and ask for the code."""
        self.box.fill(who)
        self.send.click()


class Change(Identify):
    """Another address for the same registration."""

    path = "/register/change/"
    heading = "Use a different address"


class Code(ShopPage):
    """Step 2: the code."""

    path = "/register/verify/"
    heading = "Enter the code we sent you"

    def __init__(self, page):
        super().__init__(page)
        self.box = page.get_by_label("6-digit code")
        self.confirm = page.get_by_role("button", name="Confirm code")
        self.not_received = page.get_by_text("Not received it?")
        self.another = page.get_by_role("button", name="Send a new code")
        self.other_address = page.get_by_role("link", name=re.compile("^Use a different"))
        self.wait = page.get_by_text("You can ask again at")

    def give(self, code):
        """Type a code and confirm it."""
        self.box.fill(code)
        self.confirm.click()


class Contact(Code):
    """The code of a second contact."""

    path = "/account/contact/"
    heading = "Confirm your other contact"


class Complete(ShopPage):
    """Step 3: name and password."""

    path = "/register/complete/"
    heading = "Complete your profile"

    def __init__(self, page):
        super().__init__(page)
        self.name = page.get_by_label("Your name")
        self.password = page.get_by_role("textbox", name="Password")
        self.username = page.get_by_label("Username (optional)")
        self.other_contact = page.get_by_label(
            re.compile(r"^(Mobile number|Email address) \(optional\)")
        )
        self.show_password = page.get_by_role("button", name="Show password")
        self.hide_password = page.get_by_role("button", name="Hide password")
        self.create = page.get_by_role("button", name="Create account")

    def give(self, name="Ana", password=PASSWORD):
        """Type a name and a password and finish."""
        self.name.fill(name)
        self.password.fill(password)
        self.create.click()


class Link(ShopPage):
    """The page that the link in the email opens."""

    path = "/verify-email/"
    heading = "Confirm your email address"

    def __init__(self, page):
        super().__init__(page)
        self.confirm = page.get_by_role("button", name=re.compile("^Confirm"))


class Letters(ShopPage):
    """The development mailbox as a page."""

    path = "/mailbox/"
    heading = "Mailbox"
