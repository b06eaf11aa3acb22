"""The back of the shop as a member of staff meets it."""

import re
import sqlite3
import time

from playwright.sync_api import expect

from tests.browser.pages import CODE, PASSWORD

CODE_BOX = "input[autocomplete='one-time-code'], input[name='code']"


class Till:
    """The rows of the site that is driven, for what no page does: making staff, and letting a message come back."""

    def __init__(self, path):
        self._path = path

    def promotes(self, who, username):
        """Make a shopper a member of staff who may do everything."""
        self.write(
            "UPDATE accounts_user SET is_staff = 1, is_superuser = 1, username = ? WHERE email = ?",
            username,
            who,
        )

    def bounces(self, to, why="550 mailbox unavailable"):
        """Let every message to `to` have come back, with what the provider said."""
        self.write(
            "UPDATE messaging_outboxmessage SET status = 'bounced' WHERE address = ?",
            to,
        )
        self.write(
            "INSERT INTO messaging_receipt (key, message_id, provider_id, status, detail, at, received_at)"
            " SELECT 'bounce ' || id, id, provider_id, 'bounced', ?, datetime('now'), datetime('now')"
            " FROM messaging_outboxmessage WHERE address = ?",
            why,
            to,
        )

    def sounds_an_alert(self, kind="many_codes_sent", about="so many"):
        """Let something be wrong."""
        self.write(
            "INSERT OR REPLACE INTO messaging_alert (kind, about, times, first_at, last_at, logged_at)"
            " VALUES (?, ?, 1, datetime('now'), datetime('now'), datetime('now'))",
            kind,
            about,
        )

    def read(self, statement, *values):
        """Look."""
        rows = sqlite3.connect(self._path, timeout=10)
        found = rows.execute(statement, values).fetchall()
        rows.close()
        return found

    def write(self, statement, *values):
        """Change something that is there."""
        rows = sqlite3.connect(self._path, timeout=10)
        with rows:
            assert rows.execute(statement, values).rowcount
        rows.close()


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
        if self.page.locator(CODE_BOX).count():
            self.page.locator(CODE_BOX).fill(self._newest_code(after=sent))
            self._go_on()
        expect(self.page).to_have_url(re.compile(r"/admin/$"))
        return self

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
        self.page.locator("#content form [type='submit']").first.click()
        self.page.wait_for_load_state("load")

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
