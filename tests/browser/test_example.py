"""The app in examples/: a page of another origin, which has only the JSON API of the shop (promises 2.12, 2.14)."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser import axe
from tests.browser.example import Example
from tests.browser.pages import PASSWORD, email, phone, resize, wrong


@pytest.fixture
def example(new_context, witness, mailbox, elsewhere, pytestconfig):
    """Opens the page in a browser of its own: `example()`."""
    if pytestconfig.getoption("base_url"):
        pytest.skip("needs a shop that names the origin of the page")

    def make(**options):
        context = new_context(**options)
        witness.watch(context)
        return Example(context.new_page(), mailbox, elsewhere.origin)

    return make


def test_somebody_registers_by_number_and_sees_where_they_are_signed_in(example):
    who = phone()
    app = example().begins(who)
    app.is_at("Type the code").types("6-digit code", wrong(app.mailbox.code(who))).clicks("Confirm")
    app.has_problem("6-digit code", re.compile("That is not the code we sent"))
    app.types("6-digit code", app.mailbox.code(who)).clicks("Confirm")
    app.gives_profile("Ana Lopez", "short").has_problem("Password", re.compile("12 characters"))
    app.types("Password", PASSWORD).clicks("Go on")

    app.is_at("Hello, Ana")

    expect(app.page.locator("dd").first).to_have_text("Ana Lopez")
    expect(app.devices).to_have_count(1)
    expect(app.devices).to_contain_text("My Shop app")
    app.clicks("Sign out").is_at("Sign in")


def test_somebody_registers_by_address_and_ends_another_device(example):
    who = email()
    app = example().begins(who).gives_profile("Bea", PASSWORD).gives_code(who).is_at("Hello, Bea")
    other = example().clicks("Sign in").signs_in(who, "not the password")
    expect(other.alert).to_be_focused()
    other.types("Password", PASSWORD)
    other.page.locator("#sign-in form .button").first.click()
    other.is_at("Hello, Bea")
    expect(other.devices).to_have_count(2)

    other.devices.filter(has_not_text="This page").get_by_role("button").click()

    expect(other.devices).to_have_count(1)
    # Whoever was signed out elsewhere may still press the button.
    app.clicks("Sign out").is_at("Sign in")


def test_somebody_comes_back_with_a_code(example, customer):
    who = customer()
    app = example().clicks("Sign in").is_at("Sign in")
    app.types("Email address, mobile number or username", who).clicks("Get a code instead")

    app.gives_code(who, number=2).is_at("Hello, Ana")


def test_a_shop_that_does_not_answer_is_told_in_words(example):
    app = example().is_at("Create an account")
    app.page.route("**/register/phone/", lambda route: route.abort())

    app.begins(phone())

    expect(app.alert).to_contain_text("The shop does not answer")
    expect(app.alert).to_be_focused()


@pytest.mark.parametrize("state", ["begin", "a problem", "code", "profile", "me", "sign in"])
def test_the_example_can_be_used_by_everybody(example, state):  # ux 64
    who = phone()
    app = example()
    ways = {
        "a problem": lambda: app.clicks("Go on").has_problem(
            "Email address or mobile number", re.compile("Enter your email address")
        ),
        "code": lambda: app.begins(who).is_at("Type the code"),
        "profile": lambda: app.begins(email()).is_at("Your name and a password"),
        "me": lambda: (
            app.begins(who).gives_code(who).gives_profile("Ana", PASSWORD).is_at("Hello, Ana")
        ),
        "sign in": lambda: app.clicks("Sign in").is_at("Sign in"),
    }
    ways.get(state, lambda: app.is_at("Create an account"))()

    assert not axe.faults(app.page)
    resize(app.page, 320)
    assert app.page.evaluate("document.documentElement.scrollWidth") <= 320
