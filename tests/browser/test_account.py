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


@pytest.fixture
def elsewhere(shopper):
    """A maker of shoppers who signed up in another browser, with the address they used."""

    def make(**options):
        who = email()
        return shopper(**options).signs_up(who), who

    return make


@pytest.mark.parametrize("width", [1280, 320])
@either_way
def test_a_shopper_comes_back_with_a_password(shopper, elsewhere, javascript, width):
    _, who = elsewhere()
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
    shopper, elsewhere, javascript
):  # ux 11
    _, who = elsewhere()
    ana = shopper(javascript=javascript)
    ana.sign_in.open()
    ana.sign_in.name.fill(who)

    ana.sign_in.code_instead.click()
    ana.sign_in_code.is_shown().says(who)
    ana.sign_in_code.give(ana.mailbox.code(who, number=2))

    ana.home.welcomes("Ana")


def test_a_lost_network_loses_no_request_for_a_code(shopper, elsewhere, witness):  # ux 69
    _, who = elsewhere()
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
def test_whoever_came_for_a_page_gets_there(shopper, elsewhere, javascript):  # ux 60
    _, who = elsewhere()
    ana = shopper(javascript=javascript)
    ana.page.goto("/account/activity/")
    ana.sign_in.is_shown().says("Sign in to go on.")

    ana.sign_in.give(who)

    expect(ana.page).to_have_url(re.compile("/account/activity/$"))


def test_the_cookie_goes_with_the_browser_unless_asked_to_stay(shopper, elsewhere):
    _, who = elsewhere()
    ana = shopper()
    ana.sign_in.open()
    ana.sign_in.remember.uncheck()
    ana.sign_in.give(who)
    ana.home.welcomes("Ana")

    session = next(each for each in ana.page.context.cookies() if each["name"] == "session")

    assert session["expires"] == -1


def test_a_shopper_comes_back_without_a_mouse(shopper, elsewhere):  # ux 78
    _, who = elsewhere()
    ana = shopper()
    ana.sign_in.open()
    keys = ana.page.keyboard
    ana.sign_in.name.focus()

    keys.type(who)
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")

    ana.home.welcomes("Ana")


def test_password_managers_find_their_boxes(shopper, elsewhere):  # ux 53, 54
    ana, who = elsewhere()
    ana.password.open()
    expect(ana.password.current).to_have_attribute("autocomplete", "current-password")
    expect(ana.password.new).to_have_attribute("autocomplete", "new-password")
    assert ana.page.locator("form input[autocomplete=username]").input_value() == who

    stranger = shopper()
    stranger.sign_in.open()
    expect(stranger.sign_in.name).to_have_attribute("autocomplete", "username")
    expect(stranger.sign_in.password).to_have_attribute("autocomplete", "current-password")


@either_way
def test_a_forgotten_password_is_replaced_by_link(shopper, elsewhere, javascript):  # REC-01, REC-04
    _, who = elsewhere()
    ana = shopper(javascript=javascript)
    ana.sign_in.open().forgotten.click()
    ana.reset.is_shown().give(who)
    ana.check_email.is_shown().says(who)

    ana.page.goto(ana.mailbox.link(who))
    ana.new_password.is_shown()
    assert "token" not in ana.page.url
    ana.new_password.give("too short")
    ana.new_password.has_problem("at least 12 characters")
    ana.new_password.give(NEW)

    ana.sign_in.is_shown().says("Your password is changed.")
    ana.sign_in.give(who, NEW)
    ana.home.welcomes("Ana")


@either_way
def test_a_forgotten_password_is_replaced_by_text_message(shopper, javascript):
    number = phone()
    shopper().signs_up(number)
    ana = shopper(javascript=javascript)
    ana.reset.open().give(number)

    ana.reset_code.is_shown().give(ana.mailbox.code(number, number=2))
    ana.new_password.is_shown().give(NEW)

    ana.sign_in.is_shown()
    ana.comes_back(number, NEW)


@either_way
def test_the_email_address_is_changed(elsewhere, javascript):  # REC-08, WEB-02
    (ana, who), new = elsewhere(javascript=javascript), email("new")
    ana.account.open().go("Change email address")
    ana.new_contact.give(new)
    ana.contact.is_shown().give(ana.mailbox.code(new))

    ana.account.is_shown().says(new)
    assert "changed" in ana.mailbox.letters(who, at_least=2)[0]["subject"]


@either_way
def test_a_phone_is_added_and_becomes_the_way_for_messages(elsewhere, javascript):
    (ana, _), number = elsewhere(javascript=javascript), phone()
    ana.account.open().go("Add a mobile number")
    ana.new_contact.give(number)
    ana.contact.is_shown().give(ana.mailbox.code(number))
    ana.account.is_shown().says(digits(number))

    ana.account.messages_here.click()

    ana.account.is_shown().says("Messages go there from now on.")


@either_way
def test_another_device_is_signed_out(shopper, elsewhere, javascript):  # SES-05
    phone_browser, who = elsewhere()
    ana = shopper(javascript=javascript).comes_back(who)
    ana.account.open().go("Devices that are signed in")
    expect(ana.devices.is_shown().all).to_have_count(2)

    ana.devices.sign_out.click()

    ana.devices.is_shown().says("You are signed in nowhere else.")
    phone_browser.home.open().knows_nobody()


@either_way
def test_a_new_password_signs_the_others_out(shopper, elsewhere, javascript):  # PWD-07
    other, who = elsewhere()
    ana = shopper(javascript=javascript).comes_back(who)
    ana.account.open().go("Change your password")
    ana.password.current.fill(PASSWORD)
    ana.password.new.fill(NEW)

    ana.password.save.click()

    ana.account.is_shown().says("Your password is saved.")
    other.home.open().knows_nobody()


@either_way
def test_somebody_else_was_it(shopper, elsewhere, javascript):
    thief, who = elsewhere()
    ana = shopper(javascript=javascript)
    shopper().comes_back(who)
    ana.page.goto(ana.mailbox.link(who))

    ana.not_me.is_shown().secure.click()
    ana.new_password.is_shown().give(NEW)

    ana.sign_in.is_shown()
    thief.home.open().knows_nobody()
    ana.comes_back(who, NEW)


@either_way
def test_an_account_is_deleted_and_saved_again(elsewhere, javascript):
    ana, who = elsewhere(javascript=javascript)
    ana.account.open().go("Delete your account")
    ana.delete.is_shown().delete.click()
    ana.home.says("Your account will be deleted on")
    ana.home.knows_nobody()

    ana.comes_back(who)

    ana.home.says("Your account will not be deleted.")


@either_way
def test_everything_comes_in_one_file(elsewhere, javascript):
    ana, who = elsewhere(javascript=javascript)
    ana.account.open().go("Download your data")

    with ana.page.expect_download() as waiting:
        ana.download.is_shown().download.click()

    assert json.loads(waiting.value.path().read_text())["account"]["email"] == who


def test_after_signing_out_the_back_button_shows_no_account(elsewhere):  # SES-08
    ana, who = elsewhere()
    ana.account.open().go("Devices that are signed in")
    ana.devices.is_shown().back.click()
    ana.account.is_shown().log_out.click()
    ana.home.knows_nobody()

    ana.page.go_back()

    expect(ana.page.get_by_text(who)).to_have_count(0)
