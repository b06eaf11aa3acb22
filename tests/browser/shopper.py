"""Shoppers: somebody with a browser, all the pages, and a mailbox."""

from tests.browser.account_pages import Resident
from tests.browser.pages import Change, Code, Complete, Contact, Home, Identify, Link


class Shopper(Resident):
    """Somebody with a browser of their own, in front of one tab."""

    def __init__(self, page, mailbox):
        self.page, self.mailbox = page, mailbox
        self.home, self.identify, self.change = Home(page), Identify(page), Change(page)
        self.code, self.complete, self.contact = Code(page), Complete(page), Contact(page)
        self.link = Link(page)
        self.meet_account(page)

    def new_tab(self):
        """The same browser, another tab."""
        return Shopper(self.page.context.new_page(), self.mailbox)

    def asks_for_code(self, who):
        """Step 1, from its address to the page that wants the code."""
        self.identify.open()
        self.identify.give(who)
        self.code.is_shown()
        return self

    def verifies(self, who):
        """Steps 1 and 2."""
        self.asks_for_code(who)
        self.code.give(self.mailbox.code(who))
        self.complete.is_shown()
        return self

    def signs_up(self, who, name="Ana"):
        """The whole journey."""
        self.verifies(who)
        self.complete.give(name)
        self.home.welcomes(name)
        return self
