"""The back of the shop as a member of staff meets it."""

import re
import time

from playwright.sync_api import expect

from tests.browser.pages import CODE, PASSWORD

CODE_BOX = "input[autocomplete='one-time-code'], input[name='code']"


class Staff:
    """A member of staff, in front of one tab."""

    def __init__(self, page, mailbox, *, username, contact):
        self.page, self.mailbox = page, mailbox
        self.username, self.contact = username, contact
        self.main = page.locator("#content")
        self.title = page.get_by_role("heading", level=1)
        self.search = page.locator("#searchbar")
        self.news = page.locator(".messagelist")

    def open(self, path):
        """Go there by its address; gives the answer's status."""
        return self.page.goto(path).status

    def looks_up(self, who):
        """Ask why no code came to `who`."""
        self.open("/admin/lookup/")
        self.page.locator("input[name='who']").fill(who)
        self._go_on()

    def paths_of(self, path, links, most=None):
        """The addresses that the links on a page lead to."""
        self.open(path)
        return [link.get_attribute("href") for link in self.main.locator(links).all()[:most]]

    def signs_in(self, password=PASSWORD):
        """Password, then the code that was sent, then the front page of the admin."""
        sent = len(self._codes())
        self.page.goto("/admin/login/?next=/admin/")
        self.give_password(password)
        expect(self.page).to_have_url(re.compile(r"/code/$"))
        self.page.locator(CODE_BOX).fill(self._newest_code(after=sent))
        self._go_on()
        expect(self.page).to_have_url(re.compile(r"/admin/$"))
        return self

    def arrives(self, password=PASSWORD):
        """Be signed in, without a page: what `signs_in` does, as a program that sends forms."""
        sent, http = len(self._codes()), self.page.context.request
        http.get("/admin/login/")
        fields = {"username": self.username, "password": password, "next": "/admin/"}
        page = self._post("/admin/login/", **fields)
        attempt = re.search(r'name="attempt" value="([^"]+)"', page.text())[1]
        self._post("/admin/login/code/", code=self._newest_code(after=sent), attempt=attempt)
        assert http.get("/admin/", max_redirects=0).ok
        return self

    def _post(self, path, **fields):
        cookies = self.page.context.cookies()
        token = next(each["value"] for each in cookies if each["name"].endswith("csrftoken"))
        headers = {"X-CSRFToken": token}
        return self.page.context.request.post(path, form=fields, headers=headers)

    def give_password(self, password=PASSWORD):
        """The first step."""
        self.page.locator("input[name='username']").fill(self.username)
        self.page.locator("input[name='password']").fill(password)
        self._go_on()

    def asks_for_code(self, **fields):
        """Fill a form in whose answer sends a code."""
        self.sent = len(self._codes())
        for name, text in fields.items():
            self.page.locator(f"input[name='{name}']").fill(text)
        self._go_on()

    def gives_code(self):
        """Type the newest code; a contact that is new has got none before."""
        self.page.locator(CODE_BOX).fill(self._newest_code(after=self.sent))
        self.sent = 0
        self._go_on()

    def rows(self):
        """The rows of a list."""
        return self.page.locator("#result_list tbody tr")

    def _go_on(self):
        with self.page.expect_navigation():
            self.page.locator("#content form [type='submit']").first.click()

    def _codes(self):
        letters = self.mailbox.letters(self.contact)
        return [
            code.group()
            for letter in letters
            if (code := CODE.search(letter["subject"] or letter["text"]))
        ]

    def _newest_code(self, *, after):
        until = time.monotonic() + 10
        while len(codes := self._codes()) <= after:
            assert time.monotonic() < until, f"No code came to {self.contact}"
            time.sleep(0.05)
        return codes[0]
