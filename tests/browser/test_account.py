"""Coming back, recovering and looking after the account, in a real browser with and without JavaScript."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.pages import PASSWORD, email, phone

WAYS = {"JavaScript": True, "no JavaScript": False}
NEW = "a far better password"

either_way = pytest.mark.parametrize("javascript", WAYS.values(), ids=WAYS)


def digits(number):
    """A number as the shop writes it."""
    return re.sub(r"[^+\d]", "", number)


@pytest.mark.parametrize(
    ("javascript", "width"), [(True, 1280), (True, 320), (False, 320)], ids=str
)
def test_a_shopper_comes_back_with_a_password(shopper, customer, javascript, width):
    who = customer()
    ana = shopper(javascript=javascript, width=width)
    ana.home.open().page.get_by_role("link", name="Sign in").click()
    ana.sign_in.is_shown()

    ana.sign_in.give(who, "not my password")
    ana.sign_in.has_problem("That does not match an account.")
    expect(ana.sign_in.name).to_have_value(who)  # ux 66
    ana.sign_in.give(who)

    ana.home.welcomes("Ana")


@either_way
def test_a_shopper_comes_back_with_a_code_without_typing_twice(
    shopper, customer, javascript
):  # ux 11
    who = customer()
    ana = shopper(javascript=javascript)
    ana.sign_in.open()
    ana.sign_in.name.fill(who)

    ana.sign_in.code_instead.click()
    ana.sign_in_code.is_shown().says(who)
    ana.sign_in_code.give(ana.mailbox.code(who, number=2))

    ana.home.welcomes("Ana")


def test_a_lost_network_loses_no_request_for_a_code(shopper, customer, witness):  # ux 69
    who = customer()
    ana = shopper()
    ana.sign_in.open()
    ana.sign_in.name.fill(who)
    ana.page.route("**/login/code/", lambda route: route.abort())
    ana.sign_in.code_instead.click()
    expect(ana.sign_in.try_again).to_be_visible()
    witness.complaints.clear()  # htmx tells the console about the loss

    ana.page.unroute("**/login/code/")
    ana.sign_in.try_again.click()

    ana.sign_in_code.is_shown().says(who)


@either_way
def test_whoever_came_for_a_page_gets_there(shopper, customer, javascript):  # ux 60
    who = customer()
    ana = shopper(javascript=javascript)
    ana.page.goto("/account/activity/")
    ana.sign_in.is_shown().says("Sign in to go on.")

    ana.sign_in.give(who)

    expect(ana.page).to_have_url(re.compile("/account/activity/$"))


def test_the_cookie_goes_with_the_browser_unless_asked_to_stay(shopper, customer):
    who = customer()
    ana = shopper()
    ana.sign_in.open()
    ana.sign_in.remember.uncheck()
    ana.sign_in.give(who)
    ana.home.welcomes("Ana")

    session = next(each for each in ana.page.context.cookies() if each["name"] == "session")

    assert session["expires"] == -1


def test_a_shopper_comes_back_without_a_mouse(shopper, customer):  # ux 78
    who = customer()
    ana = shopper()
    ana.sign_in.open()
    keys = ana.page.keyboard
    ana.sign_in.name.focus()

    keys.type(who)
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")

    ana.home.welcomes("Ana")


def test_password_managers_find_their_boxes(shopper, ana):  # ux 53, 54
    who = email()
    ana.registers(who).password.open()
    expect(ana.password.current).to_have_attribute("autocomplete", "current-password")
    expect(ana.password.new).to_have_attribute("autocomplete", "new-password")
    assert ana.page.locator("form input[autocomplete=username]").input_value() == who

    stranger = shopper()
    stranger.sign_in.open()
    expect(stranger.sign_in.name).to_have_attribute("autocomplete", "username")
    expect(stranger.sign_in.password).to_have_attribute("autocomplete", "current-password")


@either_way
def test_a_forgotten_password_is_replaced_by_link(shopper, customer, javascript):  # REC-01, REC-04
    who = customer()
    ana = shopper(javascript=javascript)
    ana.sign_in.open().forgotten.click()
    ana.reset.is_shown().give(who)
    ana.check_email.is_shown().says(who)

    ana.page.goto(ana.mailbox.link(who, number=2))
    ana.new_password.is_shown()
    assert "token" not in ana.page.url
    ana.new_password.give("too short")
    ana.new_password.has_problem("at least 12 characters")
    ana.new_password.give(NEW)

    ana.sign_in.is_shown().says("Your password is changed.")
    ana.sign_in.give(who, NEW)
    ana.home.welcomes("Ana")


@either_way
def test_a_forgotten_password_is_replaced_by_text_message(shopper, customer, javascript):
    number = customer(phone())
    ana = shopper(javascript=javascript)
    ana.reset.open().give(number)

    ana.reset_code.is_shown().give(ana.mailbox.code(number, number=2))
    ana.new_password.is_shown().give(NEW)

    ana.sign_in.is_shown()
    ana.comes_back(number, NEW)


@either_way
def test_the_email_address_is_changed(shopper, javascript):  # REC-08, WEB-02
    ana, who, new = shopper(javascript=javascript), email(), email("new")
    ana.registers(who).account.open().go("Change email address")
    ana.new_contact.give(new)
    ana.contact.is_shown().give(ana.mailbox.code(new))

    ana.account.is_shown().says(new)
    assert "changed" in ana.mailbox.letters(who, at_least=2)[0]["subject"]


@either_way
def test_a_phone_is_added_and_becomes_the_way_for_messages(shopper, javascript):
    ana, number = shopper(javascript=javascript), phone()
    ana.registers(email()).account.open().go("Add a mobile number")
    ana.new_contact.give(number)
    ana.contact.is_shown().give(ana.mailbox.code(number))
    ana.account.is_shown().says(digits(number))

    ana.account.messages_here.click()

    ana.account.is_shown().says("Messages go there from now on.")


@either_way
def test_another_device_is_signed_out(shopper, javascript):  # SES-05
    who = email()
    phone_browser = shopper().registers(who)
    ana = shopper(javascript=javascript).arrives(who)
    ana.account.open().go("Devices that are signed in")
    expect(ana.devices.is_shown().all).to_have_count(2)

    ana.devices.sign_out.click()

    ana.devices.is_shown().says("You are signed in nowhere else.")
    phone_browser.home.open().knows_nobody()


@either_way
def test_a_new_password_signs_the_others_out(shopper, javascript):  # PWD-07
    who = email()
    other = shopper().registers(who)
    ana = shopper(javascript=javascript).arrives(who)
    ana.account.open().go("Change your password")
    ana.password.current.fill(PASSWORD)
    ana.password.new.fill(NEW)

    ana.password.save.click()

    ana.account.is_shown().says("Your password is saved.")
    other.home.open().knows_nobody()


@either_way
def test_somebody_else_was_it(shopper, customer, javascript):
    who = customer()
    thief = shopper().arrives(who)
    ana = shopper(javascript=javascript)
    ana.page.goto(ana.mailbox.link(who, number=2))

    ana.not_me.is_shown().secure.click()
    ana.new_password.is_shown().give(NEW)

    ana.sign_in.is_shown()
    thief.home.open().knows_nobody()
    ana.comes_back(who, NEW)


@either_way
def test_an_account_is_deleted_and_saved_again(shopper, javascript):
    ana, who = shopper(javascript=javascript), email()
    ana.registers(who).account.open().go("Delete your account")
    ana.delete.is_shown().delete.click()
    ana.home.says("Your account will be deleted on")
    ana.home.knows_nobody()

    ana.comes_back(who)

    ana.home.says("Your account will not be deleted.")


@either_way
def test_everything_comes_in_one_file(shopper, javascript):
    ana, who = shopper(javascript=javascript), email()
    ana.registers(who).account.open().go("Download your data")

    with ana.page.expect_download() as waiting:
        ana.download.is_shown().download.click()

    assert json.loads(waiting.value.path().read_text())["account"]["email"] == who


def test_after_signing_out_the_back_button_shows_no_account(ana):  # SES-08
    who = email()
    ana.registers(who).account.open().go("Devices that are signed in")
    ana.devices.is_shown().back.click()
    ana.account.is_shown().log_out.click()
    ana.home.knows_nobody()

    ana.page.go_back()

    ana.sign_in.is_shown()
    expect(ana.page.get_by_text(who)).to_have_count(0)
