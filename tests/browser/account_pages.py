"""The pages of somebody who has an account: coming back, recovering, looking after it."""

import re

from playwright.sync_api import expect

from tests.browser.pages import EMAIL_OR_PHONE, PASSWORD, Code, ShopPage


class SignIn(ShopPage):
    """A name of any kind, and the password."""

    path = "/login/"
    heading = "Sign in"

    def __init__(self, page):
        super().__init__(page)
        self.name = page.get_by_label("Email address, mobile number or username")
        self.password = page.get_by_role("textbox", name="Password")
        self.remember = page.get_by_label("Stay signed in on this device")
        self.sign_in = self.main.get_by_role("button", name="Sign in", exact=True)
        self.code_instead = page.get_by_role("button", name="Send me a code instead")
        self.forgotten = page.get_by_role("link", name="Forgotten your password?")
        self.create_account = page.get_by_role("link", name="Create an account")

    def give(self, name, password=PASSWORD):
        """Type both and sign in."""
        self.name.fill(name)
        self.password.fill(password)
        self.sign_in.click()


class SignInCode(Code):
    """The code that signs in."""

    path = "/login/code/verify/"


class Reset(ShopPage):
    """Whose password was forgotten?"""

    path = "/password-reset/"
    heading = "Choose a new password"

    def __init__(self, page):
        super().__init__(page)
        self.box = page.get_by_label(EMAIL_OR_PHONE)
        self.send = page.get_by_role("button", name="Send message")

    def give(self, who):
        """Type an address or a number."""
        self.box.fill(who)
        self.send.click()


class CheckEmail(ShopPage):
    """Word that a link is on its way."""

    path = "/password-reset/verify/"
    heading = "Check your email"


class ResetCode(Code):
    """The code that leads to a new password."""

    path = "/password-reset/verify/"


class NewPassword(ShopPage):
    """The new password, for whoever holds the link."""

    path = "/password-reset/new/"
    heading = "Choose a new password"

    def __init__(self, page):
        super().__init__(page)
        self.password = page.get_by_role("textbox", name="New password")
        self.save = page.get_by_role("button", name="Save password")

    def give(self, password):
        """Type it and save it."""
        self.password.fill(password)
        self.save.click()


class NotMe(ShopPage):
    """ "This was not me"."""

    path = "/not-me/"
    heading = "Was this not you?"

    def __init__(self, page):
        super().__init__(page)
        self.secure = page.get_by_role("button", name="Secure my account")


class Account(ShopPage):
    """What the shop knows of me, and the ways to change it."""

    path = "/account/"
    heading = "My account"

    def __init__(self, page):
        super().__init__(page)
        self.log_out = self.main.get_by_role("button", name="Log out")
        self.enter_code = self.main.get_by_role("link", name="Enter code")
        self.messages_here = page.get_by_role("button", name="Send messages here")

    def go(self, name):
        """Follow one of the links."""
        self.main.get_by_role("link", name=name, exact=True).click()


class Confirm(ShopPage):
    """Once more: is it you?"""

    path = "/account/confirm/"
    heading = "Confirm that it is you"

    def __init__(self, page):
        super().__init__(page)
        self.password = page.get_by_role("textbox", name="Password")
        self.confirm = page.get_by_role("button", name="Confirm", exact=True)
        self.send = page.get_by_role("button", name=re.compile("^Send a code to"))


class ConfirmCode(Code):
    """The code that verifies it."""

    path = "/account/confirm/verify/"
    heading = Confirm.heading


class NewContact(ShopPage):
    """A new address or number."""

    path = "/account/contacts/"

    def __init__(self, page):
        super().__init__(page)
        self.box = page.get_by_label(re.compile("^(Email address|Mobile number)"))
        self.send = page.get_by_role("button", name="Send code")

    def give(self, contact):
        """Type it and ask for the code."""
        self.box.fill(contact)
        self.send.click()


class Password(ShopPage):
    """Another password."""

    path = "/account/password/"
    heading = "Your password"

    def __init__(self, page):
        super().__init__(page)
        self.current = page.get_by_role("textbox", name="Current password")
        self.new = page.get_by_role("textbox", name="New password")
        self.save = page.get_by_role("button", name="Save password")


class Devices(ShopPage):
    """Where I am signed in."""

    path = "/account/devices/"
    heading = "Your devices"

    def __init__(self, page):
        super().__init__(page)
        self.all = page.get_by_role("listitem")
        self.sign_out = page.get_by_role("button", name=re.compile("^Sign out (?!all)"))
        self.sign_out_others = page.get_by_role("button", name="Sign out all other devices")


class Download(ShopPage):
    """Everything in one file."""

    path = "/account/download/"
    heading = "Download your data"

    def __init__(self, page):
        super().__init__(page)
        self.download = page.get_by_role("button", name="Download")


class Delete(ShopPage):
    """The end."""

    path = "/account/delete/"
    heading = "Delete your account"

    def __init__(self, page):
        super().__init__(page)
        self.delete = page.get_by_role("button", name="Delete my account")


class Resident:
    """Mixed into a shopper: the pages of whoever has an account."""

    def meet_account(self, page):
        """Have all the pages at hand."""
        self.sign_in, self.sign_in_code = SignIn(page), SignInCode(page)
        self.reset, self.check_email, self.reset_code = (
            Reset(page),
            CheckEmail(page),
            ResetCode(page),
        )
        self.new_password, self.not_me = NewPassword(page), NotMe(page)
        self.account, self.confirm, self.confirm_code = (
            Account(page),
            Confirm(page),
            ConfirmCode(page),
        )
        self.new_contact, self.password, self.devices = (
            NewContact(page),
            Password(page),
            Devices(page),
        )
        self.download, self.delete = Download(page), Delete(page)

    def comes_back(self, who, password=PASSWORD):
        """Sign in with a password."""
        self.sign_in.open()
        self.sign_in.give(who, password)
        expect(self.page.get_by_role("button", name="Log out")).to_be_visible()
        return self
