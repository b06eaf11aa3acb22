"""Shoppers: somebody with a browser, all the pages, and a mailbox."""

from tests.browser.account_pages import Resident
from tests.browser.app import App
from tests.browser.pages import (
    PASSWORD,
    Change,
    Code,
    Complete,
    Contact,
    Home,
    Identify,
    Link,
)


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

    def registers(self, who, name="Ana"):
        """Have an account and be signed in to it, without a page; `signs_up` walks the whole journey."""
        self._app.signs_up(who, name)
        return self

    def arrives(self, who, password=PASSWORD):
        """Be signed in, without a page; `comes_back` is the journey."""
        self._app.signs_in(who, password)
        return self

    @property
    def _app(self):
        context = self.page.context
        return App(context.request, context.cookies, self.mailbox)

    def signs_up(self, who, name="Ana"):
        """The whole journey."""
        self.verifies(who)
        self.complete.give(name)
        self.home.welcomes(name)
        return self
